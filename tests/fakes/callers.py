"""The faithful callers of the ports: one who reads until the truth is known, one who carries until everything is there.

Own what the ports allow a caller to rely on; know no kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from provision.core.ports import (
    Carrier,
    Missing,
    Outcome,
    Record,
    Seen,
    Source,
    Throttled,
    Unreachable,
    WatermarkLost,
    Write,
)
from provision.core.vocabulary import OperationKind


@dataclass
class Reader:
    """What a faithful caller of Source ends with: merged people, and the places to go on from."""

    attributes: Sequence[str]
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    position: str | None = None
    watermark: str | None = None
    setbacks: list[str] = field(default_factory=list)

    def take(self, seen: Seen) -> None:
        if seen.removed:
            self.people.pop(seen.anchor, None)
        else:
            self.people[seen.anchor] = {**self.people.get(seen.anchor, {}), **seen.values}

    def walk(self, make: Callable[[], Source], *, pages: int | None = None) -> "Reader":
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

    def _pages(self, source: Source, pages: int | None) -> None:
        walk = source.changes(self.attributes, watermark=self.watermark, position=self.position)
        for number, page in enumerate(walk, start=1):
            for seen in page.seen:
                self.take(seen)
            self.position = page.position
            self.watermark = page.watermark or self.watermark
            if number == pages:
                return


@dataclass(frozen=True)
class Courier:
    """A faithful caller of Carrier: a fresh connector for each attempt, and the patience that its clock allows."""

    target: Callable[[], Carrier]
    sleep: Callable[[float], None]
    attributes: Sequence[str]

    def persist(self, writes: Sequence[Write]) -> list[str | None]:
        """Carry writes to their end; return the anchors that they ended with.

        A create in doubt is looked up by its mark, for as long as it may be invisible, before it is sent again; everything
        else is planned again from what is left; a time to wait is waited out. Whoever is not visible yet is waited for.
        """
        anchors = [write.anchor for write in writes]
        open_ = dict(enumerate(writes))
        for _ in range(60):
            if not open_:
                return anchors
            batch = list(open_.items())[:20]
            outcomes = self.target().carry([write for _, write in batch])
            assert len(outcomes) == len(batch)
            for (number, write), outcome in zip(batch, outcomes, strict=True):
                anchors[number] = outcome.record.anchor if outcome.record else anchors[number]
                again = self._again(write, outcome)
                del open_[number]
                if again is not None:
                    anchors[number] = again.anchor or anchors[number]
                    open_[number] = again
            self.sleep(30)
        raise AssertionError(f"no end: {open_}")

    def look(self, write: Write) -> Record | None:
        """Look somebody up by the mark that a create left, until there is an answer."""
        assert write.correlation is not None
        for _ in range(60):
            self.sleep(121)
            try:
                return self.target().find(self.attributes, **dict([write.correlation]))
            except (Unreachable, Throttled):
                continue
        raise AssertionError("no look")

    def _again(self, write: Write, outcome: Outcome) -> Write | None:
        error = outcome.error
        if write.kind is OperationKind.DELETE:
            return None if error is None or isinstance(error, Missing) else write
        if write.kind is OperationKind.CREATE and outcome.record is None:
            assert isinstance(error, Unreachable | Throttled), (error, error and error.params)
            if isinstance(error, Throttled) or not error.sent:
                return write
            found = self.look(write)
            if found is None:
                return write
            return replace(write, kind=OperationKind.UPDATE, anchor=found.anchor, password=None, correlation=None)
        if error is None and not outcome.left:
            return None
        anchor = outcome.record.anchor if outcome.record else write.anchor
        return replace(write, kind=OperationKind.UPDATE, anchor=anchor, password=None, correlation=None)
