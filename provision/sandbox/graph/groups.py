"""Owns reading groups: lists, single groups, members, owners.
Never changes one."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from provision.sandbox.graph.cloud import Cloud, entity, group_row, visible_until
from provision.sandbox.graph.errors import bad_request
from provision.sandbox.graph.properties import GROUP, USER, default_names, shown
from provision.sandbox.graph.query import (
    collection,
    fragment_of,
    matching,
    options_of,
    page_answer,
    refuse_unknown,
    select_of,
)
from provision.sandbox.store import body_of
from provision.sandbox.wire import Answer, Call


def list_groups(cloud: Cloud, call: Call) -> Answer:
    options = options_of(call, GROUP, "Group")
    with cloud.store.reading() as db:
        until = visible_until(db, cloud, "lag_index" if options.advanced else "lag_list")
        query = "SELECT seq, body FROM groups WHERE deleted_at IS NULL AND created_at <= ? ORDER BY seq"

        def found(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            return iter(matching(db.execute(query, (until,)), body_of, options, start))

        def rows(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            return ((position, shown(GROUP, body, options.names)) for position, body in found(start))

        fragment = fragment_of("groups", options.selected)
        return page_answer(cloud, call, fragment, rows, options, lambda: sum(1 for _ in found(0)))


def count_groups(cloud: Cloud, call: Call) -> Answer:
    if not call.eventual:
        raise bad_request("$count is not currently supported.")
    with cloud.store.reading() as db:
        total = db.execute("SELECT count(*) FROM groups WHERE deleted_at IS NULL").fetchone()[0]
    return Answer(200, str(total), content_type="text/plain")


def get_group(cloud: Cloud, call: Call, group: str) -> Answer:
    refuse_unknown(call.query)
    selected = select_of(call.query, GROUP, "Group")
    with cloud.store.reading() as db:
        body = body_of(group_row(db, cloud, group))
    item = shown(GROUP, body, selected or default_names(GROUP))
    return Answer(200, entity(cloud, f"{fragment_of('groups', selected)}/$entity", item))


def list_members(cloud: Cloud, call: Call, group: str) -> Answer:
    return _people(cloud, call, group, "members", "member")


def list_owners(cloud: Cloud, call: Call, group: str) -> Answer:
    return _people(cloud, call, group, "owners", "owner")


def count_members(cloud: Cloud, call: Call, group: str) -> Answer:
    if not call.eventual:
        raise bad_request("$count is not currently supported.")
    with cloud.store.reading() as db:
        row = group_row(db, cloud, group)
        total = db.execute(
            "SELECT count(*) FROM members JOIN users ON id = member WHERE grp = ? AND deleted_at IS NULL", (row["id"],)
        ).fetchone()[0]
    return Answer(200, str(total), content_type="text/plain")


def list_members_transitively(cloud: Cloud, call: Call, group: str) -> Answer:
    """People of the group and of the groups inside it."""
    selected = select_of(call.query, USER, "User")
    with cloud.store.reading() as db:
        rows = db.execute(
            "WITH RECURSIVE inner (id) AS (SELECT ? UNION SELECT member FROM members JOIN inner ON grp = inner.id) "
            "SELECT body FROM users WHERE deleted_at IS NULL "
            "AND id IN (SELECT member FROM members WHERE grp IN inner) ORDER BY seq",
            (group_row(db, cloud, group)["id"],),
        ).fetchall()
    items = [_person(body_of(row), selected or default_names(USER)) for row in rows]
    return Answer(200, collection(cloud, "directoryObjects", items))


def _people(cloud: Cloud, call: Call, group: str, table: str, column: str) -> Answer:
    """One page of a group's people, then the groups in it where they are nested."""
    options = options_of(call, USER, "User")
    with cloud.store.reading() as db:
        row = group_row(db, cloud, group)

        def rows(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            people = db.execute(
                f"SELECT seq, body FROM users JOIN {table} ON {column} = id "  # noqa: S608 - both named above
                "WHERE grp = ? AND deleted_at IS NULL AND seq > ? ORDER BY seq",
                (row["id"], start),
            )
            for position, body in matching(people, body_of, options, start):
                yield position, _person(body, options.names)
            if not call.path.endswith("graph.user"):
                yield from _nested(db, row["id"], table, column, start)

        def total() -> int:
            return sum(1 for _ in rows(0))

        return page_answer(cloud, call, fragment_of("directoryObjects", options.selected), rows, options, total)


def _nested(
    db: sqlite3.Connection, group_id: str, table: str, column: str, start: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Groups come after all people: their positions begin where no user's number reaches."""
    beyond = 2**40
    rows = db.execute(
        f"SELECT seq, body FROM groups JOIN {table} ON {column} = id "  # noqa: S608 - both named by the caller
        "WHERE grp = ? AND deleted_at IS NULL AND seq > ? ORDER BY seq",
        (group_id, start - beyond),
    )
    kind = {"@odata.type": "#microsoft.graph.group"}
    for row in rows:
        yield row["seq"] + beyond, kind | shown(GROUP, body_of(row), default_names(GROUP))


def _person(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.user"} | shown(USER, body, names)
