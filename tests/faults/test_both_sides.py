"""Pairs of edits, one here and one there between two imports: each is on both sides in the end, and then all is quiet.

An attribute that only one side moved has that side's value everywhere. Where both moved it, ours is kept, and theirs stands
in the log if it was read before ours was sent. After three rounds of reading and writing nothing moves any more.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.tables import Account, User
from provision.house import House
from provision.services import cycles, users
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk

SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
NAMES = {"given_name": "givenName", "surname": "surname", "display_name": "displayName"}
WORDS = ("Quay", "O'Brien", "Größe", "東京", 'Night "shift"', "<b>Ops</b>")


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    desk = Desk(house, cast.contoso, clock)
    desk.there.page_size = 200
    return desk


@dataclass
class Pairs:
    """Both sides of one app, and how everybody should stand."""

    desk: Desk
    chance: random.Random
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)

    def people(self, number: int) -> None:
        """So many, who are there and here and alike."""
        anchors = self.desk.there.add_many(number)
        self.read()
        self.ids = {row.anchor or "": row.user_id or 0 for row in self._accounts()}
        self.wanted = {
            anchor: {name: self.desk.there.people[anchor][name] for name in NAMES.values()} for anchor in anchors
        }

    def edit(self) -> None:
        """One pair for everybody; whose half comes first, and who sees it first, is chance's."""
        reads_first = self.chance.random() < 0.5
        here, there = {}, {}
        for anchor in self.wanted:
            here[anchor], there[anchor] = self._edit(), self._edit()
        self._here(here)
        for anchor, (name, value) in there.items():
            self.desk.there.edit(anchor, **{NAMES[name]: value})
        for anchor in self.wanted:
            (mine, ours), (other, theirs) = here[anchor], there[anchor]
            self.wanted[anchor] |= {NAMES[other]: theirs}
            self.wanted[anchor] |= {NAMES[mine]: ours}
            both = mine == other and ours != theirs
            self.made["of one attribute" if mine == other else "of two attributes"] += 1
            if both and reads_first:
                self.told.append((anchor, theirs))
        if reads_first:
            self.read()

    def settle(self) -> None:
        """Three times: what is due goes out, what changed comes in."""
        for _ in range(3):
            self.desk.clock.forward(minutes=10)
            self.desk.drain()
            self.read()

    def read(self) -> None:
        with self.desk.house.db.writing() as session:
            cycles.request(session, self.desk.tenant, self.desk.app, "schedule", self.desk.clock())
        cycles.run_requested(self.desk.ways())

    def differing(self) -> list[str]:
        """Who is not as they should be, here or there."""
        with self.desk.house.db.reading() as session:
            rows = {row.id: row for row in session.exec(select(User)).all()}
        wrong = []
        for anchor, values in self.wanted.items():
            row, found = rows[self.ids[anchor]], self.desk.there.people[anchor]
            sides = {"here": {outside: getattr(row, name) for name, outside in NAMES.items()}, "there": found}
            for side, held in sides.items():
                wrong += [f"{anchor}.{name} {side}: {held[name]!r}, not {value!r}"
                          for name, value in values.items() if held[name] != value]  # fmt: skip
        return wrong

    def untold(self) -> list[tuple[str, str]]:
        """Whose value was given up, and stands in no entry of the log."""
        kept: dict[int, str] = {}
        for event, detail in [*self.desk.told("user.updated"), *self.desk.told("user.kept")]:
            if event.user_id is not None:
                kept[event.user_id] = kept.get(event.user_id, "") + repr((detail.text or {}).get("kept"))
        return [(anchor, value) for anchor, value in self.told if repr(value) not in kept.get(self.ids[anchor], "")]

    def _edit(self) -> tuple[str, str]:
        return self.chance.choice(list(NAMES)), f"{self.chance.choice(WORDS)} {self.chance.randrange(10**6)}"

    def _here(self, edits: dict[str, tuple[str, str]]) -> None:
        with self.desk.house.db.writing() as session:
            for anchor, (name, value) in edits.items():
                users.edit(session, self.desk.tenant, self.ids[anchor], {name: value}, self.desk.order())

    def _accounts(self) -> list[Account]:
        with self.desk.house.db.reading() as session:
            return list(session.exec(select(Account).where(col(Account.anchor).is_not(None))).all())


def lose_nothing(desk: Desk, people: int, rounds: int) -> Pairs:
    pairs = Pairs(desk, random.Random(SEED))
    pairs.people(people)
    for _ in range(rounds):
        pairs.edit()
        pairs.settle()
    assert pairs.differing() == [], f"seed {SEED}"
    assert pairs.untold() == [], f"seed {SEED}"
    calls = len(desk.there.calls)
    pairs.settle()
    assert len(desk.there.calls) == calls, f"seed {SEED}: something is still sent to and fro"
    assert pairs.differing() == [], f"seed {SEED}"
    assert desk.chain_breaks_at() is None
    return pairs


def test_pairs_of_edits_lose_nothing_and_come_to_rest(desk: Desk) -> None:
    lose_nothing(desk, 20, 4)


@pytest.mark.faults
def test_ten_thousand_pairs_of_edits_lose_nothing_and_come_to_rest(desk: Desk, counted: Callable[[str], None]) -> None:
    pairs = lose_nothing(desk, 400, 25)
    made = ", ".join(f"{number} {kind}" for kind, number in sorted(pairs.made.items()))
    counted(f"seed {SEED}: {pairs.made.total()} pairs of edits ({made}), 0 lost, 0 to and fro")
    assert pairs.made.total() == 10_000
