"""The SCIM 2.0 endpoints at /scim/v2: a request on its way to the library and back, every refusal in SCIM's own shape.

Owns what a body must be before it is read, and how errors look; who comes in is judged next door. There is no session, no
cookie and no form here. What a resource is and what it means is ``services.scim``'s affair.
"""

import json
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, request
from scim2_flask import ScimServer
from scim2_models import (
    Error,
    InvalidSyntaxException,
    InvalidValueException,
    PayloadTooLargeException,
    SCIMException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation, Route
from scim2_server.service import ScimService
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from provision.core import dialects
from provision.core.remedies import explain
from provision.services import scim
from provision.services.errors import ServiceError
from provision.web import guard, scim_entry
from provision.web.faults import where
from provision.web.page import house

PREFIX = "/scim/v2"
_log = structlog.get_logger("provision.scim")
_BODIED = ("POST", "PUT", "PATCH", "DELETE")
_MEANT = {
    Operation.create: dialects.resource,
    Operation.replace: dialects.resource,
    Operation.patch: dialects.patch,
    Operation.bulk: dialects.bulk,
}


class Server(ScimServer):
    """The library's routes, each request with the service and the storage of the client who asks."""

    @property
    def service(self) -> ScimService:  # type: ignore[override]
        """The protocol as this client sees it; before we know who asks, as nobody in particular would."""
        found: ScimService = g.get("scim_service") or scim_entry.service((), False, house().vault.derived("scim"))
        return found

    def get_subject(self) -> Any:
        """Whose token came along."""
        return g.bearer

    def read_request(self) -> ScimRequest:
        """The request, its address made from our own setting, its body as the client meant it."""
        asked = request.args.get("filter", "")
        scim.within_bounds(asked)
        scim_request = ScimRequest(
            method=request.method,
            base_url=house().settings.public_url + PREFIX,
            path=request.path.removeprefix(PREFIX),
            query={**request.args.to_dict(), **({"filter": dialects.asked(asked)} if asked else {})},
            headers=list(request.headers.items()),
            subject=self.get_subject(),
        )
        if request.method in _BODIED:
            scim_request.body = _understood(self.service, scim_request)
        return scim_request

    def create_blueprint(self) -> Blueprint:
        """The library's blueprint, its doors kept, and nothing left that would answer with a page."""
        blueprint = super().create_blueprint()
        blueprint.before_request(scim_entry.admit)
        blueprint.teardown_request(scim_entry.leave)
        blueprint.register_error_handler(ServiceError, self._refused)
        blueprint.register_error_handler(OperationalError, self._busy)
        blueprint.register_error_handler(InternalServerError, self._broken)
        return blueprint

    def _make_view(self, route: Route) -> Any:
        """One route, served by whatever serves this request."""

        def view(resource_id: str = "", **_values: str) -> Response:
            answer = getattr(g.scim_desk, route.operation.value)(self.read_request())
            if g.get("scim_sent") and answer.status < 300:
                number = resource_id or str((answer.body or {}).get("id", ""))
                scim.pass_on(house().ways(), g.scim_client, int(number), g.pop("scim_sent"))
            return self._to_response(answer)

        return guard.bearer(view)

    @guard.bearer
    def _fallback_view(self, path: str) -> Response:  # noqa: ARG002
        """What matches no route: the library says so in its own way."""
        return self._to_response(g.scim_desk.handle(self.read_request()))

    def _handle_scim_exception(self, exception: SCIMException) -> Response:
        response = super()._handle_scim_exception(exception)
        after = getattr(exception, "after", None)
        if after is not None:
            response.headers["Retry-After"] = str(after)
        return response

    def _handle_http_exception(self, exception: HTTPException) -> Response:
        if isinstance(exception, RequestEntityTooLarge):
            return self._told(413, f"The body is larger than {scim.LARGEST} bytes")
        return super()._handle_http_exception(exception)

    def _refused(self, error: ServiceError) -> Response:
        remedy = explain(error.code, error.params)
        return self._told(error.status, f"{remedy.what} {remedy.do}")

    def _busy(self, error: OperationalError) -> Response:
        _log.error("database", request=g.get("request_id"), kind=type(error.orig).__name__)
        response = self._told(503, explain("database_busy").what)
        response.headers["Retry-After"] = "5"
        return response

    def _broken(self, error: InternalServerError) -> Response:
        cause = error.original_exception
        _log.error("fault", request=g.get("request_id"), kind=type(cause).__name__, where=where(cause))
        return self._told(500, f"Something went wrong here. Its number is {g.get('request_id', '')}")

    def _told(self, status: int, detail: str) -> Response:
        return self._to_response(ScimResponse(status, Error(status=status, detail=detail).model_dump()))  # type: ignore[arg-type]


def install(app: Flask) -> None:
    """Put the endpoints into the application; the form's token is not asked here, since no browser comes by itself."""
    blueprint = Server(None, scim.served(), url_prefix=PREFIX).create_blueprint()  # type: ignore[arg-type]
    app.register_blueprint(blueprint)
    app.extensions["csrf"].exempt(blueprint)
    app.extensions[scim_entry.LIMITS] = scim_entry.Limits()


def _understood(service: ScimService, scim_request: ScimRequest) -> bytes:
    """The body as bytes again, after its dialect was turned into the standard's words. Raises what the client is told."""
    sent = request.get_data(cache=False)
    if not sent:
        return sent
    try:
        payload = json.loads(sent)
        dialects.judge(payload)
    except dialects.Unfit as unfit:
        raise InvalidValueException(detail=f"The body is not taken: {unfit}") from None
    except RecursionError:
        raise InvalidSyntaxException(detail="The body is nested too deep") from None
    except ValueError:
        return sent  # no JSON: the library says so, with its own status
    try:
        operation = service.match(scim_request).operation
    except SCIMException:
        return sent
    _refuse(payload, operation)
    try:
        meant = _MEANT[operation](payload) if operation in _MEANT else payload
    except dialects.Unfit as unfit:
        raise PayloadTooLargeException(detail=f"The body is not taken: {unfit}") from None
    return json.dumps(meant).encode()


def _refuse(payload: Any, operation: Operation) -> None:
    """What no reading of the standard makes acceptable: a password where none is taken, a filter out of bounds."""
    sent = dialects.passwords(payload) if operation in _MEANT else []
    if sent and (operation is Operation.bulk or not g.scim_passwords):
        raise InvalidValueException(detail="A password is not taken here; people choose their own")
    if sent:
        g.scim_sent = sent[-1]
    if operation is Operation.search_with_body and isinstance(payload, dict):
        for name in payload:
            if name.casefold() == "filter" and isinstance(payload[name], str):
                scim.within_bounds(payload[name])
