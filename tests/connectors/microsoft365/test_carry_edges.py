"""Corners of carrying that no well-behaved tenant shows."""

import json
from typing import Any

import httpx2
import pytest

from provision.connectors.http import Cloud, Wire, World
from provision.connectors.microsoft365 import carrying, passwords, recycling
from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import (
    LICENCES,
    MANAGER,
    Missing,
    OutsideError,
    Record,
    Refused,
    Unauthorised,
    Unreachable,
    Write,
)
from provision.core.vocabulary import OperationKind
from tests.connectors.microsoft365.test_carry_bin import ANCHOR, create, graph, refused
from tests.connectors.microsoft365.test_graph import HOME, Issuer

SKU = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"


def update(**more: Any) -> Write:
    return Write(OperationKind.UPDATE, ANCHOR, "r", **more)


class Closed(Issuer):
    """Hands out its first token and no other."""

    def get(self, *, fresh: bool = False) -> Issuer:
        if fresh:
            raise Unauthorised("secret_expired")
        return self


def test_when_no_new_token_is_to_be_had_only_those_fail_that_need_one() -> None:
    def told(request: httpx2.Request) -> httpx2.Response:
        items = json.loads(request.content)["requests"]
        statuses = [401 if each["id"] == "1" else 204 for each in items]
        responses = [{"id": each["id"], "status": status} for each, status in zip(items, statuses, strict=True)]
        return httpx2.Response(200, json={"responses": responses})

    cloud = Cloud("custom", HOME, HOME, transport=lambda _: httpx2.MockTransport(told))
    world = World(clouds={}, sleep=lambda _: None)
    client = Graph(Wire(HOME, cloud, world), Closed(), world)  # type: ignore[arg-type]
    outcomes = carrying.carry(client, [update(values={"city": "x"}), update(values={"city": "y"})], {})
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [None, "secret_expired"]


def test_a_stamp_that_is_refused_fails_the_create_since_nobody_could_be_found_again() -> None:
    client, asked = graph(
        lambda method, url, body: (
            (200, {"value": []})
            if method == "GET"
            else refused(code="InvalidValue", target="onPremisesExtensionAttributes")
        )
    )
    plain = create()
    write = Write(plain.kind, None, "r", plain.values, enabled=True, correlation=("extensionAttribute15", "c"))
    (outcome,) = carrying.carry(client, [write], {})
    assert isinstance(outcome.error, Refused)
    assert outcome.record is None
    assert [method for method, _ in asked] == ["GET", "POST"]


def test_a_newcomer_without_a_manager_needs_no_call_for_it() -> None:
    client, asked = graph(
        lambda method, url, body: (
            (200, {"value": []}) if method == "GET" else (201, {"id": ANCHOR, "mail": "n@x.example"})
        )
    )
    plain = create()
    write = Write(plain.kind, None, "r", plain.values, enabled=True, moves_manager=True)
    (outcome,) = carrying.carry(client, [write], {})
    assert outcome.left == {}
    assert outcome.record == Record(
        ANCHOR, {**plain.values, "accountEnabled": True, "mail": "n@x.example", MANAGER: None}
    )
    assert len(asked) == 2


@pytest.mark.parametrize("manager", ["../me", "", "x" * 129])
def test_a_manager_whose_anchor_is_none_is_asked_for_nowhere(manager: str) -> None:
    client, asked = graph(lambda *_: (204, None))
    (outcome,) = carrying.carry(client, [update(manager=manager, moves_manager=True)], {})
    assert isinstance(outcome.error, Unreachable)
    assert (outcome.error.code, outcome.error.sent, asked) == ("manager_not_there", False, [])


def test_a_licence_that_is_not_held_is_taken_away_already() -> None:
    states = [7, {}, {"skuId": 7}, {"skuId": SKU, "assignedByGroup": "no id"}, {"skuId": SKU, "assignedByGroup": {}}]
    there = {"assignedLicenses": [{"skuId": 7}, 7], "licenseAssignmentStates": states}
    client, asked = graph(lambda *_: (200, there))
    (outcome,) = carrying.carry(client, [update(licences={SKU: False})], {})
    assert outcome.record == Record(ANCHOR, {"assignedLicenses": []})
    assert outcome.left == {}
    assert [method for method, _ in asked] == ["GET"]


def test_a_swap_is_one_call_and_keeps_what_it_does_not_name() -> None:
    other, old = SKU[::-1], SKU.replace("c", "d")
    held = [{"skuId": each, "disabledPlans": ["p"]} for each in (other, old)]
    states = [{**each, "assignedByGroup": None} for each in held]
    sent: list[Any] = []

    def answer(method: str, url: str, body: Any) -> tuple[int, Any]:
        sent.append(body)
        return 200, {"assignedLicenses": held, "licenseAssignmentStates": states}

    client, _ = graph(answer)
    (outcome,) = carrying.carry(client, [update(licences={SKU.upper(): True, old: False})], {})
    assert sent[1:] == [{"addLicenses": [{"skuId": SKU, "disabledPlans": []}], "removeLicenses": [old]}]
    assert outcome.record is not None
    assert [each["skuId"] for each in outcome.record.values["assignedLicenses"]] == [other, SKU]


@pytest.mark.parametrize(("status", "kind"), [(404, Missing), (500, Unreachable), (200, Unreachable)])
def test_when_the_licences_somebody_holds_cannot_be_read_none_are_given(status: int, kind: type[OutsideError]) -> None:
    client, asked = graph(lambda method, url, body: (204, None) if method == "PATCH" else (status, [1]))
    (outcome,) = carrying.carry(client, [update(values={"city": "x"}, licences={SKU: True})], {})
    error = outcome.left[LICENCES]
    assert isinstance(error, kind)
    assert not getattr(error, "sent", False)
    assert [method for method, _ in asked] == ["PATCH", "GET"]


def test_what_stops_the_manager_stops_the_licences_too() -> None:
    client, asked = graph(lambda method, url, body: (204, None) if method == "PATCH" else (503, None))
    write = update(values={"city": "x"}, manager="m", moves_manager=True, licences={SKU: True})
    (outcome,) = carrying.carry(client, [write], {})
    assert outcome.record == Record(ANCHOR, {"city": "x"})
    assert {name: type(error) for name, error in outcome.left.items()} == {MANAGER: Unreachable, LICENCES: Unreachable}
    assert [method for method, _ in asked] == ["PATCH", "PUT"]


def test_a_bin_that_may_not_be_read_says_which_right_is_missing() -> None:
    client, _ = graph(lambda *_: (403, {"error": {"code": "Authorization_RequestDenied"}}))
    with pytest.raises(Refused) as raised:
        recycling.discarded(client, [])
    assert (raised.value.code, raised.value.params["permission"]) == ("permission_missing", "User.Read.All")


def test_a_password_that_is_refused_as_a_value_is_kept_elsewhere() -> None:
    reply = refused(code="InvalidValue", target="passwordProfile")
    client = Graph(
        Wire(
            HOME,
            Cloud(
                "custom",
                HOME,
                HOME,
                transport=lambda _: httpx2.MockTransport(lambda r: httpx2.Response(reply[0], json=reply[1])),
            ),
            World(clouds={}),
        ),
        Issuer(),  # type: ignore[arg-type]
        World(clouds={}),
    )
    with pytest.raises(Refused) as raised:
        passwords.set_password(client, ANCHOR, "Loud-River-52-Ladder")
    assert raised.value.code == "password_federated"
