"""Where a contract is tried: one face for a stand-in cloud in process, the same over TLS, and an unruly fake.

Owns arranging what happens over there; never looks into the connector.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import httpx2

from provision.connectors import KINDS, Cloud, Secret, World
from provision.connectors.microsoft365 import Microsoft365, schema
from provision.core.ports import Seen, Unreachable, WatermarkLost
from provision.core.vocabulary import Kind
from provision.sandbox import Fault, Sandbox
from provision.sandbox.serve import Server, tls_context
from tests.fakes import graph

MAPPED = ("givenName", "surname", "displayName", "mailNickname", "department", "employeeId")
NAME = "custom"


class Unset(Enum):
    """Tells an absent argument from None."""

    UNSET = 0


UNSET = Unset.UNSET


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Ground(Protocol):
    """What a contract needs: a way to connect, people to act upon over there, and misfortunes on request."""

    clock: Clock
    cloud: Cloud
    domain: str
    tenant: str
    client_id: str
    secret: str

    def truth(self) -> dict[str, dict[str, Any]]:
        """Everybody as they are there now: id → the mapped attributes and our own."""

    def plain(self) -> list[str]:
        """People whom any application may change: neither guests nor synchronised nor administrators."""

    def add(self, **values: Any) -> str: ...
    def edit(self, anchor: str, **values: Any) -> None: ...
    def remove(self, anchor: str) -> None: ...
    def purge(self, anchor: str) -> None: ...

    def befall(self, what: str, times: int = 1, **details: Any) -> None:
        """Let the next calls about people meet a misfortune, named as in the sandbox's faults."""

    def calm(self) -> None:
        """Leave out what makes an incremental walk a full one, for a test that looks at increments."""

    def close(self) -> None: ...


def connector(
    ground: Ground,
    *,
    secret: str | None = None,
    credential: Secret | Unset | None = UNSET,
    client_id: str | Unset | None = UNSET,
    domain: str | None = None,
    outside_id: str | None = None,
    **cloud: Any,
) -> Microsoft365:
    """A fresh connector on this ground, as the registry builds it; ``cloud`` replaces addresses and transports."""
    spec = KINDS[Kind.MICROSOFT365]
    registration = ground.client_id if isinstance(client_id, Unset) else client_id
    proof = Secret(client_secret=secret or ground.secret) if isinstance(credential, Unset) else credential
    world = World(
        clouds={NAME: replace(ground.cloud, **cloud)},
        now=ground.clock.now,
        sleep=ground.clock.sleep,
        chance=lambda: 0.5,
    )
    config = spec.config(domain=domain or ground.domain, cloud=NAME, client_id=registration)
    built = spec.build(config, proof, outside_id, world)
    assert isinstance(built, Microsoft365)
    return built


