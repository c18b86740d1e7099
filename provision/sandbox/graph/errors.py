"""Owns Graph's refusals: one exception and the error body it becomes.
Never decides when to refuse."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from provision.sandbox.wire import Answer

Details = Sequence[Mapping[str, str]]


class GraphError(Exception):
    """A refusal. Only `code` (and the codes in `details`) is a contract; messages vary in the real service too."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Details = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


def bad_request(message: str, *details: Mapping[str, str]) -> GraphError:
    return GraphError(400, "Request_BadRequest", message, details)


def bad_syntax(message: str) -> GraphError:
    return GraphError(400, "BadRequest", message)


def unsupported(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)


def not_found(name: str) -> GraphError:
    text = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", text)


def denied(message: str = "Insufficient privileges to complete the operation.") -> GraphError:
    return GraphError(403, "Authorization_RequestDenied", message)


def invalid_value(name: str, resource: str = "User") -> GraphError:
    text = f"Invalid value specified for property '{name}' of resource '{resource}'."
    return bad_request(text, {"code": "InvalidValue", "message": text, "target": name})


def conflict(name: str, *more: Mapping[str, str]) -> GraphError:
    text = f"Another object with the same value for property {name} already exists."
    return bad_request(text, {"code": "ObjectConflict", "message": text, "target": name}, *more)


def missing_reference() -> GraphError:
    """What a write to an object gets that the replica at hand doesn't know yet."""
    return bad_request("The source resource object or one of the objects being referenced doesn't exist.")


def error_answer(error: GraphError, at: datetime, request_id: str, client_request_id: str) -> Answer:
    """Write the error body; `innerError` carries both request ids, whichever side made them up."""
    inner: dict[str, Any] = {
        "date": at.strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": client_request_id,
    }
    if error.status == 429:
        inner = {"code": "429", "message": "Please retry after", "status": "429"} | inner
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = [dict(detail) for detail in error.details]
    return Answer(error.status, {"error": body | {"innerError": inner}}, error.headers)
