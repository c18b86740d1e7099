"""What SQLite is told about how much there is, and what it makes of it: who is asked for by number is looked up by number."""

import re
from typing import Any

import sqlalchemy as sa

from provision.db import Database
from provision.house import House
from provision.migrations import sizes
from provision.services import users
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


def told(db: Database) -> dict[str, str]:
    with db.engine.connect() as connection:
        query = "SELECT coalesce(idx, tbl) AS name, stat FROM sqlite_stat1"
        return {row.name: row.stat for row in connection.exec_driver_sql(query)}


def test_every_index_is_told_and_no_name_is_told_in_vain(house: House) -> None:
    if not house.db.is_sqlite:
        return  # PostgreSQL measures by itself
    found = sa.inspect(house.db.engine)
    indexes = {
        one["name"]: one["column_names"] for table in found.get_table_names() for one in found.get_indexes(table)
    }
    stats = told(house.db)
    assert {name: len(stats[str(name)].split()) - 1 for name in indexes} == {
        name: len(columns) for name, columns in indexes.items()
    }
    assert set(sizes.FEW) <= set(indexes)
    assert set(sizes.ROWS) <= set(found.get_table_names())
    assert set(sizes.DIFFERENT) <= {column for columns in indexes.values() for column in columns}


def test_what_somebody_measured_on_a_small_directory_does_not_stay(house: House) -> None:
    if not house.db.is_sqlite:
        return  # PostgreSQL measures by itself
    before = told(house.db)
    with house.db.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    assert told(house.db) != before
    house.db.migrate()
    assert told(house.db) == before


def test_an_edit_on_its_way_out_walks_past_nobody(house: House, cast: Cast, clock: Clock) -> None:
    """From the form to the settled write, no statement reads all of an organisation or of an app."""
    desk = Desk(house, cast.contoso, clock)
    jane = desk.present("jane")
    walks: list[str] = []
    walking = re.compile(
        r"(SCAN|SEARCH (?=\w+ USING)) ?(accounts|users|events|activations|drift_choices)\b"
        r"(?!.*\b(rowid|(user_|account_)?id|anchor|name|email_key|sequence|digest)=)"
    )

    @sa.event.listens_for(house.db.engine, "before_cursor_execute")
    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if house.db.is_sqlite and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            steps = connection.connection.dbapi_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            walks.extend(f"{step[3]}: {statement}" for step in steps if walking.match(step[3]))

    with house.db.writing() as session:
        users.edit(session, desk.tenant, jane, {"given_name": "Janet"}, desk.order())
    desk.drain()
    assert desk.states() == {"done": 1}
    assert walks == []
