"""Owns the two values that cross every border in the sandbox: a call and its answer, and how they become WSGI.
Never knows what a path means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
BODY_LIMIT = 4 * 1024 * 1024


class LostAnswer(ConnectionError):
    """The connection ended without an answer; `applied` tells whether the write is durable nevertheless."""

    def __init__(self, applied: bool) -> None:
        super().__init__("the connection was closed before an answer was received")
        self.applied = applied


@dataclass(frozen=True)
class Call:
    """One request. `path` is decoded and starts after the version; names of query options are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes = b""
    url: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the decoded body; raises ValueError when it is not JSON."""
        return json.loads(self.body)

    @property
    def eventual(self) -> bool:
        """Whether the advanced query engine was asked for; a client has to send the header by itself."""
        return str(self.headers.get("ConsistencyLevel", "")).lower() == "eventual"

    def prefers(self, name: str) -> str | None:
        """Return the value of one preference of the Prefer header ("" when it has none), or None when absent."""
        for part in str(self.headers.get("Prefer", "")).split(","):
            key, _, value = part.strip().partition("=")
            if key.lower() == name:
                return value.strip('"')
        return None


@dataclass(frozen=True)
class Answer:
    """One answer. A dict or list is sent as JSON; `here` is a link that would give the same page once more."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    here: str | None = None

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        return replace(self, headers={**self.headers, **headers})

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return msgspec.json.encode(self.body)


def repaired(environ: dict[str, Any]) -> dict[str, Any]:
    """Undo what some in-process clients do to a path outside ASCII: they hand it over decoded, against PEP 3333."""
    path = environ.get("PATH_INFO", "")
    try:
        path.encode("latin-1").decode()
    except UnicodeError:
        return {**environ, "PATH_INFO": path.encode().decode("latin-1")}
    return environ


def call_of(request: Request, prefix: str) -> Call:
    """Read a WSGI request whose path starts with `prefix`; a body above Graph's 4 MB is cut and thus refused as JSON."""
    return Call(
        method=request.method,
        path=request.path[len(prefix) :],
        query=query_of(request.query_string.decode("latin-1")),
        headers=Headers(request.headers),
        body=request.stream.read(BODY_LIMIT + 1)[:BODY_LIMIT],
        url=request.url,
    )


def query_of(text: str) -> dict[str, str]:
    """Parse a query string; option names are case-insensitive in Graph, values are not."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {unquote(name.replace("+", " ")).lower(): unquote(value.replace("+", " ")) for name, _, value in pairs}


def response_of(answer: Answer) -> Response:
    """Turn an answer into a WSGI response; 204 and 304 carry neither body nor content type."""
    body = answer.encoded()
    response = Response(body, status=answer.status, headers=dict(answer.headers))
    if answer.status in (204, 304):
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = answer.content_type
    return response
