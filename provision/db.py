"""The database: how it is opened, when a transaction begins, who leads, and all that differs between the two engines.

Owns every line that knows SQLite from PostgreSQL; knows no table.
"""

import fcntl
import functools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import make_url
from sqlmodel import Session

_WRITES = "provision_writes"
SQLITE_MEMORY = 32 * 1024 * 1024
"""Bytes that SQLite's pages take up in one process, whatever the number of connections: each would fill its own cache."""
PATIENCE = 10.0
"""Seconds that a writer waits for the others of its process."""


def encoded(value: Any) -> str:
    """JSON as both databases keep it."""
    return msgspec.json.encode(value).decode()


_POOL: dict[str, Any] = {
    "pool_size": 8,
    "max_overflow": 8,
    "json_serializer": encoded,
    "json_deserializer": msgspec.json.decode,
}


class Database:
    """One database and its two kinds of transaction."""

    def __init__(self, url: str, *, lock_dir: Path) -> None:
        self.url = make_url(url)
        self.lock_dir = lock_dir
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(url) if self.is_sqlite else _postgres(url)
        self._turn = threading.RLock() if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment and leaves nothing behind; its rows stay readable afterwards."""
        with self.engine.connect() as connection, Session(connection, autoflush=False) as session:
            yield session
            session.expunge_all()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at the end, or not at all.

        SQLite begins IMMEDIATE: a deferred transaction that reads and then writes fails at once with "database is
        locked", whatever the busy time-out says. The writers of one process take turns before they ask it: SQLite lets
        them look again after ever longer pauses, and who is unlucky among many is told that the database is busy.
        """
        with (
            self._in_turn(),
            self.engine.connect().execution_options(**{_WRITES: True}) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.commit()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """This thread's turn to write. Whoever waits too long asks SQLite without it, which then says how busy it is."""
        held = self._turn is not None and self._turn.acquire(timeout=PATIENCE)
        try:
            yield
        finally:
            if held and self._turn is not None:
                self._turn.release()

    @contextmanager
    def leading(self, name: str) -> Iterator[bool]:
        """Whether this process leads in ``name`` for the length of the block. The lock dies with the process."""
        if self.is_sqlite:
            with _file_lock(self.lock_dir / f"{name}.lock") as held:
                yield held
            return
        number = int.from_bytes(name.encode()[-8:], "big", signed=False) & 0x7FFF_FFFF_FFFF_FFFF
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))))
            try:
                yield held
            finally:
                if held:
                    connection.scalar(sa.select(sa.func.pg_advisory_unlock(number)))

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema to ``revision``. Each step is one transaction; what was half done is not there."""
        command.upgrade(self._alembic(), revision)

    def revisions(self) -> tuple[str | None, str | None]:
        """The schema's revision, and the newest there is."""
        with self.engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        return current, ScriptDirectory.from_config(self._alembic()).get_current_head()

    def _alembic(self) -> AlembicConfig:
        config = AlembicConfig()
        here = str(Path(__file__).parent / "migrations")
        config.set_main_option("script_location", here.replace("%", "%%"))
        config.attributes["engine"] = self.engine
        return config

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def reserve(session: Session, table: sa.Table, count: int) -> range | list[int]:
    """Numbers for ``count`` new rows, so that rows pointing at each other go in as two statements, not one by one.

    Call it inside ``writing()`` only: SQLite has one writer, so the highest number stands still; PostgreSQL asks the
    column's own sequence. Where a table says so, the numbers of deleted rows stay used on SQLite as well.
    """
    if session.get_bind().dialect.name == "sqlite":
        highest = session.scalar(_highest(table)) or 0
        return range(highest + 1, highest + 1 + count)
    sequence = f"{table.name}_id_seq"
    query = sa.text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)")
    return list(session.scalars(query, {"sequence": sequence, "count": count}))


@functools.cache
def _highest(table: sa.Table) -> Any:
    if table.dialect_options["sqlite"]["autoincrement"]:
        return sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=table.name)
    return sa.select(sa.func.max(table.c.id))


def for_update(session: Session, query: Any) -> Any:
    """Lock the rows a query returns until the transaction ends; SQLite's writer has locked everything already."""
    return query if session.get_bind().dialect.name == "sqlite" else query.with_for_update()


def for_pointing(session: Session, query: Any) -> Any:
    """Keep the rows a query returns from being deleted until the transaction ends, which will point at them.

    That is what PostgreSQL does by itself when it is too late to leave somebody out: others may read and change them.
    """
    return query if session.get_bind().dialect.name == "sqlite" else query.with_for_update(read=True, key_share=True)


