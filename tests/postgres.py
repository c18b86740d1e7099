"""Run a command against a throw-away PostgreSQL: ``python -m tests.postgres -- pytest -q``.

Owns the cluster's short life: made in a temporary folder, on a socket-free loopback port, without syncing, and removed
with the command's end whatever that was. As root it runs as the user ``postgres``, since the server refuses root.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.processes import free_port

QUICK = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
SUPERUSER = "postgres"


def main(arguments: Sequence[str]) -> int:
    command = [argument for argument in arguments if argument != "--"]
    if not command:
        print("usage: python -m tests.postgres -- COMMAND …", file=sys.stderr)  # noqa: T201
        return 2
    if command[0] == "pytest":
        command = [sys.executable, "-m", *command]
    # A polite end must end the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with cluster() as url:
        return subprocess.run(command, env={**os.environ, "TEST_DATABASE_URL": url}, check=False).returncode


@contextmanager
def cluster() -> Iterator[str]:
    """A fresh cluster; yields the URL of its first database."""
    tools = _tools()
    with tempfile.TemporaryDirectory(prefix="provision-pg-") as name:
        folder = Path(name)
        _give_away(folder)
        kept, port = folder / "cluster", free_port()
        _run(
            tools / "initdb", "--no-sync", "-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8", "-D", kept
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' {QUICK}"
        _run(tools / "pg_ctl", "-D", kept, "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{port}/postgres"
        finally:
            _run(tools / "pg_ctl", "-D", kept, "-m", "immediate", "-w", "stop")


def _tools() -> Path:
    """Where initdb is: on the path, or where Debian keeps it, the newest first."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found is None and not debian:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql, or brew install postgresql")
    return debian[-1].parent if debian else Path(found or "").parent


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
