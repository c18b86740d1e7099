"""The end of a cycle: who vanished and what went empty is counted, braked, and applied together with the watermark.

Owns everything that an import may take away; adds nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.lifecycle import MOVED_BY, when_gone
from provision.core.planning import judge_leaving
from provision.core.ports import ENABLED, MANAGER
from provision.core.tables import Connector, Cycle, Event
from provision.core.vocabulary import CycleState, Ended, Lifecycle, Outcome, Situation, WhenGone
from provision.db import among, for_update, moment
from provision.services import events, links
from provision.services.cycles.following import follow
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.frame import frame as frame_of
from provision.services.cycles.judging import take
from provision.services.cycles.managing import MANAGER_ID
from provision.services.cycles.missing import CHUNK
from provision.services.cycles.observing import ACCOUNTS, SIGHTINGS, load, store
from provision.services.cycles.people import USERS, Person, move, update
from provision.services.cycles.people import load as load_people
from provision.services.cycles.requests import held, show, unfinished
from provision.services.errors import Conflict
from provision.services.present import NO_GROUP, linked

_TAKEN_AWAY = ("account.gone", "user.suspended", "user.left")
_WAITING: tuple[Any, ...] = (
    sa.or_(ACCOUNTS.c.removed.is_not(None), ACCOUNTS.c.withheld.is_not(None)),
    ACCOUNTS.c.situation != Situation.GONE.value,
    NO_GROUP,
)


@dataclass(frozen=True, slots=True)
class Leaving:
    """One account that vanished, or whose values went empty, as the held list shows it."""

    account_id: int
    user_id: int | None
    name: str
    removed: str | None
    empties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Loss:
    """What little of an account the brake must know: there may be very many of them."""

    id: int
    user_id: int | None
    removed: str | None
    empties: tuple[str, ...]
    inactive: bool = False


def end(session: Session, frame: Frame, cycle: Cycle, connector: Connector, now: datetime) -> list[events.Entry]:
    """Finish a cycle whose pages are all in: ask the brake, apply or hold, move the watermark.

    All of it happens in the caller's one transaction; the entries are left for it to append last. A preview takes nothing
    away.
    """
    counts: Counter[str] = Counter(cycle.counts)
    counts["disputed"] = _number(session, frame, ACCOUNTS.c.situation == Situation.DISPUTED.value)
    missing = cycle.options.get("missing")
    session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == frame.cycle_id))
    entries: list[events.Entry] = []
    if frame.takes_over:
        losses = _losses(session, frame)
        reasons = _brake(session, frame, losses, now, expected=int(cycle.options.get("known", 0)), missing=missing)
        if reasons:
            return _hold(session, frame, cycle, counts, losses, reasons, now)
        entries = _apply(session, frame, losses, counts, now)
    _close(session, cycle, connector, counts, now)
    return [*entries, _told(frame, "cycle.done", counts)]


def leaving(session: Session, cycle: Cycle, kinds: Any, *, limit: int | None = None) -> list[Leaving]:
    """The list that a held cycle shows."""
    items = load(session, frame_of(session, cycle, kinds), *_WAITING, limit=limit)
    return [
        Leaving(item.id, item.user_id, item.name, item.removed or ("inactive" if item.inactive else None), item.empties)
        for item in items
    ]


def release(
    session: Session, tenant_id: int, cycle_id: int, actor: str, now: datetime, *, kinds: Any, allow: bool
) -> Cycle:
    """Answer the brake. *Allow* applies exactly the list that was shown, with the watermark; *Reject* drops it.

    The answer counts for the list, not for the run: when a later run was held with the same list, that one is answered.
    After a rejection the next import reads everything anew, since what the source said is not believed. Raises Conflict
    when the list was answered already, has changed since, or is changing under a cycle that runs.
    """
    asked = show(session, tenant_id, cycle_id)
    connector = session.exec(for_update(session, _connector(asked))).one()
    cycle = held(session, tenant_id, asked.connector_id)
    if asked.held is None or cycle is None or cycle.held is None:
        raise Conflict("held_answered")
    if unfinished(session, tenant_id, asked.connector_id) is not None:
        raise Conflict("cycle_under_way", app=connector.name)
    frame = replace(frame_of(session, cycle, kinds), actor=actor)
    losses = _losses(session, frame)
    if not asked.held["fingerprint"] == cycle.held["fingerprint"] == _fingerprint(losses):
        raise Conflict("held_changed")
    counts: Counter[str] = Counter(cycle.counts)
    action = "cycle.allowed" if allow else "cycle.rejected"
    entries: list[events.Entry] = []
    if allow:
        entries = _apply(session, frame, losses, counts, now)
        _close(session, cycle, connector, counts, now)
    else:
        _forgive(session, frame)
        connector.watermark, cycle.state = None, CycleState.STOPPED
    cycle.held = {**cycle.held, "answer": action, "by": actor}
    session.flush()
    told = events.Entry(
        actor=actor, action=action, connector_id=frame.connector_id, cycle_id=frame.cycle_id,
        names={"app": frame.app}, text={"accounts": len(losses)},
    )  # fmt: skip
    follow(session, frame, entries, kinds, now)
    events.append(session, tenant_id, [told, *entries], now)
    return cycle


def _connector(cycle: Cycle) -> Any:
    return select(Connector).where(Connector.tenant_id == cycle.tenant_id, Connector.id == cycle.connector_id)


def _losses(session: Session, frame: Frame) -> list[_Loss]:
    columns = [ACCOUNTS.c[name] for name in ("id", "user_id", "removed", "withheld")]
    query = sa.select(*columns).where(ACCOUNTS.c.connector_id == frame.connector_id, *_WAITING).order_by(ACCOUNTS.c.id)
    return [
        _Loss(
            number,
            user_id,
            removed,
            tuple(withheld.get("empties", ())) if withheld else (),
            bool(withheld and withheld.get("inactive")),
        )
        for number, user_id, removed, withheld in session.execute(query.execution_options(yield_per=5000))
    ]


def _fingerprint(losses: Sequence[_Loss]) -> str:
    told = [(loss.id, loss.removed or ("inactive" if loss.inactive else ""), *loss.empties) for loss in losses]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _brake(
    session: Session,
    frame: Frame,
    losses: Sequence[_Loss],
    now: datetime,
    *,
    expected: int,
    missing: int | None,
) -> list[dict[str, Any]]:
    emptied = Counter(name for loss in losses if loss.removed is None for name in loss.empties)
    verdict = judge_leaving(
        leaving=sum(1 for loss in losses if (loss.removed or loss.inactive) and loss.user_id is not None),
        linked=linked(session, frame.connector_id),
        seen=max(expected - (missing or 0), 0),
        expected=expected,
        complete=missing is not None,
        recent_24h=_recent(session, frame, now),
        emptied=emptied,
        holders=_holders(session, frame, emptied),
        brake=frame.brake,
    )
    return [asdict(reason) for reason in verdict.reasons]


def _hold(
    session: Session,
    frame: Frame,
    cycle: Cycle,
    counts: Counter[str],
    losses: Sequence[_Loss],
    reasons: Sequence[dict[str, Any]],
    now: datetime,
) -> list[events.Entry]:
    cycle.state, cycle.ended_at, cycle.counts = CycleState.HELD, now, dict(counts)
    cycle.held = {"reasons": list(reasons), "accounts": len(losses), "fingerprint": _fingerprint(losses)}
    session.add(cycle)
    return [_told(frame, "cycle.held", counts, outcome=Outcome.HELD, held=cycle.held)]


def _apply(
    session: Session, frame: Frame, losses: Sequence[_Loss], counts: Counter[str], now: datetime
) -> list[events.Entry]:
    entries: list[events.Entry] = []
    for start in range(0, len(losses), CHUNK):
        numbers = [loss.id for loss in losses[start : start + CHUNK]]
        items = load(session, frame, among(session, ACCOUNTS.c.id, numbers), *_WAITING, lock=True)
        entries += _take_away(session, frame, items, counts, now)
    return entries


def _take_away(
    session: Session, frame: Frame, items: Sequence[Item], counts: Counter[str], now: datetime
) -> list[events.Entry]:
    at = moment(session, now)
    theirs = [item.user_id for item in items if item.user_id is not None]
    people = load_people(session, frame.tenant_id, theirs, lock=True)
    moved: list[Person] = []
    changed: list[Person] = []
    entries: list[events.Entry] = []
    for item in items:
        person = people.get(item.user_id) if item.user_id is not None else None
        if item.removed is not None:
            entries += _vanish(frame, item, person, counts, moved, now)
            item.withheld, item.touched = None, True
            continue
        if person is not None and (before := _empty(frame, item, person)):
            counts["updated"] += 1
            changed.append(person)
            entries.append(_entry(frame, item, person, "user.updated", before, dict.fromkeys(before)))
        if item.inactive:
            entries += _move_on(frame, item, person, counts, moved, now)
        item.withheld, item.touched = None, True
    update(session, changed, at)
    move(session, moved, at)
    links.kill(session, frame.tenant_id, [person.id for person in moved], now, why=Ended.AWAY)
    store(session, frame, items, now)
    return entries


def _empty(frame: Frame, item: Item, person: Person) -> dict[str, Any]:
    """Take the values away that are still as the account last held them; what was edited here meanwhile is ours."""
    still = {*take(frame, item, person).emptied, *([MANAGER_ID] if MANAGER_ID in item.empties else [])}
    base = {name: item.absorbed[name] for name in (MANAGER, ENABLED) if name in item.absorbed}
    item.absorbed = {name: item.observed.get(name) for name in frame.inbound.attributes} | base
    if MANAGER_ID in item.empties:
        item.absorbed[MANAGER] = None
    return {name: person.values.pop(name) for name in item.empties if name in still and name in person.values}


def _vanish(
    frame: Frame, item: Item, person: Person | None, counts: Counter[str], moved: list[Person], now: datetime
) -> list[events.Entry]:
    counts["gone"] += 1
    before, item.situation, item.stale = item.situation, Situation.GONE.value, False
    told = _entry(frame, item, person, "account.gone", {"situation": before}, {"situation": item.situation})
    return [told, *_move_on(frame, item, person, counts, moved, now)]


def _move_on(
    frame: Frame, item: Item, person: Person | None, counts: Counter[str], moved: list[Person], now: datetime
) -> list[events.Entry]:
    """Where the person goes whose account is gone, or inactive there, as the app is set."""
    entries: list[events.Entry] = []
    then = when_gone(WhenGone(frame.when_gone), Lifecycle(person.lifecycle)) if person is not None else None
    if person is not None and then is not None:
        was, person.lifecycle = person.lifecycle, then.value
        person.origins[MOVED_BY] = [frame.connector_id, now.isoformat(timespec="seconds")]
        counts["suspended"] += then is Lifecycle.SUSPENDED
        moved.append(person)
        entries.append(_entry(frame, item, person, f"user.{then.value}", {"lifecycle": was}, {"lifecycle": then.value}))
    return entries


def _forgive(session: Session, frame: Frame) -> None:
    """Forget the list. What went empty is judged again by the next import: if it still is, the brake asks again."""
    own = (ACCOUNTS.c.connector_id == frame.connector_id, ACCOUNTS.c.situation != Situation.GONE.value)
    forgotten = sa.update(ACCOUNTS).where(*own)
    session.execute(forgotten.where(ACCOUNTS.c.removed.is_not(None)).values(removed=None))
    session.execute(forgotten.where(ACCOUNTS.c.withheld.is_not(None)).values(withheld=None, stale=True))


def _close(session: Session, cycle: Cycle, connector: Connector, counts: Counter[str], now: datetime) -> None:
    cycle.state, cycle.ended_at, cycle.counts, cycle.error = CycleState.DONE, now, dict(counts), None
    if cycle.options.get("mapping_version") != connector.mapping_version:
        # Saved while this walk was under way: it may not have asked for all that the mapping reads now.
        connector.watermark = None
    elif connector.watermark == cycle.watermark_before:
        connector.watermark = cycle.watermark_after
    session.flush()


def _number(session: Session, frame: Frame, *conditions: Any) -> int:
    query = sa.select(sa.func.count()).where(ACCOUNTS.c.connector_id == frame.connector_id, *conditions)
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
