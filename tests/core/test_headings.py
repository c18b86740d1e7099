"""What a column most likely holds, by its heading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.headings import means, suggest
from provision.core.vocabulary import USER_ATTRIBUTES


@pytest.mark.parametrize(
    ("heading", "ours"),
    [
        ("First name", "given_name"), ("VORNAME", "given_name"), ("E-Mail-Adresse", "email"), ("userPrincipalName", "email"),
        ("Personal-Nr.", "employee_id"), ("Prénom", "given_name"), ("Dept.", "department"), ("Shoe size", None), ("", None),
    ],
)  # fmt: skip
def test_common_headings_are_understood(heading: str, ours: str | None) -> None:
    assert means(heading) == ours


def test_our_own_headings_suggest_themselves() -> None:
    assert suggest(USER_ATTRIBUTES.values()) == {label: name for name, label in USER_ATTRIBUTES.items()}


def test_an_attribute_is_suggested_once_and_a_better_heading_wins() -> None:
    assert suggest(["E-mail", "Email Address", "Title"]) == {"Email Address": "email", "Title": "title"}


def test_a_tenants_own_attributes_are_suggested_by_their_labels() -> None:
    assert suggest(["Badge colour"], {"extra.badge": "Badge Colour"}) == {"Badge colour": "extra.badge"}


@given(headings=st.lists(st.text(max_size=40), max_size=12))
def test_whatever_the_headings_each_attribute_has_at_most_one(headings: list[str]) -> None:
    found = suggest(headings)
    assert len(set(found.values())) == len(found)
    assert set(found) <= set(headings)
