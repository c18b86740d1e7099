"""Preview, and what only a person can decide: Exact, New, Existing, Ignore, and importing chosen rows."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from sqlmodel import Session, col, select

from provision.core.tables import User
from provision.sandbox.store import body_of
from tests import populate
from tests.journeys.conftest import PEOPLE
from tests.journeys.product import Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
SAME = "cagla.sahin@fjordvik.example"


@pytest.fixture(scope="module")
def disputed(chromium: Browser, product: Product, importing: Any) -> Any:
    """People are here already: one who is plainly Çağla Şahin, and two who share another account's employee number."""
    house = product.house
    with house.db.writing() as session:
        populate.person(session, 1, house.now(), "Çağla Ş.", email=SAME, given_name="Çağla", surname="Ş.")
        number = _employee_number(product)
        for name in ("Somebody Once", "Somebody Twice"):
            populate.person(session, 1, house.now(), name, employee_id=number)
    visitor = Visitor(chromium, product, state=importing)
    page = visitor.open("provisioning")
    visitor.click("Add attribute")
    row = page.get_by_role("table", name="Attribute Mapping").locator("tbody tr").last
    row.get_by_label(re.compile("^Target attribute")).select_option("employeeId")
    row.get_by_label(re.compile("^Value for")).select_option("employee_id")
    row.get_by_label(re.compile("^Actions for")).click()
    row.get_by_label(re.compile("^Matching priority")).select_option("2")
    visitor.click("Save")
    visitor.says("Saved.")
    visitor.open("imports")
    visitor.click("Preview")
    expect(page.get_by_role("heading", name="What an import would do")).to_be_visible()
    assert visitor.leave() == []
    return importing


def test_a_preview_counts_every_kind_and_changes_nobody(product: Product, disputed: Any, visit: Visit) -> None:
    visitor = visit(disputed)
    visitor.open("imports")
    assert visitor.counted("New") == PEOPLE - 2
    assert visitor.counted("Exact") == 1
    assert visitor.counted("Disputed") == 1
    visitor.says("One row needs a choice.")
    with product.house.db.reading() as session:
        assert len(session.exec(select(User)).all()) == 3


def test_the_counts_are_filters(disputed: Any, visit: Visit) -> None:
    visitor = visit(disputed)
    visitor.open("imports")
    visitor.click(visitor.page.locator(".strip").get_by_role("link", name=re.compile("Disputed")))
    expect(_rows(visitor)).to_have_count(1)
    expect(_rows(visitor)).to_contain_text("several people fit")
    for name in ("Somebody Once", "Somebody Twice"):
        expect(_rows(visitor).get_by_role("radio", name=re.compile(name))).to_be_visible()
    visitor.open("imports?show=exact")
    expect(_rows(visitor)).to_contain_text("exactly one person fits")


def test_decisions_are_kept_and_carried_out_by_the_import(product: Product, disputed: Any, visit: Visit) -> None:
    visitor = visit(disputed)
    page = visitor.open("imports?show=disputed")
    page.get_by_role("radio", name=re.compile("Somebody Twice")).check()
    _decision(_rows(visitor).first).select_option(label="Existing")
    visitor.click("Keep decisions")
    visitor.says("One decision is kept.")
    visitor.open("imports?show=new")
    ignored = _rows(visitor).first.locator(".who a, .who b").first.inner_text()
    _decision(_rows(visitor).first).select_option(label="Ignore")
    visitor.click("Keep decisions")
    visitor.says("One decision is kept.")
    visitor.open("imports?show=exact")
    _decision(_rows(visitor).first).select_option(label="New")
    with visitor.refusal(409, 422):
        visitor.click("Keep decisions")
        visitor.says(re.compile("One decision is kept|address"))
    visitor.open("imports")
    with product.house.db.reading() as session:
        before = len(session.exec(select(User)).all())
    assert before == 3
    assert ignored


def test_only_the_chosen_rows_are_imported(product: Product, disputed: Any, visit: Visit) -> None:
    visitor = visit(disputed)
    page = visitor.open("imports?show=new")
    chosen = _rows(visitor).nth(4).locator(".who a, .who b").first.inner_text()
    _rows(visitor).nth(4).get_by_role("checkbox").check()
    visitor.click("Import the chosen")
    expect(page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
    assert visitor.counted("Created") == 1
    with product.house.db.reading() as session:
        assert len(session.exec(select(User)).all()) == 4
        assert _named(session, chosen) == 1


def test_choosing_nothing_is_said(disputed: Any, visit: Visit) -> None:
    visitor = visit(disputed)
    visitor.open("imports?show=new")
    button = visitor.page.get_by_role("button", name="Import the chosen")
    if button.is_visible():
        with visitor.refusal(400, 422):
            visitor.click(button)
            expect(visitor.page.get_by_role("alert")).to_be_visible()
    else:
        expect(visitor.page.get_by_text("None chosen")).to_be_visible()


def test_import_takes_what_is_certain_carries_decisions_out_and_leaves_the_rest(
    product: Product, disputed: Any, visit: Visit
) -> None:
    visitor = visit(disputed)
    visitor.open("imports")
    visitor.import_all()
    with product.house.db.reading() as session:
        assert _named(session, "Somebody Once") == 1
        assert session.exec(select(User).where(col(User.employee_id) == _employee_number(product))).all()
    visitor.open("imports?show=ignored")
    expect(_rows(visitor)).to_have_count(1)
    expect(_rows(visitor)).to_contain_text("Stays out.")


def _rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("table", name="Rows of the preview").locator("tbody tr")


def _decision(row: Locator) -> Locator:
    return row.get_by_label(re.compile("^Decision for"))


def _named(session: Session, name: str) -> int:
    return len(session.exec(select(User).where(col(User.display_name) == name)).all())


def _employee_number(product: Product) -> str:
    """The number of somebody at Microsoft who is neither synced nor a guest nor the one who fits exactly."""
    with product.sandbox.store.reading() as db:
        bodies = [body_of(row) for row in db.execute("SELECT body FROM users ORDER BY seq")]
    return next(
        str(body["employeeId"])
        for body in bodies
        if body.get("employeeId") and not body.get("onPremisesSyncEnabled") and body["userPrincipalName"] != SAME
    )
