"""Tables that give no number twice. PostgreSQL's sequences never go back; SQLite keeps the highest number ever only where a
table asks for it, which takes a copy of the table.

Owns that copy for the migrations that ask for it.
"""

import re
from collections.abc import Callable, Iterable, Mapping

import sqlalchemy as sa
from alembic import op

PLAIN, LASTING = "id INTEGER NOT NULL", "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"


def lasting(tables: Mapping[str, str]) -> None:
    """Let these tables give no number twice, going on behind the highest that the log knows: table → its column there."""
    for table, told in tables.items():
        if op.get_bind().dialect.name == "sqlite":
            _copied(table, _lasting)
            _count_on(table, told)


def plain(tables: Iterable[str]) -> None:
    """Let these tables be as they were before."""
    for table in tables:
        if op.get_bind().dialect.name == "sqlite":
            _copied(table, _plain)


def _lasting(table: str, made: str) -> str:
    return re.sub(rf",\s*CONSTRAINT pk_{table} PRIMARY KEY \(id\)", "", made.replace(PLAIN, LASTING, 1))


def _plain(table: str, made: str) -> str:
    columns = made.replace(LASTING, PLAIN, 1).rstrip().removesuffix(")").rstrip()
    return f"{columns}, \n\tCONSTRAINT pk_{table} PRIMARY KEY (id)\n)"


def _copied(table: str, altered: Callable[[str, str], str]) -> None:
    """Copy a table into an altered one, word for word: reading it back by reflection would lose conditions of indexes."""
    bind = op.get_bind()
    made = bind.scalar(sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": table})
    beside = "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    kept = list(bind.scalars(sa.text(beside), {"name": table}))
    new = altered(table, str(made))
    if new == made:
        raise RuntimeError(f"{table} is not as it was left")
    fresh = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_copy", new, count=1)
    bind.exec_driver_sql(fresh)
    bind.exec_driver_sql(f"INSERT INTO {table}_copy SELECT * FROM {table}")  # noqa: S608 - words of ours
    bind.exec_driver_sql(f"DROP TABLE {table}")
    bind.exec_driver_sql(f"ALTER TABLE {table}_copy RENAME TO {table}")
    for statement in kept:
        bind.exec_driver_sql(statement)


def _count_on(table: str, told: str) -> None:
    """Go on behind the highest number that the log knows, too: its row may be gone already."""
    highest = f"(SELECT max(coalesce((SELECT max(id) FROM {table}), 0), coalesce((SELECT max({told}) FROM events), 0)))"  # noqa: S608
    op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{table}'")  # noqa: S608 - words of ours
    op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {highest})")  # noqa: S608 - likewise
