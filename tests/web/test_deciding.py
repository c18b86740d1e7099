"""Decisions about accounts as a browser meets them: the question with both sides shown, and the answer."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from provision.core.vocabulary import OperationState, Situation
from provision.factory import create_app
from provision.house import House
from provision.services import users
from tests.cast import Browser, Cast, Clock
from tests.services.outgoing import Desk

ACCOUNTS = "/t/contoso/accounts"
JANE = {"given_name": "Jane", "surname": "Doe", "username": "jane", "email": "jane@there.example"}


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


@pytest.fixture
def app(house: House, desk: Desk) -> Flask:
    """The application, whose way out leads to the desk's directory."""
    app = create_app(house=replace(house, connect=lambda _: desk.there))
    app.testing = True
    return app


def add(desk: Desk) -> int:
    with desk.house.db.writing() as session:
        return users.add(session, desk.tenant, JANE, desk.order()).user_id


def delete(desk: Desk, number: int) -> None:
    with desk.house.db.writing() as session:
        users.delete(session, desk.tenant, number, desk.order())
    desk.clock.forward(seconds=10)
    desk.drain()


@pytest.fixture
def twin(desk: Desk) -> int:
    """A create that met a deleted account with its address."""
    delete(desk, desk.present("jane"))
    jane = add(desk)
    desk.drain()
    assert desk.only(jane).state == OperationState.BLOCKED
    return jane


@pytest.fixture
def taken(desk: Desk) -> int:
    """A create whose address belongs to somebody else there."""
    desk.there.add(
        "other", userPrincipalName="jane@there.example", surname="D'Oh", createdDateTime="2020-01-01T00:00:00Z"
    )
    jane = add(desk)
    desk.drain()
    desk.clock.forward(seconds=3)
    desk.drain()
    assert desk.only(jane).state == OperationState.BLOCKED
    return jane


def at(desk: Desk, number: int, what: str) -> str:
    return f"{ACCOUNTS}/{desk.account(number).id}/{what}"


def test_the_queue_and_the_person_offer_what_helps_a_create_that_met_a_deleted_twin(
    ada: Browser, desk: Desk, twin: int
) -> None:
    for page in (ada.get("/t/contoso/queue?show=blocked").text, ada.get(f"/t/contoso/users/{twin}").text):
        for what in ("restore", "beside"):
            assert f'href="{at(desk, twin, what)}"' in page, what
        assert f'href="/t/contoso/users/{twin}/edit"' in page


def test_the_twin_comes_back_by_two_clicks(ada: Browser, desk: Desk, twin: int) -> None:
    question = ada.get(at(desk, twin, "restore")).text
    assert "Restore the deleted account for Jane Doe?" in question
    answer = ada.post(at(desk, twin, "restore"))
    assert answer.status_code == 303
    assert "The deleted account comes back as theirs." in ada.get(answer.location).text
    desk.drain()
    assert len(desk.there.people) == 1
    assert desk.there.bin == {}


def test_or_a_new_account_is_made_beside_it(ada: Browser, desk: Desk, twin: int) -> None:
    assert ada.post(at(desk, twin, "beside")).status_code == 303
    desk.drain()
    assert (len(desk.there.people), len(desk.there.bin)) == (1, 1)


def test_the_second_of_two_answers_finds_nothing_left_to_decide(ada: Browser, desk: Desk, twin: int) -> None:
    url = at(desk, twin, "restore")
    assert ada.post(url).status_code == 303
    again = ada.post(url)
    assert again.status_code == 409
    assert "This change no longer waits" in again.text
    assert "There is nothing to decide any more." in ada.get(url).text


def test_linking_shows_both_records_and_changes_nothing_there(ada: Browser, desk: Desk, taken: int) -> None:
    before = dict(desk.there.people["other"])
    question = ada.get(at(desk, taken, "link")).text
    assert re.search(r"D&#39;Oh</td>\s*<td[^>]*>Doe", question)
    answer = ada.post(at(desk, taken, "link"))
    assert "Linked. Nothing was changed there." in ada.get(answer.location).text
    assert desk.there.people["other"] == before
    assert desk.account(taken).anchor == "other"


def test_what_was_there_to_link_and_is_gone_by_now_is_said(ada: Browser, desk: Desk, taken: int) -> None:
    desk.there.remove("other")
    page = ada.get(at(desk, taken, "link"))
    assert page.status_code == 404
    assert "It is not there" in page.text
    assert "Link them" not in page.text


