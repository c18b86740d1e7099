"""A real SCIM server over HTTP, scim2-server's own, with misfortunes between it and whoever calls.

Owns serving it on a port of this machine and what goes wrong on the way; never looks into the connector.
"""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from functools import cache
from socket import SHUT_RDWR, socket
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

from provision.core.ports import Write
from provision.core.vocabulary import OperationKind
from tests.processes import PATIENCE

TOKEN = "Quiet-Token-41-Umbrella"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
SERVER = "scim.test"
Answered = tuple[str, list[tuple[str, str]], bytes]


def new(word: str = "nora", **more: Any) -> Write:
    """The create of somebody whom no server knows yet; ``more`` replaces what a write holds."""
    values = {
        "userName": f"{word}@fjordvik.example",
        "name.givenName": word.title(),
        "name.familyName": "O'Newcomer",
        "emails.work": f"{word}@fjordvik.example",
        "department": "Kombüse & Deck",
        **more.pop("values", {}),
    }
    usual: dict[str, Any] = {
        "enabled": True,
        "password": "Quiet-Lake-41-Umbrella",
        "correlation": ("externalId", f"C-{word}"),
    }
    return Write(OperationKind.CREATE, None, f"ref-{word}", values, **{**usual, **more})


@cache
def _provider(most: int | None, withhold: frozenset[str]) -> ScimProvider:
    """What a server says of itself. It never changes, and building its models takes a quarter of a second."""
    config = load_default_service_provider_config()
    config.authentication_schemes = [BEARER_TOKEN_SCHEME]
    for ability in withhold:
        getattr(config, ability).supported = False
    if most is not None:
        config.filter.max_results = most
    return ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )


