"""The migrations make exactly the tables that the models describe, whole or not at all."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import provision.core.tables  # noqa: F401
from provision.core.tables import Account, Connector, Cycle, Mapping, Operation
from provision.core.vocabulary import CycleState, OperationKind, OperationState
from provision.db import Database, reserve
from provision.house import House
from tests import populate
from tests.cast import Cast, Clock

TABLES = (Account, Connector, Cycle, Mapping, Operation)
ACCOUNTS, CONNECTORS, CYCLES, MAPPINGS, OPERATIONS = (one.__table__ for one in TABLES)  # type: ignore[attr-defined]


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


def test_a_filled_schema_goes_back_and_forth_and_is_the_same_again(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock())
        jane = populate.person(session, cast.contoso, clock(), "Jane", email="jane@contoso.example")
        session.add(settled(populate.account(session, app, jane, clock(), anchor="a"), clock))
        populate.cycle(session, app, clock(), CycleState.DONE)
    before = shape(house)
    for step in ("0024", "0023", "0018"):
        command.downgrade(house.db._alembic(), step)
        assert house.db.revisions()[0] == step
    house.db.migrate()
    assert shape(house) == before
    with house.db.engine.connect() as connection:
        counted = [
            connection.scalar(sa.select(sa.func.count()).select_from(one)) for one in (ACCOUNTS, CYCLES, MAPPINGS)
        ]
        assert counted == [1, 1, len(populate.ROWS)]
        context = MigrationContext.configure(connection, opts={"render_as_batch": house.db.is_sqlite})
        assert compare_metadata(context, SQLModel.metadata) == []


def settled(account: Account, clock: Clock) -> Operation:
    where = {"tenant_id": account.tenant_id, "connector_id": account.connector_id, "account_id": account.id}
    given = {"kind": OperationKind.UPDATE, "created_by": "ada", "created_at": clock(), "due_at": clock()}
    return Operation(**where, **given, state=OperationState.DONE)


def shape(house: House) -> set[tuple[str, str]]:
    """Every index with its condition, and of SQLite two tables as they were made."""
    some = "type = 'index' OR name IN ('cycles', 'operations')"
    files = f"SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND ({some})"
    query = files if house.db.is_sqlite else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    with house.db.engine.connect() as connection:
        return {(name, " ".join(text.replace('"', "").split())) for name, text in connection.execute(sa.text(query))}


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


def test_no_number_of_an_account_or_an_app_is_given_twice(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock(), "First")
        numbers = [populate.account(session, app, None, clock(), anchor=f"a{one}").id or 0 for one in range(3)]
    with house.db.writing() as session:
        session.execute(sa.delete(ACCOUNTS).where(ACCOUNTS.c.id == numbers[-1]))
    with house.db.writing() as session:
        assert min(reserve(session, ACCOUNTS, 2)) > numbers[-1]
        row = populate.account(session, app, None, clock(), anchor="new")
        assert (row.id or 0) > numbers[-1]
        gone = populate.app(session, cast.contoso, clock(), "Second").id or 0
        session.execute(sa.delete(MAPPINGS).where(MAPPINGS.c.connector_id == gone))
        session.execute(sa.delete(CONNECTORS).where(CONNECTORS.c.id == gone))
        session.flush()
        assert (populate.app(session, cast.contoso, clock(), "Third").id or 0) > gone


def test_no_number_of_an_operation_or_an_import_is_given_twice(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock(), "First")
        account = populate.account(session, app, None, clock(), anchor="a")
        operation = settled(account, clock)
        session.add(operation)
        cycle = populate.cycle(session, app, clock(), CycleState.DONE)
        for table in (OPERATIONS, CYCLES):
            session.execute(sa.delete(table))
        assert min(reserve(session, OPERATIONS, 2)) > (operation.id or 0)
        assert (populate.cycle(session, app, clock(), CycleState.DONE).id or 0) > (cycle.id or 0)


def test_the_copy_keeps_every_row_and_index_and_counts_on_behind_what_the_log_knows(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'old.db'}", lock_dir=tmp_path)
    db.migrate("0022")
    at = "2026-11-30 12:00:00.000000"
    filled = [
        "INSERT INTO tenants (id, slug, name, created_at) VALUES (1, 'contoso', 'Contoso', :at)",
        "INSERT INTO connectors (id, tenant_id, kind, name, position, config, facts, features, approval, when_gone,"
        " when_left, scope, state, mapping_version, absorbed_version, created_at) VALUES (3, 1, 'csv', 'HR', 0, '{}', '{}',"
        " '{}', 'review', 'keep', 'disable', '{}', 'active', 1, 1, :at)",
        *(
            "INSERT INTO accounts (id, tenant_id, connector_id, name, situation, verdict, standing, observed, absorbed,"
            f" stale) VALUES ({number}, 1, 3, 'kim{number}', 'unmatched', '{{}}', '{{}}', '{{\"a\": 1}}', '{{}}', 0)"
            for number in (1, 5)
        ),
        "INSERT INTO events (id, tenant_id, sequence, at, actor, action, account_id, connector_id, operation_id, cycle_id,"
        " outcome, detail_digest, previous, hash)"
        " VALUES (1, 1, 1, :at, 'ada', 'account.linked', 9, 3, 12, 6, 'done', x'00', x'00', x'00')",
    ]
    with db.engine.connect().execution_options(provision_writes=True) as connection:
        for statement in filled:
            connection.execute(sa.text(statement), {"at": at})
        connection.commit()

    def seen() -> tuple[object, object]:
        with db.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id, name, observed FROM accounts ORDER BY id").all()
            indexes = connection.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('accounts', 'connectors')"
            ).all()
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            return rows, {(row.name, row.sql) for row in indexes if row.sql}

    before = seen()
    db.migrate("0025")
    assert seen() == before
    with db.writing() as session:
        assert list(reserve(session, ACCOUNTS, 1)) == [10]
        assert list(reserve(session, CONNECTORS, 1)) == [4]
        assert list(reserve(session, OPERATIONS, 1)) == [13]
        assert list(reserve(session, CYCLES, 1)) == [7]
    db.close()
