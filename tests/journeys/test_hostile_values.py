"""Values that want to be more than values: markup, a template's braces, a line break, a spreadsheet's formula."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from provision.sandbox.graph.records import update_user
from provision.sandbox.store import body_of, set_fact
from tests.journeys.product import TENANT, Product
from tests.journeys.visitor import Visitor, overflow

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}\n=cmd|calc'
KNOWN = "alert(1)"
FIELDS = (
    "displayName", "givenName", "surname", "mailNickname", "jobTitle", "department", "companyName", "employeeId",
    "mobilePhone", "officeLocation", "city", "country", "preferredLanguage",
)  # fmt: skip


@pytest.fixture(scope="module")
def poisoned(chromium: Browser, product: Product, connected: Any) -> Any:
    """Somebody and the organisation itself carry it at Microsoft; the app and an attribute of ours are called so, too."""
    sandbox = product.sandbox
    with sandbox.store.writing() as db:
        set_fact(db, "display_name", HOSTILE)
        old = body_of(db.execute("SELECT body FROM users ORDER BY seq LIMIT 1 OFFSET 3").fetchone())
        new = {**old, **dict.fromkeys(FIELDS, HOSTILE), "userPrincipalName": f"{HOSTILE}@fjordvik.example"}
        update_user(db, old, new, sandbox.cloud.moment())
    visitor = Visitor(chromium, product, state=connected)
    page = visitor.open("apps/1")
    page.get_by_label("Application Name").fill(HOSTILE.replace("\n", " "))
    visitor.click("Save")
    visitor.says("Saved.")
    visitor.click("Check again")
    visitor.says("Connected to")
    _stays_text(page)
    visitor.open("provisioning")
    page.get_by_label("Name of a new attribute").fill(HOSTILE[:60])
    visitor.click("Add")
    for number, (ours, theirs) in enumerate((("department", "department"), ("title", "jobTitle"))):
        visitor.click("Add attribute")
        row = page.get_by_role("table", name="Attribute Mapping").locator("tbody tr").nth(5 + number)
        row.get_by_label("Target attribute").select_option(theirs)
        row.get_by_label("Value for").select_option(ours)
    visitor.switch(**{"import": True})
    _stays_text(page)
    visitor.open("imports")
    visitor.click("Preview")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    _stays_text(page)
    visitor.import_all()
    assert visitor.leave() == []
    return connected


@pytest.mark.parametrize(
    "path",
    [
        "", "users", "users?q=alert", "users/{person}", "apps", "apps/1", "apps/new", "provisioning", "imports",
        "imports?show=same", "reports", "reports?who=alert", "reports?who=alert&event={event}",
    ],
)  # fmt: skip
def test_a_hostile_value_stays_text_on_every_page(product: Product, poisoned: Any, visit: Visit, path: str) -> None:
    visitor = visit(poisoned, width=1440)
    page = visitor.open("users?q=alert")
    person = str(page.locator("#rows tbody a").first.get_attribute("href")).rsplit("/", 1)[1]
    page = visitor.open("reports?who=alert")
    event = str(page.locator("#rows tbody a").first.get_attribute("href")).rpartition("event=")[2]
    page = visitor.open(path.format(person=person, event=event))
    _stays_text(page)


def test_a_hostile_search_stays_text(poisoned: Any, visit: Visit) -> None:
    visitor = visit(poisoned)
    page = visitor.open("users")
    page.get_by_role("searchbox", name="Name, address, username or employee id").fill(HOSTILE.replace("\n", " "))
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    _stays_text(page)
    page = visitor.open("provisioning")
    page.get_by_label("Try it on one person").fill("<b>{{7*7}}")
    visitor.click("Show what saving would do")
    visitor.says("Nobody here is called “<b>{{7*7}}”.")


@pytest.fixture(scope="module")
def endless(product: Product, poisoned: Any) -> str:
    """The address of somebody whose values have no place to break."""
    values = {"display_name": "W" * 200, "title": "T" * 100, "department": "D" * 60}
    given = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    who = ("--username", "endless", "--email", "endless@fjordvik.example", "--first", "Ingrid", "--last", "Solheim")
    product.command("user", "add", TENANT, *who, *given)
    return "endless@fjordvik.example"


@pytest.mark.parametrize("width", [1280, 360])
def test_a_value_without_end_stays_inside_the_window(poisoned: Any, endless: str, visit: Visit, width: int) -> None:
    visitor = visit(poisoned, width=width)
    page = visitor.open(f"users?q={endless}")
    assert overflow(page) == []
    person = str(page.locator("#rows tbody a").first.get_attribute("href")).rsplit("/", 1)[1]
    for path in (f"users/{person}", f"users/{person}/edit", f"users/{person}/why", f"reports?who={endless}"):
        page = visitor.open(path)
        expect(page.locator("h1")).to_be_visible()
        assert overflow(page) == [], path


def test_files_taken_away_hold_no_formula(poisoned: Any, visit: Visit) -> None:
    visitor = visit(poisoned)
    for path, button in (("users", "Export CSV"), ("reports", "Export CSV")):
        page = visitor.open(path)
        with page.expect_download() as taken:
            visitor.click(button)
        text = taken.value.path().read_text("utf-8-sig")
        assert KNOWN in text
        assert not any(
            cell.strip('"').startswith(("=", "+", "@")) for line in text.splitlines() for cell in line.split(",")
        )


def _stays_text(page: Page) -> None:
    """No element came of it, no expression was computed; dialogs and policy violations are watched anyway."""
    expect(page.locator('img[src="x"]')).to_have_count(0)
    content = page.content()
    assert "alert(1)&gt;49" not in content
    assert "alert(1)>49" not in content
    if KNOWN in content:
        assert "{{7*7}}" in content
