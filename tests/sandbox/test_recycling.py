"""Deleted people: the bin, coming back, conflicts, thirty days."""

from tests.cast import Clock
from tests.sandbox.conftest import Caller

BIN = "/directory/deletedItems"


def deleted(graph: Caller, **different: str) -> dict[str, str]:
    person = graph.create(**different)
    assert graph.call("DELETE", f"/users/{person['id']}").status_code == 204
    return person


def test_a_deleted_person_is_in_the_bin_under_a_mangled_name(graph: Caller) -> None:
    person = deleted(graph)
    assert graph.refusal("GET", f"/users/{person['id']}") == (404, "Request_ResourceNotFound")
    (found,) = graph.get(f"{BIN}/microsoft.graph.user?$select=id,userPrincipalName,deletedDateTime")["value"]
    assert found["userPrincipalName"] == person["id"].replace("-", "") + "nelida@fjordvik.example"
    assert found["deletedDateTime"] == "2026-11-23T09:30:00Z"
    assert graph.get(f"{BIN}/{person['id']}")["@odata.type"] == "#microsoft.graph.user"
    assert graph.call("GET", f"{BIN}/graph.user/$count", ConsistencyLevel="eventual").text == "1"


def test_deleting_twice_is_404(graph: Caller) -> None:
    person = deleted(graph)
    assert graph.refusal("DELETE", f"/users/{person['id']}") == (404, "Request_ResourceNotFound")


def test_somebody_comes_back_as_they_were(graph: Caller) -> None:
    person = deleted(graph, mail="nelida@fjordvik.example")
    answer = graph.call("POST", f"{BIN}/{person['id']}/restore")
    assert (answer.status_code, answer.json()["@odata.type"]) == (200, "#microsoft.graph.user")
    found = graph.get("/users/nelida@fjordvik.example?$select=id,mail,deletedDateTime,accountEnabled")
    assert (found["id"], found["mail"], found["deletedDateTime"]) == (person["id"], "nelida@fjordvik.example", None)
    assert graph.get(f"{BIN}/graph.user")["value"] == []


def test_a_sign_in_name_taken_meanwhile_asks_for_another(graph: Caller) -> None:
    person = deleted(graph)
    graph.create()
    answer = graph.call("POST", f"{BIN}/{person['id']}/restore")
    assert answer.json()["error"]["details"][0]["target"] == "userPrincipalName"
    renamed = {"newUserPrincipalName": "nelida.old@fjordvik.example"}
    assert graph.call("POST", f"{BIN}/{person['id']}/restore", renamed).status_code == 200
    assert graph.get("/users/nelida.old@fjordvik.example")["id"] == person["id"]


def test_an_address_taken_meanwhile_is_dropped_when_asked(graph: Caller) -> None:
    person = deleted(graph, mail="crew@fjordvik.example")
    graph.create(userPrincipalName="other@fjordvik.example", mail="crew@fjordvik.example")
    answer = graph.call("POST", f"{BIN}/{person['id']}/restore")
    assert answer.json()["error"]["details"][0]["target"] == "proxyAddresses"
    reconcile = {"autoReconcileProxyConflict": True}
    assert graph.call("POST", f"{BIN}/{person['id']}/restore", reconcile).status_code == 200
    assert graph.get(f"/users/{person['id']}?$select=proxyAddresses")["proxyAddresses"] == []


def test_memberships_come_back_with_the_person(graph: Caller) -> None:
    person = graph.create()["id"]
    group = graph.call(
        "POST",
        "/groups",
        {
            "displayName": "Night Watch",
            "mailEnabled": False,
            "mailNickname": "night",
            "securityEnabled": True,
            "members@odata.bind": [f"https://graph.sandbox.invalid/v1.0/users/{person}"],
        },
    ).json()["id"]
    graph.call("DELETE", f"/users/{person}")
    assert graph.get(f"/groups/{group}/members")["value"] == []
    graph.call("POST", f"{BIN}/{person}/restore")
    assert [item["id"] for item in graph.get(f"/groups/{group}/members")["value"]] == [person]


def test_a_purge_is_for_good(graph: Caller) -> None:
    person = deleted(graph)
    assert graph.call("DELETE", f"{BIN}/{person['id']}").status_code == 204
    assert graph.refusal("POST", f"{BIN}/{person['id']}/restore")[0] == 404


def test_after_thirty_days_the_bin_is_emptied(graph: Caller, clock: Clock) -> None:
    person = deleted(graph)
    clock.forward(days=29, hours=23)
    graph.sign_in()
    assert graph.call("GET", f"{BIN}/{person['id']}").status_code == 200
    clock.forward(hours=1)
    graph.sign_in()
    assert graph.refusal("GET", f"{BIN}/{person['id']}")[0] == 404


def test_restoring_needs_a_right_and_reach(graph: Caller) -> None:
    lesser = graph.role_holder("Helpdesk Administrator")["id"]
    graph.call("DELETE", f"/users/{lesser}")
    graph.sandbox.unassign_role("User Administrator")
    assert graph.sign_in().refusal("POST", f"{BIN}/{lesser}/restore")[0] == 403
    graph.sandbox.grant_consent(["User.Read.All"])
    assert graph.sign_in().refusal("POST", f"{BIN}/{lesser}/restore")[0] == 403
