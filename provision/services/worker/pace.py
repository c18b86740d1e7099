"""How fast one app may be written to, and what its leader remembers between two drains.

Owns the bucket and the open port; never waits and never sends.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from provision.core.ports import OutsideError, Pace, Unreachable
from provision.core.tables import Connector
from provision.services.cycles import Ways

NARROWEST, WIDEST = 2, 8
"""Calls under way at once: where a throttled app goes down to, and the most there are threads for."""
TOO_MANY, ANSWERS = 10, 3
"""Operations without a usable answer, one after the other, that open the breaker; and how many answers at least they lack."""
FIRST_BREAK, LONGEST_BREAK = 30.0, 600.0
OWN_FAULTS = frozenset({"internal", "manager_not_there"})
"""What says nothing about whether the app answers."""


class Bucket:
    """Tokens that drip in at ``rate`` per second up to ``capacity``. Starts empty: who knows what was sent before us."""

    def __init__(self, clock: Callable[[], float], *, rate: float, capacity: float, tokens: float = 0.0) -> None:
        self._clock, self._rate, self._capacity = clock, rate, capacity
        self._tokens, self._at = tokens, clock()

    def tokens(self) -> float:
        """How many there are now; below zero when more was taken than there were."""
        at = self._clock()
        self._tokens = min(self._capacity, self._tokens + max(0.0, at - self._at) * self._rate)
        self._at = at
        return self._tokens

    def take(self, number: float) -> None:
        """Take them, on credit if need be."""
        self._tokens = self.tokens() - number

    def keep(self, rate: float, capacity: float) -> None:
        """Drip at another pace from now on."""
        if (rate, capacity) != (self._rate, self._capacity):
            self._tokens = min(self.tokens(), capacity)
            self._rate, self._capacity = rate, capacity

    def empty(self) -> None:
        """We were told to wait: what we thought we had was not there."""
        self._tokens = min(self.tokens(), 0.0)

    def seconds_until(self, number: float) -> float:
        """How long it takes until so many are there."""
        return max(0.0, (number - self.tokens()) / self._rate)


@dataclass
class Breaker:
    """Opens when an app answers nobody any more, so that a day's work is not spent on knocking at a closed door.

    Counts different operations that met no usable answer one after the other. A single one that goes wrong opens nothing,
    nor does a single answer that got lost, however many operations it was for. Open, the app rests, each time twice as
    long; then one is tried alone.
    """

    failed: set[int] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)
    opened: int = 0

    def rest(self, ended: Iterable[tuple[int, OutsideError | None]]) -> float | None:
        """How many seconds the app must rest after these operations ended so; None when it may go on."""
        for operation, error in ended:
            if isinstance(error, Unreachable) and error.code not in OWN_FAULTS:
                self.failed.add(operation)
                # Those that went together lack one answer, and it has one name.
                self.lacking.add(error.request_id or f"of {operation}")
            else:
                self._forget()
                self.opened = 0
        enough = len(self.failed) >= TOO_MANY and len(self.lacking) >= ANSWERS
        if not enough and not (self.opened and self.failed):
            return None
        self.opened += 1
        self._forget()
        seconds: float = FIRST_BREAK * 2 ** min(self.opened - 1, 10)
        return min(LONGEST_BREAK, seconds)

    def _forget(self) -> None:
        self.failed.clear()
        self.lacking.clear()

    @property
    def tries(self) -> bool:
        """Whether only one may be tried now."""
        return self.opened > 0


@dataclass
class Remembered:
    """One app: its bucket, its open port with what it was opened for, and how many calls may be under way at once."""

    bucket: Bucket
    breaker: Breaker = field(default_factory=Breaker)
    widest: int = WIDEST
    width: int = 4
    port: Any = None
    opened_for: bytes = b""

    def keep(self, pace: Pace) -> None:
        """Go at the pace of the app's kind."""
        self.bucket.keep(pace.rate, pace.capacity)
        self.widest = min(pace.width, WIDEST)
        self.width = min(self.width, self.widest)


@dataclass
class Memory:
    """What a leader remembers of every app for as long as it leads. ``clock`` counts seconds and never jumps back."""

    clock: Callable[[], float] = time.monotonic
    apps: dict[int, Remembered] = field(default_factory=dict)

    def of(self, connector_id: int) -> Remembered:
        """One app's part."""
        if connector_id not in self.apps:
            self.apps[connector_id] = Remembered(Bucket(self.clock, rate=Pace().rate, capacity=Pace().capacity))
        return self.apps[connector_id]

    def port(self, ways: Ways, connector: Connector) -> Any:
        """The app's open port; opened anew when its settings or its secret have changed."""
        one = self.of(connector.id or 0)
        one.keep(ways.kinds[connector.kind].pace)
        told = repr((connector.config, connector.secret, connector.outside_id)).encode()
        wanted = hashlib.blake2b(told, digest_size=16).digest()
        if one.port is None or one.opened_for != wanted:
            one.port, one.opened_for = ways.connect(connector), wanted
        return one.port
