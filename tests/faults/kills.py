"""Many lanes at once: ``python -m tests.faults.kills --kills 1000 --operations 10000 --lanes 4``, until all is judged.

Prints what it was asked for, its seed and the revision first, and a report last; ends with 1 when anything was lost, doubled
or left unsettled. The same seed makes the same edits and aims at the same places; what the kernel does in between is
its own affair.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from provision.db import Database
from tests.faults import judging
from tests.faults.installation import cloud, copied, dropped
from tests.faults.lane import WEATHER, Deaths, Lane, lane

PEOPLE = 20
SWITCHES = ("--import", "--create", "--edit", "--delete", "--approval", "automatic")


@dataclass(frozen=True)
class Wish:
    """What is to happen in each lane. See ``Lane.run``."""

    kills: int
    operations: int
    seed: int
    speed: float = 20.0
    whole: float = 0.5
    aimed: float = 0.5
    longest: float = 3.0
    queue: int = 120


@dataclass
class Report:
    """What happened in one lane, or in all of them together."""

    kills: int = 0
    how: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    imports: int = 0
    adopted: int = 0
    retried: int = 0
    to_carry: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, deaths: Deaths) -> None:
        self.kills += deaths.kills
        self.how += deaths.how
        self.windows += deaths.windows
        self.places += deaths.places
        self.to_carry += deaths.to_carry

    def lines(self) -> list[str]:
        """For people."""
        waits = sorted(self.to_carry) or [0.0]
        return [
            f"{self.kills} kills of {_told(self.how)}; windows open at death: {_told(self.windows)}",
            f"where: {_told(self.places)}",
            f"{self.operations.total()} operations: {_told(self.operations)}; {self.adopted} adopted, "
            f"{self.retried} retried by hand; {self.imports} imports asked for",
            f"edits: {_told(self.edits)}",
            f"from a process's start to its first call: median {waits[len(waits) // 2]:.2f} s, "
            f"95 of 100 within {waits[int(len(waits) * 0.95)]:.2f} s, at most {waits[-1]:.2f} s",
            f"lost, doubled, unsettled or broken: {len(self.faults)}",
            *self.faults[:40],
        ]


def run_lane(folder: Path, template: str, wish: Wish, report: Report) -> None:
    """One lane from an empty installation to the judgement."""
    with ExitStack() as stack:
        outside = stack.enter_context(cloud(folder / "cloud", PEOPLE, WEATHER))
        installation = copied(template, folder, outside)
        stack.callback(dropped, installation)
        installation.connected(outside, *SWITCHES)
        one = stack.enter_context(lane(installation, outside["DOMAIN"], folder / "server", wish.seed, wish.speed))
        one.queue = wish.queue
        one.office.settings(correlation=judging.MARK, limit_floor=10**6)
        try:
            one.run(wish.kills, wish.operations, whole=wish.whole, aimed=wish.aimed, longest=wish.longest)
            if one.server.stop() != 0:
                report.faults.append("the server did not end in order")
            report.faults += judging.faults(one.office, judging.Directory(folder / "cloud" / "sandbox.db"))
        finally:
            _tell(one, report)


def run_lanes(folder: Path, template: str, wishes: Sequence[Wish]) -> Report:
    """All lanes side by side; the reports added up. What broke in a lane is a fault."""
    report, lock = Report(), threading.Lock()

    def work(number: int, wish: Wish) -> None:
        mine = Report()
        place = folder / f"lane{number}"
        place.mkdir()
        try:
            run_lane(place, template, wish, mine)
        except BaseException as broke:  # noqa: BLE001 - whatever it was, it is told
            mine.faults.append(f"lane {number} broke: {broke!r}")
        with lock:
            _add(report, mine, f"lane {number}: ")

    threads = [threading.Thread(target=work, args=given) for given in enumerate(wishes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def migrated(folder: Path) -> str:
    """A database with all tables and nothing in them, to be copied."""
    folder.mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'provision.db'}", lock_dir=folder)
    database.migrate()
    database.close()
    return str(folder / "provision.db")


def _tell(one: Lane, report: Report) -> None:
    report.add(one.deaths)
    report.operations += judging.outcomes(one.office)
    report.edits += one.office.made
    report.imports, report.retried = one.office.imports, one.retried
    report.adopted = judging.adopted(one.office)


def _add(report: Report, mine: Report, where: str) -> None:
    for name in (
        "kills",
        "how",
        "windows",
        "places",
        "operations",
        "edits",
        "imports",
        "adopted",
        "retried",
        "to_carry",
    ):
        setattr(report, name, getattr(report, name) + getattr(mine, name))
    report.faults += [where + fault for fault in mine.faults]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"


def revision() -> str:
    """The commit that is tried, and whether anything was changed since."""
    told = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    try:
        done = subprocess.run(told, cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind, default in (("kills", int, 1000), ("operations", int, 10_000), ("lanes", int, 4),
                                ("seed", int, random.SystemRandom().randrange(10**6)),
                                ("speed", float, 20.0), ("whole", float, 0.5), ("aimed", float, 0.5),
                                ("longest", float, 3.0), ("folder", Path, None)):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, default=default)
    given = parser.parse_args(words)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="kills-"))
    asked = " ".join(f"--{name} {value}" for name, value in vars(given).items() if name != "folder")
    print(f"{asked}\nrevision {revision()}, folder {folder}", flush=True)  # noqa: T201
    each = {"kills": -(-given.kills // given.lanes), "operations": -(-given.operations // given.lanes)}
    how = {name: getattr(given, name) for name in ("speed", "whole", "aimed", "longest")}
    wishes = [Wish(seed=given.seed + 1000 * number, **each, **how) for number in range(given.lanes)]
    report = run_lanes(folder, migrated(folder / "template"), wishes)
    print("\n".join(report.lines()))  # noqa: T201
    return bool(report.faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
