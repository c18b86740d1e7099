"""Groups: kinds, members by reference, all or nothing, who decides instead of us."""

from typing import Any

import pytest

from tests.sandbox.conftest import Caller

GRAPH = "https://graph.sandbox.invalid/v1.0"
SECURITY = {"displayName": "Night Watch", "mailEnabled": False, "mailNickname": "night", "securityEnabled": True}


def link(object_id: str) -> dict[str, str]:
    return {"@odata.id": f"{GRAPH}/directoryObjects/{object_id}"}


def group(graph: Caller, name: str) -> dict[str, Any]:
    return next(item for item in graph.get("/groups?$top=999")["value"] if item["displayName"] == name)


def made(graph: Caller, **different: Any) -> str:
    answer = graph.call("POST", "/groups", SECURITY | different)
    assert answer.status_code == 201, answer.text
    group_id: str = answer.json()["id"]
    return group_id


def members(graph: Caller, group_id: str) -> list[str]:
    return [item["id"] for item in graph.get(f"/groups/{group_id}/members")["value"]]


def test_every_kind_of_group_is_there(graph: Caller) -> None:
    assert group(graph, "All Staff")["groupTypes"] == ["DynamicMembership"]
    assert group(graph, "Harbour News")["groupTypes"] == ["Unified"]
    assert group(graph, "Gangway Notices")["mailEnabled"]
    assert group(graph, "Shore Office VPN")["onPremisesSyncEnabled"]
    assert group(graph, "Finance")["securityEnabled"]


def test_members_come_and_go_by_reference(graph: Caller) -> None:
    person, group_id = graph.create()["id"], made(graph)
    answer = graph.call("POST", f"/groups/{group_id}/members/$ref", link(person))
    assert (answer.status_code, answer.content) == (204, b"")
    assert members(graph, group_id) == [person]
    (membership,) = graph.get(f"/users/{person}/memberOf/graph.group")["value"]
    assert membership["id"] == group_id
    assert graph.call("DELETE", f"/groups/{group_id}/members/{person}/$ref").status_code == 204
    assert members(graph, group_id) == []
    assert graph.refusal("DELETE", f"/groups/{group_id}/members/{person}/$ref")[0] == 404


def test_a_member_twice_is_refused_in_known_words(graph: Caller) -> None:
    person, group_id = graph.create()["id"], made(graph)
    graph.call("POST", f"/groups/{group_id}/members/$ref", link(person))
    answer = graph.call("POST", f"/groups/{group_id}/members/$ref", link(person))
    assert answer.status_code == 400
    assert "added object references already exist" in answer.json()["error"]["message"]


def test_several_members_are_bound_all_or_none(graph: Caller) -> None:
    people = [graph.create(userPrincipalName=f"crew{n}@fjordvik.example")["id"] for n in range(3)]
    group_id = made(graph)
    bound = [link(person)["@odata.id"] for person in people]
    unknown = link("11111111-1111-1111-1111-111111111111")["@odata.id"]
    assert graph.refusal("PATCH", f"/groups/{group_id}", {"members@odata.bind": [*bound, unknown]})[0] == 404
    assert members(graph, group_id) == []
    assert graph.call("PATCH", f"/groups/{group_id}", {"members@odata.bind": bound}).status_code == 204
    assert sorted(members(graph, group_id)) == sorted(people)
    assert graph.refusal("PATCH", f"/groups/{group_id}", {"members@odata.bind": bound * 7})[0] == 400


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("All Staff", 403, "Authorization_RequestDenied"),
        ("Tier Zero", 403, "Authorization_RequestDenied"),
        ("Shore Office VPN", 400, "Request_BadRequest"),
        ("Gangway Notices", 400, "Request_BadRequest"),
    ],
)
def test_membership_decided_elsewhere_is_refused(graph: Caller, name: str, status: int, code: str) -> None:
    person = graph.create()["id"]
    path = f"/groups/{group(graph, name)['id']}/members/$ref"
    assert graph.refusal("POST", path, link(person)) == (status, code)


def test_forgetting_the_reference_deletes_the_person(graph: Caller) -> None:
    person, group_id = graph.create()["id"], made(graph)
    graph.call("POST", f"/groups/{group_id}/members/$ref", link(person))
    assert graph.call("DELETE", f"/groups/{group_id}/members/{person}").status_code == 204
    assert graph.refusal("GET", f"/users/{person}")[0] == 404


