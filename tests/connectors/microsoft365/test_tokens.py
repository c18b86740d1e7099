"""Signing in as an application: what MSAL, the login host and a token can do to us."""

import traceback
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from provision.connectors import Cloud, Secret, World, parse_certificate
from provision.connectors.http import Wire
from provision.connectors.microsoft365.tokens import Tokens, read_token
from provision.core.ports import OutsideError, Refused, Throttled, Unauthorised, Unreachable
from tests.connectors.test_credentials import certificate, private
from tests.fakes.grounds import MAPPED, SandboxGround, connector

LOGIN = "https://login.example"
TENANT = "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"
HERE = f"{LOGIN}/{TENANT}"
DISCOVERY = {
    "issuer": f"{HERE}/v2.0",
    "authorization_endpoint": f"{HERE}/oauth2/v2.0/authorize",
    "token_endpoint": f"{HERE}/oauth2/v2.0/token",
}


class Login:
    """A login host with one answer for everybody who asks for a token; remembers who asked."""

    def __init__(self, *answers: Any, discovery: Any = DISCOVERY) -> None:
        self.answers, self.discovery = list(answers), discovery
        self.asked: list[httpx2.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.method == "GET":
            return self._made(self.discovery)
        return self._made(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def tokens(self) -> Tokens:
        cloud = Cloud("custom", LOGIN, "https://graph.example", transport=lambda _: httpx2.MockTransport(self))
        world = World(clouds={}, sleep=self.slept.append)
        return Tokens(Wire(LOGIN, cloud, world), cloud, TENANT, "app", Secret("canary~secret"), world)

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.asked)

    def _made(self, answer: Any) -> httpx2.Response:
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)


def granted(value: str) -> dict[str, Any]:
    return {"token_type": "Bearer", "expires_in": 3599, "access_token": value}


def refused(status: int, number: int | None, error: str) -> httpx2.Response:
    body = {"error": error, "error_description": f"AADSTS{number}: canary", "trace_id": "trace"}
    return httpx2.Response(status, json=body | ({"error_codes": [number]} if number else {}))


def test_a_token_is_kept_and_a_fresh_one_is_fetched_on_request() -> None:
    login = Login(granted("one"), granted("two"))
    tokens = login.tokens()
    assert [tokens.get().value, tokens.get().value, tokens.get(fresh=True).value] == ["one", "one", "two"]
    assert login.count("POST") == 2


def test_nobody_but_the_login_host_is_asked() -> None:
    login = Login(refused(401, 7000215, "invalid_client"))
    with pytest.raises(Unauthorised):
        login.tokens().get()
    assert {request.url.host for request in login.asked} == {"login.example"}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refused(401, 7000215, "invalid_client"), Unauthorised, "secret_wrong"),
        (refused(401, 7000222, "invalid_client"), Unauthorised, "secret_expired"),
        (refused(401, 7000218, "invalid_client"), Unauthorised, "secret_missing"),
        (refused(400, 700016, "unauthorized_client"), Unauthorised, "consent_missing"),
        (refused(401, 7000229, "invalid_client"), Unauthorised, "consent_missing"),
        (refused(401, 700027, "invalid_client"), Unauthorised, "certificate_unknown"),
        (refused(401, 700024, "invalid_client"), Unauthorised, "clock_differs"),
        (refused(400, 90002, "invalid_request"), Refused, "tenant_unknown"),
        (refused(400, 900023, "invalid_request"), Refused, "domain_malformed"),
        (refused(400, 500011, "invalid_resource"), Refused, "cloud_refused"),
        (refused(400, 53003, "access_denied"), Unauthorised, "access_blocked"),
        (refused(400, 5000224, "unauthorized_client"), Unauthorised, "tenant_closed"),
        (refused(400, 123456, "invalid_client"), Unauthorised, "sign_in_refused"),
        (refused(400, None, "invalid_client"), Unauthorised, "sign_in_refused"),
        (refused(400, 50196, "temporarily_unavailable"), Unreachable, "service_busy"),
    ],
)
def test_every_refusal_has_its_own_words(answer: httpx2.Response, kind: type[OutsideError], code: str) -> None:
    with pytest.raises(kind) as raised:
        Login(answer).tokens().get()
    assert (type(raised.value), raised.value.code, raised.value.request_id) == (kind, code, "trace")
    assert "canary" not in repr(vars(raised.value))


def test_a_refused_discovery_document_says_the_same_as_a_refused_token() -> None:
    with pytest.raises(Refused) as raised:
        Login(granted("x"), discovery=refused(400, 90002, "invalid_tenant")).tokens().get()
    assert raised.value.code == "tenant_unknown"


def test_a_refusal_is_not_replayed_from_memory() -> None:
    login = Login(refused(400, 700016, "unauthorized_client"), granted("at~last"))
    tokens = login.tokens()
    with pytest.raises(Unauthorised):
        tokens.get()
    assert tokens.get().value == "at~last"


def test_a_token_of_nonsense_is_not_kept() -> None:
    login = Login(granted("two\r\nlines"), granted("good"))
    tokens = login.tokens()
    with pytest.raises(Unreachable):
        tokens.get()
    assert tokens.get().value == "good"


