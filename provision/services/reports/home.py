"""What needs a person now, how things stand, and the last thirty days: everything that Home says, in a handful of statements.

Reads only. It judges what asks for attention; what to do about it is the page of the app or the import in question.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Account, Connector, Cycle, User
from provision.core.vocabulary import ConnectorState, CycleState, Feature, Lifecycle, OperationState, Situation
from provision.services import cycles, drift, licences
from provision.services.reports import queue

What = Literal[
    "stopped", "held", "braked", "failed", "trouble", "unsent", "unseated", "blocked", "asked", "unconnected", "disputed",
    "incomplete", "drifted", "missing", "expired", "expires",
]  # fmt: skip
_SOON = timedelta(days=30)
_DAYS = 30
_WORK = ("created", "linked", "updated", "gone")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person: what it is, of which app, how many, and what the words need.

    ``sku``: the licence that is lacking, its name among ``names``.
    """

    what: What
    app_id: int
    app: str
    n: int = 0
    cycle_id: int | None = None
    at: datetime | None = None
    error: Mapping[str, Any] = field(default_factory=dict)
    names: Sequence[str] = ()
    sku: str = ""


@dataclass(frozen=True, slots=True)
class App:
    """How one app stands. ``next_at`` is when the next import is due, None when nothing is scheduled."""

    id: int
    name: str
    state: str
    connected: bool
    linked: int
    situations: Mapping[Situation, int]
    last_state: CycleState | None
    last_at: datetime | None
    next_at: datetime | None
    drifted: int


@dataclass(frozen=True, slots=True)
class Day:
    """The changes of one day: what runs took over, and what was sent."""

    at: datetime
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Home:
    """Everything on the page."""

    needs: tuple[Need, ...]
    apps: tuple[App, ...]
    days: tuple[Day, ...]
    people: int


def home(session: Session, tenant_id: int, now: datetime) -> Home:
    """Look at apps, their latest cycles, their accounts, the people and the runs of the last thirty days."""
    connectors = list(
        session.exec(select(Connector).where(Connector.tenant_id == tenant_id).order_by(col(Connector.position)))
    )
    latest = _latest(session, tenant_id)
    situations = _situations(session, tenant_id)
    disputed = [number for number, found in situations.items() if found.get(Situation.DISPUTED)]
    incomplete = cycles.incomplete(session, tenant_id, disputed)
    here = (col(User.tenant_id) == tenant_id, col(User.lifecycle) != Lifecycle.LEFT)
    people = sa.select(sa.func.count()).select_from(User).where(*here)
    drifted = drift.open_by_app(session, tenant_id)
    waiting = queue.by_app(session, tenant_id, now)
    short = licences.short(session, tenant_id)
    found: list[Need] = []
    for connector in connectors:
        number = connector.id or 0
        held = cycles.held(session, tenant_id, number)
        found += _needs(connector, latest.get(number), held, situations.get(number, {}), incomplete.get(number, 0), now)
        for view, what in _WAITS.items():
            n = waiting.get(number, {}).get(view, 0)
            if view == "blocked":  # what lacks nothing but a seat is told once for each licence
                n -= sum(one.blocked for one in short if one.app_id == number)
            if n > 0:
                found.append(Need(what, number, connector.name, n))
        found += [
            Need("unseated", number, one.app, one.people, names=(one.name,), sku=one.sku)
            for one in short
            if one.app_id == number
        ]
        if number in drifted:
            found.append(Need("drifted", number, connector.name, drifted[number]))
    return Home(
        needs=tuple(sorted(found, key=lambda need: _ORDER.index(need.what))),
        apps=tuple(
            _app(one, latest.get(one.id or 0), situations.get(one.id or 0, {}), drifted.get(one.id or 0, 0))
            for one in connectors
        ),
        days=_days(session, tenant_id, now),
        people=session.execute(people).scalar_one(),
    )


