"""Licences: seats for all or for nobody, never without a country, and a wish that is kept until it is fulfilled."""

from typing import Any

import pytest

from provision.core.ports import Refused
from provision.house import House
from provision.services import licences
from provision.services.errors import NotFound, ServiceError
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    desk = Desk(house, cast.contoso, clock)
    seats = {"sku": "e3", "part": "ENTERPRISEPACK", "total": 10, "used": 8, "free": 2}
    desk.connector(facts={**desk.connector().facts, "seats": [seats]})
    return desk


def do(desk: Desk, work: Any, *people: int, sku: str = "e3") -> licences.Assigned:
    with desk.house.db.writing() as session:
        return work(session, desk.tenant, desk.app, people, sku, desk.order())  # type: ignore[no-any-return]


def held(desk: Desk, number: int) -> Any:
    return desk.there.people[desk.account(number).anchor or ""].get("licences", [])


def test_a_licence_reaches_the_app_and_takes_no_other_away(desk: Desk) -> None:
    jane = desk.present("jane", usage_location="NO")
    desk.there.people[desk.account(jane).anchor or ""]["licences"] = ["p1"]
    assert do(desk, licences.assign, jane).going == (jane,)
    desk.drain()
    assert held(desk, jane) == ["e3", "p1"]
    assert desk.account(jane).intent == {}


def test_seats_are_counted_for_all_of_them_before_anybody_gets_one(desk: Desk) -> None:
    people = [desk.present(f"p{number}", usage_location="NO") for number in range(3)]
    with pytest.raises(ServiceError) as raised:
        do(desk, licences.assign, *people)
    assert (raised.value.code, raised.value.params["needed"], raised.value.params["free"]) == ("seats_short", 3, 2)
    assert desk.operations() == []


def test_seats_that_were_promised_are_not_promised_again(desk: Desk) -> None:
    people = [desk.present(f"p{number}", usage_location="NO") for number in range(3)]
    do(desk, licences.assign, *people[:2])
    with pytest.raises(ServiceError, match="seats_short"):
        do(desk, licences.assign, people[2])
    assert do(desk, licences.assign, *people[:2]).going == tuple(people[:2])


def test_a_country_is_never_guessed(desk: Desk) -> None:
    jane, john = desk.present("jane"), desk.present("john", usage_location="NO")
    done = do(desk, licences.assign, jane, john)
    assert (done.going, done.refused) == ((john,), {jane: "usage_location_missing"})


def test_an_unknown_licence_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no_such_licence"):
        do(desk, licences.assign, desk.present("jane", usage_location="NO"), sku="e5")


def test_created_but_unlicensed_is_a_state_of_its_own_and_ends_by_itself(desk: Desk) -> None:
    jane = desk.hire("jane", usage_location="NO")
    desk.enqueue(jane)
    do(desk, licences.assign, jane)
    desk.there.left["licences"] = Refused("no_seat", sku="e3")
    desk.drain()
    assert [operation.state for operation in desk.operations(jane)] == ["done", "blocked"]
    assert desk.account(jane).anchor is not None
    desk.there.left.clear()
    desk.clock.forward(minutes=15)
    desk.drain()
    assert held(desk, jane) == ["e3"]
    assert [operation.state for operation in desk.operations(jane)] == ["done", "done"]
