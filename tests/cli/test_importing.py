"""Importing by command while the other side does not answer: what somebody at the terminal reads, and how they end it."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.fakes.scim import TOKEN, ScimServer
from tests.processes import Program

_AT_A_TERMINAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # in the background it is ignored
)
ASK = (
    sys.executable,
    "-c",
    f"{_AT_A_TERMINAL}; from provision.factory import main; main()",
    "import",
    "contoso",
    "Payroll",
)


@pytest.fixture
def payroll(provision: Command, there: ScimServer) -> Command:
    """A SCIM application whose people may be imported."""
    assert provision("tenant", "add", "contoso", "--name", "Contoso").status == 0
    given = ("--name", "Payroll", "--set", f"base_url={there.url}", "--secret-stdin")
    assert provision("app", "add", "contoso", "scim", *given, stdin=f"{TOKEN}\n").status == 0
    assert provision("app", "features", "contoso", "Payroll", "--import").status == 0
    return provision


def asked(tmp_path: Path) -> Program:
    """The command in a process of its own, as a terminal runs it, at its usual log level."""
    silent = {name: value for name, value in os.environ.items() if name != "PROVISION_LOG_LEVEL"}
    return Program(ASK, tmp_path / "printed", cwd=tmp_path, env=silent)


def test_a_host_that_is_away_is_named_at_once_with_when_it_is_tried_again_and_ctrl_c_stops(
    payroll: Command, there: ScimServer, tmp_path: Path
) -> None:
    there.close()
    command = asked(tmp_path)
    line = command.line("Trying again in")
    assert line.startswith("Payroll: ")
    assert "127.0.0.1" in line
    assert line.rstrip().endswith("s, Ctrl-C stops.")
    assert command.stop(signal.SIGINT) == 1
    assert "The import was stopped." in command.printed
    assert "{" not in command.printed, "no line of a log among them"


def test_a_host_that_stays_silent_is_told_of_while_it_is_asked(
    payroll: Command, there: ScimServer, tmp_path: Path
) -> None:
    release = threading.Event()
    there.witness = lambda *_: release.wait(60) and None
    command = asked(tmp_path)
    assert "Payroll has not answered yet" in command.line("has not answered yet")
    assert command.stop(signal.SIGINT) == 1
    release.set()
    assert "The import was stopped." in command.printed
