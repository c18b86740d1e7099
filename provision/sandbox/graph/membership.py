"""Owns changing groups: create, update, delete, members and owners.
Never touches a member's own properties, licences apart, which follow later."""

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from provision.sandbox.graph.cloud import Cloud, app_roles, entity, group_row, visible_until
from provision.sandbox.graph.errors import GraphError, bad_request, denied, missing_reference, not_found
from provision.sandbox.graph.licences import queue_group
from provision.sandbox.graph.permissions import judge_mastery
from provision.sandbox.graph.properties import GROUP, default_names, shown
from provision.sandbox.graph.records import judge_nickname, relate, update_group
from provision.sandbox.graph.validation import check, check_nickname, decode, require
from provision.sandbox.graph.writing import delete as delete_user
from provision.sandbox.graph.writing import referenced
from provision.sandbox.people import DOMAIN
from provision.sandbox.store import body_of, encode_body, record_change
from provision.sandbox.wire import Answer, Call

MOST_REFERENCES = 20
ROLE_MANAGER = "RoleManagement.ReadWrite.Directory"
TABLES = {"members": ("members", "member"), "owners": ("owners", "owner")}


def create_group(cloud: Cloud, call: Call) -> Answer:
    sent = decode(call.json)
    bound = {name: sent.pop(f"{name}@odata.bind", []) for name in TABLES}
    check(sent, GROUP, "Group", creating=True)
    require(sent, GROUP, "Group")
    check_nickname(sent["mailNickname"], "Group")
    _judge_kind(sent)
    if sent.get("isAssignableToRole") and ROLE_MANAGER not in app_roles(call):
        raise denied()
    if sum(map(len, bound.values())) > MOST_REFERENCES:
        raise bad_request(f"At most {MOST_REFERENCES} references can be bound in one request.")
    at = cloud.moment()
    with cloud.store.writing() as db:
        body = _new_body(sent, cloud)
        judge_nickname(db, body)
        db.execute("INSERT INTO groups (id, created_at, body) VALUES (?, ?, ?)", (body["id"], at, encode_body(body)))
        record_change(db, "groups", body["id"], "new", at)
        for relation, links in bound.items():
            for link in links:
                _join(db, cloud, call, body, relation, referenced(cloud, link))
    location = f"{cloud.graph_url}/v1.0/groups/{body['id']}"
    return Answer(
        201, entity(cloud, "groups/$entity", shown(GROUP, body, default_names(GROUP))), {"Location": location}
    )


def update(cloud: Cloud, call: Call, group: str) -> Answer:
    """Change properties, or bind up to twenty members, of whom either all or none are added."""
    sent = decode(call.json)
    links = sent.pop("members@odata.bind", [])
    check(sent, GROUP, "Group", creating=False)
    if "mailNickname" in sent:
        check_nickname(sent["mailNickname"], "Group")
    if len(links) > MOST_REFERENCES:
        raise bad_request(f"At most {MOST_REFERENCES} references can be bound in one request.")
    with cloud.store.writing() as db:
        old = body_of(_group(db, cloud, group) if links else group_row(db, cloud, group))
        if sent:
            judge_mastery(old)
            judge_nickname(db, old | sent)
            update_group(db, old, old | sent, cloud.moment())
        for link in links:
            _join(db, cloud, call, old, "members", referenced(cloud, link))
    return Answer(204)


def delete(cloud: Cloud, call: Call, group: str) -> Answer:
    with cloud.store.writing() as db:
        row = group_row(db, cloud, group)
        body = body_of(row)
        judge_mastery(body)
        if body.get("isAssignableToRole") and ROLE_MANAGER not in app_roles(call):
            raise denied()
        body["deletedDateTime"] = cloud.stamp()
        db.execute(
            "UPDATE groups SET deleted_at = ?, body = ? WHERE id = ?", (cloud.moment(), encode_body(body), row["id"])
        )
        record_change(db, "groups", row["id"], "removed", cloud.moment())
    return Answer(204)


def add_member(cloud: Cloud, call: Call, group: str) -> Answer:
    return _add(cloud, call, group, "members")


def add_owner(cloud: Cloud, call: Call, group: str) -> Answer:
    return _add(cloud, call, group, "owners")


def remove_member(cloud: Cloud, call: Call, group: str, member: str) -> Answer:
    return _remove(cloud, call, group, "members", member)


def delete_member(cloud: Cloud, call: Call, group: str, user: str) -> Answer:
    """What forgetting `/$ref` does: the person is deleted, not the membership."""
    with cloud.store.reading() as db:
        group_row(db, cloud, group)
    return delete_user(cloud, call, user)


def remove_owner(cloud: Cloud, call: Call, group: str, member: str) -> Answer:
    return _remove(cloud, call, group, "owners", member)


def _add(cloud: Cloud, call: Call, group: str, relation: str) -> Answer:
    link = decode(call.json).get("@odata.id")
    with cloud.store.writing() as db:
        _join(db, cloud, call, body_of(_group(db, cloud, group)), relation, referenced(cloud, link))
    return Answer(204)


