"""The Provisioning Report: every change to people and accounts and every import, newest first.

One set of conditions serves the page, its chart, the exports and the command line, so they never disagree. Owns no row.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.deeds import MANAGER_ID, PEOPLE, RUNS, Deed, blanks, changes, deed, label
from provision.core.tables import Connector, Event, EventDetail, RemovedConnector, User
from provision.core.vocabulary import OperationKind, Outcome, key
from provision.services import users
from provision.services.errors import NotFound

_EVENTS: sa.Table = Event.__table__  # type: ignore[attr-defined]
_DETAILS: sa.Table = EventDetail.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_REMOVED: sa.Table = RemovedConnector.__table__  # type: ignore[attr-defined]
_JOINED = _EVENTS.outerjoin(_DETAILS, _DETAILS.c.event_id == _EVENTS.c.id).outerjoin(
    _CONNECTORS, sa.and_(_CONNECTORS.c.id == _EVENTS.c.connector_id, _CONNECTORS.c.tenant_id == _EVENTS.c.tenant_id)
)
_READ = sa.select(
    _EVENTS.c.id,
    _EVENTS.c.at,
    _EVENTS.c.actor,
    _EVENTS.c.action,
    _EVENTS.c.outcome,
    _EVENTS.c.user_id,
    _EVENTS.c.account_id,
    _EVENTS.c.connector_id,
    _EVENTS.c.cycle_id,
    _EVENTS.c.operation_id,
    _EVENTS.c.ms,
    _DETAILS.c.before,
    _DETAILS.c.after,
    _DETAILS.c.names,
    _DETAILS.c.text,
    _CONNECTORS.c.id.label("app_id"),
    sa.func.coalesce(_CONNECTORS.c.name, _REMOVED.c.name).label("app"),
    *(_USERS.c[name].label(f"user_{name}") for name in ("display_name", "given_name", "surname")),
).select_from(
    _JOINED.outerjoin(
        _USERS, sa.and_(_USERS.c.id == _EVENTS.c.user_id, _USERS.c.tenant_id == _EVENTS.c.tenant_id)
    ).outerjoin(_REMOVED, sa.and_(_REMOVED.c.id == _EVENTS.c.connector_id, _REMOVED.c.tenant_id == _EVENTS.c.tenant_id))
)
_AT_ONCE = 500
_STEPS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 24 * 7, 24 * 30))
_MOST_BARS = 48

COLUMNS = ("time", "user", "address", "application", "operation", "status", "message", "actor", "changes")
"""The columns of the exports."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of the report. ``who``: words of a name or address, a person's number, or ``#`` and the number
    for nobody else; times are aware, UTC.

    ``after`` is the place to continue from: (time, number) of the last row shown.
    """

    since: datetime
    until: datetime
    who: str = ""
    app: int | None = None
    result: Outcome | None = None
    after: tuple[datetime, int] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was done. ``user`` and ``app`` are as they were called then; ``text`` holds what else was noted.

    ``app_id``: none when the app was removed since (``gone``), or none was concerned.

    ``people`` are names for the numbers among the values, where a whole export was asked for: ``#`` and number → name.
    """

    id: int
    at: datetime
    user: str
    address: str
    user_id: int | None
    app: str
    app_id: int | None
    action: str
    outcome: Outcome
    actor: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    text: Mapping[str, Any]
    account_id: int | None
    cycle_id: int | None
    operation_id: int | None
    ms: int | None
    people: Mapping[str, str] = field(default_factory=dict)
    gone: bool = False

    @property
    def deed(self) -> Deed:
        """The kind of change and the sentence with blanks; of an answer to an operation, the operation's own kind."""
        found = deed(self.action)
        kind = self.text.get("kind") if self.operation_id is not None else None
        return replace(found, value=str(kind)) if kind in tuple(OperationKind) and found.kind == "change" else found

    @property
    def blanks(self) -> dict[str, str]:
        """What fills the blanks."""
        return blanks({"app": self.app}, self.before, self.after)

    @property
    def message(self) -> str:
        """The sentence, filled."""
        return self.deed.sentence % self.blanks

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Attribute's label, value before, value after; in the order of the profile."""
        manager = label(MANAGER_ID)
        return [
            (name, self.people.get(was, was), self.people.get(now, now)) if name == manager else (name, was, now)
            for name, was, now in changes(self.before, self.after)
        ]


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, and the place of the next (older) one."""

    rows: tuple[Row, ...]
    older: tuple[datetime, int] | None


@dataclass(frozen=True, slots=True)
class Slot:
    """How many ended well and badly in one stretch of time."""

    at: datetime
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The time span in equal steps, empty ones included, and how many there were by outcome."""

    slots: tuple[Slot, ...]
    step: timedelta
    outcomes: Mapping[Outcome, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())


def rows(session: Session, tenant_id: int, wanted: Filter) -> Iterator[Row]:
    """Every row the filter fits, newest first, read in portions of 500."""
    conditions, place = [*_conditions(tenant_id, wanted)], wanted.after
    while True:
        found = _portion(session, conditions, place, _AT_ONCE)
        yield from _with_names(session, tenant_id, [_row(each) for each in found])
        if len(found) < _AT_ONCE:
            return
        place = (found[-1]["at"], found[-1]["id"])


def page(session: Session, tenant_id: int, wanted: Filter, *, limit: int = 50) -> Slice:
    """One page of rows, in one statement."""
    found = _portion(session, [*_conditions(tenant_id, wanted)], wanted.after, limit + 1)
    shown = tuple(_row(each) for each in found[:limit])
    return Slice(shown, (shown[-1].at, shown[-1].id) if len(found) > limit else None)


