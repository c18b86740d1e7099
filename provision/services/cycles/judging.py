"""Whom each account of a batch belongs to: the questions to the tables, and core's verdicts on the answers.

Owns what a verdict is based on; changes nothing and nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.mapping import Taken, clean
from provision.core.matching import Arrival, Rule, Verdict, resolve_page, situate
from provision.core.vocabulary import Decision, Lifecycle, Situation, key
from provision.db import among
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.observing import ACCOUNTS
from provision.services.cycles.people import USERS, Person, email_holders, load

_EMAIL = "email"
_EXTRA = "extra."
_RIVALS = "rivals"
INCOMPLETE = "incomplete"
"""The reason of an account that would be somebody new without what nobody is added without."""
AWAITED = "awaited"
"""The reason of an account that may be the one whose creation got no answer: whoever looks that up decides about it."""
_Hits = Mapping[int, Sequence[tuple[Rule, Sequence[int]]]]


@dataclass(slots=True)
class Case:
    """One account, whom it belongs to, and what taking it over would mean."""

    item: Item
    verdict: Verdict
    person: Person | None = None
    taken: Taken = field(default_factory=Taken)


def judge(session: Session, frame: Frame, items: Sequence[Item], suitors: Mapping[int, int] | None) -> list[Case]:
    """One case per item, in their order. ``suitors``: person → how many accounts of this app fit them, if that is known."""
    if not items:
        return []
    verdicts = _situations(session, frame, items)
    theirs = {verdict.user_id for verdict in verdicts if verdict.user_id is not None}
    people = load(session, frame.tenant_id, theirs, lock=frame.takes_over or frame.chosen is not None)
    cases = [_case(frame, item, verdict, people) for item, verdict in zip(items, verdicts, strict=True)]
    arrivals = [Arrival(case.verdict, _claims(frame, case)) for case in cases]
    held = email_holders(session, frame.tenant_id, [a.unique[_EMAIL] for a in arrivals if _EMAIL in a.unique])
    final = resolve_page(arrivals, {(_EMAIL, address): person for address, person in held.items()})
    for case, verdict in zip(cases, final, strict=True):
        case.verdict = _complete(frame, case, _among_all(case.item, verdict, suitors))
    return cases


def adoptable() -> Any:
    """The condition for accounts that fit exactly one person who was here before, or would if they were alone."""
    return sa.and_(
        ACCOUNTS.c.user_id.is_(None),
        ACCOUNTS.c.removed.is_(None),
        sa.or_(
            ACCOUNTS.c.situation == Situation.UNLINKED.value,
            sa.and_(
                ACCOUNTS.c.situation == Situation.DISPUTED.value,
                ACCOUNTS.c.verdict["reason"].as_string() == _RIVALS,
            ),
        ),
    )


def incomplete(session: Session, tenant_id: int, apps: Collection[int]) -> dict[int, int]:
    """App → how many of its accounts wait because what nobody is added without is missing from them."""
    if not apps:
        return {}
    query = sa.select(ACCOUNTS.c.connector_id, sa.func.count()).where(
        ACCOUNTS.c.tenant_id == tenant_id,
        among(session, ACCOUNTS.c.connector_id, apps),
        ACCOUNTS.c.situation == Situation.DISPUTED.value,
        ACCOUNTS.c.verdict["reason"].as_string() == INCOMPLETE,
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(ACCOUNTS.c.connector_id))}


def waiting_suitors(session: Session, frame: Frame) -> Counter[int]:
    """Per person, how many accounts of this app fit them."""
    query = sa.select(ACCOUNTS.c.verdict).where(ACCOUNTS.c.connector_id == frame.connector_id, adoptable())
    return Counter(verdict["candidates"][0] for verdict in session.scalars(query) if verdict.get("candidates"))


def take(frame: Frame, item: Item, person: Person) -> Taken:
    """What an account means for its person, without what an app that stands before this one has brought.

    Where a person accepts some of it, it means just that.
    """
    if (accepted := frame.accepting.get(item.id)) is not None:
        return frame.inbound.accept(item.observed, person.values, accepted)
    taken = frame.inbound.take(item.observed, person.values, item.base, creating=False)
    if not frame.outranked:
        return taken
    lost = {name for name, first in frame.outranked.items() if person.origins.get(name, (0,))[0] in first}
    return Taken(
        {name: value for name, value in taken.values.items() if name not in lost},
        tuple(name for name in taken.emptied if name not in lost),
        {name: pair for name, pair in taken.kept.items() if name not in lost},
    )


def _situations(session: Session, frame: Frame, items: Sequence[Item]) -> list[Verdict]:
    loose = [item for item in items if item.user_id is None]
    found = _found(session, frame, loose)
    people = {person for hits in found.values() for _, ids in hits for person in ids}
    chosen = {item.verdict["user_id"] for item in loose if item.verdict.get("decision") == Decision.EXISTING}
    taken = _taken(session, frame, people | chosen)
    living, awaited = _living(session, frame, chosen), _awaited(session, frame, loose)
    return [
        Verdict(Situation.UNMATCHED, reason=AWAITED)
        if item.user_id is None and item.name in awaited
        else _verdict(frame, item, found, taken, living)
        for item in items
    ]


def _verdict(frame: Frame, item: Item, found: _Hits, taken: Mapping[int, int], living: set[int]) -> Verdict:
    def is_taken(person: int) -> bool:
        return taken.get(person, item.id) != item.id or frame.promised.get(person, item.id) != item.id

    decided = item.verdict.get("decision") if item.user_id is None else None
    if decided == Decision.NEW:
        return Verdict(Situation.UNMATCHED, reason="decided")
    if decided == Decision.EXISTING:
        person = item.verdict["user_id"]
        if person in living and not is_taken(person):
            return Verdict(Situation.UNLINKED, person, candidates=(person,), reason="decided")
    ignored = item.situation == Situation.IGNORED or decided == Decision.IGNORE
    return situate(linked=item.user_id, ignored=ignored, found=found.get(id(item), ()), taken=is_taken)


def _complete(frame: Frame, case: Case, verdict: Verdict) -> Verdict:
    """Nobody is added by a row whose required cells are empty or could not be kept; it waits until it is mended."""
    if verdict.situation is not Situation.UNMATCHED or verdict.reason in ("decided", AWAITED):
        return verdict
    lacks = any(not case.taken.values.get(name) for name in frame.required)
    return Verdict(Situation.DISPUTED, reason=INCOMPLETE) if lacks else verdict


def _among_all(item: Item, verdict: Verdict, suitors: Mapping[int, int] | None) -> Verdict:
    """Look beyond the batch: an account with a rival elsewhere stays disputed until the rival is gone."""
    if verdict.situation is not Situation.UNLINKED or verdict.reason == "decided":
        return verdict
    if suitors is None:
        stays = item.situation == Situation.DISPUTED and item.verdict.get("reason") == _RIVALS
        stays = stays and item.verdict.get("candidates") == list(verdict.candidates)
    else:
        stays = suitors.get(verdict.user_id or 0, 0) > 1
    return replace(verdict, situation=Situation.DISPUTED, user_id=None, reason=_RIVALS) if stays else verdict


def _found(session: Session, frame: Frame, items: Sequence[Item]) -> _Hits:
    """For each loose account, per rule, everyone here who has its value. One query per rule."""
    hits: dict[int, list[tuple[Rule, Sequence[int]]]] = defaultdict(list)
    for rule in frame.rules:
        wanted = {id(item): _compared(rule, item) for item in items}
        values = {value for value in wanted.values() if value}
        if not values:
            continue
        column = _column(rule.ours)
        query = sa.select(column, USERS.c.id).where(
            USERS.c.tenant_id == frame.tenant_id,
            among(session, column, values),
            USERS.c.lifecycle != Lifecycle.LEFT.value,
        )
        holders: dict[str, list[int]] = defaultdict(list)
        for value, person in session.execute(query):
            holders[value].append(person)
        for item in items if holders else ():
            if (value := wanted[id(item)]) in holders:
                hits[id(item)].append((rule, holders[value]))
    return hits


def _column(ours: str) -> Any:
    if ours.startswith(_EXTRA):
        return USERS.c.extra[ours.removeprefix(_EXTRA)].as_string()
    return USERS.c.email_key if ours == _EMAIL else USERS.c[ours]


def _compared(rule: Rule, item: Item) -> str:
    value = clean(item.observed.get(rule.theirs)) or ""
    return key(value) if rule.ours == _EMAIL else value


def _taken(session: Session, frame: Frame, people: set[int]) -> dict[int, int]:
    if not people:
        return {}
    query = sa.select(ACCOUNTS.c.user_id, ACCOUNTS.c.id).where(
        ACCOUNTS.c.connector_id == frame.connector_id, among(session, ACCOUNTS.c.user_id, people)
    )
    return {row.user_id: row.id for row in session.execute(query)}


def _awaited(session: Session, frame: Frame, items: Sequence[Item]) -> set[str]:
    """The sign-in names under which something was sent to be created and nobody knows yet what became of it."""
    names = {item.name for item in items if item.name}
    if not names:
        return set()
    query = sa.select(ACCOUNTS.c.name, ACCOUNTS.c.intent).where(
        ACCOUNTS.c.connector_id == frame.connector_id,
        among(session, ACCOUNTS.c.name, names),
        ACCOUNTS.c.anchor.is_(None),
        ACCOUNTS.c.sent_at.is_not(None),
    )
    return {row.name for row in session.execute(query) if "sent" in row.intent}


def _living(session: Session, frame: Frame, people: set[int]) -> set[int]:
    if not people:
        return set()
    query = sa.select(USERS.c.id).where(
        USERS.c.tenant_id == frame.tenant_id,
        among(session, USERS.c.id, people),
        USERS.c.lifecycle != Lifecycle.LEFT.value,
    )
    return set(session.scalars(query))


def _case(frame: Frame, item: Item, verdict: Verdict, people: Mapping[int, Person]) -> Case:
    if verdict.situation is Situation.UNMATCHED:
        return Case(item, verdict, None, frame.inbound.take(item.observed, {}, None, creating=True))
    person = people.get(verdict.user_id) if verdict.user_id is not None else None
    return Case(item, verdict) if person is None else Case(item, verdict, person, take(frame, item, person))


def _claims(frame: Frame, case: Case) -> dict[str, str]:
    """The values that may be one person's only: the address, and for somebody new whatever people are told apart by."""
    if case.verdict.reason == AWAITED:
        return {}
    claims = {_EMAIL: key(case.taken.values.get(_EMAIL))}
    if case.verdict.situation is Situation.UNMATCHED:
        for rule in frame.rules:
            if rule.ours != _EMAIL and rule.ours in case.taken.values:
                claims[rule.ours] = case.taken.values[rule.ours]
    return {name: value for name, value in claims.items() if value}
