"""Adding and editing people as a browser does it."""

import re
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import Connector, Mapping, Operation, User
from provision.core.vocabulary import Approval, Lifecycle, OperationKind
from provision.house import House
from provision.services import outbox, users
from tests import populate
from tests.cast import Browser, Cast, Clock

USERS = "/t/contoso/users"
ON = {"import": True, "create": True, "edit": True, "delete": True}
FACTS = {"domains": [{"name": "contoso.example"}]}
KIM = {"given_name": "Kim", "surname": "Lee", "username": "kim", "email": "kim@contoso.example"}


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock(), features=ON, facts=FACTS, approval=Approval.AUTOMATIC)
        shown = Mapping(
            tenant_id=cast.contoso, connector_id=populate.number(app), ours="display_name", theirs="displayName"
        )
        session.add(shown)
        session.flush()
        return app


@pytest.fixture
def kim(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    with house.db.writing() as session:
        kim = populate.person(session, cast.contoso, clock(), "Kim Lee", **KIM)
        populate.account(session, office, kim, clock(), anchor="kim", observed={"displayName": "Kim Lee"})
        return kim


def _of(house: House, cast: Cast, table: Any) -> list[Any]:
    with house.db.reading() as session:
        return list(session.exec(select(table).where(table.tenant_id == cast.contoso).order_by(table.id)).all())


def _form(page: str) -> dict[str, str]:
    """The fields of the one big form on the page, as a browser would send them."""
    body = page[page.index('<form class="cols') :]
    fields = dict(re.findall(r'<input[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"', body))
    return {name: value for name, value in fields.items() if name != "csrf_token"}


def test_the_list_offers_to_add_somebody(ada: Browser, office: Connector) -> None:
    assert re.search(rf'href="{USERS}/new">.*Add User</a>', ada.get(USERS).text)


def test_the_form_says_what_happens_in_which_app_before_the_click(ada: Browser, office: Connector) -> None:
    page = ada.get(f"{USERS}/new").text
    assert "Create User</button>" in page
    assert "Created in Office 365." in page
    assert "Saved here" in page


def test_while_create_is_off_the_form_says_that_it_stays_here(
    ada: Browser, house: House, cast: Cast, office: Connector
) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, office.id)
        assert row is not None
        row.features = {**ON, "create": False}
        session.add(row)
    assert "Changed here only, not in Office 365" in ada.get(f"{USERS}/new").text
    answer = ada.post(f"{USERS}/new", KIM)
    assert answer.status_code == 303
    assert "Office 365: changed here only. Create User is off." in ada.get(answer.location).text
    assert _of(house, cast, Operation) == []


def test_create_user_adds_here_and_leaves_an_operation_for_there(
    ada: Browser, house: House, cast: Cast, office: Connector
) -> None:
    answer = ada.post(f"{USERS}/new", {**KIM, "usage_location": "no", "manager": ""})
    assert answer.status_code == 303
    kim = _of(house, cast, User)[0]
    assert (kim.given_name, kim.email, kim.usage_location) == ("Kim", "kim@contoso.example", "NO")
    assert [one.kind for one in _of(house, cast, Operation)] == [OperationKind.CREATE]
    page = ada.get(answer.location).text
    assert "Created here." in page
    assert "Queued, not sent yet" in page
    assert "every 2s" in page


def test_what_is_wrong_is_said_at_its_field_and_the_form_stays_as_typed(
    ada: Browser, house: House, cast: Cast, office: Connector
) -> None:
    answer = ada.post(f"{USERS}/new", {**KIM, "surname": "", "email": "kim@elsewhere.example", "title": 'The "<b>'})
    assert answer.status_code == 422
    assert 'id="f-surname-err"' in answer.text
    assert "The &#34;&lt;b&gt;" in answer.text
    assert _of(house, cast, User) == []
    again = ada.post(f"{USERS}/new", {**KIM, "email": "kim@elsewhere.example"})
    assert 'id="f-email-err"' in again.text
    assert "contoso.example" in again.text


