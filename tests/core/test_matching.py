"""Whom an account belongs to, alone and among the others of its page."""

from collections.abc import Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.matching import Arrival, Rule, Verdict, resolve_page, situate
from provision.core.vocabulary import Situation

EMAIL = Rule("email", "userPrincipalName", 1)
NUMBER = Rule("employee_id", "employeeId", 2)
NAME = Rule("username", "mailNickname", 3)
RULES = [EMAIL, NUMBER, NAME]
NOBODY: Collection[int] = ()


def judge(
    *found: tuple[Rule, Sequence[int]],
    linked: int | None = None,
    ignored: bool = False,
    taken: Collection[int] = NOBODY,
) -> Verdict:
    return situate(linked=linked, ignored=ignored, found=found, taken=lambda person: person in taken)


@pytest.mark.parametrize(
    ("found", "taken", "situation", "user", "rule", "candidates", "reason"),
    [
        ([], (), Situation.UNMATCHED, None, None, (), "nobody"),
        ([(EMAIL, []), (NUMBER, [])], (), Situation.UNMATCHED, None, None, (), "nobody"),
        ([(EMAIL, [7])], (), Situation.UNLINKED, 7, EMAIL, (7,), "exact"),
        ([(EMAIL, [7, 7])], (), Situation.UNLINKED, 7, EMAIL, (7,), "exact"),
        ([(EMAIL, []), (NUMBER, [7])], (), Situation.UNLINKED, 7, NUMBER, (7,), "exact"),
        ([(NUMBER, [7]), (EMAIL, [7])], (), Situation.UNLINKED, 7, EMAIL, (7,), "exact"),
        ([(EMAIL, [7]), (NUMBER, [7, 8])], (), Situation.UNLINKED, 7, EMAIL, (7,), "exact"),
        ([(EMAIL, [9, 7])], (), Situation.DISPUTED, None, EMAIL, (7, 9), "several"),
        ([(EMAIL, [9, 7]), (NUMBER, [7])], (), Situation.DISPUTED, None, EMAIL, (7, 9), "several"),
        ([(EMAIL, [7])], (7,), Situation.DISPUTED, None, EMAIL, (7,), "taken"),
        ([(EMAIL, [7])], (8,), Situation.UNLINKED, 7, EMAIL, (7,), "exact"),
        ([(EMAIL, [8]), (NUMBER, [7])], (), Situation.DISPUTED, None, EMAIL, (7, 8), "contradiction"),
        ([(EMAIL, [8]), (NUMBER, [7, 9])], (), Situation.DISPUTED, None, EMAIL, (7, 8, 9), "contradiction"),
        ([(EMAIL, [8]), (NUMBER, [7])], (8,), Situation.DISPUTED, None, EMAIL, (7, 8), "contradiction"),
    ],
)
def test_an_account_is_judged_by_whom_the_rules_find(
    found: list[tuple[Rule, list[int]]],
    taken: tuple[int, ...],
    situation: Situation,
    user: int | None,
    rule: Rule | None,
    candidates: tuple[int, ...],
    reason: str,
) -> None:
    assert judge(*found, taken=taken) == Verdict(situation, user, rule, candidates, reason)


def test_what_a_person_ignored_stays_ignored_and_what_is_linked_stays_linked() -> None:
    assert judge((EMAIL, [7]), ignored=True) == Verdict(Situation.IGNORED, reason="ignored")
    assert judge((EMAIL, [8]), linked=7) == Verdict(Situation.LINKED, 7, candidates=(7,), reason="linked")
    assert judge(linked=7, ignored=True).situation is Situation.IGNORED


found = st.lists(st.sampled_from(RULES), unique=True).flatmap(
    lambda rules: st.tuples(*(st.tuples(st.just(rule), st.lists(st.integers(1, 4), max_size=3)) for rule in rules))
)


@given(found, st.frozensets(st.integers(1, 4)), st.randoms(use_true_random=False))
def test_nobody_is_ever_picked_out_of_several_and_no_order_matters(found, taken, random) -> None:  # type: ignore[no-untyped-def]
    verdict = judge(*found, taken=taken)
    if verdict.situation is Situation.UNLINKED:
        decisive = next(set(ids) for _, ids in sorted(found, key=lambda hit: hit[0].priority) if ids)
        assert decisive == {verdict.user_id}
        assert verdict.user_id not in taken
        assert all(verdict.user_id in ids for _, ids in found if ids)
    else:
        assert verdict.user_id is None
    shuffled = [(rule, random.sample(ids, len(ids))) for rule, ids in random.sample(found, len(found))]
    assert judge(*shuffled, taken=taken) == verdict


