"""Getting app-only tokens through MSAL, over our own wire.

Owns the sign-in and the reading of what a token grants; never keeps a token outside memory and never shows one.
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from provision.connectors.credentials import Secret
from provision.connectors.http import Answer, Cloud, Wire, World, patiently, throttled
from provision.connectors.microsoft365 import errors
from provision.core.ports import OutsideError, Refused, Unreachable


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what it says: ``roles`` are permissions, ``wids`` directory roles; None when it is opaque."""

    value: str = field(repr=False)
    roles: frozenset[str] | None
    wids: frozenset[str] = frozenset()


class Tokens:
    """The tokens of one registration in one tenant. Safe to use from several threads."""

    def __init__(self, wire: Wire, cloud: Cloud, tenant: str, client_id: str, secret: Secret, world: World) -> None:
        self._wire, self._cloud, self._world = wire, cloud, world
        self._tenant, self._client_id, self._secret = tenant, client_id, secret
        self._scope = cloud.scope or f"{cloud.graph_url}/.default"
        self._lock = threading.Lock()
        self._app: Any = None
        self._token: Token | None = None

    def get(self, *, fresh: bool = False) -> Token:
        """Return a token that is still good, or with ``fresh`` one that was issued just now.

        Raises Unauthorised or Refused with the remedy of Microsoft's answer, Unreachable and Throttled.
        """
        with self._lock:
            if fresh:
                # MSAL would serve a token without roles for an hour, and a 400 from memory for a minute.
                self._app = self._token = None
            return self._acquire()

    def _acquire(self) -> Token:
        result = self._ask()
        value = result.get("access_token")
        if value is None:
            self._app = None
            raise errors.sign_in(
                result, status=400, request_id=str(result.get("correlation_id") or "")[:64], domain=self._tenant
            )
        if self._token is None or self._token.value != value:
            self._token = self._read(value)
        return self._token

    def _read(self, value: str) -> Token:
        try:
            return read_token(value)
        except Unreachable:
            self._app = None  # whose cache would hand out the same for an hour
            raise

    def _ask(self) -> dict[str, Any]:
        failure: OutsideError
        door = _Door(self._wire, self._world)
        try:
            if self._app is None:
                self._app = self._open(door)
            result: dict[str, Any] = self._app.acquire_token_for_client([self._scope])
        except (ValueError, KeyError, TypeError, AttributeError):
            # MSAL turns a refused discovery document into a text, and falls over strange ones: the answer says more.
            self._app = None
            failure = door.refusal(self._tenant)
        else:
            return result
        raise failure

    def _open(self, door: "_Door") -> Any:
        import msal

        return msal.ConfidentialClientApplication(
            self._client_id,
            client_credential=_credential(self._secret),
            authority=f"{self._cloud.login_url}/{self._tenant}",
            # Hosts come from our own table or settings: asking a third host about them would only leak the tenant.
            instance_discovery=False,
            azure_region=False,
            http_client=door,
        )


def read_token(value: str) -> Token:
    """Read the claims of a token without trusting them; raises Unreachable when it could not travel in a header."""
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{1,65536}", value):
        raise Unreachable("unexpected_reply", sent=True, reason="token")
    claims = _claims(value)
    if claims is None:
        return Token(value, None)
    return Token(value, _names(claims.get("roles")), _names(claims.get("wids")))


class _Door:
    """The part of a ``requests`` session that MSAL uses, over our wire; remembers the last answer."""

    def __init__(self, wire: Wire, world: World) -> None:
        self._wire, self._world = wire, world
        self._last: Answer | None = None

    def get(self, url: str, headers: Any = None, **_: Any) -> "_Reply":
        return self._reply("GET", url, "/{tenant}/v2.0/.well-known/openid-configuration", headers, None)

    def post(self, url: str, data: Any = None, headers: Any = None, **_: Any) -> "_Reply":
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(data or {}).encode()
        return self._reply("POST", url, "/{tenant}/oauth2/v2.0/token", {**(headers or {}), **kind}, body)

    def close(self) -> None:
        """MSAL never calls this; the wire closes itself."""

    def refusal(self, tenant: str) -> OutsideError:
        """Return the error that the last answer stands for."""
        if self._last is None:
            return Refused("tenant_unknown", domain=tenant)
        if self._last.status < 400:
            return self._last.unexpected("sign_in")
        return errors.sign_in(
            self._last.json(), status=self._last.status, request_id=self._last.request_id, domain=tenant
        )

    def _reply(self, method: str, url: str, template: str, headers: Any, content: bytes | None) -> "_Reply":
        self._last = patiently(self._world, lambda: self._once(method, url, template, headers, content))
        return _Reply(self._last)

    def _once(self, method: str, url: str, template: str, headers: Any, content: bytes | None) -> Answer:
        answer = self._wire.send(method, url, template=template, headers=headers, content=content)
        if answer.status == 429 or (answer.status >= 500 and "retry-after" in answer.headers):
            raise throttled(answer, self._world.now())
        if answer.status >= 500:
            raise Unreachable("service_busy", sent=True, request_id=answer.request_id, status=answer.status)
        if 300 <= answer.status < 400 or not isinstance(answer.json(), dict):
            raise answer.unexpected("sign_in")
        return answer


class _Reply:
    """What MSAL reads of an answer. Those with 5xx and 429 never come this far."""

    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.text = answer.body.decode()
        self.headers = answer.headers

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise ValueError


def _credential(secret: Secret) -> str | dict[str, str]:
    if secret.certificate_pem:
        return {"private_key": secret.certificate_pem, "public_certificate": secret.certificate_pem}
    if secret.client_secret:
        return secret.client_secret
    raise Refused("secret_missing")


def _claims(value: str) -> Mapping[str, Any] | None:
    parts = value.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _names(value: Any) -> frozenset[str]:
    return frozenset(name for name in value if isinstance(name, str)) if isinstance(value, list) else frozenset()
