"""The queue as a person reads it: what waits, runs, is looked up, is blocked or has failed, and what each would write.

Reads only. Answers to it belong to the outbox.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import LICENCES, MANAGER, MEMBERS
from provision.core.tables import Account, Connector, Group, Operation, User
from provision.core.vocabulary import Asks, OperationKind, OperationState
from provision.db import among
from provision.services.licences import lacks
from provision.services.outbox.reckoning import UNFINISHED, stands
from provision.services.users import shown

View = Literal["review", "brake", "waiting", "running", "checking", "blocked", "failed"]
VIEWS: tuple[View, ...] = ("review", "brake", "waiting", "running", "checking", "blocked", "failed")
ASKING: tuple[View, ...] = ("review", "brake")
MOVING: tuple[View, ...] = ("waiting", "running", "checking")
"""What goes on by itself."""

FAILED_FOR = timedelta(days=30)
"""How long a failure stays in the queue; afterwards the report still has it."""

MANY = 1000
_OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_GROUPS: sa.Table = Group.__table__  # type: ignore[attr-defined]
_WAITS = stands(_OPERATIONS.c.state, *UNFINISHED)
_OVER = stands(_OPERATIONS.c.state, OperationState.DONE, OperationState.FAILED)
"""Each in the words of the index that holds only those: what was done in years is not walked past."""
_STATE_OF: Mapping[View, OperationState] = {
    "review": OperationState.PENDING,
    "brake": OperationState.PENDING,
    "waiting": OperationState.PENDING,
    "running": OperationState.RUNNING,
    "checking": OperationState.UNKNOWN,
    "blocked": OperationState.BLOCKED,
    "failed": OperationState.FAILED,
}
_READ = (
    "id", "connector_id", "account_id", "kind", "state", "asks", "changes", "fingerprint", "attempts", "due_at", "sent_at",
    "lease_until", "error", "request_id", "created_by", "created_at", "settled_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is written there. ``name``: its outside name, ``enabled``, ``manager`` or ``licences.<sku>``."""

    name: str
    label: str
    was: Any
    becomes: Any


@dataclass(frozen=True, slots=True)
class Item:
    """One operation with the person, or the group, it is about.

    ``error``: a remedy's code and blanks; ``retries_at``: by itself, when.
    """

    id: int
    view: View
    kind: OperationKind
    state: OperationState
    user_id: int | None
    user: str
    address: str
    group: bool
    account_id: int
    app_id: int
    app: str
    changes: tuple[Change, ...]
    fingerprint: str | None
    error: Mapping[str, Any] | None
    attempts: int
    due_at: datetime
    retries_at: datetime | None
    sent_at: datetime | None
    settled_at: datetime | None
    request_id: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Resting:
    """An app to which nothing goes now: *paused*, *quarantined* or *resting* until a moment."""

    id: int
    name: str
    state: str
    until: datetime | None
    reason: str | None


def counts(session: Session, tenant_id: int, now: datetime, app_id: int | None = None) -> dict[View, int]:
    """How many there are of each view."""
    every = by_app(session, tenant_id, now, app_id).values()
    return {view: sum(found[view] for found in every) for view in VIEWS}


def by_app(session: Session, tenant_id: int, now: datetime, app_id: int | None = None) -> dict[int, dict[View, int]]:
    """How many there are of each view in each app that has any."""
    query = (
        sa.select(_OPERATIONS.c.connector_id, _OPERATIONS.c.state, _OPERATIONS.c.asks, sa.func.count())
        .where(_of(tenant_id, app_id), _WAITS)
        .group_by(_OPERATIONS.c.connector_id, _OPERATIONS.c.state, _OPERATIONS.c.asks)
    )
    found: dict[int, dict[View, int]] = {}
    for number, state, asks, count in session.execute(query):
        found.setdefault(number, dict.fromkeys(VIEWS, 0))[_view(state, asks)] += count
    failed = sa.select(_OPERATIONS.c.connector_id, sa.func.count()).where(
        *_conditions(tenant_id, app_id, "failed", now)
    )
    for number, count in session.execute(failed.group_by(_OPERATIONS.c.connector_id)):
        found.setdefault(number, dict.fromkeys(VIEWS, 0))["failed"] = count
    return found


def settled(session: Session, tenant_id: int, since: datetime) -> dict[tuple[int, OperationState], int]:
    """How many were done and how many failed on each day (of UTC, counted from 1970) since then."""
    day = sa.cast(sa.extract("epoch", _OPERATIONS.c.settled_at), sa.BigInteger) // 86_400
    query = (
        sa.select(day.label("day"), _OPERATIONS.c.state, sa.func.count())
        .where(
            _of(tenant_id, None),
            _OVER,
            _OPERATIONS.c.settled_at >= since,
        )
        .group_by(sa.text("day"), _OPERATIONS.c.state)
    )
    return {(int(number), OperationState(state)): count for number, state, count in session.execute(query)}


