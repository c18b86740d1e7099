"""The manners of the wire."""

import json
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from provision.connectors.credentials import Secret
from provision.connectors.http import (
    BODY_LIMIT,
    LONGEST_REST,
    PATIENCE,
    TRIES,
    Answer,
    Cloud,
    Wire,
    World,
    origin,
    patiently,
    retry_after,
    storable,
    throttled,
)
from provision.core.ports import Refused, Unreachable
from tests.fakes.grounds import Listener, SandboxGround, connector

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HOME = "https://graph.example"


def wire(answer: Any, **world: Any) -> Wire:
    cloud = Cloud("custom", HOME, HOME, transport=lambda _: httpx2.MockTransport(answer))
    return Wire(HOME, cloud, World(clouds={}, **world))


# -- Retry-After -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1", 1),
        ("120", 120),
        (" 17 ", 17),
        ("1.5", 1.5),
        ("+30", 30),
        ("-5", 0),
        ("900", 900),
        ("901", 900),
        ("1000000000", 900),
        ("9" * 400, 900),
        ("Mon, 23 Nov 2026 06:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 05:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 06:00:00 GMT", 900),
        ("Mon, 23 Nov 2026 07:01:00 +0100", 60),
        ("", None),
        (None, None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("١٢", None),
        ("Mon, 99 Nov 2026 06:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_more_than_a_quarter_of_an_hour(
    text: str | None, seconds: float | None
) -> None:
    assert retry_after(text, NOW) == seconds


@given(st.text())
def test_retry_after_survives_any_text(text: str) -> None:
    read = retry_after(text, NOW)
    assert read is None or 0 <= read <= LONGEST_REST


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_retry_after_keeps_whole_seconds_within_bounds(seconds: int) -> None:
    assert retry_after(str(seconds), NOW) == min(max(seconds, 0), 900)


@given(st.timedeltas(min_value=timedelta(days=-9), max_value=timedelta(days=9)))
def test_retry_after_reads_any_http_date(ahead: timedelta) -> None:
    moment = (NOW + ahead).replace(microsecond=0)
    assert retry_after(format_datetime(moment, usegmt=True), NOW) == min(max((moment - NOW).total_seconds(), 0), 900)


def test_being_told_to_wait_without_a_time_is_a_short_rest() -> None:
    assert 0 < throttled(Answer(429, {}, b""), NOW).after <= 60


# -- Hosts -------------------------------------------------------------------------------------------------------------

FOREIGN = [
    "https://graph.example.evil.example/v1.0",
    "https://evil.example/graph.example",
    "https://graph.example@evil.example/",
    "https://graph.example:443@evil.example/",
    "https://user:word@graph.example/",
    "https://graph.example\\@evil.example/",
    "https://evil.example#@graph.example/",
    "https://evil.example?https://graph.example/",
    "https://graph.example:8443/",
    "http://graph.example/",
    "http://graph.example:443/",
    "https://graph.example./",
    "https://gr%61ph.example/",
    "https://grаph.example/",
    "//graph.example/",
    "/v1.0/users",
    "graph.example/v1.0",
    "javascript:alert(1)",
    "https://",
    "https:///v1.0",
    "",
    " ",
    "https://graph.example\n.evil.example/",
    "https://[::1]/",
    "ftp://graph.example/",
]


@pytest.mark.parametrize("link", FOREIGN)
def test_a_link_to_elsewhere_is_not_served_and_not_sent(link: str) -> None:
    asked: list[httpx2.Request] = []
    line = wire(lambda request: asked.append(request) or httpx2.Response(200))
    assert not line.serves(link)
    with pytest.raises(Unreachable) as raised:
        line.send("GET", link, template="/", headers={"Authorization": "Bearer secret"})
    assert (raised.value.code, raised.value.sent) == ("foreign_link", False)
    assert asked == []


@pytest.mark.parametrize("link", [HOME, HOME + "/", HOME + ":443/a?b#c", "HTTPS://GRAPH.example/v1.0"])
def test_a_link_to_the_same_scheme_host_and_port_is_served(link: str) -> None:
    assert wire(lambda request: httpx2.Response(200)).serves(link)


PARTS = st.sampled_from(
    ["https", "http", "://", "//", "graph.example", "evil.example", "@", ":", "443", "/", "\\", "#", "?", "."]
)


@given(st.lists(PARTS, max_size=9).map("".join))
def test_no_mixture_of_parts_sends_a_request_to_another_host(link: str) -> None:
    asked: list[httpx2.URL] = []
    line = wire(lambda request: asked.append(request.url) or httpx2.Response(200))
    with suppress(Unreachable):
        line.send("GET", link, template="/")
    assert {(url.scheme, url.host, url.port) for url in asked} <= {("https", "graph.example", None)}


@given(st.text())
def test_any_text_is_an_origin_or_none(text: str) -> None:
    read = origin(text)
    assert read is None or read[0] == "https"


# -- Answers -----------------------------------------------------------------------------------------------------------


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(302, headers={"Location": "https://evil.example/"})

    assert wire(answer).send("GET", HOME + "/a", template="/a").status == 302
    assert asked == [HOME + "/a"]


class Dripping(httpx2.SyncByteStream):
    """A body that comes piece by piece and counts what was taken."""

    def __init__(self, piece: bytes, pieces: int) -> None:
        self.piece, self.pieces, self.taken = piece, pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.taken += 1
            yield self.piece


def test_a_body_beyond_the_limit_is_left_on_the_wire() -> None:
    body = Dripping(b" " * 2**20, 1000)
    with pytest.raises(Unreachable) as raised:
        wire(lambda request: httpx2.Response(200, stream=body)).send("GET", HOME, template="/")
    assert (raised.value.code, raised.value.params["reason"]) == ("unexpected_reply", "too_large")
    assert body.taken <= BODY_LIMIT // 2**20 + 2


def test_a_body_that_drips_for_ever_is_given_up() -> None:
    ticks = iter(range(0, 10_000, 10))
    body = Dripping(b" ", 1000)
    with pytest.raises(Unreachable) as raised:
        wire(lambda request: httpx2.Response(200, stream=body), clock=lambda: next(ticks)).send(
            "GET", HOME, template="/"
        )
    assert raised.value.params["reason"] == "too_slow"
    assert body.taken <= PATIENCE / 10 + 2


def test_a_body_that_claims_to_be_compressed_and_is_not_is_unexpected() -> None:
    answer = httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=Dripping(b"not gzip", 1))
    with pytest.raises(Unreachable) as raised:
        wire(lambda request: answer).send("GET", HOME, template="/")
    assert (raised.value.code, raised.value.sent) == ("unexpected_reply", True)


