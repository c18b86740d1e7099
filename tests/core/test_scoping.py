"""Whom an app is for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.scoping import MOST, OPERATORS, Condition, Scope, conditions, problem, scope_of
from provision.core.vocabulary import USER_ATTRIBUTES


@pytest.mark.parametrize(
    ("operator", "value", "held", "holds"),
    [
        ("is", "Deck", "deck", True),
        ("is", "Deck", "Deckhand", False),
        ("is", "Kombüse", "Kombu\u0308se", True),
        ("is not", "Deck", "Galley", True),
        ("is not", "Deck", None, True),
        ("one of", "Deck, Galley ,Bridge", "galley", True),
        ("one of", "Deck, Galley", "Gall", False),
        ("none of", "Deck, Galley", "Bridge", True),
        ("none of", "Deck, Galley", "Deck", False),
        ("contains", "eck", "DECK", True),
        ("starts with", "De", "deck", True),
        ("ends with", "@fjordvik.example", "jane@FJORDVIK.example", True),
        ("is empty", "", "  ", True),
        ("is empty", "", None, True),
        ("is filled", "", "x", True),
        ("is filled", "", None, False),
    ],
)
def test_a_condition_holds_or_does_not(operator: str, value: str, held: str | None, holds: bool) -> None:
    assert Condition("department", operator, value).holds({"department": held}) is holds


def test_all_conditions_must_hold_and_none_is_for_everybody() -> None:
    deck, nordic = Condition("department", "is", "Deck"), Condition("usage_location", "one of", "NO,SE")
    assert Scope().takes({})
    assert Scope((deck, nordic)).takes({"department": "Deck", "usage_location": "SE"})
    assert not Scope((deck, nordic)).takes({"department": "Deck", "usage_location": "DE"})


def test_a_custom_attribute_is_asked_like_any_other() -> None:
    assert Condition("extra.badge", "is", "7").holds({"extra.badge": "7"})


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (Condition("department", "is", "Deck"), None),
        (Condition("department", "is empty"), None),
        (Condition("password", "is", "x"), "scope_attribute_unknown"),
        (Condition("department", "__class__", "x"), "scope_operator_unknown"),
        (Condition("department", "is", "  "), "scope_value_missing"),
        (Condition("department", "is", "x" * 201), "scope_value_unfit"),
        (Condition("department", "is", "a\x00b"), "scope_value_unfit"),
    ],
    ids=str,
)
def test_a_condition_that_cannot_be_kept_says_why(condition: Condition, code: str | None) -> None:
    assert problem(condition, USER_ATTRIBUTES) == code


NAMES = st.sampled_from(["", *USER_ATTRIBUTES])


@given(st.lists(st.fixed_dictionaries({"attribute": NAMES, "operator": st.text(), "value": st.text()})))
def test_rows_without_an_attribute_are_none(rows: list[dict[str, Any]]) -> None:
    assert [one.attribute for one in conditions(rows)] == [row["attribute"] for row in rows if row["attribute"]]


@given(
    st.dictionaries(st.sampled_from(sorted(USER_ATTRIBUTES)), st.none() | st.text()), st.sampled_from(sorted(OPERATORS))
)
def test_whatever_somebody_holds_every_operator_answers(person: dict[str, str | None], operator: str) -> None:
    assert Condition("title", operator, "x").holds(person) in (True, False)


def test_what_a_row_keeps_is_read_again() -> None:
    kept = {"rule": [{"attribute": "title", "operator": "is", "value": "Mate"}], "guests": "import"}
    assert scope_of(kept) == Scope((Condition("title", "is", "Mate"),))
    assert scope_of({}) == Scope()
    assert MOST == 10
