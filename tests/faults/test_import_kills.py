"""The operating system kills ``provision import`` at any moment: the next run ends as if nothing had happened.

The real command, in a process of its own, against the sandbox served over TLS by another process that outlives it.
"""

import json
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from provision.core.tables import Account, Tenant, User
from provision.services import events
from tests.faults.installation import Ended, Installation, cloud, copied, dropped, twin

PEOPLE, PAGE = 90, 7
PROFILE = ("lifecycle", "email", "username", "given_name", "surname", "display_name", "employee_id", "origins")
PLACES = ("before-commit", "after-commit", "before-page", "after-page")
IMPORT = ("import", "contoso", "M365", "--json")


def dying(installation: Installation, place: str, number: int) -> Ended:
    """An import that dies there."""
    return installation.run("tests.faults.mortal", place, str(number), *IMPORT)


def state_of(installation: Installation) -> tuple[list[str], list[str]]:
    """Everybody and every account, without ids and times."""
    engine = sa.create_engine(installation.database, poolclass=sa.NullPool)
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


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The sandbox in a process of its own; yields the settings that lead to it."""
    with cloud(tmp_path_factory.mktemp("outside"), PEOPLE, {"knobs": {"delta_page": PAGE}}) as settings:
        yield settings


@pytest.fixture(scope="module")
def prepared(
    outside: dict[str, str], migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation that is about to import for the first time."""
    installation = copied(migrated, tmp_path_factory.mktemp("prepared"), outside)
    installation.connected(outside, "--import")
    yield installation
    dropped(installation)


@dataclass(frozen=True)
class Undisturbed:
    """How an import ends that nobody kills, and how often it passes each place on its way."""

    state: tuple[list[str], list[str]]
    passed: dict[str, int]


@pytest.fixture(scope="module")
def undisturbed(
    prepared: Installation, outside: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    installation = twin(prepared, tmp_path_factory.mktemp("undisturbed"), outside)
    done = installation.provision(*IMPORT)
    assert done.status == 0, done.err
    counts = json.loads(done.out)
    assert (counts["seen"], counts["created"]) == (PEOPLE, PEOPLE)
    assert counts["pages"] >= PEOPLE // PAGE
    state = state_of(installation)
    dropped(installation)
    return Undisturbed(state, json.loads(done.err.splitlines()[-1]))


def dies_and_recovers(
    prepared: Installation, undisturbed: Undisturbed, outside: dict[str, str], folder: Path, cut: tuple[str, int]
) -> bool:
    """Kill at the cut, run again, compare. False when the process was not there any more."""
    installation = twin(prepared, folder, outside)
    try:
        killed = dying(installation, *cut)
        again = installation.provision(*IMPORT)
        assert again.status == 0, again.err
        assert state_of(installation) == undisturbed.state, cut
        return killed.status == -signal.SIGKILL
    finally:
        dropped(installation)


def test_the_cloud_custom_is_three_settings_and_imports_from_any_server_that_speaks_graph(
    undisturbed: Undisturbed, outside: dict[str, str]
) -> None:
    """The installation that was imported knows of its Microsoft what these settings say, and nothing else."""
    assert {name for name in outside if name.startswith("PROVISION_")} == {
        "PROVISION_CUSTOM_LOGIN_URL",
        "PROVISION_CUSTOM_GRAPH_URL",
        "PROVISION_CUSTOM_CA_BUNDLE",
    }
    assert len(undisturbed.state[0]) == PEOPLE


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
    installation = twin(prepared, tmp_path, outside)
    deaths = 0
    for _ in range(12):
        ended = dying(installation, chance.choice(PLACES), chance.randint(2, 6))
        deaths += ended.status == -signal.SIGKILL
    assert deaths >= 3
    assert installation.provision(*IMPORT).status == 0
    assert state_of(installation) == undisturbed.state
    dropped(installation)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: pair[0] for name, pair in sorted(value.items())}
    return value
