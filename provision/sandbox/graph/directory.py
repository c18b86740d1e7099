"""Owns what describes the tenant as a whole: organization, domains, subscriptions, directory roles.
Never changes any of it."""

# ruff: noqa: ARG001 - every resource has the same signature

import json
import sqlite3
from typing import Any

from provision.sandbox.graph.cloud import Cloud, entity
from provision.sandbox.graph.errors import not_found
from provision.sandbox.graph.properties import USER, default_names, shown
from provision.sandbox.graph.query import collection, fragment_of, refuse_unknown, select_of
from provision.sandbox.graph.users import role_body
from provision.sandbox.store import body_of, fact
from provision.sandbox.wire import Answer, Call

QUOTA = 50_000  # objects in a directory without a verified domain; six times that with one


def list_organization(cloud: Cloud, call: Call) -> Answer:
    with cloud.store.reading() as db:
        body = _organization(db, "directorySizeQuota" in call.query.get("$select", ""))
    items = [_narrowed(call, body)]
    return Answer(200, collection(cloud, "organization", items))


def get_organization(cloud: Cloud, call: Call, organization: str) -> Answer:
    with cloud.store.reading() as db:
        body = _organization(db, "directorySizeQuota" in call.query.get("$select", ""))
    if organization.lower() != body["id"]:
        raise not_found(organization)
    return Answer(200, entity(cloud, "organization/$entity", _narrowed(call, body)))


def list_domains(cloud: Cloud, call: Call) -> Answer:
    with cloud.store.reading() as db:
        items = domains(db)
    return Answer(200, collection(cloud, "domains", [_narrowed(call, item) for item in items]))


def get_domain(cloud: Cloud, call: Call, domain: str) -> Answer:
    with cloud.store.reading() as db:
        found = next((item for item in domains(db) if item["id"] == domain.lower()), None)
    if found is None:
        raise not_found(domain)
    return Answer(200, entity(cloud, "domains/$entity", found))


def domains(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return all domains, the unverified one too, the initial one first."""
    return [json.loads(row["body"]) for row in db.execute("SELECT body FROM domains ORDER BY position")]


def list_skus(cloud: Cloud, call: Call) -> Answer:
    with cloud.store.reading() as db:
        items = [_sku(db, row) for row in db.execute("SELECT * FROM skus ORDER BY position").fetchall()]
    return Answer(200, collection(cloud, "subscribedSkus", [_narrowed(call, item) for item in items]))


def get_sku(cloud: Cloud, call: Call, sku: str) -> Answer:
    with cloud.store.reading() as db:
        row = db.execute("SELECT * FROM skus WHERE id = ?", (sku.lower().rpartition("_")[2],)).fetchone()
        if row is None:
            raise not_found(sku)
        return Answer(200, entity(cloud, "subscribedSkus/$entity", _sku(db, row)))


def seats_used(db: sqlite3.Connection, sku: str) -> int:
    """Count the live people holding a seat; assignments in error hold none."""
    used: int = db.execute(
        "SELECT count(DISTINCT user) FROM assignments JOIN users ON users.id = user "
        "WHERE sku = ? AND error = 'None' AND deleted_at IS NULL",
        (sku,),
    ).fetchone()[0]
    return used


def list_roles(cloud: Cloud, call: Call) -> Answer:
    """Only activated roles are listed, as in a real directory; the sandbox has activated those it knows."""
    with cloud.store.reading() as db:
        items = [role_body(row) for row in db.execute("SELECT * FROM roles ORDER BY name").fetchall()]
    return Answer(200, collection(cloud, "directoryRoles", [_narrowed(call, item) for item in items]))


def get_role(cloud: Cloud, call: Call, role: str) -> Answer:
    with cloud.store.reading() as db:
        return Answer(200, entity(cloud, "directoryRoles/$entity", role_body(_role(db, role))))


def list_role_members(cloud: Cloud, call: Call, role: str) -> Answer:
    refuse_unknown(call.query)
    selected = select_of(call.query, USER, "User")
    with cloud.store.reading() as db:
        rows = db.execute(
            "SELECT body FROM users JOIN role_members ON member = id WHERE role = ? AND deleted_at IS NULL ORDER BY seq",
            (_role(db, role)["id"],),
        ).fetchall()
        items = [_member(body_of(row), selected) for row in rows]
        items += _service_principals(db, role)
    return Answer(200, collection(cloud, fragment_of("directoryObjects", selected), items))


def _member(body: dict[str, Any], selected: tuple[str, ...] | None) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.user"} | shown(USER, body, selected or default_names(USER))


def _service_principals(db: sqlite3.Connection, role: str) -> list[dict[str, Any]]:
    if _role(db, role)["template"] not in fact(db, "app_roles"):
        return []
    principal = {"id": fact(db, "service_principal"), "appId": fact(db, "client_id"), "displayName": "Provision"}
    return [{"@odata.type": "#microsoft.graph.servicePrincipal"} | principal]


def _role(db: sqlite3.Connection, role: str) -> sqlite3.Row:
    """Find a role by its id or, where it was spelled as a key, by its template."""
    template = role.removeprefix("roleTemplateId=")
    column = "id" if template == role else "template"
    query = f"SELECT * FROM roles WHERE {column} = ?"  # noqa: S608 - one of the two just named
    row: sqlite3.Row | None = db.execute(query, (template.lower(),)).fetchone()
    if row is None:
        raise not_found(role)
    return row


def _sku(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    tenant = fact(db, "tenant")
    body: dict[str, Any] = json.loads(row["body"])
    return body | {
        "accountId": tenant,
        "consumedUnits": seats_used(db, row["id"]),
        "id": f"{tenant}_{row['id']}",
    }


def _organization(db: sqlite3.Connection, with_size: bool) -> dict[str, Any]:
    """Describe the tenant; counting its objects takes a while in a large one, so it is done on request only."""
    verified = [_verified(item) for item in domains(db) if item["isVerified"]]
    return {
        "id": fact(db, "tenant"),
        "deletedDateTime": None,
        "assignedPlans": [],
        "businessPhones": [],
        "city": "Ålesund",
        "country": "Norway",
        "countryLetterCode": "NO",
        "createdDateTime": fact(db, "founded"),
        "directorySizeQuota": {"used": _size(db), "total": 6 * QUOTA} if with_size else None,
        "displayName": fact(db, "display_name"),
        "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": fact(db, "synced_at"),
        "onPremisesSyncEnabled": True,
        "postalCode": "6002",
        "preferredLanguage": "en",
        "provisionedPlans": [],
        "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [],
        "state": None,
        "street": "Skansekaia 3",
        "technicalNotificationMails": [f"it@{verified[0]['name']}"],
        "tenantType": "AAD",
        "verifiedDomains": verified,
    }


def _verified(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "capabilities": ", ".join(item["supportedServices"]) or "None",
        "isDefault": item["isDefault"],
        "isInitial": item["isInitial"],
        "name": item["id"],
        "type": item["authenticationType"],
    }


def _size(db: sqlite3.Connection) -> int:
    used: int = db.execute("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM groups)").fetchone()[0]
    return used


def _narrowed(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Apply $select to a resource whose properties are all known from its body; directorySizeQuota must be selected."""
    asked = call.query.get("$select")
    if not asked:
        return {name: value for name, value in body.items() if name != "directorySizeQuota"}
    table = {name.strip() for name in asked.split(",")}
    return {name: value for name, value in body.items() if name in table}
