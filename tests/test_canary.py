"""The look for a word that must be nowhere finds it in whatever dress."""

import base64
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from provision.house import House
from tests import canary
from tests.cast import Cast

WORD = "Zqxvkbirdx"
SAID = f"Löud-{WORD}-52"


@pytest.mark.parametrize(
    "written",
    [
        SAID.encode(), SAID.encode("utf-16-le"), quote(SAID).encode(), SAID.encode().hex().encode(),
        *(base64.b64encode(f"{'x' * shift}{SAID}".encode()) for shift in range(3)),
        *(base64.urlsafe_b64encode(f"{'x' * shift}{SAID}".encode()) for shift in range(3)),
    ],
)  # fmt: skip
def test_a_word_is_found_in_every_dress(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"\x00before" + written + b"after\xff")
    (tmp_path / "clean").write_bytes(b"Loud-River-52-Ladder")
    assert canary.in_files(tmp_path, WORD) == [str(tmp_path / "deep" / "file")]


def test_a_word_is_found_in_a_log_that_sqlite_has_not_yet_taken_over(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a TEXT)")
        db.execute("INSERT INTO t VALUES (?)", (SAID,))
        assert str(tmp_path / "a.db-wal") in canary.in_files(tmp_path, WORD)


def test_a_word_is_found_in_a_row(house: House, cast: Cast) -> None:
    with house.db.writing() as session:
        session.execute(sa.text("UPDATE tenants SET name = :said WHERE id = :id"), {"said": SAID, "id": cast.contoso})
    assert canary.in_rows(house.db, WORD) == ["tenants"]


def test_a_word_is_found_in_what_a_process_was_called_with() -> None:
    # A word of this run alone: whoever looks for the usual one beside it must not find this process.
    word = "".join(secrets.choice("bcdfghjklm") for _ in range(12))
    waits = "import sys; print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", waits, f"Löud-{word}-52"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shows:
        assert shows.stdout is not None
        shows.stdout.readline()
        assert canary.in_processes(word) == [f"{shows.pid}/cmdline"]
        shows.communicate()
