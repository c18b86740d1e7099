"""Who may use /scim/v2: a bearer token of one app, over https, so many times a second, for what the token's scope allows.

Owns the door and the counting; reads no body and answers nothing itself: every refusal is raised as a SCIM error.
"""

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Union, cast

from flask import current_app, g, request
from scim2_models import (
    BulkRequest,
    BulkResponse,
    ForbiddenException,
    ListResponse,
    PatchOp,
    Path,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
    ScimFilter,
    ScimProvider,
    SearchRequest,
    UnauthorizedException,
)
from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation, Target
from scim2_server.service import ScimService
from scim2_server.storage import SearchPage

from provision.core.vocabulary import ConnectorState, Feature, TokenScope
from provision.services import scim, tokens
from provision.services.cycles import Client
from provision.services.worker.pace import Bucket
from provision.web.page import house

RATE, BURST = 25.0, 50.0
"""Requests a second of one token, and how many at once after a quiet while."""
MOST = 10_000
LIMITS = "provision.scim.limits"
_READS = frozenset({Operation.query, Operation.search, Operation.search_with_body})
_SAFE = ("GET", "HEAD", "OPTIONS")
_LIST = [str(ListResponse.__schema__)]


class TooMany(SCIMException):
    """More than this token may ask at once."""

    status = 429
    _default_detail = "Too many requests; wait as long as Retry-After says"
    after = 1


class Resting(SCIMException):
    """The app is paused: what is sent now shall be sent again, so that nothing is lost."""

    status = 503
    _default_detail = "This app is paused here; try again later"
    after = 60


class Service(ScimService):
    """The library's protocol, with what a token may do, no body larger than ours, and the plain answers made directly."""

    def __init__(self, described: ScimProvider, *, secret: bytes) -> None:
        super().__init__(described, secret=secret)
        self._shapes = scim.shapes(described)
        self._kept = tuple(self._bound())

    def _bound(self) -> Iterator[Any]:
        """The library's classes for these models. It holds them weakly, and would build them anew for every few requests."""
        models: list[Any] = self.get_models()
        every: Any = Union[tuple(models)]  # noqa: UP007 - of as many as there are
        for model in models:
            yield from (bound[model] for bound in (SearchRequest, ResponseParameters, PatchOp, Path, ScimFilter))
        yield from (bound[every] for bound in (SearchRequest, ListResponse, BulkRequest, BulkResponse))

    def authorize(self, request: ScimRequest, target: Target, resource_type: ResourceType) -> None:  # noqa: ARG002
        """A token that only reads changes nothing, inside a bulk request neither."""
        if target.operation not in _READS and request.subject.scope is not TokenScope.WRITE:
            raise ForbiddenException(detail="This token only reads")

    def apply_patch(
        self, current: Resource[Any], patch_op: "PatchOp[Any]", conditions: Conditions
    ) -> Resource[Any] | None:
        """A PATCH, with many members who leave a group at once taken together."""
        self.check_preconditions(current, "PATCH", conditions)
        return current if scim.apply_patch(current, patch_op) else None

    def search_response(
        self,
        base_url: str,
        resource_types: list[ResourceType],
        page: SearchPage,
        search_request: SearchRequest[Any],
    ) -> ScimResponse:
        """A page; what it holds is shown as it is kept, unless the client says which attributes it wants."""
        shown = cast(list[scim.Shown], page.resources)
        if search_request.attributes or search_request.excluded_attributes:
            whole = [one.resource() for one in shown]
            return super().search_response(base_url, resource_types, replace(page, resources=whole), search_request)
        bodies = [one.body(self._shapes[one.kind], base_url) for one in shown]
        if search_request.cursor is None and page.total is not None:
            told = {"schemas": _LIST, "totalResults": page.total, "startIndex": search_request.start_index}
            return ScimResponse(HTTPStatus.OK, {**told, "itemsPerPage": len(bodies), "Resources": bodies})
        answer = super().search_response(base_url, resource_types, replace(page, resources=[]), search_request)
        answer.body = {**(answer.body or {}), "itemsPerPage": len(bodies), "Resources": bodies}
        return answer

    def query_response(
        self,
        base_url: str,
        resource: Resource[Any],
        response_parameters: ResponseParameters[Any],
        conditions: Conditions,
    ) -> ScimResponse:
        """One resource, as it is kept, unless the client says what it wants, or has it already."""
        shown = cast(scim.Shown, resource)
        conditional = conditions.if_match or conditions.if_none_match
        if response_parameters.attributes or response_parameters.excluded_attributes or conditional:
            return super().query_response(base_url, shown.resource(), response_parameters, conditions)
        shape = self._shapes[shown.kind]
        headers = {"Content-Location": shown.location(shape, base_url), "ETag": shown.version}
        return ScimResponse(HTTPStatus.OK, shown.body(shape, base_url), headers)

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """Nothing but the new tag, unless the client says which attributes it wants to see."""
        if response_parameters.attributes or response_parameters.excluded_attributes or resource.meta is None:
            return super().patch_response(base_url, resource, response_parameters)
        return ScimResponse(HTTPStatus.NO_CONTENT, None, {"ETag": str(resource.meta.version)})

    def max_body_size(self, request: ScimRequest) -> int | None:
        """Never more than a body of ours."""
        limit = super().max_body_size(request)
        return scim.LARGEST if limit is None else min(limit, scim.LARGEST)


