"""Drift of licences, on the sandbox: what was given from here and is there no more; nothing else is any of ours."""

from typing import Any

import pytest

from provision.core.vocabulary import DriftChoice, OperationState
from provision.house import House
from provision.sandbox import PERMISSIONS
from provision.services import drift, licences
from tests import office
from tests.cast import Cast, Clock
from tests.faults.road import Road

E3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"
FLOW = "f30db892-07e9-47e9-837c-80727f46fd3d"


@pytest.fixture
def road(house: House, cast: Cast, clock: Clock) -> Road:
    return Road(house, cast.contoso, clock)


@pytest.fixture
def kim(road: Road) -> int:
    """Kim, who was given two licences from here and holds both."""
    road.seats(E3, 10)
    (number,) = road.hire("kim")
    road.wish([number], E3, FLOW)
    road.work(2)
    road.read()
    assert sorted(road.licences(number)) == sorted([E3, FLOW])
    assert road.account(number).given == {E3: True, FLOW: True}
    return number


def elsewhere(road: Road, user_id: int, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
    """Somebody else's tool gives and takes licences."""
    body = {"addLicenses": [{"skuId": one, "disabledPlans": []} for one in add], "removeLicenses": list(remove)}
    road.call("POST", f"/users/{road.account(user_id).anchor}/assignLicense", body)


def compare(road: Road) -> list[drift.Item]:
    road.clock.forward(minutes=1)
    road.read(compare=True)
    return items(road)


def items(road: Road, choice: DriftChoice = DriftChoice.OPEN) -> list[drift.Item]:
    with road.house.db.reading() as session:
        return drift.listed(session, road.tenant, road.house.kinds, choice)


def choose(road: Road, answer: str) -> drift.Chosen:
    shown = {item.id: item.fingerprint for item in items(road)}
    with road.house.db.writing() as session:
        return drift.choose(session, road.tenant, drift.Answer(answer), shown, road.order())


def test_a_licence_that_somebody_else_took_away_is_listed_by_its_name_and_nothing_is_sent(road: Road, kim: int) -> None:
    assert compare(road) == []
    elsewhere(road, kim, remove=(E3,))
    (item,) = compare(road)
    assert (item.attribute, item.label) == (f"licences.{E3}", "Licence Microsoft 365 E3")
    assert (item.ours, item.theirs, item.bars, item.over) == ("given", "not given", {}, False)
    road.edit(kim, surname="Married")
    road.work(2)
    assert road.licences(kim) == [FLOW]
    assert ("drifted", 1) in [(what, n) for what, n, _ in road.needs()]


def test_pushing_it_back_gives_exactly_that_licence_again(road: Road, kim: int) -> None:
    elsewhere(road, kim, remove=(E3,))
    compare(road)
    assert choose(road, "push").done == 1
    road.work(2)
    assert sorted(road.licences(kim)) == sorted([E3, FLOW])
    assert compare(road) == []


def test_pushing_it_back_without_a_seat_waits_for_one_like_any_other(road: Road, kim: int) -> None:
    elsewhere(road, kim, remove=(E3,))
    compare(road)
    road.sell_out(E3)
    choose(road, "push")
    road.work(1)
    assert road.operations(kim)[-1].state == OperationState.BLOCKED
    assert ("unseated", 1, "Microsoft 365 E3") in road.needs()


def test_accepting_it_lets_the_licence_go_and_never_asks_again(road: Road, kim: int) -> None:
    elsewhere(road, kim, remove=(E3,))
    compare(road)
    before = len(road.operations(kim))
    assert choose(road, "accept").done == 1
    road.work(1)
    assert len(road.operations(kim)) == before
    assert road.account(kim).given == {FLOW: True}
    assert (compare(road), road.told("licence.let_go")) == ([], 1)


def test_leaving_it_alone_lasts_until_it_is_back(road: Road, kim: int) -> None:
    elsewhere(road, kim, remove=(E3,))
    compare(road)
    choose(road, "leave")
    assert (compare(road), len(items(road, DriftChoice.ALONE))) == ([], 1)
    elsewhere(road, kim, add=(E3,))
    assert (compare(road), items(road, DriftChoice.ALONE)) == ([], [])


def test_what_somebody_else_gave_and_what_was_taken_away_from_here_is_none_of_ours(road: Road, kim: int) -> None:
    order = road.order()
    licences.take(road.house.db.writing, road.tenant, road.app, [kim], FLOW, order)
    road.work(2)
    assert road.account(kim).given == {E3: True}
    elsewhere(road, kim, add=(FLOW,))
    assert compare(road) == []
    elsewhere(road, kim, remove=(FLOW,))
    assert compare(road) == []


def test_a_licence_that_a_group_gives_is_named_and_never_drifts(road: Road, kim: int) -> None:
    (lee,) = road.hire("lee")
    road.work(1)
    road.sandbox.grant_consent([*PERMISSIONS, "Group.ReadWrite.All"])
    road.sandbox.expire_tokens()
    group = road.call("POST", "/groups", _group("Sales"))["id"]
    body = {"addLicenses": [{"skuId": E3, "disabledPlans": []}], "removeLicenses": []}
    road.call("POST", f"/groups/{group}/assignLicense", body)
    for number in (kim, lee):
        link = f"{road.sandbox.credentials()['graph_url']}/v1.0/directoryObjects/{road.account(number).anchor}"
        road.call("POST", f"/groups/{group}/members/$ref", {"@odata.id": link})
    elsewhere(road, kim, remove=(E3,))
    assert compare(road) == [], "kim still holds it, through the group; lee never had it from here"
    for number in (kim, lee):
        (shelf,) = licences.shelves(road.house.db.reading, road.house.connect, road.tenant, number)
        assert [(one.direct, one.groups) for one in shelf.licences if one.sku == E3] == [(False, ("Sales",))]


def _group(name: str) -> dict[str, Any]:
    return {"displayName": name, "mailEnabled": False, "mailNickname": name.lower(), "securityEnabled": True}


def test_an_account_that_is_made_anew_begins_without_any(road: Road, kim: int) -> None:
    assert office.of(road.house, road.tenant, road.app).facts["seats"]
    (lee,) = road.hire("lee")
    road.work(1)
    assert road.account(lee).given == {}
