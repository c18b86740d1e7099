"""The question before an app is removed, and its answer, as browsers ask and get them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import CycleState, Kind, OperationState
from provision.house import House
from provision.services import removing
from tests import populate
from tests.cast import Browser, Cast, Clock
from tests.services.test_removing import operate, together
from tests.web.scim import USER, Pusher


@pytest.fixture
def app_id(house: House, cast: Cast, clock: Clock) -> int:
    """Payroll, with two people who have an account there."""
    return filled(house, cast.contoso, clock, 2)


def filled(house: House, tenant: int, clock: Clock, number: int) -> int:
    with house.db.writing() as session:
        row = populate.app(
            session, tenant, clock(), "Payroll", kind=Kind.SCIM, config={"base_url": "https://x.example"}
        )
        for n in range(number):
            person = populate.person(session, tenant, clock(), f"P{n}", email=f"p{n}@contoso.example")
            populate.account(session, row, person, clock(), anchor=f"a{n}")
            populate.told(session, tenant, clock(), "account.updated", person, connector_id=row.id, names={})
        return row.id or 0


def there(house: House, number: int) -> bool:
    with house.db.reading() as session:
        return session.get(Connector, number) is not None


def waits(house: House, clock: Clock, state: OperationState, **values: Any) -> None:
    with house.db.writing() as session:
        operate(
            session,
            session.exec(select(Account).order_by(col(Account.id))).all()[0],
            clock,
            state,
            fingerprint="f",
            **values,
        )


def page(number: int, tail: str = "") -> str:
    return f"/t/contoso/apps/{number}/remove{tail}"


def test_the_apps_page_leads_to_a_question_that_says_what_goes_and_what_stays(ada: Browser, app_id: int) -> None:
    assert f'href="{page(app_id)}"' in ada.get(f"/t/contoso/apps/{app_id}").text
    text = ada.get(page(app_id)).text
    for said in (
        "Remove Payroll?",
        "In Payroll: everything.",
        "2 people stay here.",
        "2 accounts",
        "Yes, remove Payroll",
    ):
        assert said in text
    assert "Type " not in text


def test_yes_removes_it_and_the_report_goes_on_telling(house: House, ada: Browser, app_id: int) -> None:
    answer = ada.post(page(app_id))
    assert (answer.status_code, answer.location) == (303, "/t/contoso/apps")
    assert "Payroll is removed here. Nothing was sent there." in ada.get("/t/contoso/apps").text
    assert not there(house, app_id)
    with house.db.reading() as session:
        assert len(session.exec(select(User)).all()) == 2
    text = ada.get(f"/t/contoso/reports?app={app_id}").text
    assert "Payroll (removed)" in text
    assert len(re.findall(r"Changed in Payroll|Changed in …", text)) >= 2
    assert "Payroll was removed here" in text
    for row in set(re.findall(r"event=(\d+)", text)):
        assert ada.get(f"/t/contoso/reports?app={app_id}&event={row}").status_code == 200
    for path in (f"/t/contoso/apps/{app_id}", page(app_id), f"/t/contoso/provisioning?app={app_id}"):
        assert ada.get(path).status_code == 404
    for path in ("/t/contoso/", "/t/contoso/apps", "/t/contoso/queue", "/t/contoso/imports", "/t/contoso/users/1"):
        assert ada.get(path).status_code == 200


def test_an_app_with_many_people_goes_only_after_their_number_was_typed(
    house: House, cast: Cast, clock: Clock, ada: Browser
) -> None:
    number = filled(house, cast.contoso, clock, 26)
    assert "Type 26 to go on" in ada.get(page(number)).text
    for typed in ("", "25"):
        refused = ada.post(page(number), {"typed": typed})
        assert refused.status_code == 422
        assert "Nothing was removed" in refused.text
    assert there(house, number)
    assert ada.post(page(number), {"typed": "26"}).status_code == 303
    assert not there(house, number)


def test_what_waits_is_cancelled_first_from_the_same_page(
    house: House, clock: Clock, ada: Browser, app_id: int
) -> None:
    waits(house, clock, OperationState.BLOCKED)
    text = ada.get(page(app_id)).text
    assert "Waiting to be sent to Payroll: 1." in text
    assert "Yes, remove" not in text
    assert ada.post(page(app_id)).status_code == 409
    assert ada.post(page(app_id, "/cancel"), {"number": "7"}).status_code == 409
    assert ada.post(page(app_id, "/cancel"), {"number": "1"}).location == page(app_id)
    with house.db.reading() as session:
        assert session.exec(select(Operation.state)).one() == OperationState.CANCELLED
    assert ada.post(page(app_id)).status_code == 303


def test_what_is_on_its_way_or_read_is_waited_for_and_said(
    house: House, clock: Clock, ada: Browser, app_id: int
) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, app_id)
        assert row is not None
        cycle = populate.cycle(session, row, clock(), CycleState.RUNNING)
    refused = ada.post(page(app_id))
    assert refused.status_code == 409
    assert "People are being read from Payroll" in refused.text
    with house.db.writing() as session:
        session.merge(cycle).state = CycleState.DONE
    waits(house, clock, OperationState.UNKNOWN)
    refused = ada.post(page(app_id))
    assert "On their way to Payroll" in refused.text
    assert "Cancel all" not in refused.text
    assert there(house, app_id)


def test_what_could_not_be_looked_up_for_long_is_said_to_be_forgotten(
    house: House, clock: Clock, ada: Browser, app_id: int
) -> None:
    waits(house, clock, OperationState.UNKNOWN, sent_at=clock() - timedelta(hours=1))
    text = ada.get(page(app_id)).text
    assert "What became of one change there, which could not be looked up." in text
    assert ada.post(page(app_id)).status_code == 303
    assert not there(house, app_id)


@pytest.mark.parametrize("tail", ["", "/cancel"])
def test_only_an_owner_of_this_tenant_removes(
    house: House, cast: Cast, clock: Clock, enter: Callable[[int], Browser], app_id: int, tail: str
) -> None:
    theirs = filled(house, cast.fabrikam, clock, 1)
    for who in (cast.ben, cast.dee):
        assert enter(who).post(page(app_id, tail)).status_code == 403
    assert "Remove app" not in enter(cast.ben).get(f"/t/contoso/apps/{app_id}").text
    assert enter(cast.ada).post(page(theirs, tail)).status_code == 404
    assert enter(cast.ada).get(page(theirs)).status_code == 404
    assert there(house, app_id)
    assert there(house, theirs)


def test_a_sign_in_by_a_token_of_a_removed_client_is_refused(house: House, cast: Cast, clock: Clock, app: Any) -> None:
    client = Pusher(app, house, cast.contoso, clock)
    client.hire("jane.doe")
    assert client.get("/Users").status_code == 200
    with house.db.writing() as session:
        row = session.exec(select(Connector).where(Connector.kind == Kind.SCIM_SOURCE)).one()
        removing.remove(session, cast.contoso, row.id or 0, "ada", clock())
    assert client.get("/Users").status_code == 401


def test_a_client_that_writes_while_its_app_is_removed_is_refused(
    house: House, cast: Cast, clock: Clock, app: Any
) -> None:
    client = Pusher(app, house, cast.contoso, clock)
    late = together(
        house,
        lambda session: removing.remove(session, cast.contoso, client.connector, "ada", clock()),
        lambda: client.post("/Users", {"schemas": [USER], "userName": "jane@there.example"}),
    )
    assert late.result().status_code == 401


def test_a_number_without_end_is_no_number(ada: Browser, app_id: int) -> None:
    assert ada.post(page(app_id, "/cancel"), {"number": "9" * 5000}).status_code == 409
