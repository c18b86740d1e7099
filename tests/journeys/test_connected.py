"""A connected app: what was found, what was granted, and the Provisioning page with its mapping and switches."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from provision.sandbox.store import body_of, encode_body
from tests.journeys.product import APP, OWNER, TENANT, Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]


def test_P_1_free_seats_are_shown_per_licence_and_a_shortfall_is_a_warning_with_its_number(
    product: Product, connected: Any, visit: Visit
) -> None:
    """On the page that connects. The plan of new accounts, which the row also asks for, comes with creating."""
    visitor = visit(connected)
    visitor.open("apps/1")
    seats = visitor.page.get_by_role("region", name="Seats")
    expect(seats).to_contain_text(re.compile(r"Microsoft 365 Business Premium\s*\d+ of \d+"))
    expect(seats).to_contain_text(re.compile(r"\d+ free"))
    _take_seats(product, "SPB", 3)
    visitor.click("Check again")
    expect(seats.locator(".st-warn").filter(has_text=re.compile(r"^3 seats short$"))).to_be_visible()


def test_P_2_directory_sync_is_detected_and_comes_with_advice(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("apps/1")
    note = visitor.page.get_by_role("region", name="Worth knowing")
    expect(note).to_contain_text(re.compile(r"Directory sync is on for \d+ people\."))
    expect(note).to_contain_text("Azure AD Connect")
    expect(note).to_contain_text("Change them in your Active Directory.")


def test_A_7_consent_that_was_granted_shows_who_when_and_for_which_tenant(
    product: Product, connected: Any, visit: Visit
) -> None:
    visitor = visit(connected)
    visitor.open("apps/1")
    told = visitor.page.locator("#consent .note")
    expect(told).to_contain_text(OWNER)
    expect(told).to_contain_text(product.sandbox.credentials()["tenant"])
    expect(told.locator("time")).to_be_attached()
    reading = visitor.page.get_by_role("row").filter(has_text="Read people and what changed")
    expect(reading).to_contain_text("Granted")


def test_A_7_a_return_from_microsoft_counts_once(product: Product, connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("apps/1")
    window = visitor.go_to_microsoft()
    back: list[str] = []
    window.on("request", lambda request: back.append(request.url) if "/callback" in request.url else None)
    window.get_by_role("button", name="Accept").click()
    expect(window.get_by_text("Consent is granted").first).to_be_visible()
    assert "/callback" not in window.url, "the address that was worth something must not stay in the history"
    with visitor.refusal(400, 403):
        answer = window.goto(back[0])
        assert answer
        assert answer.status in (400, 403)


def test_A_8_saving_the_app_keeps_its_name(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("apps/1")
    for name in ("Microsoft of the yard", APP):
        visitor.page.get_by_label("Application Name").fill(name)
        visitor.click("Save")
        visitor.says("Saved.")
        expect(visitor.page.get_by_role("heading", level=1)).to_have_text(name)


def test_A_9_provisioning_opens_with_the_dropdown_of_applications(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("")
    visitor.click(visitor.navigation("Provisioning"))
    dropdown = visitor.page.get_by_role("combobox", name="Application", exact=True)
    expect(dropdown).to_be_visible()
    expect(dropdown.locator("option")).to_have_text([APP])


def test_A_10_choosing_an_application_loads_its_settings(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("apps/new?kind=microsoft365")
    visitor.page.get_by_label("Application Name").fill("Second tenant")
    visitor.page.get_by_label("Office 365 Tenant or verified domain").fill("fjordvik.example")
    visitor.page.get_by_text("Cloud and app registration").click()
    visitor.page.get_by_label("Cloud", exact=True).select_option("sandbox")
    visitor.click("Add and look")
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(re.compile("Second tenant|Connect Office 365"))
    visitor.open("provisioning")
    dropdown = visitor.page.get_by_role("combobox", name="Application", exact=True)
    dropdown.select_option(label="Second tenant")
    expect(visitor.page).to_have_url(re.compile(r"app=2"))
    visitor.says("Second tenant is not connected yet.")
    dropdown.select_option(label=APP)
    expect(visitor.page).to_have_url(re.compile(r"app=1"))
    expect(visitor.page.get_by_role("switch", name="Import User")).to_be_enabled()


def test_A_11_attribute_mapping_has_target_kind_and_value(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("provisioning?app=1")
    expect(visitor.page.get_by_role("heading", name="Attribute Mapping", exact=True)).to_be_visible()
    headers = _table(visitor).locator("thead th").all_inner_texts()
    assert headers[:3] == ["Target Attributes", "provision Attribute", "Value"]


def test_A_12_the_four_rows_of_the_guide_are_there_from_the_beginning(connected: Any, visit: Visit) -> None:
    """The guide's four, and displayName, without which Microsoft 365 takes no person."""
    visitor = visit(connected)
    visitor.open("provisioning?app=1")
    found = [
        (
            row.get_by_role("rowheader").locator("code").inner_text(),
            row.get_by_label(re.compile("^Kind for")).locator("option:checked").inner_text(),
            row.get_by_label(re.compile("^Value for")).locator("option:checked").inner_text(),
        )
        for row in _rows(visitor).all()
    ]
    assert found == [
        ("givenName", "Default User Profile", "First Name"),
        ("surname", "Default User Profile", "Last Name"),
        ("mailNickname", "Default User Profile", "Username"),
        ("userPrincipalName", "Default User Profile", "Email Address"),
        ("displayName", "Default User Profile", "Display Name"),
    ]


