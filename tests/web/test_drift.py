"""Drift as a browser sees it: what differs, what may be chosen, and what a choice does."""

import re
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.mapping import Change
from provision.core.tables import Connector, Cycle, Drift, Operation, User
from provision.core.vocabulary import Approval, CycleState, DriftChoice
from provision.house import House
from tests import populate
from tests.cast import Browser, Cast, Clock

DRIFT = "/t/contoso/drift"
ON = {"import": True, "create": True, "edit": True, "delete": True}


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock(), features=ON, approval=Approval.AUTOMATIC)


def _drifted(house: House, cast: Cast, clock: Clock, office: Connector, name: str, theirs: str = "There") -> User:
    """Somebody whose first name was changed on both sides."""
    with house.db.writing() as session:
        given = {"email": f"{name.lower()}@contoso.example", "username": name.lower(), "surname": "Lee"}
        who = populate.person(session, cast.contoso, clock(), f"{name} Lee", given_name=name, **given)
        held = {"givenName": theirs}
        account = populate.account(
            session, office, who, clock(), anchor=name, observed=held, absorbed={"givenName": "Once"}
        )
        session.add(
            Drift(
                tenant_id=cast.contoso, connector_id=populate.number(office), account_id=populate.number(account),
                attribute="givenName", fingerprint=Change("givenName", theirs, name).fingerprint, seen_at=clock(),
            )
        )  # fmt: skip
        return who