@dataclass
class Strike:
    """One misfortune: what, for which calls, after how many of them, how often."""

    what: str
    method: str = "*"
    path: str = "*"
    skip: int = 0
    times: int = 1
    details: dict[str, Any] = field(default_factory=dict)


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> Any:
        return {**super().get_environ(), SERVER: self.connection}

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A connection that a misfortune cut."""


class ScimServer:
    """One application. ``calls``: method and path of everything that arrived; ``withhold``: what it says it cannot."""

    def __init__(self, *, token: str = TOKEN, most: int | None = None, withhold: Iterable[str] = ()) -> None:
        provider = _provider(most, frozenset(withhold))
        self.storage = InMemoryStorage()
        self._app = BearerTokenApplication(
            self.storage, provider, service=ScimService(provider, secret="x" * 32), bearer_tokens=[token]
        )
        self.token = token
        self.strikes: list[Strike] = []
        self.struck: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.witness: Callable[[str, str], None] = lambda _method, _path: None
        self.hold = threading.Event()
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._serve, server_class=_Server, handler_class=_Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v2"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def strike(self, what: str, method: str = "*", path: str = "*", **more: Any) -> None:
        fixed = {name: more.pop(name) for name in ("skip", "times") if name in more}
        self.strikes.append(Strike(what, method, path, details=more, **fixed))

    # -- What is there ---------------------------------------------------------------------------------------------------

    def people(self) -> dict[str, dict[str, Any]]:
        """Everybody, as the server would show them."""
        rows = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in self.storage.resources]
        return {row["id"]: row for row in rows if USER in row["schemas"]}

    def named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.people().values() if row["userName"].casefold() == name.casefold()]

    def add(self, sign_in: str, /, **values: Any) -> str:
        """Somebody whom another client made."""
        body = {"schemas": [USER], "userName": sign_in, "active": True, **values}
        return str(self._ask("POST", "/Users", body)["id"])

    def edit(self, anchor: str, **values: Any) -> None:
        todo = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        self._ask("PATCH", f"/Users/{anchor}", {"schemas": schemas, "Operations": todo})

    def remove(self, anchor: str) -> None:
        self._ask("DELETE", f"/Users/{anchor}", None)

    def count(self) -> int:
        """How many resources there are."""
        return len(self.storage.resources)

    def date_back(self, moment: datetime) -> None:
        """Let everybody have been changed for the last time at this moment."""
        for each in self.storage.resources:
            each.meta.last_modified = moment

    def sent(self, method: str) -> int:
        """How many calls of a method have arrived."""
        return sum(1 for each, _ in self.calls if each == method)

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        status, _, answer = self._inside(method, f"/v2{path}", json.dumps(body).encode() if body else b"")
        assert status.startswith("2"), (status, answer)
        return json.loads(answer) if answer else {}

    def _inside(self, method: str, path: str, body: bytes) -> Answered:
        from io import BytesIO

        environ = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
            "CONTENT_TYPE": "application/scim+json", "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body),
            "HTTP_AUTHORIZATION": f"Bearer {self.token}", "wsgi.errors": None, "wsgi.version": (1, 0),
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        }  # fmt: skip
        return self._answer(environ)

    # -- On the way ------------------------------------------------------------------------------------------------------

    def _answer(self, environ: Any) -> Answered:
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Any:
            told[:] = [status, headers]
            return lambda _: None

        body = b"".join(self._app(environ, start))
        return told[0], told[1], body

    def _serve(self, environ: Any, start: Any) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/v2")
        with self._lock:
            self.calls.append((method, path))
            strike = self._due(method, path)
        self.witness(method, path)
        status, headers, body = self._meet(strike, environ) if strike else self._answer(environ)
        if not status:
            _cut(environ[SERVER])
            return []
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "connection")]
        start(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def _due(self, method: str, path: str) -> Strike | None:
        for strike in self.strikes:
            if strike.times and fnmatch(method, strike.method) and fnmatch(path, strike.path):
                if strike.skip:
                    strike.skip -= 1
                    continue
                strike.times -= 1
                self.struck.append(strike.what)
                return strike
        return None

    def _meet(self, strike: Strike, environ: Any) -> Answered:  # noqa: PLR0911 - one per misfortune
        what, told = strike.what, strike.details
        kind = [("Content-Type", "application/scim+json")]
        plain = {
            "drop_before": ("", [], b""),
            "html": ("200 OK", [("Content-Type", "text/html")], b"<html>Sign in</html>"),
            "garbage": ("200 OK", kind, b'{"id": '),
            "empty": ("200 OK", kind, b"{}"),
            "large": ("200 OK", kind, b'"' + b"x" * (6 * 1024 * 1024) + b'"'),
        }
        if what in plain:
            return plain[what]
        if what == "status":
            headers = [*kind, *([("Retry-After", str(told["after"]))] if "after" in told else [])]
            error = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(told["status"])}
            return f"{told['status']} X", headers, json.dumps({**error, **told.get("body", {})}).encode()
        if what == "redirect":
            return f"{told.get('status', 302)} Found", [("Location", told["to"])], b""
        status, headers, body = self._answer(environ)
        if what == "drop_after":
            return "", [], b""
        if what == "status_after":
            return f"{told['status']} X", kind, b"{}"
        if what == "html_after":
            return status, [("Content-Type", "text/html")], b"<html></html>"
        if what == "slow":
            self.hold.wait(PATIENCE)
            return status, headers, body
        if what == "wrong_id":
            return status, headers, json.dumps({**json.loads(body or b"{}"), "id": "somebody-else"}).encode()
        if what == "reshaped":
            return status, headers, json.dumps(told["shape"](json.loads(body))).encode()
        raise AssertionError(what)


def _cut(connection: socket) -> None:
    connection.shutdown(SHUT_RDWR)


class Issuer:
    """Where a token is issued for a client's secret. ``asked``: what was said; ``answers``: what is said back, in order."""

    def __init__(self, token: str = TOKEN, lives: int = 3600) -> None:
        self.token, self.lives = token, lives
        self.asked: list[tuple[str, str]] = []
        self.answers: list[tuple[str, list[tuple[str, str]], bytes]] = []
        self._server = make_server("127.0.0.1", 0, self._serve, server_class=_Server, handler_class=_Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/oauth2/token"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environ: Any, start: Any) -> list[bytes]:
        form = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        self.asked.append((environ.get("HTTP_AUTHORIZATION", ""), form))
        body = json.dumps({"access_token": self.token, "token_type": "Bearer", "expires_in": self.lives}).encode()
        answer = self.answers.pop(0) if self.answers else ("200 OK", [("Content-Type", "application/json")], body)
        start(answer[0], [*answer[1], ("Content-Length", str(len(answer[2])))])
        return [answer[2]]
