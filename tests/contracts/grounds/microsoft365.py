"""Microsoft 365: the sandbox in process, the same over TLS, and a fake that is worse than any real one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from provision.connectors.microsoft365 import Microsoft365
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
from provision.core.vocabulary import Kind, OperationKind
from provision.sandbox.weather import Weather
from tests.contracts.ground import People, plain_values
from tests.fakes import grounds

STAMP = "extensionAttribute15"
NOT_THE_SECRET = "not~the~secret"
BEGINNINGS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    "asked to wait": ("throttle", 1, {"retry_after": 17}),
    "failing": ("status", 3, {"status": 500}),
    "failing twice": ("status", 2, {"status": 502}),
    "a worn token": ("expired_token", 1, {}),
    "nothing": ("empty", 1, {}),
    "a sign-in page": ("html", 1, {}),
    "cut in half": ("truncated", 1, {}),
    "another kind of text": ("content_type", 1, {}),
    "too much": ("oversized", 1, {"megabytes": 21}),
    "about somebody else": ("somebody_else", 1, {}),
    "leads elsewhere": ("foreign_link", 1, {}),
    "goes in circles": ("loop_link", 5, {}),
    "forgotten": ("gone", 1, {}),
    "out of step": ("stale_token", 1, {"status": 400, "code": "syncStateNotFound"}),
}


class InProcess:
    """The sandbox, called without a network."""

    kind: ClassVar[Kind] = Kind.MICROSOFT365
    mapped: ClassVar[Sequence[str]] = (*grounds.MAPPED, "userPrincipalName")
    sign_in: ClassVar[str] = "userPrincipalName"
    surname: ClassVar[str] = "surname"
    department: ClassVar[str] = "department"
    tells_who_left: ClassVar[bool] = True
    troubles: ClassVar[Mapping[str, type[OutsideError] | type[WatermarkLost]]] = {
        "down": Unreachable,
        "locked out": Unauthorised,
        "asked to wait": Throttled,
        "failing": Unreachable,
        "nothing": Unreachable,
        "a sign-in page": Unreachable,
        "cut in half": Unreachable,
        "another kind of text": Unreachable,
        "too much": Unreachable,
        "leads elsewhere": Unreachable,
        "goes in circles": Unreachable,
        "forgotten": WatermarkLost,
        "out of step": WatermarkLost,
    }
    passing: ClassVar[Sequence[str]] = ("failing twice", "a worn token")
    title: ClassVar[str] = "jobTitle"
    keys: ClassVar[Sequence[str]] = ("userPrincipalName", "employeeId")
    unsearchable: ClassVar[str] = "aboutMe"
    mishaps: ClassVar[Mapping[str, bool | None]] = {
        "answer lost": True,
        "request lost": False,
        "failed": False,
        "failed after": True,
        "a sign-in page": None,
        "cut in half": None,
        "slow": True,
        "leads elsewhere": False,
    }
    plagues: ClassVar[Sequence[tuple[str, str]]] = (
        *((what, "create") for what in ("answer lost", "request lost", "failed", "failed after", "a sign-in page")),
        *((what, "change") for what in ("answer lost", "request lost", "failed", "asked to wait")),
        *((what, "delete") for what in ("answer lost", "failed after")),
        ("asked to wait", "create"), ("cut in half", "create"),
    )  # fmt: skip
    tls: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self.stage = self._stage(folder)
        self.clock = self.stage.clock
        self._secret, self._nobody = self.stage.secret, grounds.Nobody()
        self._more: dict[str, Any] = {}
        self.stage.no_lag()

    def _stage(self, folder: Path) -> grounds.Ground:
        stage = grounds.SandboxGround(folder, tls=self.tls)
        # What is slow there takes the clock's time, not ours.
        stage.sandbox.weather = Weather(stage.sandbox.faults, stage.clock.sleep)
        return stage

    def source(self, outside_id: str | None = None) -> Microsoft365:
        return grounds.connector(self.stage, secret=self._secret, outside_id=outside_id, **self._more)

    target = source

    def truth(self) -> People:
        return plain_values(self.stage.truth(), self.mapped)

    def plain(self) -> list[str]:
        return self.stage.plain()

    def add(self, given: str, surname: str) -> str:
        return self.stage.add(givenName=given, surname=surname)

    def edit(self, anchor: str, name: str, value: str | None) -> None:
        self.stage.edit(anchor, **{name: value})

    def remove(self, anchor: str) -> None:
        self.stage.remove(anchor)

    def settle(self) -> None:
        self.stage.calm()
        self.clock.sleep(200)

    def trouble(self, what: str, host: str = "") -> None:
        if what == "down":
            self._more = {"login_url": f"https://127.0.0.1:{self._nobody.port}", "transport": None}
        elif what == "locked out":
            self._secret = NOT_THE_SECRET
        else:
            kind, times, details = BEGINNINGS[what]
            self.stage.befall(kind, times, **details, **({"host": host} if kind == "foreign_link" else {}))

    def over(self) -> None:
        self._secret, self._more = self.stage.secret, {}

    def new(self, word: str = "nora", **more: Any) -> Write:
        values = {
            "givenName": word.title(),
            "surname": "O'Newcomer",
            "displayName": f"{word.title()} O'Newcomer",
            "mailNickname": word,
            "userPrincipalName": f"{word}@{self.stage.domain}",
            "department": "Kombüse & Deck",
            **more.pop("values", {}),
        }
        usual: dict[str, Any] = {
            "enabled": True,
            "password": "Quiet-Lake-41-Umbrella",
            "correlation": (STAMP, f"C-{word}"),
        }
        return Write(OperationKind.CREATE, None, f"ref-{word}", values, **{**usual, **more})

    def there(self, anchor: str) -> dict[str, Any] | None:
        found = self.stage.person(anchor)
        if found is None:
            return None
        own = {ENABLED: found["accountEnabled"], MANAGER: found["manager"], self.title: found.get(self.title)}
        return {**plain_values({anchor: found}, self.mapped)[anchor], **own}

    def named(self, name: str) -> list[str]:
        return self.stage.named(name)

    def twins(self, name: str, value: str) -> None:
        for word in ("One", "Two"):
            self.stage.add(givenName=word, surname="Twin", **{name: value})
        self.clock.sleep(200)

    def mishap(self, what: str, verb: str, *, skip: int = 0, host: str = "") -> None:
        # A create is preceded by a batch that looks into the bin.
        batch = ("POST", "/$batch", skip + (verb == "create"))
        method, path = {
            "create": ("POST", "/users"),
            "change": ("PATCH", "/users/*"),
            "delete": ("DELETE", "/users/*"),
        }[verb]
        item = (method, path, skip)
        where, kind, details = {
            "answer lost": (batch, "drop_after", {}),
            "request lost": (batch, "drop_before", {}),
            "failed": (batch, "status", {"status": 503}),
            "failed after": (item, "status_after", {"status": 504}),
            "a sign-in page": (batch, "html", {}),
            "cut in half": (batch, "truncated", {}),
            "slow": (batch, "slow", {"seconds": 200}),
            "leads elsewhere": (
                batch,
                "status",
                {"status": 307, "headers": {"Location": f"https://{host}/v1.0/$batch"}},
            ),
            "asked to wait": (item, "throttle", {"retry_after": 17}),
        }[what]
        method, path, after = where
        self.stage.strike(kind, method, path, skip=after, **details)

    def met(self) -> int:
        assert isinstance(self.stage, grounds.SandboxGround)
        return sum(self.stage.sandbox.faults.fired().values())

    def close(self) -> None:
        self.stage.close()
        self._nobody.close()


class OverTls(InProcess):
    """The sandbox, over TLS with a root of its own."""

    tls: ClassVar[bool] = True


class Unruly(InProcess):
    """The fake on whose every walk everything bad happens."""

    # Its own walks are full of what these would add, and nothing listens where it would be down.
    troubles: ClassVar[Mapping[str, type[OutsideError] | type[WatermarkLost]]] = dict(InProcess.troubles)
    mishaps: ClassVar[Mapping[str, bool | None]] = {
        "answer lost": True,
        "request lost": False,
        "failed": False,
        "failed after": True,
        "a sign-in page": True,
    }
    plagues: ClassVar[Sequence[tuple[str, str]]] = tuple(one for one in InProcess.plagues if one[0] != "cut in half")

    def _stage(self, folder: Path) -> grounds.Ground:
        return grounds.UnrulyGround(folder)

    def met(self) -> int:
        assert isinstance(self.stage, grounds.UnrulyGround)
        return sum(not strike.times for strike in self.stage.fake.desk.strikes)
