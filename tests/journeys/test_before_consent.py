"""Signing in and setting an app up, as far as one comes before Microsoft has said yes."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.journeys.product import APP, OWNER, ROOT, Product
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]


def test_P_3_our_own_prerequisites_are_told_before_connecting(product: Product, visit: Visit) -> None:
    """The guide leaves its last prerequisites empty. Ours: public address, administrator's account, mail, and the clock."""
    assert f"Open     {product.url}" in product.printed
    assert product.link
    examined = product.command("doctor")
    assert "public url" in examined
    assert "schema" in examined
    told = (ROOT / "README.md").read_text() + (ROOT / "docs/operations.md").read_text()
    for prerequisite in ("PROVISION_PUBLIC_URL", "PROVISION_SMTP_URL", "provision operator add", "**Clock.**"):
        assert prerequisite in told


def test_A_1_signing_in_opens_the_console_with_its_left_side_navigation(owner: Any, visit: Visit) -> None:
    visitor = visit()
    visitor.sign_in()
    main = visitor.page.get_by_role("navigation", name="Main")
    for name in ("Apps", "Provisioning", "Users", "User List", "Import Users", "Reports", "Provisioning Report"):
        expect(main.get_by_role("link", name=name, exact=True)).to_be_visible()
    box = main.bounding_box()
    assert box
    assert box["x"] + box["width"] < visitor.page.get_by_role("main").bounding_box()["x"] + 1  # type: ignore[index]
    expect(visitor.page).to_have_title(re.compile("Fjordvik · provision$"))


def test_a_wrong_password_says_so_and_keeps_the_address(owner: Any, visit: Visit) -> None:
    visitor = visit()
    visitor.open("/signin")
    visitor.page.get_by_label("Email", exact=True).fill(OWNER)
    visitor.page.get_by_label("Password", exact=True).fill("not the password at all")
    with visitor.refusal(422):
        visitor.click("Sign in", "button")
        expect(visitor.page.get_by_role("alert")).to_be_visible()
    expect(visitor.page.get_by_label("Email", exact=True)).to_have_value(OWNER)
    expect(visitor.page.get_by_label("Password", exact=True)).to_have_value("")


def test_A_2_apps_lists_the_applications_and_leads_to_a_new_one_and_to_the_existing_one(
    owner: Any, visit: Visit
) -> None:
    visitor = visit(owner)
    visitor.open("")
    visitor.click(visitor.navigation("Apps"))
    row = visitor.page.get_by_role("row", name=APP)
    expect(row).to_contain_text("Not connected yet")
    row.get_by_label(f"Actions for {APP}").click()
    visitor.click(row.get_by_role("link", name="Edit", exact=True))
    expect(visitor.page.get_by_label("Application Name")).to_have_value(APP)
    visitor.open("apps")
    visitor.click("Add an app")
    visitor.click(visitor.page.get_by_role("main").get_by_role("link", name="Office 365"))
    expect(visitor.page.get_by_role("heading", level=1)).to_contain_text("Office 365")


