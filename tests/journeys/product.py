"""The running product, as a newcomer starts it: one process, one data directory, the sandbox tenant beside it.

Owns the process's life; never looks into the product's memory. What a journey arranges, it arranges as an
administrator would (the command line), as Microsoft would (the sandbox's file), or in the product's database file.
"""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from provision.config import Settings
from provision.factory import open_house
from provision.house import House
from provision.sandbox import Sandbox
from tests.processes import PATIENCE, Program, free_port

ROOT = Path(__file__).parents[2]
OWNER = "owner@fjordvik.example"
PASSWORD = "four calm herons wade at dawn"
TENANT = "fjordvik"
APP = "Office 365 / Azure AD"
_RUN = "import sys; from provision.factory import main; main(sys.argv[1:])"


class Product:
    """``provision demo`` in a process of its own."""

    _program: Program

    def __init__(self, folder: Path, people: int, **settings: str) -> None:
        self.folder = folder
        self._settings = settings  # PROVISION_… beyond the data directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = f"{self.url}/t/{TENANT}/"
        self.claimed = False  # whether its owner has set a password
        self._people = people
        self._opened: tuple[House, Sandbox] | None = None

    def start(self) -> "Product":
        """Return when it answers that it can do its work."""
        words = [sys.executable, "-c", _RUN, "demo", "--port", str(self.port), "--users", str(self._people)]
        self._program = Program(words, self.folder / "output", cwd=self.folder, env=self._environment())
        self._program.until(self._ready, "being ready")
        return self

    def stop(self) -> int:
        """End it as a service manager would, and return how it ended."""
        if self._opened:
            self._opened[0].db.close()
            self._opened[1].close()
        return self._program.stop()

    @property
    def printed(self) -> str:
        """Everything it has written so far: what a person reads and its log."""
        return self._program.printed

    @property
    def link(self) -> str:
        """The one-time link it printed at its start."""
        found = re.search(r"Sign in\s+(\S+/first/\S+)", self.printed)
        assert found, self.printed
        return found[1]

    def command(self, *arguments: str, given: str = "") -> str:
        """Run ``provision …`` beside it, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *arguments],
            cwd=self.folder,
            env=self._environment() | {"PROVISION_PUBLIC_URL": self.url},
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, seen: Callable[[], object], what: str) -> None:
        """Wait until this is to be seen, wherever a journey looks for it."""
        self._program.until(lambda: seen() or None, what)

    @property
    def house(self) -> House:
        """The same installation opened beside it, for what no page can arrange yet."""
        return self._beside()[0]

    @property
    def sandbox(self) -> Sandbox:
        """The tenant at “Microsoft”: what is changed here is what Microsoft says from now on."""
        return self._beside()[1]

    def _beside(self) -> tuple[House, Sandbox]:
        if self._opened is None:
            settings = Settings(_env_file=None, data_dir=self.folder / "data", public_url=self.url)  # type: ignore[call-arg]
            self._opened = open_house(settings), Sandbox(self.folder / "data" / "sandbox.db")
        return self._opened

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PROVISION_")}
        return ours | {"PROVISION_DATA_DIR": str(self.folder / "data"), "PYTHONPATH": str(ROOT), **self._settings}

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
