"""The migrations make exactly the tables that the models describe, whole or not at all."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import provision.core.tables  # noqa: F401
from provision.db import Database
from provision.house import House


def test_the_migrated_schema_is_the_described_one(house: House) -> None:
    with house.db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "render_as_batch": house.db.is_sqlite}
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_changes_nothing(house: House) -> None:
    before = house.db.revisions()
    house.db.migrate()
    assert house.db.revisions() == before
    assert before[0] == before[1]


def test_no_row_of_a_tenant_can_point_into_another() -> None:
    checked = 0
    for table in SQLModel.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            if "tenant_id" in table.c and "tenant_id" in constraint.referred_table.c:
                assert "tenant_id" in constraint.column_keys, f"{table.name}: {constraint.column_keys}"
                checked += 1
    assert checked >= 6


def test_foreign_keys_hold_after_a_migration(house: House) -> None:
    if not house.db.is_sqlite:
        with house.db.engine.connect() as connection:
            query = sa.text("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
            assert connection.scalar(query) == 0
        return
    with house.db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_migration_that_breaks_leaves_the_old_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database(f"sqlite:///{tmp_path / 'half.db'}", lock_dir=tmp_path)

    @sa.event.listens_for(db.engine, "before_cursor_execute")
    def break_late(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "event_heads" in statement:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        db.migrate()
    sa.event.remove(db.engine, "before_cursor_execute", break_late)
    assert sa.inspect(db.engine).get_table_names() in ([], ["alembic_version"])
    db.migrate()
    assert "event_heads" in sa.inspect(db.engine).get_table_names()
    db.close()
