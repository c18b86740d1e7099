"""Delta: rounds, selections baked into tokens, what became of people, tokens that grow old."""

import pytest

from provision.sandbox import Faults
from tests.cast import Clock
from tests.sandbox.conftest import Caller, strike

FEW = {"Prefer": "odata.maxpagesize=7"}


def changes(graph: Caller, link: str) -> list[dict[str, object]]:
    return graph.walk(link)[0]


def test_a_first_walk_meets_everybody_once_in_pages(graph: Caller) -> None:
    page = graph.get("/users/delta", **FEW)
    assert len(page["value"]) == 7
    assert "@odata.deltaLink" not in page
    items, _ = graph.walk("/users/delta", **FEW)
    assert len({item["id"] for item in items}) == len(items) == 60


def test_nothing_happened_means_an_empty_round(graph: Caller) -> None:
    _, link = graph.walk("/users/delta")
    items, again = graph.walk(link)
    assert items == []
    assert again != ""


def test_the_selection_is_baked_into_the_links(graph: Caller) -> None:
    items, link = graph.walk("/users/delta?$select=displayName,accountEnabled", **FEW)
    assert {tuple(item) for item in items} == {("displayName", "accountEnabled", "id")}
    person = graph.create()
    assert changes(graph, link) == [{"displayName": "Nélida Ødegård", "accountEnabled": True, "id": person["id"]}]


def test_a_change_nobody_selected_does_not_show(graph: Caller) -> None:
    person = graph.create()
    _, link = graph.walk("/users/delta?$select=displayName")
    graph.call("PATCH", f"/users/{person['id']}", {"jobTitle": "Mate"})
    assert changes(graph, link) == []
    graph.call("PATCH", f"/users/{person['id']}", {"displayName": "Nélida Sætre"})
    assert changes(graph, link) == [{"displayName": "Nélida Sætre", "id": person["id"]}]


def test_a_change_to_the_same_value_is_none(graph: Caller) -> None:
    person = graph.create()
    _, link = graph.walk("/users/delta")
    graph.call("PATCH", f"/users/{person['id']}", {"displayName": "Nélida Ødegård"})
    assert changes(graph, link) == []


def test_a_changed_person_comes_whole_or_minimal_as_preferred(graph: Caller) -> None:
    person = graph.create()
    _, link = graph.walk("/users/delta?$select=displayName,jobTitle")
    graph.call("PATCH", f"/users/{person['id']}", {"jobTitle": "Mate"})
    assert changes(graph, link) == [{"displayName": "Nélida Ødegård", "jobTitle": "Mate", "id": person["id"]}]
    minimal = graph.get(link, Prefer="return=minimal")["value"]
    assert minimal == [{"jobTitle": "Mate", "id": person["id"]}]


def test_deleted_purged_and_restored_people_show_as_such(graph: Caller) -> None:
    person = graph.create()
    _, link = graph.walk("/users/delta?$select=displayName")
    graph.call("DELETE", f"/users/{person['id']}")
    assert changes(graph, link) == [{"id": person["id"], "@removed": {"reason": "changed"}}]
    graph.call("POST", f"/directory/deletedItems/{person['id']}/restore")
    assert changes(graph, link) == [{"displayName": "Nélida Ødegård", "id": person["id"]}]
    graph.call("DELETE", f"/users/{person['id']}")
    graph.call("DELETE", f"/directory/deletedItems/{person['id']}")
    assert changes(graph, link) == [{"id": person["id"], "@removed": {"reason": "deleted"}}]


def test_a_manager_comes_as_a_relationship_and_goes_as_a_removed_one(graph: Caller) -> None:
    chief, mate = (graph.create(userPrincipalName=f"{n}@fjordvik.example")["id"] for n in ("chief", "mate"))
    _, link = graph.walk("/users/delta?$select=displayName,manager")
    reference = {"@odata.id": f"https://graph.sandbox.invalid/v1.0/users/{chief}"}
    graph.call("PUT", f"/users/{mate}/manager/$ref", reference)
    (item,), link = graph.walk(link)
    assert item["manager@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": chief}]
    graph.call("DELETE", f"/users/{mate}/manager/$ref")
    (item,), _ = graph.walk(link)
    assert item["manager@delta"][0]["@removed"] == {"reason": "deleted"}


