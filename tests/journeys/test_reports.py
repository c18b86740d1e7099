"""Reports: the Provisioning Report, its filters, a row's whole story, and the file one takes away."""

import csv
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, OWNER
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]


def test_R_1_the_provisioning_report_opens_from_the_left_navigation(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("")
    visitor.click(visitor.navigation("Provisioning Report"))
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Provisioning Report")
    assert visitor.clicks == 1
    expect(_rows(visitor).first).to_be_visible()


def test_R_2_enduser_identifier_and_application_name_filter_and_both_are_optional(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports")
    page.get_by_label("Enduser Identifier").fill("olafur.bjornsson@fjordvik.example")
    _search(visitor)
    expect(_rows(visitor).first).to_contain_text("Ólafur Björnsson")
    people = {row.locator("b").first.inner_text() for row in _rows(visitor).all()}
    assert people == {"Ólafur Björnsson"}
    page.get_by_label("Enduser Identifier").fill("")
    page.get_by_label("Application Name").select_option(label=APP)
    _search(visitor)
    expect(_rows(visitor).first).to_be_visible()
    page.get_by_label("Enduser Identifier").fill("nobody of this name")
    _search(visitor)
    visitor.says("Nothing happened")


def test_R_3_the_timespan_is_a_preset_or_from_and_to(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports")
    span = page.get_by_label("Timespan")
    assert "Last 24 hours" in span.locator("option:checked").inner_text()
    span.select_option(label="Last 7 days")
    _search(visitor)
    expect(_rows(visitor).first).to_be_visible()
    span.select_option(label="From – to")
    page.get_by_label("From", exact=True).fill("2001-01-01")
    page.get_by_label("To", exact=True).fill("2001-12-31")
    _search(visitor)
    visitor.says("Nothing happened")
    page.get_by_label("From", exact=True).fill("2031-01-01")
    _search(visitor)
    expect(page.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")


def test_R_4_search_shows_the_rows_that_match(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports")
    page.get_by_label("Enduser Identifier").fill("bjornsson")
    _search(visitor)
    expect(_rows(visitor).first).to_contain_text("Björnsson")
    expect(page).to_have_url(re.compile("who=bjornsson"))


def test_R_5_search_without_filters_shows_everything_of_the_timespan(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports")
    _search(visitor)
    total = page.get_by_role("region", name=re.compile("entries$")).get_by_role("heading").inner_text()
    assert int(re.sub(r"\D", "", total)) >= PEOPLE
    visitor.click("Older")
    expect(_rows(visitor).first).to_be_visible()
    visitor.click("Newest")
    expect(_rows(visitor)).to_have_count(50)


def test_R_6_a_row_tells_time_user_application_operation_status_message_actor_and_changes(
    imported: Any, visit: Visit
) -> None:
    visitor = visit(imported, width=1440)
    page = visitor.open("reports?who=olafur.bjornsson%40fjordvik.example")
    headers = _table(visitor).locator("thead th").all_inner_texts()
    assert headers == ["Time", "Person", "Application", "Operation", "Message", "Actor", "Status"]
    row = _rows(visitor).last  # by which he arrived; who he reports to came after it
    expect(row.locator("time")).to_be_attached()
    for text in ("Ólafur Björnsson", APP, "Done", OWNER):
        expect(row).to_contain_text(text)
    visitor.click(row.get_by_role("link"))
    drawer = page.locator("aside.drawer")
    expect(drawer).to_contain_text("Changes")
    expect(drawer).to_contain_text("olafur.bjornsson@fjordvik.example")
    expect(drawer).to_contain_text("Actor")
    expect(page).to_have_url(re.compile(r"event=\d+"))
    visitor.click("Close details")
    expect(page.locator("aside.drawer")).to_have_count(0)


def test_R_6_the_report_can_be_taken_away_as_a_file(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports?who=bjornsson")
    with page.expect_download() as taken:
        visitor.click("Export CSV")
    assert taken.value.suggested_filename.endswith(".csv")
    rows = list(csv.DictReader(taken.value.path().read_text("utf-8-sig").splitlines()))
    assert rows
    assert all("jornsson" in " ".join(map(str, row.values())) for row in rows)


def _search(visitor: Visitor) -> None:
    visitor.click(visitor.page.get_by_role("search", name="Filter the report").get_by_role("button", name="Search"))


def _table(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("table", name="What was done, newest first")


def _rows(visitor: Visitor) -> Locator:
    return _table(visitor).locator("tbody tr")
