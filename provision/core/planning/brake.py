"""The brake on what an import would take away here, and on what goes out and takes away there.

Owns the judgement whether so many people, or so many values, may go at once; never lets anything go itself.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Brake:
    """The limits. A share alone protects nobody in a company of twelve, a number alone nobody in one of ten thousand."""

    limit_share: float = 0.10
    limit_floor: int = 5
    shrink_share: float = 0.20

    def limit(self, whole: int) -> int:
        """How many out of ``whole`` may go within 24 hours."""
        return max(self.limit_floor, _share(self.limit_share, whole))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the brake holds: *leaving* people, *empty* or *shrunk* source, *wiped* attribute; ``count`` against ``limit``.

    For *empty* and *shrunk*, ``count`` is how many are missing. ``attribute`` is named for *wiped* only.
    """

    code: Literal["leaving", "empty", "shrunk", "wiped"]
    count: int
    limit: int
    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class BrakeVerdict:
    """Held means: apply nothing that takes away, keep the watermark, show the list, ask."""

    reasons: tuple[Reason, ...] = ()

    @property
    def held(self) -> bool:
        return bool(self.reasons)


STANDARD = Brake()


def judge_leaving(  # noqa: PLR0913 – counts, all by name
    *,
    leaving: int,
    linked: int,
    seen: int,
    expected: int,
    complete: bool,
    recent_24h: int,
    emptied: Mapping[str, int],
    holders: Mapping[str, int],
    brake: Brake = STANDARD,
) -> BrakeVerdict:
    """Judge the end of a cycle, before anything is taken away.

    ``leaving``: linked people whom this cycle would mark gone, suspend or let leave; ``linked``: all linked people before
    that; ``recent_24h``: those already taken away by this connector in the last 24 hours, which catches a slow leak.
    ``complete``: this was a full walk, so ``seen`` may be compared with ``expected``, the number there last time; nothing
    is inferred from absence otherwise. ``emptied`` and ``holders``: per attribute, how many people would lose their value
    and how many have one.
    """
    reasons = [
        *_people(leaving, recent_24h, brake.limit(linked)),
        *(_source(seen, expected, brake) if complete else ()),
        *_attributes(emptied, holders, brake),
    ]
    return BrakeVerdict(tuple(reasons))


def judge_outgoing(*, due: int, recent_24h: int, linked: int, brake: Brake = STANDARD) -> BrakeVerdict:
    """Judge the disables and deletes that are due, nobody having allowed them by name.

    ``recent_24h``: those executed or under way within 24 hours, allowed or not; ``linked``: accounts that are there.
    """
    return BrakeVerdict(tuple(_people(due, recent_24h, brake.limit(linked))))


def _people(leaving: int, recent: int, limit: int) -> list[Reason]:
    return [Reason("leaving", leaving + recent, limit)] if leaving and leaving + recent > limit else []


def _source(seen: int, expected: int, brake: Brake) -> list[Reason]:
    missing = expected - seen
    limit = _share(brake.shrink_share, expected)
    if missing <= limit:
        return []
    return [Reason("shrunk" if seen else "empty", missing, limit)]


def _attributes(emptied: Mapping[str, int], holders: Mapping[str, int], brake: Brake) -> list[Reason]:
    limits = {attribute: brake.limit(holders.get(attribute, 0)) for attribute in sorted(emptied)}
    return [
        Reason("wiped", emptied[attribute], limit, attribute)
        for attribute, limit in limits.items()
        if emptied[attribute] > limit
    ]


def _share(share: float, whole: int) -> int:
    # The small addition undoes binary fractions: 29 % of 100 is 29, not 28.
    return math.floor(share * max(whole, 0) + 1e-9)