def test_a_login_host_that_asks_to_wait_is_obeyed_and_asked_once() -> None:
    login = Login(httpx2.Response(429, headers={"Retry-After": "42"}, json={}))
    with pytest.raises(Throttled) as raised:
        login.tokens().get()
    assert (raised.value.after, login.count("POST")) == (42, 1)


def test_a_passing_failure_of_the_login_host_goes_unnoticed() -> None:
    login = Login(httpx2.Response(503), httpx2.Response(500), granted("token"))
    assert login.tokens().get().value == "token"
    assert len(login.slept) == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, html="<h1>Sign in to the guest network</h1>"),
        httpx2.Response(200, json=["x"]),
        httpx2.Response(200, content=b"{", headers={"Content-Type": "application/json"}),
        httpx2.Response(302, headers={"Location": "https://evil.example"}, json={}),
        granted("two\r\nlines"),
        granted("späce"),
        granted(""),
        httpx2.Response(200, json={"access_token": ["x"], "expires_in": 3599}),
    ],
)
def test_nonsense_in_place_of_a_token_is_unreachable(answer: Any) -> None:
    with pytest.raises(Unreachable) as raised:
        Login(answer).tokens().get()
    assert raised.value.code == "unexpected_reply"


@pytest.mark.parametrize(
    "discovery",
    [
        httpx2.Response(200, html="<h1>Sign in</h1>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={}),
        httpx2.Response(200, json={**DISCOVERY, "token_endpoint": f"http://login.example/{TENANT}/oauth2/v2.0/token"}),
        httpx2.Response(200, json={**DISCOVERY, "token_endpoint": f"https://evil.example/{TENANT}/oauth2/v2.0/token"}),
    ],
)
def test_a_strange_discovery_document_never_makes_the_secret_travel(discovery: httpx2.Response) -> None:
    login = Login(granted("x"), discovery=discovery)
    with pytest.raises(OutsideError):
        login.tokens().get()
    assert login.count("POST") == 0


def test_no_secret_and_no_token_reaches_an_exception_or_a_log_line() -> None:
    login = Login(refused(401, 7000215, "invalid_client"))
    with capture_logs() as logged, pytest.raises(Unauthorised) as raised:
        login.tokens().get()
    shown = "".join(traceback.format_exception(raised.value))
    assert any(request.content and b"canary" in request.content for request in login.asked)
    assert "canary" not in shown + repr(logged)
    assert logged


def test_what_a_token_grants_is_read_without_trusting_it(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.sandbox.assign_role("User Administrator")
    source = connector(ground)
    source.check()
    token = source._ready().get()
    assert token.roles is not None
    assert "User.ReadWrite.All" in token.roles
    assert token.wids == {"fe930be7-5e62-47db-91af-98c3a49a38b1"}
    assert token.value not in repr(token)
    ground.close()


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_any_opaque_token_is_accepted_as_it_is(value: str) -> None:
    token = read_token(value)
    assert token.value == value
    assert token.wids == frozenset()


@pytest.mark.parametrize("payload", ["W10", "bnVsbA", "eyJyb2xlcyI6N30", "eyJyb2xlcyI6WzEsbnVsbF19", "!!!", "e30"])
def test_claims_of_any_shape_grant_nothing(payload: str) -> None:
    assert not read_token(f"a.{payload}.c").roles


def test_a_certificate_signs_in_where_it_is_registered(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    secret = parse_certificate(certificate() + private())
    source = connector(ground, credential=secret)
    with pytest.raises(Unauthorised) as raised:
        source.check()
    assert raised.value.code == "certificate_unknown"
    ground.sandbox.register_certificate(certificate().decode())
    with time_machine.travel(ground.clock.at, tick=False):  # MSAL dates its signature by the system's clock
        check = connector(ground, credential=secret).check()
    assert check.outside_id == ground.tenant
    assert str(check.facts["secret_expires_at"]).startswith("2027-11-23")
    ground.close()


def test_an_expired_secret_is_told_apart_from_a_wrong_one(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.sandbox.expire_secrets()
    ground.clock.at += timedelta(seconds=1)
    with pytest.raises(Unauthorised) as raised:
        list(connector(ground).changes(MAPPED))
    assert raised.value.code == "secret_expired"
    ground.close()


def test_a_servers_secret_is_never_offered_for_another_registration(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    own = replace(ground.cloud, client_id=ground.client_id, secret=Secret(ground.secret))
    with pytest.raises(Refused) as raised:
        connector(ground, credential=None, client_id="00001111-aaaa-2222-bbbb-3333cccc4444").check()
    assert raised.value.code == "secret_missing"
    ground.cloud = own
    assert connector(ground, credential=None, client_id=None).check().outside_id == ground.tenant
    ground.close()


def test_without_any_registration_nothing_is_asked(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    with pytest.raises(Refused) as raised:
        connector(ground, credential=None, client_id=None).consent_url("https://us.example/cb", "state")
    assert raised.value.code == "registration_missing"
    ground.close()