def test_latest_gives_only_a_link_from_now(graph: Caller) -> None:
    page = graph.get("/users/delta?$deltatoken=latest&$select=displayName")
    assert page["value"] == []
    person = graph.create()
    assert [item["id"] for item in changes(graph, page["@odata.deltaLink"])] == [person["id"]]


def test_what_happens_during_a_walk_is_not_lost(graph: Caller) -> None:
    first = graph.get("/users/delta?$select=displayName", **FEW)
    early = first["value"][3]["id"]
    with_role = graph.role_holder("Global Administrator")["id"]
    assert early != with_role
    graph.call("PATCH", f"/users/{early}", {"displayName": "Renamed Meanwhile"})
    _, link = graph.walk(first["@odata.nextLink"], **FEW)
    assert [item["displayName"] for item in changes(graph, link)] == ["Renamed Meanwhile"]


def test_an_empty_token_begins_anew(graph: Caller) -> None:
    assert len(graph.walk("/users/delta?$select=displayName&$deltatoken=")[0]) == 60


def test_ids_may_be_filtered_and_nothing_else(graph: Caller) -> None:
    people = graph.get("/users?$top=2")["value"]
    query = " or ".join(f"id eq '{person['id']}'" for person in people)
    assert {item["id"] for item in graph.walk(f"/users/delta?$filter={query}")[0]} == {one["id"] for one in people}
    assert graph.refusal("GET", "/users/delta?$filter=displayName eq 'x'") == (400, "Request_BadRequest")
    too_many = " or ".join(f"id eq '{people[0]['id']}'" for _ in range(51))
    assert graph.refusal("GET", f"/users/delta?$filter={too_many}")[0] == 400


@pytest.mark.parametrize("option", ["$orderby=displayName", "$expand=manager", '$search="displayName:a"'])
def test_options_delta_does_not_know_are_refused(graph: Caller, option: str) -> None:
    assert graph.refusal("GET", f"/users/delta?{option}") == (400, "Request_BadRequest")


def test_a_token_is_good_for_seven_days(graph: Caller, clock: Clock) -> None:
    _, link = graph.walk("/users/delta")
    clock.forward(days=7)
    graph.sign_in()
    assert graph.call("GET", link).status_code == 200
    clock.forward(seconds=1)
    assert graph.refusal("GET", link) == (400, "syncStateNotFound")


def test_a_changed_token_is_refused(graph: Caller) -> None:
    _, link = graph.walk("/users/delta")
    assert graph.refusal("GET", link[:-6] + "AAAAAA")[0] == 400


def test_a_reset_points_to_a_walk_with_the_same_selection(graph: Caller, faults: Faults) -> None:
    _, link = graph.walk("/users/delta?$select=displayName,manager")
    faults.add(strike("gone", "/v1.0/users/delta"))
    answer = graph.call("GET", link)
    assert answer.status_code == 410
    assert answer.headers["Location"].endswith("/users/delta?$select=displayName,id,manager&$deltatoken=")
    items, _ = graph.walk(answer.headers["Location"])
    assert len(items) == 60


def test_changes_show_late_when_delta_lags(graph: Caller, faults: Faults, clock: Clock) -> None:
    _, link = graph.walk("/users/delta")
    faults.turn(lag_delta=60)
    person = graph.create()
    items, link = graph.walk(link)
    assert items == []
    clock.forward(seconds=61)
    assert [item["id"] for item in changes(graph, link)] == [person["id"]]


def test_groups_have_a_delta_with_their_members(graph: Caller) -> None:
    items, link = graph.walk("/groups/delta?$select=displayName,members")
    assert any(item.get("members@delta") for item in items)
    group = next(item for item in items if item["displayName"] == "Licence: Power Automate")
    person = graph.create()
    member = {"@odata.id": f"https://graph.sandbox.invalid/v1.0/directoryObjects/{person['id']}"}
    graph.call("POST", f"/groups/{group['id']}/members/$ref", member)
    (item,), link = graph.walk(link)
    assert [entry["id"] for entry in item["members@delta"]] == [person["id"]]
    graph.call("DELETE", f"/groups/{group['id']}/members/{person['id']}/$ref")
    (item,), _ = graph.walk(link)
    assert item["members@delta"][0]["@removed"] == {"reason": "deleted"}
