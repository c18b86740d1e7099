"""`$batch`: shape, order, dependencies, items that fail on their own."""

from typing import Any

import pytest

from provision.sandbox import Faults, LostAnswer
from tests.sandbox.conftest import NEW, Caller, strike

JSON = {"Content-Type": "application/json"}


def send(graph: Caller, *items: dict[str, Any]) -> dict[str, Any]:
    answer = graph.call("POST", "/$batch", {"requests": list(items)})
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["responses"]}


def item(item_id: str, method: str = "GET", url: str = "/users?$top=1", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "method": method, "url": url, **more}


def test_every_item_has_an_answer_of_its_own_in_any_order(graph: Caller) -> None:
    answer = graph.call("POST", "/$batch", {"requests": [item("1"), item("2", url="users/nobody"), item("3")]})
    responses = answer.json()["responses"]
    assert [one["id"] for one in responses] != ["1", "2", "3"]
    assert {one["id"]: one["status"] for one in responses} == {"1": 200, "2": 404, "3": 200}


def test_writes_work_and_an_empty_answer_has_no_body(graph: Caller) -> None:
    made = send(graph, item("new", "POST", "/users", headers=JSON, body=NEW))["new"]
    assert (made["status"], made["body"]["displayName"]) == (201, "Nélida Ødegård")
    assert "Location" in made["headers"]
    url = f"/users/{made['body']['id']}"
    changed = send(graph, item("up", "PATCH", url, headers=JSON, body={"jobTitle": "Mate"}))["up"]
    assert changed["status"] == 204
    assert "body" not in changed


def test_a_failed_parent_fails_its_children_with_424(graph: Caller) -> None:
    found = send(graph, item("1", url="/users/nobody"), item("2", dependsOn=["1"]), item("3", dependsOn=["2"]))
    assert [found[name]["status"] for name in "123"] == [404, 424, 424]


def test_headers_of_an_item_are_its_own(graph: Caller) -> None:
    found = send(
        graph,
        item("1", url="/users?$count=true&$top=1", headers={"ConsistencyLevel": "eventual"}),
        item("2", url="/users?$count=true&$top=1"),
    )
    assert found["1"]["body"]["@odata.count"] == 60
    assert "@odata.count" not in found["2"]["body"]


def test_a_body_without_its_type_and_a_full_address_are_refused(graph: Caller) -> None:
    found = send(
        graph,
        item("1", "POST", "/users", body=NEW),
        item("2", url="https://graph.microsoft.com/v1.0/users"),
        item("3", "POST", "/$batch", headers=JSON, body={"requests": [item("x")]}),
    )
    assert {one["status"] for one in found.values()} == {400}


@pytest.mark.parametrize(
    "requests",
    [
        [],
        "all",
        [{"method": "GET", "url": "/users"}],
        [item("a"), item("A")],
        [item("1", dependsOn=["2"]), item("2")],
        [item(str(number)) for number in range(21)],
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(graph: Caller, requests: Any) -> None:
    assert graph.refusal("POST", "/$batch", {"requests": requests}) == (400, "BadRequest")


def test_items_are_throttled_one_by_one(graph: Caller, faults: Faults) -> None:
    faults.add(strike("throttle", "/v1.0/users", skip=1, retry_after=17))
    found = send(graph, item("1"), item("2"), item("3"))
    assert {name: one["status"] for name, one in found.items()} == {"1": 200, "2": 429, "3": 200}
    assert found["2"]["headers"]["Retry-After"] == "17"
    assert found["2"]["body"]["error"]["code"] == "TooManyRequests"


def test_a_lost_answer_of_a_batch_leaves_its_writes_behind(graph: Caller, faults: Faults) -> None:
    faults.add(strike("drop_after", "/v1.0/$batch"))
    with pytest.raises(LostAnswer) as lost:
        send(graph, item("new", "POST", "/users", headers=JSON, body=NEW))
    assert lost.value.applied
    assert graph.get("/users/nelida@fjordvik.example")["displayName"] == "Nélida Ødegård"