# -- A page together -----------------------------------------------------------------------------------------------------

ALICE, BOB = 1, 2
ARRIVES = Verdict(Situation.UNMATCHED, reason="nobody")


def fits(person: int) -> Verdict:
    return Verdict(Situation.UNLINKED, person, EMAIL, (person,), "exact")


def is_linked(person: int) -> Verdict:
    return Verdict(Situation.LINKED, person, candidates=(person,), reason="linked")


def together(*arrivals: tuple[Verdict, str], held: Mapping[str, int] | None = None) -> list[Verdict]:
    page = [Arrival(verdict, {"email": email}) for verdict, email in arrivals]
    return resolve_page(page, {("email", value): person for value, person in (held or {}).items()})


def test_two_accounts_that_fit_one_person_are_rivals_and_neither_gets_them() -> None:
    verdicts = together((fits(ALICE), "a"), (fits(BOB), "b"), (fits(ALICE), "c"))
    rival = Verdict(Situation.DISPUTED, None, EMAIL, (ALICE,), "rivals")
    assert verdicts == [rival, fits(BOB), rival]


def test_two_new_accounts_with_one_address_clash() -> None:
    clash = Verdict(Situation.DISPUTED, reason="clash")
    assert together((ARRIVES, "a"), (ARRIVES, "b"), (ARRIVES, "a")) == [clash, ARRIVES, clash]


def test_a_new_account_clashes_with_whoever_holds_its_address() -> None:
    assert together((ARRIVES, "a"), held={"a": BOB}) == [Verdict(Situation.DISPUTED, None, None, (BOB,), "clash")]


def test_an_account_that_fits_its_holder_does_not_clash_with_them() -> None:
    assert together((fits(ALICE), "a"), (is_linked(BOB), "b"), held={"a": ALICE, "b": BOB}) == [
        fits(ALICE),
        is_linked(BOB),
    ]


def test_a_linked_account_that_moves_onto_a_held_address_keeps_its_person() -> None:
    assert together((is_linked(ALICE), "b"), held={"b": BOB}) == [
        Verdict(Situation.DISPUTED, ALICE, None, (ALICE, BOB), "clash")
    ]


def test_the_holder_is_left_in_peace_when_a_newcomer_claims_the_same() -> None:
    verdicts = together((is_linked(ALICE), "a"), (ARRIVES, "a"), held={"a": ALICE})
    assert [verdict.situation for verdict in verdicts] == [Situation.LINKED, Situation.DISPUTED]


def test_accounts_that_bring_nothing_claim_nothing() -> None:
    ignored = Verdict(Situation.IGNORED, reason="ignored")
    disputed = Verdict(Situation.DISPUTED, candidates=(1, 2), reason="several")
    page = [(ignored, "a"), (disputed, "a"), (ARRIVES, "a"), (ARRIVES, ""), (ARRIVES, "")]
    assert together(*page) == [verdict for verdict, _ in page]


arrivals = st.lists(
    st.builds(
        Arrival,
        st.one_of(
            st.just(ARRIVES),
            st.builds(fits, st.integers(1, 3)),
            st.builds(is_linked, st.integers(4, 6)),
            st.just(Verdict(Situation.IGNORED, reason="ignored")),
        ),
        st.fixed_dictionaries({}, optional={"email": st.sampled_from("abc"), "number": st.sampled_from("12")}),
    ),
    max_size=8,
)
holders = st.dictionaries(st.tuples(st.just("email"), st.sampled_from("abc")), st.integers(1, 8))


@given(arrivals, holders, st.randoms(use_true_random=False))
def test_a_page_leaves_every_unique_value_with_one_person_in_any_order(page, held, random) -> None:  # type: ignore[no-untyped-def]
    verdicts = resolve_page(page, held)
    certain = [
        (arrival, verdict)
        for arrival, verdict in zip(page, verdicts, strict=True)
        if verdict.situation not in {Situation.DISPUTED, Situation.IGNORED}
    ]
    adopted = [verdict.user_id for _, verdict in certain if verdict.situation is Situation.UNLINKED]
    assert len(adopted) == len(set(adopted))
    for index, (arrival, verdict) in enumerate(certain):
        for claim in arrival.unique.items():
            assert held.get(claim, verdict.user_id) == verdict.user_id
            others = [
                other for place, other in enumerate(certain) if place != index and claim in other[0].unique.items()
            ]
            assert all(other.user_id == verdict.user_id is not None for _, other in others)
    order = random.sample(range(len(page)), len(page))
    assert resolve_page([page[place] for place in order], held) == [verdicts[place] for place in order]
