"""Owns how a user's or group's row is changed: body, look-up keys and the entry in the change log together.
Never judges whether it may be changed."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from provision.sandbox.graph.errors import conflict
from provision.sandbox.seed import keys_of
from provision.sandbox.store import body_of, encode_body, record_change


def insert_user(db: sqlite3.Connection, body: Mapping[str, Any], password: str | None, at: float) -> None:
    db.execute(
        "INSERT INTO users (id, upn_key, created_at, password, body) VALUES (?, ?, ?, ?, ?)",
        (body["id"], body["userPrincipalName"].casefold(), at, password, encode_body(dict(body))),
    )
    _renew_keys(db, body)
    record_change(db, "users", body["id"], "new", at)


def update_user(db: sqlite3.Connection, old: Mapping[str, Any], new: Mapping[str, Any], at: float) -> None:
    """Store what is different; nothing is stored or logged when nothing is."""
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if not changed:
        return
    db.execute(
        "UPDATE users SET upn_key = ?, body = ? WHERE id = ?",
        (new["userPrincipalName"].casefold(), encode_body(dict(new)), new["id"]),
    )
    _renew_keys(db, new)
    record_change(db, "users", new["id"], "changed", at, ",".join(changed))


def update_group(db: sqlite3.Connection, old: Mapping[str, Any], new: Mapping[str, Any], at: float) -> None:
    changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if changed:
        db.execute("UPDATE groups SET body = ? WHERE id = ?", (encode_body(dict(new)), new["id"]))
        record_change(db, "groups", new["id"], "changed", at, ",".join(changed))


def relate(db: sqlite3.Connection, kind: str, object_id: str, relation: str, other: str, at: float) -> None:
    """Log that `object_id` gained or lost `other`; which of the two shows from the tables at reading time."""
    record_change(db, kind, object_id, "related", at, f"{relation},{other}")


def set_aside(db: sqlite3.Connection, row: sqlite3.Row, at: float, stamp: str) -> None:
    """Move a user to the bin: the sign-in name is mangled, so that it is free for somebody else."""
    body = body_of(row)
    body |= {"userPrincipalName": body["id"].replace("-", "") + body["userPrincipalName"], "deletedDateTime": stamp}
    db.execute(
        "UPDATE users SET upn_key = ?, deleted_at = ?, body = ? WHERE id = ?",
        (body["userPrincipalName"].casefold(), at, encode_body(body), body["id"]),
    )
    db.execute("DELETE FROM keys WHERE id = ?", (body["id"],))
    record_change(db, "users", body["id"], "removed", at)


def purge_user(db: sqlite3.Connection, user_id: str, at: float) -> None:
    """Forget a user in the bin, for good."""
    for statement in (
        "DELETE FROM users WHERE id = ?",
        "DELETE FROM keys WHERE id = ?",
        "DELETE FROM managers WHERE id = ?",
        "DELETE FROM managers WHERE manager = ?",
        "DELETE FROM members WHERE member = ?",
        "DELETE FROM owners WHERE owner = ?",
        "DELETE FROM role_members WHERE member = ?",
        "DELETE FROM assignments WHERE user = ?",
        "DELETE FROM passes WHERE user = ?",
    ):
        db.execute(statement, (user_id,))
    record_change(db, "users", user_id, "purged", at)


def judge_unique(db: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    """Refuse a sign-in name, immutable id or mail address that somebody else has; the master knows all at once."""
    own = body["id"]
    taken = db.execute(
        "SELECT 1 FROM users WHERE upn_key = ? AND id <> ? AND deleted_at IS NULL",
        (body["userPrincipalName"].casefold(), own),
    ).fetchone()
    if taken:
        raise conflict("userPrincipalName")
    _judge_immutable_id(db, body)
    holder = address_holder(db, body.get("proxyAddresses", ()), own)
    if holder:
        text = f"Conflicting object: {holder}"
        raise conflict("proxyAddresses", {"code": "ConflictingObjects", "message": text, "target": "proxyAddresses"})


def judge_nickname(db: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    """Refuse a mail-enabled group's nickname that another such group has; security groups may share theirs."""
    if not body["mailEnabled"]:
        return
    for row in db.execute("SELECT body FROM groups WHERE deleted_at IS NULL AND id <> ?", (body["id"],)):
        other = body_of(row)
        if other["mailEnabled"] and other["mailNickname"].casefold() == body["mailNickname"].casefold():
            raise conflict("mailNickname")


def address_holder(db: sqlite3.Connection, addresses: Iterable[str], own: str) -> str | None:
    """Return the id of another user that has one of these addresses, in whatever case it is written."""
    for address in addresses:
        row = db.execute(
            "SELECT id FROM keys WHERE property = 'proxyAddresses' AND value = ? AND id <> ?", (address.casefold(), own)
        ).fetchone()
        if row:
            return str(row["id"])
    return None


def _judge_immutable_id(db: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    """People in the bin keep theirs, so the bodies there are looked through."""
    wanted = body.get("onPremisesImmutableId")
    if not wanted:
        return
    live = db.execute(
        "SELECT 1 FROM keys WHERE property = 'onPremisesImmutableId' AND value = ? AND id <> ?",
        (wanted.casefold(), body["id"]),
    ).fetchone()
    binned = db.execute("SELECT body FROM users WHERE deleted_at IS NOT NULL AND id <> ?", (body["id"],))
    if live or any(body_of(row).get("onPremisesImmutableId") == wanted for row in binned):
        raise conflict("onPremisesImmutableId")


def _renew_keys(db: sqlite3.Connection, body: Mapping[str, Any]) -> None:
    db.execute("DELETE FROM keys WHERE id = ?", (body["id"],))
    rows = [(name, value, body["id"]) for name, value in keys_of(dict(body))]
    db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", rows)