def unlocked(session: Session, query: Any) -> Any:
    """Lock the rows a query returns, leaving out what somebody else holds; SQLite's writer is alone anyhow."""
    return query if session.get_bind().dialect.name == "sqlite" else query.with_for_update(skip_locked=True)


def among(session: Session, column: Any, values: Iterable[Any] | str) -> Any:
    """The condition that a column holds one of many values: one parameter, so that no length makes a new statement.

    A text instead of values is the name under which the list is given later, to a statement that is built ``once``.
    """
    if session.get_bind().dialect.name == "sqlite":
        given = _later(values, sa.JSON()) if isinstance(values, str) else encoded(list(values))
        listed = sa.func.json_each(given).table_valued("value")
        return column.in_(sa.select(listed.c.value))
    kind = ARRAY(column.type)
    return column == sa.any_(_later(values, kind) if isinstance(values, str) else sa.literal(list(values), kind))


def gathered(session: Session, *columns: Any) -> Any:
    """A call that makes one JSON list of many rows, each a list of these columns, in no particular order."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.type_coerce(sa.func.json_group_array(sa.func.json_array(*columns)), sa.JSON())
    rows = sa.func.json_agg(sa.func.json_build_array(*columns))
    return sa.type_coerce(sa.func.coalesce(rows, sa.text("'[]'::json")), sa.JSON())


def once(build: Callable[[Session], Any]) -> Callable[[Session], Any]:
    """Let a statement that is asked over and over be built a single time for each kind of database.

    What differs from time to time stands in it by name. Building one costs more than SQLite takes to answer it.
    """
    built: dict[str, Any] = {}

    @functools.wraps(build)
    def statement(session: Session) -> Any:
        kind = session.get_bind().dialect.name
        if kind not in built:
            built[kind] = build(session)
        return built[kind]

    return statement


def each(session: Session, column: Any, *path: str) -> tuple[Any, Callable[[str], Any], Callable[[str], Any]]:
    """The objects of a list inside a JSON column: what to select from, and how to read a text and a flag of one."""
    if session.get_bind().dialect.name == "sqlite":
        place = "$" + "".join(f'."{name}"' for name in path)
        rows = sa.func.json_each(column, place).table_valued("value")

        def read(name: str) -> Any:
            return sa.func.json_extract(rows.c.value, f'$."{name}"')

        return rows, read, lambda name: read(name) == 1
    listed = sa.case((sa.func.jsonb_typeof(column[path]) == "array", column[path]), else_=sa.text("'[]'::jsonb"))
    rows = sa.func.jsonb_array_elements(listed).table_valued(sa.column("value", JSONB))
    return rows, lambda name: rows.c.value[name].astext, lambda name: rows.c.value[name].astext == "true"


def binary(session: Session, text: Any) -> Any:
    """A text compared and sorted byte by byte, as SQLite does by itself."""
    return text if session.get_bind().dialect.name == "sqlite" else text.collate("C")


def moment(session: Session, value: datetime) -> Any:
    """A time as the driver itself stores it, for ``insert_many`` and ``update_many``."""
    if session.get_bind().dialect.name != "sqlite":
        return value
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def insert_many(session: Session, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert plain tuples in one statement.

    Goes past the column types, which cost more than the insert itself: JSON comes encoded, times through ``moment``.
    """
    if rows:
        marks = ", ".join([_mark(session)] * len(columns))
        _run(session, f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608


def update_many(session: Session, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update rows by id in one statement; each tuple ends with the id. Rows go in order of id: no two writers cross."""
    if rows:
        mark = _mark(session)
        assigned = ", ".join(f"{column} = {mark}" for column in columns)
        ordered = sorted(rows, key=lambda row: row[-1])
        _run(session, f"UPDATE {table.name} SET {assigned} WHERE id = {mark}", ordered)  # noqa: S608


def _later(name: str, kind: Any) -> Any:
    return sa.bindparam(name, type_=kind)


def _mark(session: Session) -> str:
    return "?" if session.get_bind().dialect.name == "sqlite" else "%s"


def _run(session: Session, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    session.flush()
    session.connection().exec_driver_sql(statement, list(rows))


def _sqlite(url: str) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": 5.0}, **_POOL)

    @sa.event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _record: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "fullfsync=ON",  # macOS alone: there, fsync leaves it to the drive when
            "foreign_keys=ON",
            "busy_timeout=5000",
            "cache_size=-16000",
            f"soft_heap_limit={SQLITE_MEMORY}",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: str) -> sa.Engine:
    return sa.create_engine(url, pool_pre_ping=True, **_POOL)


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
