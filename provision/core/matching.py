"""Whom an account belongs to: one judgement per account, and one per page for accounts that get in each other's way.

Owns the rules of certainty; never looks anyone up and never takes the first of several.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from provision.core.vocabulary import Situation


@dataclass(frozen=True, slots=True)
class Rule:
    """Two attributes whose equal values name the same person; the lower priority is asked first."""

    ours: str
    theirs: str
    priority: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an account is, to whom it belongs or would belong, by which rule, and why.

    ``reason``: *ignored*, *linked*, *exact*, *nobody*, or, for a dispute, *several*, *contradiction*, *taken*, *rivals*,
    *clash*, *incomplete*. ``candidates`` are the people concerned, in ascending order of id.
    """

    situation: Situation
    user_id: int | None = None
    rule: Rule | None = None
    candidates: tuple[int, ...] = ()
    reason: str = ""


def situate(
    *,
    linked: int | None,
    ignored: bool,
    found: Sequence[tuple[Rule, Sequence[int]]],
    taken: Callable[[int], bool],
) -> Verdict:
    """Judge one account.

    ``found`` holds, for each rule whose value is not empty, the ids of all people who have that value; ``taken`` tells
    whether a person already has another account of this connector. The first rule that finds anyone decides; a later
    rule that finds somebody else instead contradicts it.
    """
    if ignored:
        return Verdict(Situation.IGNORED, reason="ignored")
    if linked is not None:
        return Verdict(Situation.LINKED, linked, candidates=(linked,), reason="linked")
    hits = sorted(((rule, frozenset(ids)) for rule, ids in found if ids), key=lambda hit: _order(hit[0]))
    return _weigh(hits, taken) if hits else Verdict(Situation.UNMATCHED, reason="nobody")


def _weigh(hits: Sequence[tuple[Rule, frozenset[int]]], taken: Callable[[int], bool]) -> Verdict:
    rule, people = hits[0]
    if len(people) > 1:
        return Verdict(Situation.DISPUTED, rule=rule, candidates=tuple(sorted(people)), reason="several")
    (person,) = people
    if any(person not in ids for _, ids in hits):
        everyone = frozenset[int]().union(*(ids for _, ids in hits))
        return Verdict(Situation.DISPUTED, rule=rule, candidates=tuple(sorted(everyone)), reason="contradiction")
    if taken(person):
        return Verdict(Situation.DISPUTED, rule=rule, candidates=(person,), reason="taken")
    return Verdict(Situation.UNLINKED, person, rule, (person,), "exact")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One account of a page: its verdict, and the values it would bring for attributes that must be unique here.

    ``unique`` maps attribute → comparison key (``vocabulary.key``); empty values are left out.
    """

    verdict: Verdict
    unique: Mapping[str, str] = field(default_factory=dict)


def resolve_page(arrivals: Sequence[Arrival], held: Mapping[tuple[str, str], int]) -> list[Verdict]:
    """Judge the accounts of one page together; the verdicts come back in the order of the arrivals.

    *rivals*: several accounts fit the same person, none of them gets them. *clash*: the value is held by somebody else
    (``held``: (attribute, key) → user id) or would be given to two people; a linked account keeps its ``user_id``, so
    that only its values wait. A value that its holder gives up on the same page still counts as held: the newcomer is
    settled by the next cycle, and no order of statements can break a unique index.
    """
    suitors: dict[int, int] = defaultdict(int)
    claims: dict[tuple[str, str], int] = defaultdict(int)
    for arrival in arrivals:
        if arrival.verdict.situation is Situation.UNLINKED and arrival.verdict.user_id is not None:
            suitors[arrival.verdict.user_id] += 1
        for claim in _claims(arrival):
            claims[claim] += 1
    return [_together(arrival, suitors, claims, held) for arrival in arrivals]


_TAKING_PART = frozenset({Situation.LINKED, Situation.UNLINKED, Situation.UNMATCHED})


def _claims(arrival: Arrival) -> list[tuple[str, str]]:
    if arrival.verdict.situation not in _TAKING_PART:
        return []
    return [(attribute, value) for attribute, value in arrival.unique.items() if value]


def _together(
    arrival: Arrival,
    suitors: Mapping[int, int],
    claims: Mapping[tuple[str, str], int],
    held: Mapping[tuple[str, str], int],
) -> Verdict:
    verdict = arrival.verdict
    if verdict.situation is Situation.UNLINKED and suitors.get(verdict.user_id or 0, 0) > 1:
        return replace(verdict, situation=Situation.DISPUTED, user_id=None, reason="rivals")
    for claim in sorted(_claims(arrival)):
        holder = held.get(claim)
        if holder is not None and holder == verdict.user_id:
            continue
        if holder is not None or claims[claim] > 1:
            return _clash(verdict, holder)
    return verdict


def _clash(verdict: Verdict, holder: int | None) -> Verdict:
    keeps = verdict.user_id if verdict.situation is Situation.LINKED else None
    people = tuple(sorted({*verdict.candidates, *(() if holder is None else (holder,))}))
    return Verdict(Situation.DISPUTED, keeps, verdict.rule, people, "clash")


def _order(rule: Rule) -> tuple[int, str, str]:
    return rule.priority, rule.ours, rule.theirs
