"""Where a contract is tried: one face for a stand-in cloud in process, the same over TLS, and an unruly fake.

Owns arranging what happens over there; never looks into the connector.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import httpx2

from provision.connectors import KINDS, Cloud, Secret, World
from provision.connectors.microsoft365 import Microsoft365, schema
from provision.core.vocabulary import Kind
from provision.sandbox import Fault, Sandbox
from provision.sandbox.serve import Server, tls_context
from provision.sandbox.store import body_of, verify_password
from tests.fakes import graph
from tests.fakes.desk import Strike

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

    def seconds(self) -> float:
        return self.at.timestamp()

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

    def person(self, anchor: str) -> dict[str, Any] | None:
        """Somebody as they are, visible to others or not, with their manager's id; None when nobody is there."""

    def named(self, name: str) -> list[str]:
        """Who signs in by this name, visible to others or not."""

    def has_password(self, anchor: str, password: str) -> bool: ...

    def strike(self, what: str, method: str, path: str, *, skip: int = 0, times: int = 1, **details: Any) -> None:
        """Let calls that fit meet a misfortune; ``/$batch`` is a whole batch, other paths also fit its items."""

    def lag(self) -> None:
        """Let whoever is created from now on stay invisible for two minutes."""

    def no_lag(self) -> None:
        """Let everybody be visible at once."""

    def licence(self, free: int) -> str:
        """The sku of a licence of which so many seats are free."""

    def inherit(self, anchor: str) -> tuple[str, str]:
        """Let somebody get a licence from a group; returns its sku and the group's name."""

    def administrator(self) -> str:
        """Somebody with a directory role that is out of the application's reach."""

    def synced(self) -> str:
        """Somebody whom a directory on premises owns."""

    def empower(self) -> None:
        """Give the application the directory role that setting passwords takes."""

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
        clock=ground.clock.seconds,
        chance=lambda: 0.5,
    )
    config = spec.config(domain=domain or ground.domain, cloud=NAME, client_id=registration)
    built = spec.build(config, proof, outside_id, world)
    assert isinstance(built, Microsoft365)
    return built


