"""What a contract asks of the place where it is tried: people over there, somebody else who changes them, and trouble.

A new kind writes one of these (``grounds/``) and is held to the suites by it. Knows no kind.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from provision.core.ports import Carrier, OutsideError, Source, WatermarkLost, Write
from provision.core.vocabulary import Kind
from tests.fakes.grounds import Clock

People = dict[str, dict[str, Any]]


class Ground(Protocol):
    """A source to be read. ``mapped``: the attributes that are asked for; ``sign_in``, ``surname``, ``department``:
    which of them hold that.

    ``tells_who_left``: whether somebody's absence is told by a walk since the watermark, or shows only when everything is
    read. ``troubles``: what can go wrong on the way, by the suite's words, and how it shows; ``passing``: what nobody
    notices, since it is tried again in place.
    """

    kind: ClassVar[Kind]
    mapped: ClassVar[Sequence[str]]
    sign_in: ClassVar[str]
    surname: ClassVar[str]
    department: ClassVar[str]
    tells_who_left: ClassVar[bool]
    troubles: ClassVar[Mapping[str, type[OutsideError] | type[WatermarkLost]]]
    passing: ClassVar[Sequence[str]]
    clock: Clock

    def source(self, outside_id: str | None = None) -> Source:
        """A fresh connector, as the registry builds it."""

    def truth(self) -> People:
        """Everybody as they are there now: anchor → the mapped attributes."""

    def plain(self) -> list[str]:
        """Anchors of people whom anybody may change over there, eight at least."""

    def add(self, given: str, surname: str) -> str: ...
    def edit(self, anchor: str, name: str, value: str | None) -> None: ...
    def remove(self, anchor: str) -> None: ...

    def settle(self) -> None:
        """Let all that happened so far be long ago, and leave out what makes a walk a full one."""

    def trouble(self, what: str, host: str = "") -> None:
        """Let one of ``troubles`` or ``passing`` begin; ``host`` is a stranger's, to be led to."""

    def over(self) -> None:
        """Let the trouble be over."""

    def close(self) -> None: ...


class Target(Ground, Protocol):
    """A source that is written to as well. ``title``: an attribute that may be emptied, beside ``mapped``.

    ``mishaps``: what can go wrong with a write: whether it was made (None: either). ``keys``: what somebody is found by.
    """

    title: ClassVar[str]
    keys: ClassVar[Sequence[str]]
    unsearchable: ClassVar[str]
    mishaps: ClassVar[Mapping[str, bool | None]]
    plagues: ClassVar[Sequence[tuple[str, str]]]

    def target(self) -> Carrier:
        """A fresh connector."""

    def new(self, word: str = "nora", **more: Any) -> Write:
        """A create; ``values`` go over the usual ones."""

    def there(self, anchor: str) -> dict[str, Any] | None:
        """Somebody as they are, visible to others or not: mapped values, title, ENABLED and MANAGER."""

    def named(self, name: str) -> list[str]:
        """Who signs in by this name, visible to others or not."""

    def twins(self, name: str, value: str) -> None:
        """Let two people have the same value of a key."""

    def mishap(self, what: str, verb: str, *, skip: int = 0, host: str = "") -> None:
        """Let a write (create, change, delete) meet one of ``mishaps``, after ``skip`` that meet none."""

    def met(self) -> int:
        """How many mishaps have happened."""


def plain_values(people: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> People:
    """People with these attributes alone."""
    return {anchor: {name: values.get(name) for name in names} for anchor, values in people.items()}
