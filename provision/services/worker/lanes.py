"""A lane of its own for every app: whoever is slow or down holds up nobody but itself.

Owns the threads in which apps are drained side by side; decides nothing about what is carried.
"""

import threading
from collections import Counter
from collections.abc import Callable

import structlog

from provision.services.cycles import Ways
from provision.services.worker.drain import drain
from provision.services.worker.due import due_connectors
from provision.services.worker.pace import Memory

log = structlog.get_logger()
Drain = Callable[[Ways, int, Memory], Counter[str]]


def _drain(ways: Ways, connector_id: int, memory: Memory) -> Counter[str]:
    return drain(ways, connector_id, memory=memory)


class Lanes:
    """The lanes of one leader. ``tend`` opens one for every app that has something due and none open."""

    def __init__(self, ways: Ways, memory: Memory | None = None, carry: Drain = _drain) -> None:
        self._ways, self._memory, self._carry = ways, memory or Memory(), carry
        self._open: dict[int, threading.Thread] = {}
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def tend(self) -> None:
        """Open what is due; returns at once. A lane closes when its app has nothing due any more."""
        with self._ways.reading() as session:
            due = due_connectors(session, self._ways.now())
        self._open = {number: lane for number, lane in self._open.items() if lane.is_alive()}
        for connector_id in due:
            if connector_id not in self._open:
                lane = threading.Thread(
                    target=self._run, args=(connector_id,), name=f"lane-{connector_id}", daemon=True
                )
                self._open[connector_id] = lane
                lane.start()

    def close(self) -> Counter[str]:
        """Wait until every lane has settled what it had under way; returns what became of everything."""
        for lane in self._open.values():
            lane.join()
        return self._counts

    @property
    def busy(self) -> bool:
        """Whether any lane is still open."""
        return any(lane.is_alive() for lane in self._open.values())

    def _run(self, connector_id: int) -> None:
        """Rows say how far a lane got: whatever breaks one is tried again at the next tending."""
        try:
            counts = self._carry(self._ways, connector_id, self._memory)
        except Exception:
            log.exception("a lane broke", connector=connector_id)
            self._ways.sleep(1.0)
            return
        with self._counting:
            self._counts += counts
