"""A file of rows that somebody writes anew whenever somebody there changes: uploaded, or in a folder that is watched."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from provision.connectors import KINDS, World
from provision.core.ports import OutsideError, Refused, Source, WatermarkLost
from provision.core.vocabulary import Kind
from provision.services import files
from tests.contracts.ground import People
from tests.fakes.grounds import Clock

SPEC = KINDS[Kind.CSV]
KEY = "Employee ID"
SIGN_IN_PAGE = b"<!doctype html>\n<title>Sign in</title>\n<h1>Please sign in to use this network</h1>\n"


class Some:
    """An uploaded file of some people; nothing is concluded from who is not in it."""

    kind: ClassVar[Kind] = Kind.CSV
    mapped: ClassVar[Sequence[str]] = (KEY, "First Name", "Last Name", "Email Address", "Department")
    sign_in: ClassVar[str] = "Email Address"
    surname: ClassVar[str] = "Last Name"
    department: ClassVar[str] = "Department"
    tells_who_left: ClassVar[bool] = False
    troubles: ClassVar[Mapping[str, type[OutsideError] | type[WatermarkLost]]] = {
        "down": Refused,
        "nothing": Refused,
        "a sign-in page": Refused,
        "too much": Refused,
        "cut in half": WatermarkLost,
        "another one": WatermarkLost,
    }
    passing: ClassVar[Sequence[str]] = ()
    config: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("provision.connectors.csv_file.PAGE", 7)
        self._held: bytes | None = None
        self._next = 0
        self.people: dict[str, dict[str, str]] = {}
        for number in range(40):
            self.add(f"Given {number}", "Ødegård, “O’Neil”")
        self._write()

    def source(self, outside_id: str | None = None) -> Source:
        spec = KINDS[self.kind]
        return spec.build(spec.config(**self.config), None, outside_id, World({}, file=self._read))

    def truth(self) -> People:
        return {anchor: {name: value or None for name, value in row.items()} for anchor, row in self.people.items()}

    def plain(self) -> list[str]:
        return list(self.people)

    def add(self, given: str, surname: str) -> str:
        anchor = f"E{self._next}"
        self._next += 1
        row = (anchor, given, surname, f"{anchor.lower()}@there.example", "North")
        self.people[anchor] = dict(zip(self.mapped, row, strict=True))
        self._write()
        return anchor

    def edit(self, anchor: str, name: str, value: str | None) -> None:
        self.people[anchor][name] = value or ""
        self._write()

    def remove(self, anchor: str) -> None:
        del self.people[anchor]
        self._write()

    def settle(self) -> None:
        """A file has no clock."""

    def trouble(self, what: str, host: str = "") -> None:
        whole = self._told()
        another = whole + f"E-other,A,Stranger,stranger@{host or 'there.example'},\r\n".encode()
        wrong = {
            "down": None,
            "nothing": b"",
            "a sign-in page": SIGN_IN_PAGE,
            "too much": whole + b"x" * files.LARGEST,
            "cut in half": whole[: len(whole) // 2],
            "another one": another,
        }
        self._put(wrong[what])

    def over(self) -> None:
        self._write()

    def close(self) -> None:
        self._patch.undo()

    def _told(self) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows([self.mapped, *(row.values() for row in self.people.values())])
        return text.getvalue().encode()

    def _write(self) -> None:
        self._put(self._told())

    def _put(self, data: bytes | None) -> None:
        self._held = data

    def _read(self, _name: str) -> bytes | None:
        return self._held


class Everybody(Some):
    """An uploaded file that holds everybody: who is not in the next one counts as gone."""

    tells_who_left: ClassVar[bool] = True
    config: ClassVar[Mapping[str, Any]] = {"whole": True}


class Watched(Everybody):
    """The same in a folder of the server, put there under another name and renamed."""

    config: ClassVar[Mapping[str, Any]] = {"whole": True, "watched": "people.csv"}

    def _put(self, data: bytes | None) -> None:
        place = self.folder / "contoso" / "people.csv"
        if data is None:
            place.unlink()
            return
        place.parent.mkdir(exist_ok=True)
        (place.parent / "people.part").write_bytes(data)
        (place.parent / "people.part").replace(place)

    def _read(self, name: str) -> bytes | None:
        return files.watched(self.folder, "contoso", name, self.clock.now())
