"""Finding a tenant, and the round trip of a consent."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.http import Cloud, Wire, World
from provision.connectors.microsoft365.clouds import CLOUDS, named
from provision.connectors.microsoft365.consent import consent_url, locate, read_consent
from provision.core.ports import Refused, Throttled, Unreachable

TENANT = "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"


def document(**more: Any) -> dict[str, Any]:
    return {"issuer": f"https://login.example/{TENANT}/v2.0", "tenant_region_scope": "EU", **more}


def answering(cloud: Cloud, answer: httpx2.Response) -> Cloud:
    return replace(cloud, transport=lambda _: httpx2.MockTransport(lambda _: answer))


def look_up(answer: httpx2.Response, cloud: str = "global") -> str:
    place = Cloud(
        cloud,
        "https://login.example",
        "https://graph.example",
        transport=lambda _: httpx2.MockTransport(lambda _: answer),
    )
    world = World(clouds={}, sleep=lambda _: None)
    return locate(Wire(place.login_url, place, world), place, "acme.com", world)


def test_the_tenant_is_read_from_the_issuer_or_else_the_token_endpoint() -> None:
    assert look_up(httpx2.Response(200, json=document())) == TENANT
    endpoint = f"https://login.example/{TENANT.upper()}/oauth2/v2.0/token"
    assert (
        look_up(httpx2.Response(200, json=document(issuer="https://x/{tenantid}/v2.0", token_endpoint=endpoint)))
        == TENANT
    )


def test_a_document_that_belongs_to_everybody_names_no_tenant() -> None:
    pattern = "https://login.example/{tenantid}/v2.0"
    with pytest.raises(Refused) as raised:
        look_up(httpx2.Response(200, json=document(issuer=pattern, token_endpoint="https://login.example/common/x")))
    assert raised.value.code == "tenant_unknown"


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(90002, "invalid_tenant", "tenant_unknown"), (900023, "invalid_request", "domain_malformed")],
)
def test_an_unknown_tenant_is_refused_in_words(number: int, error: str, code: str) -> None:
    body = {"error": error, "error_codes": [number], "error_description": f"AADSTS{number}: …", "trace_id": "trace"}
    with pytest.raises(Refused) as raised:
        look_up(httpx2.Response(400, json=body))
    assert (raised.value.code, raised.value.request_id, raised.value.params["domain"]) == (code, "trace", "acme.com")


@pytest.mark.parametrize(
    ("discovery", "where"),
    [
        ({"msgraph_host": "graph.microsoft.us", "tenant_region_scope": "USGov"}, "usgov"),
        ({"msgraph_host": "dod-graph.microsoft.us"}, "dod"),
        ({"cloud_instance_name": "microsoftonline.us", "tenant_region_sub_scope": "DOD"}, "dod"),
        ({"cloud_instance_name": "microsoftonline.us", "tenant_region_sub_scope": "DODCON"}, "usgov"),
        ({"tenant_region_scope": "USGov"}, "usgov"),
        ({"cloud_instance_name": "partner.microsoftonline.cn"}, "china"),
        ({"msgraph_host": "microsoftgraph.chinacloudapi.cn"}, "china"),
    ],
)
def test_a_tenant_of_another_cloud_is_refused_and_the_cloud_is_named(discovery: dict[str, str], where: str) -> None:
    with pytest.raises(Refused) as raised:
        look_up(httpx2.Response(200, json=document(**discovery)))
    assert (raised.value.code, raised.value.params["cloud"]) == ("tenant_in_another_cloud", where)


def test_a_tenant_in_its_own_cloud_is_at_home() -> None:
    at_home = document(cloud_instance_name="microsoftonline.com", msgraph_host="graph.microsoft.com")
    assert look_up(httpx2.Response(200, json=at_home)) == TENANT
    assert look_up(httpx2.Response(200, json=document(msgraph_host="graph.microsoft.us")), "usgov") == TENANT
    assert look_up(httpx2.Response(200, json=document(cloud_instance_name="microsoftonline.us")), "usgov") == TENANT


def test_a_custom_cloud_may_call_itself_what_it_likes() -> None:
    assert look_up(httpx2.Response(200, json=document(msgraph_host="graph.microsoft.com")), "custom") == TENANT


def test_two_government_clouds_share_a_login_and_only_the_graph_host_tells_them_apart() -> None:
    undecided = {"cloud_instance_name": "microsoftonline.us"}
    assert named(undecided) == "usgov"
    place = answering(CLOUDS["dod"], httpx2.Response(200, json=document(**undecided)))
    world = World(clouds={})
    assert locate(Wire(place.login_url, place, world), place, "acme.com", world) == TENANT


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, html="<h1>Sign in to the guest network</h1>"),
        httpx2.Response(302, headers={"Location": "https://evil.example"}),
        httpx2.Response(200, json=["x"]),
        httpx2.Response(503),
    ],
)
def test_nonsense_from_the_login_host_is_unreachable(answer: httpx2.Response) -> None:
    with pytest.raises(Unreachable):
        look_up(answer)


def test_a_login_host_that_asks_to_wait_is_obeyed() -> None:
    with pytest.raises(Throttled) as raised:
        look_up(httpx2.Response(429, headers={"Retry-After": "33"}))
    assert raised.value.after == 33


def test_the_browser_is_sent_to_microsoft_with_everything_it_needs() -> None:
    url = consent_url(
        CLOUDS["usgov"], "acme.com", client_id="app", redirect_uri="https://us.example/cb?x=1&y", state="s t"
    )
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("login.microsoftonline.us", "/acme.com/v2.0/adminconsent")
    assert {name: value for name, (value,) in parse_qs(parts.query).items()} == {
        "client_id": "app",
        "redirect_uri": "https://us.example/cb?x=1&y",
        "scope": "https://graph.microsoft.us/.default",
        "state": "s t",
    }


def test_the_browser_of_a_sandbox_is_sent_to_its_own_page() -> None:
    cloud = Cloud(
        "sandbox",
        "https://login.sandbox.invalid",
        "https://g.invalid",
        browser_login_url="http://127.0.0.1:8080/sandbox",
    )
    url = consent_url(cloud, "acme.com", client_id="app", redirect_uri="http://x", state="s")
    assert url.startswith("http://127.0.0.1:8080/sandbox/acme.com/v2.0/adminconsent?")


@pytest.mark.parametrize("said", ["True", "true"])
def test_a_yes_returns_the_tenant_it_claims(said: str) -> None:
    assert read_consent({"admin_consent": said, "tenant": TENANT.upper(), "state": "s"}) == TENANT


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"error": "access_denied"}, "consent_declined"),
        ({"error": "permission_denied", "error_description": "The admin canceled the request"}, "consent_declined"),
        ({"error": "consent_required", "error_description": "AADSTS65004: User declined"}, "consent_declined"),
        ({"error": "access_denied", "error_description": "AADSTS90094: admin needed"}, "consent_needs_administrator"),
        ({"error": "invalid_client", "error_description": "AADSTS650052: app"}, "registration_unusable"),
        ({"error": "unauthorized_client", "error_description": "AADSTS700016: app"}, "registration_unknown"),
        ({"error": "server_error"}, "consent_failed"),
        ({"error": "<script>"}, "consent_failed"),
        ({}, "consent_unreadable"),
        ({"admin_consent": "False", "tenant": TENANT}, "consent_unreadable"),
        ({"admin_consent": "True"}, "consent_unreadable"),
        ({"admin_consent": "True", "tenant": "common"}, "consent_unreadable"),
        ({"admin_consent": "True", "tenant": TENANT + "/../x"}, "consent_unreadable"),
        ({"tenant": TENANT}, "consent_unreadable"),
    ],
)
def test_anything_but_a_yes_is_refused_in_words(params: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as raised:
        read_consent(params)
    assert raised.value.code == code


def test_an_error_counts_before_a_yes_that_stands_beside_it() -> None:
    with pytest.raises(Refused):
        read_consent({"admin_consent": "True", "tenant": TENANT, "error": "consent_required"})


@given(st.dictionaries(st.sampled_from(["error", "error_description"]), st.text(min_size=1), min_size=2))
def test_no_callback_brings_markup_into_our_words(params: dict[str, str]) -> None:
    with pytest.raises(Refused) as raised:
        read_consent(params)
    assert re.fullmatch(r"[A-Za-z0-9_]*", raised.value.params["reason"])
