"""Installations to be killed, and the cloud that outlives them: folders, databases and processes of a fault run.

Owns making and dropping them; kills nothing and judges nothing.
"""

import json
import os
import random
import re
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from provision.sandbox import Sandbox
from tests.processes import PATIENCE

SERVER = os.environ.get("TEST_DATABASE_URL", "")
TRIES = 20


@dataclass(frozen=True)
class Ended:
    """How a process ended: its status, negative for a signal, and what it said."""

    status: int
    out: str
    err: str


class Installation:
    """A data directory and the processes that work in it."""

    def __init__(self, folder: Path, database: str, environment: Mapping[str, str]) -> None:
        self.folder, self.database = folder, database
        own = {"PROVISION_DATA_DIR": str(folder), "PROVISION_DATABASE_URL": database, "PROVISION_LOG_LEVEL": "error"}
        self.environment = {**os.environ, **environment, **own}

    def provision(self, *words: str, stdin: str = "") -> Ended:
        """A command that nobody kills."""
        return self.run("tests.faults.mortal", "trace", "0+1", *words, stdin=stdin)

    def run(self, module: str, *words: str, stdin: str = "") -> Ended:
        """A process of this installation, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words], input=stdin, env=self.environment, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def connected(self, outside: Mapping[str, str], *switches: str) -> None:
        """Add the organisation and its app, and switch on what the app may do, asking again in bad weather."""
        for words, stdin in (
            (("tenant", "add", "contoso", "--name", "Contoso"), ""),
            (("app", "add", "contoso", "microsoft365", "--name", "M365", "--domain", outside["DOMAIN"], "--cloud",
              "custom", "--client-id", outside["CLIENT_ID"], "--secret-stdin"), outside["CLIENT_SECRET"]),
            (("app", "features", "contoso", "M365", *switches), ""),
        ):  # fmt: skip
            for _ in range(TRIES):
                done = self.provision(*words, stdin=stdin)
                if done.status == 0:
                    break
            assert done.status == 0, done.err


@contextmanager
def cloud(folder: Path, people: int, weather: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The sandbox over TLS in a process of its own; yields the settings that lead to it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weather.json").write_text(json.dumps(weather))
    words = [sys.executable, "-m", "tests.faults.mortal", "trace", "0+1", "sandbox", "serve", "--port", "0",
             "--tls-dir", str(folder), "--users", str(people), "--faults", str(folder / "weather.json")]  # fmt: skip
    environment = {**os.environ, "PROVISION_DATA_DIR": str(folder / "data")}
    server = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        url = _spoken_url(server)
        verify = ssl.create_default_context(cafile=folder / "ca.pem")
        with httpx2.Client(verify=verify, timeout=PATIENCE) as client:
            told = client.get(f"{url}/.well-known/sandbox.json").raise_for_status().json()
        stands_in = Sandbox(folder / "sandbox.db")
        stands_in.grant_consent()
        stands_in.close()
        yield {
            "PROVISION_CUSTOM_LOGIN_URL": url,
            "PROVISION_CUSTOM_GRAPH_URL": url,
            "PROVISION_CUSTOM_CA_BUNDLE": str(folder / "ca.pem"),
            **{name.upper(): told[name] for name in ("domain", "client_id", "client_secret")},
        }
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)
        server.stderr.close() if server.stderr else None


def copied(template: str, folder: Path, environment: Mapping[str, str]) -> Installation:
    """An installation on a copy of a migrated database."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    if not SERVER:
        shutil.copy(template, data / "provision.db")
        return Installation(data, f"sqlite:///{data / 'provision.db'}", environment)
    name = f"kills_{random.SystemRandom().randrange(16**8):08x}"
    _on_server(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return Installation(data, make_url(SERVER).set(database=name).render_as_string(hide_password=False), environment)


def twin(of: Installation, folder: Path, environment: Mapping[str, str]) -> Installation:
    """A copy of an installation, with its keys."""
    template = make_url(of.database).database or ""
    made = copied(template, folder, environment)
    shutil.copy(of.folder / "keys", made.folder / "keys")
    return made


def dropped(installation: Installation) -> None:
    """Give a server's database back; a file goes with its folder."""
    if SERVER:
        _on_server(f'DROP DATABASE "{make_url(installation.database).database}" WITH (FORCE)')


def _on_server(statement: str) -> None:
    engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def _spoken_url(server: subprocess.Popen[str]) -> str:
    """Where it serves. Read past Python's buffer: a line that waits there would not be seen by ``select``."""
    assert server.stderr is not None
    until, said = time.monotonic() + PATIENCE, b""
    while time.monotonic() < until and server.poll() is None:
        if select.select([server.stderr], [], [], 0.5)[0]:
            said += os.read(server.stderr.fileno(), 65536)
        if found := re.search(rb"serves (\S+);", said):
            return found[1].decode()
    raise AssertionError(f"the sandbox does not come up: {said.decode()}")
