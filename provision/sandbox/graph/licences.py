"""Owns licences: assigning to people directly and through groups, seats, plans and their details.
Never sells a seat twice: the last one is counted inside the transaction that takes it."""

# ruff: noqa: ARG001 - every resource has the same signature

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from provision.sandbox.faults import knob
from provision.sandbox.graph.cloud import Cloud, entity, group_row, stamp, user_row
from provision.sandbox.graph.directory import seats_used
from provision.sandbox.graph.errors import bad_request
from provision.sandbox.graph.properties import GROUP, USER, default_names, shown
from provision.sandbox.graph.query import collection
from provision.sandbox.graph.records import update_group, update_user
from provision.sandbox.graph.validation import decode
from provision.sandbox.store import body_of
from provision.sandbox.wire import Answer, Call

EXCLUSIVE = (
    frozenset({"EXCHANGE_S_STANDARD", "EXCHANGE_S_ENTERPRISE"}),
    frozenset({"SHAREPOINTSTANDARD", "SHAREPOINTENTERPRISE"}),
)
NEEDS = {"MCOMEETADV": "TEAMS1"}
NOT_EXPECTED = "Cannot convert a primitive value to the expected type 'Edm.Guid'."


class Violation(Exception):
    """Why an assignment can't stand: `error` is the state's word, the message is the direct call's."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def assign(cloud: Cloud, call: Call, user: str) -> Answer:
    """Add and remove in one step: either all of it happens or nothing."""
    add, remove = _asked(call)
    at = cloud.moment()
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        body = body_of(row)
        for sku in remove:
            _judge_removal(db, row["id"], sku)
            db.execute("DELETE FROM assignments WHERE user = ? AND sku = ? AND by_group = ''", (row["id"], sku))
        for sku, disabled in add.items():
            try:
                _put(db, body, sku, "", disabled, at)
            except Violation as error:
                raise bad_request(str(error)) from error
        _judge_plans_direct(db, row["id"])
        refresh(db, row["id"], at)
        item = shown(USER, body_of(user_row(db, cloud, row["id"])), default_names(USER))
    return Answer(200, entity(cloud, "users/$entity", item))


def assign_to_group(cloud: Cloud, call: Call, group: str) -> Answer:
    """Accept at once, carry out later; what goes wrong for a member shows in that member's states only."""
    add, remove = _asked(call)
    with cloud.store.writing() as db:
        row = group_row(db, cloud, group)
        for sku, disabled in add.items():
            _sku(db, sku)
            db.execute("INSERT OR REPLACE INTO group_licences VALUES (?, ?, ?)", (row["id"], sku, json.dumps(disabled)))
        for sku in remove:
            db.execute("DELETE FROM group_licences WHERE grp = ? AND sku = ?", (row["id"], sku))
        queue_group(db, row["id"], cloud.moment())
        old = body_of(row)
        licences = db.execute("SELECT sku, disabled FROM group_licences WHERE grp = ?", (row["id"],)).fetchall()
        new = old | {
            "assignedLicenses": [
                {"disabledPlans": json.loads(one["disabled"]), "skuId": one["sku"]} for one in licences
            ],
            "licenseProcessingState": {"state": "QueuedForProcessing"},
        }
        update_group(db, old, new, cloud.moment())
    return Answer(202, entity(cloud, "groups/$entity", shown(GROUP, new, default_names(GROUP))))


