"""One server killed again and again while people work at it, against a cloud that outlives it and loses answers.

Owns the processes of one lane, when and where they die, and waiting until everything has come to rest. Judging what is left
is ``judging``'s; whoever wants several lanes at once runs several.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.config import Settings
from provision.house import House
from tests.faults.installation import Installation
from tests.faults.people import Office
from tests.faults.watched import CLOCK, EVERYTHING, PLACES, WINDOWS, Aim, FastClock, Slot, opened
from tests.processes import PATIENCE, free_port

LOST = 0.3
WEATHER: Mapping[str, Any] = {
    "knobs": {"delta_page": 20},
    "faults": [
        {"kind": "drop_after", "method": "POST", "path": "/v1.0/$batch", "times": None, "probability": LOST},
        {"kind": "drop_after", "method": "GET", "path": "/v1.0/users", "times": None, "probability": LOST},
        {"kind": "drop_after", "method": "GET", "path": "/v1.0/users/delta", "times": None, "probability": LOST},
    ],
}


@dataclass
class Deaths:
    """What the kills hit: how many of what kind, in which windows, and how long the next process took to carry."""

    kills: int = 0
    how: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    to_lead: list[float] = field(default_factory=list)
    to_carry: list[float] = field(default_factory=list)


class Server:
    """The product's own server in a process group of its own, watched."""

    def __init__(self, installation: Installation, clock: FastClock, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.aim = folder, Aim(folder)
        self.port = free_port()
        self._environment = {**installation.environment, CLOCK: clock.words, "PROVISION_LOG_LEVEL": "warning"}
        self._log = (folder / "server.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[str] = set()
        self.slot: Slot | None = None
        self.began = 0.0

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.faults.watched", str(self.folder), "serve", "--port", str(self.port)]
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            words, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """The process that serves, carries and reads."""
        return int(Path(self.slot.path).stem) if self.slot else 0

    def appeared(self) -> bool:
        """Whether a worker process shows itself that was not there before."""
        for path in self.folder.glob("*.slot"):
            if path.name not in self._seen:
                self._seen.add(path.name)
                self.slot = Slot(path)
                return True
        return False

    def died(self) -> bool:
        """Whether the worker process is gone, by whatever hand."""
        return state_of(self.pid) in ("", "Z")  # a zombie is dead: its parent has merely not looked yet

    def stopped(self) -> bool:
        """Whether the worker process stands still."""
        return state_of(self.pid) == "T"

    def wake(self) -> bool:
        """SIGCONT: it goes on where it stood still; false when its parent gave it up before that and has another one."""
        with contextlib.suppress(ProcessLookupError):
            if not self.died():
                os.kill(self.pid, signal.SIGCONT)
                return True
        return False

    @property
    def leads(self) -> bool:
        """Whether the worker process is alive and has begun to lead."""
        return self.slot is not None and bool(self.slot.read()["leads"]) and not self.died()

    def kill(self, *, everything: bool) -> None:
        """SIGKILL: the worker process, or its parent with it."""
        self.began = time.monotonic()
        if everything and self._process is not None:
            _kill(self._process.pid)
        if self.slot is not None:
            _kill(self.pid)

    def gone(self) -> bool:
        """Whether nothing of the server is left, so that it must be started anew."""
        return self._process is None or self._process.poll() is not None

    def forget(self) -> Mapping[str, int]:
        """What could be seen of the worker at its death; from now on the next one is looked at."""
        assert self.slot is not None
        seen = self.slot.read()
        self.slot.close()
        Path(self.slot.path).unlink()
        self._seen.discard(self.slot.path.name)  # its number may come again
        self.slot = None
        return seen

    def stop(self) -> int | None:
        """SIGTERM, and the exit status."""
        if self._process is None or self._process.poll() is not None:
            return None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self.slot is not None:
            self.slot.close()
        self._log.close()
        self.aim.close()

    def said(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


class Lane:
    """One installation with its server and its office. ``chance`` decides every edit and every death."""

    def __init__(self, installation: Installation, domain: str, folder: Path, seed: int, speed: float) -> None:
        self.chance = random.Random(seed)
        clock = FastClock(f"{time.time()} {speed}")
        self.house = house_of(installation, clock)
        self.office = Office(self.house, domain, random.Random(seed + 1))
        self.server = Server(installation, clock, folder)
        self.deaths = Deaths()
        self.retried = 0
        self.queue = 120

    def run(self, kills: int, operations: int, *, whole: float, aimed: float, longest: float) -> None:
        """Kill so many times and work until there were so many operations, then let everything come to rest.

        ``whole``: the share of deaths that take the parent process along; ``aimed``: the share that wait for a certain
        place; the others come after at most ``longest`` seconds of a process's life.
        """
        self.server.start()
        places = self._places()
        while self.deaths.kills < kills:
            everything = self.chance.random() < whole
            if self.chance.random() < aimed:
                self._die_in(next(places), everything=everything)
            else:
                self._die_after(self.chance.uniform(0.0, longest), everything=everything)
        while self.office.operations() < operations:
            self._work()
        self._rest()

    # -- Deaths ------------------------------------------------------------------------------------------------------

    def _places(self) -> Iterator[int]:
        """Each place once, in an order of chance, and each again: none is missed by ill luck."""
        while True:
            yield from self.chance.sample(range(1, len(PLACES)), len(PLACES) - 1)

    def _die_after(self, seconds: float, *, everything: bool) -> None:
        """At any moment, the first ones of a process's life included."""
        self._await(self.server.appeared)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._work()
        self.server.kill(everything=everything)
        self._buried("at random", everything=everything)

    def _die_in(self, place: int, *, everything: bool) -> None:
        """When the process comes to a certain place."""
        self._await(self.server.appeared)
        self.server.aim.at(place | EVERYTHING * everything)
        self._await(self.server.died)
        self.server.began = time.monotonic()
        self._buried(PLACES[place], everything=everything)

    def _buried(self, how: str, *, everything: bool) -> None:
        self._await(self.server.died)
        seen = self.server.forget()
        self.deaths.kills += 1
        self.deaths.places[how] += 1
        self.deaths.how["server" if everything else "worker"] += 1
        self.deaths.windows.update(window for window in WINDOWS if seen[window])
        for name, told in (("leads", self.deaths.to_lead), ("first_carry", self.deaths.to_carry)):
            if seen[name]:
                told.append(seen[name] / 1e9 - seen["began"] / 1e9)
        if everything:
            self._await(self.server.gone)
            self.server.start()

    # -- Work --------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Keep a queue in front of the server, and an import under way."""
        if self.office.waiting() < self.queue:
            for _ in range(5):
                self.office.edit()
        else:
            time.sleep(0.02)
        self.office.read()

    def _await(self, condition: Callable[[], bool]) -> None:
        """Work until it is so."""
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"waited in vain for {condition.__name__}\n{self.server.said()[-2000:]}"
            self._work()

    def _rest(self) -> None:
        """No more edits and no more deaths: everything settles, what needs a hand gets it. Too long is when nothing moves."""
        left, until = -1, 0.0
        while (waiting := self.office.waiting()) or self.office.press_retry():
            if waiting != left:
                left, until = waiting, time.monotonic() + PATIENCE
            assert time.monotonic() < until, f"{waiting} wait still\n{self.server.said()[-2000:]}"
            self.retried += self.office.press_retry()
            time.sleep(0.2)


@contextlib.contextmanager
def lane(installation: Installation, domain: str, folder: Path, seed: int, speed: float) -> Iterator[Lane]:
    """A lane whose processes end with the block."""
    made = Lane(installation, domain, folder, seed, speed)
    try:
        yield made
    finally:
        made.server.close()
        made.house.db.close()


def house_of(installation: Installation, clock: FastClock) -> House:
    """The same installation in this process, on the same clock."""
    names = {name.removeprefix("PROVISION_").lower(): value for name, value in installation.environment.items()
             if name.startswith("PROVISION_")}  # fmt: skip
    return opened(clock, Settings(_env_file=None, **names))  # type: ignore[call-arg]


def state_of(pid: int) -> str:
    """One letter, as the kernel has it; nothing when there is no such process."""
    if not Path("/proc").is_dir():  # macOS
        told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return told.stdout.strip()[:1]
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return told.rpartition(")")[2].split()[0]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have been quicker
        os.kill(pid, signal.SIGKILL)
