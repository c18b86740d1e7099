"""What an edit or a move would mean in every app, said before the click.

Owns the forecast for people who read it; the plan itself is made again from the present when the change goes out.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import protection
from provision.core.planning import BY_HAND, WHOLE, Person, There, plan
from provision.core.ports import ENABLED
from provision.core.tables import Account, Connector, Event, EventDetail, Operation, User
from provision.core.vocabulary import (
    Approval,
    ConnectorState,
    Feature,
    Lifecycle,
    OperationKind,
    OperationState,
    Situation,
    key,
)
from provision.db import among
from provision.services import mappings, outbox
from provision.services.outbox import App
from provision.services.outbox.reckoning import UNFINISHED, stands
from provision.services.users.finding import shown
from provision.services.users.moving import Move

_SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of ``n`` people's accounts in one app.

    ``kind`` is None when nothing goes there; ``code`` then says why (a remedy's code). ``review``: it asks first;
    ``hold``: seconds in which it can be undone; ``waits``: the app is *paused* or *quarantined*.
    """

    app_id: int
    app: str
    kind: OperationKind | None = None
    code: str | None = None
    n: int = 1
    review: bool = False
    hold: int = 0
    waits: str | None = None
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Disables and deletes of one operator that can still be undone."""

    user_ids: tuple[int, ...]
    names: tuple[str, ...]
    until: datetime
    kind: OperationKind


@dataclass(frozen=True, slots=True)
class Fixed:
    """Why attributes of one account do not follow: outside attribute → remedy code, and what protects the account."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None
    roles: tuple[str, ...] = ()
    known: bool = True


def of_new(session: Session, tenant_id: int, kinds: Mapping[Any, Any], email: str = "") -> list[Fate]:
    """What adding somebody with this address means, app by app."""
    domain = key(email).rpartition("@")[2]
    fates = []
    for app in outbox.apps(session, tenant_id, kinds):
        if not app.rules.features.get(Feature.CREATE):
            fates.append(_fate(app, None, "create_off"))
        elif domain and app.domains and domain not in app.domains:
            fates.append(_fate(app, None, "domain_not_verified_there"))
        elif domain in app.federated:
            fates.append(_fate(app, None, "domain_federated_there"))
        elif app.meant.conditions:
            fates.append(_fate(app, None, "scope_decides"))
        else:
            fates.append(_fate(app, OperationKind.CREATE))
    return fates


def of_edit(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_ids: Collection[int], attribute: str | None = None
) -> list[Fate]:
    """What editing these people means, app by app; whoever has no account there is not counted.

    ``attribute``: the one of ours that is edited; where no row of the mapping reads it, nothing goes there.
    """
    fates: list[Fate] = []
    for app, rows in _linked(session, tenant_id, kinds, user_ids):
        if attribute is not None and attribute not in app.rules.outbound.attributes:
            fates.append(_fate(app, None, "not_mapped", len(rows)))
            continue
        code = None if app.rules.features.get(Feature.EDIT) else "edit_off"
        synced = sum(1 for row in rows if row.standing.get("synced"))
        if synced:
            fates.append(_fate(app, None, code or "set_by_directory_sync", synced))
        if len(rows) > synced:
            fates.append(_fate(app, None if code else OperationKind.UPDATE, code, len(rows) - synced))
    return fates


def of_move(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_ids: Collection[int], how: Move
) -> list[Fate]:
    """What moving these people means, app by app: the same judgement as when it goes out."""
    fates: list[Fate] = []
    for app, rows in _linked(session, tenant_id, kinds, user_ids):
        found = Counter(_verdict(app, row, how) for row in rows)
        fates += [_fate(app, kind, code, number) for (kind, code), number in found.items()]
    return fates


def fixed(session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_id: int) -> dict[int, Fixed]:
    """By account, what cannot be changed there from here and what protects it."""
    told = {}
    for app, rows in _linked(session, tenant_id, kinds, [user_id]):
        ours = {row.theirs: row.ours for row in mappings.rows(session, tenant_id, app.id) if row.flows_out}
        for row in rows:
            judged = protection.judge(row.anchor, row.name, row.standing, row.intent, app.facts, app.scope)
            whole = None if app.rules.features.get(Feature.EDIT) else "edit_off"
            codes = {name: code for name in ours if (code := whole or _why(app, name, synced=judged.synced))}
            told[row.id or 0] = Fixed(
                codes, {ours[name]: code for name, code in codes.items()}, judged.why, judged.roles, judged.known
            )
    return told


def lying(session: Session, tenant_id: int, email: str) -> list[tuple[str, int | None, str]]:
    """Deleted accounts that had this address and can still come back: the app, and our person whose it was, if anybody's."""
    if not email.strip():
        return []
    query = (
        select(Connector.name, User)
        .join(Account, col(Account.connector_id) == col(Connector.id))
        .outerjoin(User, sa.and_(col(User.id) == col(Account.user_id), col(User.tenant_id) == tenant_id))
        .where(
            Account.tenant_id == tenant_id,
            Connector.tenant_id == tenant_id,
            Account.name == key(email),
            Account.situation == Situation.GONE,
            Account.removed == "restorable",
        )
    )
    found = session.exec(query.limit(_SAMPLE)).all()
    return [(app, user.id if user else None, shown(user.model_dump()) if user else "") for app, user in found]


def sharing(session: Session, tenant_id: int, username: str, besides: int | None = None) -> list[str]:
    """Who else here has this username: allowed, but a system may refuse the second one."""
    wanted = username.strip().lower()
    if not wanted:
        return []
    query = select(User).where(
        User.tenant_id == tenant_id,
        sa.func.lower(col(User.username)) == wanted,
        col(User.lifecycle) != Lifecycle.LEFT,
        col(User.id) != (besides or 0),
    )
    return [shown(row.model_dump()) for row in session.exec(query.limit(_SAMPLE)).all()]


