"""A second application beside Office 365: a real SCIM server is connected in the browser, and one person goes to both,
whether they were created here or pushed in by a SCIM client.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from provision.core.vocabulary import TokenScope
from provision.services import connectors, tenants, tokens
from tests.connectors.scim.test_grouping import GROUP, inside
from tests.fakes.scim import TOKEN, ScimServer
from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.test_people import act, fill, find
from tests.journeys.test_people import there as in_office
from tests.journeys.test_scim_source import Pushing
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
NAME = "Payroll"
IDS = {APP: 1, NAME: 2}
SOURCE = "HR system"
NEW = "selma.lind@fjordvik.example"
PUSHED = "ingrid.sund@fjordvik.example"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The demo, allowed to reach applications on this machine."""
    networks = {"PROVISION_PRIVATE_NETWORKS": "127.0.0.0/8"}
    product = Product(tmp_path_factory.mktemp("product"), PEOPLE, **networks).start()
    yield product
    assert product.stop() == 0
    assert "Traceback" not in product.printed


@pytest.fixture(scope="module")
def there() -> Iterator[ScimServer]:
    server = ScimServer()
    yield server
    server.close()


def hub_row(visitor: Visitor, app: str) -> Any:
    return visitor.page.locator("#hub tbody tr", has_text=app)


def _switch(visitor: Visitor, app: str, **features: bool) -> None:
    visitor.open(f"provisioning?app={IDS[app]}")
    visitor.page.get_by_label("What goes out", exact=True).select_option("automatic")
    visitor.switch(**features)


