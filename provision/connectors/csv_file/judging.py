"""Which rows can be people, and which of their cells can be kept: what is wrong is told at its row and column.

Owns the judgement; reads no bytes and knows nobody. A row without a usable key is left out whole; a value that nobody could
keep is left out alone, so that what is here stays and the rest of the row is taken.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provision.connectors.csv_file.reading import LOST, Form, rows
from provision.core.profile import LIMITS, LONGEST, judge
from provision.core.text import clean

LONGEST_CELL = 10_000
LONGEST_KEY = 256
OF_KEY = {"csv_key_twice": "csv_keys_twice", "csv_key_empty": "csv_keys_empty", "csv_key_long": "csv_keys_long"}
"""What is wrong with one row’s key, the worst first → what a file is refused with whose key fails too often."""
_SHOWN = 80
_TOLD_APART = ("email", "username")
Problem = dict[str, Any]


def judged(data: bytes, form: Form, name: str) -> Iterator[tuple[int, str, list[str], Problem | None]]:
    """Every row with its key and, if it cannot be a person, what is wrong at which cell."""
    place = form.place(name)
    met: dict[bytes, int] = {}
    for row, cells in rows(data, form):
        anchor = " ".join(cells[place].split()) if place < len(cells) else ""
        problem = _shape(form, cells)
        if problem is None and not anchor:
            problem = _wrong(name, "csv_key_empty")
        if problem is None and len(anchor) > LONGEST_KEY:
            problem = _wrong(name, "csv_key_long", limit=LONGEST_KEY)
        if problem is None and (first := met.setdefault(_mark(anchor), row)) != row:
            problem = _wrong(name, "csv_key_twice", first=first, value=anchor[:_SHOWN])
        yield row, anchor, cells, problem


@dataclass(frozen=True, slots=True)
class Fitness:
    """How well a column would serve as the key: how many of its rows have none of their own, and why it could be refused."""

    heading: str
    rows: int
    unfit: int
    code: str
    params: Mapping[str, Any]


def fitness(data: bytes, form: Form, name: str) -> Fitness:
    """Judge a column as the key. Of what is wrong, a value that is there twice is told before a cell that is empty."""
    rows, unfit = 0, 0
    met: dict[str, dict[str, Any]] = {}
    for row, _, _, problem in judged(data, form, name):
        rows += 1
        if problem is not None and problem["code"] in OF_KEY:
            unfit += 1
            met.setdefault(problem["code"], {**problem["params"], "row": row})
    worst = next((code for code in OF_KEY if code in met), "")
    return Fitness(name, rows, unfit, OF_KEY.get(worst, ""), met.get(worst, {}))


@dataclass
class Cells:
    """The cells that go somewhere, judged as what they go to. ``goes``: heading → attribute of ours."""

    form: Form
    goes: Mapping[str, str]
    _columns: list[tuple[str, int, str]] = field(init=False)
    _met: dict[str, dict[bytes, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._columns = [
            (heading, column, self.goes[heading])
            for heading, column in zip(self.form.headings, self.form.columns, strict=True)
            if heading in self.goes
        ]
        self._met = {ours: {} for _, _, ours in self._columns if ours in _TOLD_APART}

    def problems(self, row: int, cells: Sequence[str]) -> Iterator[Problem]:
        """What is wrong with a row's cells. Rows come in order: of two alike the second is told."""
        kept, wrong = self._judged(cells)
        for heading, _, ours in self._columns:
            if ours in wrong:
                params = {"limit": LIMITS.get(ours, LONGEST)} if wrong[ours] == "value_too_long" else {}
                code = "csv_value_missing" if wrong[ours] == "required" else wrong[ours]
                yield {**_wrong(heading, code, **params), "cell": True}
            elif ours in self._met and kept[ours]:
                first = self._met[ours].setdefault(_mark(str(kept[ours]).casefold()), row)
                if first != row:
                    yield {
                        **_wrong(heading, "csv_value_twice", first=first, value=str(kept[ours])[:_SHOWN]),
                        "cell": True,
                    }

    def values(self, cells: Sequence[str], wanted: Sequence[str]) -> dict[str, str | None]:
        """The values of a row by heading, as they are kept, without those that cannot be."""
        kept, wrong = self._judged(cells)
        found: dict[str, str | None] = {}
        for heading in wanted:
            ours = self.goes.get(heading)
            if ours is None:
                found[heading] = cells[self.form.place(heading)] or None
            elif ours not in wrong:
                found[heading] = kept[ours]
        return found

    def _judged(self, cells: Sequence[str]) -> tuple[dict[str, str | None], dict[str, str]]:
        given = {ours: clean(cells[column]) for _, column, ours in self._columns}
        return judge(given, given)


def _shape(form: Form, cells: Sequence[str]) -> Problem | None:
    if len(cells) != form.width:
        return {"column": "", "code": "csv_row_width", "params": {"cells": len(cells), "columns": form.width}}
    for name, column in zip(form.headings, form.columns, strict=True):
        if LOST in cells[column]:
            return _wrong(name, "csv_cell_unreadable")
        if len(cells[column]) > LONGEST_CELL:
            return _wrong(name, "csv_cell_long", limit=LONGEST_CELL)
    return None


def _wrong(heading: str, code: str, **params: Any) -> Problem:
    return {"column": heading, "code": code, "params": {"column": heading, **params}}


def _mark(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
