"""Owns temporary access passes: made once, shown once, replaced by the next.
Never keeps one in readable form."""

# ruff: noqa: ARG001 - every resource has the same signature

import json
import secrets
import sqlite3
import uuid
from datetime import datetime, timedelta
from typing import Any

from provision.sandbox.faults import knob
from provision.sandbox.graph.cloud import Cloud, entity, stamp, user_row
from provision.sandbox.graph.errors import GraphError, not_found
from provision.sandbox.graph.query import collection
from provision.sandbox.graph.validation import decode
from provision.sandbox.store import hash_password, verify_password
from provision.sandbox.wire import Answer, Call

SHORTEST, LONGEST, USUAL = 10, 43_200, 60  # minutes
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789+*$&"


def create(cloud: Cloud, call: Call, user: str) -> Answer:
    wanted = decode(call.json) if call.body else {}
    minutes = wanted.get("lifetimeInMinutes") or USUAL
    if not isinstance(minutes, int) or not SHORTEST <= minutes <= LONGEST:
        raise GraphError(400, "badRequest", f"Lifetime must be between {SHORTEST} and {LONGEST} minutes.")
    secret = "".join(secrets.choice(LETTERS) for _ in range(8))
    with cloud.store.writing() as db:
        if not knob(db, "pass_policy"):
            raise GraphError(400, "badRequest", "The temporary access pass policy of the tenant does not allow passes.")
        row = user_row(db, cloud, user)
        body = {
            "id": str(uuid.uuid4()),
            "createdDateTime": cloud.stamp(),
            "isUsableOnce": bool(wanted.get("isUsableOnce")),
            "lifetimeInMinutes": minutes,
            "startDateTime": wanted.get("startDateTime") or cloud.stamp(),
        }
        db.execute("DELETE FROM passes WHERE user = ?", (row["id"],))
        kept = (body["id"], row["id"], hash_password(secret), json.dumps(body))
        db.execute("INSERT INTO passes VALUES (?, ?, ?, ?)", kept)
    item = _shown(body, cloud) | {"temporaryAccessPass": secret}
    return Answer(201, entity(cloud, _fragment(row["id"]) + "/$entity", item))


def list_all(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.reading() as db:
        row = user_row(db, cloud, user)
        found = db.execute("SELECT body FROM passes WHERE user = ?", (row["id"],)).fetchall()
    items = [_shown(json.loads(one["body"]), cloud) for one in found]
    return Answer(200, collection(cloud, _fragment(row["id"]), items))


def get(cloud: Cloud, call: Call, user: str, item: str) -> Answer:
    with cloud.store.reading() as db:
        row = user_row(db, cloud, user)
        body = json.loads(_pass(db, row["id"], item)["body"])
    return Answer(200, entity(cloud, _fragment(row["id"]) + "/$entity", _shown(body, cloud)))


def delete(cloud: Cloud, call: Call, user: str, item: str) -> Answer:
    with cloud.store.writing() as db:
        found = _pass(db, user_row(db, cloud, user)["id"], item)
        db.execute("DELETE FROM passes WHERE id = ?", (found["id"],))
    return Answer(204)


def spend(db: sqlite3.Connection, cloud: Cloud, user_id: str, secret: str) -> bool:
    """Whether somebody may sign in with this pass now; one for a single use is gone afterwards."""
    row = db.execute("SELECT * FROM passes WHERE user = ?", (user_id,)).fetchone()
    if row is None or not verify_password(secret, row["hash"]):
        return False
    body = json.loads(row["body"])
    usable: bool = _shown(body, cloud)["isUsable"]
    if usable and body["isUsableOnce"]:
        db.execute("DELETE FROM passes WHERE id = ?", (row["id"],))
    return usable


def _pass(db: sqlite3.Connection, user_id: str, item: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute("SELECT * FROM passes WHERE user = ? AND id = ?", (user_id, item)).fetchone()
    if row is None:
        raise not_found(item)
    return row


def _shown(body: dict[str, Any], cloud: Cloud) -> dict[str, Any]:
    """Say whether the pass would work now, and why not."""
    starts = datetime.fromisoformat(body["startDateTime"])
    ends = starts + timedelta(minutes=body["lifetimeInMinutes"])
    reason = "NotYetValid" if cloud.now() < starts else "Expired" if cloud.now() >= ends else "EnabledByPolicy"
    usable = {"isUsable": reason == "EnabledByPolicy", "methodUsabilityReason": reason, "temporaryAccessPass": None}
    return body | usable | {"startDateTime": stamp(starts.timestamp())}


def _fragment(user_id: str) -> str:
    return f"users('{user_id}')/authentication/temporaryAccessPassMethods"
