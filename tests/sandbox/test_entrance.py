"""The page on which people of the sandbox try what they were given."""

import httpx2
import pytest

from provision.sandbox import Sandbox
from tests.cast import Clock
from tests.sandbox.conftest import Caller

GOOD = "Loud-River-52-Ladder"
PAGE = "https://login.sandbox.invalid/signin"


@pytest.fixture
def jane(graph: Caller) -> dict[str, str]:
    """Somebody with a password."""
    person = graph.create()
    profile = {"password": GOOD, "forceChangePasswordNextSignIn": False}
    graph.call("PATCH", f"/users/{person['id']}", {"passwordProfile": profile})
    return person


def tried(client: httpx2.Client, name: str, secret: str, **headers: str) -> httpx2.Response:
    return client.post(PAGE, data={"username": name, "password": secret}, headers=headers)


def test_the_page_is_a_form_that_needs_no_script(client: httpx2.Client) -> None:
    page = client.get(PAGE)
    assert page.status_code == 200
    assert '<form method="post">' in page.text
    assert "script" not in page.text


def test_who_has_the_password_is_in(client: httpx2.Client, jane: dict[str, str]) -> None:
    name = jane["userPrincipalName"]
    assert f"Signed in as {name}." in tried(client, name, GOOD).text


@pytest.mark.parametrize("secret", ["", "wrong", "Loud-River-52-Laddre", "🦊" * 500])
def test_who_has_not_reads_the_sign_in_services_words(client: httpx2.Client, jane: dict[str, str], secret: str) -> None:
    refused = tried(client, jane["userPrincipalName"], secret)
    assert refused.status_code == 400
    assert "AADSTS50126" in refused.text
    assert secret == "" or secret not in refused.text


def test_nobody_is_told_apart_by_number(client: httpx2.Client, sandbox: Sandbox) -> None:
    assert "AADSTS50034" in tried(client, "<b>nobody</b>@fjordvik.example", GOOD).text
    assert "<b>" not in tried(client, "<b>nobody</b>@fjordvik.example", GOOD).text


def test_a_pass_lets_in_once(client: httpx2.Client, graph: Caller, jane: dict[str, str], clock: Clock) -> None:
    path = f"/users/{jane['id']}/authentication/temporaryAccessPassMethods"
    made = graph.call("POST", path, {"lifetimeInMinutes": 60, "isUsableOnce": True}).json()
    name, secret = jane["userPrincipalName"], made["temporaryAccessPass"]
    assert "with a Temporary Access Pass" in tried(client, name, secret).text
    assert "AADSTS50126" in tried(client, name, secret).text


def test_a_pass_ends_with_its_hour(client: httpx2.Client, graph: Caller, jane: dict[str, str], clock: Clock) -> None:
    path = f"/users/{jane['id']}/authentication/temporaryAccessPassMethods"
    made = graph.call("POST", path, {"lifetimeInMinutes": 60}).json()
    clock.forward(minutes=61)
    assert "AADSTS50126" in tried(client, jane["userPrincipalName"], made["temporaryAccessPass"]).text


def test_another_site_cannot_post(client: httpx2.Client, jane: dict[str, str]) -> None:
    refused = tried(client, jane["userPrincipalName"], GOOD, **{"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 400
