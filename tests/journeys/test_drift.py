"""Somebody changes people in Microsoft's own admin centre; the comparison shows it, and a person chooses."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from provision.sandbox.graph.records import body_of
from tests.fakes import elsewhere
from tests.journeys.product import APP, Product
from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
EVIL = '"><img src=x onerror=alert(1)> a value long enough that it has to wrap in its cell on every screen there is'


@pytest.fixture(scope="module")
def people(product: Product, imported: Any) -> list[str]:
    """Four who are imported, by address."""
    with product.sandbox.store.reading() as db:
        bodies = [body_of(row) for row in db.execute("SELECT body FROM users WHERE deleted_at IS NULL")]
    plain = (body for body in bodies if body.get("surname") and not body.get("onPremisesSyncEnabled"))
    return [body["userPrincipalName"] for body in plain if "#" not in body["userPrincipalName"]][:4]


@pytest.fixture(scope="module")
def drifted(chromium: Browser, product: Product, imported: Any, people: list[str]) -> Any:
    """Last names are ours from now on, and four of them are changed there."""
    visitor = Visitor(chromium, product, state=imported)
    page = visitor.open("provisioning")
    page.get_by_label("What goes out", exact=True).select_option("automatic")
    page.get_by_label("Who wins for surname").select_option("ours")
    visitor.switch(edit=True)
    for number, address in enumerate(people):
        elsewhere.change(product.sandbox, address, surname=EVIL[:64] if number == 3 else f"Elsewhere {number}")
    visitor.open("drift")
    visitor.says("Not compared yet")
    inspect(page, "drift-empty")
    visitor.click("Compare now")
    visitor.says("The comparison begins.")
    expect(_rows(visitor)).to_have_count(4)
    visitor.open("imports")
    expect(page.get_by_role("table", name="Earlier imports").locator("tbody tr").first).to_contain_text("Comparison")
    assert visitor.leave() == []
    return imported


def _rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("table", name="Values that differ").locator("tbody tr")


def _there(product: Product, address: str) -> str:
    with product.sandbox.store.reading() as db:
        bodies = [body_of(row) for row in db.execute("SELECT body FROM users")]
    return next(str(body["surname"]) for body in bodies if body["userPrincipalName"] == address)


def _answer(visitor: Visitor, words: str, verb: str) -> None:
    row = _rows(visitor).filter(has_text=words)
    row.get_by_label(re.compile("^Actions for")).click()
    row.get_by_role("button", name=verb, exact=True).click()


def test_what_others_changed_is_listed_and_home_says_so(drifted: Any, visit: Visit) -> None:
    visitor = visit(drifted)
    visitor.open("")
    visitor.says(f"4 values in {APP} are not what the mapping wants")
    visitor.click("Choose")
    expect(_rows(visitor)).to_have_count(4)
    inspect(visitor.page, "drift")


def test_push_back_puts_ours_there(product: Product, drifted: Any, people: list[str], visit: Visit) -> None:
    visitor = visit(drifted)
    visitor.open("drift")
    _answer(visitor, people[0], "Push back")
    visitor.says("One value goes back.")
    expect(_rows(visitor)).to_have_count(3)
    visitor.open(f"users?q={people[0]}")
    visitor.page.get_by_role("table", name=re.compile("People")).locator(".who a").first.click()
    expect(visitor.page.get_by_text(re.compile("^Changed in .*: Last Name$"))).to_be_visible()
    assert not _there(product, people[0]).startswith("Elsewhere")


def test_accept_in_on_the_persons_page_takes_theirs(
    product: Product, drifted: Any, people: list[str], visit: Visit
) -> None:
    visitor = visit(drifted)
    visitor.open(f"users?q={people[1]}")
    visitor.page.get_by_role("table", name=re.compile("People")).locator(".who a").first.click()
    visitor.says(f"Last Name was changed in {APP}.")
    inspect(visitor.page, "person-drifted")
    visitor.click(visitor.page.get_by_role("button", name=re.compile("^Accept theirs")))
    visitor.says("One value was accepted.")
    expect(visitor.page.get_by_role("row", name=re.compile("^Last Name"))).to_contain_text("Elsewhere 1")
    assert _there(product, people[1]) == "Elsewhere 1"


def test_left_alone_is_kept_apart_until_it_is_asked_again(drifted: Any, people: list[str], visit: Visit) -> None:
    visitor = visit(drifted)
    page = visitor.open("drift")
    page.get_by_role("checkbox", name="Select all on this page").check()
    visitor.click("Leave alone")
    visitor.says("2 values are left alone.")
    visitor.says("Everything is in line")
    visitor.open("drift?show=alone")
    expect(_rows(visitor)).to_have_count(2)
    inspect(page, "drift-alone")
    _answer(visitor, people[2], "Ask again")
    visitor.open("drift")
    expect(_rows(visitor)).to_have_count(1)
