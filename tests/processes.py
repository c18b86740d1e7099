"""Programs in processes of their own, as a test starts, watches and ends them.

Owns a process's life and what it prints; never waits for a moment, only for what is to be seen, and whatever does not come
to be seen fails with all that was printed.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds after which something does not come any more; two busy cores are slow, and nobody waits them out but a failure."""


class Program:
    """A running program; what it prints on both outputs lies in a file, so that no full pipe ever stops it."""

    def __init__(
        self, words: Sequence[str], output: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def printed(self) -> str:
        """Everything it has written so far."""
        return self._output.read_text()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def until(self, seen: Callable[[], T | None], what: str) -> T:
        """Wait until ``seen`` finds something, and return that."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = not self.alive
            if found := seen():
                return found
            assert not ended, f"ended with {self._process.returncode} before {what}:\n{self.printed}"
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come in {PATIENCE:.0f} s:\n{self.printed}")

    def line(self, part: str) -> str:
        """Wait for a whole line that holds these words, and return it."""
        return self.until(lambda: self._whole_line(part), f"a line with “{part}”")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it as a service manager would, and return how it ended; one that does not end is killed."""
        self._process.send_signal(number)
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"did not end in {PATIENCE:.0f} s:\n{self.printed}") from None

    def _whole_line(self, part: str) -> str | None:
        return next(
            (line for line in self.printed.splitlines(keepends=True) if part in line and line[-1] == "\n"), None
        )


_lately: deque[int] = deque(maxlen=60)


def free_port() -> int:
    """A port on which nobody listens, and which is still free when a program has begun that will listen on it.

    It lies outside the range from which the system gives ports to whoever connects. Processes that were started one after
    the other, as those of one test run are, never choose the same, and a process not twice within a while.
    """
    chance = random.SystemRandom()
    while True:
        port = 20_000 + 100 * chance.randrange(120) + os.getpid() % 100
        if port in _lately:
            continue
        _lately.append(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
