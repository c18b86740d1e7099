"""The operating system kills ``provision import`` at any moment: the next run ends as if nothing had happened.

The real command, in a process of its own, against the sandbox served over TLS by another process that outlives it.
"""

import json
import os
import random
import select
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from provision.core.tables import Account, Tenant, User
from provision.sandbox import Sandbox
from provision.services import events

SERVER = os.environ.get("TEST_DATABASE_URL", "")
PEOPLE, PAGE = 90, 7
PROFILE = ("lifecycle", "email", "username", "given_name", "surname", "display_name", "employee_id", "origins")
PLACES = ("before-commit", "after-commit", "before-page", "after-page")


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
        self._environment = {**os.environ, **environment, **own}

    def provision(self, *words: str, stdin: str = "") -> Ended:
        return self._run([sys.executable, "-m", "tests.faults.mortal", "trace", "0", *words], stdin)

    def dying(self, place: str, number: int) -> Ended:
        return self._run([sys.executable, "-m", "tests.faults.mortal", place, str(number), *IMPORT], "")

    def _run(self, words: list[str], stdin: str) -> Ended:
        done = subprocess.run(
            words, input=stdin, env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def state(self) -> tuple[list[str], list[str]]:
        """Everybody and every account, without ids and times."""
        engine = sa.create_engine(self.database, poolclass=sa.NullPool)
        with Session(engine) as session:
            people = {row.id: row for row in session.exec(rows_of(User)).all()}
            accounts = session.exec(rows_of(Account)).all()
            tenant = session.exec(rows_of(Tenant.id).order_by(col(Tenant.id))).one()
            assert events.verify(session, tenant or 0) is None
        return (
            sorted(repr([_timeless(getattr(row, name)) for name in PROFILE]) for row in people.values()),
            sorted(
                repr([row.anchor, row.name, row.situation, row.enabled, row.observed_hash, row.stale, row.removed,
                      people[row.user_id].email if row.user_id else None])
                for row in accounts
            ),
        )  # fmt: skip


IMPORT = ("import", "contoso", "M365", "--json")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The sandbox in a process of its own; yields the settings that lead to it."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "weather.json").write_text(json.dumps({"knobs": {"delta_page": PAGE}}))
    words = [sys.executable, "-m", "tests.faults.mortal", "trace", "0", "sandbox", "serve", "--port", "0",
             "--tls-dir", str(folder), "--users", str(PEOPLE), "--faults", str(folder / "weather.json")]  # fmt: skip
    environment = {**os.environ, "PROVISION_DATA_DIR": str(folder / "data")}
    server = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        url = _spoken_url(server)
        with httpx2.Client(verify=ssl.create_default_context(cafile=folder / "ca.pem")) as client:
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
        server.wait(10)
        server.stderr.close() if server.stderr else None


@pytest.fixture(scope="module")
def prepared(
    outside: dict[str, str], migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation that is about to import for the first time."""
    installation = _copied(migrated, tmp_path_factory.mktemp("prepared"), outside)
    for words, stdin in (
        (("tenant", "add", "contoso", "--name", "Contoso"), ""),
        (("app", "add", "contoso", "microsoft365", "--name", "M365", "--domain", outside["DOMAIN"], "--cloud", "custom",
          "--client-id", outside["CLIENT_ID"], "--secret-stdin"), outside["CLIENT_SECRET"]),
        (("app", "features", "contoso", "M365", "--import"), ""),
    ):  # fmt: skip
        done = installation.provision(*words, stdin=stdin)
        assert done.status == 0, done.err
    yield installation
    _dropped(installation)


@dataclass(frozen=True)
class Undisturbed:
    """How an import ends that nobody kills, and how often it passes each place on its way."""

    state: tuple[list[str], list[str]]
    passed: dict[str, int]


@pytest.fixture(scope="module")
def undisturbed(
    prepared: Installation, outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    installation = _twin(prepared, tmp_path_factory.mktemp("undisturbed"), outside)
    done = installation.provision(*IMPORT)
    assert done.status == 0, done.err
    counts = json.loads(done.out)
    assert (counts["seen"], counts["created"]) == (PEOPLE, PEOPLE)
    assert counts["pages"] >= PEOPLE // PAGE
    state = installation.state()
    _dropped(installation)
    return Undisturbed(state, json.loads(done.err.splitlines()[-1]))


def dies_and_recovers(
    prepared: Installation, undisturbed: Undisturbed, outside: dict[str, str], folder: Path, cut: tuple[str, int]
) -> bool:
    """Kill at the cut, run again, compare. False when the process was not there any more."""
    installation = _twin(prepared, folder, outside)
    try:
        killed = installation.dying(*cut)
        again = installation.provision(*IMPORT)
        assert again.status == 0, again.err
        assert installation.state() == undisturbed.state, cut
        return killed.status == -signal.SIGKILL
    finally:
        _dropped(installation)


@pytest.mark.parametrize(("place", "share"), [("before-commit", 0.5), ("after-commit", 0.3), ("after-page", 0.7)])
def test_a_killed_import_ends_like_an_undisturbed_one(
    prepared: Installation,
    undisturbed: Undisturbed,
    outside: dict[str, str],
    tmp_path: Path,
    place: str,
    share: float,
) -> None:
    number = max(2, round(undisturbed.passed[place] * share))
    assert dies_and_recovers(prepared, undisturbed, outside, tmp_path, (place, number))


@pytest.mark.faults
def test_every_cut_point_of_a_traced_run(
    prepared: Installation,
    undisturbed: Undisturbed,
    outside: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    killed = 0
    cuts = [(place, number) for place in PLACES for number in range(1, undisturbed.passed[place] + 1)]
    for cut in cuts:
        killed += dies_and_recovers(prepared, undisturbed, outside, tmp_path_factory.mktemp("cut"), cut)
    # How pages are gathered into commits differs a little from run to run, so the last cuts may come too late.
    assert killed >= 0.8 * len(cuts)


@pytest.mark.faults
def test_an_import_killed_again_and_again_gets_there(
    prepared: Installation, undisturbed: Undisturbed, outside: dict[str, str], tmp_path: Path
) -> None:
    chance = random.Random(7)
    installation = _twin(prepared, tmp_path, outside)
    deaths = 0
    for _ in range(12):
        ended = installation.dying(chance.choice(PLACES), chance.randint(2, 6))
        deaths += ended.status == -signal.SIGKILL
    assert deaths >= 3
    assert installation.provision(*IMPORT).status == 0
    assert installation.state() == undisturbed.state
    _dropped(installation)


# -- Installations are copied, so that each death has one of its own -----------------------------------------------------


def _copied(template: str, folder: Path, environment: Mapping[str, str]) -> Installation:
    data = folder / "data"
    data.mkdir(mode=0o700)
    if not SERVER:
        shutil.copy(template, data / "provision.db")
        return Installation(data, f"sqlite:///{data / 'provision.db'}", environment)
    name = f"kills_{random.SystemRandom().randrange(16**8):08x}"
    _on_server(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return Installation(data, make_url(SERVER).set(database=name).render_as_string(hide_password=False), environment)


def _twin(of: Installation, folder: Path, environment: Mapping[str, str]) -> Installation:
    template = make_url(of.database).database or ""
    twin = _copied(template, folder, environment)
    shutil.copy(of.folder / "keys", twin.folder / "keys")
    return twin


def _dropped(installation: Installation) -> None:
    if SERVER:
        _on_server(f'DROP DATABASE "{make_url(installation.database).database}" WITH (FORCE)')


def _on_server(statement: str) -> None:
    engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: pair[0] for name, pair in sorted(value.items())}
    return value


def _spoken_url(server: subprocess.Popen[str]) -> str:
    assert server.stderr is not None
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if select.select([server.stderr], [], [], 0.5)[0] and "serves " in (line := server.stderr.readline()):
            return line.partition("serves ")[2].partition(";")[0]
    raise AssertionError("the sandbox does not come up")
