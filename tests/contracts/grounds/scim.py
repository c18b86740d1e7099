"""A SCIM application: scim2-server's own, over HTTP, with misfortunes between it and whoever calls."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from provision.connectors import KINDS, Reach, Secret, World, networks
from provision.connectors.scim import Scim
from provision.core.ports import (
    ENABLED,
    MANAGER,
    OutsideError,
    Throttled,
    Unauthorised,
    Unreachable,
    WatermarkLost,
    Write,
)
from provision.core.vocabulary import Kind
from tests.contracts.ground import People
from tests.fakes.grounds import Clock, Nobody
from tests.fakes.scim import TOKEN, ScimServer, new

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
VERBS = {"create": ("POST", "/Users"), "delete": ("DELETE", "/Users/*")}


class OverHttp:
    """An application that can be searched and takes small changes, seven people to a page."""

    kind: ClassVar[Kind] = Kind.SCIM
    mapped: ClassVar[Sequence[str]] = (
        "userName", "externalId", "name.givenName", "name.familyName", "emails.work", "department",
    )  # fmt: skip
    sign_in: ClassVar[str] = "userName"
    surname: ClassVar[str] = "name.familyName"
    department: ClassVar[str] = "department"
    tells_who_left: ClassVar[bool] = False
    troubles: ClassVar[Mapping[str, type[OutsideError] | type[WatermarkLost]]] = {
        "down": Unreachable,
        "locked out": Unauthorised,
        "asked to wait": Throttled,
        "failing": Unreachable,
        "nothing": Unreachable,
        "a sign-in page": Unreachable,
        "cut in half": Unreachable,
        "too much": Unreachable,
        "leads elsewhere": Unreachable,
    }
    passing: ClassVar[Sequence[str]] = ("lost twice",)
    title: ClassVar[str] = "title"
    keys: ClassVar[Sequence[str]] = ("userName", "externalId", "emails.work")
    unsearchable: ClassVar[str] = "nickName"
    mishaps: ClassVar[Mapping[str, bool | None]] = {
        "answer lost": True,
        "request lost": False,
        "failed": False,
        "failed after": True,
        "a sign-in page": True,
        "cut in half": False,
        "slow": True,
        "about somebody else": True,
        "leads elsewhere": False,
    }
    plagues: ClassVar[Sequence[tuple[str, str]]] = (
        *((what, "create") for what in ("answer lost", "request lost", "failed", "failed after", "a sign-in page")),
        *((what, "change") for what in ("answer lost", "request lost", "failed")),
        *((what, "delete") for what in ("answer lost", "failed after")),
        *((what, "look") for what in ("request lost", "asked to wait")),
        ("asked to wait", "create"), ("asked to wait", "change"), ("about somebody else", "create"),
    )  # fmt: skip
    withhold: ClassVar[Sequence[str]] = ()
    config: ClassVar[Mapping[str, Any]] = {}
    change: ClassVar[str] = "PATCH"

    def __init__(self, _folder: Path) -> None:
        self.clock = Clock()
        self.server, self._nobody = ScimServer(most=7, withhold=self.withhold), Nobody()
        self._url, self._token = self.server.url, TOKEN
        self._patch = pytest.MonkeyPatch()
        for number in range(30):
            self.add(f"Given {number}", f"Sur {number}")

    def source(self, outside_id: str | None = None) -> Scim:
        spec = KINDS[self.kind]
        config = spec.config.model_validate({"base_url": self._url, **self.config})
        reach = Reach(networks(["127.0.0.0/8"]))
        world = World(clouds={}, reach=reach, sleep=self.clock.sleep, chance=lambda: 0.5)
        built = spec.build(config, Secret(client_secret=self._token), outside_id, world)
        assert isinstance(built, Scim)
        return built

    target = source

    def truth(self) -> People:
        return {anchor: self._mapped(row) for anchor, row in self.server.people().items()}

    def plain(self) -> list[str]:
        return list(self.server.people())

    def add(self, given: str, surname: str) -> str:
        word = (
            f"{given}.{surname}.{len(self.server.calls)}.{self.server.count()}".replace(" ", "")
            .replace("'", "")
            .lower()
        )
        name = {"givenName": given, "familyName": surname}
        mail = [{"type": "work", "value": f"{word}@fjordvik.example"}]
        more = {ENTERPRISE: {"department": "North"}, "externalId": f"X {word}"}
        schemas = ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]
        return self.server.add(f"{word}@fjordvik.example", schemas=schemas, name=name, emails=mail, **more)

    def edit(self, anchor: str, name: str, value: str | None) -> None:
        path = f"{ENTERPRISE}:department" if name == "department" else name
        self.server.edit(anchor, **{path: value})

    def remove(self, anchor: str) -> None:
        self.server.remove(anchor)

    def settle(self) -> None:
        self.server.date_back(LONG_AGO)

    def trouble(self, what: str, host: str = "") -> None:
        if what == "down":
            self._url = f"http://127.0.0.1:{self._nobody.port}/v2"
            return
        if what == "locked out":
            self._token = "not-the-token"
            return
        kind, times, details = {
            "asked to wait": ("status", 1, {"status": 429, "after": 17}),
            "failing": ("status", 3, {"status": 500}),
            "lost twice": ("drop_before", 2, {}),
            "nothing": ("empty", 1, {}),
            "a sign-in page": ("html", 1, {}),
            "cut in half": ("garbage", 1, {}),
            "too much": ("large", 1, {}),
            "about somebody else": ("wrong_id", 1, {}),
            "leads elsewhere": ("redirect", 1, {"to": f"http://{host}/v2/Users", "status": 307}),
        }[what]
        self.server.strike(kind, "GET", "/Users*", times=times, **details)

    def over(self) -> None:
        self._url, self._token = self.server.url, TOKEN
        self.server.strikes.clear()

    def new(self, word: str = "nora", **more: Any) -> Write:
        return new(word, **more)

    def there(self, anchor: str) -> dict[str, Any] | None:
        row = self.server.people().get(anchor)
        if row is None:
            return None
        manager = row.get(ENTERPRISE, {}).get("manager") or {}
        own = {ENABLED: row.get("active", True), MANAGER: manager.get("value"), self.title: row.get("title")}
        return {**self._mapped(row), **own}

    def named(self, name: str) -> list[str]:
        return [row["id"] for row in self.server.named(name)]

    def twins(self, name: str, value: str) -> None:
        for anchor in self.plain()[:2]:
            self.server.edit(anchor, **{"emails" if name == "emails.work" else name: value})

    def mishap(self, what: str, verb: str, *, skip: int = 0, host: str = "") -> None:
        if what == "slow":
            self._patch.setattr("provision.connectors.http.FREE_PATIENCE", 2.0)
        method, path = {**VERBS, "change": (self.change, "/Users/*"), "look": ("GET", "/Users*")}[verb]
        kind, details = {
            "answer lost": ("drop_after", {}),
            "request lost": ("drop_before", {}),
            "failed": ("status", {"status": 503}),
            "failed after": ("status_after", {"status": 504}),
            "a sign-in page": ("html_after", {}),
            "cut in half": ("garbage", {}),
            "slow": ("slow", {}),
            "about somebody else": ("reshaped", {"shape": _somebody_else}),
            "leads elsewhere": ("redirect", {"to": f"http://{host}/v2/Users", "status": 308}),
            "asked to wait": ("status", {"status": 429, "after": 17}),
        }[what]
        self.server.strike(kind, method, path, skip=skip, **details)

    def met(self) -> int:
        return len(self.server.struck)

    def close(self) -> None:
        self._patch.undo()
        self.server.close()
        self._nobody.close()

    def _mapped(self, row: Mapping[str, Any]) -> dict[str, Any]:
        name = row.get("name") or {}
        mails = {mail.get("type"): mail["value"] for mail in row.get("emails") or ()}
        held = (
            row["userName"], row.get("externalId"), name.get("givenName"), name.get("familyName"), mails.get("work"),
            row.get(ENTERPRISE, {}).get("department"),
        )  # fmt: skip
        return dict(zip(self.mapped, held, strict=True))


def _somebody_else(body: Any) -> Any:
    return {**json.loads(json.dumps(body)), "id": "somebody-else", "userName": "somebody.else@x.example"}


class Whole(OverHttp):
    """One that says it takes small changes, and is told not to be believed: whole records are replaced."""

    config: ClassVar[Mapping[str, Any]] = {"changes": "replace"}
    change: ClassVar[str] = "PUT"


class Searchless(OverHttp):
    """One that cannot be searched: everything is read, every time."""

    tells_who_left: ClassVar[bool] = True
    withhold: ClassVar[Sequence[str]] = ("filter", "sort")