class Limits:
    """How much each token may ask. In memory: a bucket per token, the one least used forgotten first."""

    def __init__(
        self, *, rate: float = RATE, burst: float = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[int, Bucket] = OrderedDict()

    def take(self, token_id: int) -> None:
        """Count one request. Raises TooMany."""
        with self._lock:
            bucket = self._buckets.get(token_id)
            if bucket is None:
                bucket = Bucket(self.clock, rate=self.rate, capacity=self.burst, tokens=self.burst)
                self._buckets[token_id] = bucket
            self._buckets.move_to_end(token_id)
            while len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
            if bucket.tokens() < 1:
                raise TooMany
            bucket.take(1)


@functools.lru_cache(maxsize=64)
def service(own: tuple[tuple[str, str], ...], passwords: bool, secret: bytes) -> Service:
    """The protocol over one set of schemas; the secret seals the cursors."""
    return Service(scim.served(own, passwords=passwords), secret=secret)


def admit() -> None:
    """Let a client in, and lay out for this request what serves it. Raises the SCIM error it is told otherwise."""
    _refuse_plain()
    g.scim_open = ExitStack()
    session = g.scim_open.enter_context(house().db.reading())
    bearer = tokens.bearer(session, _token(), g.now)
    if bearer is None:
        raise UnauthorizedException(detail="The token is missing, unknown, expired or revoked")
    current_app.extensions[LIMITS].take(bearer.token_id)
    row = bearer.app
    if row.state == ConnectorState.PAUSED:
        raise Resting
    writes = _writes()
    if writes or bearer.stale:
        g.scim_open.close()
    if bearer.stale:
        with house().db.writing() as noting:
            tokens.touch(noting, bearer.token_id, g.now)
    g.bearer, g.scim_passwords = bearer, bool(row.config.get("initial_secrets"))
    g.scim_service = service(bearer.attributes, g.scim_passwords, house().vault.derived("scim"))
    g.scim_client = _client(row)
    reading = house().db.reading if writes or bearer.stale else lambda: nullcontext(session)
    g.scim_desk = ScimHandler(g.scim_service, _storage(g.scim_client, reading, writes=writes))


def leave(_error: BaseException | None = None) -> None:
    """The request is over, however it ended. What only reads does so in the transaction in which it was let in."""
    if "scim_open" in g:
        g.scim_open.close()


def _client(row: Any) -> Client:
    takes_over = bool(row.features.get(Feature.IMPORT)) and row.state == ConnectorState.ACTIVE
    connect = functools.partial(house().connect, row)
    return Client(row.tenant_id, row.id, row.name, takes_over, house().kinds, connect)


def _writes() -> bool:
    """Whether the request may change anything; a search by POST does not."""
    return request.method not in _SAFE and not request.path.endswith("/.search")


def _storage(client: Client, reading: scim.Opening, *, writes: bool) -> scim.Accounts:
    doors = scim.Doors(reading, house().db.writing, house().now)
    quiet = request.method == "PATCH" and not _names_attributes(request.args)
    return scim.Accounts(doors, client, g.scim_service.provider, writes=writes, quiet=quiet, show=scim.Shown.of)


def _names_attributes(query: Mapping[str, str]) -> bool:
    """Whether the client says what it wants to see; a PATCH that does not say is answered without a body."""
    return "attributes" in query or "excludedAttributes" in query


def _token() -> str:
    """What the Authorization header holds; empty for anything else than one bearer token."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.casefold() == "bearer" else ""


def _refuse_plain() -> None:
    """Refuse what came over plain http, unless from this machine: redirecting would bless a token already told."""
    believed = house().settings.trusted_proxies > 0
    told = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip() if believed else ""
    if (told or request.scheme) == "https":
        return
    try:
        local = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        local = False
    if told or not local:
        raise ForbiddenException(detail="Plain http is not taken here; use https")