def row(session: Session, tenant_id: int, event_id: int) -> Row:
    """One row of this tenant's report. Raises NotFound."""
    query = _READ.where(_EVENTS.c.tenant_id == tenant_id, _EVENTS.c.id == event_id, _reported())
    found = session.execute(query).mappings().first()
    if found is None:
        raise NotFound("page_not_found")
    return _row(found)


def summary(session: Session, tenant_id: int, wanted: Filter) -> Summary:
    """The filter's rows counted by time and outcome, in one statement."""
    step = next((s for s in _STEPS if (wanted.until - wanted.since) / s <= _MOST_BARS), _STEPS[-1])
    seconds = int(step.total_seconds())
    slot = sa.cast(sa.extract("epoch", _EVENTS.c.at), sa.BigInteger) // seconds
    source = _JOINED if wanted.who else _EVENTS
    query = (
        sa.select(slot.label("slot"), _EVENTS.c.outcome, sa.func.count())
        .select_from(source)
        .where(*_conditions(tenant_id, wanted))
        .group_by(sa.text("slot"), _EVENTS.c.outcome)
    )
    outcomes, well, badly = dict.fromkeys(Outcome, 0), dict[int, int](), dict[int, int]()
    for number, word, count in session.execute(query):
        outcome, into = Outcome(word), well if word == Outcome.DONE else badly
        outcomes[outcome] += count
        into[int(number)] = into.get(int(number), 0) + count
    first, last = (int(moment.timestamp()) // seconds for moment in (wanted.since, wanted.until))
    numbers = range(max(first, last - 2 * _MOST_BARS), last + 1)
    slots = (Slot(datetime.fromtimestamp(n * seconds, UTC), well.get(n, 0), badly.get(n, 0)) for n in numbers)
    return Summary(tuple(slots), step, outcomes)


def as_cells(each: Row) -> list[Any]:
    """A row as the cells of ``COLUMNS``."""
    changed = "; ".join(f"{name}: {_said(was)} → {_said(now)}" for name, was, now in each.changes)
    at = each.at.isoformat(timespec="seconds")
    told = [at, each.user, each.address, each.app, each.deed.value, each.outcome.value, each.message, each.actor]
    return [*told, changed]


def as_object(each: Row) -> dict[str, Any]:
    """A row as JSON holds it."""
    changed = {name: [was, now] for name, was, now in each.changes}
    return dict(zip(COLUMNS, as_cells(each), strict=True)) | {
        "id": each.id,
        "user_id": each.user_id,
        "action": each.action,
        "changes": changed,
        "cycle_id": each.cycle_id,
    }


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _portion(
    session: Session, conditions: list[sa.ColumnElement[bool]], place: tuple[datetime, int] | None, limit: int
) -> list[Any]:
    query = _READ.where(*conditions).order_by(_EVENTS.c.at.desc(), _EVENTS.c.id.desc()).limit(limit)
    if place is not None:
        at, number = place
        query = query.where(sa.or_(_EVENTS.c.at < at, sa.and_(_EVENTS.c.at == at, _EVENTS.c.id < number)))
    return list(session.execute(query).mappings())


def _conditions(tenant_id: int, wanted: Filter) -> Iterator[sa.ColumnElement[bool]]:
    yield _EVENTS.c.tenant_id == tenant_id
    yield _EVENTS.c.at >= wanted.since
    yield _EVENTS.c.at <= wanted.until
    yield _reported()
    if wanted.app is not None:
        yield _EVENTS.c.connector_id == wanted.app
    if wanted.result is not None:
        yield _EVENTS.c.outcome == wanted.result.value
    if who := wanted.who.replace("\0", "").strip():
        bare = who.removeprefix("#")
        number = int(bare) if bare.isascii() and bare.isdigit() and len(bare) < 19 else None
        words = sa.and_(*(_DETAILS.c.who_key.contains(key(word), autoescape=True) for word in who.split()[:6]))
        exact = _EVENTS.c.user_id == number
        yield words if number is None else exact if who.startswith("#") else sa.or_(words, exact)


def _reported() -> sa.ColumnElement[bool]:
    """Only what happened to people, their accounts, and the runs: who signed in belongs to another report."""
    return sa.or_(*(_EVENTS.c.action.startswith(prefix) for prefix in (*PEOPLE, *RUNS)))


def _called(found: Any, names: Mapping[str, Any]) -> str:
    """As they were called then; who was told of by the address alone is called as they are now."""
    then = str(names.get("user") or "")
    if then != names.get("address") or not then:
        return then
    full = " ".join(part for part in (found["user_given_name"], found["user_surname"]) if part)
    return str(found["user_display_name"] or full or then)


def _row(found: Any) -> Row:
    names = found["names"] or {}
    return Row(
        id=found["id"],
        at=found["at"],
        user=_called(found, names),
        address=str(names.get("address") or ""),
        user_id=found["user_id"],
        app=str(names.get("app") or found["app"] or ""),
        app_id=found["app_id"],
        action=found["action"],
        outcome=Outcome(found["outcome"]),
        actor=found["actor"],
        before=found["before"] or {},
        after=found["after"] or {},
        text=found["text"] or {},
        account_id=found["account_id"],
        cycle_id=found["cycle_id"],
        operation_id=found["operation_id"],
        ms=found["ms"],
        gone=found["connector_id"] is not None and found["app_id"] is None,
    )


def _with_names(session: Session, tenant_id: int, found: list[Row]) -> list[Row]:
    """The same rows with what the managers in them are called now, in one statement."""
    sides = [side for row in found for side in (row.before, row.after)]
    numbers = {number for side in sides if isinstance(number := side.get(MANAGER_ID), int)}
    people = {f"#{number}": name for number, name in users.named(session, tenant_id, numbers).items()}
    return [replace(row, people=people) for row in found] if people else found


def _said(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
