"""How every page looks in its states: no barrier in either theme, wide or narrow, and never wider than a phone.

With SHOTS=folder each state is photographed too, in both themes at 1440 and 360 pixels.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.product import Product
from tests.journeys.visitor import Visitor, barriers, dress, overflow, shoot

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
THEMES = ("light", "dark")
WIDTHS = (1280, 360)
NARROWEST = 320


def inspect(page: Page, name: str) -> None:
    """Look at the page as it stands: both themes at both widths, then as narrow as it must go."""
    shoot(page, name)
    found = []
    for width in WIDTHS:
        for theme in THEMES:
            dress(page, theme, width)
            found += [f"{theme} {width}: {barrier}" for barrier in barriers(page)]
    dress(page, "light", NARROWEST)
    found += [f"sticks out at {NARROWEST}: {part}" for part in overflow(page)]
    assert not found, "\n".join([name, *found])
    dress(page, "light", WIDTHS[0])


def test_signing_in_and_its_refusal(product: Product, visit: Visit) -> None:
    visitor = visit()
    visitor.page.goto(product.link)
    inspect(visitor.page, "first")
    visitor.set_password()
    stranger = visit()
    inspect(stranger.open("/signin"), "signin")
    with stranger.refusal(422):
        stranger.click("Sign in", "button")
        expect(stranger.page.locator("[aria-invalid=true]").first).to_be_visible()
    inspect(stranger.page, "signin-error")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("home-unconnected", ""), ("users-empty", "users"), ("apps-unconnected", "apps"), ("app-unconnected", "apps/1"),
        ("app-new", "apps/new?kind=microsoft365"), ("provisioning-unconnected", "provisioning"), ("imports-off", "imports"),
    ],
)  # fmt: skip
def test_a_page_before_anything_is_connected(owner: Any, visit: Visit, name: str, path: str) -> None:
    inspect(visit(owner).open(path), name)


def test_an_address_that_leads_nowhere(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    with visitor.refusal(404):
        inspect(visitor.open("nowhere"), "not-found")
    stranger = visit()
    with stranger.refusal(404):
        inspect(stranger.open("/nowhere"), "not-found-outside")


def test_a_form_with_an_error(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    visitor.page.get_by_label("Office 365 Tenant or verified domain").fill("not a domain")
    with visitor.refusal(422):
        visitor.click("Save")
        expect(visitor.page.locator("#errors")).to_be_visible()
    inspect(visitor.page, "app-error")


def test_a_declined_consent(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    window = visitor.go_to_microsoft()
    with visitor.refusal(400, 403, 409):
        window.get_by_role("button", name="Cancel").click()
        expect(window.get_by_text("What happened")).to_be_visible()
    inspect(window, "consent-declined")
    window.close()
    inspect(visitor.open("apps/1"), "app-declined")


def test_a_preview_and_its_rows(importing: Any, visit: Visit) -> None:
    visitor = visit(importing)
    inspect(visitor.open("imports"), "imports-empty")
    visitor.click("Preview")
    expect(visitor.page.get_by_role("heading", name="What an import would do")).to_be_visible()
    inspect(visitor.page, "imports-preview")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("home", ""), ("users", "users"), ("users-nobody", "users?q=nobody+of+this+name"), ("person", "users/3"),
        ("apps", "apps"), ("app", "apps/1"), ("provisioning", "provisioning"), ("imports-done", "imports"),
        ("imports-same", "imports?show=same"), ("report", "reports"), ("report-nothing", "reports?who=nobody+at+all"),
    ],
)  # fmt: skip
def test_a_page_after_the_import(imported: Any, visit: Visit, name: str, path: str) -> None:
    inspect(visit(imported).open(path), name)


def test_a_row_of_the_report_in_its_drawer(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("reports?who=bjornsson")
    page.get_by_role("table", name="What was done, newest first").locator("tbody a").first.click()
    expect(page.locator("aside.drawer")).to_be_visible()
    inspect(page, "report-drawer")


def test_an_unsaved_and_an_unfit_mapping(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("provisioning")
    visitor.click("Add attribute")
    expect(page.get_by_text("One unsaved change")).to_be_visible()
    inspect(page, "provisioning-unsaved")
    with visitor.refusal(422):
        visitor.click("Save")
        expect(page.locator("#errors")).to_be_visible()
    inspect(page, "provisioning-error")


@pytest.mark.parametrize(
    ("path", "opener"),
    [
        ("users", "Actions for"),
        ("users", "Status"),
        ("users", "Sort"),
        ("provisioning", "Actions for surname"),
        ("", "Theme"),
    ],
)
def test_an_open_menu(imported: Any, visit: Visit, path: str, opener: str) -> None:
    visitor = visit(imported)
    page = visitor.open(path)
    page.locator("summary").and_(page.get_by_label(opener).or_(page.get_by_text(opener))).first.click()
    expect(page.locator("details[open] .menu").first).to_be_visible()
    inspect(page, f"menu-{path or 'home'}-{opener.split(maxsplit=1)[0].lower()}")


def test_the_navigation_of_a_phone(imported: Any, visit: Visit) -> None:
    visitor = visit(imported, width=360)
    page = visitor.open("users")
    expect(visitor.navigation("Apps")).to_be_hidden()
    visitor.click(page.get_by_role("button", name="Navigation"))
    expect(visitor.navigation("Apps")).to_be_visible()
    for theme in THEMES:
        dress(page, theme, 360)
        assert barriers(page) == []
    visitor.click(visitor.navigation("Apps"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Apps")
