"""The User List and a person's page as a browser sees them."""

import csv
import io
import re

import pytest
from sqlmodel import select

from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import CycleState, Lifecycle, Situation
from provision.house import House
from tests import populate
from tests.cast import Browser, Cast, Clock

LIST = "/t/contoso/users"


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock())


@pytest.fixture
def kim(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    """Kim, imported: an account, and the log of both."""
    with house.db.writing() as session:
        values = {
            "email": "kim@contoso.example",
            "username": "kim",
            "given_name": "Kim",
            "surname": "Lee",
            "title": "Lead",
        }
        kim = populate.person(session, cast.contoso, clock(), "Kim Lee", **values)
        populate.account(
            session, office, kim, clock(), anchor="anchor-of-kim", standing={"synced": True, "licensed": True}
        )
        populate.told(session, cast.contoso, clock(), "user.created", kim, after={"given_name": "Kim", "title": "Lead"})
        return kim


@pytest.fixture
def many(house: House, cast: Cast, clock: Clock, office: Connector) -> None:
    with house.db.writing() as session:
        for number in range(120):
            populate.person(session, cast.contoso, clock(), f"Person {number:03}", email=f"p{number}@contoso.example")


def _people(text: str) -> list[str]:
    return re.findall(r'href="/t/contoso/users/\d+">(Person \d+)</a>', text)


def test_I_4_imported_people_are_in_the_user_list(ada: Browser, kim: User) -> None:
    page = ada.get(LIST).text
    assert "Kim Lee" in page
    assert "kim@contoso.example" in page
    assert "1 person" in page
    assert "Synced from AD" in page


def test_an_empty_list_says_why_and_what_to_do(ada: Browser) -> None:
    page = ada.get(LIST).text
    assert "Nobody here yet" in page
    assert 'href="/t/contoso/apps"' in page


def test_a_search_that_finds_nobody_offers_everybody(ada: Browser, kim: User) -> None:
    page = ada.get(f"{LIST}?q=nobody").text
    assert "Nobody fits" in page
    assert "Kim Lee" not in page


def test_pages_lead_on_and_back_and_keep_what_was_asked(ada: Browser, many: None) -> None:
    first = ada.get(f"{LIST}?q=person&sort=-name")
    assert _people(first.text)[0] == "Person 119"
    onward = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert onward is not None
    second = ada.get(onward[1].replace("&amp;", "&"))
    assert _people(second.text)[0] == "Person 069"
    assert "q=person" in onward[1]
    back = re.search(r'rel="prev" href="([^"]+)"', second.text)
    assert back is not None
    assert _people(ada.get(back[1].replace("&amp;", "&")).text) == _people(first.text)


def test_htmx_is_given_the_rows_alone(ada: Browser, kim: User) -> None:
    part = ada.get(f"{LIST}?q=kim", headers={"HX-Request": "true"}).text
    assert part.strip().startswith('<div id="rows">')
    assert "Kim Lee" in part


@pytest.mark.parametrize(
    "query",
    [
        "status=flying", "app=x", "app=0", "app=99999999999999999999", "sort=surname;drop", "account=admin", "problem=linked",
        "sort=", "status=", "q=" + "x" * 400, "q=%00", "q=%ff%fe", "status=active&status=left", "after=", "limit=1000000",
    ],
)  # fmt: skip
def test_what_an_address_cannot_mean_is_left_out(ada: Browser, kim: User, query: str) -> None:
    assert ada.get(f"{LIST}?{query}").status_code == 200


@pytest.mark.parametrize("query", ["after=x", "before=e30", "after=W10&before=x", "after=" + "A" * 1999])
def test_a_place_nobody_gave_out_is_refused_in_words(ada: Browser, kim: User, query: str) -> None:
    answer = ada.get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert "What you do" in answer.text


def test_filters_are_links_that_can_be_taken_off(ada: Browser, kim: User, office: Connector) -> None:
    page = ada.get(f"{LIST}?account=synced&status=active&app={office.id}").text
    assert "Kim Lee" in page
    assert page.count("remove filter") == 3
    assert "Kim Lee" not in ada.get(f"{LIST}?account=guest").text


def test_the_row_menu_leads_to_the_person_and_the_report(ada: Browser, kim: User) -> None:
    page = ada.get(LIST).text
    assert "Show in Provisioning Report" in page
    href = re.search(r'href="(/t/contoso/reports\?[^"]+)"', page)
    assert href is not None
    assert "Kim Lee" in ada.get(href[1].replace("&amp;", "&")).text


def test_the_export_holds_everybody_the_filters_fit(ada: Browser, many: None, kim: User) -> None:
    answer = ada.get(f"{LIST}.csv?q=person&after=anything")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="people-contoso-2026-11-23.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    assert [row["Display Name"] for row in rows] == [f"Person {number:03}" for number in range(120)]
    assert rows[0]["Email Address"] == "p0@contoso.example"


def test_both_exports_have_one_shape_and_who_left_is_only_in_it_when_asked_for(
    house: House, ada: Browser, many: None, kim: User
) -> None:
    with house.db.writing() as session:
        session.get_one(User, kim.id).lifecycle = Lifecycle.LEFT
    assert ada.get(f"{LIST}.csv").data == ada.get("/t/contoso/people.csv").data
    left = list(csv.DictReader(io.StringIO(ada.get(f"{LIST}.csv?status=left").data.decode("utf-8-sig"), newline="")))
    assert [row["Display Name"] for row in left] == ["Kim Lee"]


def test_a_person_is_shown_beside_the_account(ada: Browser, kim: User) -> None:
    page = ada.get(f"{LIST}/{kim.id}").text
    for words in (
        '<h1 class="wrap">Kim Lee</h1>',
        "Lead",
        "anchor-of-kim",
        "same",
        "Synced from AD",
        "Added from Office 365",
    ):
        assert words in page
    assert "By ada@contoso.example" in page


def test_whom_somebody_reports_to_stands_in_the_profile_and_leads_there(
    house: House, ada: Browser, cast: Cast, clock: Clock, kim: User
) -> None:
    assert ">Manager</th>" not in ada.get(f"{LIST}/{kim.id}").text
    with house.db.writing() as session:
        boss = populate.person(session, cast.contoso, clock(), "Ida <Boss>", email="ida@contoso.example")
        session.get_one(User, kim.id).manager_id = boss.id
    row = ada.get(f"{LIST}/{kim.id}").text.partition(">Manager</th>")[2].partition("</tr>")[0]
    assert f'<a href="{LIST}/{boss.id}">Ida &lt;Boss&gt;</a>' in row
    assert "ours" in row


def test_a_value_that_differs_is_marked_and_said(house: House, ada: Browser, kim: User) -> None:
    with house.db.writing() as session:
        row = session.get(User, kim.id)
        assert row is not None
        row.surname = "Leigh"
        session.add(row)
        account = session.exec(select(Account).where(Account.user_id == kim.id)).one()
        account.standing, account.observed = {}, {**account.observed, "surname": "Li"}
        session.add(account)
    page = ada.get(f"{LIST}/{kim.id}").text
    assert "One value differs from what the mapping wants." in page
    assert "rowwarn" in page
    assert "Drifted" in page


def test_a_value_that_was_never_sent_is_said_without_alarm(house: House, ada: Browser, kim: User) -> None:
    with house.db.writing() as session:
        session.get_one(User, kim.id).surname = "Leigh"
        session.exec(select(Account).where(Account.user_id == kim.id)).one().standing = {}
        session.exec(select(Connector)).one().features = {"import": True, "edit": True}
    page = ada.get(f"{LIST}/{kim.id}").text
    assert "One value from here was never sent." in page
    assert "Not sent yet" in page
    assert "rowwarn" not in page


@pytest.mark.parametrize("lifecycle", list(Lifecycle))
@pytest.mark.parametrize("situation", list(Situation))
def test_every_state_has_its_words(
    house: House, ada: Browser, cast: Cast, clock: Clock, office: Connector, lifecycle: Lifecycle, situation: Situation
) -> None:
    with house.db.writing() as session:
        person = populate.person(session, cast.contoso, clock(), "Sam", lifecycle=lifecycle)
        populate.account(session, office, person, clock(), situation=situation, enabled=None)
    for url in (LIST, f"{LIST}/{person.id}", "/t/contoso/"):
        answer = ada.get(url)
        assert answer.status_code == 200
        assert f">{situation.value}<" not in answer.text


def test_someone_without_any_name_or_account_is_shown(house: House, ada: Browser, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        nobody = populate.person(session, cast.contoso, clock(), "")
    assert f"#{nobody.id}" in ada.get(LIST).text
    assert "No app has an account of this person." in ada.get(f"{LIST}/{nobody.id}").text


def test_a_person_of_another_tenant_is_not_there(house: House, ada: Browser, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        theirs = populate.person(session, cast.fabrikam, clock(), "Not yours")
    for url in (f"{LIST}/{theirs.id}", f"/t/fabrikam/users/{theirs.id}"):
        assert ada.get(url).status_code == 404


# -- Values that attack whoever shows them ------------------------------------------------------------------------------


@pytest.fixture
def hostile(house: House, cast: Cast, clock: Clock) -> User:
    with house.db.writing() as session:
        return populate.hostile(session, cast.contoso, clock())


@pytest.mark.parametrize(
    "url",
    [
        "/t/contoso/", LIST, f"{LIST}?q=%22%3E%3Cimg", f"{LIST}?account=guest", f"{LIST}/%d", "/t/contoso/reports",
        "/t/contoso/reports?who=%%22%%3E%%3Cimg%%20src=x", "/t/contoso/reports?event=%e",
        "/t/contoso/apps", "/t/contoso/apps/1",
        "/t/contoso/provisioning?app=1", "/t/contoso/imports?app=1",
    ],
)  # fmt: skip
def test_hostile_values_are_text_on_every_page(ada: Browser, hostile: User, url: str) -> None:
    entry = re.search(r"event=(\d+)", ada.get("/t/contoso/reports").text)
    assert entry is not None
    answer = ada.get(url.replace("%e", entry[1]).replace("%d", str(hostile.id)).replace("%%", "%"))
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text
    assert "onerror=alert(1)>" not in re.sub(r"&gt;|&#62;", "", answer.text)
    assert "49" not in re.sub(r'"[^"]*"', "", answer.text.replace("&#", ""))
    assert "{{7*7}}" in answer.text or "%7B%7B7*7" in answer.text


def test_hostile_values_stay_cells_in_the_exports(ada: Browser, hostile: User) -> None:
    for url in (f"{LIST}.csv", "/t/contoso/reports.csv?span=all"):
        rows = list(csv.reader(io.StringIO(ada.get(url).data.decode("utf-8-sig"), newline="")))
        assert len({len(row) for row in rows}) == 1
        for row in rows[1:]:
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\n", "\r")) for cell in row)


def test_a_run_that_failed_is_explained_on_home(
    house: House, ada: Browser, cast: Cast, clock: Clock, office: Connector
) -> None:
    with house.db.writing() as session:
        error = {"code": "timed_out", "params": {"host": "graph.example"}}
        populate.cycle(session, office, clock(), CycleState.FAILED, error=error)
    page = ada.get("/t/contoso/").text
    assert "One thing needs you" in page
    assert "graph.example stayed silent too long." in page


def test_the_timeline_names_a_manager_and_a_licence_instead_of_their_numbers(
    ada: Browser, house: House, cast: Cast, clock: Clock
) -> None:
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock())
        app.facts = {"seats": [{"sku": "e3", "name": "Office 365 E3", "total": 1, "used": 0, "free": 1}]}
        session.add(app)
        boss = populate.person(session, cast.contoso, clock(), "Bo Strand")
        kim = populate.person(session, cast.contoso, clock(), "Kim Lee")
        change = {"before": {"manager_id": None}, "after": {"manager_id": boss.id}}
        populate.told(session, cast.contoso, clock(), "user.edited", kim, **change)
        given = {"before": {"licences.e3": False}, "after": {"licences.e3": True}}
        populate.told(session, cast.contoso, clock(), "account.updated", kim, **given)
    page = ada.get(f"/t/contoso/users/{kim.id}").text
    assert "Bo Strand" in page
    assert re.search(r"<dt>Office 365 E3</dt><dd><del class=\"was\"><span class=\"vh\">was </span>not given", page)
