"""What every fault run says of itself: its seed and revision first, and last what it counted."""

import os
import random
from collections.abc import Callable

import pytest

from tests.faults.kills import revision

SEED = "FAULTS_SEED"


def pytest_configure() -> None:
    """One seed for the whole run, whatever process a test runs in."""
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(10**6)))


def pytest_report_header() -> str:
    return f"faults: {SEED}={os.environ[SEED]}, revision {revision()}"


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what was counted; it stands at the end of the run."""
    return lambda line: record_property("counted", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [value for report in reports for name, value in report.user_properties if name == "counted"]
    if lines:
        terminalreporter.section("counted")
    for line in lines:
        terminalreporter.line(str(line))
