"""The same ways with scripts switched off: every form is a real form, every link a real link."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, OWNER, Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]


def test_everything_from_the_printed_link_to_the_report_works_without_javascript(
    product: Product, visit: Visit
) -> None:
    visitor = visit(script=False)
    page = visitor.page
    visitor.set_password()
    visitor.open_app()
    visitor.grant_consent()
    visitor.open("provisioning")
    visitor.click("Add attribute")
    row = page.get_by_role("table", name="Attribute Mapping").locator("tbody tr").last
    row.get_by_label(re.compile("^Target attribute")).select_option("department")
    row.get_by_label(re.compile("^Value for")).select_option("department")
    visitor.click("Show what saving would do")
    visitor.says("Nobody is linked yet: import people first.")
    visitor.switch(**{"import": True})
    visitor.open("imports")
    visitor.click("Preview")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    visitor.import_all()
    assert visitor.counted("Created") == PEOPLE
    visitor.click(visitor.navigation("User List"))
    page.get_by_role("searchbox", name="Name, address, username or employee id").fill("olafur")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Ólafur Björnsson")).to_be_visible()
    expect(page.get_by_role("table").locator("tbody tr")).to_have_count(1)
    visitor.click(page.get_by_role("link", name="Ólafur Björnsson"))
    visitor.click("Open in report")
    rows = page.get_by_role("table", name="What was done, newest first").locator("tbody tr")
    expect(rows.first).to_contain_text(APP)
    visitor.click(rows.first.get_by_role("link"))
    expect(page.locator("aside.drawer")).to_contain_text("Changes")
    visitor.click("Close details")
    page.get_by_label("Enduser Identifier").fill("")
    page.get_by_label("Timespan").select_option(label="Last 7 days")
    page.get_by_role("search", name="Filter the report").get_by_role("button", name="Search").click()
    expect(rows).to_have_count(50)


def test_theme_and_sign_out_work_without_javascript(owner: Any, visit: Visit) -> None:
    visitor = visit(script=False)
    visitor.sign_in()
    page = visitor.page
    page.get_by_label("Theme").click()
    visitor.click("Dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.locator("summary", has_text="Account").click()
    visitor.click("Sign out")
    visitor.says("You are signed out.")
    visitor.open("users")
    expect(page.get_by_label("Email", exact=True)).to_be_visible()
    assert OWNER not in page.content()
