"""Licences as a browser sees and asks for them, on the real sandbox."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Mapping, Operation, User
from provision.core.vocabulary import OperationState
from provision.house import House
from provision.services import licences, worker
from provision.services.licences import Seats
from tests import office
from tests.cast import Browser, Cast, Clock

USERS = "/t/contoso/users"


@pytest.fixture
def staff(house: House, cast: Cast) -> tuple[int, list[int]]:
    """The app, and people who have a usage location."""
    return office.licensed(house, cast.contoso)


def seats(house: House, cast: Cast, app: int, *, free: bool) -> Seats:
    with house.db.reading() as session:
        found = licences.seats(session, cast.contoso, app)
    return next(one for one in found if one.total and bool(one.left > 3) == free and (free or not one.left))


def without(house: House, cast: Cast, people: list[int], sku: str) -> list[int]:
    with house.db.reading() as session:
        from_there = {n: licences.seen(session, cast.contoso, n) for n in people}
    return [n for n, found in from_there.items() if not any(one.names for one in found.values())] or people


def unsettled(house: House) -> list[OperationState]:
    with house.db.reading() as session:
        return [row.state for row in session.exec(select(Operation).order_by(col(Operation.id))).all()]


def test_the_persons_page_leads_to_what_they_hold_and_what_is_free(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]]
) -> None:
    _app, people = staff
    assert f'href="{USERS}/{people[0]}/licences"' in ada.get(f"{USERS}/{people[0]}").text
    page = ada.get(f"{USERS}/{people[0]}/licences").text
    assert "Microsoft 365 Business Premium" in page
    assert re.search(r"\d+ free", page)


def test_one_is_given_and_taken_and_no_other_is_touched(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    free = seats(house, cast, app, free=True)
    jane = without(house, cast, people, free.sku)[0]
    url = f"{USERS}/{jane}/licences"
    given = ada.post(url, {"app": app, "sku": free.sku, "do": "give"})
    assert given.status_code == 303, given.text
    assert "Not given yet" in ada.get(url).text
    worker.drain(house.ways(), app, memory=worker.Memory())
    assert "Given to the person" in ada.get(url).text
    assert ada.post(url, {"app": app, "sku": free.sku, "do": "take"}).status_code == 303
    worker.drain(house.ways(), app, memory=worker.Memory())
    assert "Take away" not in ada.get(url).text


def test_without_a_seat_nobody_is_given_one_and_the_number_that_is_short_is_said(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    full = seats(house, cast, app, free=False)
    form = {"chosen": people[:3], "app": app, "sku": full.sku, "do": "give"}
    page = ada.post(f"{USERS}/licences", form).text
    assert "short, so nobody would be given any" in page
    assert 'name="sure"' not in page
    refused = ada.post(f"{USERS}/licences", {**form, "sure": "yes"})
    assert refused.status_code == 422
    assert "short 3. Nobody was given one." in refused.text or "short 2. Nobody" in refused.text
    assert unsettled(house) == []


@pytest.mark.parametrize("wrong", ["no seat", "unknown licence", "usage location not mapped"])
def test_what_cannot_be_given_is_said_at_the_field_and_the_choice_stays(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]], wrong: str
) -> None:
    app, people = staff
    sku = seats(house, cast, app, free=wrong != "no seat").sku if wrong != "unknown licence" else "NO_SUCH_PART"
    if wrong == "usage location not mapped":
        with house.db.writing() as session:
            session.execute(sa.delete(Mapping).where(col(Mapping.ours) == "usage_location"))
        assert "The usage location is not mapped" in ada.get(f"{USERS}/{people[0]}/licences").text
    answer = ada.post(f"{USERS}/{people[0]}/licences", {"app": app, "sku": sku, "do": "give"})
    assert answer.status_code == 422
    assert f'id="f-sku-{app}-err"' in answer.text
    assert wrong == "unknown licence" or f'value="{sku}" selected' in answer.text
    assert unsettled(house) == []


def test_many_are_asked_for_with_their_number_and_get_it(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    free = seats(house, cast, app, free=True)
    form = {"chosen": people[:2], "app": app, "sku": free.sku, "do": "give"}
    assert "Give it to 2 people</button>" in ada.post(f"{USERS}/licences", form).text
    done = ada.post(f"{USERS}/licences", {**form, "sure": "yes"})
    assert "Noted for 2 people." in ada.get(done.location).text


def test_who_has_no_country_is_left_out_named_and_can_be_given_one(
    ada: Browser, house: House, cast: Cast, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    with house.db.writing() as session:
        row = session.get(User, people[0])
        assert row is not None
        row.usage_location = None
        session.add(row)
    free = seats(house, cast, app, free=True)
    page = ada.post(f"{USERS}/licences", {"chosen": people[:2], "app": app, "sku": free.sku, "do": "give"}).text
    assert "One person is left out." in page
    assert "Set the usage location of one person" in page
    alone = ada.post(f"{USERS}/{people[0]}/licences", {"app": app, "sku": free.sku, "do": "give"})
    assert alone.status_code == 422
    assert "The usage location is missing" in alone.text


def test_created_but_unlicensed_is_seen_in_the_list_and_ends_when_a_seat_appears(
    ada: Browser, house: House, cast: Cast, clock: Clock, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    free = seats(house, cast, app, free=True)
    jane = without(house, cast, people, free.sku)[0]
    with house.db.writing() as session:
        licences.assign(session, cast.contoso, app, [jane], free.sku, office.order(house))
    sold_out(house, free.sku)
    worker.drain(house.ways(), app, memory=worker.Memory())
    assert unsettled(house) == [OperationState.BLOCKED]
    listed = ada.get(f"{USERS}?account=unlicensed").text
    assert "No licence yet" in listed
    assert "not given yet" in ada.get(f"{USERS}/{jane}").text
    assert "No seat is left of" in ada.get(f"{USERS}/{jane}/licences").text
    sold_out(house, free.sku, by=-50)
    clock.forward(minutes=11)
    worker.drain(house.ways(), app, memory=worker.Memory())
    assert unsettled(house) == [OperationState.DONE]
    assert "Nobody fits" in ada.get(f"{USERS}?account=unlicensed").text


def sold_out(house: House, sku: str, by: int = 50) -> None:
    """At Microsoft, all seats of a licence go to somebody else, or come back."""
    with house.sandbox().store.writing() as db:
        db.execute(
            "UPDATE skus SET body = json_set(body, '$.prepaidUnits.enabled', "
            "json_extract(body, '$.prepaidUnits.enabled') - ?) WHERE id = ?",
            (by, sku),
        )


@pytest.mark.parametrize("form", [{"sku": "x", "app": "999"}, {"sku": "x", "app": "no"}, {"sku": ""}, {}])
def test_a_form_that_names_nothing_gives_nothing(
    ada: Browser, house: House, staff: tuple[int, list[int]], form: dict[str, str]
) -> None:
    _app, people = staff
    assert ada.post(f"{USERS}/{people[0]}/licences", {**form, "do": "give"}).status_code in (404, 422)
    assert unsettled(house) == []


def test_another_tenants_person_is_not_there(
    enter: Callable[[int], Browser], cast: Cast, staff: tuple[int, list[int]]
) -> None:
    app, people = staff
    cy = enter(cast.cy)
    assert cy.get(f"/t/fabrikam/users/{people[0]}/licences").status_code == 404
    assert cy.post(f"/t/fabrikam/users/{people[0]}/licences", {"app": app, "sku": "x"}).status_code == 404
    form = {"chosen": people[:1], "app": app, "sku": "x", "sure": "yes"}
    assert cy.post("/t/fabrikam/users/licences", form).status_code == 404