def reprocess(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        for group in db.execute("SELECT grp FROM members WHERE member = ?", (row["id"],)).fetchall():
            _process_member(db, group["grp"], row["id"], cloud.moment())
        item = shown(USER, body_of(user_row(db, cloud, row["id"])), default_names(USER))
    return Answer(200, entity(cloud, "users/$entity", item))


def list_details(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.reading() as db:
        row = user_row(db, cloud, user)
        items = [_detail(db, row["id"], one) for one in body_of(row).get("assignedLicenses", [])]
    return Answer(200, collection(cloud, f"users('{row['id']}')/licenseDetails", items))


def list_members_with_errors(cloud: Cloud, call: Call, group: str) -> Answer:
    with cloud.store.reading() as db:
        rows = db.execute(
            "SELECT DISTINCT users.id, body FROM users JOIN assignments ON user = users.id "
            "WHERE by_group = ? AND error <> 'None' AND deleted_at IS NULL ORDER BY seq",
            (group_row(db, cloud, group)["id"],),
        ).fetchall()
    kind = {"@odata.type": "#microsoft.graph.user"}
    items = [kind | shown(USER, body_of(row), default_names(USER)) for row in rows]
    return Answer(200, collection(cloud, "directoryObjects", items))


def queue_group(db: sqlite3.Connection, group_id: str, at: float) -> None:
    """Have a group's licences settled after the delay the weather asks for."""
    due = at + knob(db, "licence_delay")
    db.execute("INSERT OR REPLACE INTO licence_queue VALUES (?, ?)", (group_id, due))


def due(db: sqlite3.Connection, at: float) -> bool:
    return db.execute("SELECT 1 FROM licence_queue WHERE due_at <= ?", (at,)).fetchone() is not None


def settle_groups(db: sqlite3.Connection, at: float) -> None:
    """Carry out what is due: members of licensed groups get seats as long as there are some, others lose them."""
    for group in db.execute("SELECT grp FROM licence_queue WHERE due_at <= ?", (at,)).fetchall():
        members = {row[0] for row in db.execute("SELECT member FROM members WHERE grp = ?", (group["grp"],))}
        holders = {row[0] for row in db.execute("SELECT user FROM assignments WHERE by_group = ?", (group["grp"],))}
        for user_id in sorted(members | holders):
            _process_member(db, group["grp"], user_id, at)
        db.execute("DELETE FROM licence_queue WHERE grp = ?", (group["grp"],))
        row = db.execute("SELECT body FROM groups WHERE id = ?", (group["grp"],)).fetchone()
        if row is not None:
            old = body_of(row)
            update_group(db, old, old | {"licenseProcessingState": {"state": "ProcessingComplete"}}, at)


def settle_seats(db: sqlite3.Connection, user_id: str, at: float) -> None:
    """After a restore: licences come back as far as there are seats; an inherited one without a seat is in error."""
    for row in db.execute("SELECT * FROM assignments WHERE user = ? AND error = 'None'", (user_id,)).fetchall():
        if seats_used(db, row["sku"]) > _capacity(_sku(db, row["sku"])):
            if row["by_group"]:
                _mark(db, row, "CountViolation")
            else:
                db.execute(
                    "DELETE FROM assignments WHERE user = ? AND sku = ? AND by_group = ''", (user_id, row["sku"])
                )
    refresh(db, user_id, at)


def refresh(db: sqlite3.Connection, user_id: str, at: float) -> None:
    """Write what the assignments amount to into the user's own properties."""
    found = db.execute("SELECT body FROM users WHERE id = ?", (user_id,)).fetchone()
    if found is None:
        return
    old = body_of(found)
    rows = db.execute("SELECT * FROM assignments WHERE user = ? ORDER BY at, sku, by_group", (user_id,)).fetchall()
    disabled: dict[str, set[str]] = {}
    for row in rows:
        if row["error"] == "None":
            plans = set(json.loads(row["disabled"]))
            disabled[row["sku"]] = disabled.get(row["sku"], plans) & plans
    new = old | {
        "assignedLicenses": [{"disabledPlans": sorted(plans), "skuId": sku} for sku, plans in disabled.items()],
        "licenseAssignmentStates": [_state(row) for row in rows],
    }
    update_user(db, old, new, at)


def _asked(call: Call) -> tuple[dict[str, list[str]], list[str]]:
    """Read both lists; each of them must be there, if only empty."""
    body = decode(call.json)
    for name in ("addLicenses", "removeLicenses"):
        if not isinstance(body.get(name), list):
            raise bad_request(f"One or more parameters of the operation 'assignLicense' are missing: '{name}'.")
    add: dict[str, list[str]] = {}
    for entry in body["addLicenses"]:
        if not isinstance(entry, Mapping):
            raise bad_request(NOT_EXPECTED)
        add[_guid(entry.get("skuId"))] = [_guid(plan) for plan in entry.get("disabledPlans") or []]
    return add, [_guid(sku) for sku in body["removeLicenses"]]


def _guid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise bad_request(NOT_EXPECTED) from error


def _sku(db: sqlite3.Connection, sku: str) -> dict[str, Any]:
    row = db.execute("SELECT body FROM skus WHERE id = ?", (sku,)).fetchone()
    if row is None:
        raise bad_request(f"License {sku} does not correspond to a valid company License.")
    body: dict[str, Any] = json.loads(row["body"])
    return body


def _capacity(body: Mapping[str, Any]) -> int:
    seats = body["prepaidUnits"]
    return int(seats["enabled"] + seats["warning"])


def _put(
    db: sqlite3.Connection, user: Mapping[str, Any], sku: str, by_group: str, disabled: Iterable[str], at: float
) -> None:
    """Write one assignment; Violation when the place or the seats don't allow it. Again replaces the disabled plans."""
    body = _sku(db, sku)
    if not user.get("usageLocation"):
        text = "License assignment cannot be done for user with invalid usage location."
        raise Violation("ProhibitedInUsageLocationViolation", text)
    unknown = set(disabled) - {plan["servicePlanId"] for plan in body["servicePlans"]}
    if unknown:
        raise bad_request(f"The service plan {unknown.pop()} is not part of the License {sku}.")
    holds = db.execute(
        "SELECT 1 FROM assignments WHERE user = ? AND sku = ? AND error = 'None'", (user["id"], sku)
    ).fetchone()
    if not holds and seats_used(db, sku) >= _capacity(body):
        raise Violation("CountViolation", f"Subscription with SKU {sku} does not have any available licenses.")
    db.execute(
        "INSERT OR REPLACE INTO assignments (user, sku, by_group, disabled, at) VALUES (?, ?, ?, ?, ?)",
        (user["id"], sku, by_group, json.dumps(sorted(disabled)), at),
    )


def _judge_removal(db: sqlite3.Connection, user_id: str, sku: str) -> None:
    ways = {row[0] for row in db.execute("SELECT by_group FROM assignments WHERE user = ? AND sku = ?", (user_id, sku))}
    if "" in ways:
        return
    if ways:
        raise bad_request("User license is inherited from a group membership and it cannot be removed directly.")
    raise bad_request("User does not have a corresponding license.")


def _judge_plans(db: sqlite3.Connection, user_id: str) -> None:
    """Violation when the plans that would be on exclude each other or lack one they build on."""
    plans = _plans_on(db, user_id)
    for pair in EXCLUSIVE:
        if pair <= plans:
            first, second = sorted(pair)
            text = f"License assignment failed because service plans {first} and {second} are mutually exclusive."
            raise Violation("MutuallyExclusiveViolation", text)
    for plan, needed in NEEDS.items():
        if plan in plans and needed not in plans:
            text = f"License assignment failed because service plan {plan} depends on the service plan(s) {needed}."
            raise Violation("DependencyViolation", text)


def _judge_plans_direct(db: sqlite3.Connection, user_id: str) -> None:
    try:
        _judge_plans(db, user_id)
    except Violation as error:
        raise bad_request(str(error)) from error


def _plans_on(db: sqlite3.Connection, user_id: str) -> set[str]:
    plans: set[str] = set()
    query = "SELECT sku, disabled FROM assignments WHERE user = ? AND error = 'None'"
    for row in db.execute(query, (user_id,)).fetchall():
        off = set(json.loads(row["disabled"]))
        plans |= {p["servicePlanName"] for p in _sku(db, row["sku"])["servicePlans"] if p["servicePlanId"] not in off}
    return plans


def _process_member(db: sqlite3.Connection, group_id: str, user_id: str, at: float) -> None:
    """Give one member what the group carries, or note why not; take away what it no longer carries."""
    member = db.execute("SELECT 1 FROM members WHERE grp = ? AND member = ?", (group_id, user_id)).fetchone()
    carried = db.execute("SELECT sku, disabled FROM group_licences WHERE grp = ?", (group_id,)).fetchall()
    found = db.execute("SELECT body FROM users WHERE id = ? AND deleted_at IS NULL", (user_id,)).fetchone()
    wanted = {row["sku"]: json.loads(row["disabled"]) for row in carried} if member and found else {}
    held = db.execute("SELECT sku FROM assignments WHERE user = ? AND by_group = ?", (user_id, group_id)).fetchall()
    for row in held:
        if row["sku"] not in wanted:
            db.execute(
                "DELETE FROM assignments WHERE user = ? AND sku = ? AND by_group = ?", (user_id, row["sku"], group_id)
            )
    for sku, disabled in wanted.items():
        try:
            _put(db, body_of(found), sku, group_id, disabled, at)
            _judge_plans(db, user_id)
        except Violation as error:
            _note(db, user_id, sku, group_id, error.error, at)
    refresh(db, user_id, at)


def _note(db: sqlite3.Connection, user_id: str, sku: str, group_id: str, error: str, at: float) -> None:
    db.execute(
        "INSERT OR REPLACE INTO assignments (user, sku, by_group, error, at) VALUES (?, ?, ?, ?, ?)",
        (user_id, sku, group_id, error, at),
    )


def _mark(db: sqlite3.Connection, row: sqlite3.Row, error: str) -> None:
    db.execute(
        "UPDATE assignments SET error = ? WHERE user = ? AND sku = ? AND by_group = ?",
        (error, row["user"], row["sku"], row["by_group"]),
    )


def _state(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "assignedByGroup": row["by_group"] or None,
        "disabledPlans": json.loads(row["disabled"]),
        "error": row["error"],
        "lastUpdatedDateTime": stamp(row["at"]),
        "skuId": row["sku"],
        "state": "Active" if row["error"] == "None" else "Error",
    }


def _detail(db: sqlite3.Connection, user_id: str, licence: Mapping[str, Any]) -> dict[str, Any]:
    body = _sku(db, licence["skuId"])
    off = set(licence["disabledPlans"])
    plans = [
        plan | {"provisioningStatus": "Disabled" if plan["servicePlanId"] in off else "Success"}
        for plan in body["servicePlans"]
    ]
    return {
        "id": str(uuid.uuid5(uuid.UUID(user_id), licence["skuId"])),
        "servicePlans": plans,
        "skuId": licence["skuId"],
        "skuPartNumber": body["skuPartNumber"],
    }
