"""The end of a cycle: who vanished and what went empty is counted, braked, and applied together with the watermark.

Owns everything that an import may take away; adds nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.lifecycle import when_gone
from provision.core.planning import judge_leaving
from provision.core.tables import Connector, Cycle, Event
from provision.core.vocabulary import CycleKind, CycleState, Lifecycle, Outcome, Situation, WhenGone
from provision.db import moment
from provision.services import events
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.frame import frame as frame_of
from provision.services.cycles.observing import ACCOUNTS, SIGHTINGS, load, sighted, store
from provision.services.cycles.people import USERS, Person, move, update
from provision.services.cycles.people import load as load_people
from provision.services.cycles.requests import latest, show
from provision.services.errors import Conflict

_TAKEN_AWAY = ("account.gone", "user.suspended", "user.left")
_PRESENT: tuple[Any, ...] = (ACCOUNTS.c.situation != Situation.GONE.value, ACCOUNTS.c.anchor.is_not(None))


@dataclass(frozen=True, slots=True)
class Leaving:
    """One account that vanished, or whose values went empty, as the held list shows it."""

    account_id: int
    user_id: int | None
    name: str
    removed: str | None
    empties: tuple[str, ...]


@dataclass(slots=True)
class _Losses:
    items: list[Item]
    people: dict[int, Person]

    @property
    def gone(self) -> list[Item]:
        return [item for item in self.items if item.removed is not None]

    @property
    def emptied(self) -> Counter[str]:
        return Counter(name for item in self.items for name in _empties(item))

    @property
    def fingerprint(self) -> str:
        told = sorted((item.id, item.removed or "", *_empties(item)) for item in self.items)
        return hashlib.sha256(repr(told).encode()).hexdigest()


def end(session: Session, frame: Frame, cycle: Cycle, connector: Connector, now: datetime) -> list[events.Entry]:
    """Finish a cycle whose pages are all in: mark absences, ask the brake, apply or hold, move the watermark.

    All of it happens in the caller's one transaction; the entries are left for it to append last. A preview marks who is
    missing and takes nothing away.
    """
    counts: Counter[str] = Counter(cycle.counts)
    complete = cycle.kind == CycleKind.INITIAL and not cycle.options.get("first")
    expected = _present(session, frame) - counts["created"] if complete else 0
    missing = _mark_absent(session, frame) if complete else 0
    session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == frame.cycle_id))
    entries: list[events.Entry] = []
    if frame.takes_over:
        losses = _losses(session, frame)
        verdict = judge_leaving(
            leaving=sum(1 for item in losses.gone if item.user_id is not None),
            linked=_linked(session, frame),
            seen=expected - missing,
            expected=expected,
            complete=complete,
            recent_24h=_recent(session, frame, now),
            emptied=losses.emptied,
            holders=_holders(session, frame, losses.emptied),
        )
        if verdict.held:
            return _hold(session, frame, cycle, counts, losses, [asdict(reason) for reason in verdict.reasons], now)
        entries = _apply(session, frame, losses, counts, now)
    _close(session, cycle, connector, counts, now)
    return [*entries, _told(frame, "cycle.done", counts)]


def leaving(session: Session, cycle: Cycle, kinds: Any, *, limit: int | None = None) -> list[Leaving]:
    """The list that a held cycle shows."""
    items = _losses(session, frame_of(session, cycle, kinds), limit=limit).items
    return [Leaving(item.id, item.user_id, item.name, item.removed, _empties(item)) for item in items]


def release(
    session: Session, tenant_id: int, cycle_id: int, actor: str, now: datetime, *, kinds: Any, allow: bool
) -> Cycle:
    """Answer the brake. *Allow* applies exactly the list that was shown, with the watermark; *Reject* drops it.

    After a rejection the next import reads everything anew, since what the source said is not believed. Raises Conflict
    when the cycle is no longer the latest, was answered already, or the list has changed since.
    """
    cycle = show(session, tenant_id, cycle_id)
    newest = latest(session, tenant_id, cycle.connector_id)
    if cycle.state != CycleState.HELD or cycle.held is None or newest is None or newest.id != cycle.id:
        raise Conflict("held_answered")
    connector = session.exec(_connector(cycle)).one()
    frame = frame_of(session, cycle, kinds)
    losses = _losses(session, frame)
    if losses.fingerprint != cycle.held["fingerprint"]:
        raise Conflict("held_changed")
    counts: Counter[str] = Counter(cycle.counts)
    action = "cycle.allowed" if allow else "cycle.rejected"
    if allow:
        entries = _apply(session, frame, losses, counts, now)
        _close(session, cycle, connector, counts, now)
    else:
        entries = []
        _forgive(session, frame, losses, now)
        connector.watermark = None
        cycle.state = CycleState.STOPPED
        session.add(connector)
    cycle.held = {**cycle.held, "answer": action, "by": actor}
    session.add(cycle)
    told = events.Entry(
        actor=actor, action=action, connector_id=frame.connector_id, cycle_id=frame.cycle_id,
        names={"app": frame.app}, text={"accounts": len(losses.items)},
    )  # fmt: skip
    events.append(session, tenant_id, [told, *entries], now)
    return cycle


def _connector(cycle: Cycle) -> Any:
    return select(Connector).where(Connector.tenant_id == cycle.tenant_id, Connector.id == cycle.connector_id)


def _mark_absent(session: Session, frame: Frame) -> int:
    """Mark every account that the full walk did not see; return how many are missing, marked before or now."""
    parts = session.scalars(sa.select(SIGHTINGS.c.digests).where(SIGHTINGS.c.cycle_id == frame.cycle_id))
    seen = {part[start : start + 8] for part in parts for start in range(0, len(part), 8)}
    query = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.anchor, ACCOUNTS.c.removed).where(
        ACCOUNTS.c.connector_id == frame.connector_id, *_PRESENT
    )
    absent = [row for row in session.execute(query) if sighted(row.anchor) not in seen]
    unmarked = [row.id for row in absent if row.removed is None]
    for start in range(0, len(unmarked), 5000):
        session.execute(
            sa.update(ACCOUNTS).where(ACCOUNTS.c.id.in_(unmarked[start : start + 5000])).values(removed="absent")
        )
    return len(absent)


def _losses(session: Session, frame: Frame, *, limit: int | None = None) -> _Losses:
    waiting = sa.or_(ACCOUNTS.c.removed.is_not(None), ACCOUNTS.c.withheld.is_not(None))
    items = load(session, frame, waiting, ACCOUNTS.c.situation != Situation.GONE.value, limit=limit)
    return _Losses(items, load_people(session, frame.tenant_id, [i.user_id for i in items if i.user_id is not None]))


def _hold(
    session: Session,
    frame: Frame,
    cycle: Cycle,
    counts: Counter[str],
    losses: _Losses,
    reasons: Sequence[dict[str, Any]],
    now: datetime,
) -> list[events.Entry]:
    cycle.state, cycle.ended_at, cycle.counts = CycleState.HELD, now, dict(counts)
    cycle.held = {"reasons": list(reasons), "accounts": len(losses.items), "fingerprint": losses.fingerprint}
    session.add(cycle)
    return [_told(frame, "cycle.held", counts, outcome=Outcome.HELD, held=cycle.held)]


def _apply(session: Session, frame: Frame, losses: _Losses, counts: Counter[str], now: datetime) -> list[events.Entry]:
    at = moment(session, now)
    moved: list[Person] = []
    changed: list[Person] = []
    entries: list[events.Entry] = []
    for item in losses.items:
        person = losses.people.get(item.user_id) if item.user_id is not None else None
        if item.removed is not None:
            entries += _vanish(frame, item, person, counts, moved)
        elif person is not None:
            before = {name: person.values.pop(name) for name in _empties(item) if person.values.get(name) is not None}
            counts["updated"] += 1
            changed.append(person)
            entries.append(_entry(frame, item, person, "user.updated", before, dict.fromkeys(before)))
        item.withheld, item.touched = None, True
    update(session, changed, at)
    move(session, moved, at)
    store(session, frame, losses.items, now)
    return entries


def _vanish(
    frame: Frame, item: Item, person: Person | None, counts: Counter[str], moved: list[Person]
) -> list[events.Entry]:
    counts["gone"] += 1
    before, item.situation, item.stale = item.situation, Situation.GONE.value, False
    entries = [_entry(frame, item, person, "account.gone", {"situation": before}, {"situation": item.situation})]
    then = when_gone(WhenGone(frame.when_gone), Lifecycle(person.lifecycle)) if person is not None else None
    if person is not None and then is not None:
        was, person.lifecycle = person.lifecycle, then.value
        counts["suspended"] += then is Lifecycle.SUSPENDED
        moved.append(person)
        entries.append(_entry(frame, item, person, f"user.{then.value}", {"lifecycle": was}, {"lifecycle": then.value}))
    return entries


def _forgive(session: Session, frame: Frame, losses: _Losses, now: datetime) -> None:
    for item in losses.items:
        item.removed, item.withheld, item.touched = None, None, True
    store(session, frame, losses.items, now)


def _close(session: Session, cycle: Cycle, connector: Connector, counts: Counter[str], now: datetime) -> None:
    cycle.state, cycle.ended_at, cycle.counts = CycleState.DONE, now, dict(counts)
    connector.watermark = cycle.watermark_after
    session.add(cycle)
    session.add(connector)


def _present(session: Session, frame: Frame) -> int:
    query = sa.select(sa.func.count()).where(ACCOUNTS.c.connector_id == frame.connector_id, *_PRESENT)
    return session.scalar(query) or 0


def _linked(session: Session, frame: Frame) -> int:
    query = sa.select(sa.func.count()).where(
        ACCOUNTS.c.connector_id == frame.connector_id, ACCOUNTS.c.situation == Situation.LINKED.value
    )
    return session.scalar(query) or 0


def _recent(session: Session, frame: Frame, now: datetime) -> int:
    """How many accounts of this app were taken away in the last 24 hours: the brake on a slow leak."""
    table = Event.__table__  # type: ignore[attr-defined]
    query = sa.select(sa.func.count(sa.distinct(table.c.account_id))).where(
        table.c.tenant_id == frame.tenant_id,
        table.c.at > now - timedelta(hours=24),
        table.c.connector_id == frame.connector_id,
        table.c.action.in_(_TAKEN_AWAY),
        table.c.user_id.is_not(None),
    )
    return session.scalar(query) or 0


def _holders(session: Session, frame: Frame, emptied: Counter[str]) -> dict[str, int]:
    """Per attribute, how many people linked here have a value. Custom attributes count everybody: the brake errs to ask."""
    if not emptied:
        return {}
    columns = [sa.func.count(USERS.c.get(name, USERS.c.id)).label(name.replace(".", "_")) for name in emptied]
    query = (
        sa.select(*columns)
        .select_from(USERS)
        .where(
            USERS.c.tenant_id == frame.tenant_id,
            USERS.c.id.in_(
                sa.select(ACCOUNTS.c.user_id).where(
                    ACCOUNTS.c.connector_id == frame.connector_id, ACCOUNTS.c.situation == Situation.LINKED.value
                )
            ),
        )
    )
    return dict(zip(emptied, session.execute(query).one(), strict=True))


def _empties(item: Item) -> tuple[str, ...]:
    return tuple(item.withheld["empties"]) if item.withheld else ()


def _entry(
    frame: Frame, item: Item, person: Person | None, action: str, before: dict[str, Any], after: dict[str, Any]
) -> events.Entry:
    shown = person.shown(item.name) if person else item.name
    address = person.values.get("email") if person else None
    return events.Entry(
        actor=frame.actor,
        action=action,
        user_id=item.user_id,
        account_id=item.id,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        before=before,
        after=after,
        names={"user": shown, "address": address or item.name, "app": frame.app},
        text={"removed": item.removed} if item.removed else {},
    )


def _told(
    frame: Frame, action: str, counts: Counter[str], *, outcome: Outcome = Outcome.DONE, **text: Any
) -> events.Entry:
    return events.Entry(
        actor=frame.actor,
        action=action,
        outcome=outcome,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        names={"app": frame.app},
        text={"counts": dict(counts), **text},
    )