def held(session: Session, tenant_id: int, actor: str, now: datetime) -> Held | None:
    """What this operator has just disabled or deleted and can still take back; the kind that ends last."""
    query = (
        select(Operation, User)
        .join(Account, col(Account.id) == Operation.account_id)
        .join(User, col(User.id) == Account.user_id)
        .where(
            col(Operation.connector_id).in_(sa.select(col(Connector.id)).where(col(Connector.tenant_id) == tenant_id)),
            stands(col(Operation.state), *UNFINISHED),
            stands(col(Operation.state), OperationState.PENDING),
            col(Operation.due_at) > now,
            col(Operation.kind).in_((OperationKind.DISABLE, OperationKind.DELETE)),
            col(Operation.asks).is_(None),
            Operation.created_by == actor,
            Operation.attempts == 0,
        )
        .order_by(col(Operation.due_at).desc(), col(Operation.id))
    )
    found = session.exec(query).all()
    if not found:
        return None
    kind = OperationKind(found[0][0].kind)
    people = {user.id or 0: shown(user.model_dump()) for operation, user in found if operation.kind == kind}
    people |= _beside(session, tenant_id, actor, {operation.created_at for operation, _ in found}, kind)
    until = max(operation.due_at for operation, _ in found)
    return Held(tuple(people), tuple(people.values())[:_SAMPLE], until, kind)


def _beside(
    session: Session, tenant_id: int, actor: str, moments: Collection[datetime], kind: OperationKind
) -> dict[int, str]:
    """Who was moved by the same click although nothing goes out for them."""
    told, state = {
        OperationKind.DELETE: ("user.deleted", Lifecycle.LEFT),
        OperationKind.DISABLE: ("user.disabled", Lifecycle.SUSPENDED),
    }[kind]
    query = (
        select(User)
        .join(Event, sa.and_(col(Event.user_id) == col(User.id), col(Event.tenant_id) == col(User.tenant_id)))
        .where(Event.tenant_id == tenant_id, col(Event.at).in_(moments), Event.action == told, Event.actor == actor)
        .where(col(User.lifecycle) == state)
    )
    return {row.id or 0: shown(row.model_dump()) for row in session.exec(query).all()}


def suspended_before(session: Session, tenant_id: int, user_ids: Collection[int]) -> list[int]:
    """Which of the people deleted last were suspended until then: taking that back makes them so again."""
    query = (
        select(Event.user_id, EventDetail.before)
        .join(EventDetail, col(EventDetail.event_id) == col(Event.id))
        .where(
            Event.tenant_id == tenant_id,
            Event.action == "user.deleted",
            among(session, col(Event.user_id), set(user_ids)),
        )
        .order_by(col(Event.id))
    )
    last = {number: before.get("lifecycle") for number, before in session.exec(query).all() if number is not None}
    return [number for number, lifecycle in last.items() if lifecycle == Lifecycle.SUSPENDED]


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _linked(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_ids: Collection[int]
) -> Iterator[tuple[App, list[Account]]]:
    query = select(Account).where(Account.tenant_id == tenant_id, among(session, col(Account.user_id), set(user_ids)))
    accounts = session.exec(query.where(col(Account.situation) != Situation.IGNORED)).all()
    for app in outbox.apps(session, tenant_id, kinds):
        rows = [row for row in accounts if row.connector_id == app.id]
        if rows:
            yield app, rows


def _verdict(app: App, row: Account, how: Move) -> tuple[OperationKind | None, str | None]:
    intent = {name: value for name, value in row.intent.items() if name not in (ENABLED, BY_HAND, "restore")}
    intent |= {BY_HAND: True} if how in (Move.DISABLE, Move.DELETE) else {ENABLED: True}
    lifecycle = {Move.DISABLE: Lifecycle.SUSPENDED, Move.DELETE: Lifecycle.LEFT}.get(how, Lifecycle.ACTIVE)
    there = There(
        situation=Situation(row.situation),
        anchor=row.anchor,
        enabled=row.enabled,
        removed=row.removed,
        intent={**intent, "restore": {}} if how is Move.RESTORE else intent,
        protection=protection.judge(row.anchor, row.name, row.standing, row.intent, app.facts, app.scope),
    )
    due = plan(Person(lifecycle, {}, deleted=how is Move.DELETE), there, app.rules)
    if due.kind is OperationKind.UPDATE:  # its values are not what this is about
        return None, due.here_only.get(ENABLED)
    return due.kind, due.here_only.get(WHOLE) or due.here_only.get(ENABLED)


def _fate(app: App, kind: OperationKind | None, code: str | None = None, n: int = 1) -> Fate:
    review = app.approval is Approval.REVIEW
    takes = kind in (OperationKind.DISABLE, OperationKind.DELETE)
    return Fate(
        app_id=app.id,
        app=app.name,
        kind=kind,
        code=code,
        n=n,
        review=review and kind is not None,
        hold=int(app.hold.total_seconds()) if takes and not review else 0,
        waits=None if app.state is ConnectorState.ACTIVE else app.state.value,
        domains=app.offered,
    )


def _why(app: App, name: str, *, synced: bool) -> str | None:
    if synced and name not in app.rules.while_synced:
        return "set_by_directory_sync"
    attribute = next((one for one in app.schema if one.name == name), None)
    return None if attribute is None or attribute.writable else attribute.reason or "read_only_there"