class SandboxGround:
    """The sandbox, in process or over TLS; people over there are changed through its own Graph."""

    def __init__(self, folder: Path, *, tls: bool, users: int = 40, page: int = 7) -> None:
        self.clock = Clock()
        self._server = Server("127.0.0.1", 0, tls_context("127.0.0.1", folder)) if tls else None
        where = {"login_url": self._server.url, "graph_url": self._server.url} if self._server else {}
        self.sandbox = Sandbox(folder / "sandbox.db", users=users, now=self.clock.now, **where)
        self.sandbox.grant_consent()
        self._numbers = count()
        self.sandbox.faults.turn(delta_page=page)
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
        people: dict[str, dict[str, Any]] = {}
        path = f"/users?$select={chosen}&$top=999"
        while path:
            body = self._call("GET", path).json()
            people |= {person.pop("id"): person for person in body["value"]}
            path = body.get("@odata.nextLink", "").removeprefix(f"{self.cloud.graph_url}/v1.0")
        return people

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

    def person(self, anchor: str) -> dict[str, Any] | None:
        with self.sandbox.store.reading() as db:
            row = db.execute("SELECT * FROM users WHERE id = ? AND deleted_at IS NULL", (anchor,)).fetchone()
            found = db.execute("SELECT manager FROM managers WHERE id = ?", (anchor,)).fetchone()
            return row and {**body_of(row), "manager": found and found["manager"]}

    def named(self, name: str) -> list[str]:
        with self.sandbox.store.reading() as db:
            query = "SELECT id FROM users WHERE upn_key = ? AND deleted_at IS NULL"
            return [row["id"] for row in db.execute(query, (name.casefold(),))]

    def has_password(self, anchor: str, password: str) -> bool:
        with self.sandbox.store.reading() as db:
            row = db.execute("SELECT password FROM users WHERE id = ?", (anchor,)).fetchone()
        return verify_password(password, row["password"])

    def strike(self, what: str, method: str, path: str, *, skip: int = 0, times: int = 1, **details: Any) -> None:
        self.sandbox.faults.add(Fault(what, method, f"/v1.0{path}", skip, times, details=details))

    def lag(self) -> None:
        self.sandbox.faults.turn(lag_get=120, lag_list=120, lag_index=120)

    def no_lag(self) -> None:
        """Nobody lags here unless asked for."""

    def licence(self, free: int) -> str:
        sku = self._call("GET", "/subscribedSkus").json()["value"][0]
        with self.sandbox.store.writing() as db:
            body = json.loads(db.execute("SELECT body FROM skus WHERE id = ?", (sku["skuId"],)).fetchone()["body"])
            body["prepaidUnits"] |= {"enabled": sku["consumedUnits"] + free, "warning": 0}
            db.execute("UPDATE skus SET body = ? WHERE id = ?", (json.dumps(body), sku["skuId"]))
        return str(sku["skuId"])

    def inherit(self, anchor: str) -> tuple[str, str]:
        groups = self._call("GET", "/groups?$select=id,displayName&$top=999").json()["value"]
        group = next(each for each in groups if each["displayName"].startswith("Licence: "))
        skus = self._call("GET", "/subscribedSkus").json()["value"]
        sku = next(each["skuId"] for each in skus if each["skuPartNumber"] == "FLOW_FREE")
        carried = {"addLicenses": [{"skuId": sku, "disabledPlans": []}], "removeLicenses": []}
        link = {"@odata.id": f"{self.cloud.graph_url}/v1.0/users/{anchor}"}
        self._call("POST", f"/groups/{group['id']}/members/$ref", json=link)
        self._call("POST", f"/groups/{group['id']}/assignLicense", json=carried)
        return sku, group["displayName"]

    def administrator(self) -> str:
        roles = self._call("GET", "/directoryRoles").json()["value"]
        role = next(each for each in roles if each["displayName"] == "Global Administrator")
        members = self._call("GET", f"/directoryRoles/{role['id']}/members").json()["value"]
        return next(each["id"] for each in members if each["@odata.type"].endswith("user"))

    def synced(self) -> str:
        return next(anchor for anchor, values in self.truth().items() if values["onPremisesSyncEnabled"])

    def empower(self) -> None:
        self.sandbox.assign_role("User Administrator")

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

    def person(self, anchor: str) -> dict[str, Any] | None:
        found = self.fake.people.get(anchor)
        return found and {**found, "manager": found.get("_manager")}

    def named(self, name: str) -> list[str]:
        return [each["id"] for each in self.fake.people.values() if each["userPrincipalName"] == name]

    def has_password(self, anchor: str, password: str) -> bool:
        return bool(self.fake.people[anchor]["_password"] == password)

    def strike(self, what: str, method: str, path: str, *, skip: int = 0, times: int = 1, **details: Any) -> None:
        self.fake.desk.strikes.append(Strike(what, method, path, skip, times, details))

    def lag(self) -> None:
        self.fake.spare.discard("late_404")

    def no_lag(self) -> None:
        self.fake.spare.add("late_404")

    def licence(self, free: int) -> str:
        sku = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
        self.fake.desk.seats[sku] = free
        return sku

    def inherit(self, anchor: str) -> tuple[str, str]:
        sku, group = "f30db892-07e9-47e9-837c-80727f46fd3d", "6f5b1bc6-4a80-4a9e-9e6c-6ab7c1f0d1aa"
        self.fake.desk.groups[group], self.fake.desk.seats[sku] = "Everybody", 3
        held = {"skuId": sku, "disabledPlans": []}
        states = [{**held, "assignedByGroup": group}]
        self.fake.edit(anchor, assignedLicenses=[held], licenseAssignmentStates=states)
        return sku, "Everybody"

    def administrator(self) -> str:
        return self.fake.add(givenName="Global", surname="Administrator", _admin=True, _at=-999)

    def synced(self) -> str:
        return self.fake.add(givenName="From", surname="Premises", onPremisesSyncEnabled=True, _at=-999)

    def empower(self) -> None:
        self.fake.wids = ["fe930be7-5e62-47db-91af-98c3a49a38b1"]

    def close(self) -> None:
        """Every request it ever saw was for its own two hosts; one for another would have raised."""


GROUNDS: Mapping[str, Callable[[Path], Ground]] = {
    "sandbox in process": lambda folder: SandboxGround(folder, tls=False),
    "sandbox over TLS": lambda folder: SandboxGround(folder, tls=True),
    "unruly fake": UnrulyGround,
}


class Nobody:
    """A port on which nobody listens and, while this is open, nobody else can: whoever knocks there is refused."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


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