def test_a_shared_username_is_a_warning_and_no_refusal(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    form = {**KIM, "email": "kim2@contoso.example"}
    part = ada.post(f"{USERS}/look", form, headers={"HX-Request": "true"}).text
    assert "The username is also that of Kim Lee." in part
    assert "<html" not in part
    assert len(_of(house, cast, User)) == 1
    answer = ada.post(f"{USERS}/new", form)
    assert "The username is also that of Kim Lee." in ada.get(answer.location).text


def test_an_unverified_domain_is_said_before_the_click(ada: Browser, office: Connector) -> None:
    part = ada.post(f"{USERS}/look", {**KIM, "email": "kim@elsewhere.example"}).text
    assert "The domain is not verified in the tenant" in part
    assert "Verified there: contoso.example." in part


def test_the_manager_is_somebody_here(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    lou = {"given_name": "Lou", "surname": "Lee", "username": "lou", "email": "lou@contoso.example"}
    refused = ada.post(f"{USERS}/new", {**lou, "manager": "nobody"})
    assert refused.status_code == 422
    assert 'id="f-manager-err"' in refused.text
    assert ada.post(f"{USERS}/new", {**lou, "manager": "KIM@contoso.example"}).status_code == 303
    assert [one.manager_id for one in _of(house, cast, User)] == [None, kim.id]


def test_editing_sends_only_what_was_changed(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    page = ada.get(f"{USERS}/{kim.id}/edit").text
    form = _form(page)
    assert form["given_name"] == "Kim"
    answer = ada.post(f"{USERS}/{kim.id}/edit", {**form, "given_name": "Kimberly"})
    assert answer.status_code == 303
    assert _of(house, cast, User)[0].given_name == "Kimberly"
    operation = _of(house, cast, Operation)[0]
    assert operation.changes == {"givenName": ["Kim", "Kimberly"]}


def test_saving_nothing_says_so(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    answer = ada.post(f"{USERS}/{kim.id}/edit", _form(ada.get(f"{USERS}/{kim.id}/edit").text))
    assert "Nothing was changed." in ada.get(answer.location).text
    assert _of(house, cast, User)[0].version == kim.version


def test_a_stale_form_shows_both_versions_and_keeps_what_is_chosen_per_field(
    ada: Browser, house: House, cast: Cast, clock: Clock, kim: User
) -> None:
    url = f"{USERS}/{kim.id}/edit"
    form = _form(ada.get(url).text)
    ada.post(url, {**form, "given_name": "Kimmy", "title": "Lead", "department": "Care"})
    answer = ada.post(url, {**form, "given_name": "Kimberly", "title": "Nurse"})
    assert answer.status_code == 409
    assert "Somebody changed this person meanwhile" in answer.text
    assert "As it is now: Kimmy" in answer.text
    assert "Yours: Kimberly" in answer.text
    told = answer.text[answer.text.index('id="meanwhile"') :].partition("</ul>")[0]
    assert "<b>ada@contoso.example</b>: First Name, Department, Job Title" in told
    assert f'datetime="{clock().isoformat()}"' in told
    choice = {"keep-given_name": "mine", "keep-title": "now"}
    second = ada.post(url, {**_form(answer.text), **choice})
    assert second.status_code == 303, second.text
    row = _of(house, cast, User)[0]
    assert (row.given_name, row.title, row.department) == ("Kimberly", "Lead", "Care")


def test_a_conflict_names_everybody_who_changed_the_person_since_and_nobody_before(
    ada: Browser, house: House, cast: Cast, clock: Clock, kim: User
) -> None:
    url = f"{USERS}/{kim.id}/edit"

    def edits(actor: str, **values: str) -> None:
        clock.forward(minutes=1)
        with house.db.writing() as session:
            order = outbox.Order(actor, clock(), house.kinds)
            users.edit(session, cast.contoso, kim.id or 0, values, order)

    edits("early@contoso.example", department="Deck")
    form = _form(ada.get(url).text)
    edits("ben@contoso.example", title="Lead")
    edits("cleo@contoso.example", title="Head", mobile="+47 1")
    answer = ada.post(url, {**form, "title": "Nurse"})
    assert answer.status_code == 409
    told = answer.text[answer.text.index('id="meanwhile"') :].partition("</ul>")[0]
    assert re.findall(r"<b>([^<]+)</b>: ([^<·]+) ·", told) == [
        ("cleo@contoso.example", "Job Title, Mobile Phone"),
        ("ben@contoso.example", "Job Title"),
    ]


def test_one_value_is_edited_in_its_place(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    page = ada.get(f"{USERS}/{kim.id}?edit=given_name").text
    assert 'name="given_name"' in page
    assert 'name="was-given_name" value="Kim"' in page
    ada.post(f"{USERS}/{kim.id}/edit", {"version": "1", "was-given_name": "Kim", "given_name": "Kimberly"})
    assert _of(house, cast, User)[0].given_name == "Kimberly"


def test_somebody_who_has_left_is_not_edited(ada: Browser, house: House, cast: Cast, kim: User) -> None:
    with house.db.writing() as session:
        row = session.get(User, kim.id)
        assert row is not None
        row.lifecycle = Lifecycle.LEFT
        session.add(row)
    assert ada.get(f"{USERS}/{kim.id}/edit").status_code == 409
    assert "Restore…" in ada.get(f"{USERS}/{kim.id}").text


def test_what_a_directory_owns_is_said_at_its_field(
    ada: Browser, house: House, cast: Cast, clock: Clock, kim: User
) -> None:
    with house.db.writing() as session:
        lou = populate.person(session, cast.contoso, clock(), "Lou Lee", email="lou@contoso.example", given_name="Lou")
        office = session.exec(select(Connector)).one()
        populate.account(
            session, office, lou, clock(), anchor="lou", standing={"synced": True}, observed={"displayName": "Lou Lee"}
        )
    assert "Stays as it is elsewhere:" in ada.get(f"{USERS}/{lou.id}/edit").text
    answer = ada.post(f"{USERS}/{lou.id}/edit", {"version": "1", "was-given_name": "Lou", "given_name": "Louis"})
    assert "Office 365: changed here only." in ada.get(answer.location).text
    assert _of(house, cast, Operation) == []


def test_bringing_in_line_now_says_when_there_is_nothing_to_do(ada: Browser, kim: User) -> None:
    answer = ada.post(f"{USERS}/{kim.id}/now")
    assert "in line already, nothing to send" in ada.get(answer.location).text


def test_an_auditor_is_offered_nothing_to_change(enter: Any, cast: Cast, kim: User) -> None:
    dee = enter(cast.dee)
    assert "Add User" not in dee.get(USERS).text
    page = dee.get(f"{USERS}/{kim.id}").text
    assert "/edit" not in page
    assert 'method="post" action="/t/contoso/users' not in page
