"""Where a mapped attribute stands in a SCIM resource."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.scim.places import ENTERPRISE, needs_sight, operations, place, put, read, schemas
from provision.connectors.scim.schema import STANDARD

NAMES = [attribute.name for attribute in STANDARD if attribute.writable and attribute.kind != "list"]
PET = "urn:example:params:scim:schemas:extension:2.0:Pet"
names = st.sampled_from([*NAMES, f"{PET}:colour", f"{PET}:name.given"])
values = st.text(min_size=1, max_size=20).filter(str.strip)


@given(st.dictionaries(names, values, max_size=12))
def test_what_was_put_is_read_again(given_: dict[str, str]) -> None:
    resource: dict[str, Any] = {}
    for name, value in given_.items():
        put(resource, name, value)
    assert {name: read(resource, name) for name in given_} == given_


@given(st.dictionaries(names, values, max_size=12))
def test_taking_everything_away_leaves_nothing_behind(given_: dict[str, str]) -> None:
    resource: dict[str, Any] = {}
    for name, value in given_.items():
        put(resource, name, value)
    for name in given_:
        put(resource, name, None)
    assert resource == {}


@given(st.dictionaries(names, values, max_size=6), names, values)
def test_putting_one_leaves_the_others_alone(given_: dict[str, str], name: str, value: str) -> None:
    resource: dict[str, Any] = {"id": "1", "emails": [{"type": "other", "value": "kept"}]}
    for other, text in given_.items():
        put(resource, other, text)
    before = {other: read(resource, other) for other in given_ if other != name}
    put(resource, name, value)
    assert {other: read(resource, other) for other in before} == before
    assert resource["id"] == "1"


@given(st.dictionaries(names, st.none() | values, max_size=6))
def test_writing_operations_changes_nothing_that_was_seen(given_: dict[str, str | None]) -> None:
    there = {"emails": [{"type": "home", "value": "h"}], "name": {"givenName": "A"}}
    before = deepcopy(there)
    for one in operations(there, given_):
        assert one["op"] in ("replace", "remove")
        assert ("value" in one) is (one["op"] == "replace")
    assert there == before


def test_an_element_of_a_type_is_changed_and_the_list_sent_as_a_whole() -> None:
    there = {"emails": [{"type": "home", "value": "h@x"}, {"type": "work", "value": "w@x", "primary": True}]}
    assert operations(there, {"emails.work": "new@x"}) == [
        {
            "op": "replace",
            "path": "emails",
            "value": [{"type": "home", "value": "h@x"}, {"type": "work", "value": "new@x", "primary": True}],
        }
    ]
    assert operations({"emails": [there["emails"][1]]}, {"emails.work": None}) == [{"op": "remove", "path": "emails"}]


def test_an_element_that_does_not_say_its_type_counts_as_the_usual_one() -> None:
    assert read({"emails": [{"value": "a@x"}]}, "emails.work") == "a@x"
    assert read({"emails": [{"value": "a@x"}]}, "emails.home") is None


def test_an_address_is_put_together_part_by_part() -> None:
    resource: dict[str, Any] = {}
    put(resource, "addresses.work.locality", "Bergen")
    put(resource, "addresses.work.country", "NO")
    assert resource == {"addresses": [{"type": "work", "locality": "Bergen", "country": "NO"}]}


def test_extensions_are_named_and_paths_begin_with_them() -> None:
    resource: dict[str, Any] = {}
    put(resource, "department", "Deck")
    put(resource, f"{PET}:colour", "grey")
    assert schemas(resource)[1:] == [ENTERPRISE, PET]
    assert place("department").path == f"{ENTERPRISE}:department"
    assert place(f"{PET}:name.given").path == f"{PET}:name.given"


def test_names_of_attributes_know_no_case() -> None:
    resource = {"USERNAME": "a", "Name": {"GivenName": "B"}}
    assert (read(resource, "userName"), read(resource, "name.givenName")) == ("a", "B")
    put(resource, "userName", "c")  # type: ignore[arg-type]
    assert resource["USERNAME"] == "c"


def test_only_elements_of_lists_need_to_be_seen_first() -> None:
    assert needs_sight({"emails.work": "x"})
    assert needs_sight({"roles": "x"})
    assert not needs_sight({"name.givenName": "x", "department": "y", f"{PET}:colour": "z"})


@pytest.mark.parametrize("junk", [None, 1, "x", [], [1, None, "x"], {"value": "x"}, [[{"type": "work"}]]], ids=repr)
@pytest.mark.parametrize("name", ["emails.work", "name.givenName", "department", "roles", "userName", f"{PET}:a.b"])
def test_whatever_stands_there_can_be_read_and_replaced(junk: Any, name: str) -> None:
    where = place(name)
    resource = {where.extension or where.attribute: junk}
    read(resource, name)
    if not where.extension:
        put(resource, name, "new")
        assert read(resource, name) in ("new", ["new"])
