"""What every connector shares on the wire: one client with manners, and the world it runs in.

Owns time-outs, size limits, the rule that nothing leaves for another host, and the reading of Retry-After; never knows
whose API it speaks to, and never lets a credential into an exception or a log line.
"""

import random
import re
import ssl
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import msgspec
import structlog
import tenacity

from provision.connectors.credentials import Secret
from provision.connectors.reach import Reach
from provision.core.ports import Refused, Throttled, Unreachable

BODY_LIMIT = 20 * 1024 * 1024
"""Bytes of an answer, after decompression, beyond which it is dropped unread."""

PATIENCE = 120.0
"""Seconds that one answer may take to arrive in full, however steadily it drips."""

FREE_BODY_LIMIT, FREE_PATIENCE = 5 * 1024 * 1024, 10.0
"""The same two where the address is a person's own: whoever answers there is nobody's partner yet."""

LONGEST_REST = 900.0
"""Seconds beyond which nobody is believed who asks us to wait."""

DEFAULT_REST = 10.0
"""Seconds to wait when told to wait without being told how long."""

TRIES = 3

log = structlog.get_logger("provision.connectors")
T = TypeVar("T")


@dataclass(frozen=True)
class Cloud:
    """One place where a service is offered: where to sign in, where its API is, and how both are reached.

    ``transport`` replaces the network (it is given the URL it will serve); ``ca_bundle`` is trusted beside the system's
    own roots. ``client_id`` and ``secret`` are the registration to use in this cloud when a connector has none.
    ``public`` marks the maker's own hosts, the only ones for which proxies and roots of the environment are used.
    """

    name: str
    login_url: str
    graph_url: str
    scope: str | None = None
    ca_bundle: Path | None = None
    transport: Callable[[str], httpx2.BaseTransport] | None = None
    browser_login_url: str | None = None
    client_id: str | None = None
    secret: Secret | None = None
    public: bool = False


