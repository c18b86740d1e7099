"""The Provisioning Report as a browser sees it."""

import csv
import io
import json
import re

import pytest

from provision.core.tables import Connector, User
from provision.core.vocabulary import Outcome
from provision.house import House
from tests import populate
from tests.cast import Browser, Cast, Clock

REPORT = "/t/contoso/reports"


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Connector:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock())


@pytest.fixture
def told(house: House, cast: Cast, clock: Clock, office: Connector) -> User:
    """Three things of today, one of three days ago; returns Kim."""
    with house.db.writing() as session:
        kim = populate.person(session, cast.contoso, clock(), "Kim Lee", email="kim@contoso.example")
        sam = populate.person(session, cast.contoso, clock(), "Sam Poe", email="sam@contoso.example")
        clock.forward(days=-3)
        populate.told(
            session, cast.contoso, clock(), "user.created", kim, connector_id=office.id, after={"title": "Lead"}
        )
        clock.forward(days=3)
        change = {"before": {"title": "Lead"}, "after": {"title": "Head"}}
        populate.told(session, cast.contoso, clock(), "user.updated", kim, connector_id=office.id, **change)
        populate.told(session, cast.contoso, clock(), "user.created", sam, connector_id=office.id)
        failure = {
            "text": {"error": {"code": "timed_out", "params": {"host": "graph.example"}}},
            "outcome": Outcome.FAILED,
        }
        populate.told(session, cast.contoso, clock(), "cycle.failed", connector_id=office.id, **failure)
        return kim


def _messages(text: str) -> list[str]:
    return re.findall(r'<td class="c-2 small sub wrap">([^<]+)</td>', text)


def test_R_1_the_report_opens_with_the_last_24_hours_already_shown(ada: Browser, told: User) -> None:
    page = ada.get(REPORT).text
    assert "<h1>Provisioning Report</h1>" in page
    assert _messages(page) == [
        "Import from Office 365 failed",
        "Added from Office 365",
        "Taken over from Office 365: Job Title",
    ]
    assert "3 entries" in page
    assert "2 done, 1 failed or held" in page


def test_R_2_R_3_R_4_the_filters_of_the_guide_narrow_what_search_shows(
    ada: Browser, told: User, office: Connector
) -> None:
    page = ada.get(REPORT).text
    for label in ("Enduser Identifier", "Application Name", "Timespan", "Search"):
        assert label in page
    assert len(_messages(ada.get(f"{REPORT}?who=kim&app={office.id}&span=week").text)) == 2
    assert len(_messages(ada.get(f"{REPORT}?who=kim&app={office.id}&span=day").text)) == 1
    assert _messages(ada.get(f"{REPORT}?span=dates&since=2026-11-20&until=2026-11-20").text) == [
        "Added from Office 365"
    ]
    assert _messages(ada.get(f"{REPORT}?result=failed").text) == ["Import from Office 365 failed"]


def test_R_5_search_without_filters_shows_everything_of_the_time_span(ada: Browser, told: User) -> None:
    page = ada.get(f"{REPORT}?who=&app=&span=week&since=&until=&result=").text
    assert len(_messages(page)) == 4


def test_R_6_a_row_opens_with_its_changes_actor_and_remedy(ada: Browser, told: User) -> None:
    page = ada.get(REPORT).text
    failed, _, updated = re.findall(r'hx-get="([^"]+event=\d+)"', page)
    opened = ada.get(updated).text
    for words in ("Lead", "Head", "Job Title", "ada@contoso.example", "user.updated", 'class="drawer"'):
        assert words in opened
    explained = ada.get(failed, headers={"HX-Request": "true", "HX-Target": "drawer"}).text
    assert "<table" not in explained
    assert "graph.example stayed silent too long." in explained
    assert "What you do" in explained


def test_older_entries_are_a_link_away(house: House, ada: Browser, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        person = populate.person(session, cast.contoso, clock(), "Kim Lee")
        for _ in range(60):
            populate.told(session, cast.contoso, clock(), "user.updated", person)
    page = ada.get(REPORT)
    assert len(_messages(page.text)) == 50
    older = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert older is not None
    second = ada.get(older[1].replace("&amp;", "&"), headers={"HX-Request": "true"}).text
    assert len(_messages(second)) == 10
    assert "Newest" in second


def test_nothing_in_this_time_offers_all_times(ada: Browser) -> None:
    page = ada.get(f"{REPORT}?who=nobody").text
    assert "Nothing happened" in page
    assert "span=all" in page


@pytest.mark.parametrize(
    "query",
    [
        "span=century", "app=x", "since=yesterday&span=dates", "until=2026-13-45&span=dates", "result=good", "after=x",
        "after=W10", "after=WyJhIiwxXQ", "who=%00", "who=" + "x" * 400, "event=x", "since=0001-01-01&span=dates",
        "span=dates&until=9999-12-31", "span=dates", "app=99999999999999999999999",
        "span=dates&since=2026-11-23&until=2026-11-20",
        "who=99999999999999999999999", "after=WyIwMDAxLTAxLTAxIiwxXQ",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_left_out_and_never_a_fault(ada: Browser, told: User, query: str) -> None:
    for url in (REPORT, f"{REPORT}.csv", f"{REPORT}.json"):
        assert ada.get(f"{url}?{query}").status_code == 200


def test_days_in_the_wrong_order_say_so_at_the_field(ada: Browser, told: User) -> None:
    page = ada.get(f"{REPORT}?span=dates&since=2026-11-23&until=2026-11-20").text
    assert 'aria-invalid="true"' in page
    assert "The start lies after the end" in page


@pytest.mark.parametrize("number", [999_999, 2**63 - 1])
def test_an_entry_that_is_not_there_is_404(ada: Browser, told: User, number: int) -> None:
    assert ada.get(f"{REPORT}?event={number}").status_code == 404


def test_an_entry_of_another_tenant_is_404(house: House, ada: Browser, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        populate.told(session, cast.fabrikam, clock(), "user.created", names={"user": "Not yours"})
    for number in range(1, 20):
        assert "Not yours" not in ada.get(f"{REPORT}?event={number}").text
    assert "Not yours" not in ada.get(f"{REPORT}.csv?span=all").text


def test_page_and_exports_tell_the_same(ada: Browser, told: User) -> None:
    query = "who=kim&span=week"
    shown = _messages(ada.get(f"{REPORT}?{query}").text)
    answer = ada.get(f"{REPORT}.csv?{query}")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    objects = json.loads(ada.get(f"{REPORT}.json?{query}").data)
    assert [row["message"] for row in rows] == [row["message"] for row in objects] == shown
    assert answer.headers["Content-Disposition"] == 'attachment; filename="provisioning-contoso-2026-11-23.csv"'
    assert objects[0]["changes"] == {"Job Title": ["Lead", "Head"]}


def test_an_empty_export_is_an_empty_list(ada: Browser) -> None:
    assert json.loads(ada.get(f"{REPORT}.json").data) == []
