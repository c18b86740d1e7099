"""People as a file by command: written as they are read, whole or not at all, and read back without loss."""

import csv
import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from provision.config import Settings
from provision.core import sheet
from provision.core.tables import Tenant, User
from provision.factory import open_house
from tests import populate
from tests.cli.conftest import Command

EVIL = "=cmd|'/c calc'!A1"


@pytest.fixture
def contoso(provision: Command) -> Command:
    assert provision("tenant", "add", "contoso", "--name", "Contoso").status == 0
    return provision


def filled(slug: str, number: int, **values: Any) -> None:
    at_home = open_house(Settings())
    with at_home.db.writing() as session:
        tenant = session.exec(select(Tenant).where(Tenant.slug == slug)).one().id or 0
        for n in range(number):
            own = {"email": f"p{n}@{slug}.example", "employee_id": str(n), "username": f"p{n}"}
            populate.person(session, tenant, at_home.now(), f"Zoë {n}", **{**own, **values})
    at_home.db.close()


def everybody(session: Session) -> list[dict[str, Any]]:
    moved = ("origins", "version", "changed_at")
    found = session.exec(select(User).order_by(User.id)).all()  # type: ignore[arg-type]
    return [{name: value for name, value in row.model_dump().items() if name not in moved} for row in found]


def kept() -> list[dict[str, Any]]:
    at_home = open_house(Settings())
    with at_home.db.reading() as session:
        found = everybody(session)
    at_home.db.close()
    return found


def test_what_is_exported_is_read_back_without_loss(contoso: Command, tmp_path: Path) -> None:
    filled("contoso", 5, given_name=EVIL, title="'quoted", mobile="+47 123", department="North, the; first")
    file = tmp_path / "people.csv"
    told = contoso("user", "export", "contoso", "--file", str(file))
    assert (told.status, told.out) == (0, "")
    assert f"5 people are in {file}." in told.err
    before = kept()
    assert contoso("app", "add", "contoso", "csv", "--name", "HR file").status == 0
    contoso("import", "contoso", "csv", "--file", str(file))
    assert contoso("app", "features", "contoso", "csv", "--import").status == 0
    read = contoso("import", "contoso", "csv", "--full", "--json").json
    assert {name: read[name] for name in ("seen", "linked", "created", "updated", "disputed", "failed")} == {
        "seen": 5, "linked": 5, "created": 0, "updated": 0, "disputed": 0, "failed": 0,
    }  # fmt: skip
    assert kept() == before


def test_without_a_file_it_goes_to_the_output_and_holds_this_tenants_people_alone(contoso: Command) -> None:
    assert contoso("tenant", "add", "fabrikam", "--name", "Fabrikam").status == 0
    filled("contoso", 2, given_name=EVIL)
    filled("fabrikam", 3)
    told = contoso("user", "export", "contoso")
    assert not told.out.startswith(sheet.BOM)
    rows = list(csv.reader(io.StringIO(told.out)))
    assert len(rows) == 3
    assert "fabrikam" not in told.out
    assert EVIL not in [cell for row in rows for cell in row]
    assert EVIL in [sheet.bare(cell) for row in rows for cell in row]


def test_who_has_left_is_not_in_it(contoso: Command) -> None:
    filled("contoso", 2)
    assert contoso("user", "delete", "contoso", "p0").status == 0
    assert "p0@" not in contoso("user", "export", "contoso").out


def test_an_export_that_fails_leaves_the_file_before_as_it_was(contoso: Command, tmp_path: Path) -> None:
    file = tmp_path / "there" / "people.csv"
    file.parent.mkdir()
    file.write_text("before")
    told = contoso("user", "export", "nobody", "--file", str(file))
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert contoso("user", "export", "contoso", "--file", str(tmp_path / "nowhere" / "people.csv")).status == 1
    assert (file.read_text(), os.listdir(file.parent)) == ("before", ["people.csv"])


def test_the_whole_is_never_held_at_once(contoso: Command, tmp_path: Path) -> None:
    """Sixteen megabytes of people, of whom four are read at a time."""
    filled("contoso", 1)
    contoso("user", "export", "contoso", "--file", str(tmp_path / "warm.csv"))
    filled("contoso", 4000, email=None, username=None, employee_id=None, extra={}, title="x" * 4000)
    file = tmp_path / "people.csv"
    tracemalloc.start()
    contoso("user", "export", "contoso", "--file", str(file))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size > 16_000_000
    assert most < 12_000_000
