"""Owns reading users: lists, counts, single users, their managers and what they belong to.
Never changes one."""

# ruff: noqa: ARG001, S608 - every resource has the same signature; conditions are put together from the texts here, values are bound

import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from provision.sandbox.graph.cloud import Cloud, app_roles, entity, user_row, visible_until
from provision.sandbox.graph.errors import bad_request, denied, not_found
from provision.sandbox.graph.properties import GROUP, READ_BASIC, USER, default_names, shown
from provision.sandbox.graph.query import (
    Options,
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

READ_ALL = frozenset({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"})
LEAVE_READERS = frozenset({"User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"})
INDEXED = ("mail", "employeeId", "onPremisesImmutableId")
SMALL_EXPANSION = 20


def list_users(cloud: Cloud, call: Call) -> Answer:
    options = options_of(call, USER, "User")
    judge_selection(call, options.selected)
    with cloud.store.reading() as db:

        def rows(start: int) -> Iterator[tuple[int, dict[str, Any]]]:
            for position, body in matching(_candidates(db, cloud, options, start), body_of, options, start):
                yield position, show(db, body, options.names, options.expand)

        def total() -> int:
            return sum(1 for _ in matching(_candidates(db, cloud, options, 0), body_of, options, 0))

        return page_answer(cloud, call, fragment_of("users", options.selected), rows, options, total)


def count_users(cloud: Cloud, call: Call) -> Answer:
    if not call.eventual:
        raise bad_request("$count is not currently supported.")
    options = options_of(Call("GET", call.path, dict(call.query) | {"$count": "true"}, call.headers), USER, "User")
    with cloud.store.reading() as db:
        total = sum(1 for _ in matching(_candidates(db, cloud, options, 0), body_of, options, 0))
    return Answer(200, str(total), content_type="text/plain")


def get_user(cloud: Cloud, call: Call, user: str) -> Answer:
    refuse_unknown(call.query)
    selected = select_of(call.query, USER, "User")
    judge_selection(call, selected)
    with cloud.store.reading() as db:
        body = body_of(user_row(db, cloud, user))
        item = show(db, body, selected or default_names(USER), call.query.get("$expand"))
    return Answer(200, entity(cloud, f"{fragment_of('users', selected)}/$entity", item))


def get_manager(cloud: Cloud, call: Call, user: str) -> Answer:
    selected = select_of(call.query, USER, "User")
    with cloud.store.reading() as db:
        manager = _manager(db, user_row(db, cloud, user)["id"])
        if manager is None:
            raise not_found("manager")
        item = {"@odata.type": "#microsoft.graph.user"} | show(db, manager, selected or default_names(USER), None)
    return Answer(200, entity(cloud, "directoryObjects/$entity", item))


def get_manager_reference(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.reading() as db:
        manager = _manager(db, user_row(db, cloud, user)["id"])
    if manager is None:
        raise not_found("manager")
    link = f"{cloud.graph_url}/v1.0/users/{manager['id']}"
    return Answer(200, {"@odata.context": cloud.context("$ref"), "@odata.id": link})


def list_reports(cloud: Cloud, call: Call, user: str) -> Answer:
    selected = select_of(call.query, USER, "User") or default_names(USER)
    with cloud.store.reading() as db:
        rows = db.execute(
            "SELECT body FROM users JOIN managers USING (id) WHERE manager = ? AND deleted_at IS NULL ORDER BY seq",
            (user_row(db, cloud, user)["id"],),
        ).fetchall()
    items = [{"@odata.type": "#microsoft.graph.user"} | shown(USER, body_of(row), selected) for row in rows]
    return Answer(200, collection(cloud, "directoryObjects", items))


def list_memberships(cloud: Cloud, call: Call, user: str) -> Answer:
    """Groups and directory roles of one user in one list, told apart by their type."""
    with cloud.store.reading() as db:
        items = memberships(db, user_row(db, cloud, user)["id"])
    return Answer(200, collection(cloud, "directoryObjects", items))


def list_group_memberships(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.reading() as db:
        items = memberships(db, user_row(db, cloud, user)["id"])
    groups = [item for item in items if item["@odata.type"] == "#microsoft.graph.group"]
    return Answer(200, collection(cloud, "groups", groups))


def list_member_group_ids(cloud: Cloud, call: Call, user: str) -> Answer:
    """`getMemberGroups`: ids only, direct and nested; the body says whether security groups alone are wanted."""
    only_security = bool(call.json().get("securityEnabledOnly")) if call.body else False
    with cloud.store.reading() as db:
        items = memberships(db, user_row(db, cloud, user)["id"])
    ids = [item["id"] for item in items if "group" in item["@odata.type"]]
    if only_security:
        ids = [item["id"] for item in items if item.get("securityEnabled")]
    return Answer(200, collection(cloud, "Collection(Edm.String)", ids))


def memberships(db: sqlite3.Connection, user_id: str) -> list[dict[str, Any]]:
    """Return the groups and roles a user is in, as Graph shows them where kinds are mixed."""
    groups = db.execute(
        "SELECT body FROM groups JOIN members ON grp = id WHERE member = ? AND deleted_at IS NULL ORDER BY seq",
        (user_id,),
    ).fetchall()
    roles = db.execute(
        "SELECT roles.* FROM roles JOIN role_members ON role = id WHERE member = ? ORDER BY name", (user_id,)
    ).fetchall()
    names = default_names(GROUP)
    kind = {"@odata.type": "#microsoft.graph.group"}
    return [kind | shown(GROUP, body_of(row), names) for row in groups] + [
        {"@odata.type": "#microsoft.graph.directoryRole"} | role_body(row) for row in roles
    ]


def role_body(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "deletedDateTime": None,
        "description": row["description"],
        "displayName": row["name"],
        "id": row["id"],
        "roleTemplateId": row["template"],
    }


def show(db: sqlite3.Connection, body: dict[str, Any], names: tuple[str, ...], expand: str | None) -> dict[str, Any]:
    """Make what a caller sees of a stored user: the asked properties and at most one expanded relationship."""
    item = shown(USER, body, names)
    if "identities" in item and "identities" not in body:
        item["identities"] = [_sign_in_identity(body)]
    if not expand:
        return item
    relation, _, inner = expand.partition("(")
    chosen = re.search(r"\$select=([^;)]*)", inner)
    selected = select_of({"$select": chosen.group(1)}, USER, "User") if chosen else default_names(USER)
    item[relation] = _expanded(db, relation, body["id"], selected or default_names(USER))
    if item[relation] is None:
        del item[relation]
    return item


def judge_selection(call: Call, selected: tuple[str, ...] | None) -> None:
    """403 when a property was selected that the caller's permissions don't cover."""
    roles = app_roles(call)
    wanted = set(selected or ())
    if "employeeLeaveDateTime" in wanted and not roles & LEAVE_READERS:
        raise denied()
    if "signInActivity" in wanted and "AuditLog.Read.All" not in roles:
        raise denied()
    if not roles & READ_ALL and wanted - READ_BASIC:
        raise denied()


def _expanded(db: sqlite3.Connection, relation: str, user_id: str, names: tuple[str, ...]) -> Any:
    kind = {"@odata.type": "#microsoft.graph.user"}
    if relation == "manager":
        manager = _manager(db, user_id)
        return None if manager is None else kind | shown(USER, manager, names)
    if relation == "memberOf":
        return memberships(db, user_id)[:SMALL_EXPANSION]
    rows = db.execute(
        "SELECT body FROM users JOIN managers USING (id) WHERE manager = ? AND deleted_at IS NULL LIMIT ?",
        (user_id, SMALL_EXPANSION),
    )
    return [kind | shown(USER, body_of(row), names) for row in rows]


def _manager(db: sqlite3.Connection, user_id: str) -> dict[str, Any] | None:
    row = db.execute(
        "SELECT body FROM users JOIN managers ON manager = users.id WHERE managers.id = ? AND deleted_at IS NULL",
        (user_id,),
    ).fetchone()
    return body_of(row) if row else None


def _sign_in_identity(body: dict[str, Any]) -> dict[str, str]:
    upn = body["userPrincipalName"]
    return {"issuer": upn.partition("@")[2], "issuerAssignedId": upn, "signInType": "userPrincipalName"}


def _candidates(db: sqlite3.Connection, cloud: Cloud, options: Options, start: int) -> Iterable[sqlite3.Row]:
    """Return the rows worth testing, from the replica that serves this kind of read, asking an index when one fits."""
    until = visible_until(db, cloud, "lag_index" if options.advanced else "lag_list")
    after = 0 if options.order else start
    chosen = "deleted_at IS NULL AND created_at <= :until AND seq > :after ORDER BY seq"
    values: dict[str, Any] = {"until": until, "after": after}
    exact = options.filter.exact if options.filter else {}
    if "id" in exact:
        return db.execute(f"SELECT seq, body FROM users WHERE id = :id AND {chosen}", values | {"id": exact["id"]})
    if "userPrincipalName" in exact:
        values["key"] = exact["userPrincipalName"]
        return db.execute(f"SELECT seq, body FROM users WHERE upn_key = :key AND {chosen}", values)
    for name, value in exact.items():
        if name in INDEXED or name.startswith("extensionAttribute"):
            values |= {"property": name, "value": value}
            found = "id IN (SELECT id FROM keys WHERE property = :property AND value = :value)"
            return db.execute(f"SELECT seq, body FROM users WHERE {found} AND {chosen}", values)
    if not options.narrowed and not options.order and not options.count:
        chosen += " LIMIT :limit"
        values["limit"] = options.top + 1
    return db.execute(f"SELECT seq, body FROM users WHERE {chosen}", values)