def _remove(cloud: Cloud, call: Call, group: str, relation: str, member: str) -> Answer:
    table, column = TABLES[relation]
    with cloud.store.writing() as db:
        body = body_of(group_row(db, cloud, group))
        _judge_membership(body, call)
        gone = db.execute(
            f"DELETE FROM {table} WHERE grp = ? AND {column} = ?",  # noqa: S608 - from the table above
            (body["id"], member.lower()),
        )
        if not gone.rowcount:
            raise not_found(member)
        _log(db, cloud, body, relation, member.lower())
    return Answer(204)


def _join(
    db: sqlite3.Connection, cloud: Cloud, call: Call, group: Mapping[str, Any], relation: str, other: str
) -> None:
    _judge_membership(group, call)
    table, column = TABLES[relation]
    kind, other_id = _object(db, cloud, other)
    if kind == "group" and (relation == "owners" or "Unified" in group["groupTypes"]):
        raise bad_request(f"A {kind} can't be added to the {relation} of this group.")
    already = db.execute(
        f"SELECT 1 FROM {table} WHERE grp = ? AND {column} = ?",  # noqa: S608 - from the table above
        (group["id"], other_id),
    ).fetchone()
    if already:
        raise bad_request(
            f"One or more added object references already exist for the following modified properties: '{relation}'."
        )
    db.execute(f"INSERT INTO {table} VALUES (?, ?)", (group["id"], other_id))  # noqa: S608 - as above
    _log(db, cloud, group, relation, other_id)


def _log(db: sqlite3.Connection, cloud: Cloud, group: Mapping[str, Any], relation: str, other_id: str) -> None:
    relate(db, "groups", group["id"], relation, other_id, cloud.moment())
    if relation == "members" and group.get("assignedLicenses"):
        queue_group(db, group["id"], cloud.moment())


def _judge_membership(group: Mapping[str, Any], call: Call) -> None:
    """Refuse by hand what a rule, another service or the directory on premises decides."""
    if "DynamicMembership" in group["groupTypes"]:
        raise denied("Insufficient privileges to complete the operation.")
    if group.get("isAssignableToRole") and ROLE_MANAGER not in app_roles(call):
        raise denied()
    judge_mastery(group)
    if group["mailEnabled"] and "Unified" not in group["groupTypes"]:
        raise bad_request(
            "Unable to update the specified properties for objects that have originated within an external service."
        )


def _group(db: sqlite3.Connection, cloud: Cloud, group: str) -> sqlite3.Row:
    """Find a group to write to: a fresh one that isn't known everywhere yet is a 400 of its own kind, no 404."""
    try:
        return group_row(db, cloud, group)
    except GraphError as error:
        fresh = db.execute("SELECT 1 FROM groups WHERE id = ? AND deleted_at IS NULL", (group.lower(),)).fetchone()
        raise (missing_reference() if fresh else error) from error


def _object(db: sqlite3.Connection, cloud: Cloud, other: str) -> tuple[str, str]:
    until = visible_until(db, cloud, "lag_get")
    for kind in ("user", "group"):
        row = db.execute(
            f"SELECT id FROM {kind}s WHERE id = ? AND deleted_at IS NULL AND created_at <= ?",  # noqa: S608 - as above
            (other.lower(), until),
        ).fetchone()
        if row is not None:
            return kind, row["id"]
    raise not_found(other)


def _judge_kind(sent: Mapping[str, Any]) -> None:
    """Only security and Microsoft 365 groups can be made through Graph."""
    unified = "Unified" in sent.get("groupTypes", ())
    if sent["mailEnabled"] and not unified:
        raise bad_request("The service does not currently support writes of mail-enabled groups.")
    if unified and not sent["mailEnabled"]:
        raise bad_request("A Microsoft 365 group has to be mail-enabled.")
    if not unified and not sent["securityEnabled"]:
        raise bad_request("A group has to be mail-enabled or security-enabled.")
    if "DynamicMembership" in sent.get("groupTypes", ()) and not sent.get("membershipRule"):
        raise bad_request("A value is required for property 'membershipRule' of resource 'Group'.")


def _new_body(sent: Mapping[str, Any], cloud: Cloud) -> dict[str, Any]:
    now = cloud.stamp()
    body = {name: value for name, value in sent.items() if value is not None} | {
        "id": str(uuid.uuid4()),
        "createdDateTime": now,
        "groupTypes": sent.get("groupTypes", []),
        "renewedDateTime": now,
        "securityIdentifier": "S-1-12-1-" + "-".join(str(uuid.uuid4().int % 2**32) for _ in range(4)),
    }
    if body["mailEnabled"]:
        address = f"{body['mailNickname']}@{DOMAIN}"
        body |= {"mail": address, "proxyAddresses": [f"SMTP:{address}"], "visibility": body.get("visibility", "Public")}
    return body