@pytest.fixture
def kim(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    return _drifted(house, cast, clock, office, "Kim", theirs="Kimberly")


def _unlicensed(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    """Somebody who was given a licence from here that somebody else took away."""
    seats = [{"sku": "E3", "part": "SPE_E3", "name": "Microsoft 365 E3", "total": 5, "used": 1, "free": 4}]
    with house.db.writing() as session:
        row = session.get_one(Connector, office.id)
        row.facts = {**row.facts, "seats": seats}
        who = populate.person(session, cast.contoso, clock(), "Ida Lee", email="ida@contoso.example", username="ida")
        held: dict[str, Any] = {"assignedLicenses": []}
        account = populate.account(session, office, who, clock(), anchor="ida", observed=held, given={"e3": True})
        session.add(
            Drift(
                tenant_id=cast.contoso, connector_id=populate.number(office), account_id=populate.number(account),
                attribute="licences.e3", fingerprint=Change("licences.e3", "not given", "given").fingerprint,
                seen_at=clock(),
            )
        )  # fmt: skip
        return who


def test_a_licence_is_called_by_its_name_and_pushed_back(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    who = _unlicensed(house, cast, clock, office)
    page = ada.get(DRIFT).text
    assert page.count("Licence Microsoft 365 E3") >= 2, "in the list, and among the attributes to choose from"
    assert "licences.e3</a>" not in page
    number = next(row.id for row in _rows(house) if row.attribute == "licences.e3")
    assert "Licence Microsoft 365 E3 was changed in Office 365." in ada.get(f"/t/contoso/users/{who.id}").text
    ada.post(DRIFT, {"do": f"push-{number}"})
    assert [sorted(one.changes) for one in _operations(house)] == [["licences.e3"]]


def _rows(house: House) -> list[Drift]:
    with house.db.reading() as session:
        return list(session.exec(select(Drift).order_by(col(Drift.id))).all())


def _operations(house: House) -> list[Operation]:
    with house.db.reading() as session:
        return list(session.exec(select(Operation).order_by(col(Operation.id))).all())


def _given_name(house: House, who: User) -> str | None:
    with house.db.reading() as session:
        return session.exec(select(User).where(User.id == who.id)).one().given_name


def _seen(house: House) -> dict[str, Any]:
    return {f"seen-{row.id}": row.fingerprint for row in _rows(house)}


def test_before_the_first_comparison_nothing_is_claimed(ada: Browser, office: Connector) -> None:
    page = ada.get(DRIFT)
    assert page.status_code == 200
    assert "Not compared yet" in page.text
    assert "Compare now" in page.text


def test_without_drift_the_page_says_so_and_when_it_looks_next(
    ada: Browser, house: House, clock: Clock, office: Connector
) -> None:
    with house.db.writing() as session:
        populate.cycle(
            session, office, clock(), CycleState.DONE, options={"preview": True, "full": True, "compare": True}
        )
    page = ada.get(DRIFT).text
    assert "Everything is in line" in page
    assert "next" in page


def test_without_an_app_the_page_leads_to_the_first(ada: Browser) -> None:
    assert "No app to compare" in ada.get(DRIFT).text


def test_both_sides_are_shown_with_the_three_choices(ada: Browser, kim: User) -> None:
    page = ada.get(DRIFT).text
    assert "Drift, 1 to choose" in page
    for word in ("Kim Lee", "First Name", "Kimberly", "Accept in", "Push back", "Leave alone"):
        assert word in page, word


def test_an_auditor_sees_it_and_can_choose_nothing(enter: Any, cast: Cast, kim: User, house: House) -> None:
    dee = enter(cast.dee)
    page = dee.get(DRIFT).text
    assert "Kimberly" in page
    assert "Push back" not in page
    assert dee.post(DRIFT, {"do": "push-1"}).status_code == 403
    assert dee.post(f"{DRIFT}/compare", {"app": "1"}).status_code == 403
    assert _operations(house) == []


def test_pushing_back_leaves_an_operation(ada: Browser, kim: User, house: House) -> None:
    answer = ada.post(DRIFT, {"do": f"push-{_rows(house)[0].id}", **_seen(house)}, follow_redirects=True)
    assert "One value goes back." in answer.text
    (operation,) = _operations(house)
    assert operation.changes == {"givenName": ["Kimberly", "Kim"]}
    assert _rows(house) == []


def test_accepting_takes_the_value_over(ada: Browser, kim: User, house: House) -> None:
    answer = ada.post(DRIFT, {"do": f"accept-{_rows(house)[0].id}", **_seen(house)}, follow_redirects=True)
    assert "One value was accepted." in answer.text
    assert _given_name(house, kim) == "Kimberly"
    assert _operations(house) == []


def test_leaving_alone_moves_it_to_the_other_list_and_back(ada: Browser, kim: User, house: House) -> None:
    number = _rows(house)[0].id
    assert "One value is left alone." in ada.post(DRIFT, {"do": f"leave-{number}"}, follow_redirects=True).text
    assert "To choose" in ada.get(DRIFT).text
    assert "Kimberly" not in ada.get(DRIFT).text
    alone = ada.get(f"{DRIFT}?show=alone").text
    assert "Kimberly" in alone
    assert "ada@contoso.example" in alone
    assert "asked about again" in ada.post(DRIFT, {"do": f"watch-{number}"}, follow_redirects=True).text
    assert [row.choice for row in _rows(house)] == [DriftChoice.OPEN]


def test_the_ticked_rows_are_answered_together(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    for name in ("Kim", "Lou", "Max"):
        _drifted(house, cast, clock, office, name)
    ticked = [row.id for row in _rows(house)][:2]
    answer = ada.post(DRIFT, {"do": "push", "chosen": ticked, **_seen(house)}, follow_redirects=True)
    assert "2 values go back." in answer.text
    assert len(_operations(house)) == 2
    assert len(_rows(house)) == 1


def test_nothing_ticked_is_said_and_nothing_is_done(ada: Browser, kim: User, house: House) -> None:
    assert ada.post(DRIFT, {"do": "push"}).status_code == 422
    assert _operations(house) == []


def test_all_means_the_list_that_was_shown(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    _drifted(house, cast, clock, office, "Kim")
    seal = re.search(r'name="seal" value="([^"]+)"', ada.get(DRIFT).text)
    assert seal is not None
    _drifted(house, cast, clock, office, "Lou")
    assert ada.post(DRIFT, {"do": "push-all", "seal": seal[1]}).status_code == 409
    assert _operations(house) == []
    seal = re.search(r'name="seal" value="([^"]+)"', ada.get(DRIFT).text)
    assert seal is not None
    assert ada.post(DRIFT, {"do": "push-all", "seal": seal[1]}).status_code == 303
    assert len(_operations(house)) == 2


def test_many_at_once_want_their_number_typed(
    ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector
) -> None:
    for number in range(26):
        _drifted(house, cast, clock, office, f"P{number:02}")
    page = ada.get(DRIFT).text
    assert "Type 26 for all" in page
    seal = re.search(r'name="seal" value="([^"]+)"', page)
    assert seal is not None
    assert ada.post(DRIFT, {"do": "push-all", "seal": seal[1]}).status_code == 422
    assert _operations(house) == []
    assert ada.post(DRIFT, {"do": "push-all", "seal": seal[1], "typed": "26"}).status_code == 303
    assert len(_operations(house)) == 26


def test_a_stale_page_is_told_and_changes_nothing(ada: Browser, kim: User, house: House) -> None:
    number = _rows(house)[0].id
    answer = ada.post(DRIFT, {"do": f"push-{number}", f"seen-{number}": "another"})
    assert answer.status_code == 409
    assert "another one by now" in answer.text
    assert _operations(house) == []


def test_another_tenants_drift_is_not_there(enter: Any, cast: Cast, kim: User, house: House) -> None:
    number, cy = _rows(house)[0].id, enter(cast.cy)
    assert "Kimberly" not in cy.get("/t/fabrikam/drift").text
    assert cy.post("/t/fabrikam/drift", {"do": f"push-{number}"}).status_code == 404
    assert cy.get(DRIFT).status_code in (403, 404)
    assert _operations(house) == []


def test_where_edit_is_off_the_choice_says_why(ada: Browser, kim: User, house: House, office: Connector) -> None:
    with house.db.writing() as session:
        row = session.exec(select(Connector).where(Connector.id == office.id)).one()
        row.features = {**ON, "edit": False}
        session.add(row)
    assert "Edit User is off" in ada.get(DRIFT).text
    assert ada.post(DRIFT, {"do": f"push-{_rows(house)[0].id}"}).status_code == 422


def test_home_names_what_drifted_and_leads_there(ada: Browser, kim: User) -> None:
    home = ada.get("/t/contoso/").text
    assert "One value in Office 365 is not what the mapping wants" in home
    assert "/t/contoso/drift?app=" in home


def test_the_persons_page_asks_and_takes_the_answer(ada: Browser, kim: User, house: House) -> None:
    place = f"/t/contoso/users/{kim.id}"
    page = ada.get(place).text
    assert "First Name was changed in Office 365." in page
    for word in ("Push ours back", "Accept theirs", "Leave alone"):
        assert word in page
    number = _rows(house)[0].id
    answer = ada.post(DRIFT, {"do": f"leave-{number}", "person": str(kim.id), **_seen(house)})
    assert (answer.status_code, answer.location) == (303, place)
    left = ada.get(place).text
    assert "Left alone" in left
    assert "Push ours back" not in left


def test_comparing_now_asks_for_one_cycle_however_often_it_is_clicked(
    ada: Browser, house: House, office: Connector
) -> None:
    for _ in range(2):
        assert ada.post(f"{DRIFT}/compare", {"app": str(office.id)}).status_code == 303
    with house.db.reading() as session:
        (cycle,) = session.exec(select(Cycle)).all()
    assert cycle.options == {"preview": True, "full": True, "compare": True}


@pytest.mark.parametrize("number", ["", "x", "999999", "9" * 30])
def test_comparing_an_app_that_is_not_there_is_refused(ada: Browser, office: Connector, number: str) -> None:
    assert ada.post(f"{DRIFT}/compare", {"app": number}).status_code == 404


@pytest.mark.parametrize("do", ["", "explode-1", "push-x", "push-" + "9" * 30, "accept-999999"])
def test_an_answer_that_means_nothing_is_refused(ada: Browser, kim: User, house: House, do: str) -> None:
    assert 400 <= ada.post(DRIFT, {"do": do}).status_code < 500
    assert len(_rows(house)) == 1


@pytest.mark.parametrize("query", ["?show=nonsense", "?app=x", "?app=" + "9" * 30, "?attribute=%00<b>", "?after=-1"])
def test_an_address_that_means_nothing_still_opens(ada: Browser, kim: User, query: str) -> None:
    assert ada.get(DRIFT + query).status_code == 200


def test_hostile_values_stay_text(ada: Browser, house: House, cast: Cast, clock: Clock, office: Connector) -> None:
    _drifted(house, cast, clock, office, "Kim", theirs='"><img src=x onerror=alert(1)>')
    page = ada.get(DRIFT).text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
