"""Whom people report to, as an app tells it: taken over at the end of a walk, when everybody is known who could be meant;
where an app pushes, at once, and for whoever waited for somebody when that one comes.

Owns that merge, many at a time; what it would take away waits for the brake like everything else that does.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import EXTERNAL_ID, MANAGER
from provision.core.tables import Cycle
from provision.core.vocabulary import CycleKind, Situation, exact
from provision.db import among, moment
from provision.services import events
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.observing import ACCOUNTS, load, store
from provision.services.cycles.people import USERS, Person, update
from provision.services.cycles.people import load as load_people
from provision.services.cycles.taking import Part

CYCLES: sa.Table = Cycle.__table__  # type: ignore[attr-defined]
MANAGER_ID = "manager_id"
_THERE = ACCOUNTS.c.observed[MANAGER].as_string()
_BASE = ACCOUNTS.c.absorbed[MANAGER].as_string()


def bound(frame: Frame, cycle: Cycle) -> tuple[Any, ...]:
    """Which accounts to look at: those whose manager there is not what was last taken over. Empty: none need a look.

    A walk over changes looks only at those it saw, and at the reports of those: a manager may come later than they. Where an
    app pushes there is nothing to walk over; but who is linked only now may be the one that others wait for.
    """
    if not frame.managers or not frame.takes_over:
        return ()
    differs = (
        ACCOUNTS.c.user_id.is_not(None),
        ACCOUNTS.c.situation == Situation.LINKED.value,
        _THERE.is_distinct_from(_BASE),
    )
    if cycle.kind == CycleKind.INITIAL:
        return differs
    if frame.pushes:
        return (*differs, ACCOUNTS.c.superior.is_not(None)) if _news(cycle) else ()
    if not cycle.counts.get("seen"):
        return ()
    began = datetime.fromisoformat(cycle.options["walk_began_at"])
    boss = ACCOUNTS.alias()
    late = sa.select(boss.c.anchor).where(boss.c.connector_id == frame.connector_id, boss.c.observed_at >= began)
    return (*differs, sa.or_(ACCOUNTS.c.observed_at >= began, _THERE.in_(late)))


def bind(session: Session, frame: Frame, numbers: Sequence[int], now: datetime) -> Part:
    """Merge the managers of these accounts: only they moved → theirs; both moved → ours stays and the pair is told."""
    return bind_items(session, frame, load(session, frame, among(session, ACCOUNTS.c.id, numbers), lock=True), now)


def bind_pushed(session: Session, frame: Frame, item: Item, now: datetime, *, arrived: bool) -> Part:
    """The same for somebody who was just pushed in and stored; with who waited for them, if they ``arrived`` just now."""
    if not (frame.managers and frame.takes_over and item.user_id):
        return Part()
    item.fresh = item.seen_anew = item.touched = False
    numbers = _waiting(session, frame, item) if arrived else []
    waiting = load(session, frame, among(session, ACCOUNTS.c.id, numbers), lock=True) if numbers else []
    return bind_items(session, frame, [item, *waiting], now)


def _waiting(session: Session, frame: Frame, item: Item) -> list[int]:
    """The accounts that name this one as a manager whom their people do not have yet; found by their index alone."""
    names = {item.anchor, exact(item.observed.get(EXTERNAL_ID))} - {None}
    query = sa.select(ACCOUNTS.c.id).where(
        ACCOUNTS.c.connector_id == frame.connector_id,
        ACCOUNTS.c.superior.is_not(None),
        among(session, ACCOUNTS.c.superior, names),
        ACCOUNTS.c.id != item.id,
        _THERE.is_distinct_from(_BASE),
    )
    return list(session.scalars(query))


def bind_items(session: Session, frame: Frame, items: Sequence[Item], now: datetime) -> Part:
    """Merge the managers of these items and store them."""
    items = [item for item in items if MANAGER in item.observed]
    if not items:
        return Part()
    people = load_people(session, frame.tenant_id, [item.user_id for item in items if item.user_id], lock=True)
    part = Part()
    anchors = {str(item.observed[MANAGER]) for item in items if item.observed.get(MANAGER)}
    bosses = _holders(session, frame, anchors)
    held = _anchors(
        session, frame, {person.values[MANAGER_ID] for person in people.values() if MANAGER_ID in person.values}
    )
    changed: list[Person] = []
    fresh = _fresh(session, frame, people)
    for item in items:
        person = people.get(item.user_id or 0)
        if person is None or MANAGER not in item.observed:
            continue
        _merge(frame, item, person, bosses, held, part, changed, now)
    # Who was added by this very cycle is told as added, and not as changed besides.
    part.counts["updated"] += sum(person.id not in fresh for person in changed)
    update(session, changed, moment(session, now))
    store(session, frame, items, now)
    return part


def _merge(
    frame: Frame,
    item: Item,
    person: Person,
    bosses: dict[str, int],
    held: dict[int, str],
    part: Part,
    changed: list[Person],
    now: datetime,
) -> None:
    theirs, ours = item.observed[MANAGER], person.values.get(MANAGER_ID)
    boss = bosses.get(theirs) if theirs else None
    if theirs and (boss is None or boss == person.id):
        return  # nobody here yet, or a circle of one
    known, was = MANAGER in item.absorbed, item.absorbed.get(MANAGER)
    moved_here = ours is not None and (not known or held.get(ours) != was) if ours else bool(known and was)
    if boss == ours:
        _keep(item, theirs)
    elif moved_here and not (frame.pushes and boss):
        part.entries.append(_entry(frame, item, person, {}, {}, {"kept": {MANAGER_ID: [ours, boss]}}))
        _keep(item, theirs)
    elif boss is None:
        # Empty there: it is counted with everything else that went empty, and applied or held with it.
        item.withheld = {**(item.withheld or {}), "empties": [*item.empties, MANAGER_ID]}
        item.touched = True
    else:
        person.values[MANAGER_ID] = boss
        person.origins[MANAGER_ID] = [frame.connector_id, now.isoformat(timespec="seconds")]
        changed.append(person)
        part.entries.append(_entry(frame, item, person, {MANAGER_ID: ours}, {MANAGER_ID: boss}, {}))
        _keep(item, theirs)


def _news(cycle: Cycle) -> bool:
    return any(cycle.counts.get(name) for name in ("created", "linked", "updated"))


def _keep(item: Item, theirs: str | None) -> None:
    item.absorbed, item.touched = {**item.absorbed, MANAGER: theirs}, True


def _holders(session: Session, frame: Frame, anchors: set[str]) -> dict[str, int]:
    """Anchor → the person whose linked account it is. An app that pushes may also name its own id, if only one has it."""
    if not anchors:
        return {}
    found = dict(_named(session, frame, ACCOUNTS.c.anchor, anchors))
    if frame.pushes and (left := anchors - found.keys()):
        theirs = {exact(name): name for name in left}
        hits = _named(session, frame, ACCOUNTS.c.external_id, [name for name in theirs if name])
        once = Counter(name for name, _ in hits)
        found |= {theirs[name]: person for name, person in hits if once[name] == 1}
    return found


def _named(session: Session, frame: Frame, column: Any, names: Collection[str]) -> list[tuple[str, int]]:
    query = sa.select(column, ACCOUNTS.c.user_id).where(
        ACCOUNTS.c.connector_id == frame.connector_id,
        column.is_not(None),
        among(session, column, names),
        ACCOUNTS.c.situation == Situation.LINKED.value,
    )
    return [(name, person) for name, person in session.execute(query) if person is not None]


def _fresh(session: Session, frame: Frame, people: Collection[int]) -> set[int]:
    """Those of these people whom this cycle has added."""
    if not (people and frame.cycle_id):
        return set()
    began = sa.select(CYCLES.c.started_at).where(CYCLES.c.id == frame.cycle_id).scalar_subquery()
    query = sa.select(USERS.c.id).where(
        USERS.c.tenant_id == frame.tenant_id, among(session, USERS.c.id, people), USERS.c.created_at >= began
    )
    return set(session.scalars(query))


def _anchors(session: Session, frame: Frame, people: set[int]) -> dict[int, str]:
    """Person → the anchor of their account."""
    if not people:
        return {}
    query = sa.select(ACCOUNTS.c.user_id, ACCOUNTS.c.anchor).where(
        ACCOUNTS.c.connector_id == frame.connector_id, among(session, ACCOUNTS.c.user_id, people)
    )
    return {row.user_id: row.anchor for row in session.execute(query)}


def _entry(
    frame: Frame, item: Item, person: Person, before: dict[str, Any], after: dict[str, Any], text: dict[str, Any]
) -> events.Entry:
    return events.Entry(
        actor=frame.actor,
        action="user.updated" if before or after else "user.kept",
        user_id=person.id,
        account_id=item.id,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id or None,
        before=before,
        after=after,
        names={
            "user": person.shown(item.name), "address": person.values.get("email") or item.name, "app": frame.app,
        },
        text=text,
    )  # fmt: skip
