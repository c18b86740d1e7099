"""A newcomer's whole way from the printed link to an imported tenant, and how many clicks the daily ways take."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, OWNER, Product
from tests.journeys.visitor import IMPORT, Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
_STEPS = 60


def test_a_newcomer_follows_what_is_on_the_screen_from_the_printed_link_to_the_people(
    product: Product, visit: Visit
) -> None:
    """Only links and buttons that the page before offers; nothing typed but the password."""
    visitor = visit()
    page = visitor.page
    page.goto(product.link)
    expect(page).to_have_url(f"{product.url}/first")  # the token has left the address
    expect(page.get_by_text(OWNER)).to_be_visible()
    visitor.set_password()
    visitor.clicks = 0
    visitor.click(f"Connect {APP}")
    visitor.grant_consent()
    visitor.click("Go to Provisioning")
    visitor.switch(**{"import": True})
    visitor.click(page.get_by_role("navigation", name="Provisioning").get_by_role("link", name="Import Users"))
    visitor.click("Preview")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    assert visitor.counted("New") == PEOPLE
    visitor.click(page.get_by_role("button", name=f"Import {PEOPLE} people"))
    expect(page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
    assert visitor.counted("Created") == PEOPLE
    visitor.click(page.get_by_role("link", name=re.compile("Created")))
    expect(page.get_by_role("heading", level=1)).to_have_text("Users")
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text(f"{PEOPLE} people")
    assert visitor.clicks <= 10


def test_the_printed_link_is_spent_with_the_password(product: Product, imported: Any, visit: Visit) -> None:
    visitor = visit()
    with visitor.refusal(404, 410):
        visitor.page.goto(product.link)
        expect(visitor.page.get_by_text("What you do")).to_be_visible()
    expect(visitor.page.get_by_label("New password")).to_have_count(0)


def test_an_import_takes_two_clicks_from_the_landing_page(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("")
    visitor.click(visitor.navigation("Import Users"))
    visitor.import_all()
    assert visitor.clicks <= 2


def test_the_report_of_the_last_day_takes_one_click(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("")
    visitor.click(visitor.navigation("Reports"))
    expect(visitor.page.get_by_role("table", name="What was done, newest first")).to_be_visible()
    assert visitor.clicks == 1


def test_a_person_is_found_from_every_page_by_the_keyboard_alone(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("apps")
    page.keyboard.press("Control+k")
    page.keyboard.type("olafur")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Ólafur Björnsson")).to_be_visible()
    expect(page).to_have_title(re.compile("“olafur” in Users"))


def test_an_import_runs_by_the_keyboard_alone_and_the_focus_is_always_seen(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("")
    page.keyboard.press("Tab")
    assert _focused(page) == "Skip to content"
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    _tab_to(page, "Import")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Import Users")
    _tab_to(page, "Preview")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    _tab_to(page, IMPORT)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()


def test_a_menu_opens_closes_and_gives_the_focus_back_by_the_keyboard(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("users")
    menu = page.locator("#rows details.has-menu").first
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Show", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="Show", exact=True)).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def _tab_to(page: Page, name: str | re.Pattern[str]) -> None:
    """Press Tab until the focus is on what is called so; on the way it never leaves the sight."""
    page.wait_for_load_state()  # a heading is seen before the last of its page and its style have come
    for _ in range(_STEPS):
        page.keyboard.press("Tab")
        found = _focused(page)
        assert _seen(page), f"the focus is on something that cannot be seen: {found}"
        if found == name if isinstance(name, str) else name.search(found):
            return
    raise AssertionError(f"{name} was not reached in {_STEPS} steps")


def _focused(page: Page) -> str:
    told: str = page.evaluate(
        "() => { const at = document.activeElement; return (at.ariaLabel || at.innerText || '').trim() }"
    )
    return told


def _seen(page: Page) -> bool:
    shown: bool = page.evaluate(
        """() => {
          const at = document.activeElement, box = at.getBoundingClientRect(), look = getComputedStyle(at);
          const inside = box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight;
          const ringed = (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0) || look.boxShadow !== "none";
          return inside && ringed;
        }"""
    )
    return shown
