"""An edit leaves an operation behind, in its own transaction: one waiting row per account, renewed by every further edit.

Owns how operations come to be and are called off; never sends anything, and never keeps what is to be sent.
"""

import base64
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.planning import WHOLE, Plan, idle
from provision.core.ports import GROUP_NAME
from provision.core.tables import Account
from provision.core.vocabulary import Approval, Asks, Lifecycle, OperationKind, OperationState, Situation, key
from provision.db import among, encoded, insert_many, moment, reserve, update_many
from provision.services.outbox.reckoning import (
    ACCOUNTS,
    IN_FLIGHT,
    OPERATIONS,
    WAITING,
    App,
    Case,
    Row,
    accounts,
    apps,
    blank,
    blank_group,
    reckon,
    stands,
)
from provision.services.outbox.reckoning import people as load_people

SOMEBODY_WAITS, ONE_OF_MANY, NOBODY_ASKED = 0, 1, 2
_RENEWED = (
    "kind", "state", "asks", "changes", "fingerprint", "approved_fingerprint", "priority", "attempts", "looks", "due_at",
    "error", "created_by",
)  # fmt: skip
_FRESH = ("id", "tenant_id", "connector_id", "account_id", "created_at", "deaths", "fence", *_RENEWED)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an edit means for one person in one app.

    ``operation_id`` is None when nothing is carried there; ``here_only`` then says why: attribute, or "*" for all of it, →
    remedy code (``create_off``, ``edit_off``, ``set_by_directory_sync``, …). Empty: there is nothing to be carried.
    """

    user_id: int
    app_id: int
    app: str
    account_id: int | None
    operation_id: int | None = None
    kind: OperationKind | None = None
    asks: Asks | None = None
    due_at: datetime | None = None
    fingerprint: str | None = None
    changes: Mapping[str, Sequence[Any]] | None = None
    here_only: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Order:
    """How operations are enqueued.

    ``review``: ask first, whatever the app says. ``hold``: let disables and deletes wait, so that they can be undone.
    ``allowed``: the number was named and typed, which is itself the Allow for this list.
    """

    actor: str
    now: datetime
    kinds: Mapping[Any, Any]
    priority: int = SOMEBODY_WAITS
    review: bool = False
    hold: bool = True
    allowed: bool = False
    token_bytes: Callable[[int], bytes] = secrets.token_bytes


def enqueue(
    session: Session,
    tenant_id: int,
    user_ids: Collection[int],
    order: Order,
    *,
    connector_id: int | None = None,
    but_not: int | None = None,
) -> list[Effect]:
    """Bring these people's accounts in line, in every app, in one or in all but one; call it in the edit's transaction.

    Whoever has no account where Create is on gets a row for one, *absent*, with its correlation value. Nothing is enqueued
    for what is in line, switched off, protected or declined; what waits and has become needless is cancelled.
    """
    session.flush()
    effects: list[Effect] = []
    for app in apps(session, tenant_id, order.kinds, connector_id, keep=True):
        if app.id == but_not:
            continue
        rows = accounts(session, app, among(session, ACCOUNTS.c.user_id, set(user_ids)), lock=True)
        known = {row["user_id"] for row in rows}
        rows += _candidates(session, app, [number for number in user_ids if number not in known])
        effects += _put(session, app, reckon(session, app, rows), order)
    return effects


def enqueue_groups(
    session: Session, tenant_id: int, ids: Collection[int], order: Order, *, connector_id: int | None = None
) -> list[Effect]:
    """The same for groups, in every app that takes them: one made here gets an account there."""
    if not ids:
        return []
    session.flush()
    effects: list[Effect] = []
    for app in apps(session, tenant_id, order.kinds, connector_id, groups=True, keep=True):
        rows = accounts(session, app, among(session, ACCOUNTS.c.group_id, set(ids)), lock=True)
        known = {row["group_id"] for row in rows}
        rows += [blank_group(number) for number in sorted(set(ids) - known)]
        effects += _put(session, app, reckon(session, app, rows), order)
    return effects


def enqueue_accounts(session: Session, app: App, ids: Collection[int], order: Order) -> list[Effect]:
    """The same for accounts that exist already."""
    session.flush()
    rows = accounts(session, app, among(session, ACCOUNTS.c.id, set(ids)), lock=True)
    return _put(session, app, reckon(session, app, rows), order)


def waiting(session: Session, ids: Collection[int], states: Collection[OperationState]) -> dict[int, Row]:
    """By account, the one operation in such a state."""
    if not ids:
        return {}
    query = sa.select(OPERATIONS).where(
        among(session, OPERATIONS.c.account_id, set(ids)), stands(OPERATIONS.c.state, *states)
    )
    return {row["account_id"]: dict(row) for row in session.execute(query).mappings()}


def _candidates(session: Session, app: App, user_ids: Sequence[int]) -> list[Row]:
    """Those who could get an account there: active, and neither guests of nor strangers to its domains."""
    found = load_people(session, app.tenant_id, user_ids)
    active = [number for number in user_ids if number in found and found[number]["lifecycle"] == Lifecycle.ACTIVE]
    return [blank(number) for number in active]


def _put(session: Session, app: App, cases: Sequence[Case], order: Order) -> list[Effect]:
    judged = [within_scope(app, case) for case in cases]
    fresh = [case for case in judged if case.account["id"] is None and case.plan.kind is not None]
    ids = _make_absent(session, app, fresh, order)
    numbers = {id(case): number for case, number in zip(fresh, ids, strict=True)}
    known = [case.account["id"] for case in judged if case.account["id"] is not None]
    before = waiting(session, known, WAITING)
    flying = waiting(session, known, IN_FLIGHT)
    rows: list[tuple[Row, dict[str, Any] | None]] = []
    effects = []
    for case in judged:
        number = case.account["id"] or numbers.get(id(case))
        old = before.get(number or 0)
        new = _renewed(app, case, old, number in flying, order) if number is not None else None
        if new is not None:
            rows.append(({"account_id": number, "old": old}, new))
        elif old is not None:
            _call_off(session, old, order)
        if number is not None and new is None and number not in flying:
            _tidy(session, case, number)
        effects.append(_effect(app, case, number, new))
    written = _write(session, app, rows, order)
    return [_with_id(effect, written.get(effect.account_id or 0)) for effect in effects]


def within_scope(app: App, case: Case) -> Case:
    """A new account is made only where its domain is at home."""
    if case.plan.kind is not OperationKind.CREATE or case.plan.group or not app.domains:
        return case
    domain = key(case.plan.values.get(app.rules.sign_in)).rpartition("@")[2]
    if domain in app.domains - app.federated:
        return case
    code = "domain_federated_there" if domain in app.federated else "domain_unverified"
    return Case(case.account, case.person, Plan(here_only={WHOLE: code}))


def _make_absent(session: Session, app: App, cases: Sequence[Case], order: Order) -> Sequence[int]:
    """Rows for accounts that do not exist yet, each with the value by which it will be found again."""
    if not cases:
        return []
    numbers = list(reserve(session, ACCOUNTS, len(cases)))
    rows = []
    for number, case in zip(numbers, cases, strict=True):
        correlation = base64.b32encode(order.token_bytes(10)).decode()
        name = key(case.plan.values.get(GROUP_NAME if case.plan.group else app.rules.sign_in))
        owner = (case.account["user_id"], case.account["group_id"])
        rows.append(
            (number, app.tenant_id, app.id, *owner, name, correlation, Situation.ABSENT.value,
             *(encoded({}) for _ in range(4)), False)
        )  # fmt: skip
    columns = ("id", "tenant_id", "connector_id", "user_id", "group_id", "name", "correlation", "situation")
    insert_many(session, ACCOUNTS, (*columns, "verdict", "standing", "observed", "absorbed", "stale"), rows)
    return numbers


def _renewed(app: App, case: Case, old: Row | None, flying: bool, order: Order) -> dict[str, Any] | None:
    """The waiting row as it should be now; None when none is needed."""
    due = case.plan
    if due.kind is None and not flying:
        return None
    fingerprint = due.fingerprint
    if fingerprint == case.account["declined"] and not flying:
        return None
    approved = old["approved_fingerprint"] if old and old["approved_fingerprint"] == fingerprint else None
    if order.allowed and due.takes_away:
        approved = fingerprint
    review = order.review or app.approval is Approval.REVIEW
    asks = Asks.REVIEW if review and approved != fingerprint else None
    due_at = order.now
    if due.takes_away and order.hold and not review:
        due_at = old["due_at"] if old and old["kind"] == due.kind else order.now + app.hold
    return {
        "kind": due.kind or OperationKind.UPDATE,
        "state": OperationState.PENDING,
        "asks": asks,
        "changes": due.changes,
        "fingerprint": fingerprint,
        "approved_fingerprint": approved,
        "priority": min(order.priority, old["priority"]) if old else order.priority,
        "attempts": 0,
        "looks": 0,
        "due_at": due_at,
        "error": None,
        "created_by": order.actor,
    }


def _write(
    session: Session, app: App, rows: Sequence[tuple[Row, dict[str, Any] | None]], order: Order
) -> dict[int, int]:
    fresh, again, written = [], [], {}
    new = [(place, values) for place, values in rows if place["old"] is None and values is not None]
    for (place, values), number in zip(new, reserve(session, OPERATIONS, len(new)) if new else (), strict=True):
        at = moment(session, order.now)
        fixed = (number, app.tenant_id, app.id, place["account_id"], at, 0, 0)
        fresh.append((*fixed, *_stored(session, values)))
        written[place["account_id"]] = number
    for place, renewed in rows:
        if place["old"] is not None and renewed is not None:
            again.append((*_stored(session, renewed), place["old"]["id"]))
            written[place["account_id"]] = place["old"]["id"]
    insert_many(session, OPERATIONS, _FRESH, fresh)
    update_many(session, OPERATIONS, _RENEWED, again)
    return written


def _stored(session: Session, values: Mapping[str, Any]) -> tuple[Any, ...]:
    plain: dict[str, Any] = {
        **values,
        "kind": values["kind"].value,
        "state": values["state"].value,
        "asks": None if values["asks"] is None else values["asks"].value,
        "changes": encoded(values["changes"]),
        "due_at": moment(session, values["due_at"]),
        "error": None,
    }
    return tuple(plain[name] for name in _RENEWED)


def _call_off(session: Session, old: Row, order: Order) -> None:
    """It waited for something that is no longer due: an edit back within the hold ends here."""
    ended = {"state": OperationState.CANCELLED.value, "settled_at": order.now, "asks": None}
    session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == old["id"]).values(**ended))


def _tidy(session: Session, case: Case, number: int) -> None:
    """Nothing is due: what was decided is done, and what was declined may be proposed again later."""
    account = case.account
    changed: dict[str, Any] = {}
    kept = idle(account["intent"], account["enabled"], gone=account["situation"] == Situation.GONE)
    if kept != account["intent"]:
        changed["intent"] = kept
    if account["declined"] is not None and case.plan.kind is None:
        changed["declined"] = None
    if changed:
        session.execute(sa.update(Account).where(ACCOUNTS.c.id == number).values(**changed))


def _effect(app: App, case: Case, number: int | None, new: Mapping[str, Any] | None) -> Effect:
    told = {"user_id": case.account["user_id"], "app_id": app.id, "app": app.name, "account_id": number}
    here_only = dict(case.plan.here_only)
    if new is None:
        if case.plan.kind is not None:
            here_only[WHOLE] = "declined_before"
        return Effect(**told, here_only=here_only)
    return Effect(
        **told,
        kind=new["kind"],
        asks=new["asks"],
        due_at=new["due_at"],
        fingerprint=new["fingerprint"],
        changes={name: list(pair) for name, pair in new["changes"].items()},
        here_only=here_only,
    )


def _with_id(effect: Effect, operation_id: int | None) -> Effect:
    return Effect(**{name: getattr(effect, name) for name in effect.__slots__} | {"operation_id": operation_id})