def unfinished(session: Session, tenant_id: int) -> int:
    """How many operations are not settled, counted to a thousand: what the navigation shows."""
    some = sa.select(_OPERATIONS.c.id).where(_of(tenant_id, None), _WAITS).limit(MANY)
    number: int = session.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
    return number


def listed(  # noqa: PLR0913 – what is asked for, by name
    session: Session,
    tenant_id: int,
    kinds: Mapping[Any, Any],
    view: View,
    now: datetime,
    *,
    app_id: int | None = None,
    sku: str = "",
    after: int = 0,
    limit: int = 50,
) -> list[Item]:
    """One page of a view in order of id, from the one behind ``after``; ``sku``: only what waits for a seat of it."""
    where = (*_conditions(tenant_id, app_id, view, now, sku), _OPERATIONS.c.id > after)
    return _items(session, tenant_id, kinds, where, limit)


def of_person(session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_id: int) -> list[Item]:
    """What is under way or waits for one person, and what failed last, newest last."""
    newer = _OPERATIONS.alias()
    last = sa.not_(sa.exists().where(newer.c.account_id == _OPERATIONS.c.account_id, newer.c.id > _OPERATIONS.c.id))
    failed = sa.and_(_OPERATIONS.c.state == OperationState.FAILED.value, last)
    own = sa.select(_ACCOUNTS.c.id).where(_ACCOUNTS.c.tenant_id == tenant_id, _ACCOUNTS.c.user_id == user_id)
    where = (_OPERATIONS.c.account_id.in_(own), sa.or_(_WAITS, failed))
    return _items(session, tenant_id, kinds, where, MANY)


def one(session: Session, tenant_id: int, kinds: Mapping[Any, Any], operation_id: int) -> Item | None:
    """One operation, whatever its state; None when there is none of that number."""
    found = _items(session, tenant_id, kinds, (_OPERATIONS.c.id == operation_id,), 1)
    return found[0] if found else None


def whole(
    session: Session, tenant_id: int, view: View, now: datetime, app_id: int | None = None, sku: str = ""
) -> dict[int, str | None]:
    """A whole view as operation → fingerprint, in order."""
    query = sa.select(_OPERATIONS.c.id, _OPERATIONS.c.fingerprint)
    found = session.execute(query.where(*_conditions(tenant_id, app_id, view, now, sku)))
    # Asked for in order of id, SQLite would walk past all there ever were, only to spare itself sorting a few.
    return {row.id: row.fingerprint for row in sorted(found)}


def seal(view: Mapping[int, str | None]) -> str:
    """Stands for exactly this list, so that an answer to "all" is an answer to what was shown."""
    told = "\n".join(f"{number} {fingerprint or ''}" for number, fingerprint in view.items())
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def resting(session: Session, tenant_id: int, now: datetime) -> list[Resting]:
    """The apps to which nothing goes at this moment, and why."""
    rests = sa.and_(_CONNECTORS.c.rests_until.is_not(None), _CONNECTORS.c.rests_until > now)
    query = sa.select(
        _CONNECTORS.c.id, _CONNECTORS.c.name, _CONNECTORS.c.state, _CONNECTORS.c.rests_until, _CONNECTORS.c.reason
    ).where(_CONNECTORS.c.tenant_id == tenant_id, sa.or_(_CONNECTORS.c.state != "active", rests))
    return [
        Resting(row.id, row.name, "resting" if row.state == "active" else row.state, row.rests_until, row.reason)
        for row in session.execute(query.order_by(_CONNECTORS.c.position, _CONNECTORS.c.id))
    ]


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _of(tenant_id: int, app_id: int | None) -> sa.ColumnElement[bool]:
    """By connector, because that is what the index of unfinished operations begins with."""
    own = sa.select(_CONNECTORS.c.id).where(_CONNECTORS.c.tenant_id == tenant_id)
    return _OPERATIONS.c.connector_id.in_(own if app_id is None else own.where(_CONNECTORS.c.id == app_id))


def _conditions(
    tenant_id: int, app_id: int | None, view: View, now: datetime, sku: str = ""
) -> list[sa.ColumnElement[bool]]:
    state = _STATE_OF[view]
    where = [_of(tenant_id, app_id), _OVER if view == "failed" else _WAITS, stands(_OPERATIONS.c.state, state)]
    where += lacks(sku) if sku else ()
    if view in ASKING:
        where.append(_OPERATIONS.c.asks == (Asks.BRAKE if view == "brake" else Asks.REVIEW).value)
    elif view == "waiting":
        where.append(_OPERATIONS.c.asks.is_(None))
    elif view == "failed":
        # What was tried again since is no longer the person's affair.
        newer = _OPERATIONS.alias()
        again = sa.exists().where(newer.c.account_id == _OPERATIONS.c.account_id, newer.c.id > _OPERATIONS.c.id)
        where += [_OPERATIONS.c.settled_at > now - FAILED_FOR, sa.not_(again)]
    return where


