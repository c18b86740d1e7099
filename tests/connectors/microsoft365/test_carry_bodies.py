"""How texts become what Graph stores, and which attributes a refusal means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.microsoft365 import bodies, schema
from provision.core.ports import Refused

EXTENSION = f"extension_{'0' * 32}_costCentre"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("jobTitle", "Mate", "Mate"),
        ("jobTitle", None, None),
        ("jobTitle", "", None),
        ("businessPhones", "+47 1", ["+47 1"]),
        ("businessPhones", None, []),
        ("otherMails", "a@b.example; c@d.example;", ["a@b.example", "c@d.example"]),
        ("employeeHireDate", "2026-01-31", "2026-01-31T00:00:00Z"),
        ("employeeHireDate", "2026-01-31T02:00:00+02:00", "2026-01-31T00:00:00Z"),
        ("employeeHireDate", None, None),
        ("extensionAttribute7", "x", "x"),
        (EXTENSION, "4711", "4711"),
        (EXTENSION, None, None),
    ],
)
def test_a_text_takes_the_form_of_its_attribute(name: str, text: str | None, value: Any) -> None:
    assert bodies.converted({name: text}) == ({name: value}, {})


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("employeeHireDate", "next week", "value_refused"),
        ("employeeHireDate", "0001-01-01T00:00:00+23:00", "value_refused"),
        ("employeeOrgData", "x", "value_refused"),
        ("usageLocation", None, "not_clearable"),
        ("userPrincipalName", "", "not_clearable"),
        ("id", "x", "set_by_microsoft"),
        ("mail", None, "follows_the_mailbox"),
        ("accountEnabled", "true", "owned_by_lifecycle"),
        ("no such", "x", "attribute_unknown_there"),
        ("passwordProfile", "x", "attribute_unknown_there"),
        ("@odata.type", "x", "attribute_unknown_there"),
    ],
)
def test_what_cannot_be_written_says_why_before_a_call(name: str, text: str | None, code: str) -> None:
    values, refused = bodies.converted({name: text})
    assert values == {}
    assert (type(refused[name]), refused[name].code, refused[name].params) == (Refused, code, {"attribute": name})


def test_extension_attributes_share_their_holder() -> None:
    values = {"jobTitle": "Mate", "extensionAttribute1": "a", "extensionAttribute15": None, EXTENSION: "x"}
    assert bodies.nested(values) == {
        "jobTitle": "Mate",
        EXTENSION: "x",
        schema.EXTENSION_HOLDER: {"extensionAttribute1": "a", "extensionAttribute15": None},
    }
    assert bodies.nested({}) == {}


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("jobTitle", {"jobTitle"}),
        ("JOBTITLE", {"jobTitle"}),
        ("onPremisesExtensionAttributes", {"extensionAttribute1", "extensionAttribute2"}),
        ("onPremisesExtensionAttributes/extensionAttribute2", {"extensionAttribute2"}),
        ("city", set()),
        ("", set()),
    ],
)
def test_a_refusal_means_those_of_our_attributes_that_it_names(target: str, named: set[str]) -> None:
    names = ("jobTitle", "usageLocation", "extensionAttribute1", "extensionAttribute2")
    assert bodies.meant(Refused("value_refused", attribute=target), names) == named


def test_a_directory_that_owns_a_person_leaves_only_some_attributes_to_us() -> None:
    barred = bodies.meant(Refused("set_by_directory_sync"), ("jobTitle", "usageLocation", "accountEnabled"))
    assert barred == {"jobTitle", "accountEnabled"}


def test_the_switch_is_tried_first_when_a_right_is_missing_for_something() -> None:
    names = ["jobTitle", "mobilePhone", "city", "accountEnabled"]
    parts = bodies.narrowed(Refused("permission_missing"), names)
    assert parts == [["accountEnabled"], ["jobTitle", "city"], ["mobilePhone"]]


@given(
    names=st.lists(st.sampled_from([*bodies.SENSITIVE, "jobTitle", "city", "extensionAttribute1"]), unique=True),
    code=st.sampled_from(["permission_missing", "protected_account", "value_refused"]),
)
def test_smaller_bodies_hold_every_attribute_once_and_are_smaller(names: list[str], code: str) -> None:
    parts = bodies.narrowed(Refused(code), names)
    if parts:
        assert sorted(name for part in parts for name in part) == sorted(names)
        assert all(0 < len(part) < len(names) for part in parts)
