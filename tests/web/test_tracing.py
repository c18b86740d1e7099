"""Why? as a browser reads it: on the person's page, beside a row of the report, and when nothing happened."""

import re

import pytest
from flask import Flask

from provision.core.ports import Refused
from provision.house import House
from tests.cast import Browser, Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock, app: Flask) -> Desk:
    return Desk(house, cast.contoso, clock)


def why(number: int) -> str:
    return f"/t/contoso/users/{number}/why"


def test_the_five_steps_are_asked_and_answered(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane")
    assert f'href="{why(jane)}"' in ada.get(f"/t/contoso/users/{jane}").text
    page = ada.get(why(jane)).text
    for asked in ("In scope?", "Matched by?", "Mapped how?", "What was sent?", "What came back?"):
        assert asked in page
    assert "Nothing: what is there is what the mapping wants." in page


def test_what_keeps_it_from_going_stands_there_with_its_button(ada: Browser, desk: Desk) -> None:
    jane = desk.hire("jane")
    desk.switch(create=False)
    page = ada.get(why(jane)).text
    assert "Create User is off" in page
    assert f'href="/t/contoso/provisioning?app={desk.app}"' in page


def test_sync_now_leads_to_the_steps_and_they_are_asked_again_until_settled(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, surname="Dahl")
    answer = ada.post(f"/t/contoso/users/{jane}/now")
    assert answer.location == why(jane)
    page = ada.get(why(jane)).text
    assert 'hx-trigger="every 2s"' in page
    assert "Dahl" in page
    desk.drain()
    page = ada.get(why(jane), headers={"HX-Request": "true"}).text
    assert "every 2s" not in page
    assert "The app confirmed it." in page


def test_a_row_of_the_report_shows_its_steps(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane")
    desk.there.befall(Refused("sign_in_name_refused", request_id="r-1"))
    desk.change(jane, surname="Dahl")
    desk.enqueue(jane)
    desk.drain()
    listed = ada.get("/t/contoso/reports?result=failed").text
    event = re.search(r"event=(\d+)", listed)
    assert event is not None
    drawer = ada.get(f"/t/contoso/reports?result=failed&event={event[1]}").text
    assert "What was sent?" in drawer
    assert "Microsoft refused the address" in drawer
    assert "r-1" in drawer


def test_when_nothing_happened_to_the_one_person_asked_for_the_report_says_where_to_read_why(
    ada: Browser, desk: Desk, clock: Clock
) -> None:
    jane = desk.hire("jane")
    page = ada.get("/t/contoso/reports?who=jane@there.example").text
    assert "Nothing happened to Jane Here in this time." in page
    assert f'href="{why(jane)}"' in page
    assert "Nothing happened to" not in ada.get("/t/contoso/reports?who=nobody+of+this+name").text


def test_an_auditor_reads_the_steps_and_is_offered_no_click(
    ada: Browser, enter: object, cast: Cast, desk: Desk
) -> None:
    jane = desk.hire("jane")
    dee = enter(cast.dee)  # type: ignore[operator]
    page = dee.get(why(jane)).text
    assert "In scope?" in page
    assert "Sync this person now" not in page


def test_another_tenants_person_is_not_there(enter: object, cast: Cast, desk: Desk) -> None:
    jane = desk.hire("jane")
    cy = enter(cast.cy)  # type: ignore[operator]
    assert cy.get(f"/t/fabrikam/users/{jane}/why").status_code == 404