@pytest.fixture
def gone(desk: Desk) -> int:
    """Somebody who works here and whose account was deleted there, as an import saw it."""
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor or ""
    desk.there.bin[anchor] = desk.there.people.pop(anchor)
    with desk.house.db.writing() as session:
        account = desk.account(jane)
        account.situation, account.removed = Situation.GONE, "restorable"
        session.add(account)
    return jane


def test_a_person_whose_account_is_gone_gets_it_back(ada: Browser, desk: Desk, gone: int) -> None:
    assert f'href="{at(desk, gone, "back")}"' in ada.get(f"/t/contoso/users/{gone}").text
    ada.post(at(desk, gone, "back"))
    desk.drain()
    assert desk.account(gone).situation == Situation.LINKED
    assert desk.there.bin == {}


def test_or_lets_it_go_and_gets_a_new_one(ada: Browser, desk: Desk, gone: int) -> None:
    desk.there.bin.clear()
    old = desk.account(gone).anchor
    ada.post(at(desk, gone, "unlink"))
    desk.drain()
    assert desk.account(gone).anchor not in (None, old)


@pytest.mark.parametrize(("why", "code"), [("by_hand", "protected_by_hand"), ("break_glass", "break_glass")])
def test_a_protected_account_is_left_alone_by_whatever_runs_by_itself_and_says_why(
    ada: Browser, desk: Desk, why: str, code: str
) -> None:
    jane = desk.present("jane")
    assert "Protect…" in ada.get(f"/t/contoso/users/{jane}").text
    assert ada.post(at(desk, jane, "protect"), {"why": why}).status_code == 303
    page = ada.get(f"/t/contoso/users/{jane}").text
    assert "No longer protect…" in page
    assert "nothing that runs by itself disables or deletes it" in page
    assert "Protected in Office 365" in page
    assert "nothing that runs by itself" in ada.get(f"/t/contoso/users/{jane}/delete").text
    (effect,) = desk.leave(jane, by_hand=False, deleted=False)
    assert effect.here_only == {"*": code}


def test_only_an_owner_lifts_a_protection(
    ada: Browser, enter: Callable[[int], Browser], cast: Cast, desk: Desk
) -> None:
    jane = desk.present("jane")
    ben = enter(cast.ben)
    assert ben.post(at(desk, jane, "protect"), {"why": "by_hand"}).status_code == 303
    assert "Only an owner may lift a protection." in ben.get(at(desk, jane, "unprotect")).text
    refused = ben.post(at(desk, jane, "unprotect"))
    assert refused.status_code == 403
    assert ada.post(at(desk, jane, "unprotect")).status_code == 303
    assert desk.leave(jane, by_hand=False, deleted=False)[0].operation_id is not None


def test_what_cannot_be_known_for_lack_of_a_right_counts_as_protected(ada: Browser, desk: Desk) -> None:
    desk.connector(facts={"domains": [{"name": "there.example", "federated": False}]})
    jane = desk.present("jane")
    assert "The app may not read directory roles" in ada.get(f"/t/contoso/users/{jane}").text
    assert "We cannot tell whether this is an administrator" in ada.get(f"/t/contoso/users/{jane}/disable").text
    assert desk.leave(jane, by_hand=False, deleted=False)[0].here_only == {"*": "protection_unknown"}


@pytest.mark.parametrize("what", ["link", "restore", "beside", "back", "unlink", "protect", "unprotect"])
def test_another_tenants_account_is_not_there(
    enter: Callable[[int], Browser], cast: Cast, desk: Desk, twin: int, what: str
) -> None:
    account = desk.account(twin).id
    cy = enter(cast.cy)
    for answer in (cy.get(f"/t/fabrikam/accounts/{account}/{what}"), cy.post(f"/t/fabrikam/accounts/{account}/{what}")):
        assert answer.status_code == 404


def test_an_auditor_is_offered_no_decision(enter: Callable[[int], Browser], cast: Cast, desk: Desk, twin: int) -> None:
    dee: Any = enter(cast.dee)
    assert "/accounts/" not in dee.get(f"/t/contoso/users/{twin}").text
    assert "/accounts/" not in dee.get("/t/contoso/queue?show=blocked").text
