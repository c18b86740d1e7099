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
ENDING = 5
"""Commits of every import once its last page has come: that page, and what ends it. Pages written late add to them."""
Cut = tuple[str, int, int]
"""A place, how many pages have come by then, and how often it is passed after that."""


def dying(installation: Installation, cut: Cut) -> Ended:
    """An import that dies there."""
    place, pages, number = cut
    return installation.run("tests.faults.mortal", place, f"{pages}+{number}", *IMPORT)


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
    """How an import ends that nobody kills, how many pages come, and how many commits there are after the last of them."""

    state: tuple[list[str], list[str]]
    pages: int
    commits: int


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
    return Undisturbed(state, **json.loads(done.err.splitlines()[-1]))


def die_and_recover(
    prepared: Installation, undisturbed: Undisturbed, outside: dict[str, str], folder: Path, cut: Cut
) -> None:
    """Kill at the cut, run again, compare. Only a cut behind the commits that every import has may come too late."""
    _, pages, number = cut
    certain = pages < undisturbed.pages or number <= ENDING
    installation = twin(prepared, folder, outside)
    try:
        status = dying(installation, cut).status
        assert status == -signal.SIGKILL or (status == 0 and not certain), cut
        again = installation.provision(*IMPORT)
        assert again.status == 0, again.err
        assert state_of(installation) == undisturbed.state, cut
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


@pytest.mark.parametrize(("place", "pages"), [("before-commit", 6), ("after-commit", 4), ("after-page", 9)])
def test_a_killed_import_ends_like_an_undisturbed_one(
    prepared: Installation,
    undisturbed: Undisturbed,
    outside: dict[str, str],
    tmp_path: Path,
    place: str,
    pages: int,
) -> None:
    die_and_recover(prepared, undisturbed, outside, tmp_path, (place, pages, 1))


@pytest.mark.faults
def test_every_cut_point_of_a_traced_run(
    prepared: Installation,
    undisturbed: Undisturbed,
    outside: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """At every page, at the first commit after each, and at those after the last one, which end the import."""
    last = undisturbed.pages
    assert undisturbed.commits >= ENDING
    cuts = [(place, pages, 1) for place in PLACES for pages in range(last)]
    cuts += [(place, last, number) for place in PLACES[:2] for number in range(1, undisturbed.commits + 1)]
    for cut in cuts:
        die_and_recover(prepared, undisturbed, outside, tmp_path_factory.mktemp("cut"), cut)


@pytest.mark.faults
def test_an_import_killed_again_and_again_gets_there(
    prepared: Installation, undisturbed: Undisturbed, outside: dict[str, str], tmp_path: Path
) -> None:
    chance = random.Random(7)
    installation = twin(prepared, tmp_path, outside)
    deaths = 0
    for _ in range(12):
        ended = dying(installation, (chance.choice(PLACES), 0, chance.randint(2, 6)))
        deaths += ended.status == -signal.SIGKILL
    assert deaths >= 3
    assert installation.provision(*IMPORT).status == 0
    assert state_of(installation) == undisturbed.state
    dropped(installation)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: pair[0] for name, pair in sorted(value.items())}
    return value
