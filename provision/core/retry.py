"""What to do next about each of the six ways in which the outside fails.

Owns the table from error to decision and every waiting time; never waits, never counts, never draws a random number.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from provision.core.ports import Missing, OutsideError, Refused, Taken, Throttled, Unauthorised, Unreachable
from provision.core.vocabulary import OperationKind

FAST_TRIES = 5
LADDER = (600, 3_600, 6 * 3_600, 12 * 3_600, *[24 * 3_600] * 27)
"""Seconds between the slow tries: 10 min, 1 h, 6 h, 12 h, 24 h, then daily up to day 28 (Entra's own ladder)."""
LOOK_UP_WAITS = (2, 5, 15, 60)
CYCLE_TRIES = 8
LONGEST_BACKOFF = 300
LONGEST_REST = 900
FIRST_KNOCK, LAST_KNOCK = 3_600, 24 * 3_600
SAME_STOP = 15 * 60
"""Seconds after it was let in within which an app that is refused again was never really let in."""
VISIBLE_WITHIN = 30 * 60
"""Seconds in which a new object may still be invisible: Entra is eventually consistent and publishes no limit."""
BLOCKING = frozenset(
    {
        "no_seat", "usage_location_missing", "permission_missing", "protected_account", "in_recycle_bin",
        "not_allowed_there",
    }
)  # fmt: skip
"""Refusals that a person or a free seat can lift without an edit of the user: the operation stays, blocked."""


class Act(StrEnum):
    """The next step. Each is told apart by what the caller does, not by what went wrong."""

    RETRY = "retry"
    LOOK_UP = "look up"
    WAIT = "wait"
    REST = "rest"
    LINK_OR_DISPUTE = "link or dispute"
    GONE = "gone"
    FAIL = "fail"
    BLOCK = "block"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, how many seconds from now (None: at once, or never again), and whether an attempt was used up.

    *retry*: plan and send again. *look up*: the create may have arrived, so look before anything is sent. *wait*: look
    again, the object is not visible yet. *rest*: the whole connector pauses. The others end the operation's road.
    """

    act: Act
    after: float | None = None
    counts: bool = True


def decide(error: OutsideError, kind: OperationKind, attempt: int, age: float | None, *, chance: float) -> Decision:
    """Decide about one operation.

    ``attempt`` counts from 1; ``age`` is the seconds since the object was created, adopted or lost from sight, None when
    none of that happened; ``chance`` is a random number from 0 to 1 (full jitter).
    """
    match error:
        case Throttled():
            return _rest(error, attempt, chance)
        case Missing():
            visible = age is None or age > VISIBLE_WITHIN
            return Decision(Act.GONE) if visible else Decision(Act.WAIT, _backoff(attempt, chance), counts=False)
        case Unreachable(sent=True) if kind is OperationKind.CREATE:
            return Decision(Act.LOOK_UP, LOOK_UP_WAITS[min(max(attempt, 1), len(LOOK_UP_WAITS)) - 1])
        case Unreachable():
            return _again(attempt, chance)
        case _:
            return _at_once(error, kind)


def for_cycle(error: OutsideError, attempt: int, chance: float) -> Decision:
    """Decide about a page that could not be read: *retry* the same page, *rest*, *fail* the cycle or *quarantine*."""
    match error:
        case Unauthorised():
            return Decision(Act.QUARANTINE, counts=False)
        case Throttled():
            return _rest(error, attempt, chance)
        case Unreachable() if attempt <= CYCLE_TRIES:
            return Decision(Act.RETRY, _backoff(attempt, chance))
        case _:
            return Decision(Act.FAIL)


def knock(stopped_for: float) -> float:
    """Seconds until a stopped app is tried again: an hour, then as long as it has been stopped already, a day at most."""
    return float(min(LAST_KNOCK, max(FIRST_KNOCK, stopped_for)))


def _at_once(error: OutsideError, kind: OperationKind) -> Decision:
    """What no waiting can mend."""
    match error:
        case Unauthorised():
            return Decision(Act.QUARANTINE, counts=False)
        case Taken() if kind is OperationKind.CREATE:
            return Decision(Act.LINK_OR_DISPUTE)
        case Taken():
            # The account is linked already: only a person can choose another value.
            return Decision(Act.BLOCK)
        case Refused() if error.code in BLOCKING:
            return Decision(Act.BLOCK)
        case _:
            return Decision(Act.FAIL)


def _rest(error: Throttled, attempt: int, chance: float) -> Decision:
    told = error.after
    # A time that is missing, negative or not a number is no time: fall back on our own.
    seconds = min(told, LONGEST_REST) if told > 0 and not math.isnan(told) else _backoff(attempt, chance)
    return Decision(Act.REST, seconds, counts=False)


def _again(attempt: int, chance: float) -> Decision:
    if attempt <= FAST_TRIES:
        return Decision(Act.RETRY, _backoff(attempt, chance))
    step = attempt - FAST_TRIES - 1
    return Decision(Act.RETRY, LADDER[step]) if step < len(LADDER) else Decision(Act.FAIL)


def _backoff(attempt: int, chance: float) -> float:
    """Full jitter below min(300, 2^attempt) seconds, yet never at once: refused calls count against the quota too."""
    ceiling: int = min(LONGEST_BACKOFF, 2 ** min(max(attempt, 1), 9))
    return max(1.0, chance * ceiling)
