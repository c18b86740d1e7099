"""Owns what goes wrong on request: which calls are struck, how often, and the sandbox's adjustable weather.
Never alters an answer itself; `weather` does.

Faults live in the directory file, so what one process asks for happens in the process that serves."""

import json
import random
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from provision.sandbox.store import Store

KINDS = frozenset(
    """
    status status_after throttle drop_before drop_after slow
    html empty truncated content_type oversized
    foreign_link loop_link replay_page duplicate_person empty_page partial_item
    somebody_else gone stale_token expired_token
    """.split()  # noqa: SIM905
)
KNOBS: dict[str, float] = {
    "lag_get": 0.0,  # seconds a new object stays invisible to reads and writes by id
    "lag_list": 0.0,  # … to lists
    "lag_index": 0.0,  # … to advanced queries
    "lag_delta": 0.0,  # seconds any change stays invisible to delta
    "consent_delay": 0.0,  # seconds after consent during which tokens carry no roles
    "licence_delay": 0.0,  # seconds until a group's licences reach its members
    "token_lifetime": 3599.0,
    "delta_page": 999.0,  # no page of delta is longer
    "write_quota": 0.0,  # 1: three thousand writes per 150 s, as Entra grants an app in a tenant
    "unit_quota": 0.0,  # resource units per 10 s; 0: no limit
    "pass_policy": 1.0,  # 0: temporary access passes are switched off
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `method` and `path` are patterns (`*`, `?`) for the request, the path with its version: `/v1.0/users/*`; those of
    the login host begin with the tenant: `/*/oauth2/v2.0/token`. The first
    `skip` matching requests pass, then it strikes `times` times (None: for ever), each with `probability`, drawn from
    `seed` and the number of the request. `details` depend on the kind:

    status, status_after   status, code, message, retry_after (int or text), headers
    throttle               retry_after, scope, information
    stale_token, gone      status (400 or 404), code
    slow                   seconds
    oversized              megabytes
    foreign_link           host
    truncated              bytes
    """

    kind: str
    method: str = "*"
    path: str = "/v1.0/*"
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind}")

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path.lower(), self.path.lower())

    def strikes(self, seen: int, fired: int) -> bool:
        """Judge the matching request number `seen` (from 0), after `fired` strikes."""
        if seen < self.skip or (self.times is not None and fired >= self.times):
            return False
        return self.probability >= 1.0 or random.Random(f"{self.seed} {seen}").random() < self.probability  # noqa: S311


class Faults:
    """The faults and knobs of one sandbox. Before a sandbox has taken it over, it only remembers what to set."""

    def __init__(self, faults: Iterable[Fault] = (), **knobs: float) -> None:
        self._store: Store | None = None
        self._waiting = list(faults)
        self._knobs = knobs
        _check_knobs(knobs)

    def bind(self, store: Store) -> None:
        """Put what was remembered into the directory, in place of what was there; done by the sandbox."""
        faults, knobs = self._waiting, self._knobs
        self._store = store
        if faults or knobs:
            self.clear()
            self.add(*faults)
            self.turn(**knobs)

    def add(self, *faults: Fault) -> None:
        """Ask for faults; several that match one request strike together, in the order of asking."""
        if self._store is None:
            self._waiting += faults
        elif faults:
            rows = [(json.dumps(asdict(fault)),) for fault in faults]
            with self._store.writing() as db:
                db.executemany("INSERT INTO faults (fault) VALUES (?)", rows)

    def turn(self, **knobs: float) -> None:
        """Set knobs of KNOBS; ValueError for any other name."""
        _check_knobs(knobs)
        if self._store is None:
            self._knobs |= knobs
        elif knobs:
            with self._store.writing() as db:
                db.executemany("INSERT OR REPLACE INTO knobs VALUES (?, ?)", knobs.items())

    def load(self, path: Path | str) -> None:
        """Read a JSON file: {"faults": [{"kind": …}, …], "knobs": {…}}; ValueError when it says something unknown."""
        try:
            wanted = json.loads(Path(path).read_text(encoding="utf-8"))
            faults = [Fault(**entry) for entry in wanted.get("faults", [])]
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error
        self.turn(**wanted.get("knobs", {}))
        self.add(*faults)

    def clear(self) -> None:
        """Take back every fault and set every knob to its default."""
        self._waiting, self._knobs = [], {}
        if self._store is not None:
            with self._store.writing() as db:
                db.execute("DELETE FROM faults")
                db.execute("DELETE FROM knobs")

    def fired(self) -> dict[str, int]:
        """Return how often each kind has struck, so that a test can insist that it did."""
        counts: dict[str, int] = {}
        for fault, row in self._rows():
            counts[fault.kind] = counts.get(fault.kind, 0) + row["fired"]
        return counts

    def knob(self, name: str) -> float:
        """Return the present value of one knob."""
        if self._store is None:
            return self._knobs.get(name, KNOBS[name])
        with self._store.reading() as db:
            return knob(db, name)

    def strike(self, method: str, path: str) -> list[Fault]:
        """Return the faults that strike this request, counting it against every fault it matches."""
        if not any(fault.matches(method, path) for fault, _ in self._rows()) or self._store is None:
            return []
        struck = []
        with self._store.writing() as db:
            for fault, row in _read(db):
                if fault.matches(method, path):
                    hit = fault.strikes(row["seen"], row["fired"])
                    db.execute("UPDATE faults SET seen = seen + 1, fired = fired + ? WHERE id = ?", (hit, row["id"]))
                    struck += [fault] * hit
        return struck

    def _rows(self) -> list[tuple[Fault, sqlite3.Row]]:
        if self._store is None:
            return []
        with self._store.reading() as db:
            return _read(db)


def knob(db: sqlite3.Connection, name: str) -> float:
    """Return a knob's value inside a transaction."""
    row = db.execute("SELECT value FROM knobs WHERE name = ?", (name,)).fetchone()
    return float(row[0]) if row else KNOBS[name]


def _read(db: sqlite3.Connection) -> list[tuple[Fault, sqlite3.Row]]:
    rows = db.execute("SELECT id, fault, seen, fired FROM faults ORDER BY id").fetchall()
    return [(Fault(**json.loads(row["fault"])), row) for row in rows]


def _check_knobs(knobs: dict[str, float]) -> None:
    unknown = sorted(set(knobs) - set(KNOBS))
    if unknown:
        raise ValueError(f"unknown knob: {', '.join(unknown)}")
