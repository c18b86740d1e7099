"""Disabling, enabling, deleting and restoring, one or many, as a browser does it."""

import re
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import Approval, Lifecycle, OperationKind, OperationState
from provision.house import House
from provision.services import connectors
from tests import populate
from tests.cast import Browser, Cast, Clock

USERS = "/t/contoso/users"
ON = {"import": True, "create": True, "edit": True, "delete": True}


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        facts = {"domains": [{"name": "contoso.example"}], "roles": {"boss": ["Global Administrator"]}}
        return populate.app(session, cast.contoso, clock(), features=ON, facts=facts, approval=Approval.AUTOMATIC)


@pytest.fixture
def kim(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    return _person(house, cast, clock, office, "Kim")


def _person(house: House, cast: Cast, clock: Clock, office: Connector, name: str, **standing: Any) -> User:
    with house.db.writing() as session:
        values = {
            "email": f"{name.lower()}@contoso.example",
            "username": name.lower(),
            "given_name": name,
            "surname": "Lee",
        }
        row = populate.person(session, cast.contoso, clock(), f"{name} Lee", **values)
        populate.account(session, office, row, clock(), anchor=name.lower(), standing=standing)
        return row


def _people(house: House) -> dict[str, Lifecycle]:
    with house.db.reading() as session:
        return {row.given_name or "": Lifecycle(row.lifecycle) for row in session.exec(select(User)).all()}


def _operations(house: House) -> list[tuple[OperationKind, OperationState]]:
    with house.db.reading() as session:
        return [(row.kind, row.state) for row in session.exec(select(Operation).order_by(col(Operation.id))).all()]


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_the_question_says_what_happens_where_and_has_yes_and_cancel(ada: Browser, kim: User) -> None:
    page = ada.get(f"{USERS}/{kim.id}/delete").text
    assert "Delete Kim Lee?" in page
    assert "Deleted in Office 365." in page
    assert "can be restored for 30 days" in page
    assert "You can undo it for 10 seconds." in page
    assert "Yes, delete Kim Lee</button>" in page
    assert re.search(r"data-close autofocus>Cancel", page)
    part = ada.get(f"{USERS}/{kim.id}/delete", headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="dialog"')


def test_yes_deletes_here_and_leaves_the_rest_to_be_undone(ada: Browser, house: House, clock: Clock, kim: User) -> None:
    answer = ada.post(f"{USERS}/{kim.id}/delete", {"version": "1"})
    assert answer.status_code == 303
    assert _people(house) == {"Kim": Lifecycle.LEFT}
    assert _operations(house) == [(OperationKind.DELETE, OperationState.PENDING)]
    page = ada.get(answer.location).text
    assert "Kim Lee is deleted here." in page
    assert "Undo</button>" in page
    undone = ada.post(f"{USERS}/undo")
    assert "Undone. Nothing was sent." in ada.get(undone.location).text
    assert _people(house) == {"Kim": Lifecycle.ACTIVE}
    assert _operations(house) == [(OperationKind.DELETE, OperationState.CANCELLED)]


def test_after_the_hold_undo_says_that_it_is_too_late(ada: Browser, house: House, clock: Clock, kim: User) -> None:
    ada.post(f"{USERS}/{kim.id}/disable", {"version": "1"})
    clock.forward(seconds=11)
    assert "Undo</button>" not in ada.get(f"{USERS}/{kim.id}").text
    answer = ada.post(f"{USERS}/undo")
    assert "It is too late to undo" in ada.get(answer.location).text
    assert _people(house) == {"Kim": Lifecycle.SUSPENDED}


def test_what_one_operator_did_is_not_undone_by_another(
    ada: Browser, enter: Any, cast: Cast, house: House, kim: User
) -> None:
    ada.post(f"{USERS}/{kim.id}/disable", {"version": "1"})
    ben = enter(cast.ben)
    assert "Undo</button>" not in ben.get(USERS).text
    ben.post(f"{USERS}/undo")
    assert _people(house) == {"Kim": Lifecycle.SUSPENDED}


def test_undoing_the_deletion_of_somebody_suspended_leaves_them_suspended(
    ada: Browser, house: House, clock: Clock, kim: User
) -> None:
    with house.db.writing() as session:
        row, account = session.exec(select(User)).one(), session.exec(select(Account)).one()
        row.lifecycle, account.enabled = Lifecycle.SUSPENDED, False
        session.add_all([row, account])
    ada.post(f"{USERS}/{kim.id}/delete")
    ada.post(f"{USERS}/undo")
    assert _people(house) == {"Kim": Lifecycle.SUSPENDED}
    assert {state for _, state in _operations(house)} == {OperationState.CANCELLED}


def test_a_switch_that_is_off_leaves_the_account_untouched_and_says_so(
    ada: Browser, house: House, office: Connector, kim: User
) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, office.id)
        assert row is not None
        row.features = {**ON, "delete": False}
        session.add(row)
    page = ada.get(f"{USERS}/{kim.id}/delete").text
    assert "Changed here only, not in Office 365" in page
    assert "Delete User is off" in page
    answer = ada.post(f"{USERS}/{kim.id}/delete")
    assert "Delete User is off" in ada.get(answer.location).text
    assert _operations(house) == []


def test_an_administrators_account_is_the_owners_affair(
    ada: Browser, enter: Any, cast: Cast, house: House, clock: Clock, office: Connector
) -> None:
    boss = _person(house, cast, clock, office, "Boss")
    ben = enter(cast.ben)
    page = ben.get(f"{USERS}/{boss.id}/delete").text
    assert "Only an owner may do this" in page
    assert "Yes, delete" not in page
    assert ben.post(f"{USERS}/{boss.id}/delete").status_code == 403
    assert _people(house) == {"Boss": Lifecycle.ACTIVE}
    assert "Yes, delete Boss Lee" in ada.get(f"{USERS}/{boss.id}/delete").text


def test_how_long_it_can_be_undone_follows_the_apps_hold(ada: Browser, house: House, kim: User) -> None:
    for hold, words in ((1, "You can undo it for one second."), (0, None)):
        with house.db.writing() as session:
            app = session.exec(select(Connector)).one()
            connectors.settle(session, app.tenant_id, app.id or 0, {"hold_seconds": hold}, "ada", house.now())
        shown = ada.get(f"{USERS}/{kim.id}/delete").text
        assert re.findall(r"You can undo it for [^.]+\.", shown) == ([words] if words else [])


def test_disabling_and_enabling_again(ada: Browser, house: House, kim: User) -> None:
    ada.post(f"{USERS}/{kim.id}/disable", {"version": "1"})
    assert "Enable…" in ada.get(f"{USERS}/{kim.id}").text
    answer = ada.post(f"{USERS}/{kim.id}/enable")
    assert "Enabled here." in ada.get(answer.location).text
    assert _people(house) == {"Kim": Lifecycle.ACTIVE}


def test_a_stale_question_is_asked_again(ada: Browser, house: House, kim: User) -> None:
    ada.post(f"{USERS}/{kim.id}/edit", {"version": "1", "title": "Lead"})
    answer = ada.post(f"{USERS}/{kim.id}/delete", {"version": "1"})
    assert answer.status_code == 409
    assert "Somebody changed this person meanwhile" in answer.text
    assert "<b>ada@contoso.example</b>: Job Title" in answer.text
    assert _people(house) == {"Kim": Lifecycle.ACTIVE}


def test_restoring_under_another_address_when_the_old_one_is_taken(
    ada: Browser, house: House, cast: Cast, clock: Clock, kim: User
) -> None:
    ada.post(f"{USERS}/{kim.id}/delete")
    with house.db.writing() as session:
        account = session.exec(select(Account)).one()
        account.name = "gone"
        session.add(account)
        populate.person(session, cast.contoso, clock(), "Other", email="kim@contoso.example", given_name="Other")
    refused = ada.post(f"{USERS}/{kim.id}/restore", {"email": "kim@contoso.example"})
    assert refused.status_code == 422
    assert 'id="f-email-err"' in refused.text
    assert ada.post(f"{USERS}/{kim.id}/restore", {"email": "kim.lee@contoso.example"}).status_code == 303
    assert _people(house)["Kim"] == Lifecycle.ACTIVE


def test_many_are_counted_and_named_before_they_are_deleted(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    people = [_person(house, cast, clock, office, f"P{number:02}") for number in range(26)]
    page = ada.post(f"{USERS}/bulk", {"do": "delete", "chosen": [str(one.id) for one in people]}).text
    assert "Delete 26 people?" in page
    assert "P00 Lee" in page
    assert "and 21 more" in page
    assert _operations(house) == []
    form = {"do": "delete", "sure": "yes", "token": _hidden(page, "token"), "everyone": "on"}
    refused = ada.post(f"{USERS}/bulk", {**form, "typed": "25"})
    assert refused.status_code == 422
    assert set(_people(house).values()) == {Lifecycle.ACTIVE}
    done = ada.post(f"{USERS}/bulk", {**form, "typed": "26"})
    assert done.status_code == 303
    assert set(_people(house).values()) == {Lifecycle.LEFT}
    assert "26 people are deleted here." in ada.get(done.location).text
    ada.post(f"{USERS}/undo")
    assert set(_people(house).values()) == {Lifecycle.ACTIVE}


def test_everybody_means_whom_the_filters_fit(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    _person(house, cast, clock, office, "Lou")
    page = ada.post(f"{USERS}/bulk", {"do": "disable", "everyone": "on", "q": "lou"}).text
    assert "Disable one person?" in page
    assert "Lou Lee" in page
    assert "Kim Lee" not in page


def test_what_a_value_for_many_would_change_is_shown_with_number_and_sample_before_anything_does(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    lou, max_ = (_person(house, cast, clock, office, name) for name in ("Lou", "Max"))
    ada.post(f"{USERS}/bulk", {"do": "edit", "chosen": [lou.id], "sure": "yes", "attribute": "title", "value": "Mate"})
    form = {"do": "edit", "chosen": [kim.id, lou.id, max_.id], "attribute": "title", "value": "Mate", "seen": ""}
    page = ada.post(f"{USERS}/bulk", {**form, "sure": "yes"}).text
    assert "2 people are changed here, at once." in page
    assert "One has this value already." in page
    assert "Kim Lee" in page
    assert "Not mapped." in page
    assert _hidden(page, "seen") == "title=Mate"
    other = ada.post(f"{USERS}/bulk", {**form, "value": "Cook", "seen": "title=Mate", "sure": "yes"})
    assert "3 people are changed here, at once." in other.text
    done = ada.post(f"{USERS}/bulk", {**form, "seen": "title=Mate", "sure": "yes"})
    assert "2 people were changed here." in ada.get(done.location).text
    unchosen = ada.post(f"{USERS}/bulk", {**form, "attribute": ""})
    assert (unchosen.status_code, 'id="f-attribute-err"' in unchosen.text) == (422, True)


def test_undo_takes_back_those_of_the_same_click_for_whom_nothing_goes_out(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    own = _person(house, cast, clock, office, "Own", synced=True)
    page = ada.post(f"{USERS}/bulk", {"do": "disable", "chosen": [kim.id, own.id]}).text
    form = {"do": "disable", "sure": "yes", "token": _hidden(page, "token"), "chosen": [kim.id, own.id]}
    done = ada.post(f"{USERS}/bulk", form)
    assert "2 people are disabled here." in ada.get(done.location).text
    ada.post(f"{USERS}/undo")
    assert set(_people(house).values()) == {Lifecycle.ACTIVE}


def test_one_value_is_set_for_many(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    lou = _person(house, cast, clock, office, "Lou")
    form = {"do": "edit", "chosen": [str(kim.id), str(lou.id)]}
    assert "Change 2 people?" in ada.post(f"{USERS}/bulk", form).text
    wrong = ada.post(f"{USERS}/bulk", {**form, "sure": "yes", "attribute": "usage_location", "value": "Norway"})
    assert wrong.status_code == 422
    done = ada.post(f"{USERS}/bulk", {**form, "sure": "yes", "attribute": "department", "value": "Care"})
    assert "2 people were changed here." in ada.get(done.location).text
    with house.db.reading() as session:
        assert {row.department for row in session.exec(select(User)).all()} == {"Care"}


def test_choosing_nobody_says_so(ada: Browser, kim: User) -> None:
    answer = ada.post(f"{USERS}/bulk", {"do": "delete"})
    assert answer.status_code == 303
    assert 'class="note warn"' in ada.get(answer.location).text


def test_somebody_elses_people_are_not_there(enter: Any, cast: Cast, house: House, kim: User) -> None:
    cy = enter(cast.cy)
    assert cy.post("/t/fabrikam/users/bulk", {"do": "delete", "chosen": str(kim.id), "sure": "yes"}).status_code == 404
    assert cy.post(f"/t/fabrikam/users/{kim.id}/delete").status_code == 404
    assert _people(house) == {"Kim": Lifecycle.ACTIVE}