_ORDER: tuple[What, ...] = (
    "stopped", "held", "braked", "expired", "failed", "trouble", "unsent", "unseated", "blocked", "missing", "disputed",
    "incomplete", "drifted", "asked", "unconnected", "expires",
)  # fmt: skip
_WAITS: Mapping[queue.View, What] = {"brake": "braked", "failed": "unsent", "blocked": "blocked", "review": "asked"}
"""What of the queue a person has to look at."""


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _needs(
    connector: Connector,
    cycle: Cycle | None,
    held: Cycle | None,
    situations: Mapping[Situation, int],
    incomplete: int,
    now: datetime,
) -> Iterator[Need]:
    number, app, facts = connector.id or 0, connector.name, connector.facts
    if connector.state == ConnectorState.QUARANTINED:
        yield Need("stopped", number, app, error={"code": connector.reason} if connector.reason else {})
    if connector.facts_at is None:
        yield Need("unconnected", number, app)
    elif trouble := (facts.get("notes") or {}).get("trouble"):
        yield Need("trouble", number, app, error=trouble if isinstance(trouble, Mapping) else {})
    if held is not None:
        accounts = int((held.held or {}).get("accounts") or 0)
        yield Need("held", number, app, accounts, cycle_id=held.id, at=held.ended_at)
    if cycle is not None and cycle.state == CycleState.FAILED:
        yield Need("failed", number, app, cycle_id=cycle.id, at=cycle.ended_at, error=cycle.error or {})
    if disputed := situations.get(Situation.DISPUTED, 0) - incomplete:
        yield Need("disputed", number, app, disputed)
    if incomplete:
        yield Need("incomplete", number, app, incomplete)
    missing = [str(one.get("name")) for one in facts.get("rights") or () if one.get("state") == "missing"]
    if missing:
        yield Need("missing", number, app, len(missing), names=missing)
    expires = _moment(facts.get("secret_expires_at"))
    if expires is not None and expires - now <= _SOON:
        yield Need("expired" if expires <= now else "expires", number, app, max(0, (expires - now).days), at=expires)


def _app(connector: Connector, cycle: Cycle | None, situations: Mapping[Situation, int], drifted: int) -> App:
    due = None
    if connector.features.get(Feature.IMPORT) and connector.every_minutes and connector.state == ConnectorState.ACTIVE:
        due = (cycle.requested_at if cycle else connector.created_at) + timedelta(minutes=connector.every_minutes)
    return App(
        id=connector.id or 0,
        name=connector.name,
        state=connector.state,
        connected=connector.facts_at is not None,
        linked=situations.get(Situation.LINKED, 0),
        situations=situations,
        last_state=CycleState(cycle.state) if cycle else None,
        last_at=(cycle.ended_at or cycle.requested_at) if cycle else None,
        next_at=due,
        drifted=drifted,
    )


def _latest(session: Session, tenant_id: int) -> dict[int, Cycle]:
    """The newest cycle of each connector, by connector."""
    newest = sa.select(sa.func.max(Cycle.id)).where(col(Cycle.tenant_id) == tenant_id).group_by(col(Cycle.connector_id))
    cycles = session.exec(select(Cycle).where(Cycle.tenant_id == tenant_id, col(Cycle.id).in_(newest))).all()
    return {cycle.connector_id: cycle for cycle in cycles}


def _situations(session: Session, tenant_id: int) -> dict[int, dict[Situation, int]]:
    own = sa.select(col(Connector.id)).where(col(Connector.tenant_id) == tenant_id)
    query = (
        sa.select(col(Account.connector_id), col(Account.situation), sa.func.count())
        .where(col(Account.connector_id).in_(own))
        .group_by(col(Account.connector_id), col(Account.situation))
    )
    found: dict[int, dict[Situation, int]] = {}
    for number, situation, count in session.execute(query):
        found.setdefault(number, {})[Situation(situation)] = count
    # Groups are few and people many: taken off afterwards, all is still counted from an index alone.
    for number, situation, count in session.execute(query.where(col(Account.group_id).is_not(None))):
        found[number][Situation(situation)] -= count
    return found


def _days(session: Session, tenant_id: int, now: datetime) -> tuple[Day, ...]:
    """Counted from runs and operations, not from their events, of which there may be a hundred thousand more."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=_DAYS - 1)
    query = sa.select(col(Cycle.ended_at), col(Cycle.state), col(Cycle.counts)).where(
        col(Cycle.tenant_id) == tenant_id, col(Cycle.ended_at) >= first
    )
    done, failed = Counter[int](), Counter[int]()
    for ended, state, counts in session.execute(query):
        day = (ended - first).days
        done[day] += sum(int(counts.get(name) or 0) for name in _WORK)
        failed[day] += int(counts.get("failed") or 0) + (state == CycleState.FAILED)
    begins = int(first.timestamp()) // 86_400
    for (number, ended_as), count in queue.settled(session, tenant_id, first).items():
        (done if ended_as == OperationState.DONE else failed)[number - begins] += count
    return tuple(Day(first + timedelta(days=n), done[n], failed[n]) for n in range(_DAYS))


def _moment(text: Any) -> datetime | None:
    """A time in the facts, which came from outside."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
