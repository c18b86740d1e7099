"""Somebody pushed in by SCIM appears, is created in Microsoft 365, is changed, and disabled there when deactivated here."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.product import TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.test_people import _switch as switch_all
from tests.journeys.test_people import there as kept
from tests.journeys.visitor import Visitor
from tests.processes import PATIENCE

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
NAME = "HR system"


@pytest.fixture(scope="module")
def switched(chromium: Browser, product: Product, imported: Any) -> Any:
    """The owner's cookies, after Create, Edit and Delete were switched on; what goes out needs no approval."""
    visitor = Visitor(chromium, product, state=imported)
    switch_all(visitor, approval="automatic", create=True, edit=True, delete=True)
    assert visitor.leave() == []
    return imported


class Pushing:
    """The client at the other end of the wire."""

    def __init__(self, product: Product, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        self.http = httpx2.Client(base_url=f"{product.url}/scim/v2", headers=headers, trust_env=False, timeout=PATIENCE)

    def __enter__(self) -> "Pushing":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def hire(self, given: str, family: str) -> str:
        address = f"{given}.{family}@fjordvik.example".lower()
        body = {"schemas": [USER], "userName": address, "name": {"givenName": given, "familyName": family},
                "displayName": f"{given} {family}", "active": True}  # fmt: skip
        answer = self.http.post("/Users", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def change(self, number: str, path: str, value: Any) -> None:
        operation = {"op": "Replace", "path": path, "value": value}
        answer = self.http.patch(f"/Users/{number}", json={"schemas": [PATCH], "Operations": [operation]})
        assert answer.status_code == 204, answer.text


def there(product: Product, address: str, **values: Any) -> None:
    """Wait until Microsoft keeps somebody of this sign-in name with these values."""

    def so() -> bool:
        body = kept(product, address)
        return body is not None and all(body.get(name) == value for name, value in values.items())

    product.until(so, f"{address} with {values}")


def test_a_client_is_added_and_given_a_token_in_the_browser(product: Product, switched: Any, visit: Visit) -> None:
    visitor = visit(switched)
    visitor.open("apps/new")
    visitor.click(visitor.page.get_by_role("main").get_by_role("link", name="SCIM client (source)"))
    visitor.page.get_by_label("Application Name").fill(NAME)
    visitor.click("Add and look")
    visitor.says("/scim/v2")
    inspect(visitor.page, "scim-source")
    visitor.click("Make it")
    token = visitor.page.locator("#issued").inner_text().strip()
    assert re.fullmatch(r"prov_[\w-]{43}", token)
    inspect(visitor.page, "scim-source-token")
    visitor.open(visitor.page.url.removeprefix(product.home).replace("/tokens", "").partition("#")[0])
    expect(visitor.page.get_by_text(token)).to_have_count(0)
    with Pushing(product, token) as client:
        assert client.http.get("/Users").status_code == 200


def test_from_the_push_to_microsoft_and_back_to_disabled(product: Product, switched: Any, visit: Visit) -> None:
    product.command("app", "features", TENANT, NAME, "--import")
    token = json.loads(product.command("app", "token", TENANT, NAME, "--json"))["token"]
    with Pushing(product, token) as client:
        _follow(client, product, visit(switched))


def _follow(client: Pushing, product: Product, visitor: Visitor) -> None:
    number = client.hire("Ingrid", "Sund")
    address = "ingrid.sund@fjordvik.example"
    there(product, address, accountEnabled=True, surname="Sund")
    visitor.open("users?q=Ingrid")
    row = visitor.page.get_by_role("table", name=re.compile("People")).locator("tbody tr").first
    expect(row).to_contain_text("Ingrid Sund")
    visitor.click(row.get_by_role("link", name="Ingrid Sund").first)
    visitor.says(f"Added from {NAME}")
    inspect(visitor.page, "scim-source-person")
    client.change(number, "name.familyName", "Sunde")
    there(product, address, surname="Sunde")
    client.change(number, "active", "False")
    there(product, address, accountEnabled=False)
    visitor.page.reload()
    visitor.says(re.compile("Suspended here, because"))
    client.change(number, "active", True)
    there(product, address, accountEnabled=True)


def test_by_command_line_alone(product: Product, switched: Any) -> None:
    product.command("app", "add", TENANT, "scim_source", "--name", "Second client")
    product.command("app", "features", TENANT, "Second client", "--import")
    made = json.loads(product.command("app", "token", TENANT, "Second client", "--days", "1", "--json"))
    with Pushing(product, made["token"]) as client:
        number = client.hire("Olaf", "Vik")
        there(product, "olaf.vik@fjordvik.example", accountEnabled=True)
        client.change(number, "active", False)
        there(product, "olaf.vik@fjordvik.example", accountEnabled=False)
        shown = json.loads(product.command("user", "show", TENANT, "olaf.vik", "--json"))
        assert shown["lifecycle"] == "suspended"
        product.command("app", "token", TENANT, "Second client", "--revoke", str(made["id"]))
        assert client.http.get("/Users").status_code == 401
