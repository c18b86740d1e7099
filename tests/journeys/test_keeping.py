"""The recycle bin, licences and protected accounts through a browser, until Microsoft 365 has done it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import select

from provision.core.tables import Connector, Event, Mapping
from tests.journeys.product import TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.test_people import act, fill, find, there
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
NEW = "nora.berg@fjordvik.example"
KIND = "microsoft365"


@pytest.fixture(scope="module")
def working(chromium: Browser, product: Product, imported: Any) -> Any:
    """The owner's cookies; everything goes out by itself and at once, and the usage location is mapped and read."""
    product.command("app", "features", TENANT, KIND, "--create", "--edit", "--delete", "--approval", "automatic")
    product.command("app", "settings", TENANT, KIND, "--hold", "0")
    with product.house.db.writing() as session:
        app = session.get(Connector, 1)
        assert app is not None
        session.add(Mapping(tenant_id=app.tenant_id, connector_id=1, ours="usage_location", theirs="usageLocation"))
    product.command("import", TENANT, KIND, "--full")
    new = ("--username", "nora.berg", "--email", NEW, "--first", "Nora", "--last", "Berg", "--set", "usage_location=NO")
    product.command("user", "add", TENANT, *new)
    visitor = Visitor(chromium, product, state=imported)
    settle(visitor, "Created in Office 365")
    assert visitor.leave() == []
    return imported


def thrown_away(product: Product) -> None:
    """Delete Nora, and wait until Microsoft 365 has done it: what an earlier time left on her page looks the same."""

    def times() -> int:
        with product.house.db.reading() as session:
            return len(session.exec(select(Event.id).where(Event.action == "account.deleted")).all())

    before = times()
    product.command("user", "delete", TENANT, NEW)
    product.until(lambda: times() > before, "Nora in the bin")


def settle(visitor: Visitor, words: str) -> None:
    """Open Nora's page and stay until it says so."""
    find(visitor, "nora").get_by_role("link", name=re.compile("Nora")).first.click()
    expect(visitor.page.get_by_text(re.compile(f"^{words}")).first).to_be_visible()


def test_a_licence_is_given_to_one_person_and_shown_with_its_seats(
    product: Product, working: Any, visit: Visit
) -> None:
    visitor = visit(working)
    settle(visitor, "Created in Office 365")
    visitor.click(visitor.page.get_by_role("link", name="Show and change"))
    options = visitor.page.get_by_label("Give a licence").locator("option").all_inner_texts()
    free = next(text for text in options if "free" in text and "no free" not in text)
    visitor.page.get_by_label("Give a licence").select_option(label=free)
    visitor.click("Give it")
    visitor.says("Noted here")
    settle(visitor, "Changed in Office 365")
    visitor.click(visitor.page.get_by_role("link", name="Show and change"))
    expect(visitor.page.get_by_text("Given to the person")).to_be_visible()
    inspect(visitor.page, "licences-person")
    body = there(product, NEW)
    assert body is not None
    assert body["assignedLicenses"]


def test_for_many_the_seats_that_are_short_are_said_before_the_click(working: Any, visit: Visit) -> None:
    visitor = visit(working)
    visitor.open("users?status=active")
    visitor.page.get_by_label("Select all on this page").check()
    visitor.click("Licences", "button")
    options = visitor.page.get_by_label("Licence", exact=True).locator("option").all_inner_texts()
    full = next(text for text in options if "no free" in text)
    visitor.page.get_by_label("Licence", exact=True).select_option(label=full)
    visitor.click("See what happens")
    visitor.says(re.compile("short, so nobody would be given any"))
    inspect(visitor.page, "licences-many")


def test_an_account_is_protected_by_hand_with_the_reason_shown(working: Any, visit: Visit) -> None:
    visitor = visit(working)
    settle(visitor, "Created in Office 365")
    visitor.click("Protect…")
    expect(visitor.page.get_by_role("dialog")).to_contain_text("By hand only an owner")
    inspect(visitor.page, "protect-dialog")
    visitor.click("Protect it")
    visitor.says("Protected from everything that runs by itself.")
    act(visitor, find(visitor, "nora"), "Delete…")
    expect(visitor.page.get_by_role("dialog")).to_contain_text("This account is protected")
    inspect(visitor.page, "delete-protected")


def test_who_was_deleted_lies_in_the_bin_with_days_left_and_comes_back(
    product: Product, working: Any, visit: Visit
) -> None:
    visitor = visit(working)
    thrown_away(product)
    visitor.open("users?status=left&q=nora")
    visitor.page.get_by_role("link", name=re.compile("Nora")).first.click()
    expect(visitor.page.get_by_text(re.compile("^Deleted in Office 365")).first).to_be_visible()
    visitor.click(visitor.navigation("Recycle Bin"))
    expect(visitor.page.get_by_role("row", name=re.compile("Nora"))).to_contain_text("30 days")
    inspect(visitor.page, "bin")
    visitor.click(visitor.page.get_by_role("link", name=re.compile("Restore… Nora")))
    expect(visitor.page.get_by_role("dialog")).to_contain_text("active again")
    inspect(visitor.page, "bin-dialog")
    visitor.click(visitor.page.get_by_role("button", name=re.compile("^Yes, restore")))
    expect(visitor.page.get_by_text(re.compile("^Restored in Office 365")).first).to_be_visible()
    product.until(lambda: there(product, NEW), "Nora at Microsoft")


def test_a_create_that_met_a_deleted_twin_is_decided_beside_what_went_wrong(
    product: Product, working: Any, visit: Visit
) -> None:
    visitor = visit(working)
    thrown_away(product)
    visitor.open("users?status=left&q=nora")
    visitor.page.get_by_role("link", name=re.compile("Nora")).first.click()
    expect(visitor.page.get_by_text(re.compile("^Deleted in Office 365")).first).to_be_visible()
    visitor.open("users/new")
    fill(visitor, First_Name="Nora", Last_Name="Berg", Username="nora.berg", Email_Address=NEW)
    visitor.click("Create User")
    expect(visitor.page.get_by_role("link", name="Restore it…")).to_be_visible()
    inspect(visitor.page, "twin-person")
    visitor.open("queue?show=blocked")
    expect(visitor.page.get_by_role("link", name=re.compile("Create a new account"))).to_be_visible()
    inspect(visitor.page, "twin-queue")
    visitor.click(visitor.page.get_by_role("link", name=re.compile("Restore it…")))
    inspect(visitor.page, "twin-dialog")
    visitor.click("Restore it", "button")
    visitor.says("The deleted account comes back as theirs.")
    expect(visitor.page.get_by_text(re.compile("^Restored in Office 365")).first).to_be_visible()
    product.until(lambda: there(product, NEW), "Nora at Microsoft")
