"""A file in a watched folder: read whole or not at all, and nothing outside the folder is ever read."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provision.core.ports import Unreachable
from provision.services.files import LARGEST, watched

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contoso").mkdir()
    (tmp_path / "fabrikam").mkdir()
    put(tmp_path / "fabrikam" / "people.csv", b"theirs")
    return tmp_path


def put(place: Path, data: bytes, *, seconds_ago: float = 3600) -> None:
    place.write_bytes(data)
    at = (NOW - timedelta(seconds=seconds_ago)).timestamp()
    os.utime(place, (at, at))


def read(folder: Path, name: str = "people.csv") -> bytes | None:
    return watched(folder, "contoso", name, NOW)


def test_a_file_that_nobody_writes_to_is_read(folder: Path) -> None:
    put(folder / "contoso" / "people.csv", b"ours")
    assert read(folder) == b"ours"


@pytest.mark.parametrize("seconds_ago", [0, 1.5, -1.5])
def test_a_file_that_somebody_wrote_to_a_moment_ago_is_left_for_later(folder: Path, seconds_ago: float) -> None:
    put(folder / "contoso" / "people.csv", b"half", seconds_ago=seconds_ago)
    with pytest.raises(Unreachable) as raised:
        read(folder)
    assert (raised.value.code, raised.value.sent) == ("csv_being_written", False)


def test_a_file_that_grows_while_it_is_read_is_left_for_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder / "contoso" / "people.csv", b"half")
    looks = [0]
    fstat = os.fstat

    def growing(handle: int) -> os.stat_result:
        looks[0] += 1
        if looks[0] > 1:
            put(folder / "contoso" / "people.csv", b"half and half")
        return fstat(handle)

    monkeypatch.setattr("provision.services.files.os.fstat", growing)
    with pytest.raises(Unreachable):
        read(folder)


def test_a_file_that_is_replaced_while_it_is_read_is_the_old_one_as_a_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "contoso" / "people.csv", b"the old one")
    put(folder / "contoso" / "people.part", b"the new one")
    opened = os.open

    def replaced(place: Path, flags: int) -> int:
        handle = opened(place, flags)
        (folder / "contoso" / "people.part").replace(folder / "contoso" / "people.csv")
        return handle

    monkeypatch.setattr("provision.services.files.os.open", replaced)
    assert read(folder) == b"the old one"
    monkeypatch.undo()
    assert read(folder) == b"the new one"


@pytest.mark.parametrize("name", ["../fabrikam/people.csv", "..", ".", "", "nothing.csv", "a/b.csv", "\0", "x" * 300])
def test_nothing_but_a_file_of_the_folder_is_read(folder: Path, name: str) -> None:
    assert read(folder, name) is None


def test_a_link_out_of_the_folder_leads_nowhere(folder: Path) -> None:
    (folder / "contoso" / "link.csv").symlink_to(folder / "fabrikam" / "people.csv")
    (folder / "contoso" / "away").symlink_to(folder / "fabrikam")
    assert read(folder, "link.csv") is None
    assert read(folder, "away/people.csv") is None


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    put(folder / "contoso" / "people-2026.csv", b"ours")
    (folder / "contoso" / "people.csv").symlink_to(folder / "contoso" / "people-2026.csv")
    assert read(folder) == b"ours"


def test_a_pipe_is_no_file_and_nobody_waits_for_it(folder: Path) -> None:
    os.mkfifo(folder / "contoso" / "people.csv")
    assert read(folder) is None


def test_no_more_is_read_than_could_be_taken(folder: Path) -> None:
    place = folder / "contoso" / "people.csv"
    with place.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    os.utime(place, (1, 1))
    assert len(read(folder) or b"") == LARGEST + 1
