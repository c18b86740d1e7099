"""Licences: seats, plans, direct and through groups."""

from typing import Any

import pytest

from tests.cast import Clock
from tests.sandbox.conftest import Caller

GRAPH = "https://graph.sandbox.invalid/v1.0"


def sku(graph: Caller, part: str) -> dict[str, Any]:
    return next(item for item in graph.get("/subscribedSkus")["value"] if item["skuPartNumber"] == part)


def assign(graph: Caller, person: str, add: list[str] | None = None, remove: list[str] | None = None) -> Any:
    body = {
        "addLicenses": [{"skuId": sku(graph, part)["skuId"], "disabledPlans": []} for part in add or []],
        "removeLicenses": [sku(graph, part)["skuId"] for part in remove or []],
    }
    return graph.call("POST", f"/users/{person}/assignLicense", body)


def licensed(graph: Caller, number: int, part: str = "O365_BUSINESS_ESSENTIALS") -> str:
    person: str = graph.create(userPrincipalName=f"crew{number}@fjordvik.example")["id"]
    assert assign(graph, person, [part]).status_code == 200
    return person


def message(answer: Any) -> str:
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    text: str = answer.json()["error"]["message"]
    return text


def group_with(graph: Caller, *people: str) -> str:
    group = next(g for g in graph.get("/groups?$top=999")["value"] if g["displayName"] == "Licence: Power Automate")
    for person in people:
        graph.call("POST", f"/groups/{group['id']}/members/$ref", {"@odata.id": f"{GRAPH}/users/{person}"})
    group_id: str = group["id"]
    return group_id


def test_seats_move_with_assign_remove_delete_and_restore(graph: Caller) -> None:
    def used() -> int:
        number: int = sku(graph, "O365_BUSINESS_ESSENTIALS")["consumedUnits"]
        return number

    before = used()
    person = licensed(graph, 1)
    assert used() == before + 1
    graph.call("DELETE", f"/users/{person}")
    assert used() == before
    graph.call("POST", f"/directory/deletedItems/{person}/restore")
    assert used() == before + 1
    assert assign(graph, person, remove=["O365_BUSINESS_ESSENTIALS"]).status_code == 200
    assert used() == before


def test_the_last_seat_can_be_taken_once(graph: Caller) -> None:
    for number in (1, 2):
        licensed(graph, number)
    person = graph.create()["id"]
    assert "does not have any available licenses" in message(assign(graph, person, ["O365_BUSINESS_ESSENTIALS"]))


def test_a_restored_person_without_a_seat_comes_back_unlicensed(graph: Caller) -> None:
    person = licensed(graph, 1)
    graph.call("DELETE", f"/users/{person}")
    for number in (2, 3):
        licensed(graph, number)
    graph.call("POST", f"/directory/deletedItems/{person}/restore")
    assert graph.get(f"/users/{person}?$select=assignedLicenses")["assignedLicenses"] == []


def test_a_suspended_subscription_has_no_seats(graph: Caller) -> None:
    person = graph.create()["id"]
    assert "available licenses" in message(assign(graph, person, ["AAD_PREMIUM"]))


def test_a_place_of_use_comes_first(graph: Caller) -> None:
    person = graph.create(usageLocation=None)["id"]
    assert "invalid usage location" in message(assign(graph, person, ["SPB"]))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"removeLicenses": []}, "addLicenses"),
        ({"addLicenses": []}, "removeLicenses"),
        ({"addLicenses": [{"skuId": "SPB"}], "removeLicenses": []}, "Edm.Guid"),
        ({"addLicenses": [{"skuId": "11111111-1111-1111-1111-111111111111"}], "removeLicenses": []}, "valid company"),
        ({"addLicenses": [], "removeLicenses": ["cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"]}, "corresponding license"),
    ],
)
def test_a_bad_assignment_says_what_is_wrong(graph: Caller, body: dict[str, Any], words: str) -> None:
    person = graph.create()["id"]
    assert words in message(graph.call("POST", f"/users/{person}/assignLicense", body))


def test_plans_may_exclude_and_need_each_other(graph: Caller) -> None:
    person = graph.create()["id"]
    assert "depends on the service plan" in message(assign(graph, person, ["MCOMEETADV"]))
    assert assign(graph, person, ["SPB", "MCOMEETADV"]).status_code == 200
    assert "depends on the service plan" in message(assign(graph, person, remove=["SPB"]))
    holder = graph.person(lambda one: sku(graph, "SPE_E3")["skuId"] in str(one["assignedLicenses"]))
    assert "mutually exclusive" in message(assign(graph, holder["id"], ["SPB"]))


