"""The Recycle Bin as a browser reads and answers it, on the real sandbox."""

import re
import uuid
from typing import Any

import pytest
from markupsafe import escape
from sqlmodel import col, select

from provision.core.ports import Write
from provision.core.tables import Account, Operation, User
from provision.core.vocabulary import Approval, Lifecycle, OperationKind
from provision.house import House
from provision.sandbox.faults import Fault
from provision.services import connectors
from tests import office
from tests.cast import Browser, Cast, Clock

BIN = "/t/contoso/bin"


@pytest.fixture
def tenant_app(house: House, cast: Cast) -> int:
    number = office.imported(house, cast.contoso)
    with house.db.writing() as session:
        on = {"create": True, "edit": True, "delete": True}
        connectors.features(session, cast.contoso, number, on, Approval.AUTOMATIC, "ada", house.now())
    return number


def test_without_an_app_it_says_what_it_would_show(ada: Browser) -> None:
    assert "No recycle bin here yet" in ada.get(BIN).text


@pytest.fixture
def discarded(house: House, cast: Cast, tenant_app: int) -> str:
    """Somebody was deleted at Microsoft by somebody else, and no import has seen it; the others are nobody's yet."""
    port: Any = house.connect(office.of(house, cast.contoso, tenant_app))
    with house.db.writing() as session:
        query = select(Account).where(col(Account.user_id).is_not(None)).order_by(col(Account.id))
        account = session.exec(query).all()[-1]
    (done,) = port.carry([Write(OperationKind.DELETE, account.anchor, str(uuid.uuid4()))])
    assert done.error is None
    return str(account.anchor)


def test_it_lists_who_can_come_back_with_the_days_left(ada: Browser, tenant_app: int, discarded: str) -> None:
    page = ada.get(BIN).text
    assert re.search(r"\d+ days?", page)
    assert f"/bin/{tenant_app}/{discarded}" in page


def test_a_search_narrows_it_and_says_when_nobody_fits(ada: Browser, tenant_app: int, discarded: str) -> None:
    assert "Nobody fits" in ada.get(f"{BIN}?q=nobody+of+this+name").text
    part = ada.get(BIN, headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<div id="rows"')


def test_yes_brings_somebody_back(ada: Browser, house: House, tenant_app: int, discarded: str) -> None:
    question = ada.get(f"{BIN}/{tenant_app}/{discarded}").text
    assert "Yes, restore" in question
    assert "gets the account back" in question
    was = re.search(r'name="was" value="([^"]*)"', question)
    assert was is not None
    answer = ada.post(f"{BIN}/{tenant_app}/{discarded}", {"was": was[1], "email": was[1]})
    assert answer.status_code == 303, answer.text
    with house.db.reading() as session:
        (operation,) = session.exec(select(Operation)).all()
        assert operation.kind == OperationKind.RESTORE
        assert session.exec(select(User).where(User.email == was[1])).one().lifecycle == Lifecycle.ACTIVE


def test_a_taken_address_is_said_at_the_field_and_the_form_is_kept(
    ada: Browser, house: House, cast: Cast, clock: Clock, tenant_app: int, discarded: str
) -> None:
    with house.db.reading() as session:
        taken = session.exec(select(User.email).where(User.lifecycle == Lifecycle.ACTIVE)).first()
    answer = ada.post(f"{BIN}/{tenant_app}/{discarded}", {"was": "", "email": f" {taken} "})
    assert answer.status_code == 422
    assert 'id="f-email-err"' in answer.text
    assert f'value=" {escape(str(taken))} "' in answer.text


def test_with_create_off_it_says_so_and_offers_no_yes(
    ada: Browser, house: House, cast: Cast, tenant_app: int, discarded: str
) -> None:
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, tenant_app, {"create": False}, None, "ada", house.now())
    assert "Create User is off" in ada.get(BIN).text
    question = ada.get(f"{BIN}/{tenant_app}/{discarded}").text
    assert "Yes, restore" not in question
    assert "Create User is off" in question
    assert "then restore." in question
    assert "plan the waiting" not in question
    assert ada.post(f"{BIN}/{tenant_app}/{discarded}", {"email": "", "was": ""}).status_code == 422


def test_when_microsoft_refuses_the_page_says_so(ada: Browser, house: House, tenant_app: int) -> None:
    house.sandbox().faults.add(Fault("status", path="*/directory/deletedItems/*", times=None, details={"status": 403}))
    page = ada.get(BIN)
    assert page.status_code == 200
    assert "permission" in page.text
    assert "Look again" in page.text


def test_another_tenants_bin_is_not_there(enter: Any, cast: Cast, tenant_app: int, discarded: str) -> None:
    cy = enter(cast.cy)
    assert cy.get(f"/t/fabrikam/bin/{tenant_app}/{discarded}").status_code == 404
