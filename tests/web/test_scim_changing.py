"""What one change costs the database: a fixed handful of statements, each asked once, whoever and however many there are."""

import re
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import col, select

from provision.core.tables import EventDetail, Operation
from provision.house import House
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import GROUP, Pusher, crowd, sent

OFF: dict[str, Any] = {"op": "replace", "path": "active", "value": False}
ON: dict[str, Any] = {"op": "replace", "path": "active", "value": True}
TITLE: dict[str, Any] = {"op": "replace", "path": "title", "value": "Lead"}


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


def most(house: House, number: int) -> int:
    """So many at most; SQLite is told besides where a transaction begins, once to be let in and once to write."""
    return number + (2 if house.db.is_sqlite else 0)


def counted(okta: Pusher, house: House, number: str, *operations: dict[str, Any]) -> list[str]:
    """The statements of one PATCH."""
    with sent(house) as statements:
        answer = okta.patch(f"/Users/{number}", *operations)
    assert answer.status_code == 204, answer.text
    return statements


@pytest.mark.parametrize(
    ("before", "change", "number"),
    [(ON, OFF, 12), (OFF, ON, 16), (ON, TITLE, 14), (TITLE, TITLE, 8)],
    ids=["off", "on", "title", "nothing"],
)  # fmt: skip
def test_a_change_asks_the_database_a_handful_of_times_and_nothing_twice(
    okta: Pusher, house: House, before: dict[str, Any], change: dict[str, Any], number: int
) -> None:
    somebody = crowd(okta, 50)[7]
    okta.patch(f"/Users/{somebody}", before)
    okta.end()
    statements = counted(okta, house, somebody, change)
    assert len(statements) <= most(house, number), statements
    assert max(Counter(statements).values()) == 1
    assert not [one for one in statements if "SAVEPOINT" in one]


def test_a_change_costs_no_more_among_many_than_among_few(okta: Pusher, house: House) -> None:
    ids = crowd(okta, 200)
    okta.post("/Groups", {"schemas": [GROUP], "displayName": "All", "members": [{"value": each} for each in ids]})
    first = counted(okta, house, ids[0], OFF, TITLE)
    for each in ids[1:9]:
        okta.patch(f"/Users/{each}", OFF, TITLE)
    assert len(counted(okta, house, ids[9], OFF, TITLE)) <= len(first) <= most(house, 18)


def test_a_change_that_goes_on_to_another_app_still_takes_one_transaction(
    okta: Pusher, house: House, cast: Cast, clock: Clock
) -> None:
    Desk(house, cast.contoso, clock)
    number = okta.hire("jane.doe")
    with house.db.writing() as session:
        session.execute(sa.delete(Operation))
    with sent(house) as statements:
        assert okta.patch(f"/Users/{number}", TITLE).status_code == 204
    assert len(statements) <= most(house, 24), statements
    assert [one for one in statements if one.startswith("INSERT INTO operations")]
    with house.db.reading() as session:
        (operation,) = session.exec(select(Operation)).all()
        told = session.exec(select(EventDetail).order_by(col(EventDetail.event_id).desc())).first()
    assert operation.created_by == "Okta"
    assert told is not None
    assert (told.before, told.after) == ({"title": None}, {"title": "Lead"})


def test_the_statements_of_a_change_are_compiled_once(okta: Pusher, house: House) -> None:
    ids = crowd(okta, 20)
    for each in ids[:4]:
        okta.patch(f"/Users/{each}", OFF, TITLE)
        okta.patch(f"/Users/{each}", ON)
    compiled: Any = house.db.engine._compiled_cache
    held = len(compiled)
    for each in ids[4:]:
        okta.patch(f"/Users/{each}", OFF, TITLE)
        okta.patch(f"/Users/{each}", ON)
    assert len(compiled) == held


def test_the_cycle_that_follows_reads_nobody_else(okta: Pusher, house: House) -> None:
    """SQLite finds the few it is about by their own indexes, and counts all others by one that it need not look behind."""
    ids = crowd(okta, 20)
    okta.patch(f"/Users/{ids[0]}", OFF)
    with sent(house) as statements:
        okta.end()
    assert okta.person(ids[0]).lifecycle == "suspended"
    if not house.db.is_sqlite:
        return  # PostgreSQL plans by what a table holds
    with house.db.engine.connect() as connection:
        plans = [
            step.detail
            for one in statements
            if "FROM accounts" in one
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", (1,) * one.count("?"))
        ]
    whole = re.compile(
        r"accounts USING INDEX (\w+) \(connector_id=\?( AND (situation=\?|(id|rowid|anchor|user_id)>\?))*\)"
    )
    walked = {found[1] for step in plans if (found := whole.search(step))}
    assert walked <= {"ix_accounts_leaving", "ix_accounts_stale"}, plans
    assert not [step for step in plans if step.startswith("SCAN accounts") or "PRIMARY KEY (rowid>?)" in step], plans


def test_who_is_switched_off_looks_at_no_cycle_that_is_over(okta: Pusher, house: House) -> None:
    """Clients that push leave many behind: SQLite finds the one that is not over by its own index."""
    ids = crowd(okta, 2)
    okta.patch(f"/Users/{ids[0]}", OFF)
    asked = [one for one in counted(okta, house, ids[1], OFF) if "FROM cycles" in one]
    assert len(asked) == 1
    if not house.db.is_sqlite:
        return  # PostgreSQL plans by what a table holds
    with house.db.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", (1, 1)).all()
    assert ["uq_cycles_unfinished" in row.detail for row in plan] == [True]
