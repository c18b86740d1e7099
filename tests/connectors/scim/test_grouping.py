"""What a SCIM application is held to where it keeps groups: against a real server over HTTP, with faults between."""

from typing import Any

import pytest

from provision.connectors import KINDS
from provision.connectors.scim.grouping import GROUP
from provision.core.ports import Grouping, Missing, Refused, Taken, Unreachable, Write
from provision.core.vocabulary import Kind, OperationKind
from tests.connectors.scim.test_peers import carried, failure, record, target
from tests.fakes.scim import ScimServer

WAYS: tuple[dict[str, str], ...] = ({}, {"changes": "replace"})
MARK = ("externalId", "G-SALES")


def new(*members: str, name: str = "Sales", mark: tuple[str, str] = MARK) -> Write:
    values = {"displayName": name}
    return Write(OperationKind.CREATE, None, "ref", values, group=True, members=members, correlation=mark)


def change(anchor: str, members: tuple[str, ...] | None = None, **values: str) -> Write:
    return Write(OperationKind.UPDATE, anchor, "ref", values, group=True, members=members)


def inside(there: ScimServer) -> list[tuple[str, list[str]]]:
    """The groups there: name and who is in it."""
    rows = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in there.storage.resources]
    found = [row for row in rows if GROUP in row["schemas"]]
    return [(row["displayName"], sorted(one["value"] for one in row.get("members", ()))) for row in found]


def test_the_connector_keeps_groups_and_they_follow_only_where_somebody_wants_it(there: ScimServer) -> None:
    assert isinstance(target(there), Grouping)
    assert KINDS[Kind.SCIM].config.model_validate({"base_url": there.url}).model_dump()["groups"] is False
    lines = {line.name: line.state for line in target(there, groups=True).check().permissions}
    assert lines["Groups"] == "granted"
    found = target(there).check()
    assert found.facts["abilities"]["groups"] is True
    assert {line.name: line.state for line in found.permissions}["Groups"] == "unused"


def test_an_application_without_groups_is_told_so(there: ScimServer) -> None:
    def only_users(body: Any) -> Any:
        kept = [one for one in body["Resources"] if one["endpoint"] == "/Users"]
        return {**body, "Resources": kept, "totalResults": len(kept)}

    there.strike("reshaped", "GET", "/ResourceTypes", shape=only_users)
    found = target(there, groups=True).check()
    assert found.facts["abilities"]["groups"] is False
    line = next(line for line in found.permissions if line.name == "Groups")
    assert (line.state, line.without) == ("unused", "It keeps no groups.")


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_group_is_made_renamed_filled_emptied_and_deleted(there: ScimServer, way: dict[str, str]) -> None:
    one, people = target(there, **way), sorted(there.add(f"p{n}@there.example") for n in range(3))
    made = record(carried(one, new(*people[:2]))[0])
    assert made.anchor.startswith("Groups/")
    assert made.values == {"displayName": "Sales", "members": people[:2]}
    assert inside(there) == [("Sales", people[:2])]
    for _ in range(2):  # twice is the same as once
        record(carried(one, change(made.anchor, tuple(people[1:]), displayName="Vendors"))[0])
        assert inside(there) == [("Vendors", people[1:])]
    record(carried(one, change(made.anchor, displayName="Sales"))[0])
    assert inside(there) == [("Sales", people[1:])]
    record(carried(one, change(made.anchor, ()))[0])
    assert inside(there) == [("Sales", [])]
    (gone,) = carried(one, Write(OperationKind.DELETE, made.anchor, "ref", group=True))
    assert gone.error is None
    assert inside(there) == []
    assert failure(carried(one, Write(OperationKind.DELETE, made.anchor, "ref", group=True))[0])[0] is Missing
    assert failure(carried(one, change(made.anchor, ()))[0])[0] is Missing


def test_a_group_is_found_by_its_mark(there: ScimServer) -> None:
    one = target(there)
    made = record(carried(one, new())[0])
    assert one.find_group(*MARK) == made
    assert one.find_group("externalId", "G-OTHER") is None
    with pytest.raises(Refused):
        one.find_group("members", "x")


def test_a_search_that_finds_whoever_does_not_hold_it_says_nothing(there: ScimServer) -> None:
    one = target(there)
    carried(one, new())
    there.strike("reshaped", "GET", "/Groups", shape=lambda body: {
        **body, "Resources": [{**row, "externalId": "G-OTHER"} for row in body["Resources"]]
    })  # fmt: skip
    with pytest.raises(Unreachable):
        one.find_group(*MARK)


@pytest.mark.parametrize(
    ("what", "details", "made"),
    [("drop_after", {}, 1), ("drop_before", {}, 0), ("status_after", {"status": 504}, 1), ("html_after", {}, 1),
     ("garbage", {}, 0), ("empty", {}, 0), ("redirect", {"to": "http://127.0.0.1:1/"}, 0)],
    ids=str,
)  # fmt: skip
def test_a_create_whose_answer_says_nothing_is_in_doubt_and_was_sent_once(
    there: ScimServer, what: str, details: dict[str, Any], made: int
) -> None:
    there.strike(what, "POST", "/Groups", **details)
    (outcome,) = carried(target(there), new())
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent
    assert (len(inside(there)), there.sent("POST")) == (made, 1)


def test_a_name_that_must_be_its_own_is_taken(there: ScimServer) -> None:
    there.strike("status", "POST", "/Groups", status=409, body={"scimType": "uniqueness"})
    (outcome,) = carried(target(there), new())
    assert failure(outcome)[0] is Taken
    assert outcome.error is not None
    assert outcome.error.params["attribute"] == "displayName"


def test_an_application_that_lies_about_small_changes_gets_whole_groups(there: ScimServer) -> None:
    one = target(there)
    made = record(carried(one, new())[0])
    there.strike("status", "PATCH", "/Groups/*", status=501, times=99)
    record(carried(one, change(made.anchor, displayName="Vendors"))[0])
    assert inside(there) == [("Vendors", [])]
    assert there.sent("PATCH") == 1


@pytest.mark.parametrize("what", ["wrong_id", "drop_after", "html_after"])
def test_a_change_whose_answer_says_nothing_is_in_doubt(there: ScimServer, what: str) -> None:
    one = target(there, changes="replace")
    made = record(carried(one, new())[0])
    there.strike(what, "PUT", "/Groups/*")
    (outcome,) = carried(one, change(made.anchor, displayName="Vendors"))
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent
    assert there.sent("PUT") == 1


@pytest.mark.parametrize("anchor", [None, "", "1", "Users/1", "Groups/../Users/1", f"Groups/{'x' * 300}"])
def test_an_anchor_leads_nowhere_but_to_a_group(there: ScimServer, anchor: str | None) -> None:
    person = there.add("nora@there.example")
    (outcome,) = carried(target(there), Write(OperationKind.DELETE, anchor, "ref", group=True))
    assert failure(outcome)[0] is Missing
    assert person in there.people()