@pytest.mark.parametrize(
    "different",
    [
        {"mailNickname": "night.watch"},
        {"mailNickname": None},
        {"mailEnabled": True},
        {"securityEnabled": False},
        {"groupTypes": ["Unified"]},
        {"groupTypes": ["DynamicMembership"]},
        {"shoeSize": 7},
    ],
)
def test_a_group_that_makes_no_sense_is_refused(graph: Caller, different: dict[str, Any]) -> None:
    assert graph.refusal("POST", "/groups", SECURITY | different) == (400, "Request_BadRequest")


def test_nicknames_are_unique_among_mail_enabled_groups_only(graph: Caller) -> None:
    unified = {"mailEnabled": True, "groupTypes": ["Unified"], "securityEnabled": False}
    made(graph)
    made(graph)
    made(graph, **unified)
    assert graph.refusal("POST", "/groups", SECURITY | unified) == (400, "Request_BadRequest")


def test_a_role_assignable_group_needs_a_higher_right(graph: Caller) -> None:
    assert graph.refusal("POST", "/groups", SECURITY | {"isAssignableToRole": True})[0] == 403


def test_groups_nest_but_not_in_a_microsoft_365_group(graph: Caller) -> None:
    outer, inner, person = made(graph), made(graph), graph.create()["id"]
    graph.call("POST", f"/groups/{inner}/members/$ref", link(person))
    assert graph.call("POST", f"/groups/{outer}/members/$ref", link(inner)).status_code == 204
    assert members(graph, outer) == [inner]
    assert [item["id"] for item in graph.get(f"/groups/{outer}/transitiveMembers")["value"]] == [person]
    unified = made(graph, mailEnabled=True, groupTypes=["Unified"], securityEnabled=False)
    assert graph.refusal("POST", f"/groups/{unified}/members/$ref", link(inner))[0] == 400


def test_members_are_paged_and_counted(graph: Caller) -> None:
    staff = group(graph, "All Staff")["id"]
    seen, path = [], f"/groups/{staff}/members?$top=10&$select=id"
    while path:
        page = graph.get(path)
        seen += [item["id"] for item in page["value"]]
        path = page.get("@odata.nextLink", "")
    assert len(seen) == len(set(seen))
    assert graph.call("GET", f"/groups/{staff}/members/$count", ConsistencyLevel="eventual").text == str(len(seen))


def test_properties_change_and_synced_groups_do_not(graph: Caller) -> None:
    group_id = made(graph)
    assert graph.call("PATCH", f"/groups/{group_id}", {"description": "After dark"}).status_code == 204
    assert graph.get(f"/groups/{group_id}")["description"] == "After dark"
    synced = group(graph, "Shore Office VPN")["id"]
    assert graph.refusal("PATCH", f"/groups/{synced}", {"description": "x"}) == (400, "Request_BadRequest")


def test_owners_come_and_go(graph: Caller) -> None:
    person, group_id = graph.create()["id"], made(graph)
    assert graph.call("POST", f"/groups/{group_id}/owners/$ref", link(person)).status_code == 204
    assert [item["id"] for item in graph.get(f"/groups/{group_id}/owners")["value"]] == [person]
    assert graph.call("DELETE", f"/groups/{group_id}/owners/{person}/$ref").status_code == 204


def test_memberships_of_a_person_mix_groups_and_roles(graph: Caller) -> None:
    holder = graph.role_holder("User Administrator")["id"]
    graph.sandbox.grant_consent(["Directory.Read.All"])
    graph.sign_in()
    kinds = {item["@odata.type"] for item in graph.get(f"/users/{holder}/memberOf")["value"]}
    assert kinds == {"#microsoft.graph.group", "#microsoft.graph.directoryRole"}
    groups = graph.call("POST", f"/users/{holder}/getMemberGroups", {"securityEnabledOnly": True}).json()["value"]
    assert groups


def test_a_deleted_group_is_restored_but_never_purged_by_an_application(graph: Caller) -> None:
    group_id = made(graph)
    assert graph.call("DELETE", f"/groups/{group_id}").status_code == 204
    assert graph.refusal("GET", f"/groups/{group_id}")[0] == 404
    assert [item["id"] for item in graph.get("/directory/deletedItems/graph.group")["value"]] == [group_id]
    assert graph.refusal("DELETE", f"/directory/deletedItems/{group_id}")[0] == 403
    assert graph.call("POST", f"/directory/deletedItems/{group_id}/restore").status_code == 200
    assert graph.get(f"/groups/{group_id}")["displayName"] == "Night Watch"