@dataclass
class Reader:
    """What a faithful caller of the port ends with: merged people, and the places to go on from."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    position: str | None = None
    watermark: str | None = None
    setbacks: list[str] = field(default_factory=list)

    def take(self, seen: Seen) -> None:
        if seen.removed:
            self.people.pop(seen.anchor, None)
        else:
            self.people[seen.anchor] = {**self.people.get(seen.anchor, {}), **seen.values}

    def walk(self, make: Callable[[], Microsoft365], *, pages: int | None = None) -> "Reader":
        """Read to the end (or for so many pages), going on after every setback as the port allows."""
        while len(self.setbacks) < 20:
            try:
                self._pages(make(), pages)
                return self
            except Unreachable as error:
                self.setbacks.append(error.code)
            except WatermarkLost:
                self.setbacks.append("watermark_lost")
                self.people, self.position, self.watermark = {}, None, None
        raise AssertionError(f"no end of setbacks: {self.setbacks}")

    def _pages(self, connector: Microsoft365, pages: int | None) -> None:
        walk = connector.changes(MAPPED, watermark=self.watermark, position=self.position)
        for number, page in enumerate(walk, start=1):
            for seen in page.seen:
                self.take(seen)
            self.position = page.position
            self.watermark = page.watermark or self.watermark
            if number == pages:
                return


class SandboxGround:
    """The sandbox, in process or over TLS; people over there are changed through its own Graph."""

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.clock = Clock()
        self._server = Server("127.0.0.1", 0, tls_context("127.0.0.1", folder)) if tls else None
        where = {"login_url": self._server.url, "graph_url": self._server.url} if self._server else {}
        self.sandbox = Sandbox(folder / "sandbox.db", users=40, now=self.clock.now, **where)
        self.sandbox.grant_consent()
        self._numbers = count()
        self.sandbox.faults.turn(delta_page=7)
        known = self.sandbox.credentials()
        self.domain, self.tenant = known["domain"], known["tenant"]
        self.client_id, self.secret = known["client_id"], known["client_secret"]
        self.cloud = Cloud(NAME, known["login_url"], known["graph_url"])
        if self._server:
            self.cloud = replace(self.cloud, ca_bundle=folder / "ca.pem")
            self._server.application = self.sandbox.wsgi
            self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
            self._thread.start()
        else:
            self.cloud = replace(self.cloud, transport=lambda _: httpx2.WSGITransport(app=self.sandbox.wsgi))
        # Somebody else's tool over there: it shares nothing with the connector.
        self._there = httpx2.Client(transport=httpx2.WSGITransport(app=self.sandbox.wsgi), base_url=known["graph_url"])

    def truth(self) -> dict[str, dict[str, Any]]:
        chosen = schema.selection(MAPPED)
        body = self._call("GET", f"/users?$select={chosen}&$top=999").json()
        assert "@odata.nextLink" not in body
        return {person.pop("id"): person for person in body["value"]}

    def plain(self) -> list[str]:
        roles = self._call("GET", "/directoryRoles").json()["value"]
        members = [self._call("GET", f"/directoryRoles/{role['id']}/members").json()["value"] for role in roles]
        protected = {member["id"] for each in members for member in each}
        return [
            anchor
            for anchor, values in self.truth().items()
            if values["userType"] == "Member" and not values["onPremisesSyncEnabled"] and anchor not in protected
        ]

    def add(self, **values: Any) -> str:
        nickname = f"new{next(self._numbers)}"
        body = {
            "accountEnabled": True,
            "displayName": nickname,
            "mailNickname": nickname,
            "userPrincipalName": f"{nickname}@{self.domain}",
            "passwordProfile": {"password": "correct Horse 9 battery"},
            **values,
        }
        return str(self._call("POST", "/users", json=body).json()["id"])

    def edit(self, anchor: str, **values: Any) -> None:
        self._call("PATCH", f"/users/{anchor}", json=values)

    def remove(self, anchor: str) -> None:
        self._call("DELETE", f"/users/{anchor}")

    def purge(self, anchor: str) -> None:
        self.remove(anchor)
        self._call("DELETE", f"/directory/deletedItems/{anchor}")

    def befall(self, what: str, times: int = 1, **details: Any) -> None:
        self.sandbox.faults.add(Fault(what, path="/v1.0/users*", times=times, details=details))

    def calm(self) -> None:
        """Nothing is wrong here unless asked for."""

    def close(self) -> None:
        self._there.close()
        if self._server:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self.sandbox.close()

    def _call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.secret,
            "scope": f"{self.cloud.graph_url}/.default",
        }
        token = self._there.post(f"{self.cloud.login_url}/{self.tenant}/oauth2/v2.0/token", data=form).json()
        bearer = {"Authorization": f"Bearer {token['access_token']}"}
        return self._there.request(method, f"/v1.0{path}", headers=bearer, **more).raise_for_status()


class UnrulyGround:
    """The fake that misbehaves on every walk."""

    def __init__(self, folder: Path, *, seed: int = 1) -> None:
        self.clock = Clock()
        self.fake = graph.UnrulyGraph(seed, now=self.clock.now)
        self.domain, self.tenant = graph.DOMAIN, graph.TENANT
        self.client_id, self.secret = graph.CLIENT, graph.SECRET
        self.cloud = Cloud(NAME, graph.LOGIN, graph.GRAPH, transport=self.fake.transport)

    def truth(self) -> dict[str, dict[str, Any]]:
        names = [name for name in schema.selection(MAPPED).split(",") if name != "id"]
        return {anchor: {name: person.get(name) for name in names} for anchor, person in self.fake.truth().items()}

    def plain(self) -> list[str]:
        return list(self.fake.people)

    def add(self, **values: Any) -> str:
        return self.fake.add(**values)

    def edit(self, anchor: str, **values: Any) -> None:
        self.fake.edit(anchor, **values)

    def remove(self, anchor: str) -> None:
        self.fake.remove(anchor)

    def purge(self, anchor: str) -> None:
        self.fake.remove(anchor, "deleted")

    def befall(self, what: str, times: int = 1, **details: Any) -> None:
        for _ in range(times):
            self.fake.befall(what, details)

    def calm(self) -> None:
        self.fake.spare |= {"gone", "foreign_link"}

    def close(self) -> None:
        """Every request it ever saw was for its own two hosts; one for another would have raised."""


GROUNDS: Mapping[str, Callable[[Path], Ground]] = {
    "sandbox in process": lambda folder: SandboxGround(folder, tls=False),
    "sandbox over TLS": lambda folder: SandboxGround(folder, tls=True),
    "unruly fake": UnrulyGround,
}


class Listener:
    """A port that nobody may ever knock at."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def knocks(self) -> int:
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()
