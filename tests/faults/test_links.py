"""Links under kills, crowds and outages: real processes that die between two lines, a thousand races for one link each, and a
hundred people at whose try Microsoft was away. All of it on SQLite and on PostgreSQL.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provision.config import Settings
from provision.core.redeeming import Answer
from provision.core.tables import User
from provision.factory import open_house
from provision.house import House
from provision.sandbox import Sandbox
from tests import canary
from tests.cast import Clock, assemble
from tests.lobby import GOOD, OTHER, Lobby, race
from tests.processes import PATIENCE

ROOT = Path(__file__).parents[2]
PLACES = ["before-set", "after-set", *(f"{side}-commit-{n}" for n in range(1, 4) for side in ("before", "after"))]
"""Where a process can die on the way from a link to a password."""


OUTAGES: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "path": "/v1.0/users/*", "status": 503, "code": "serviceNotAvailable", "message": "away"},
    "500": {"kind": "status", "path": "/v1.0/users/*", "status": 500, "code": "x", "message": "", "method": "PATCH"},
    "429": {"kind": "throttle", "path": "/v1.0/users/*", "retry_after": 7, "method": "PATCH"},
    "sign-in away": {"kind": "status", "path": "/*/oauth2/v2.0/token", "status": 503, "code": "x", "message": ""},
    "look dropped": {"kind": "drop_before", "path": "/v1.0/users/*", "method": "GET"},
    "set dropped": {"kind": "drop_before", "path": "/v1.0/users/*", "method": "PATCH"},
    "a page of the network": {"kind": "html", "path": "/v1.0/users/*", "method": "GET"},
}
"""How Microsoft can be away, before the password got anywhere."""


@pytest.fixture
def people() -> int:
    """How many people work there."""
    return 120


@pytest.fixture
def lobby(settings: Settings, people: int) -> Iterator[Lobby]:
    """A house on the real clock, since other processes share its database."""
    clock = Clock(datetime.now(UTC) - timedelta(minutes=5))
    Sandbox(settings.data_dir / "sandbox.db", users=people, now=clock).close()
    house: House = open_house(settings, now=clock)
    with house.db.writing() as session:
        cast = assemble(session, clock())
    lobby = Lobby(house, cast.contoso, clock)
    yield lobby
    house.db.close()


class Process:
    """A process of its own that redeems one link once it is told to, and may be killed on the way."""

    def __init__(self, lobby: Lobby, place: str, token: str, password: str) -> None:
        settings = lobby.house.settings
        self._running = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.redeemer", str(settings.data_dir), place],
            env={**os.environ, "PYTHONPATH": str(ROOT), "REDEEMER_DATABASE": settings.database},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(f"{token}\n{password}\n")
        self._running.stdin.flush()
        self._said = [self._running.stdout.readline()]
        lobby.clock.now = datetime.now(UTC)

    def end(self) -> dict[str, Any] | None:
        """Let it begin, and return how it ended; None when it was killed."""
        out, error = self._running.communicate("go\n", timeout=PATIENCE)
        if self._running.returncode == -9:
            return None
        assert self._running.returncode == 0, error[-2000:]
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


def lapse(lobby: Lobby, user: User) -> None:
    """The reservation that a process left behind is over, whenever by its own clock it was made."""
    reserved_until = lobby.row(user).reserved_until or lobby.clock()
    lobby.clock.now = max(lobby.clock(), reserved_until) + timedelta(seconds=30)


@pytest.mark.parametrize("place", ["before-set", "after-set"])
def test_after_a_kill_the_link_follows_the_rule(lobby: Lobby, place: str) -> None:
    user, token = lobby.hire()
    assert Process(lobby, place, token, GOOD).end() is None
    assert lobby.row(user).reserved_until is not None
    assert lobby.redeem(token, OTHER).code == "activation_busy"
    lapse(lobby, user)
    spent = place == "after-set"
    assert lobby.redeem(token, OTHER).code == ("activation_already" if spent else None)
    assert lobby.signs_in(user, GOOD if spent else OTHER)
    assert not lobby.signs_in(user, OTHER if spent else GOOD)


@pytest.mark.faults
def test_a_kill_at_any_commit_leaves_a_link_that_ends_with_one_password(lobby: Lobby) -> None:
    """Before and after each commit of the way: whatever is left, a later try ends it, and once only."""
    killed = 0
    for (user, token), place in zip(lobby.crowd(len(PLACES)), PLACES, strict=True):
        first = Process(lobby, place, token, GOOD).end()
        killed += first is None
        lapse(lobby, user)
        second = lobby.redeem(token, OTHER)
        accepted = [first is not None and first["answer"] == "done", second.answer is Answer.DONE and not second.code]
        assert sum(accepted) <= 1, (place, first, second)
        assert lobby.signs_in(user, GOOD) != lobby.signs_in(user, OTHER), place
        assert lobby.row(user).used_at is not None, place
    assert killed == len(PLACES), "the way has three commits, and each of them was a place to die"


@pytest.mark.faults
def test_a_kill_in_the_middle_of_a_race_leaves_one_password_at_most_one_of_them_acknowledged(lobby: Lobby) -> None:
    """One of ten posts comes by a process that dies on its way, the others by this one at the same time."""
    places, killed, ends = [*PLACES, "never"] * int(os.environ.get("KILLS", "4")), 0, Counter[str]()
    people = lobby.crowd(len(PLACES) + 1)
    for number, place in enumerate(places):
        user, _ = people[number % len(people)]
        lobby.clock.forward(hours=25)
        token = lobby.invite(user.id or 0)
        passwords = [f"Loud-River-{number}-{n}-Ladder" for n in range(10)]
        one = Process(lobby, place, token, passwords[0])
        with ThreadPoolExecutor(1) as beside:
            other = beside.submit(one.end)
            while number % 2 and not other.done() and lobby.row(user).reserved_until is None:
                time.sleep(0.005)  # every other time it is the first, and the race finds its reservation
            results = race(lobby, token, passwords[1:])
            told = other.result()
        killed += told is None
        accepted = [password for password, result in results if result.answer is Answer.DONE]
        accepted += [passwords[0]] if told is not None and told["answer"] == "done" else []
        lobby.clock.forward(minutes=13)  # the reservation has lapsed, and five tries may be made again
        last = lobby.redeem(token, OTHER)
        accepted += [OTHER] if last.answer is Answer.DONE and last.code is None else []
        lets_in = [password for password in (*passwords, OTHER) if lobby.signs_in(user, password)]
        assert len(lets_in) == 1, (place, told, results)
        assert accepted in ([], lets_in), (place, told, results, last)
        assert lobby.row(user).used_at is not None, place
        ends["killed one's" if not accepted else "last one's" if accepted == [OTHER] else "racer's"] += 1
    assert killed > len(places) // 4, "the killed one came through often enough to matter"
    assert len(ends) > 1, ends


@pytest.mark.faults
def test_a_thousand_races_of_ten_have_one_winner_each(lobby: Lobby) -> None:
    races = int(os.environ.get("RACES", "1000"))
    people = [lobby.person(number) for number in range(8)]
    for number in range(races):
        user = people[number % len(people)]
        lobby.clock.forward(hours=25)
        token = lobby.invite(user.id or 0)
        passwords = [f"Loud-River-{number}-{n}-Ladder" for n in range(10)]
        results = race(lobby, token, passwords)
        accepted = [password for password, result in results if result.answer is Answer.DONE]
        assert len(accepted) == 1, (number, results)
        assert lobby.signs_in(user, accepted[0]), number
        assert lobby.redeem(token).over, number


def test_whoever_met_an_outage_sets_their_password_by_the_same_link_later(lobby: Lobby) -> None:
    outlast(lobby, list(OUTAGES))


@pytest.mark.faults
@pytest.mark.parametrize("people", [300])
def test_a_hundred_people_met_an_outage_and_a_hundred_set_their_password_by_the_same_link_later(lobby: Lobby) -> None:
    kinds = list(OUTAGES)
    outlast(lobby, [kinds[number % len(kinds)] for number in range(100)])


def outlast(lobby: Lobby, outages: list[str]) -> None:
    """One person for each outage tries while it lasts, with a password that is then nowhere, and once more afterwards."""
    word = "Zqxvkbirdx"
    hired = lobby.crowd(len(outages))
    for (user, token), outage in zip(hired, outages, strict=True):
        lobby.strike(times=None, **OUTAGES[outage])
        result = lobby.redeem(token, f"Loud-{word}-52-Ladder")
        assert result.code in ("activation_later", "activation_doubt"), (outage, result)
        assert sum(lobby.sandbox.faults.fired().values()) > 0, outage
        lobby.sandbox.faults.clear()
        assert not lobby.signs_in(user, f"Loud-{word}-52-Ladder"), outage
    assert canary.in_rows(lobby.house.db, word) == []
    assert canary.in_files(lobby.house.settings.data_dir, word) == []
    assert canary.in_processes(word) == []
    lobby.clock.forward(minutes=3)
    ends = [lobby.redeem(token) for _, token in hired]
    assert [(outages[n], end.code) for n, end in enumerate(ends) if end.answer is not Answer.DONE] == []
    assert all(lobby.signs_in(user, GOOD) for user, _ in hired)