def test_A_3_a_new_app_may_skip_the_step_that_federates_the_domain(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/new?kind=microsoft365")
    visitor.says("You may skip “Configure Microsoft Online Services”.")
    visitor.says("until all users are imported from Office 365")
    visitor.open("apps/1")
    step = visitor.page.get_by_role("listitem").filter(has_text="Configure Microsoft Online Services")
    expect(step).to_contain_text("can wait")
    expect(step).to_contain_text("For a new app you may skip this until all users are imported from Office 365.")


@pytest.mark.parametrize("domain", ["fjordvik.onmicrosoft.com", "fjordvik.example"])
def test_A_4_the_tenant_may_be_named_by_its_onmicrosoft_name_or_a_verified_domain(
    owner: Any, visit: Visit, domain: str
) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    field = visitor.page.get_by_label("Office 365 Tenant or verified domain")
    expect(visitor.page.get_by_text("Like acme.com or acme.onmicrosoft.com")).to_be_visible()
    field.fill(domain)
    visitor.click("Save")
    visitor.says("Saved.")
    expect(field).to_have_value(domain)


@pytest.mark.parametrize("domain", ["nowhere.example", "not a domain", "https://fjordvik.example/"])
def test_A_4_an_unknown_or_malformed_domain_is_refused_with_the_reason_at_its_field(
    owner: Any, visit: Visit, domain: str
) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    field = visitor.page.get_by_label("Office 365 Tenant or verified domain")
    field.fill(domain)
    with visitor.refusal(400, 404, 409, 422):
        visitor.click("Save")
        expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value(domain)
    expect(visitor.page.locator("#f-domain-err")).not_to_be_empty()
    expect(visitor.page).to_have_title(re.compile("^Error: "))
    visitor.open("apps/1")
    expect(field).to_have_value(re.compile("^fjordvik"))


def test_A_5_grant_administrator_consent_opens_microsofts_sign_in_in_its_own_window(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    window = visitor.go_to_microsoft()
    assert urlsplit(window.url).path.startswith("/sandbox/")
    expect(visitor.page.get_by_role("heading", name="Administrator consent")).to_be_visible()
    assert visitor.page.url != window.url


def test_A_6_the_note_names_the_global_admin_of_the_onmicrosoft_domain(owner: Any, visit: Visit) -> None:
    """The password is Microsoft's affair: no page of ours has a field for it."""
    visitor = visit(owner)
    visitor.open("apps/1")
    note = visitor.page.locator("#consent")
    expect(note).to_contain_text("If your domain is federated")
    expect(note).to_contain_text("default Global Admin on the onmicrosoft.com domain")
    expect(visitor.page.locator("input[type=password]")).to_have_count(0)


def test_A_7_declining_on_microsofts_page_is_told_with_what_to_do(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    window = visitor.go_to_microsoft()
    with visitor.refusal(400, 403, 409, 422):
        visitor.click(window.get_by_role("button", name="Cancel"))
        expect(window.get_by_text("What happened")).to_be_visible()
    expect(window.get_by_text("Nothing was changed. The attempt is in the log.")).to_be_visible()
    visitor.click(window.get_by_role("link", name="Back to the app"))
    expect(window.locator("#consent .note")).to_contain_text(OWNER)
    visitor.open("apps")
    visitor.says("Not connected yet")


def test_A_7_a_consent_for_another_tenant_is_refused(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    window = visitor.go_to_microsoft()
    state = parse_qs(urlsplit(window.url).query)["state"][0]
    elsewhere = "2f1d6b1c-64f0-4b0e-8a54-0c6a3f6f9d11"
    with visitor.refusal(400, 403, 409, 422):
        answer = window.goto(f"/connect/microsoft365/callback?admin_consent=True&tenant={elsewhere}&state={state}")
        assert answer
        assert answer.status in (403, 409, 422)
    expect(window.get_by_text("What you do")).to_be_visible()
    visitor.open("apps")
    visitor.says("Not connected yet")


def test_A_7_a_forged_or_unfinished_return_from_microsoft_is_refused(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    for query in ("", "state=", "admin_consent=True&tenant=x&state=" + "A" * 43, "error=access_denied&state=%00"):
        with visitor.refusal(400, 403):
            answer = visitor.page.goto(f"/connect/microsoft365/callback?{query}")
            assert answer
            assert answer.status in (400, 403), query
            expect(visitor.page.get_by_text("What happened")).to_be_visible()


def test_A_7_a_return_from_microsoft_belongs_to_the_operator_who_left(
    product: Product, owner: Any, visit: Visit
) -> None:
    product.command("operator", "add", "nils@fjordvik.example", "--role", "owner", "--password-stdin",
                    given="quiet ferries cross before noon\n")  # fmt: skip
    leaver, other = visit(owner), visit()
    leaver.open("apps/1")
    window = leaver.go_to_microsoft()
    state = parse_qs(urlsplit(window.url).query)["state"][0]
    tenant = product.sandbox.credentials()["tenant"]
    other.sign_in("nils@fjordvik.example", "quiet ferries cross before noon")
    with other.refusal(400, 403):
        answer = other.page.goto(f"/connect/microsoft365/callback?admin_consent=True&tenant={tenant}&state={state}")
        assert answer
        assert answer.status in (400, 403)


def test_A_8_before_consent_no_feature_can_be_switched_on(owner: Any, visit: Visit) -> None:
    visitor = visit(owner)
    visitor.open("apps/1")
    visitor.says("Once you have granted the permissions, Provisioning features can be enabled.")
    visitor.open("provisioning")
    visitor.says("is not connected yet.")
    for name in ("Import User", "Create User", "Edit User", "Delete User"):
        expect(visitor.page.get_by_role("switch", name=name)).to_be_disabled()
    visitor.page.evaluate("document.querySelectorAll('[role=switch]').forEach(each => { each.disabled = false })")
    visitor.page.get_by_role("switch", name="Import User").check()
    with visitor.refusal(400, 403, 409, 422):
        visitor.click("Save")
        expect(visitor.page.locator("#errors")).to_be_visible()
    visitor.open("imports")
    visitor.says("Import User is off")
    expect(visitor.page.get_by_role("button", name=re.compile("^(Import|Preview)"))).to_have_count(0)
