"""One application on the wire: its address, its token, its JSON, and its answers as what they mean.

Owns how a call is made; never decides which, and never sends a write twice after a doubtful answer.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from provision.connectors.credentials import Secret
from provision.connectors.http import Answer, Cloud, Wire, World, patiently
from provision.connectors.scim import errors
from provision.connectors.scim.config import ScimConfig
from provision.connectors.scim.tokens import Tokens
from provision.core.ports import Unauthorised

MEDIA = "application/scim+json"
LONGEST_ANCHOR = 255


class Peer:
    """One SCIM application. May be used from several threads at once."""

    def __init__(self, config: ScimConfig, secret: Secret | None, world: World) -> None:
        self.config, self.world = config, world
        cloud = Cloud("scim", config.base_url, config.base_url, ca_bundle=world.ca_bundle)
        self.wire = Wire(config.base_url, cloud, world, world.reach)
        self._tokens = Tokens(config, secret, world)

    @property
    def users(self) -> str:
        return self.config.users_path

    def person(self, anchor: str) -> str:
        """The path of one person; ids are the application's own words, so all of them is quoted."""
        return f"{self.users}/{quote(anchor, safe='')}"

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, template: str = "") -> Answer:
        """Read, with patience. Raises the six errors."""
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        answer = patiently(self.world, lambda: self._call("GET", path + query, template or path, None, {}))
        return self._fit(answer)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        template: str = "",
        headers: Mapping[str, str] | None = None,
        known: frozenset[str] = frozenset(),
    ) -> Answer:
        """Write, once. Raises the six errors; ``known``: the attributes that a refusal may name."""
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = self._call(method, path, template or path, content, headers or {})
        return self._fit(answer, creating=method == "POST", known=known)

    def raw(self, path: str) -> Answer:
        """Read, whatever the status; for who wants to know what there is at all."""
        return patiently(self.world, lambda: self._call("GET", path, path, None, {}))

    def _fit(self, answer: Answer, *, creating: bool = False, known: frozenset[str] = frozenset()) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        error = errors.read(answer, self.world.now(), creating=creating, known=known)
        if isinstance(error, Unauthorised):
            self._tokens.forget()
        raise error

    def _call(self, method: str, path: str, template: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One call; a refused token is renewed once, since whoever refuses it has done nothing else."""
        kind = {"Content-Type": MEDIA} if content is not None else {}
        for attempt in (1, 2):
            said = {"Accept": f"{MEDIA}, application/json", **kind, **headers, **self._tokens.headers()}
            answer = self.wire.send(method, f"{self.wire.url}{path}", template=template, headers=said, content=content)
            if answer.status != 401 or attempt == 2 or not self._tokens.renewable:
                break
            self._tokens.forget()
        return answer
