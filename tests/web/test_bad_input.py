"""What people type wrong, or twice, or too late: a sentence at the field, the form as typed, and nothing half done."""

from typing import Any

import pytest
from flask import Flask
from sqlmodel import col, select

from provision.core.ports import Taken
from provision.core.tables import Mapping, Operation, User
from provision.core.vocabulary import Lifecycle, OperationState
from provision.house import House
from provision.services import users
from tests.cast import Browser, Cast, Clock
from tests.services.outgoing import Desk

USERS = "/t/contoso/users"
JANE = {"given_name": "Jane", "surname": "Doe", "username": "jane", "email": "jane@there.example"}


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock, app: Flask) -> Desk:
    desk = Desk(house, cast.contoso, clock)
    with house.db.writing() as session:
        session.add(
            Mapping(tenant_id=cast.contoso, connector_id=desk.app, ours="usage_location", theirs="usageLocation")
        )
    return desk


def people(desk: Desk) -> list[User]:
    with desk.house.db.reading() as session:
        return list(session.exec(select(User).order_by(col(User.id))).all())


def operations(desk: Desk) -> list[Operation]:
    with desk.house.db.reading() as session:
        return list(session.exec(select(Operation).order_by(col(Operation.id))).all())


@pytest.mark.parametrize(
    ("wrong", "at", "words"),
    [
        ({"email": "taken@there.example"}, "email", "has this address"),
        ({"email": "TAKEN@There.Example"}, "email", "has this address"),
        ({"email": "stranger@there.example"}, "email", "Office 365"),
        ({"email": "jane@elsewhere.example"}, "email", "verified"),
        ({"email": "jäne@there.example"}, "email", ""),
        ({"email": "jane.@there.example"}, "email", ""),
        ({"surname": " "}, "surname", ""),
        ({"given_name": "x" * 65}, "given_name", "64"),
        ({"employee_id": "1" * 17}, "employee_id", "16"),
        ({"title": "a\x07b"}, "title", ""),
        ({"usage_location": "ZZZ"}, "usage_location", ""),
        ({"manager": "nobody@there.example"}, "manager", ""),
    ],
    ids=str,
)
def test_it_is_said_at_the_field_and_the_form_stays_as_typed(
    ada: Browser, desk: Desk, wrong: dict[str, str], at: str, words: str
) -> None:
    desk.present("taken")
    desk.there.add("other", userPrincipalName="stranger@there.example")
    with desk.house.db.writing() as session:
        stranger = desk.account(desk.present("stranger2"))
        stranger.name, stranger.user_id = "stranger@there.example", None
        session.add(stranger)
    before = len(people(desk))
    answer = ada.post(f"{USERS}/new", {**JANE, "department": "Deck <b>", **wrong})
    assert answer.status_code == 422
    assert f'id="f-{at}-err"' in answer.text
    assert words in answer.text
    assert "Deck &lt;b&gt;" in answer.text
    assert (len(people(desk)), operations(desk)) == (before, [])


def test_a_username_that_somebody_has_is_said_before_the_click_and_is_no_refusal(ada: Browser, desk: Desk) -> None:
    desk.present("other", username="jane")
    assert "The username is also that of Other Here" in ada.post(f"{USERS}/look", JANE).text
    assert ada.post(f"{USERS}/new", JANE).status_code == 303


@pytest.mark.parametrize("taken", ["userPrincipalName", "mailNickname"])
def test_what_turns_out_to_be_taken_there_blocks_with_its_remedy_and_makes_no_second(
    ada: Browser, desk: Desk, taken: str
) -> None:
    ada.post(f"{USERS}/new", JANE)
    desk.there.befall(Taken("value_taken", attribute=taken))
    for _ in range(8):
        desk.drain()
        desk.clock.forward(minutes=6)
        page = ada.get("/t/contoso/queue?show=blocked").text
    (row,) = operations(desk)
    assert (row.state, len(desk.there.people)) == (OperationState.BLOCKED, 0)
    assert "Change the value" in page


