"""One tenant's Graph: addresses, the token on each call, and short repeats of what is safe to repeat.

Owns how a call is made; never knows what it is for.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from provision.connectors.http import Answer, Wire, World, patiently
from provision.connectors.microsoft365 import errors, permissions
from provision.connectors.microsoft365.tokens import Tokens
from provision.core.ports import OutsideError, Refused, Unauthorised, Unreachable

EVENTUAL = {"ConsistencyLevel": "eventual"}
"""The header of advanced queries: https://learn.microsoft.com/graph/aad-advanced-queries."""

LOW = {"x-ms-throttle-priority": "low"}
"""For work that may wait when the tenant's quota runs short."""

HIGH = {"x-ms-throttle-priority": "high"}
"""For what a person waits for."""


class Graph:
    """Graph v1.0 of one tenant. Every method raises the six errors; ``right`` names the permission a call needs."""

    def __init__(self, wire: Wire, tokens: Tokens, world: World) -> None:
        self._wire, self._tokens, self._world = wire, tokens, world
        self.root = f"{wire.url}/v1.0"

    def get(
        self,
        path: str,
        /,
        params: Mapping[str, str] | None = None,
        *,
        right: str,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Read one address."""
        return self._checked(self.follow(self.address(path, params), template=path, headers=headers), right)

    def read(
        self, path: str, /, params: Mapping[str, str] | None = None, *, right: str, **names: str
    ) -> dict[str, Any]:
        """Read a JSON object. ``path`` is a template such as ``/users/{id}``, filled with quoted ``names``."""
        answer = self._checked(self.follow(self.address(path, params, **names), template=path), right)
        body = answer.json()
        if not isinstance(body, dict):
            raise answer.unexpected("shape")
        return body

    def glance(self, path: str, /, params: Mapping[str, str], *, right: str, **names: str) -> dict[str, Any]:
        """Read a JSON object with a single try, ahead of other work: a person waits for it."""
        answer = self._checked(self._authorised("GET", self.address(path, params, **names), path, HIGH, None), right)
        body = answer.json()
        if not isinstance(body, dict):
            raise answer.unexpected("shape")
        return body

    def follow(self, link: str, *, template: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Read a link as it was given, and return the answer whatever its status below 500."""

        def once() -> Answer:
            answer = self._authorised("GET", link, template, headers, None)
            if answer.status == 429 or answer.status >= 500:
                raise errors.graph(answer, right="", now=self._world.now())
            return answer

        return patiently(self._world, once)

    def send(
        self,
        method: str,
        path: str,
        /,
        body: bytes,
        *,
        right: str,
        headers: Mapping[str, str] | None = None,
        person: bool = False,
        **names: str,
    ) -> Answer:
        """Write once, and never again by itself: an answer that is lost leaves the outcome in doubt (``sent``)."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        answer = self._authorised(method, self.address(path, **names), path, headers, body)
        return self._checked(answer, right, person=person)

    def renew(self) -> None:
        """Let the next call go with a new token. Raises what signing in raises."""
        self._tokens.get(fresh=True)

    def wids(self) -> frozenset[str]:
        """The directory roles of the token. Raises what signing in raises."""
        return self._tokens.get().wids

    def address(self, path: str, params: Mapping[str, str] | None = None, /, **names: str) -> str:
        """Return a full address; names and parameters are quoted, ``$`` and ``,`` are left readable."""
        filled = re.sub(r"\{(\w+)\}", lambda slot: _segment(names[slot[1]]), path)
        query = urlencode(params, safe="$,/'()", quote_via=quote) if params else ""
        return f"{self.root}{filled}{'?' if query else ''}{query}"

    def serves(self, link: str) -> bool:
        """Tell whether a link may be followed with our token."""
        return self._wire.serves(link)

    def refusal(self, answer: Answer, right: str, *, person: bool = False) -> OutsideError:
        """Return the error that an answer of 400 and above stands for. ``person``: the call was about one person."""
        error = errors.graph(answer, right=right, now=self._world.now())
        if error.code != "permission_missing":
            return error
        roles = self._tokens.get().roles
        if roles == frozenset():
            return Unauthorised("consent_missing", request_id=answer.request_id)
        if person and roles is not None and permissions.covers(right, roles):
            # The right is there, so it is the person who is out of reach: Entra guards those with a directory role.
            return Refused("protected_account", request_id=answer.request_id)
        return error

    def _checked(self, answer: Answer, right: str, *, person: bool = False) -> Answer:
        if not 200 <= answer.status < 300:
            raise self.refusal(answer, right, person=person)
        return answer

    def _authorised(
        self, method: str, url: str, template: str, headers: Mapping[str, str] | None, content: bytes | None
    ) -> Answer:
        answer = self._once(method, url, template, headers, content, fresh=False)
        if answer.status != 401:
            return answer
        # Revoked before its time (continuous access evaluation) or expired on the way: one new token, one repeat.
        answer = self._once(method, url, template, headers, content, fresh=True)
        if answer.status == 401:
            raise errors.graph(answer, right="", now=self._world.now())
        return answer

    def _once(
        self,
        method: str,
        url: str,
        template: str,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        *,
        fresh: bool,
    ) -> Answer:
        # Before the token is even asked for, so that a foreign link costs nothing and gives nothing away.
        if not self._wire.serves(url):
            raise Unreachable("foreign_link", sent=False)
        bearer = {"Authorization": f"Bearer {self._tokens.get(fresh=fresh).value}"}
        return self._wire.send(method, url, template=template, headers={**(headers or {}), **bearer}, content=content)


def _segment(name: str) -> str:
    """Quote one part of a path. Dots alone cannot be quoted: every client resolves them, in whatever form."""
    if not name.strip("."):
        raise ValueError("not a name")
    return quote(name, safe="")