def test_the_kind_is_chosen_and_its_form_is_drawn_from_its_settings(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open("apps")
    visitor.click("Add an app")
    visitor.says("Office 365 / Azure AD")
    inspect(visitor.page, "app-kinds")
    visitor.click("SCIM 2.0 application", "link")
    expect(visitor.page.get_by_label("Base URL")).to_be_visible()
    inspect(visitor.page, "app-new-scim")


def test_a_wrong_token_is_told_and_a_right_one_connects(imported: Any, visit: Visit, there: ScimServer) -> None:
    visitor = visit(imported)
    visitor.open("apps/new?kind=scim")
    visitor.page.get_by_label("Application Name").fill(NAME)
    visitor.page.get_by_label("Base URL").fill(there.url)
    visitor.page.get_by_label("Bearer token or client secret").fill("wrong-token")
    visitor.click("Add and look")
    visitor.says("The application refused the token")
    inspect(visitor.page, "app-scim-refused")
    visitor.page.locator("summary", has_text="Renew it").click()
    visitor.page.get_by_label("Bearer token or client secret").fill(TOKEN)
    visitor.click("Seal it")
    visitor.click("Test Connection")
    visitor.says("Connected to 127.0.0.1")
    visitor.says("Only what changed is sent.")
    inspect(visitor.page, "app-scim-connected")


def test_another_server_is_not_shown_the_token_until_it_is_entered_again(
    imported: Any, visit: Visit, there: ScimServer
) -> None:
    visitor, calls = visit(imported), len(there.calls)
    visitor.open(f"apps/{IDS[NAME]}")
    visitor.page.get_by_label("Base URL").fill(there.url.replace("127.0.0.1", "localhost"))
    again = visitor.page.get_by_label("Bearer token or client secret for the new address")
    with visitor.refusal(422):
        visitor.click("Save")
        expect(again).to_have_attribute("aria-invalid", "true")
    visitor.says("would be shown to another server, http://localhost")
    inspect(visitor.page, "app-secret-again")
    assert len(there.calls) == calls
    visitor.page.get_by_label("Base URL").fill(there.url)
    again.fill(TOKEN)
    visitor.click("Save")
    visitor.says("Saved.")
    assert len(there.calls) > calls


def test_its_switches_and_its_mapping_are_set_like_any_other_apps(
    imported: Any, visit: Visit, there: ScimServer
) -> None:
    visitor = visit(imported)
    _switch(visitor, NAME, create=True, edit=True, delete=True)
    inspect(visitor.page, "provisioning-scim")
    _switch(visitor, APP, create=True, edit=True, delete=True)
    assert there.people() == {}


def test_somebody_created_here_goes_to_both(product: Product, imported: Any, visit: Visit, there: ScimServer) -> None:
    visitor = visit(imported)
    visitor.open("users/new")
    fill(visitor, First_Name="Selma", Last_Name="Lind", Username="selma.lind", Email_Address=NEW)
    visitor.click("Create User")
    visitor.says("Created here.")
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text(f"Created in {app}")
        expect(hub_row(visitor, app)).to_contain_text("Linked")
    assert in_office(product, NEW) is not None
    (row,) = there.named(NEW)
    assert row["name"] == {"givenName": "Selma", "familyName": "Lind"}
    inspect(visitor.page, "person-hub")


def test_a_change_goes_to_both(product: Product, imported: Any, visit: Visit, there: ScimServer) -> None:
    visitor = visit(imported)
    act(visitor, find(visitor, "selma"), "Edit")
    fill(visitor, Last_Name="Lind-Dahl")
    visitor.click("Save")
    visitor.says("Saved here.")
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text(f"Changed in {app}")
    assert there.named(NEW)[0]["name"]["familyName"] == "Lind-Dahl"
    body = in_office(product, NEW)
    assert body is not None
    assert body["surname"] == "Lind-Dahl"


def test_disabling_says_what_happens_where_and_switches_off_in_both(
    product: Product, imported: Any, visit: Visit, there: ScimServer
) -> None:
    visitor = visit(imported)
    act(visitor, find(visitor, "selma"), "Disable…")
    dialog = visitor.page.get_by_role("dialog")
    for app in (APP, NAME):
        expect(dialog).to_contain_text(app)
    inspect(visitor.page, "disable-in-both")
    visitor.page.get_by_role("button", name=re.compile("^Yes, disable")).click()
    find(visitor, "selma").get_by_role("link", name=re.compile("Selma")).first.click()
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text("sign-in blocked")
    assert there.named(NEW)[0]["active"] is False
    body = in_office(product, NEW)
    assert body is not None
    assert body["accountEnabled"] is False


@pytest.fixture(scope="module")
def client(product: Product, imported: Any) -> Iterator[Pushing]:
    """A client with a token that pushes its people to us over HTTP."""
    at, now = product.house, product.house.now()
    with at.db.writing() as session:
        tenant = tenants.by_slug(session, TENANT).id or 0
        row = connectors.add(session, at.vault, tenant, at.kinds, "scim_source", SOURCE, {}, None, "ada", now)
    connectors.check(at.db.writing, at.connect, tenant, row.id or 0, "ada", at.now)
    with at.db.writing() as session:
        connectors.features(session, tenant, row.id or 0, {"import": True}, None, "ada", now)
        given: dict[str, Any] = {
            "scope": TokenScope.WRITE,
            "days": 1,
            "actor": "ada",
            "token_bytes": secrets.token_bytes,
        }
        _, token = tokens.issue(session, tenant, row.id or 0, now=now, **given)
    with Pushing(product, token) as client:
        yield client


@pytest.fixture(scope="module")
def ingrid(client: Pushing) -> str:
    """Somebody whom the client has pushed, by her number there."""
    return client.hire("Ingrid", "Sund")


def test_somebody_pushed_in_appears_and_is_created_in_both(
    product: Product, imported: Any, visit: Visit, there: ScimServer, ingrid: str
) -> None:
    visitor = visit(imported)
    find(visitor, "Ingrid").get_by_role("link", name="Ingrid Sund").first.click()
    visitor.says(f"Added from {SOURCE}")
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text(f"Created in {app}")
    expect(hub_row(visitor, SOURCE)).to_contain_text("Last Name")
    assert in_office(product, PUSHED) is not None
    assert [row["active"] for row in there.named(PUSHED)] == [True]
    assert ingrid != there.named(PUSHED)[0]["id"]


def test_what_the_client_changes_follows_in_both(
    product: Product, imported: Any, visit: Visit, there: ScimServer, client: Pushing, ingrid: str
) -> None:
    client.change(ingrid, "name.familyName", "Sunde")
    visitor = visit(imported)
    find(visitor, "Ingrid").get_by_role("link", name="Ingrid Sund").first.click()
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text(f"Changed in {app}")
    assert there.named(PUSHED)[0]["name"]["familyName"] == "Sunde"
    body = in_office(product, PUSHED)
    assert body is not None
    assert body["surname"] == "Sunde"


def test_a_group_of_the_client_follows_where_somebody_wants_it(
    product: Product, imported: Any, visit: Visit, there: ScimServer, client: Pushing, ingrid: str
) -> None:
    visitor = visit(imported)
    visitor.open(f"apps/{IDS[NAME]}")
    visitor.page.locator("summary", has_text="More settings").click()
    visitor.page.get_by_label("Groups follow").check()
    visitor.click("Save")
    visitor.says("Saved.")
    visitor.click("Test Connection")
    visitor.says("Groups that are known here follow, with their members.")
    inspect(visitor.page, "app-scim-groups")
    body = {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": ingrid}]}
    assert client.http.post("/Groups", json=body).status_code == 201
    product.until(lambda: inside(there) == [("Crew", [there.named(PUSHED)[0]["id"]])], "the group being there")
    visitor.open(f"reports?app={IDS[NAME]}")
    expect(visitor.page.get_by_role("row").filter(has_text="Crew").first).to_contain_text(f"Created in {NAME}")
    inspect(visitor.page, "report-group")


def test_who_is_deactivated_loses_one_app_at_once_and_the_one_that_is_down_as_soon_as_it_is_back(
    product: Product, imported: Any, visit: Visit, there: ScimServer, client: Pushing, ingrid: str
) -> None:
    there.strike("status", "PATCH", "/Users/*", status=503, times=10_000)
    client.change(ingrid, "active", "False")
    visitor = visit(imported)
    find(visitor, "Ingrid").get_by_role("link", name="Ingrid Sund").first.click()
    expect(hub_row(visitor, APP)).to_contain_text(f"Sign-in blocked in {APP}")
    expect(hub_row(visitor, NAME)).to_contain_text("The application is busy")
    assert there.named(PUSHED)[0]["active"] is True
    inspect(visitor.page, "person-one-target-down")
    there.strikes.clear()
    visitor.page.get_by_text("Actions", exact=True).click()
    visitor.click("Sync this person now", "button")
    find(visitor, "Ingrid").get_by_role("link", name="Ingrid Sund").first.click()
    for app in (APP, NAME):
        expect(hub_row(visitor, app)).to_contain_text(f"Sign-in blocked in {app}")
    assert there.named(PUSHED)[0]["active"] is False
    body = in_office(product, PUSHED)
    assert body is not None
    assert body["accountEnabled"] is False
    inspect(visitor.page, "person-off-everywhere")
    visitor.open("reports?who=ingrid")
    for app in (APP, NAME):
        expect(visitor.page.get_by_role("row").filter(has_text=f"Sign-in blocked in {app}").first).to_be_visible()
    visitor.says(re.compile(f"Changed in {NAME}: last name", re.IGNORECASE))
    inspect(visitor.page, "report-off-everywhere")


def test_whom_it_is_for_is_tried_before_it_is_saved(imported: Any, visit: Visit) -> None:
    visitor = visit(imported)
    visitor.open(f"provisioning?app={IDS[NAME]}")
    first = visitor.page.get_by_role("group", name="Condition 1")
    first.get_by_label("Attribute").select_option("department")
    first.get_by_label("Comparison").select_option("is filled")
    expect(visitor.page.locator("#forecast")).to_contain_text("Would get an account there")
    inspect(visitor.page, "provisioning-rule")
    visitor.click("Save")
    visitor.says("Saved.")
    expect(visitor.page.get_by_role("group", name="Condition 2")).to_be_visible()


def test_the_command_line_beside_it_says_the_same(product: Product, imported: Any, there: ScimServer) -> None:
    assert "linked" in product.command("user", "show", "fjordvik", "selma.lind", "--json")
    assert "department" in product.command("app", "scope", "fjordvik", NAME, "--json")
    assert NAME in product.command("report", "fjordvik", "--user", NEW)
    assert len(there.named(NEW)) == 1
