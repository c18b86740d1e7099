"""Whatever a batch answers, every call gets its own answer or none."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.connectors.http import Answer, Cloud, Wire, World
from provision.connectors.microsoft365 import carrying
from provision.connectors.microsoft365.batch import Call, exchange
from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import OutsideError, Record, Throttled, Unauthorised, Unreachable, Write
from provision.core.vocabulary import OperationKind
from tests.connectors.microsoft365.test_graph import HOME, Issuer

Items = list[dict[str, Any]]


def graph(answer: Callable[[Items], Any]) -> tuple[Graph, list[Items]]:
    """A Graph whose batches are answered by this; what is no response is the list of its items' responses."""
    asked: list[Items] = []

    def told(request: httpx2.Request) -> httpx2.Response:
        asked.append(json.loads(request.content)["requests"])
        found = answer(asked[-1])
        return found if isinstance(found, httpx2.Response) else httpx2.Response(200, json={"responses": found})

    cloud = Cloud("custom", HOME, HOME, transport=lambda _: httpx2.MockTransport(told))
    world = World(clouds={}, sleep=lambda _: None)
    return Graph(Wire(HOME, cloud, world), Issuer(), world), asked  # type: ignore[arg-type]


def anchors(number: int) -> list[str]:
    return [f"a{index:02}" for index in range(number)]


def calls(number: int) -> list[Call]:
    return [
        Call("PATCH", "/users/{id}", "x", f"ref-{each}", {"jobTitle": each}, {"id": each}) for each in anchors(number)
    ]


def writes(number: int) -> list[Write]:
    return [Write(OperationKind.UPDATE, each, f"ref-{each}", {"jobTitle": each}) for each in anchors(number)]


def test_an_item_carries_all_that_a_call_of_its_own_would() -> None:
    client, asked = graph(lambda items: [{"id": "0", "status": 204}, {"id": "1", "status": 200, "body": {}}])
    read = Call(
        "GET", "/users/{id}", "x", "r2", None, {"id": "å/b"}, {"$select": "id"}, {"ConsistencyLevel": "eventual"}
    )
    exchange(client, [*calls(1), read])
    assert asked == [
        [
            {
                "id": "0",
                "method": "PATCH",
                "url": "/users/a00",
                "headers": {"client-request-id": "ref-a00", "Content-Type": "application/json"},
                "body": {"jobTitle": "a00"},
            },
            {
                "id": "1",
                "method": "GET",
                "url": "/users/%C3%A5%2Fb?$select=id",
                "headers": {"client-request-id": "r2", "ConsistencyLevel": "eventual"},
            },
        ]
    ]


def test_a_call_shows_nothing_of_its_values() -> None:
    assert "secret" not in repr(Call("POST", "/users", "x", "r", {"password": "secret"}, {"id": "secret"}))


ANSWERS = st.fixed_dictionaries({"status": st.sampled_from([204, 200, 400, 403, 404, 409, 429, 500, 424])})


@settings(max_examples=150, deadline=None)
@given(
    number=st.integers(1, 20),
    told=st.lists(st.tuples(st.integers(0, 24), ANSWERS), max_size=40),
    strange=st.lists(st.one_of(st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.text())), max_size=3),
)
def test_outcomes_align_with_their_writes_whatever_order_and_subset_a_batch_answers(
    number: int, told: list[tuple[int, dict[str, Any]]], strange: list[Any]
) -> None:
    first_round: dict[int, list[int]] = {}

    def answer(items: Items) -> list[Any]:
        if first_round:
            return []
        for at, response in told:
            first_round.setdefault(at, []).append(response["status"])
        first_round.setdefault(-1, [])
        return [*strange, *({"id": str(at), **response} for at, response in told)]

    client, _ = graph(answer)
    outcomes = carrying.carry(client, writes(number), {})
    assert len(outcomes) == number
    for at, (anchor, outcome) in enumerate(zip(anchors(number), outcomes, strict=True)):
        statuses = first_round.get(at, [])
        if statuses in ([204], [200]):
            assert (outcome.record, outcome.error) == (Record(anchor, {"jobTitle": anchor}), None)
        else:
            assert outcome.record is None
            assert outcome.error is not None
        if len(statuses) != 1:
            assert isinstance(outcome.error, Unreachable)
            assert outcome.error.sent, "what was not answered, or twice, is in doubt"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"responses":null}',
        b'{"responses":{}}',
        b'{"responses":[{"id":"0"}]}',
        b'{"responses":[{"id":"0","status":"204"}]}',
        b'{"responses":[{"id":"0","status":true}]}',
        b'{"responses":[{"id":"0","status":99}]}',
        b'{"responses":[{"id":0,"status":204}]}',
        b'{"responses":[{"status":204}]}',
        b'{"responses":[{"id":"0","status":204},{"id":"0","status":404}]}',
        b'{"responses":[{"id":"0","status":302,"headers":{"Location":"https://evil.example"}}]}',
    ],
)
def test_an_answer_without_sense_leaves_a_write_in_doubt_and_is_not_asked_for_again(body: bytes) -> None:
    client, asked = graph(
        lambda items: httpx2.Response(200, headers={"Content-Type": "application/json"}, content=body)
    )
    (outcome,) = carrying.carry(client, writes(1), {})
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent
    assert outcome.record is None
    assert len(asked) == 1