def test_a_directory_synced_account_is_read_only_and_that_is_known_before_the_click(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane")
    with desk.house.db.writing() as session:
        account = desk.account(jane)
        account.standing = {"synced": True}
        session.add(account)
    assert "Set by directory sync" in ada.get(f"{USERS}/{jane}/edit").text
    form = {"version": "1", "surname": "Roe", "was-surname": "Here"}
    answer = ada.post(f"{USERS}/{jane}/edit", form)
    assert "changed here only" in ada.get(answer.location).text
    assert [row.surname for row in people(desk)] == ["Roe"]
    assert operations(desk) == []


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_a_protected_account_is_named_before_the_click_and_left_to_an_owner(
    enter: Any, cast: Cast, desk: Desk, how: str
) -> None:
    jane = desk.present("jane")
    desk.connector(facts={**desk.connector().facts, "roles": {desk.account(jane).anchor: ["Global Administrator"]}})
    ben = enter(cast.ben)
    question = ben.get(f"{USERS}/{jane}/{how}").text
    assert "This is an administrator’s account" in question
    assert "Yes, " not in question
    answer = ben.post(f"{USERS}/{jane}/{how}", {"version": "1"})
    assert answer.status_code == 403
    assert "Ask an owner" in answer.text
    assert [row.lifecycle for row in people(desk)] == [Lifecycle.ACTIVE]
    assert operations(desk) == []


def test_quotes_and_markup_are_just_a_name(ada: Browser, desk: Desk) -> None:
    answer = ada.post(f"{USERS}/new", {**JANE, "surname": 'O\'Brien <script>"x"</script>'})
    assert answer.status_code == 303
    page = ada.get(answer.location).text
    assert "<script>&#34;" not in page
    assert "O&#39;Brien &lt;script&gt;&#34;x&#34;&lt;/script&gt;" in page


def test_a_second_click_adds_nobody_and_is_no_mistake(ada: Browser, desk: Desk) -> None:
    first = ada.post(f"{USERS}/new", JANE)
    second = ada.post(f"{USERS}/new", JANE)
    assert (second.status_code, second.location) == (303, first.location)
    assert "a second click adds nobody" in ada.get(second.location).text
    assert (len(people(desk)), len(operations(desk))) == (1, 1)


def test_the_same_address_a_minute_later_or_for_somebody_else_is_a_mistake(
    ada: Browser, desk: Desk, clock: Clock
) -> None:
    ada.post(f"{USERS}/new", JANE)
    assert ada.post(f"{USERS}/new", {**JANE, "surname": "Roe"}).status_code == 422
    clock.forward(minutes=2)
    assert ada.post(f"{USERS}/new", JANE).status_code == 422


def test_an_address_in_the_bin_is_said_before_the_click_with_whose_it_was(ada: Browser, desk: Desk) -> None:
    old = desk.present("jane")
    with desk.house.db.writing() as session:
        users.delete(session, desk.tenant, old, desk.order())
    desk.clock.forward(seconds=10)
    desk.drain()
    page = ada.post(f"{USERS}/look", JANE).text
    assert "A deleted account with this address lies in the recycle bin of Office 365." in page
    assert f'href="{USERS}/{old}"' in page


def test_what_an_app_keeps_once_it_is_set_cannot_be_emptied_by_one_or_by_many(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane", usage_location="NO")
    form = {"version": "1", "usage_location": "", "was-usage_location": "NO", "title": "Typed"}
    answer = ada.post(f"{USERS}/{jane}/edit", form)
    assert answer.status_code == 422
    assert 'id="f-usage_location-err"' in answer.text
    assert 'value="Typed"' in answer.text
    many = {"do": "edit", "sure": "yes", "chosen": [jane], "attribute": "usage_location", "value": ""}
    assert ada.post(f"{USERS}/bulk", many).status_code == 422
    assert operations(desk) == []
    desk.switch(edit=False)
    assert ada.post(f"{USERS}/{jane}/edit", form).status_code == 303


@pytest.mark.parametrize("what", ["edit", "disable", "delete"])
def test_who_was_deleted_meanwhile_is_left_alone_and_it_is_said(ada: Browser, desk: Desk, what: str) -> None:
    jane = desk.present("jane")
    with desk.house.db.writing() as session:
        users.delete(session, desk.tenant, jane, desk.order())
    before = operations(desk)
    answer = ada.post(f"{USERS}/{jane}/{what}", {"title": "Typed", "was-title": ""})
    assert answer.status_code == 409
    assert "left" in answer.text
    assert [row.id for row in operations(desk)] == [row.id for row in before]
    assert [row.lifecycle for row in people(desk)] == [Lifecycle.LEFT]


def test_a_stale_form_saves_nothing_and_shows_both_versions(ada: Browser, desk: Desk) -> None:
    jane = desk.present("jane")
    with desk.house.db.writing() as session:
        users.edit(session, desk.tenant, jane, {"title": "Theirs"}, desk.order())
    answer: Any = ada.post(f"{USERS}/{jane}/edit", {"version": "0", "title": "Mine", "was-title": ""})
    assert answer.status_code == 409
    assert "Theirs" in answer.text
    assert "Mine" in answer.text
