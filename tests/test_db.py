"""Two kinds of transaction, one leader, and bulk statements that mean the same on both databases."""

import _sqlite3
import ctypes
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from provision.core.tables import Account, Connector, Cycle, Tenant, User
from provision.db import SQLITE_MEMORY, Database, among, insert_many, moment, reserve, update_many
from provision.house import House
from tests.cast import Cast
from tests.databases import patient

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
TENANTS: sa.Table = Tenant.__table__  # type: ignore[attr-defined]
USERS: sa.Table = User.__table__  # type: ignore[attr-defined]


@pytest.fixture
def db(house: House) -> Database:
    return house.db


def slugs(db: Database) -> list[str]:
    with db.reading() as session:
        return sorted(session.exec(select(Tenant.slug)).all())


def test_a_transaction_that_writes_commits_at_its_end(db: Database) -> None:
    with db.writing() as session:
        session.add(Tenant(slug="a", name="A", created_at=NOW))
    assert slugs(db) == ["a"]


def test_a_commit_is_on_the_disk_before_it_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.dbapi2.connect", patient)  # the other tests do not wait for the disk
    db = Database(f"sqlite:///{tmp_path / 'patient.db'}", lock_dir=tmp_path)
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA fullfsync").scalar() == 1
    db.close()


def test_many_connections_to_sqlite_share_one_bound_of_memory(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'large.db'}", lock_dir=tmp_path)
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE large (id INTEGER PRIMARY KEY, filled)")
        counted = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 6000) "
        connection.exec_driver_sql(f"INSERT INTO large {counted} SELECT i, zeroblob(3000) FROM n")
    with ExitStack() as opened:
        for _ in range(8):
            connection = opened.enter_context(db.engine.connect())
            assert connection.exec_driver_sql("SELECT max(length(hex(filled))) FROM large").scalar() == 6000
        # Without the bound, eight times sixteen megabytes.
        assert SQLITE_MEMORY // 2 < sqlite_holds() < SQLITE_MEMORY + 2**20
    db.close()


def sqlite_holds() -> int:
    """Bytes that SQLite has taken from this process, told by the very library that the interpreter uses."""
    used = ctypes.CDLL(getattr(_sqlite3, "__file__", None)).sqlite3_memory_used
    used.restype = ctypes.c_longlong
    return int(used())


def test_one_that_breaks_leaves_nothing(db: Database) -> None:
    def break_off() -> None:
        with db.writing() as session:
            session.add(Tenant(slug="a", name="A", created_at=NOW))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert slugs(db) == []


def test_one_that_reads_leaves_nothing_either(db: Database) -> None:
    with db.reading() as session:
        session.add(Tenant(slug="a", name="A", created_at=NOW))
        session.flush()
    assert slugs(db) == []


