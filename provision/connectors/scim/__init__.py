"""Any application that speaks SCIM 2.0, as a Target: found, read and written to by the standard.

Owns one connection; never touches the database and never prints a secret.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from provision.connectors.credentials import Secret
from provision.connectors.http import World
from provision.connectors.scim import carrying, discovery, grouping, schema, walking
from provision.connectors.scim.carrying import Way
from provision.connectors.scim.config import ScimConfig
from provision.connectors.scim.peer import LONGEST_ANCHOR, Peer
from provision.connectors.scim.walking import by_anchor, by_attribute
from provision.core.ports import (
    Appearance,
    Attribute,
    Check,
    Missing,
    Outcome,
    OutsideError,
    Page,
    Record,
    Refused,
    Write,
)


class Scim:
    """One SCIM application. What it can do is asked once, when it is first needed."""

    def __init__(self, config: ScimConfig, secret: Secret | None, outside_id: str | None, world: World) -> None:
        self._config, self._outside_id, self._world = config, outside_id, world
        self._peer = Peer(config, secret, world)
        self._asking = threading.Lock()
        self._way: Way | None = None

    def check(self) -> Check:
        """Ask what it can do, what its people look like and how many there are. Changes nothing there."""
        able = discovery.abilities(self._peer)
        answer = self._peer.get(self._peer.users, {"startIndex": 1, "count": 1})
        body = answer.json()
        total = body.get("totalResults") if isinstance(body, dict) else None
        if not isinstance(total, int) or isinstance(total, bool):
            raise answer.unexpected("shape")
        kinds = discovery.kinds(self._peer)
        able = replace(able, groups=discovery.keeps_groups(kinds))
        found = discovery.described(self._peer, kinds)
        facts: dict[str, Any] = {
            "people": max(total, 0),
            "roles": {},
            "synced": False,
            "secret_expires_at": None,
            "schema": found,
            "passwords": self._config.passwords,
            "abilities": {name: getattr(able, name) for name in able.__dataclass_fields__},
            "more": [["Attributes", str(len(found)) if found else "the standard’s own"]],
        }
        return Check(self._identity(), self._place, facts, discovery.permissions(able, self._config))

    def schema(self) -> Sequence[Attribute]:
        """The standard's attributes; what the application published is kept with the app's facts."""
        return schema.STANDARD

    def changes(
        self, attributes: Sequence[str], *, watermark: str | None = None, position: str | None = None
    ) -> Iterator[Page]:
        """Walk everybody by index, or who changed since, where it can search by time."""
        able = self._ready().able
        if watermark is not None and position is None:
            return walking.changed(self._peer, able, attributes, watermark, self._now())
        return walking.everybody(self._peer, able, attributes, position)

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        """Pure: no call."""
        return schema.appearance(values)

    def find(self, attributes: Sequence[str], *, anchor: str | None = None, **key: str) -> Record | None:
        """One person by id, or by one attribute of ``schema.FINDABLE``. Raises Refused("found_several_there")."""
        if (anchor is None) == (not key) or len(key) > 1:
            raise TypeError("find() takes an anchor or one attribute")
        if anchor is not None:
            return self._by_anchor(attributes, anchor)
        ((name, value),) = key.items()
        if name not in schema.FINDABLE:
            raise Refused("not_findable_there", attribute=name)
        return by_attribute(self._peer, self._ready().able, attributes, name, value) if value else None

    def find_group(self, attribute: str, value: str) -> Record | None:
        """One group by its mark or its name."""
        return grouping.find(self._peer, attribute, value)

    def carry(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Up to twenty writes of different accounts, one call after the other."""
        if len(writes) > carrying.MOST:
            raise ValueError(f"at most {carrying.MOST} writes at once")
        if not writes:
            return []
        try:
            way = self._ready()
        except OutsideError as error:
            if getattr(error, "sent", False):
                error.sent = False  # type: ignore[attr-defined]  # only a question was sent, no write
            return [Outcome(error=error, request_id=error.request_id) for _ in writes]
        return carrying.carry(self._peer, way, writes)

    def set_password(self, anchor: str, password: str) -> None:
        """Set a password that its owner has chosen."""
        if not self._config.passwords:
            raise Refused("passwords_not_kept_there")
        if not anchor or len(anchor) > LONGEST_ANCHOR:
            raise Missing("not_at_app")
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "password", "value": password}],
        }
        self._peer.send("PATCH", self._peer.person(anchor), body, template=f"{self._peer.users}/{{id}}")

    def _by_anchor(self, attributes: Sequence[str], anchor: str) -> Record | None:
        if not anchor or len(anchor) > LONGEST_ANCHOR:
            return None
        try:
            return by_anchor(self._peer, attributes, anchor)[0]
        except Missing:
            return None

    def _ready(self) -> Way:
        with self._asking:
            if self._way is None:
                able = discovery.abilities(self._peer)
                told = self._config.changes
                self._way = Way(able, able.patch if told == "told" else told == "patch")
            return self._way

    def _now(self) -> datetime:
        return self._world.now().astimezone(UTC)

    @property
    def _place(self) -> str:
        parts = urlsplit(self._config.base_url)
        return f"{parts.netloc}{parts.path}"

    def _identity(self) -> str:
        """Which application this is. Many customers share one address, so an app's own mark stands before it."""
        mark, _, place = (self._outside_id or "").partition("@")
        return str(self._outside_id) if mark and place == self._place else f"{self._world.new_id()}@{self._place}"


def build(config: ScimConfig, secret: Secret | None, outside_id: str | None, world: World) -> Scim:
    """The registry's way to make one."""
    return Scim(config, secret, outside_id, world)
