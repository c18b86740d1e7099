"""A ``provision`` that can be watched and be made to die: ``python -m tests.faults.watched FOLDER serve --port 8123``.

Owns what is seen from outside of a process that is about to be killed: which windows are open in it (a call that carries
writes, an answer not yet settled, a page of an import), kept in a file that outlives it; and dying by SIGKILL, or standing
still, in a named place when the harness aims at it. Everything is put around the product when it starts; the product knows
nothing of it.
"""

import dataclasses
import functools
import mmap
import os
import signal
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy.engine.default import DefaultDialect

from provision import cli, factory, logs, scheduler
from provision.config import Settings
from provision.connectors.microsoft365 import Microsoft365
from provision.house import House
from provision.services import worker

PAGES = "/users/delta"
WINDOWS = ("carry", "unsettled", "page")
NUMBERS = (*WINDOWS, "carried", "settled", "began", "first_carry", "aimed", "leads")
PLACES = (
    "nowhere", "carry: before the batch leaves", "carry: after it was applied", "unsettled: before anything is written",
    "unsettled: before the commit", "page: before it is asked for", "page: when it has come", "page: before its commit",
)  # fmt: skip
EVERYTHING, STANDSTILL = 1 << 8, 1 << 9
CLOCK, TIMERS = "FAULTS_CLOCK", "FAULTS_TIMERS"
_shape = struct.Struct(f"<{len(NUMBERS)}q")
_aim_shape = struct.Struct("<q")


class FastClock:
    """Time that runs so many times faster than it does; two processes with the same words agree about it."""

    def __init__(self, words: str) -> None:
        began, factor = words.split()
        self.words, self.began, self.factor = words, float(began), float(factor)

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.began + (time.time() - self.began) * self.factor, UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self.factor


class Slot:
    """What one process lets be seen of itself, by name; written by it alone and read by anybody, also after its death."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            made = path.with_suffix(".new")
            made.write_bytes(bytes(_shape.size))
            made.rename(path)
        self.path = path
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _shape.size)
        self._lock = threading.Lock()

    def read(self) -> dict[str, int]:
        return dict(zip(NUMBERS, _shape.unpack(self._map[:]), strict=True))

    def add(self, **numbers: int) -> None:
        with self._lock:
            now = self.read()
            self._map[:] = _shape.pack(*(now[name] + numbers.get(name, 0) for name in NUMBERS))

    def set(self, **numbers: int) -> None:
        with self._lock:
            self._map[:] = _shape.pack(*(self.read() | numbers).values())

    def close(self) -> None:
        self._map.close()
        self._file.close()


class Aim:
    """Where the next death is wanted: a number that the harness writes and the process that comes to that place erases."""

    def __init__(self, folder: Path) -> None:
        path = folder / "aim"
        if not path.exists():
            path.write_bytes(bytes(_aim_shape.size))
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), _aim_shape.size)

    def wanted(self) -> int:
        return int(_aim_shape.unpack(self._map[:])[0])

    def at(self, place: int) -> None:
        self._map[:] = _aim_shape.pack(place)

    def close(self) -> None:
        self._map.close()
        self._file.close()


class Watch:
    """Puts itself around the places where a server carries, settles and reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.aim = folder, Aim(folder)
        self.slot: Slot

    def install(self, clock: FastClock) -> None:
        self._around(scheduler.Running, "start", self._started)
        self._around(scheduler.Running, "_carry", self._leading)
        self._around(Microsoft365, "carry", self._carrying)
        self._around(httpx2.HTTPTransport, "handle_request", self._asking)
        self._around(DefaultDialect, "do_commit", self._committing)
        memory = functools.partial(worker.Memory, clock=clock.monotonic)
        lanes = worker.Lanes
        worker.Lanes = lambda ways: lanes(ways, memory(), self._drained)  # type: ignore[assignment, misc]
        if os.environ.get(TIMERS):
            # The timetable is kept by the real clock; where days pass in minutes, it has to keep up.
            quick = [dataclasses.replace(one, seconds=one.seconds / clock.factor) for one in scheduler.TIMETABLE]  # type: ignore[arg-type]
            scheduler.TIMETABLE = tuple(quick)

    def _around(self, owner: Any, name: str, put: Callable[..., Any]) -> None:
        real = getattr(owner, name)
        setattr(owner, name, lambda *given, **more: put(real, *given, **more))

    def die_at(self, place: int) -> None:
        wanted = self.aim.wanted()
        if wanted & (EVERYTHING - 1) != place:
            return
        # Aimed at one process: a parent starts the next one before anybody outside has seen this one die.
        self.aim.at(0)
        self.slot.set(aimed=place)
        if wanted & STANDSTILL:
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if wanted & EVERYTHING:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _started(self, real: Callable[..., Any], *given: Any) -> Any:
        """In the worker process: from now on something can be seen of it."""
        self.slot = Slot(self.folder / f"{os.getpid()}.slot", create=True)
        self.slot.set(began=time.monotonic_ns())
        return real(*given)

    def _leading(self, real: Callable[..., Any], *given: Any) -> Any:
        self.slot.set(leads=time.monotonic_ns())
        return real(*given)

    def _carrying(self, real: Callable[..., Any], *given: Any) -> Any:
        if not self.slot.read()["first_carry"]:
            self.slot.set(first_carry=time.monotonic_ns())
        self.slot.add(carry=1)
        outcomes = real(*given)
        self.slot.add(carry=-1, carried=1, unsettled=1)
        return outcomes

    def _drained(self, ways: Any, connector_id: int, memory: worker.Memory) -> Counter[str]:
        return worker.drain(ways, connector_id, memory=memory, at=self._at)

    def _at(self, point: str) -> None:
        if point == "after_send":
            self.die_at(3)
        elif point == "after_settle":
            self.slot.add(unsettled=-1, settled=1)

    def _asking(self, real: Callable[..., Any], transport: Any, request: httpx2.Request) -> httpx2.Response:
        pages, batch = PAGES in request.url.path, request.url.path.endswith("/$batch")
        batch = batch and self.slot.read()["carry"] > 0  # who has a role there is asked in batches, too
        if pages:
            self.slot.set(page=1)
        self.die_at(5 if pages else 1 if batch else -1)
        response: httpx2.Response = real(transport, request)
        if pages or batch:
            response.read()
            self.die_at(6 if pages else 2)
        return response

    def _committing(self, real: Callable[..., Any], *given: Any) -> Any:
        name = threading.current_thread().name.partition("-")[0]
        seen = self.slot.read() if name in ("leader", "lane") else {}
        if name == "lane" and seen["unsettled"]:
            self.die_at(4)
        if name == "leader" and seen["page"]:
            self.die_at(7)
        real(*given)
        if name == "leader":
            self.slot.set(page=0)


def opened(clock: FastClock, settings: Settings | None = None, *, serving: bool = False) -> House:
    """The house as a command opens it, but for its clock; it keeps a log whether it serves or not."""
    settings = settings or Settings()
    logs.configure(settings.log_level)
    return factory.open_house(settings, now=clock)


def main(folder: str, *words: str) -> None:
    clock = FastClock(os.environ.get(CLOCK, "0 1"))
    Watch(Path(folder)).install(clock)
    doors = dataclasses.replace(factory.doors(), open_house=functools.partial(opened, clock))
    cli.provision.main(args=list(words), prog_name="provision", obj=doors)


if __name__ == "__main__":
    main(*sys.argv[1:])
