"""Import Users: the tab, the click, what it counts, and that doing it twice adds nobody."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, TENANT, Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]


def test_I_1_import_users_is_a_tab_of_provisioning_with_a_dropdown(importing: Any, visit: Visit) -> None:
    visitor = visit(importing)
    visitor.open("provisioning")
    visitor.click(visitor.page.get_by_role("navigation", name="Provisioning").get_by_role("link", name="Import Users"))
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Import Users")
    expect(visitor.page.get_by_label("App", exact=True)).to_be_visible()


def test_I_2_the_app_is_chosen_from_the_dropdown_and_chosen_already_when_there_is_one(
    importing: Any, visit: Visit
) -> None:
    visitor = visit(importing)
    visitor.open("imports")
    dropdown = visitor.page.get_by_label("App", exact=True)
    expect(dropdown.locator("option:checked")).to_have_text(APP)
    dropdown.select_option(label=APP)
    expect(dropdown.locator("option:checked")).to_have_text(APP)


def test_I_3_import_creates_people_and_counts_them(importing: Any, visit: Visit) -> None:
    visitor = visit(importing)
    visitor.open("imports")
    visitor.import_all()
    assert visitor.counted("Created") == PEOPLE
    for word in ("Linked", "Updated", "Skipped, the same", "Failed"):
        assert visitor.counted(word) == 0, word
    history = visitor.page.get_by_role("region", name="Earlier imports")
    expect(history).to_contain_text(f"{PEOPLE} created, 0 linked, 0 updated, 0 the same")


def test_I_4_imported_people_are_in_the_user_list_and_each_has_a_page(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("")
    visitor.click(visitor.navigation("Users"))
    expect(visitor.page.get_by_role("navigation", name="Pages")).to_contain_text(f"{PEOPLE} people")
    visitor.click("Next")
    expect(visitor.page.locator("#rows tbody tr")).to_have_count(PEOPLE - 50)
    visitor.page.get_by_role("searchbox", name="Name, address, username or employee id").fill("olafur.bjornsson")
    expect(visitor.page.locator("#rows tbody tr")).to_have_count(1)
    visitor.click(visitor.page.get_by_role("link", name="Ólafur Björnsson"))
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Ólafur Björnsson")
    expect(visitor.page.get_by_role("region", name="Timeline")).to_contain_text("Email Address")
    expect(visitor.page.get_by_role("row", name=re.compile("^First Name"))).to_contain_text("same")


def test_P_2_people_whom_a_directory_owns_are_marked_where_they_are_listed(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("users?account=synced")
    rows = visitor.page.locator("#rows tbody tr")
    expect(rows.first).to_contain_text("Synced from AD")
    rows.first.locator("a").first.click()
    visitor.says("Your own Active Directory writes this account.")


def test_I_5_importing_again_adds_nobody_and_reads_only_what_changed(
    product: Product, imported: Any, visit: Visit
) -> None:
    before = product.command("user", "list", TENANT, "--json")
    visitor = visit(imported)
    visitor.open("imports")
    visitor.import_all()
    expect(visitor.page.get_by_role("region", name="Earlier imports").locator("tbody tr")).not_to_have_count(1)
    assert visitor.counted("Created") == 0
    visitor.page.get_by_label("Read", exact=True).select_option(label="Everything, slower")
    visitor.import_all()
    expect(visitor.page.get_by_role("region", name="Earlier imports")).to_contain_text(
        f"0 created, 0 linked, 0 updated, {PEOPLE} the same"
    )
    assert visitor.counted("Skipped, the same") == PEOPLE
    assert product.command("user", "list", TENANT, "--json") == before


def test_I_5_import_is_refused_while_import_user_is_off(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("provisioning")
    visitor.switch(**{"import": False})
    visitor.open("imports")
    visitor.says("Nobody can be imported, not by hand and not by schedule.")
    expect(visitor.page.get_by_role("button", name=re.compile("^(Import|Preview)"))).to_have_count(0)
    visitor.click("Switch it on")
    visitor.switch(**{"import": True})