@pytest.mark.parametrize(
    ("error", "code", "sent"),
    [
        (httpx2.ConnectError("x"), "host_unreachable", False),
        (httpx2.ConnectTimeout("x"), "timed_out", False),
        (httpx2.PoolTimeout("x"), "timed_out", False),
        (httpx2.ProxyError("x"), "host_unreachable", False),
        (httpx2.ReadTimeout("x"), "timed_out", True),
        (httpx2.WriteTimeout("x"), "timed_out", True),
        (httpx2.ReadError("x"), "connection_lost", True),
        (httpx2.WriteError("x"), "connection_lost", True),
        (httpx2.RemoteProtocolError("x"), "connection_lost", True),
        (ConnectionResetError("x"), "connection_lost", True),
    ],
)
def test_every_failure_says_whether_the_request_may_have_arrived(error: Exception, code: str, sent: bool) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(Unreachable) as raised:
        wire(answer).send("POST", HOME, template="/")
    assert (raised.value.code, raised.value.sent) == (code, sent)


def test_no_token_reaches_an_exception_or_a_log_line() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadError("x", request=request)

    line = wire(answer)
    with capture_logs() as logged, pytest.raises(Unreachable) as raised:
        line.send(
            "GET",
            HOME + "/users/asa@fjordvik.example",
            template="/users/{id}",
            headers={"Authorization": "Bearer canary"},
            content=b"canary",
        )
    shown = "".join(traceback.TracebackException.from_exception(raised.value, capture_locals=False).format())
    assert raised.value.__context__ is None
    assert "canary" not in shown + repr(raised.value) + repr(vars(raised.value)) + repr(logged)
    assert [entry["path"] for entry in logged] == ["/users/{id}"]
    assert "fjordvik" not in repr(logged)


def test_every_attempt_has_an_id_of_its_own_and_keeps_theirs() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["client-request-id"])
        return httpx2.Response(200, headers={"request-id": "theirs"} if len(asked) == 2 else {})

    line = wire(answer)
    first, second = (line.send("GET", HOME, template="/") for _ in range(2))
    assert len(set(asked)) == 2
    assert (first.request_id, second.request_id) == (asked[0], "theirs")


