"""Licences: seats for all or for nobody, never without a country, and a wish that is kept until it is fulfilled."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from provision.core.ports import Holding, Refused
from provision.core.tables import Mapping
from provision.house import House
from provision.sandbox.faults import Fault
from provision.services import connectors, licences, worker
from provision.services.errors import NotFound, ServiceError
from tests import office
from tests.cast import Cast, Clock
from tests.fakes.target import TargetDirectory
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    desk = Desk(house, cast.contoso, clock)
    seats = {"sku": "e3", "part": "ENTERPRISEPACK", "total": 10, "used": 8, "free": 2}
    desk.connector(facts={**desk.connector().facts, "seats": [seats]})
    with house.db.writing() as session:
        session.add(
            Mapping(tenant_id=cast.contoso, connector_id=desk.app, ours="usage_location", theirs="usageLocation")
        )
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


def test_without_a_row_that_carries_the_usage_location_nobody_is_given_one(desk: Desk) -> None:
    jane = desk.present("jane", usage_location="NO")
    with desk.house.db.writing() as session:
        session.execute(sa.delete(Mapping).where(col(Mapping.ours) == "usage_location"))
    with pytest.raises(ServiceError, match="usage_location_unmapped"):
        do(desk, licences.assign, jane)


def test_a_licence_is_called_by_its_number_its_part_or_its_name(desk: Desk) -> None:
    with desk.house.db.reading() as session:
        for text in ("e3", "enterprisepack", "ENTERPRISEPACK"):
            assert licences.named(session, desk.tenant, desk.app, text).sku == "e3"


def test_the_shortfall_is_known_before_anything_starts(desk: Desk) -> None:
    people = [desk.present(f"p{number}", usage_location="NO") for number in range(5)]
    with desk.house.db.reading() as session:
        told = licences.foresee(session, desk.tenant, desk.app, people, "e3", give=True)
    assert (told.needed, told.seats.left, told.short) == (5, 2, 3)


def test_who_has_it_already_needs_no_second_seat(desk: Desk) -> None:
    jane = desk.present("jane", usage_location="NO")
    with desk.house.db.writing() as session:
        account = desk.account(jane)
        account.observed = {**account.observed, "assignedLicenses": [{"skuId": "E3"}]}
        session.add(account)
    with desk.house.db.reading() as session:
        assert licences.foresee(session, desk.tenant, desk.app, [jane], "e3", give=True).needed == 0


def test_seats_are_read_again_just_before_they_are_counted(house: House, cast: Cast) -> None:
    app, people = office.licensed(house, cast.contoso)
    with house.db.writing() as session:
        row = connectors.get(session, cast.contoso, app)
        row.facts = {**row.facts, "seats": [{**one, "free": 10_000} for one in row.facts["seats"]]}
        session.add(row)
    full = next(one for one in seats_of(house, cast, app) if not truth(house, cast, app)[one.sku])
    with pytest.raises(ServiceError) as raised:
        licences.give(house.db.writing, house.connect, cast.contoso, app, people[:2], full.sku, office.order(house))
    assert raised.value.params["short"] == 2


def seats_of(house: House, cast: Cast, app: int) -> list[licences.Seats]:
    with house.db.reading() as session:
        return licences.seats(session, cast.contoso, app)


def truth(house: House, cast: Cast, app: int) -> dict[str, int]:
    """The free seats that Microsoft tells of."""
    port: Any = house.connect(office.of(house, cast.contoso, app))
    return {one["sku"]: one["free"] for one in port.seats()}


def test_a_persons_shelf_names_the_group_that_gives_a_licence_and_what_is_on_its_way(house: House, cast: Cast) -> None:
    app, people = office.licensed(house, cast.contoso)
    shelves = {
        number: licences.shelves(house.db.reading, house.connect, cast.contoso, number)[0] for number in people[:12]
    }
    held = [one for shelf in shelves.values() for one in shelf.licences]
    assert any(one.held and one.direct for one in held)
    free = next(one for one in seats_of(house, cast, app) if one.left > 2)
    jane = next(number for number, shelf in shelves.items() if free.sku not in {one.sku for one in shelf.licences})
    done = licences.give(house.db.writing, house.connect, cast.contoso, app, [jane], free.sku, office.order(house))
    assert done.going == (jane,)
    (shelf,) = licences.shelves(house.db.reading, house.connect, cast.contoso, jane)
    assert [(one.held, one.coming) for one in shelf.licences if one.sku == free.sku] == [(False, True)]
    worker.drain(house.ways(), app, memory=worker.Memory())
    (shelf,) = licences.shelves(house.db.reading, house.connect, cast.contoso, jane)
    assert [(one.held, one.direct, one.coming) for one in shelf.licences if one.sku == free.sku] == [(True, True, None)]


class Selling(TargetDirectory):
    """The small directory, which gives one licence through a group."""

    def seats(self) -> list[dict[str, Any]]:
        return [{"sku": "e3", "part": "ENTERPRISEPACK", "name": "Office 365 E3", "total": 10, "used": 8, "free": 2}]

    def holdings(self, anchor: str) -> list[Holding]:
        return [Holding("e3", False, ("Sales",))] if anchor in self.people else []


def test_what_comes_from_a_group_is_named_and_stays_when_it_is_taken_away(desk: Desk) -> None:
    desk.there = Selling(desk.clock)
    jane = desk.present("jane", usage_location="NO")
    connect = lambda _: desk.there  # noqa: E731
    (shelf,) = licences.shelves(desk.house.db.reading, connect, desk.tenant, jane)
    assert [(one.direct, one.groups) for one in shelf.licences] == [(False, ("Sales",))]
    desk.there.left["licences"] = Refused("licence_inherited", sku="e3", licence="Office 365 E3", group="Sales")
    licences.take(desk.house.db.writing, desk.tenant, desk.app, [jane], "e3", desk.order())
    desk.drain()
    (shelf,) = licences.shelves(desk.house.db.reading, connect, desk.tenant, jane)
    assert (shelf.waits or {})["code"] == "licence_inherited"
    assert (shelf.waits or {})["params"]["group"] == "Sales"


def test_when_they_cannot_be_read_what_was_last_seen_is_shown_with_the_reason(house: House, cast: Cast) -> None:
    _app, people = office.licensed(house, cast.contoso)
    house.sandbox().faults.add(Fault("status", path="/v1.0/users/*", times=None, details={"status": 403}))
    (shelf,) = licences.shelves(house.db.reading, house.connect, cast.contoso, people[0])
    assert shelf.trouble is not None
