"""The admin consent page in both styles."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from provision.sandbox import PERMISSIONS, Sandbox
from tests.cast import Clock
from tests.sandbox.conftest import Caller

BACK = "https://provision.fjordvik.example/connect/microsoft365/callback"
STYLE_ONE, STYLE_TWO = "adminconsent", "v2.0/adminconsent"
DEFAULT = "https://graph.sandbox.invalid/.default"


@pytest.fixture
def page(sandbox: Sandbox, client: httpx2.Client) -> "Page":
    sandbox.allow_redirect(BACK)
    return Page(sandbox, client)


class Page:
    """A browser in front of the consent page."""

    def __init__(self, sandbox: Sandbox, client: httpx2.Client, root: str = "https://login.sandbox.invalid") -> None:
        self.sandbox, self.client, self.root = sandbox, client, root

    def open(self, style: str = STYLE_TWO, tenant: str = "fjordvik.example", **different: str) -> httpx2.Response:
        usual = {
            "client_id": self.sandbox.credentials()["client_id"],
            "redirect_uri": BACK,
            "state": "s1&x=y",
            "scope": DEFAULT,
        }
        query = {name: value for name, value in (usual | different).items() if value}
        return self.client.get(f"{self.root}/{tenant}/{style}", params=query)

    def decide(self, shown: httpx2.Response, decision: str, **fields: str) -> httpx2.Response:
        signed = re.search(r'name="request" value="([^"]+)"', shown.text)
        people = re.findall(r'<option value="([^"]+)"', shown.text)
        assert signed
        form = {"request": signed.group(1), "who": people[0], "decision": decision} | fields
        return self.client.post(str(shown.url).partition("?")[0], data=form)


def came_back(answer: httpx2.Response) -> dict[str, Any]:
    """Return the parameters of the redirect, having checked where it leads."""
    assert answer.status_code == 303
    location = answer.headers["Location"]
    assert location.startswith(f"{BACK}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_the_page_names_app_organization_and_permissions(page: Page) -> None:
    text = page.open().text
    for wanted in ("Provision", "Fjordvik Shipping AS", "User.ReadWrite.All", "admin@fjordvik.onmicrosoft.com"):
        assert wanted in text


def test_the_page_needs_neither_inline_script_nor_inline_style(page: Page, client: httpx2.Client) -> None:
    shown = page.open()
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://provision.fjordvik.example;" in policy
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", shown.text)
    sheet = client.get("https://login.sandbox.invalid/sandbox.css")
    assert sheet.headers["Content-Type"].startswith("text/css")


def test_accepting_in_style_one_grants_everything_registered(page: Page, stranger: Caller) -> None:
    found = came_back(page.decide(page.open(STYLE_ONE, scope=""), "accept"))
    tenant = page.sandbox.credentials()["tenant"]
    assert found == {"tenant": tenant, "state": "s1&x=y", "admin_consent": "True"}
    assert stranger.sign_in().call("GET", "/organization").status_code == 200


def test_accepting_in_style_two_grants_the_default_scope(page: Page, stranger: Caller) -> None:
    found = came_back(page.decide(page.open(), "accept"))
    tenant = page.sandbox.credentials()["tenant"]
    assert found == {"admin_consent": "True", "tenant": tenant, "scope": DEFAULT, "state": "s1&x=y"}
    assert stranger.sign_in().call("GET", "/users").status_code == 200


def test_style_two_with_single_scopes_grants_no_application_permission(page: Page, stranger: Caller) -> None:
    page.decide(page.open(scope="https://graph.microsoft.com/User.Read"), "accept")
    assert stranger.sign_in().refusal("GET", "/users") == (403, "Authorization_RequestDenied")


def test_declining_in_style_one(page: Page, stranger: Caller) -> None:
    found = came_back(page.decide(page.open(STYLE_ONE), "cancel"))
    assert found == {
        "error": "permission_denied",
        "error_description": "The admin canceled the request",
        "state": "s1&x=y",
    }
    assert stranger.ask_for_token().status_code == 401


def test_declining_in_style_two_says_admin_consent_true_nevertheless(page: Page) -> None:
    found = came_back(page.decide(page.open(), "cancel"))
    assert (found["admin_consent"], found["error"]) == ("True", "consent_required")
    assert found["error_description"].startswith("AADSTS65004")


def test_somebody_who_is_no_global_administrator_cannot_consent(page: Page, stranger: Caller) -> None:
    found = came_back(page.decide(page.open(), "accept", who="11111111-1111-1111-1111-111111111111"))
    assert found["error_description"].startswith("AADSTS90094")
    assert stranger.ask_for_token().status_code == 401


def test_the_directory_role_is_given_only_when_asked_for(page: Page, stranger: Caller) -> None:
    page.decide(page.open(), "accept")
    person = stranger.sign_in().create()
    change = {"passwordProfile": {"password": "Another-Horse-8"}}
    assert stranger.refusal("PATCH", f"/users/{person['id']}", change)[0] == 403
    page.decide(page.open(), "accept", role="user_administrator")
    assert stranger.sign_in().call("PATCH", f"/users/{person['id']}", change).status_code == 204


@pytest.mark.parametrize(
    ("opened", "number"),
    [
        ({"redirect_uri": "https://attacker.example/callback"}, 50011),
        ({"redirect_uri": f"{BACK}/"}, 50011),
        ({"redirect_uri": ""}, 900144),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, 700016),
        ({"scope": ""}, 900144),
        ({"tenant": "nowhere.example"}, 90002),
        ({"tenant": "common"}, 900023),
    ],
)
def test_a_bad_request_is_told_here_and_never_sent_back(page: Page, opened: dict[str, str], number: int) -> None:
    answer = page.open(**opened)
    assert answer.status_code == 400
    assert f"AADSTS{number}:" in answer.text


def test_style_one_takes_common_for_the_tenant(page: Page) -> None:
    assert page.open(STYLE_ONE, tenant="common").status_code == 200


def test_what_is_granted_is_what_was_shown(page: Page) -> None:
    shown = page.open()
    assert "AADSTS90013" in page.decide(shown, "accept", request="forged").text


def test_a_page_left_open_too_long_grants_nothing(page: Page, clock: Clock) -> None:
    shown = page.open()
    clock.forward(hours=2)
    assert "AADSTS90013" in page.decide(shown, "accept").text


def test_a_form_on_another_site_grants_nothing(page: Page, client: httpx2.Client, stranger: Caller) -> None:
    shown = page.open()
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert "AADSTS90013" in page.decide(shown, "accept").text
    assert stranger.ask_for_token().status_code == 401


def test_it_works_below_a_prefix(sandbox: Sandbox) -> None:
    sandbox.allow_redirect(BACK)
    below = DispatcherMiddleware(lambda environ, start: [], {"/sandbox": sandbox.wsgi})
    with httpx2.Client(transport=httpx2.WSGITransport(app=below)) as client:
        page = Page(sandbox, client, "http://127.0.0.1:5000/sandbox")
        shown = page.open()
        sheet = re.search(r'href="([^"]+\.css)"', shown.text)
        assert sheet
        assert client.get(f"http://127.0.0.1:5000{sheet.group(1)}").status_code == 200
        assert came_back(page.decide(shown, "accept"))["admin_consent"] == "True"


def test_tokens_carry_no_roles_until_consent_has_spread(sandbox: Sandbox, stranger: Caller, clock: Clock) -> None:
    sandbox.faults.turn(consent_delay=90)
    sandbox.grant_consent()
    assert stranger.sign_in().refusal("GET", "/users") == (403, "Authorization_RequestDenied")
    clock.forward(seconds=91)
    assert stranger.refusal("GET", "/users")[0] == 403, "the roles of a token never change"
    assert stranger.sign_in().call("GET", "/users").status_code == 200


def test_revoking_consent_ends_tokens_old_and_new(graph: Caller) -> None:
    graph.sandbox.revoke_consent()
    assert graph.refusal("GET", "/users") == (401, "InvalidAuthenticationToken")
    assert graph.ask_for_token().json()["error_codes"] == [7000229]


def test_one_missing_permission_closes_one_door_only(graph: Caller) -> None:
    graph.sandbox.grant_consent(set(PERMISSIONS) - {"Domain.Read.All"})
    graph.sign_in()
    assert graph.refusal("GET", "/domains") == (403, "Authorization_RequestDenied")
    assert graph.call("GET", "/users").status_code == 200
