"""The two ports through which every outside system is seen, the values that cross them and the six ways they fail.

A connector implements ``Source`` or ``Target``; nothing here knows which systems exist or how they are spoken to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from provision.core.vocabulary import OperationKind

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
    """One attribute of the outside system's schema. ``reason`` says in a remedy key why it cannot be written.

    ``while_synced``: it may be written even while a directory of theirs owns the object. ``clearable``: it may be emptied.
    ``marks``: what is created may be marked in it, since people can be found by it and it may be free for that.
    """

    name: str
    label: str = ""
    kind: Literal["text", "boolean", "time", "list", "object"] = "text"
    writable: bool = True
    unique: bool = False
    required: bool = False
    max_length: int | None = None
    reason: str = ""
    while_synced: bool = False
    clearable: bool = True
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as a page of changes showed it.

    ``values`` holds the attributes that the page carried, by their outside names; what is absent did not change, what is
    None is empty there; MANAGER holds the anchor of whom the object reports to. ``removed`` is ``"restorable"`` for a
    recycle bin, ``"purged"`` for good.
    """

    anchor: str
    values: Mapping[str, Any]
    removed: Literal["restorable", "purged"] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some changes and the place behind them.

    ``position`` continues this walk after a kill; ``watermark`` is set on the last page only and begins the next walk.
    Objects may repeat within and between pages, in any order; the last sight counts. ``asked_at`` is for whoever walks to
    note when the page was asked for; a source leaves it empty.
    """

    seen: Sequence[Seen]
    position: str | None = None
    watermark: str | None = None
    asked_at: datetime | None = None


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


# -- What is carried there -----------------------------------------------------------------------------------------------


EXTERNAL_ID = "externalId"
"""The name by which a client that pushes knows somebody, where it says one."""
MANAGER = "manager"
LICENCES = "licences"
ENABLED = "enabled"
GROUP_NAME = "displayName"
MEMBERS = "members"
"""Names in ``Outcome.left`` for what is no plain attribute. ``Record.values`` holds a manager's anchor under MANAGER."""


@dataclass(frozen=True, slots=True)
class Write:
    """One planned change of one account. What is absent from it stays as it is there.

    ``values``: outside attribute → text, None to clear it; lists as their texts joined by "; ". ``enabled``: what it shall
    become, with a create always set. ``manager``: the anchor of the manager's account, None to have none; left alone
    unless ``moves_manager``. ``licences``: sku → True to assign, False to take away; others are never touched.

    *create*: ``anchor`` is None, ``password`` the first password (to be changed at the first sign-in), ``correlation`` the
    attribute and value by which the object is found again, if one is configured. Before anything is created the recycle bin
    is searched for an object of that sign-in name; a twin is ``Refused("in_recycle_bin", anchor=…, name=…)`` and nothing is
    created, unless ``despite_bin``. *restore*: out of the recycle bin, under the sign-in name in ``values`` if there is one,
    then everything else. *delete*: into the recycle bin. ``reference`` goes along as the request's own id, one per attempt.

    ``group``: it is about a group: its name is GROUP_NAME in ``values``, ``members`` all who shall be in it, by the anchors
    of their accounts (None: they stay); only for systems that are ``Grouping``.
    """

    kind: OperationKind
    anchor: str | None
    reference: str
    values: Mapping[str, str | None] = field(default_factory=dict)
    enabled: bool | None = None
    manager: str | None = None
    moves_manager: bool = False
    licences: Mapping[str, bool] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    correlation: tuple[str, str] | None = None
    despite_bin: bool = False
    group: bool = False
    members: tuple[str, ...] | None = None

    @property
    def cost(self) -> int:
        """How many writes of a quota this is: one for the object, one for its manager, one for its licences."""
        return max(
            1, bool(self.values or self.kind is not OperationKind.UPDATE) + self.moves_manager + bool(self.licences)
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a system may be written to: ``rate`` a second, at most ``capacity`` saved up, ``width`` calls at once."""

    rate: float = 20.0
    capacity: float = 3_000.0
    width: int = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write.

    ``record``: what is there now, in the form of ``find``: at least anchor and what was written; None when nothing is known
    or, after a delete, there. ``error``: why the write itself did not succeed; Unreachable(sent=True) says that its effect
    is in doubt. ``left``: attribute (or MANAGER, LICENCES) → why it did not follow although the rest did. A create that was
    applied is a record without an error, however much is left.
    """

    record: Record | None = None
    error: OutsideError | None = None
    left: Mapping[str, OutsideError] = field(default_factory=dict)
    request_id: str | None = None


@runtime_checkable
class Carrier(Target, Protocol):
    """The writing half of a Target."""

    def carry(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Carry up to twenty writes of different accounts; one outcome for each, in the same order.

        Raises nothing of the outside's: an error that meets all of them is in every outcome. Sends no write twice after a
        doubtful answer, waits for no Retry-After (Throttled says how long), and may be called from several threads at once.
        Success is told only for what the outside has confirmed; a restore of what is there already is one. A delete of what
        is not there is Missing.
        """
        ...

    def set_password(self, anchor: str, password: str) -> None:
        """Set a password that its owner has chosen. Raises the six errors."""
        ...


@dataclass(frozen=True, slots=True)
class Discarded:
    """One object in the recycle bin: its sign-in name as it was, and when it goes for good."""

    anchor: str
    name: str
    values: Mapping[str, Any]
    deleted_at: datetime | None
    purged_at: datetime | None


@runtime_checkable
class Recycling(Protocol):
    """A system that keeps what was deleted for a while."""

    def discarded(self, attributes: Sequence[str]) -> Iterator[Discarded]:
        """Everybody in the recycle bin, newest first. Raises the six errors."""
        ...


@dataclass(frozen=True, slots=True)
class Holding:
    """One licence of one object: given to it itself, and by which groups (their names) besides."""

    sku: str
    direct: bool
    groups: tuple[str, ...] = ()


@runtime_checkable
class Grouping(Protocol):
    """A system that keeps groups. Their anchors are told apart from those of people."""

    def find_group(self, attribute: str, value: str) -> Record | None:
        """The one group that holds this value, with GROUP_NAME and MEMBERS; None when none does. Raises the six errors."""
        ...


@runtime_checkable
class Licensing(Protocol):
    """A system that sells seats."""

    def seats(self) -> Sequence[Mapping[str, Any]]:
        """The seats per licence now, in the form of ``Check.facts["seats"]``. Raises the six errors."""
        ...

    def holdings(self, anchor: str) -> Sequence[Holding]:
        """What one object holds, each licence once. Raises the six errors."""
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


@runtime_checkable
class Remembering(Protocol):
    """A system that tells when a password was last changed, so that a lost answer can be looked up."""

    def password_mark(self, anchor: str) -> str:
        """A text that is another one after every change of this password. Asks once. Raises the six errors."""
        ...


@runtime_checkable
class Passing(Protocol):
    """A system that hands out passes with which a person signs in once and then chooses a password there."""

    def access_pass(self, anchor: str, minutes: int) -> str:
        """A fresh pass; an earlier one stops working. It is shown to its person and kept nowhere. Raises the six errors."""
        ...


@runtime_checkable
class Expelling(Protocol):
    """A system that can end the sessions that are open with an account."""

    def end_sessions(self, anchor: str) -> None:
        """Let every session of this account end. Raises the six errors."""
        ...