def test_A_13_a_row_takes_a_profile_or_a_custom_attribute_and_can_be_changed_and_removed(
    connected: Any, visit: Visit
) -> None:
    visitor = visit(connected)
    page = visitor.open("provisioning?app=1")
    page.get_by_label("Name of a new attribute").fill("Berth")
    visitor.click("Add")
    visitor.says("Berth can be mapped now.")
    visitor.click("Add attribute")
    row = _rows(visitor).last
    row.get_by_label(re.compile("^Target attribute")).select_option("officeLocation")
    row.get_by_label(re.compile("^Kind for")).select_option(label="Custom Attribute")
    row.get_by_label(re.compile("^Value for")).select_option(label="Berth")
    visitor.click("Save")
    visitor.says("Saved.")
    row = _rows(visitor).filter(has_text="officeLocation")
    expect(row.get_by_label(re.compile("^Kind for"))).to_have_value("custom")
    expect(row.get_by_label(re.compile("^Value for")).locator("option:checked")).to_have_text("Berth")
    row.get_by_label("Actions for officeLocation").click()
    visitor.click(row.get_by_role("button", name="Remove"))
    visitor.says("One unsaved change")
    visitor.click("Save")
    visitor.says("Saved.")
    expect(_rows(visitor)).to_have_count(5)


def test_A_13_a_row_that_cannot_be_is_refused_where_it_stands(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    page = visitor.open("provisioning?app=1")
    visitor.click("Add attribute")
    row = _rows(visitor).last
    row.get_by_label(re.compile("^Target attribute")).select_option("jobTitle")
    row.get_by_label(re.compile("^Kind for")).select_option(label="Expression")
    row.get_by_role("textbox", name=re.compile("^Value for")).fill("title +* (")
    with visitor.refusal(400, 422):
        visitor.click("Save")
        expect(page.locator("#errors")).to_be_visible()
    expect(_rows(visitor).last.locator("[aria-invalid=true]").first).to_be_visible()
    visitor.click("Discard")
    expect(_rows(visitor)).to_have_count(5)


def test_A_14_the_four_features_are_independent_switches(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    page = visitor.open("provisioning?app=1")
    switches = page.get_by_role("region", name="Features").get_by_role("switch")
    expect(switches).to_have_count(4)
    names = ("Import User", "Create User", "Edit User", "Delete User")
    for chosen in names:
        for name in names:
            page.get_by_role("switch", name=name).set_checked(name == chosen)
        visitor.click("Save")
        visitor.says("Saved.")
        page.reload()
        assert [name for name in names if page.get_by_role("switch", name=name).is_checked()] == [chosen]


def test_A_15_saved_switches_are_obeyed_by_page_address_and_command_line(
    product: Product, connected: Any, visit: Visit
) -> None:
    visitor = visit(connected)
    page = visitor.open("provisioning?app=1")
    visitor.switch(**{"import": True, "create": False, "edit": False, "delete": False})
    page.goto(f"{product.home}imports?app=1")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_visible()
    other = visit(connected)
    other.open("provisioning?app=1")
    other.switch(**{"import": False})
    with visitor.refusal(400, 403, 409, 422):
        visitor.click("Import", "button")  # the page was opened while the switch was still on
        visitor.says("Import User is off")
    page.goto(f"{product.home}imports?app=1")
    expect(page.get_by_role("button", name=re.compile("^(Import|Preview)"))).to_have_count(0)
    with pytest.raises(AssertionError, match="Import User"):
        product.command("import", TENANT, APP)
    other.open("users")
    other.says("Nobody here yet")


def test_pause_stops_everything_and_resume_lets_it_go_on(connected: Any, visit: Visit) -> None:
    visitor = visit(connected)
    visitor.open("apps/1")
    visitor.click("Pause")
    visitor.says("is paused.")
    visitor.click("Resume")
    visitor.says("goes on.")


def _table(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("table", name="Attribute Mapping")


def _rows(visitor: Visitor) -> Locator:
    return _table(visitor).locator("tbody tr")


def _take_seats(product: Product, part: str, short: int) -> None:
    """Leave a subscription with fewer seats than are given out."""
    with product.sandbox.store.writing() as db:
        for row in db.execute("SELECT id, body FROM skus").fetchall():
            body = body_of(row)
            if body["skuPartNumber"] != part:
                continue
            used = db.execute("SELECT count(DISTINCT user) FROM assignments WHERE sku = ?", (row["id"],)).fetchone()[0]
            body["prepaidUnits"] = {**body["prepaidUnits"], "enabled": used - short}
            db.execute("UPDATE skus SET body = ? WHERE id = ?", (encode_body(body).decode(), row["id"]))