def test_a_host_signed_by_nobody_we_trust_is_named_as_such(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=True)
    try:
        with pytest.raises(Unreachable) as raised:
            connector(ground, ca_bundle=None).locate()
    finally:
        ground.close()
    assert (raised.value.code, raised.value.sent) == ("host_not_trusted", False)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_cannot_replace_the_trust_of_a_cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    monkeypatch.setenv(name, str(empty))
    ground = SandboxGround(tmp_path, tls=True)
    try:
        assert connector(ground).check().outside_id == ground.tenant
    finally:
        ground.close()


def test_proxies_and_regions_of_the_environment_are_not_used_for_a_cloud_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Listener()
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{stranger.host}")
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    ground = SandboxGround(tmp_path, tls=True)
    try:
        assert connector(ground).check().outside_id == ground.tenant
        assert stranger.knocks() == 0
    finally:
        ground.close()
        stranger.close()


def test_a_bundle_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    for bundle in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        if "empty" in bundle.name:
            bundle.write_text("no certificate here")
        with pytest.raises(Refused) as raised:
            Wire(HOME, Cloud("custom", HOME, HOME, ca_bundle=bundle), World(clouds={}))
        assert raised.value.code == "ca_bundle_unreadable"


def test_a_world_does_not_show_its_secrets() -> None:
    cloud = Cloud("custom", HOME, HOME, client_id="app", secret=Secret("canary"))
    world = World(clouds={"custom": cloud}, default_client_id="app", default_secret=Secret("canary"))
    assert "app" in repr(world)
    assert "canary" not in repr(world)


@pytest.mark.parametrize("public", [True, False])
def test_only_the_makers_own_hosts_are_reached_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        accepted: list[bool] = []

        def hang_up() -> None:
            with suppress(OSError):
                proxy.accept()[0].close()
                accepted.append(True)

        proxy.settimeout(60 if public else 0)
        server = threading.Thread(target=hang_up)
        server.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        line = Wire("https://127.0.0.1:9", Cloud("custom", HOME, HOME, public=public), World(clouds={}))
        with pytest.raises(Unreachable):
            line.send("GET", "https://127.0.0.1:9/", template="/")
        server.join()
        with suppress(OSError):
            proxy.settimeout(0)
            proxy.accept()[0].close()
            accepted.append(True)
    assert bool(accepted) is public


# -- Trying again ------------------------------------------------------------------------------------------------------


def failing(code: str, times: int) -> Any:
    asked: list[int] = []

    def call() -> int:
        asked.append(1)
        if len(asked) <= times:
            raise Unreachable(code, sent=True)
        return len(asked)

    return call


def test_a_passing_failure_is_tried_a_few_times_with_jitter() -> None:
    slept: list[float] = []
    world = World(clouds={}, sleep=slept.append, chance=lambda: 0.5)
    assert patiently(world, failing("timed_out", 2)) == 3
    assert len(slept) == 2
    assert all(0 < seconds <= 4 for seconds in slept)


def test_a_lasting_failure_ends_after_a_few_tries() -> None:
    slept: list[float] = []
    with pytest.raises(Unreachable):
        patiently(World(clouds={}, sleep=slept.append), failing("service_busy", 99))
    assert len(slept) == TRIES - 1


@pytest.mark.parametrize("code", ["unexpected_reply", "foreign_link", "host_not_trusted"])
def test_what_a_moment_does_not_mend_is_not_tried_again(code: str) -> None:
    slept: list[float] = []
    with pytest.raises(Unreachable):
        patiently(World(clouds={}, sleep=slept.append), failing(code, 1))
    assert slept == []


# -- Text --------------------------------------------------------------------------------------------------------------

NASTY = st.text(st.characters(exclude_categories=()) | st.sampled_from('\0\ud800\udfff\\"\n😀u0D'))


@given(NASTY)
def test_any_text_becomes_one_that_both_databases_can_hold(text: str) -> None:
    read = msgspec.json.decode(storable(json.dumps(text).encode()))
    read.encode()
    assert "\0" not in read
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    assert read == whole


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(), st.lists))
def test_text_without_anything_unstorable_is_left_alone(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if b"\\u0000" not in body and b"\\ud" not in body:
        assert storable(body) is body