def _view(state: str, asks: str | None) -> View:
    if state == OperationState.PENDING and asks is not None:
        return "brake" if asks == Asks.BRAKE else "review"
    return next((view for view in VIEWS[2:] if _STATE_OF[view] == state), "waiting")


def _items(session: Session, tenant_id: int, kinds: Mapping[Any, Any], where: Iterable[Any], limit: int) -> list[Item]:
    people = ("display_name", "given_name", "surname", "email", "username")
    query = (
        sa.select(
            *(_OPERATIONS.c[name] for name in _READ),
            _ACCOUNTS.c.name.label("sign_in"),
            _CONNECTORS.c.name.label("app"),
            _USERS.c.id.label("user_id"),
            _GROUPS.c.name.label("group"),
            *(_USERS.c[name] for name in people),
        )
        .join(_ACCOUNTS, _ACCOUNTS.c.id == _OPERATIONS.c.account_id)
        .join(_CONNECTORS, _CONNECTORS.c.id == _OPERATIONS.c.connector_id)
        .outerjoin(_USERS, _USERS.c.id == _ACCOUNTS.c.user_id)
        .outerjoin(_GROUPS, _GROUPS.c.id == _ACCOUNTS.c.group_id)
        .where(_OPERATIONS.c.tenant_id == tenant_id, *where)
        .order_by(_OPERATIONS.c.id)
        .limit(limit)
    )
    rows = list(session.execute(query).mappings())
    bosses = _bosses(session, rows)
    labels = _labels(session, rows, kinds)
    return [_item(row, labels.get(row["connector_id"], {}), bosses) for row in rows]


def _labels(session: Session, rows: Sequence[Any], kinds: Mapping[Any, Any]) -> dict[int, dict[str, str]]:
    """By app, what its attributes are called there."""
    apps = {row["connector_id"] for row in rows}
    if not apps:
        return {}
    query = sa.select(_CONNECTORS.c.id, _CONNECTORS.c.kind, _CONNECTORS.c.facts).where(_CONNECTORS.c.id.in_(apps))
    return {
        app: {one.name: one.label or one.name for one in kinds[kind].attributes(facts or {})} | {MEMBERS: "Members"}
        for app, kind, facts in session.execute(query)
        if kind in kinds
    }


def _item(row: Any, labels: Mapping[str, str], bosses: Mapping[tuple[int, str], str]) -> Item:
    blocked = row["state"] == OperationState.BLOCKED
    return Item(
        id=row["id"],
        view=_view(row["state"], row["asks"]),
        kind=OperationKind(row["kind"]),
        state=OperationState(row["state"]),
        user_id=row["user_id"],
        user=shown({**row, "id": row["user_id"]}) if row["user_id"] else row["group"] or row["sign_in"],
        address="" if row["group"] else row["email"] or row["sign_in"],
        group=row["group"] is not None,
        account_id=row["account_id"],
        app_id=row["connector_id"],
        app=row["app"],
        changes=_changes(row, labels, bosses),
        fingerprint=row["fingerprint"],
        error=row["error"],
        attempts=row["attempts"],
        due_at=row["due_at"],
        retries_at=row["lease_until"] if blocked else None,
        sent_at=row["sent_at"],
        settled_at=row["settled_at"],
        request_id=row["request_id"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )


def _changes(row: Any, labels: Mapping[str, str], bosses: Mapping[tuple[int, str], str]) -> tuple[Change, ...]:
    order = {name: number for number, name in enumerate(labels)}
    told = []
    for name, pair in sorted(
        (row["changes"] or {}).items(), key=lambda each: (order.get(each[0], len(order)), each[0])
    ):
        was, becomes = pair
        if name == MANAGER:
            was, becomes = (bosses.get((row["connector_id"], one), one) if one else one for one in (was, becomes))
        told.append(Change(name, labels.get(name, name.removeprefix(f"{LICENCES}.")), was, becomes))
    return tuple(told)


def _bosses(session: Session, rows: Sequence[Any]) -> dict[tuple[int, str], str]:
    """Managers are anchors in what is sent; people read names."""
    anchors = {str(anchor) for row in rows for anchor in (row["changes"] or {}).get(MANAGER, ()) if anchor}
    if not anchors:
        return {}
    query = (
        sa.select(_ACCOUNTS.c.connector_id, _ACCOUNTS.c.anchor, _ACCOUNTS.c.name, _USERS)
        .outerjoin(_USERS, _USERS.c.id == _ACCOUNTS.c.user_id)
        .where(
            _ACCOUNTS.c.connector_id.in_({row["connector_id"] for row in rows}),
            among(session, _ACCOUNTS.c.anchor, anchors),
        )
    )
    return {
        (row["connector_id"], row["anchor"]): shown(row) if row["display_name"] or row["email"] else row["name"]
        for row in session.execute(query).mappings()
    }