def test_two_writers_who_read_first_wait_for_each_other(db: Database) -> None:
    with db.writing() as session:
        session.add(Tenant(slug="count", name="0", created_at=NOW))
    begin = threading.Barrier(4)

    def raise_by_one() -> None:
        begin.wait()
        for _ in range(10):
            with db.writing() as session:
                query = select(Tenant).where(Tenant.slug == "count")
                row = session.exec(query if db.is_sqlite else query.with_for_update()).one()
                row.name = str(int(row.name) + 1)

    threads = [threading.Thread(target=raise_by_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.reading() as session:
        assert session.exec(select(Tenant.name)).one() == "40"


def test_the_writers_of_one_process_take_turns_where_sqlite_would_refuse_one(db: Database) -> None:
    @sa.event.listens_for(db.engine, "connect")
    def impatient(raw: Any, _: Any) -> None:
        if db.is_sqlite:
            raw.execute("PRAGMA busy_timeout=0")

    db.engine.dispose()

    def write() -> None:
        with db.writing() as session:
            session.add(Tenant(slug="second", name="B", created_at=NOW))

    second = threading.Thread(target=write)
    with db.writing() as session:
        session.add(Tenant(slug="first", name="A", created_at=NOW))
        session.flush()
        second.start()
        second.join(0.1)  # who does not wait has failed by then
        assert second.is_alive() or not db.is_sqlite  # PostgreSQL has any number of writers
    second.join()
    assert slugs(db) == ["first", "second"]


def test_times_come_back_aware_and_naive_ones_are_refused(db: Database) -> None:
    with db.writing() as session:
        session.add(Tenant(slug="a", name="A", created_at=NOW))
    with db.reading() as session:
        assert session.exec(select(Tenant.created_at)).one() == NOW
    with pytest.raises(sa.exc.StatementError, match="without a zone"), db.writing() as session:
        session.add(Tenant(slug="b", name="B", created_at=NOW.replace(tzinfo=None)))


def test_there_is_one_leader_until_it_ends(db: Database, house: House) -> None:
    other = Database(house.settings.database, lock_dir=db.lock_dir)
    with db.leading("worker") as first, other.leading("worker") as second, other.leading("mail") as third:
        assert (first, second, third) == (True, False, True)
    with other.leading("worker") as now:
        assert now
    other.close()


def test_rows_in_bulk_hold_what_the_model_reads(db: Database, cast: Cast) -> None:
    with db.writing() as session:
        numbers = list(reserve(session, USERS, 3))
        at = moment(session, NOW)
        columns = ("id", "tenant_id", "lifecycle", "email", "email_key", "name_key", "extra", "origins", "version",
                   "created_at", "changed_at", "deleted_at")  # fmt: skip
        rows = [
            (number, cast.contoso, "active", None, "", "n", '{"a": [1, null, "ø"]}', "{}", 1, at, at, None)
            for number in numbers
        ]
        insert_many(session, USERS, columns, rows)
        update_many(session, USERS, ("email", "extra"), [("x@y.example", '{"b": true}', numbers[1])])
    with db.reading() as session:
        found = session.exec(select(User).order_by(User.id)).all()  # type: ignore[arg-type]
    assert [row.id for row in found] == numbers
    assert [row.extra for row in found] == [{"a": [1, None, "ø"]}, {"b": True}, {"a": [1, None, "ø"]}]
    assert found[1].email == "x@y.example"
    assert {row.created_at for row in found} == {NOW}


def test_reserved_numbers_and_the_models_own_do_not_meet(db: Database) -> None:
    seen: list[Any] = []
    for name in ("a", "b"):
        with db.writing() as session:
            (number,) = reserve(session, TENANTS, 1)
            insert_many(
                session,
                TENANTS,
                ("id", "slug", "name", "created_at"),
                [(number, f"bulk-{name}", name, moment(session, NOW))],
            )
            row = Tenant(slug=f"model-{name}", name=name, created_at=NOW)
            session.add(row)
            session.flush()
            seen += [number, row.id]
    assert len(set(seen)) == 4


@pytest.mark.parametrize("count", [0, 1, 40_000])
def test_among_takes_any_number_of_values(db: Database, count: int) -> None:
    with db.writing() as session:
        session.add(Tenant(slug="slug-0", name="A", created_at=NOW))
    with db.reading() as session:
        texts = among(session, TENANTS.c.slug, [f"slug-{number}" for number in range(count)])
        numbers = among(session, TENANTS.c.id, range(count))
        assert len(session.execute(sa.select(TENANTS.c.id).where(texts)).all()) == min(count, 1)
        assert len(session.execute(sa.select(TENANTS.c.id).where(numbers)).all()) == (1 if count > 1 else 0)


def test_the_database_itself_refuses_links_across_tenants(db: Database, cast: Cast) -> None:
    with db.writing() as session:
        app = Connector(tenant_id=cast.contoso, kind="microsoft365", name="A", created_at=NOW)  # type: ignore[arg-type]
        session.add(app)
        session.flush()
        number = app.id
    with pytest.raises(sa.exc.IntegrityError), db.writing() as session:
        session.add(Account(tenant_id=cast.fabrikam, connector_id=number, name="x", situation="unmatched"))  # type: ignore[arg-type]


def test_the_database_itself_refuses_a_second_unfinished_cycle(db: Database, cast: Cast) -> None:
    with db.writing() as session:
        app = Connector(tenant_id=cast.contoso, kind="microsoft365", name="A", created_at=NOW)  # type: ignore[arg-type]
        session.add(app)
        session.flush()
        number = app.id or 0
    for refused in (False, True):
        cycle = Cycle(
            tenant_id=cast.contoso, connector_id=number, kind="initial", requested_by="x", requested_at=NOW  # type: ignore[arg-type]
        )  # fmt: skip
        if not refused:
            with db.writing() as session:
                session.add(cycle)
            continue
        with pytest.raises(sa.exc.IntegrityError), db.writing() as session:
            session.add(cycle)
