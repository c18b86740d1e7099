"""What an application is shown with each call: the token it handed out, or one that is issued for a client's secret.

Owns the token's life in memory; never stores one and never shows one.
"""

import base64
import threading
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from provision.connectors.credentials import Secret
from provision.connectors.http import Answer, Cloud, Wire, World, patiently, throttled
from provision.connectors.scim.config import ScimConfig
from provision.core.ports import OutsideError, Unauthorised, Unreachable

EARLY = 60.0
"""Seconds before its end at which a token is no longer used."""
SHORTEST, LONGEST = 30.0, 86_400.0


class Tokens:
    """One application's way of signing in. May be asked from several threads at once."""

    def __init__(self, config: ScimConfig, secret: Secret | None, world: World) -> None:
        self._config, self._secret, self._world = config, secret, world
        self._lock = threading.Lock()
        self._issued: tuple[str, float] | None = None
        self._door: Wire | None = None

    @property
    def renewable(self) -> bool:
        """Whether asking again may bring another token."""
        return self._config.auth == "client_credentials"

    def headers(self) -> dict[str, str]:
        """The header to send. Raises Unauthorised, Unreachable, Throttled."""
        secret = self._secret.client_secret if self._secret else None
        if not secret:
            raise Unauthorised("app_secret_missing")
        token = self._current(secret) if self.renewable else secret
        return {"Authorization": f"Bearer {token}"}

    def forget(self) -> None:
        """The application refused the token: ask for another one next time."""
        with self._lock:
            self._issued = None

    def _current(self, secret: str) -> str:
        with self._lock:
            if self._issued is None or self._issued[1] <= self._world.clock():
                self._issued = self._issue(secret)
            return self._issued[0]

    def _issue(self, secret: str) -> tuple[str, float]:
        url, client = str(self._config.token_url), str(self._config.client_id)
        if self._door is None:
            cloud = Cloud("scim", url, url, ca_bundle=self._world.ca_bundle)
            self._door = Wire(url, cloud, self._world, self._world.reach)
        door = self._door
        form = {"grant_type": "client_credentials", "scope": self._config.oauth_scope or ""}
        content = urlencode({name: value for name, value in form.items() if value}).encode()
        # RFC 6749, section 2.3.1: both halves are form-encoded before they are joined.
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = patiently(
            self._world, lambda: door.send("POST", url, template="token", headers=headers, content=content)
        )
        if answer.status != 200:
            raise self._refusal(answer)
        return self._read(answer.json(), answer)

    def _read(self, body: object, answer: Answer) -> tuple[str, float]:
        token = body.get("access_token") if isinstance(body, Mapping) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise answer.unexpected("no_token")
        told = body.get("expires_in") if isinstance(body, Mapping) else None
        lives = float(told) if isinstance(told, int | float) and not isinstance(told, bool) else 300.0
        return token, self._world.clock() + min(max(lives - EARLY, SHORTEST), LONGEST)

    def _refusal(self, answer: Answer) -> OutsideError:
        if answer.status == 429:
            return throttled(answer, self._world.now())
        if answer.status >= 500 or answer.status < 400:
            return Unreachable("app_busy", sent=False, request_id=answer.request_id, status=answer.status)
        return Unauthorised("app_token_refused", request_id=answer.request_id)
