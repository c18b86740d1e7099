"""The server is killed with SIGKILL at any moment while people work at it: nothing is lost, nothing is doubled.

The real server process over the real database, an office that edits through the product's own services, and the sandbox
over TLS in a process that outlives it and loses three answers of ten after having carried out what was asked.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.kills import Report, Wish, run_lane, run_lanes
from tests.faults.watched import WINDOWS

SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
LANES = 4
KILLS, OPERATIONS, EACH = 1_000, 10_000, 100


def told(report: Report) -> str:
    return "\n".join([f"seed {SEED}", *report.lines()])


def test_a_server_killed_thirty_times_loses_and_doubles_nothing(tmp_path: Path, migrated: str) -> None:
    report = Report()
    wish = Wish(30, 120, SEED, speed=40.0, whole=0.1, aimed=0.6, longest=0.8, queue=40)
    run_lane(tmp_path, migrated, wish, report)
    assert report.faults == [], told(report)
    assert report.kills == 30
    assert all(report.windows[window] for window in WINDOWS), told(report)


@pytest.mark.faults
def test_a_thousand_kills_and_ten_thousand_operations(
    tmp_path: Path, migrated: str, counted: Callable[[str], None]
) -> None:
    wishes = [Wish(KILLS // LANES, OPERATIONS // LANES, SEED + 1000 * number) for number in range(LANES)]
    report = run_lanes(tmp_path, migrated, wishes)
    counted(told(report))
    assert report.faults == [], told(report)
    assert report.kills == KILLS
    assert report.operations.total() >= OPERATIONS
    assert all(report.windows[window] >= EACH for window in WINDOWS), told(report)
