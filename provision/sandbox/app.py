"""Owns the sandbox as one thing: a directory file, a WSGI application, and what a script may arrange beforehand.
Never imports anything of the product, which must not be able to tell it from the real cloud."""

import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from provision.sandbox import consent, entrance, login
from provision.sandbox import seed as first_state
from provision.sandbox.faults import Faults
from provision.sandbox.graph import service
from provision.sandbox.graph.cloud import VERSION, Cloud
from provision.sandbox.people import DOMAIN
from provision.sandbox.store import Store, fact, set_fact
from provision.sandbox.tokens import thumbprints
from provision.sandbox.weather import Weather
from provision.sandbox.wire import Answer, call_of, repaired, response_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOGIN_URL = "https://login.sandbox.invalid"
GRAPH_URL = "https://graph.sandbox.invalid"
CREDENTIALS = "/.well-known/sandbox.json"
PERMISSIONS = consent.REGISTERED


def utc_now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """A Microsoft 365 tenant of invented people, kept in one file.

    An existing file is opened as it is: `users` and `seed` only shape a new one. `login_url` and `graph_url` are what
    the links it hands out begin with; requests are told apart by their path alone, so both may be the same host.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        users: int = 60,
        seed: int = 1,
        now: Callable[[], datetime] = utc_now,
        faults: Faults | None = None,
        login_url: str = LOGIN_URL,
        graph_url: str = GRAPH_URL,
    ) -> None:
        self.store = Store(path)
        self.store.create(partial(first_state.fill, users=users, seed=seed))
        self.faults = faults or Faults()
        self.faults.bind(self.store)
        self.cloud = Cloud(self.store, self.faults, now, login_url.rstrip("/"), graph_url.rstrip("/"))
        self.weather = Weather(self.faults)

    def wsgi(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The WSGI application. Raises LostAnswer when a fault has the connection die without an answer."""
        request = Request(repaired(environ))
        response = self._respond(request)
        response.headers["Date"] = format_datetime(self.cloud.now().astimezone(UTC), usegmt=True)
        return response(environ, start_response)

    def credentials(self) -> dict[str, str]:
        """What somebody needs to connect: tenant, domain, client id and secret, and both addresses."""
        with self.store.reading() as db:
            known = {name: str(fact(db, name)) for name in ("tenant", "client_id", "client_secret")}
        addresses = {"login_url": self.cloud.login_url, "graph_url": self.cloud.graph_url}
        return known | {"domain": DOMAIN} | addresses

    def grant_consent(self, roles: Iterable[str] = PERMISSIONS) -> None:
        """Do without a browser what Accept does; fewer roles than the registration asks for may be granted."""
        with self.store.writing() as db:
            consent.grant(db, self.cloud.moment(), sorted(roles), "script")

    def revoke_consent(self) -> None:
        """Remove the service principal: no more tokens, and those in use are refused."""
        with self.store.writing() as db:
            set_fact(db, "consent", None)
        self.expire_tokens()

    def allow_redirect(self, uri: str) -> None:
        """Register a return address of the consent page; it has to match exactly."""
        with self.store.writing() as db:
            db.execute("INSERT OR IGNORE INTO redirects VALUES (?)", (uri,))

    def assign_role(self, name: str) -> None:
        """Give the app's service principal a directory role; visible in the next token, obeyed from then on."""
        self._set_roles(lambda held, template: held | {template}, name)

    def unassign_role(self, name: str) -> None:
        self._set_roles(lambda held, template: held - {template}, name)

    def add_secret(self, expires_at: datetime | None = None) -> str:
        """Register one more client secret and return it."""
        secret = secrets.token_urlsafe(30)
        self._add_credential("secret", secret, expires_at)
        return secret

    def expire_secrets(self) -> None:
        """Let every secret registered so far have expired by now."""
        with self.store.writing() as db:
            db.execute("UPDATE credentials SET expires_at = ? WHERE kind = 'secret'", (self.cloud.moment(),))

    def register_certificate(self, pem: str) -> str:
        """Register a certificate (public part, PEM) for client assertions; return its SHA-256 thumbprint."""
        self._add_credential("certificate", pem, None)
        return thumbprints(pem)[1]

    def expire_tokens(self) -> None:
        """Let every access token handed out so far be refused from now on."""
        with self.store.writing() as db:
            set_fact(db, "token_generation", fact(db, "token_generation") + 1)

    def close(self) -> None:
        """Close idle connections to the directory file."""
        self.store.close()

    def _respond(self, request: Request) -> Response:
        if request.path == CREDENTIALS:
            return response_of(Answer(200, self.credentials(), content_type="application/json"))
        if request.path.lower().startswith(f"{VERSION}/"):
            return response_of(service.answer(self.cloud, self.weather, call_of(request, VERSION)))
        call = call_of(request, "")
        answer = self.weather.login(call, lambda: self._sign_in(call, request.script_root))
        return response_of(answer or Answer(404, "Not found\n", content_type="text/plain; charset=utf-8"))

    def _sign_in(self, call: Any, mount: str) -> Answer | None:
        return (
            login.answer(self.cloud, call)
            or entrance.answer(self.cloud, call, mount)
            or consent.answer(self.cloud, call, mount)
        )

    def _add_credential(self, kind: str, value: str, expires_at: datetime | None) -> None:
        row = (str(uuid.uuid4()), kind, value, expires_at.timestamp() if expires_at else None)
        with self.store.writing() as db:
            db.execute("INSERT INTO credentials VALUES (?, ?, ?, ?)", row)

    def _set_roles(self, change: Callable[[set[str], str], set[str]], name: str) -> None:
        with self.store.writing() as db:
            template = _template(db, name)
            set_fact(db, "app_roles", sorted(change(set(fact(db, "app_roles")), template)))


def _template(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT template FROM roles WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ValueError(f"no such directory role: {name}")
    return str(row["template"])
