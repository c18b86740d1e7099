"""The two ports through which every outside system is seen, the values that cross them and the six ways they fail.

A connector implements ``Source`` or ``Target``; nothing here knows which systems exist or how they are spoken to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

# -- How the outside fails: named for what the caller does next --------------------------------------------------------


class OutsideError(Exception):
    """Something outside did not go as asked. ``code`` is a remedy key, ``params`` its blanks; neither holds a secret."""

    def __init__(self, code: str, /, *, request_id: str | None = None, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.code})"


class Unreachable(OutsideError):
    """No usable answer. ``sent`` tells whether the request may have arrived, so whether its effect is in doubt."""

    def __init__(self, code: str, /, *, sent: bool, request_id: str | None = None, **params: Any) -> None:
        super().__init__(code, request_id=request_id, **params)
        self.sent = sent


class Throttled(OutsideError):
    """Told to wait ``after`` seconds. Not an error: the whole connector rests and no attempt is counted."""

    def __init__(self, after: float, /, *, request_id: str | None = None) -> None:
        super().__init__("throttled", request_id=request_id, seconds=after)
        self.after = after


class Missing(OutsideError):
    """The object is not there, or not visible yet."""


class Taken(OutsideError):
    """A value that must be unique belongs to another object; ``params['attribute']`` names it."""


class Refused(OutsideError):
    """The request was understood and refused; trying the same again cannot help."""


class Unauthorised(OutsideError):
    """The credentials are refused, expired or lack consent: the connector goes into quarantine."""


class WatermarkLost(Exception):
    """The place to continue from is no longer known there; only reading everything anew helps."""


# -- What is seen --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the outside system's schema. ``reason`` says in a remedy key why it cannot be written."""

    name: str
    label: str = ""
    kind: Literal["text", "boolean", "time", "list", "object"] = "text"
    writable: bool = True
    unique: bool = False
    required: bool = False
    max_length: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as a page of changes showed it.

    ``values`` holds the attributes that the page carried, by their outside names; what is absent did not change, what is
    None is empty there. ``removed`` is ``"restorable"`` for a recycle bin, ``"purged"`` for good.
    """

    anchor: str
    values: Mapping[str, Any]
    removed: Literal["restorable", "purged"] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some changes and the place behind them.

    ``position`` continues this walk after a kill; ``watermark`` is set on the last page only and begins the next walk.
    Objects may repeat within and between pages, in any order; the last sight counts.
    """

    seen: Sequence[Seen]
    position: str | None = None
    watermark: str | None = None


@dataclass(frozen=True, slots=True)
class Appearance:
    """What an object's values mean for us: its sign-in name, whether it is enabled, and its standing.

    ``standing`` may hold ``guest``, ``synced``, ``federated``, ``licensed`` (true when so) and nothing that is not JSON.
    """

    name: str
    enabled: bool | None
    standing: Mapping[str, Any]
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """One right the product asks for: what for, what fails without it, and whether it is there."""

    name: str
    why: str
    without: str
    state: Literal["granted", "missing", "unused"]


@dataclass(frozen=True, slots=True)
class Check:
    """What a connector found when it looked at the outside system with fresh credentials.

    ``facts`` is JSON: ``domains`` (name, federated, default), ``seats`` (sku, part, total, used, free), ``synced`` (bool),
    ``secret_expires_at`` (ISO or None), ``people`` (int or None), and what else the kind knows.
    """

    outside_id: str
    name: str
    facts: Mapping[str, Any]
    permissions: Sequence[Permission] = ()


@runtime_checkable
class Source(Protocol):
    """An outside system that can be read."""

    def check(self) -> Check:
        """Look with fresh credentials. Raises Unauthorised, Unreachable, Refused."""
        ...

    def schema(self) -> Sequence[Attribute]:
        """The attributes that may be mapped. May be known without a call."""
        ...

    def changes(
        self, attributes: Sequence[str], *, watermark: str | None = None, position: str | None = None
    ) -> Iterator[Page]:
        """Walk everything (no watermark) or what changed since it, from ``position`` if the walk was cut short.

        Raises WatermarkLost when only a full walk helps, and the six errors. Each page is complete before it is yielded.
        """
        ...

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        """Read the meaning of an object's merged values. Pure: no call."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One object as it is now, after a find or a write."""

    anchor: str
    values: Mapping[str, Any]


@runtime_checkable
class Target(Source, Protocol):
    """An outside system in which single objects can be found, and to which what we know can be carried."""

    def find(self, attributes: Sequence[str], *, anchor: str | None = None, **key: str) -> Record | None:
        """One object by its anchor or by one unique attribute; None when nobody has it. Raises the six errors."""
        ...


@runtime_checkable
class Consenting(Protocol):
    """A system whose administrator grants access in a browser."""

    def locate(self) -> str:
        """The outside id of the organisation that the configured name belongs to. Raises Refused, Unreachable."""
        ...

    def consent_url(self, redirect_uri: str, state: str) -> str:
        """Where the browser goes to grant access."""
        ...