def test_a_refused_swap_changes_nothing(graph: Caller) -> None:
    person = licensed(graph, 1, "SPB")
    assert "available licenses" in message(assign(graph, person, ["SPE_E3"], ["SPB"]))
    (kept,) = graph.get(f"/users/{person}?$select=assignedLicenses")["assignedLicenses"]
    assert kept["skuId"] == sku(graph, "SPB")["skuId"]


def test_a_swap_is_one_step(graph: Caller) -> None:
    person = licensed(graph, 1, "SPB")
    assert assign(graph, person, ["O365_BUSINESS_ESSENTIALS"], ["SPB"]).status_code == 200
    (kept,) = graph.get(f"/users/{person}?$select=assignedLicenses")["assignedLicenses"]
    assert kept["skuId"] == sku(graph, "O365_BUSINESS_ESSENTIALS")["skuId"]


def test_assigning_again_replaces_the_disabled_plans(graph: Caller) -> None:
    person = licensed(graph, 1, "SPB")
    chosen = sku(graph, "SPB")
    off = chosen["servicePlans"][0]["servicePlanId"]
    body = {"addLicenses": [{"skuId": chosen["skuId"], "disabledPlans": [off]}], "removeLicenses": []}
    graph.call("POST", f"/users/{person}/assignLicense", body)
    (detail,) = graph.get(f"/users/{person}/licenseDetails")["value"]
    states = {plan["servicePlanId"]: plan["provisioningStatus"] for plan in detail["servicePlans"]}
    assert detail["skuPartNumber"] == "SPB"
    assert [plan for plan, state in states.items() if state == "Disabled"] == [off]


def test_a_groups_licences_reach_its_members_later(graph: Caller, clock: Clock) -> None:
    graph.sandbox.faults.turn(licence_delay=120)
    person = graph.create()["id"]
    group = group_with(graph, person)
    body = {"addLicenses": [{"skuId": sku(graph, "FLOW_FREE")["skuId"]}], "removeLicenses": []}
    answer = graph.call("POST", f"/groups/{group}/assignLicense", body)
    assert answer.status_code == 202
    assert graph.get(f"/users/{person}?$select=assignedLicenses")["assignedLicenses"] == []
    clock.forward(seconds=121)
    (state,) = graph.get(f"/users/{person}?$select=licenseAssignmentStates")["licenseAssignmentStates"]
    assert (state["assignedByGroup"], state["state"], state["error"]) == (group, "Active", "None")
    found = graph.get(f"/groups/{group}?$select=licenseProcessingState")
    assert found["licenseProcessingState"] == {"state": "ProcessingComplete"}


def test_an_inherited_licence_is_not_removed_directly_and_leaves_with_the_membership(graph: Caller) -> None:
    person = graph.create()["id"]
    group = group_with(graph, person)
    body = {"addLicenses": [{"skuId": sku(graph, "FLOW_FREE")["skuId"]}], "removeLicenses": []}
    graph.call("POST", f"/groups/{group}/assignLicense", body)
    assert "inherited from a group" in message(assign(graph, person, remove=["FLOW_FREE"]))
    graph.call("DELETE", f"/groups/{group}/members/{person}/$ref")
    assert graph.get(f"/users/{person}?$select=assignedLicenses")["assignedLicenses"] == []


def test_group_licensing_fails_for_single_members_only(graph: Caller) -> None:
    first, second, third = (graph.create(userPrincipalName=f"crew{n}@fjordvik.example")["id"] for n in range(3))
    nowhere = graph.create(usageLocation=None)["id"]
    group = group_with(graph, first, second, third, nowhere)
    body = {"addLicenses": [{"skuId": sku(graph, "O365_BUSINESS_ESSENTIALS")["skuId"]}], "removeLicenses": []}
    assert graph.call("POST", f"/groups/{group}/assignLicense", body).status_code == 202
    people = (first, second, third, nowhere)
    states = [graph.get(f"/users/{p}?$select=licenseAssignmentStates")["licenseAssignmentStates"][0] for p in people]
    assert sorted(state["error"] for state in states) == [
        "CountViolation", "None", "None", "ProhibitedInUsageLocationViolation",
    ]  # fmt: skip
    assert len(graph.get(f"/groups/{group}/membersWithLicenseErrors")["value"]) == 2
    graph.call("PATCH", f"/users/{nowhere}", {"usageLocation": "NO"})
    again = next(p for p, state in zip(people, states, strict=True) if state["error"] == "None")
    graph.call("DELETE", f"/users/{again}")
    assert graph.call("POST", f"/users/{nowhere}/reprocessLicenseAssignment").status_code == 200
    (state,) = graph.get(f"/users/{nowhere}?$select=licenseAssignmentStates")["licenseAssignmentStates"]
    assert (state["state"], state["error"]) == ("Active", "None")
