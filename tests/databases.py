"""Migrated, empty databases for tests: a file that is copied for SQLite, a database that is swept for PostgreSQL.

Owns how a database is made and emptied on both engines; knows no test and no row. With TEST_DATABASE_URL
(postgresql+psycopg://…) everything lies on that server, otherwise in files.
"""

import os
import secrets
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.util import LRUCache

from provision.db import Database

SERVER = os.environ.get("TEST_DATABASE_URL", "")
_SWEEP = """
DO $$
DECLARE one record;
BEGIN
  SET LOCAL session_replication_role = replica;  -- no trigger and no foreign key stands in the way
  FOR one IN SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' LOOP
    IF one.size > 262144 THEN EXECUTE format('TRUNCATE %s CASCADE', one.name);
    ELSIF one.size > 0 THEN EXECUTE format('DELETE FROM %s', one.name);
    END IF;
  END LOOP;
  FOR one IN SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences
      WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %s RESTART', one.name);
  END LOOP;
END $$
"""
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
_SCHEMA = " UNION ALL ".join(
    f"SELECT '{kind}', count(*), sum(oid::bigint) FROM pg_{kind} WHERE oid >= 16384"
    for kind in ("class", "trigger", "constraint", "proc")
)


patient = sqlite3.connect
"""SQLite as the product has it: a commit is on the disk before it is believed."""


class Hasty(sqlite3.Connection):
    """A connection that does not wait for the disk, which costs milliseconds a commit: no test outlives a power cut."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        waits = sql.replace(" ", "").upper() == "PRAGMASYNCHRONOUS=FULL"
        return super().execute("PRAGMA synchronous=OFF" if waits else sql, *parameters)


class Databases(Protocol):
    """Where empty databases come from. ``template``: a file's path, or a name on the server."""

    @property
    def template(self) -> str: ...

    def lend(self, folder: Path) -> str:
        """The URL of an empty database for one test; a file would lie in this data directory."""

    def take_back(self) -> None:
        """The test is over."""

    def remind(self, database: Database) -> None:
        """Let it know the SQL of the statements that earlier tests compiled."""

    def close(self) -> None:
        """Remove everything that was made."""


def databases(folder: Path) -> Databases:
    """Those of this run; ``folder`` is for the template."""
    return Server(folder) if SERVER else Files(folder)


class Memory:
    """The statements of a whole run as SQL: an engine keeps them for its own dialect, and each test has an engine.

    ``of`` has been connected: its dialect knows what it speaks to.
    """

    def __init__(self, of: Database) -> None:
        self._dialect = of.engine.dialect
        self._compiled: LRUCache[Any, Any] = LRUCache(5000)

    def remind(self, database: Database) -> None:
        engine = database.engine
        assert type(engine.dialect) is type(self._dialect)
        engine.dialect = engine.pool._dialect = self._dialect
        engine._compiled_cache = self._compiled


class Files:
    """SQLite: a test's database is a copy of a migrated file."""

    def __init__(self, folder: Path) -> None:
        self.template = str(folder / "provision.db")
        self.remind = Memory(_migrate(f"sqlite:///{self.template}", folder)).remind

    def lend(self, folder: Path) -> str:
        return f"sqlite:///{shutil.copy(self.template, folder)}"

    def take_back(self) -> None:
        """It goes with the test's folder."""

    def close(self) -> None:
        """Nothing but files was made."""


class Server:
    """PostgreSQL: a migrated template, and one database that is emptied between two tests.

    Making a database costs the server many times what emptying one does. Whatever a test does to the schema costs it the
    database: the next one gets a fresh copy.
    """

    def __init__(self, folder: Path) -> None:
        self._engine = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self.template = f"template_{secrets.token_hex(4)}"
        self._run(f'CREATE DATABASE "{self.template}"')
        self.remind = Memory(_migrate(_url(self.template), folder)).remind
        self._lent = ""
        self._inside: sa.Connection | None = None
        self._schema: list[tuple[object, ...]] = []

    def lend(self, folder: Path) -> str:
        if self._inside is None:
            self._lent = self._copy()
            self._inside = sa.create_engine(self._lent, isolation_level="AUTOCOMMIT").connect()
            self._schema = self._look(self._inside)
        return self._lent

    def take_back(self) -> None:
        assert self._inside is not None
        self._inside.exec_driver_sql(_OTHERS, (make_url(self._lent).database,))
        if self._look(self._inside) == self._schema:
            self._inside.exec_driver_sql(_SWEEP, execution_options={"no_parameters": True})
        else:
            self._give_up()

    def close(self) -> None:
        self._give_up()
        self._run(f'DROP DATABASE "{self.template}"')

    def _give_up(self) -> None:
        if self._inside is not None:
            self._inside.close()
            self._inside.engine.dispose()
            self._inside = None
            self._run(f'DROP DATABASE "{make_url(self._lent).database}" WITH (FORCE)')

    def _copy(self) -> str:
        name = f"copy_{secrets.token_hex(6)}"
        with self._engine.connect() as connection:
            # File by file, where one may choose: through the log, as PostgreSQL would do it by itself, takes much longer.
            how = "STRATEGY FILE_COPY" if (connection.dialect.server_version_info or (0,)) >= (15,) else ""
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}" {how}')
        return _url(name)

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    @staticmethod
    def _look(inside: sa.Connection) -> list[tuple[object, ...]]:
        return sorted(map(tuple, inside.exec_driver_sql(_SCHEMA)))


def _url(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def _migrate(url: str, folder: Path) -> Database:
    database = Database(url, lock_dir=folder)
    database.migrate()
    database.close()
    return database
