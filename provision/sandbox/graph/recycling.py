"""Owns deleted objects: listing, restoring, purging, and the thirty days after which they are gone.
Never deletes a living one."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from provision.sandbox.graph.cloud import Cloud, app_roles, entity
from provision.sandbox.graph.directory import domains
from provision.sandbox.graph.errors import bad_request, denied, not_found
from provision.sandbox.graph.licences import settle_seats
from provision.sandbox.graph.permissions import judge_reach
from provision.sandbox.graph.properties import GROUP, USER, Property, default_names, shown
from provision.sandbox.graph.query import fragment_of, matching, options_of, page_answer, select_of
from provision.sandbox.graph.records import address_holder, judge_nickname, judge_unique, purge_user
from provision.sandbox.graph.validation import check_sign_in_name, decode
from provision.sandbox.seed import keys_of
from provision.sandbox.store import body_of, encode_body, record_change
from provision.sandbox.wire import Answer, Call

KEPT = 30 * 24 * 3600.0  # seconds
USER_DELETERS = frozenset({"User.DeleteRestore.All", "User.ReadWrite.All"})


def list_users(cloud: Cloud, call: Call) -> Answer:
    return _list(cloud, call, "users", USER, "User")


def list_groups(cloud: Cloud, call: Call) -> Answer:
    return _list(cloud, call, "groups", GROUP, "Group")


def count_users(cloud: Cloud, call: Call) -> Answer:
    if not call.eventual:
        raise bad_request("$count is not currently supported.")
    with cloud.store.reading() as db:
        total = db.execute("SELECT count(*) FROM users WHERE deleted_at IS NOT NULL").fetchone()[0]
    return Answer(200, str(total), content_type="text/plain")


def get(cloud: Cloud, call: Call, item: str) -> Answer:
    with cloud.store.reading() as db:
        kind, row = _row(db, item)
    table, resource = (USER, "User") if kind == "users" else (GROUP, "Group")
    names = select_of(call.query, table, resource) or default_names(table)
    return Answer(200, entity(cloud, "directoryObjects/$entity", _typed(kind) | shown(table, body_of(row), names)))


def restore(cloud: Cloud, call: Call, item: str) -> Answer:
    """Bring somebody back under the old sign-in name, or another; the mail addresses may have been taken meanwhile."""
    wanted = decode(call.json) if call.body else {}
    with cloud.store.writing() as db:
        kind, row = _row(db, item)
        if kind == "groups":
            _restore_group(db, cloud, row)
            return Answer(200, entity(cloud, "directoryObjects/$entity", _typed(kind) | {"id": row["id"]}))
        if not app_roles(call) & USER_DELETERS:
            raise denied()
        judge_reach(db, call, row["id"])
        body = _restored(db, body_of(row), wanted)
        judge_unique(db, body)
        db.execute(
            "UPDATE users SET deleted_at = NULL, upn_key = ?, body = ? WHERE id = ?",
            (body["userPrincipalName"].casefold(), encode_body(body), row["id"]),
        )
        keys = [(name, value, row["id"]) for name, value in keys_of(body)]
        db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", keys)
        record_change(db, "users", row["id"], "restored", cloud.moment())
        settle_seats(db, row["id"], cloud.moment())
    item_shown = _typed(kind) | shown(USER, body, default_names(USER))
    return Answer(200, entity(cloud, "directoryObjects/$entity", item_shown))


def purge(cloud: Cloud, call: Call, item: str) -> Answer:
    """Delete for good; for groups an application never may."""
    with cloud.store.writing() as db:
        kind, row = _row(db, item)
        if kind == "groups" or not app_roles(call) & USER_DELETERS:
            raise denied()
        judge_reach(db, call, row["id"])
        purge_user(db, row["id"], cloud.moment())
    return Answer(204)


def sweep(db: sqlite3.Connection, at: float) -> None:
    """Purge what has been in the bin for thirty days."""
    for row in db.execute("SELECT id FROM users WHERE deleted_at <= ?", (at - KEPT,)).fetchall():
        purge_user(db, row["id"], at)


def overdue(db: sqlite3.Connection, at: float) -> bool:
    return db.execute("SELECT 1 FROM users WHERE deleted_at <= ?", (at - KEPT,)).fetchone() is not None


def _list(cloud: Cloud, call: Call, kind: str, table: dict[str, Property], resource: str) -> Answer:
    options = options_of(call, table, resource)
    with cloud.store.reading() as db:

        def found(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            query = f"SELECT seq, body FROM {kind} WHERE deleted_at IS NOT NULL ORDER BY seq"  # noqa: S608
            return iter(matching(db.execute(query), body_of, options, start))

        def rows(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            return ((position, shown(table, body, options.names)) for position, body in found(start))

        fragment = fragment_of(kind, options.selected)
        return page_answer(cloud, call, fragment, rows, options, lambda: sum(1 for _ in found(0)))


def _row(db: sqlite3.Connection, item: str) -> tuple[str, sqlite3.Row]:
    for kind in ("users", "groups"):
        query = f"SELECT * FROM {kind} WHERE id = ? AND deleted_at IS NOT NULL"  # noqa: S608
        row = db.execute(query, (item.lower(),)).fetchone()
        if row is not None:
            return kind, row
    raise not_found(item)


def _restored(db: sqlite3.Connection, body: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Work out the body somebody comes back with."""
    name = wanted.get("newUserPrincipalName") or body["userPrincipalName"].removeprefix(body["id"].replace("-", ""))
    check_sign_in_name(name, {domain["id"]: domain for domain in domains(db)})
    kept = {key: value for key, value in body.items() if key != "deletedDateTime"} | {"userPrincipalName": name}
    addresses = body.get("proxyAddresses", [])
    clashing = [address for address in addresses if address_holder(db, [address], body["id"])]
    if clashing and wanted.get("autoReconcileProxyConflict"):
        kept["proxyAddresses"] = [address for address in addresses if address not in clashing]
    return kept


def _restore_group(db: sqlite3.Connection, cloud: Cloud, row: sqlite3.Row) -> None:
    body = {key: value for key, value in body_of(row).items() if key != "deletedDateTime"}
    judge_nickname(db, body)
    db.execute("UPDATE groups SET deleted_at = NULL, body = ? WHERE id = ?", (encode_body(body), row["id"]))
    record_change(db, "groups", row["id"], "restored", cloud.moment())


def _typed(kind: str) -> dict[str, Any]:
    return {"@odata.type": f"#microsoft.graph.{kind[:-1]}"}
