"""Account rows become people: who is certain is taken over, who is not waits for a person.

Owns the order of judging and the bulk statements on people; the judgements themselves are core's.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.lifecycle import after_import
from provision.core.mapping import Taken, clean
from provision.core.matching import Arrival, Rule, Verdict, resolve_page, situate
from provision.core.vocabulary import Decision, Lifecycle, Situation, key
from provision.db import moment
from provision.services import events
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.observing import ACCOUNTS
from provision.services.cycles.people import USERS, Person, email_holders, insert, load, update

_EMAIL = "email"


@dataclass(slots=True)
class _Case:
    """One account, whom it belongs to, and what taking it over would mean."""

    item: Item
    verdict: Verdict
    person: Person | None = None
    taken: Taken = field(default_factory=Taken)


def absorb(
    session: Session, frame: Frame, items: Sequence[Item], counts: Counter[str], now: datetime
) -> list[events.Entry]:
    """Judge the items, take over what is certain where this cycle may, and return what there is to write down.

    Items are changed in place; the caller stores them. When the cycle only previews, situations are kept and people are
    left alone.
    """
    cases = _judge(session, frame, [item for item in items if item.removed is None])
    entries: list[events.Entry] = []
    creating, changing = [], []
    for case in cases:
        if not _may_take_over(frame, case.item):
            _preview(frame, case)
        elif case.verdict.situation is Situation.UNMATCHED and not _left_alone(frame, case.item):
            creating.append(case)
        elif case.verdict.situation in (Situation.UNLINKED, Situation.LINKED):
            changing.append(case)
        else:
            _set_aside(frame, case, counts, entries)
    _create(session, frame, creating, counts, entries, now)
    _change(session, frame, changing, counts, entries, now)
    return entries


def _judge(session: Session, frame: Frame, items: Sequence[Item]) -> list[_Case]:
    verdicts = _situations(session, frame, items)
    people = load(session, frame.tenant_id, [v.user_id for v in verdicts if v.user_id is not None])
    cases = [_case(frame, item, verdict, people) for item, verdict in zip(items, verdicts, strict=True)]
    arrivals = [Arrival(case.verdict, _unique(case)) for case in cases]
    held = email_holders(session, frame.tenant_id, [a.unique[_EMAIL] for a in arrivals if _EMAIL in a.unique])
    final = resolve_page(arrivals, {(_EMAIL, address): person for address, person in held.items()})
    for case, verdict in zip(cases, final, strict=True):
        case.verdict = verdict
    return cases


def _situations(session: Session, frame: Frame, items: Sequence[Item]) -> list[Verdict]:
    loose = [item for item in items if item.user_id is None and item.situation != Situation.IGNORED]
    found = _found(session, frame, loose)
    chosen = {item.verdict["user_id"] for item in loose if item.verdict.get("user_id")}
    people = {person for hits in found.values() for _, ids in hits for person in ids} | chosen
    taken = _taken(session, frame, people)
    return [_verdict(item, found.get(id(item), ()), taken) for item in items]


def _verdict(item: Item, found: Sequence[tuple[Rule, Sequence[int]]], taken: Mapping[int, int]) -> Verdict:
    decided = item.verdict.get("decision")
    if item.user_id is None and decided == Decision.NEW:
        return Verdict(Situation.UNMATCHED, reason="decided")
    if item.user_id is None and decided == Decision.EXISTING:
        person = item.verdict["user_id"]
        if taken.get(person, item.id) == item.id:
            return Verdict(Situation.UNLINKED, person, candidates=(person,), reason="decided")
    return situate(
        linked=item.user_id,
        ignored=item.situation == Situation.IGNORED,
        found=found,
        taken=lambda person: taken.get(person, item.id) != item.id,
    )


def _found(session: Session, frame: Frame, items: Sequence[Item]) -> dict[int, list[tuple[Rule, Sequence[int]]]]:
    """For each loose account, per rule, everyone here who has its value. One query per rule."""
    hits: dict[int, list[tuple[Rule, Sequence[int]]]] = defaultdict(list)
    for rule in frame.rules:
        column = USERS.c.email_key if rule.ours == _EMAIL else USERS.c.get(rule.ours)
        if column is None:
            continue
        wanted = {id(item): _compared(rule, item) for item in items}
        values = {value for value in wanted.values() if value}
        if not values:
            continue
        query = sa.select(column, USERS.c.id).where(
            USERS.c.tenant_id == frame.tenant_id, column.in_(values), USERS.c.lifecycle != Lifecycle.LEFT.value
        )
        holders: dict[str, list[int]] = defaultdict(list)
        for value, person in session.execute(query):
            holders[value].append(person)
        for item in items:
            if (value := wanted[id(item)]) and value in holders:
                hits[id(item)].append((rule, holders[value]))
    return hits


def _compared(rule: Rule, item: Item) -> str:
    value = clean(item.observed.get(rule.theirs)) or ""
    return key(value) if rule.ours == _EMAIL else value


def _taken(session: Session, frame: Frame, people: set[int]) -> dict[int, int]:
    if not people:
        return {}
    query = sa.select(ACCOUNTS.c.user_id, ACCOUNTS.c.id).where(
        ACCOUNTS.c.connector_id == frame.connector_id, ACCOUNTS.c.user_id.in_(people)
    )
    return {row.user_id: row.id for row in session.execute(query)}


def _case(frame: Frame, item: Item, verdict: Verdict, people: Mapping[int, Person]) -> _Case:
    if verdict.situation is Situation.UNMATCHED:
        return _Case(item, verdict, None, frame.inbound.take(item.observed, {}, None, creating=True))
    person = people.get(verdict.user_id) if verdict.user_id is not None else None
    if person is None:
        return _Case(item, verdict)
    base = item.absorbed if item.user_id is not None and item.absorbed else None
    return _Case(item, verdict, person, frame.inbound.take(item.observed, person.values, base, creating=False))


def _unique(case: _Case) -> dict[str, str]:
    address = key(case.taken.values.get(_EMAIL))
    return {_EMAIL: address} if address else {}


def _may_take_over(frame: Frame, item: Item) -> bool:
    return frame.takes_over or (frame.chosen is not None and item.id in frame.chosen)


def _left_alone(frame: Frame, item: Item) -> bool:
    return frame.leaves_guests and bool(item.standing.get("guest"))


def _preview(frame: Frame, case: _Case) -> None:
    if case.verdict.situation is Situation.LINKED and not case.taken and not case.taken.kept:
        _settle(frame, case.item, case.verdict)
        return
    _situation(case.item, case.verdict)


def _set_aside(frame: Frame, case: _Case, counts: Counter[str], entries: list[events.Entry]) -> None:
    """Disputed, ignored, or a guest that this app leaves alone: nothing is guessed and nobody is changed."""
    if case.verdict.situation is Situation.DISPUTED:
        counts["disputed"] += 1
        if _situation(case.item, case.verdict):
            entries.append(_entry(frame, case, "account.disputed"))
        return
    counts["left_alone"] += 1
    _situation(case.item, case.verdict)
    if case.item.stale:
        case.item.stale, case.item.touched = False, True


def _create(
    session: Session,
    frame: Frame,
    cases: Sequence[_Case],
    counts: Counter[str],
    entries: list[events.Entry],
    now: datetime,
) -> None:
    people = [
        Person(0, after_import(case.item.enabled).value, 0, dict(case.taken.values), _origins(frame, case, now))
        for case in cases
    ]
    insert(session, frame.tenant_id, people, [case.item.name for case in cases], moment(session, now))
    for case, person in zip(cases, people, strict=True):
        case.person = person
        _settle(frame, case.item, Verdict(Situation.LINKED, person.id, reason="created"))
        counts["created"] += 1
        counts["suspended"] += person.lifecycle == Lifecycle.SUSPENDED
        entries.append(_entry(frame, case, "user.created", after={**case.taken.values, "lifecycle": person.lifecycle}))


def _change(
    session: Session,
    frame: Frame,
    cases: Sequence[_Case],
    counts: Counter[str],
    entries: list[events.Entry],
    now: datetime,
) -> None:
    changed = []
    for case in cases:
        adopting = case.item.user_id is None
        counts["linked" if adopting else "updated" if case.taken else "unchanged"] += 1
        if case.item.situation == Situation.GONE:
            entries.append(_entry(frame, case, "account.returned"))
        if adopting:
            entries.append(_entry(frame, case, "account.linked"))
        _settle(frame, case.item, case.verdict)
        case.item.withheld = {"empties": list(case.taken.emptied)} if case.taken.emptied else None
        if case.person is None or not (case.taken.values or case.taken.kept):
            continue
        before = {name: case.person.values.get(name) for name in case.taken.values}
        conflicts = {name: list(pair) for name, pair in case.taken.kept.items()}
        if case.taken.values:
            case.person.values.update(case.taken.values)
            case.person.origins.update(_origins(frame, case, now))
            changed.append(case.person)
        text = {"kept": conflicts} if conflicts else {}
        entries.append(_entry(frame, case, "user.updated", before=before, after=case.taken.values, text=text))
    update(session, changed, moment(session, now))


def _settle(frame: Frame, item: Item, verdict: Verdict) -> None:
    item.user_id, item.situation, item.verdict = verdict.user_id, Situation.LINKED.value, _kept(verdict)
    item.absorbed = {name: item.observed.get(name) for name in frame.inbound.attributes}
    item.stale, item.touched = False, True


def _situation(item: Item, verdict: Verdict) -> bool:
    """Note what an unabsorbed account is; tells whether that is news."""
    told = _kept(verdict)
    decision: dict[str, Any] = {name: item.verdict[name] for name in ("decision", "user_id") if name in item.verdict}
    told = {**told, **decision}
    if item.situation == verdict.situation.value and item.verdict == told:
        return False
    item.situation, item.verdict, item.touched = verdict.situation.value, told, True
    return True


def _kept(verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {"reason": verdict.reason}
    if verdict.rule is not None:
        told["rule"] = [verdict.rule.ours, verdict.rule.theirs]
    if verdict.candidates:
        told["candidates"] = list(verdict.candidates)
    return told


def _origins(frame: Frame, case: _Case, now: datetime) -> dict[str, Any]:
    at = now.isoformat(timespec="seconds")
    return {name: [frame.connector_id, at] for name in case.taken.values}


def _entry(
    frame: Frame,
    case: _Case,
    action: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    text: Mapping[str, Any] | None = None,
) -> events.Entry:
    person = case.person
    user_id = person.id if person is not None else case.verdict.user_id
    address = (person.values.get(_EMAIL) if person else None) or case.item.name
    name = person.shown(case.item.name) if person else str(case.item.observed.get("displayName") or case.item.name)
    return events.Entry(
        actor=frame.actor,
        action=action,
        user_id=user_id,
        account_id=case.item.id or None,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        before=before or {},
        after=after or {},
        names={"user": name, "address": address, "app": frame.app},
        text=text or {},
    )
