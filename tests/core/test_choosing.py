"""The rules for a password that a person chooses, one situation each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.choosing import MICROSOFT, Aspect, Terms, first_unmet, judge, strength

GOOD = "Loud-River-52-Ladder"
TERMS = Terms(15, ("Jane", "Vesterlund", "jane.vesterlund", "Contoso"), frozenset({MICROSOFT}))


def code(password: str, again: str | None = None, terms: Terms = TERMS) -> str | None:
    rule = first_unmet(judge(password, password if again is None else again, terms))
    return rule.code if rule else None


def test_a_few_unlikely_words_meet_every_rule() -> None:
    assert code(GOOD) is None


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", "chosen_short"),
        ("Loud-River-52", "chosen_short"),
        ("x" * 10_000, "password_long"),
        ("Ab1-" * 65, "password_long"),
        ("Jane-and-the-52-rivers", "chosen_name"),
        ("The-VESTERLUND-52-rivers", "chosen_name"),
        ("Ｊａｎｅ-and-the-52-rivers", "chosen_name"),
        ("Password-Password-1", "chosen_common"),
        ("Qwertyuiop-12345", "chosen_common"),
        ("Aa1-Aa1-Aa1-Aa1-", "chosen_common"),
        ("loudriverandaladder", "chosen_classes"),
        ("Loud-River-52-Lädder", "chosen_signs"),
        ("Loud-River-52-🦊-Ladder", "chosen_signs"),
        ("Loud-River-52\n-Ladder", "chosen_signs"),
        ("Loud-River-52\0-Ladder", "chosen_signs"),
        ("Loud-River-52§Ladder", "chosen_signs"),
    ],
)
def test_what_is_wrong_has_its_own_sentence(password: str, expected: str) -> None:
    assert code(password) == expected


def test_two_different_entries_are_told_last() -> None:
    assert code(GOOD, "Loud-River-52-Laddre") == "password_differs"


def test_the_minimum_is_the_tenants() -> None:
    shorter = Terms(8, (), frozenset({MICROSOFT}))
    assert code("Rv7-kTq2", terms=shorter) is None
    assert code("Rv7-kTq", terms=shorter) == "chosen_short"


def test_microsofts_rules_are_marked_as_microsofts() -> None:
    found = {rule.aspect: rule.whose for rule in judge(GOOD, GOOD, TERMS)}
    assert {aspect for aspect, whose in found.items() if whose == MICROSOFT} == {Aspect.CLASSES, Aspect.SIGNS}


def test_where_microsoft_has_no_say_every_printable_sign_is_fine() -> None:
    elsewhere = Terms(15, ())
    assert code("Fjellræv-og-52-bølger", terms=elsewhere) is None
    assert code("Fjellræv\n-og-52-bølger", terms=elsewhere) == "chosen_unprintable"


def test_short_names_do_not_make_every_word_impossible() -> None:
    assert code("Loud-River-52-Ladder", terms=Terms(15, ("Ri", "Lad"), frozenset({MICROSOFT}))) is None


def test_strength_grows_with_what_cannot_be_guessed() -> None:
    assert strength("") == 0
    assert strength("password") < strength("Loud-River-52-Ladder")
    assert strength("x" * 10_000) <= 4


@given(st.text(max_size=300), st.text(max_size=20))
def test_whatever_is_typed_is_judged_and_never_repeated(password: str, again: str) -> None:
    rules = judge(password, again, TERMS)
    assert len({rule.aspect for rule in rules}) == len(rules)
    assert all(rule.params.keys() <= {"minimum"} for rule in rules)
