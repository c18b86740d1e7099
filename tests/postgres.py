"""Run a command against a throw-away PostgreSQL: ``python -m tests.postgres -- pytest -q``.

Owns the cluster's short life: made in a temporary folder, on a socket-free loopback port, without syncing, and removed
with the command's end whatever that was. As root it runs as the user ``postgres``, since the server refuses root. With
TEST_DATABASE_URL the command gets that server and none is made.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.processes import PATIENCE, free_port

QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
SUPERUSER = "postgres"
# Sorted byte by byte everywhere; macOS calls the letters of all languages by another name.
LOCALE = ("-E", "UTF8", "--locale=C", f"--lc-ctype={'en_US' if sys.platform == 'darwin' else 'C'}.UTF-8")
KEPT = ("usr/lib/postgresql/*", "opt/homebrew/opt/postgresql@*", "usr/local/opt/postgresql@*")


def main(arguments: Sequence[str]) -> int:
    command = [argument for argument in arguments if argument != "--"]
    if not command:
        print("usage: python -m tests.postgres -- COMMAND …", file=sys.stderr)  # noqa: T201
        return 2
    if command[0] == "pytest":
        command = [sys.executable, "-m", *command]
    if os.environ.get("TEST_DATABASE_URL"):
        return subprocess.run(command, check=False).returncode
    # A polite end must end the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with cluster() as url:
        return subprocess.run(command, env={**os.environ, "TEST_DATABASE_URL": url}, check=False).returncode


@contextmanager
def cluster() -> Iterator[str]:
    """A fresh cluster; yields the URL of its first database."""
    programs = tools()
    with tempfile.TemporaryDirectory(prefix="provision-pg-") as name:
        folder = Path(name)
        _give_away(folder)
        kept, port = folder / "cluster", free_port()
        _run(programs / "initdb", "--no-sync", "-A", "trust", "-U", SUPERUSER, *LOCALE, "-D", kept)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' {QUICK}"
        _run(
            programs / "pg_ctl", "-D", kept, "-l", folder / "log", "-w", "-t", f"{PATIENCE:.0f}", "-o", options, "start"
        )
        try:
            yield f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{port}/postgres"
        finally:
            _run(programs / "pg_ctl", "-D", kept, "-m", "immediate", "-w", "stop")


def tools() -> Path:
    """Where initdb is: where Debian and Homebrew keep it, the newest first, or on the path."""
    kept = [path.parent for place in KEPT for path in Path("/").glob(f"{place}/bin/initdb")]
    if kept:
        return max(kept, key=lambda path: float(re.sub(r"[^\d.]", "", path.parent.name) or 0))
    if found := shutil.which("initdb"):
        return Path(found).parent
    raise SystemExit("PostgreSQL is not installed: apt-get install postgresql, or brew install postgresql@17")


def _run(*words: str | Path) -> None:
    as_server = ["runuser", "-u", SUPERUSER, "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*as_server, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode:
        raise SystemExit(f"{Path(words[0]).name} failed: {done.stderr.strip()}")


def _give_away(folder: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(SUPERUSER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