@pytest.mark.parametrize("headers", [None, [], {"Retry-After": 7}, {"retry-after": "7"}, {"Retry-After": ["7"]}, "x"])
def test_an_item_that_has_to_wait_says_how_long_if_it_can(headers: Any) -> None:
    client, _ = graph(lambda items: [{"id": "0", "status": 429, "headers": headers}])
    (outcome,) = carrying.carry(client, writes(1), {})
    assert isinstance(outcome.error, Throttled)
    told = isinstance(headers, dict) and not isinstance(next(iter(headers.values())), list)
    assert outcome.error.after == (7 if told else 10)


def test_an_item_that_depended_on_a_failed_one_was_not_carried_out() -> None:
    client, _ = graph(lambda items: [{"id": "0", "status": 424}])
    (outcome,) = carrying.carry(client, writes(1), {})
    assert isinstance(outcome.error, Unreachable)
    assert not outcome.error.sent


def test_only_items_whose_token_was_refused_go_once_more_and_only_once() -> None:
    client, asked = graph(
        lambda items: [{"id": each["id"], "status": 401 if each["url"] == "/users/a01" else 204} for each in items]
    )
    outcomes = carrying.carry(client, writes(3), {})
    assert [type(outcome.error) for outcome in outcomes] == [type(None), Unauthorised, type(None)]
    assert [[each["url"] for each in items] for items in asked] == [
        ["/users/a00", "/users/a01", "/users/a02"],
        ["/users/a01"],
    ]


def test_one_call_that_spoils_the_batch_is_found_and_the_others_go() -> None:
    def answer(items: Items) -> Any:
        if any(each["url"] == "/users/a05" for each in items):
            return httpx2.Response(400, json={"error": {"code": "BadRequest", "message": "?"}})
        return [{"id": each["id"], "status": 204} for each in items]

    client, asked = graph(answer)
    outcomes = carrying.carry(client, writes(20), {})
    assert [at for at, outcome in enumerate(outcomes) if outcome.error] == [5]
    assert len(asked) < 12


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_batch_that_broke_leaves_all_writes_in_doubt_and_is_not_sent_again(status: int) -> None:
    client, asked = graph(lambda items: httpx2.Response(status))
    outcomes = carrying.carry(client, writes(20), {})
    assert all(isinstance(outcome.error, Unreachable) and outcome.error.sent for outcome in outcomes)
    assert len(asked) == 1


def test_rounds_are_shared_so_that_many_cost_no_more_round_trips_than_one() -> None:
    def answer(items: Items) -> list[dict[str, Any]]:
        return [{"id": each["id"], "status": 204} for each in items]

    client, asked = graph(answer)
    both = [
        Write(OperationKind.UPDATE, each, "r", {"jobTitle": "x"}, manager="m", moves_manager=True)
        for each in anchors(20)
    ]
    assert not any(outcome.error or outcome.left for outcome in carrying.carry(client, both, {}))
    assert [len(items) for items in asked] == [20, 20]


def test_a_text_that_no_encoder_takes_is_judged_by_microsoft_alone() -> None:
    client, asked = graph(lambda items: [{"id": each["id"], "status": 204} for each in items])
    broken = Write(OperationKind.UPDATE, "a", "r", {"jobTitle": "\ud800"})
    assert [outcome.error for outcome in carrying.carry(client, [*writes(1), broken], {})] == [None, None]
    assert len(asked) == 1


WORDS = (
    "id value error code details target message skuId displayName @odata.nextLink assignedByGroup disabledPlans "
    "licenseAssignmentStates assignedLicenses userPrincipalName deletedDateTime"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(bodies=st.lists(st.tuples(st.sampled_from([200, 201, 204, 400, 403, 404]), JSON), min_size=1, max_size=12))
def test_whatever_an_item_holds_becomes_an_outcome_and_no_exception(bodies: list[tuple[int, Any]]) -> None:
    left = list(bodies)

    def answer(items: Items) -> list[dict[str, Any]]:
        return [
            {"id": each["id"], "status": status, "body": body}
            for each in items
            for status, body in [left.pop() if left else (500, None)]
        ]

    client, _ = graph(answer)
    sku = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
    bonds: dict[str, Any] = {"manager": "m", "moves_manager": True, "licences": {sku: True, sku[::-1]: False}}
    values = {"userPrincipalName": "a@b.example", "employeeId": "1"}
    kinds = (OperationKind.CREATE, OperationKind.UPDATE, OperationKind.RESTORE, OperationKind.DELETE)
    asked = [
        Write(kind, None if kind is OperationKind.CREATE else f"a{number}", "r", values, enabled=True, **bonds)
        for number, kind in enumerate(kinds)
    ]
    for outcome in carrying.carry(client, asked, {}):
        assert outcome.error is None or isinstance(outcome.error, OutsideError)
        assert outcome.error or outcome.record or outcome == type(outcome)(request_id=outcome.request_id)


def test_the_answer_of_an_item_is_read_like_any_other() -> None:
    client, _ = graph(
        lambda items: [{"id": "0", "status": 200, "headers": {"Request-Id": "theirs"}, "body": {"a": ["\u00e5"]}}]
    )
    (reply,) = exchange(client, calls(1))
    assert isinstance(reply, Answer)
    assert (reply.request_id, reply.json()) == ("theirs", {"a": ["å"]})
