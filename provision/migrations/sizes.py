"""What SQLite's planner is told about how much there is.

Without statistics it guesses that ten rows share one value of any column, and walks past everybody of an organisation instead
of looking a few up by number. They are written here instead of measured (https://sqlite.org/lang_analyze.html tells how
either is meant), so that each statement is answered the same way in every installation, from the first day, and in the tests:
as suits a large directory, since a small one is fast either way. PostgreSQL measures by itself.
"""

import sqlalchemy as sa

MOST = 100_000
ROWS = {
    **dict.fromkeys(("users", "accounts", "operations", "events", "event_details", "activations", "mails"), MOST),
    "group_members": MOST,
    "cycles": 10_000,
    "drift_choices": 1_000,
    "sightings": 1_000,
    "groups": 1_000,
}
ELSE = 20
"""Rows of a table that is named nowhere here: what people set up by hand."""
FEW = {
    "ix_accounts_groups": 1_000,
    "ix_accounts_stale": 1_000,
    "ix_accounts_leaving": 1_000,
    "ix_mails_due": 1_000,
    "ix_operations_unfinished": 1_000,
    "ix_operations_taken_away": 10_000,
    "uq_operations_waiting": 1_000,
    "uq_operations_in_flight": 100,
    "uq_cycles_unfinished": 10,
}
"""Rows in indexes that hold a small part of a table. Other partial indexes are taken for whole."""
DIFFERENT = {"tenant_id": 2, "connector_id": 4, "situation": 4, "choice": 3, "removed": 2, "group_id": 200}
"""How many values a column has, where it is not nearly as many as there are rows."""


def tell(connection: sa.Connection) -> None:
    """Write the statistics of every index there is now, unless they stand there. SQLite only."""
    wanted = _wanted(connection)
    if set(_held(connection)) == set(wanted):
        return
    connection.exec_driver_sql("ANALYZE sqlite_master")  # makes the table of statistics, and measures nothing
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", wanted)
    connection.exec_driver_sql("ANALYZE sqlite_master")  # reads it


def _held(connection: sa.Connection) -> list[tuple[str, str | None, str]]:
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").all():
        return []
    return [(row.tbl, row.idx, row.stat) for row in connection.exec_driver_sql("SELECT * FROM sqlite_stat1")]


def _wanted(connection: sa.Connection) -> list[tuple[str, str | None, str]]:
    tables = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name"
    )
    found: list[tuple[str, str | None, str]] = []
    for (table,) in tables.all():
        rows = ROWS.get(table, ELSE)
        indexes = (
            connection.exec_driver_sql("SELECT name FROM pragma_index_list(?) ORDER BY name", (table,)).scalars().all()
        )
        found += [(table, name, _stat(connection, name, FEW.get(name, rows))) for name in indexes]
        if not indexes:
            found.append((table, None, str(rows)))
    return found


def _stat(connection: sa.Connection, index: str, rows: int) -> str:
    """Rows, and how many of them have the same value in the first column, in the first two, and so on.

    https://sqlite.org/fileformat2.html#stat1tab
    """
    columns = connection.exec_driver_sql("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)).scalars()
    numbers, left = [rows], rows
    for column in columns:
        left = max(left // DIFFERENT.get(column, rows), 1)
        numbers.append(left)
    return " ".join(str(number) for number in numbers)
