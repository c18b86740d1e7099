"""Microsoft 365 behind the ports: one tenant, read and written through Graph with an application's own rights.

Owns putting the parts together; never keeps a watermark, a secret or a person.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provision.connectors.credentials import Secret
from provision.connectors.http import Cloud, Wire, World
from provision.connectors.microsoft365 import carrying, consent, delta, doctor, holdings, passwords, recycling, schema
from provision.connectors.microsoft365.batch import MOST
from provision.connectors.microsoft365.config import GUID, Microsoft365Config
from provision.connectors.microsoft365.graph import EVENTUAL, Graph
from provision.connectors.microsoft365.stories import ANCHOR, USER
from provision.connectors.microsoft365.tokens import Tokens
from provision.core.ports import (
    Appearance,
    Attribute,
    Check,
    Discarded,
    Holding,
    Missing,
    Outcome,
    OutsideError,
    Page,
    Record,
    Refused,
    Unauthorised,
    Unreachable,
    Write,
)

USERS = "/users"


class Microsoft365:
    """A tenant as Source, Carrier, Recycling, Consenting, Remembering, Passing and Expelling, for several threads at once.

    Builds its clients at the first call, so making one costs nothing.
    """

    def __init__(self, config: Microsoft365Config, secret: Secret | None, outside_id: str | None, world: World) -> None:
        self._config, self._outside_id, self._world = config, outside_id, world
        self._cloud = _cloud(config, world)
        self._client_id, self._secret = _registration(config, secret, self._cloud, world)
        self._login: Wire | None = None
        self._tokens: Tokens | None = None
        self._graph: Graph | None = None
        self._building = threading.RLock()
        self._licence_names: dict[str, str] = {}

    def check(self) -> Check:
        """Look with fresh credentials, and that the domain still belongs to the tenant this app was connected to.

        Raises Refused("consent_not_replicated") while Microsoft does not know of a consent, which may be because none
        was given or because it was given a minute ago: asking again is cheap and tells. Refused("tenant_differs")
        when domain or credentials lead to another organisation than the one connected.
        """
        with self._building:
            self._tokens = self._graph = None
        self._agree(self._located(), self._config.domain)
        try:
            token = self._ready().get(fresh=True)
            if token.roles == frozenset():
                raise Unauthorised("consent_missing")
            found = doctor.examine(
                self._client(),
                token,
                client_id=self._client_id_or_refuse(),
                secret=self._credentials(),
                world=self._world,
            )
        except Unauthorised as error:
            if error.code != "consent_missing":
                raise
            raise Refused("consent_not_replicated", request_id=error.request_id) from None
        self._agree(found.outside_id, found.name)
        return found

    def schema(self) -> Sequence[Attribute]:
        """Known without a call."""
        return schema.ATTRIBUTES

    def changes(
        self, attributes: Sequence[str], *, watermark: str | None = None, position: str | None = None
    ) -> Iterator[Page]:
        """Walk the user delta. The attributes of a stored link were fixed when its walk began."""
        return delta.walk(self._client(), attributes, position or watermark, everybody=watermark is None)

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        """Pure: no call."""
        return schema.appearance(values)

    def find(self, attributes: Sequence[str], *, anchor: str | None = None, **key: str) -> Record | None:
        """One user by id, or by one attribute of ``schema.FINDABLE``.

        Raises Refused("found_several") when the attribute turns out not to be unique: the first of several is nobody.
        """
        if (anchor is None) == (not key) or len(key) > 1:
            raise TypeError("find() takes an anchor or one attribute")
        if anchor is not None:
            return self._by_anchor(attributes, anchor)
        ((name, value),) = key.items()
        return self._by_attribute(attributes, name, value)

    def carry(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Up to twenty writes of different accounts, a round trip serving all of them."""
        if len(writes) > MOST:
            raise ValueError(f"at most {MOST} writes at once")
        try:
            graph = self._client()
        except OutsideError as error:
            return [Outcome(error=error, request_id=error.request_id) for _ in writes]
        return carrying.carry(graph, writes, self._licence_names)

    def set_password(self, anchor: str, password: str) -> None:
        """Set a password that its owner has chosen."""
        passwords.set_password(self._client(), anchor, password)

    def password_mark(self, anchor: str) -> str:
        """When the password was last changed."""
        return passwords.mark(self._client(), anchor)

    def access_pass(self, anchor: str, minutes: int) -> str:
        """A Temporary Access Pass."""
        return passwords.access_pass(self._client(), anchor, minutes)

    def end_sessions(self, anchor: str) -> None:
        """Let every session of this account end."""
        passwords.end_sessions(self._client(), anchor)

    def seats(self) -> Sequence[Mapping[str, Any]]:
        """The seats per licence, as they are now."""
        return holdings.seats(self._client())

    def holdings(self, anchor: str) -> Sequence[Holding]:
        """What one person holds, and which groups give it to them."""
        return holdings.held(self._client(), anchor)

    def discarded(self, attributes: Sequence[str]) -> Iterator[Discarded]:
        """Everybody in the recycle bin, newest first."""
        return recycling.discarded(self._client(), attributes)

    def locate(self) -> str:
        """The tenant id of the configured domain."""
        return consent.locate(
            Wire(self._cloud.login_url, self._cloud, self._world), self._cloud, self._config.domain, self._world
        )

    def consent_url(self, redirect_uri: str, state: str) -> str:
        """Where the browser goes to grant access."""
        tenant = self._outside_id or self._config.domain
        return consent.consent_url(
            self._cloud, tenant, client_id=self._client_id_or_refuse(), redirect_uri=redirect_uri, state=state
        )

    def _by_anchor(self, attributes: Sequence[str], anchor: str) -> Record | None:
        if not ANCHOR.fullmatch(anchor):
            return None
        select = {"$select": schema.selection(attributes)}
        try:
            body = self._client().read(USER, select, right=delta.RIGHT, id=anchor)
        except Missing:
            return None
        found = delta.record_of(body, attributes)
        if found.anchor.lower() != anchor.lower():
            raise Unreachable("unexpected_reply", sent=True, reason="another_id")
        return found

    def _by_attribute(self, attributes: Sequence[str], name: str, value: str) -> Record | None:
        if name not in schema.FINDABLE:
            raise Refused("not_findable", attribute=name)
        if not value:
            return None
        literal = value.replace("'", "''")
        filtered, headers = name, None
        params = {"$select": schema.selection(attributes), "$top": "2"}
        if name in schema.EXTENSIONS:
            filtered, headers, params["$count"] = f"{schema.EXTENSION_HOLDER}/{name}", EVENTUAL, "true"
        params["$filter"] = f"{filtered} eq '{literal}'"
        answer = self._client().get(USERS, params, right=delta.RIGHT, headers=headers)
        body = answer.json()
        found = body.get("value") if isinstance(body, dict) else None
        if not isinstance(found, list):
            raise answer.unexpected("shape")
        if len(found) > 1:
            raise Refused("found_several", attribute=name)
        return delta.record_of(found[0], attributes) if found else None

    def _client_id_or_refuse(self) -> str:
        if self._client_id is None:
            raise Refused("registration_missing")
        return self._client_id

    def _credentials(self) -> Secret:
        if self._secret is None:
            raise Refused("secret_missing")
        return self._secret

    def _agree(self, outside_id: str, name: str) -> None:
        if self._outside_id is not None and outside_id.lower() != self._outside_id.lower():
            raise Refused("tenant_differs", name=name, outside_id=outside_id)

    def _located(self) -> str:
        """The tenant that the settings name, looked up: an unknown domain gets its own words, and MSAL sees no name."""
        return self._config.domain if GUID.fullmatch(self._config.domain) else self.locate()

    def _door(self) -> Wire:
        with self._building:
            if self._login is None:
                self._login = Wire(self._cloud.login_url, self._cloud, self._world)
            return self._login

    def _ready(self) -> Tokens:
        with self._building:
            if self._tokens is None:
                tenant = self._outside_id or self._located()
                self._tokens = Tokens(
                    self._door(), self._cloud, tenant, self._client_id_or_refuse(), self._credentials(), self._world
                )
            return self._tokens

    def _client(self) -> Graph:
        with self._building:
            if self._graph is None:
                self._graph = Graph(Wire(self._cloud.graph_url, self._cloud, self._world), self._ready(), self._world)
            return self._graph


def build(config: Microsoft365Config, secret: Secret | None, outside_id: str | None, world: World) -> Microsoft365:
    """The registry's way to make one."""
    return Microsoft365(config, secret, outside_id, world)


def _cloud(config: Microsoft365Config, world: World) -> Cloud:
    if config.cloud not in world.clouds:
        raise Refused("cloud_not_configured", cloud=config.cloud)
    return world.clouds[config.cloud]


def _registration(
    config: Microsoft365Config, secret: Secret | None, cloud: Cloud, world: World
) -> tuple[str | None, Secret | None]:
    """The application to sign in as, and its proof: a server's secret is never offered for another registration."""
    if config.client_id is not None:
        return config.client_id, secret
    if cloud.client_id is not None:
        return cloud.client_id, secret or cloud.secret
    return world.default_client_id, secret or world.default_secret
