"""People who vanish at Microsoft: the brake, its list, Reject and Allow; and an import that is stopped on its way."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from provision.sandbox.faults import KNOBS, Fault
from provision.sandbox.graph.records import set_aside
from provision.sandbox.people import stamp
from tests.journeys.product import TENANT, Product
from tests.journeys.visitor import IMPORT, Visitor, shoot

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
MANY = 30


def test_an_import_can_be_stopped_and_goes_on_later(product: Product, importing: Any, visit: Visit) -> None:
    product.sandbox.faults.turn(delta_page=1)  # so slow a tenant is stopped in time by the slowest hand
    product.sandbox.faults.add(Fault("slow", path="/v1.0/users/delta*", times=None, details={"seconds": 2.0}))
    visitor = visit(importing)
    page = visitor.open("imports")
    visitor.click(page.get_by_role("button", name="Import", exact=True))
    progress = page.get_by_role("progressbar", name="Import progress")
    expect(progress).to_be_visible()
    expect(page.locator("#progress")).to_contain_text(re.compile(r"[1-9]\d* of 60 accounts"))
    expect(page).to_have_title(re.compile("^Importing"))
    shoot(page, "imports-running")
    visitor.click("Stop")
    expect(page.get_by_role("heading", name="Stopped", exact=True)).to_be_visible()
    visitor.says("the next import goes on from there")
    product.sandbox.faults.clear()
    product.sandbox.faults.turn(delta_page=KNOBS["delta_page"])
    visitor.import_all()
    visitor.open("users")
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text("60 people")


def test_many_people_gone_at_once_hold_the_import_and_show_their_list(
    product: Product, imported: Any, visit: Visit
) -> None:
    _delete(product, MANY)
    visitor = visit(imported)
    page = visitor.open("imports")
    visitor.click(page.get_by_role("button", name="Import", exact=True))
    expect(page.get_by_role("alert")).to_contain_text(f"Stopped by the brake: {MANY} people would be taken away.")
    expect(page.get_by_role("alert")).to_contain_text("Nobody was changed.")
    listed = page.get_by_role("table", name="Who would be taken away").locator("tbody tr")
    expect(listed).to_have_count(MANY)
    expect(listed.first).to_contain_text("recycle bin")
    shoot(page, "imports-held")
    visitor.open("")
    visitor.says("The brake stopped the import from")
    visitor.click(f"See the {MANY} accounts")
    expect(listed).to_have_count(MANY)
    assert '"lifecycle": "left"' not in product.command("user", "list", TENANT, "--json")


def test_allow_wants_the_number_typed(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("imports")
    page.get_by_label(f"Type {MANY} to allow it").fill("3")
    with visitor.refusal(400, 409, 422):
        visitor.click(f"Allow, take {MANY} people away")
        expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_role("table", name="Who would be taken away")).to_be_visible()


def test_rejected_nobody_is_changed_and_the_next_import_asks_again(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    page = visitor.open("imports")
    visitor.click("Reject, change nobody")
    visitor.says("Rejected. Nobody was changed")
    visitor.open("users?problem=gone")
    visitor.says("Nobody fits")
    visitor.open("imports")
    visitor.click(page.get_by_role("button", name=IMPORT))
    expect(page.get_by_role("alert")).to_contain_text(f"{MANY} people would be taken away")


def test_allowed_the_list_is_applied_and_people_stay_flagged(imported: Any, visit: Visit) -> None:
    """Keep is the setting: nobody leaves here, they are only marked as gone there."""
    visitor = visit(imported)
    page = visitor.open("imports")
    page.get_by_label(f"Type {MANY} to allow it").fill(str(MANY))
    visitor.click(f"Allow, take {MANY} people away")
    visitor.says("Allowed. The list was applied.")
    visitor.open("users?problem=gone")
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text(f"{MANY} people")
    visitor.open("users?status=active")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def _delete(product: Product, number: int) -> None:
    """Put members into Microsoft's recycle bin, behind our back."""
    sandbox = product.sandbox
    at = sandbox.cloud.moment()
    with sandbox.store.writing() as db:
        rows = db.execute(
            "SELECT * FROM users WHERE deleted_at IS NULL AND id NOT IN (SELECT member FROM role_members)"
            " ORDER BY seq DESC LIMIT ?",
            (number,),
        ).fetchall()
        for row in rows:
            set_aside(db, row, at, stamp(sandbox.cloud.now()))
