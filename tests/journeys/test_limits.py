"""An app's own limits in a browser: refused at the field, kept, and obeyed by what goes out afterwards."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.product import TENANT, Product
from tests.journeys.test_keeping import settle
from tests.journeys.test_looks import inspect
from tests.journeys.test_people import there
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
NEW = "nora.berg@fjordvik.example"
KIND = "microsoft365"
HOLD, MARK = "Undo hold, in seconds", "Attribute that marks new accounts"


def test_limits_are_set_on_the_page_and_obeyed_by_what_goes_out(product: Product, imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    product.command("app", "features", TENANT, KIND, "--create", "--edit", "--delete", "--approval", "automatic")
    visitor.open("provisioning")
    inspect(visitor.page, "limits")
    visitor.page.get_by_label(HOLD).fill("soon")
    with visitor.refusal(422):
        visitor.click("Save")
        expect(visitor.page.locator("#f-hold_seconds-err")).to_contain_text("from 0 to 60")
    expect(visitor.page.get_by_label(HOLD)).to_have_value("soon")
    inspect(visitor.page, "limits-error")
    visitor.page.get_by_label(HOLD).fill("0")
    visitor.page.get_by_label(MARK).select_option("extensionAttribute15")
    visitor.click("Save")
    visitor.says("Saved. Nothing was sent.")
    new = ("--username", "nora.berg", "--email", NEW, "--first", "Nora", "--last", "Berg")
    product.command("user", "add", TENANT, *new)
    settle(visitor, "Created in Office 365")
    body = there(product, NEW)
    assert body is not None
    assert re.fullmatch(r"[A-Z2-7]{16}", body["onPremisesExtensionAttributes"]["extensionAttribute15"])
    product.command("user", "delete", TENANT, NEW)
    settle(visitor, "Deleted in Office 365")
    assert there(product, NEW) is None


def test_limits_are_set_without_script(imported: Any, visit: Visit) -> None:
    visitor = visit(imported, script=False)
    visitor.open("provisioning")
    visitor.page.get_by_label(HOLD).fill("61")
    with visitor.refusal(422):
        visitor.click("Save")
        visitor.says("The hold is a whole number of seconds, from 0 to 60.")
    visitor.page.get_by_label(HOLD).fill("60")
    visitor.click("Save")
    visitor.says("Saved. Nothing was sent.")
    expect(visitor.page.get_by_label(HOLD)).to_have_value("60")
