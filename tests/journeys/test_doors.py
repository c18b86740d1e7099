"""Who gets in where: somebody else's organisation does not exist, roles end at their buttons, and signing out is final."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.product import Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
PAGES = (
    "",
    "users",
    "users/3",
    "users.csv",
    "apps",
    "apps/1",
    "apps/new",
    "provisioning",
    "imports",
    "reports",
    "reports.csv",
)
EVE, EVES = "eve@skerry.example", "lanterns drift over slow water"
DEE, DEES = "dee@fjordvik.example", "seven grey gulls read ledgers"


@pytest.fixture(scope="module")
def others(product: Product, imported: Any) -> None:
    """Eve owns another organisation; Dee may look at this one."""
    product.command("tenant", "add", "skerry", "--name", "Skerry")
    for email, role, tenant, password in ((EVE, "owner", "skerry", EVES), (DEE, "auditor", "fjordvik", DEES)):
        product.command(
            "operator", "add", email, "--role", role, "--tenant", tenant, "--password-stdin", given=password
        )


def test_another_organisation_does_not_exist_for_its_neighbour(product: Product, others: None, visit: Visit) -> None:
    visitor = visit()
    visitor.sign_in(EVE, EVES)
    expect(visitor.page).to_have_url(f"{product.url}/t/skerry/")
    for path in PAGES:
        with visitor.refusal(404):
            answer = visitor.page.goto(f"{product.home}{path}")
            assert answer
            assert answer.status == 404, path
            assert "Fjordvik" not in visitor.page.content(), path
    for number in (1, 2):
        with visitor.refusal(404):
            answer = visitor.page.goto(f"/t/skerry/apps/{number}")
            assert answer
            assert answer.status == 404
    visitor.open("/t/skerry/users")
    visitor.says("Nobody here yet")


def test_an_auditor_reads_everything_and_is_offered_nothing_that_changes(others: None, visit: Visit) -> None:
    visitor = visit()
    visitor.sign_in(DEE, DEES)
    for path in ("", "users", "users/3", "apps", "apps/1", "provisioning", "imports", "reports"):
        page = visitor.open(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        offered = page.get_by_role("main").get_by_role(
            "button", name=re.compile("^(Save|Import|Preview|Grant|Add|Pause|Check|Keep|Stop|Reject|Allow)")
        )
        assert [button.inner_text() for button in offered.all() if button.is_enabled()] == [], path
    with visitor.refusal(403):
        visitor.open("apps/new?kind=microsoft365")
        visitor.says("What happened")


def test_signing_out_ends_the_session_on_the_server(imported: Any, visit: Visit) -> None:
    visitor = visit()
    visitor.sign_in()
    kept = visitor.context.cookies()
    visitor.page.locator("summary", has_text="Account").click()
    visitor.click("Sign out")
    visitor.says("You are signed out.")
    visitor.page.go_back()
    expect(visitor.page.get_by_label("Email", exact=True)).to_be_visible()
    visitor.context.add_cookies(kept)  # somebody kept a copy
    visitor.open("users")
    expect(visitor.page.get_by_label("Email", exact=True)).to_be_visible()
    assert not any(cookie["name"] == "session" and not cookie["httpOnly"] for cookie in kept)


def test_signing_in_leads_back_to_the_page_that_was_wanted_and_nowhere_else(
    product: Product, others: None, visit: Visit
) -> None:
    visitor = visit()
    visitor.open("reports?span=week")
    visitor.page.get_by_label("Email", exact=True).fill(DEE)
    visitor.page.get_by_label("Password", exact=True).fill(DEES)
    visitor.click("Sign in", "button")
    expect(visitor.page).to_have_url(f"{product.home}reports?span=week")
    stranger = visit()
    stranger.open("/signin?next=https://elsewhere.example/")
    stranger.page.get_by_label("Email", exact=True).fill(DEE)
    stranger.page.get_by_label("Password", exact=True).fill(DEES)
    stranger.click("Sign in", "button")
    expect(stranger.page).to_have_url(product.home)