@dataclass(frozen=True)
class World:
    """What a connector is given of the world around it: the clouds there are, time, chance and default credentials.

    ``reach`` and ``ca_bundle`` are for kinds whose address a person types: where they may lead, and whom they may trust.
    ``file`` reads what was uploaded for this connector ("") or a file by its name in the folder for its tenant; ``goes``
    tells which of its plain attributes is taken over as which of ours, so that values can be judged before anybody is.
    """

    clouds: Mapping[str, Cloud]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep
    default_client_id: str | None = None
    default_secret: Secret | None = field(default=None, repr=False)
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())
    clock: Callable[[], float] = time.monotonic
    reach: Reach = field(default_factory=Reach)
    ca_bundle: Path | None = None
    file: Callable[[str], bytes | None] = lambda _name: None
    goes: Callable[[], Mapping[str, str]] = dict


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer, decompressed. ``request_id`` is what the other side calls it, else what we called it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    request_id: str = ""

    @property
    def is_json(self) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or kind.endswith("+json")

    def json(self) -> Any:
        """Return the decoded body; raises Unreachable when it is not JSON or does not say that it is."""
        return self.decoded(_plain)

    def decoded(self, decode: Callable[[bytes], T]) -> T:
        """Return what a msgspec decoder makes of the body, its strings made storable. Raises Unreachable."""
        if not self.is_json:
            raise self.unexpected("not_json")
        try:
            return decode(storable(self.body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the error quotes the body: it stays here
        raise self.unexpected("not_json")

    def unexpected(self, reason: str) -> Unreachable:
        """Return the error for an answer that makes no sense; ``reason`` is a word for the log and the details."""
        return Unreachable("unexpected_reply", sent=True, request_id=self.request_id, reason=reason, status=self.status)


class Wire:
    """One host and a client for it. Nothing is ever sent to another scheme, host or port, and redirects are answers.

    With ``reach`` the address is a person's own: it is judged before every call, and the judged one is connected to.
    """

    def __init__(self, url: str, cloud: Cloud, world: World, reach: Reach | None = None) -> None:
        self.url = url.rstrip("/")
        self._world, self._reach = world, reach
        self._limit, self._patience = (FREE_BODY_LIMIT, FREE_PATIENCE) if reach else (BODY_LIMIT, PATIENCE)
        self._origin = origin(self.url, plain=reach is not None)
        self._client = httpx2.Client(
            transport=cloud.transport(self.url) if cloud.transport else None,
            verify=_trust(cloud),
            trust_env=cloud.public,
            timeout=httpx2.Timeout(connect=5, read=FREE_PATIENCE if reach else 60, write=30, pool=10),
            limits=httpx2.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=90),
            headers={"User-Agent": "provision"},
            follow_redirects=False,
        )
        # The port has no closing verb; sockets must not outlive the connector all the same.
        weakref.finalize(self, self._client.close)

    def serves(self, link: str) -> bool:
        """Tell whether a link leads to exactly this scheme, host and port."""
        return origin(link, plain=self._reach is not None) == self._origin is not None

    def send(
        self,
        method: str,
        url: str,
        *,
        template: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request and read its whole answer, whatever its status.

        ``template`` stands for the address in the log: paths may hold names of people. Raises Unreachable.
        """
        if not self.serves(url):
            raise Unreachable("foreign_link", sent=False, host=_host(url))
        ours = self._world.new_id()
        began = self._world.clock()
        failure: Unreachable
        try:
            request = self._request(method, url, {**(headers or {}), "client-request-id": ours}, content)
            response = self._client.send(request, stream=True)
            try:
                answer = self._read(response, ours, began)
            finally:
                response.close()
        except httpx2.RequestError as error:
            failure = _failure(error, self._host, ours)
        except _TooMuch as error:
            failure = Unreachable("unexpected_reply", sent=True, request_id=ours, reason=str(error))
        except Unreachable as error:
            failure = error  # the address was not fit to connect to
        except OSError:
            # What a transport did not translate: in doubt it was sent.
            failure = Unreachable("connection_lost", sent=True, request_id=ours, host=self._host)
        else:
            self._log(method, template, answer.status, began, answer.request_id, ours)
            return answer
        # Raised out here so that no context drags the request, and the token in it, along.
        self._log(method, template, failure.code, began, None, ours)
        raise failure

    def close(self) -> None:
        """Close the connections; the next request opens new ones only on a new Wire."""
        self._client.close()

    @property
    def _host(self) -> str:
        return _host(self.url)

    def _request(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> httpx2.Request:
        """The request; on a free address it leads to the judged one, under the name that its certificate must carry."""
        if self._reach is None or self._origin is None:
            return self._client.build_request(method, url, headers=headers, content=content)
        scheme, host, port = self._origin
        judged = httpx2.URL(url).copy_with(host=self._reach.address(scheme, host, port))
        named = {**headers, "Host": httpx2.URL(url).netloc.decode("ascii")}
        return self._client.build_request(
            method, judged, headers=named, content=content, extensions={"sni_hostname": host}
        )

    def _read(self, response: httpx2.Response, ours: str, began: float) -> Answer:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._limit:
                raise _TooMuch("too_large")
            if self._world.clock() - began > self._patience:
                raise _TooMuch("too_slow")
        theirs = response.headers.get("request-id") or response.headers.get("x-ms-request-id")
        return Answer(response.status_code, response.headers, bytes(body), (theirs or ours)[:64])

    def _log(self, method: str, template: str, outcome: int | str, began: float, theirs: str | None, ours: str) -> None:
        log.debug(
            "outside.call",
            host=self._host,
            method=method,
            path=template,
            outcome=outcome,
            ms=round((self._world.clock() - began) * 1000),
            request_id=theirs,
            client_request_id=ours,
        )


def origin(url: str, *, plain: bool = False) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an https address without credentials in it; None for anything else.

    ``plain``: http counts as an address too, to be judged by who connects.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        return None
    if parsed.scheme not in (("https", "http") if plain else ("https",)) or not parsed.host or parsed.userinfo:
        return None
    return parsed.scheme, parsed.host.lower(), parsed.port or (443 if parsed.scheme == "https" else 80)


_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\u0000|\\."
)


def storable(body: bytes) -> bytes:
    """Return a JSON text in which each NUL and each half of a surrogate pair became U+FFFD.

    Both reach JSON only as escapes; PostgreSQL refuses the first and every encoder the second. Most texts hold neither
    and are returned as they are.
    """
    if b"\\u0000" in body or b"\\ud" in body or b"\\uD" in body:
        return _ESCAPE.sub(_replaced, body)
    return body


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110, section 10.2.3): seconds or a date, between 0 and 900; None for the rest."""
    text = (value or "").strip()[:64]
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return _clamp(float(text))
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return _clamp((moment - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def throttled(answer: Answer, now: datetime) -> Throttled:
    """Return the error for an answer that asks us to wait."""
    after = retry_after(answer.headers.get("retry-after"), now)
    return Throttled(DEFAULT_REST if after is None else after, request_id=answer.request_id)


def patiently(world: World, call: Callable[[], T]) -> T:
    """Repeat a call that is safe to repeat a few times with full jitter when nobody answered; then let the error go."""
    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES),
        wait=lambda state: world.chance() * min(4.0, 0.5 * 2**state.attempt_number),
        retry=tenacity.retry_if_exception(_passing),
        sleep=world.sleep,
        reraise=True,
    )(call)


PASSING = frozenset({"host_unreachable", "connection_lost", "timed_out", "service_busy"})
"""Failures that a second try a moment later often gets past."""


_plain = msgspec.json.Decoder().decode


def _replaced(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if len(match[0]) == 6 else match[0]


class _TooMuch(Exception):
    """An answer that is too large or too slow to be worth having."""


def _passing(error: BaseException) -> bool:
    return isinstance(error, Unreachable) and error.code in PASSING


_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


def _failure(error: httpx2.RequestError, host: str, ours: str) -> Unreachable:
    sent = not isinstance(error, _NOT_SENT)
    if isinstance(error, httpx2.DecodingError):
        return Unreachable("unexpected_reply", sent=True, request_id=ours, reason="not_decodable")
    if _distrusts(error):
        return Unreachable("host_not_trusted", sent=False, request_id=ours, host=host)
    if isinstance(error, httpx2.TimeoutException):
        return Unreachable("timed_out", sent=sent, request_id=ours, host=host)
    return Unreachable("connection_lost" if sent else "host_unreachable", sent=sent, request_id=ours, host=host)


def _distrusts(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _trust(cloud: Cloud) -> ssl.SSLContext | bool:
    """Whom to trust; a transport of the cloud's own has settled that already. Raises Refused."""
    if cloud.transport is not None:
        return True
    bundle = cloud.ca_bundle
    try:
        return _roots(bundle, bundle.stat().st_mtime_ns if bundle else 0, cloud.public)
    except OSError:  # ssl's errors are among them
        pass
    raise Refused("ca_bundle_unreadable", path=str(bundle))


@lru_cache(maxsize=8)
def _roots(bundle: Path | None, _changed: int, trust_env: bool) -> ssl.SSLContext:
    """Return the system's trust plus our own roots. Explicit, since the environment would override a path.

    Kept, as reading the roots takes longer than most calls.
    """
    if bundle is None:
        return httpx2.create_ssl_context(trust_env=trust_env)
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=str(bundle))
    return context


def _host(url: str) -> str:
    try:
        return httpx2.URL(url).host[:100]
    except (httpx2.InvalidURL, TypeError):
        return ""


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_REST)
