"""Owns the first state of a sandbox directory: tenant, domains, subscriptions, roles, people, groups.
Never touches a directory that already exists."""

# ruff: noqa: S311 - the same seed shall give the same directory

import json
import random
import re
import secrets
import sqlite3
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from provision.sandbox import people
from provision.sandbox.people import DOMAIN, FEDERATED_DOMAIN, INITIAL_DOMAIN, UNVERIFIED_DOMAIN, Person
from provision.sandbox.store import encode_body, set_fact

# Directory roles with their well-known template ids.
ROLES = {
    "Global Administrator": ("62e90394-69f5-4237-9190-012177145e10", "Can manage everything in the directory."),
    "User Administrator": ("fe930be7-5e62-47db-91af-98c3a49a38b1", "Can manage users and groups, with limits."),
    "Helpdesk Administrator": (
        "729827e3-9c14-49f7-bb1b-9608f156bbb8",
        "Can reset passwords for people without a role.",
    ),
    "Privileged Role Administrator": ("e8611ab8-c189-46e8-94e1-60213ab1f814", "Can assign directory roles."),
    "Privileged Authentication Administrator": (
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
        "Can manage the authentication methods of everybody.",
    ),
    "Directory Readers": ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Can read basic directory information."),
}
# Service plans with their well-known ids.
PLANS = {
    "EXCHANGE_S_STANDARD": "9aaf7827-d63c-4b61-89c3-182f06f82e5c",
    "EXCHANGE_S_ENTERPRISE": "efb87545-963c-4e0d-99df-69c6916d9eb0",
    "SHAREPOINTSTANDARD": "c7699d2e-19aa-44de-8edf-1736da088ca1",
    "SHAREPOINTENTERPRISE": "5dbe027f-2339-4123-9542-606e4d348a72",
    "TEAMS1": "57ff2da0-773e-42df-b2af-ffb7a2317929",
    "OFFICE_BUSINESS": "094e7854-93fc-4d55-b2c0-3ab5369ebdc1",
    "INTUNE_A": "c1ec4a95-1f05-45b3-a911-aa3fa01094f5",
    "AAD_PREMIUM": "41781fb2-bc02-4b7c-bd55-b576c07bb09d",
    "MCOMEETADV": "3e26ee1f-8a5f-4d52-aee2-b81ce45c8f40",
    "FLOW_P2_VIRAL": "50e68c76-46c6-4674-81f9-75456511b170",
}
# Part number: SKU id, seats free after seeding, status, plans.
SKUS: dict[str, tuple[str, int, str, tuple[str, ...]]] = {
    "SPB": (
        "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46",
        5,
        "Enabled",
        ("EXCHANGE_S_STANDARD", "SHAREPOINTSTANDARD", "TEAMS1", "OFFICE_BUSINESS", "INTUNE_A", "AAD_PREMIUM"),
    ),
    "O365_BUSINESS_ESSENTIALS": (
        "3b555118-da6a-4418-894f-7df1e2096870",
        2,
        "Warning",
        ("EXCHANGE_S_STANDARD", "SHAREPOINTSTANDARD", "TEAMS1"),
    ),
    "SPE_E3": (
        "05e9a617-0261-4cee-bb44-138d3ef5d965",
        0,
        "Enabled",
        ("EXCHANGE_S_ENTERPRISE", "SHAREPOINTENTERPRISE", "TEAMS1", "INTUNE_A", "AAD_PREMIUM"),
    ),
    "MCOMEETADV": ("0c266dff-15dd-4b49-8397-2bb16070ed52", 3, "Enabled", ("MCOMEETADV",)),
    "FLOW_FREE": ("f30db892-07e9-47e9-837c-80727f46fd3d", 10_000, "Enabled", ("FLOW_P2_VIRAL",)),
    "AAD_PREMIUM": ("078d2b04-f1bd-4111-bbd4-b4b1b354cef4", 20, "Suspended", ("AAD_PREMIUM",)),
}


def fill(db: sqlite3.Connection, users: int, seed: int) -> None:
    """Write the whole first state. Everything but the keys and the secret follows from `seed`."""
    chance = random.Random(f"tenant {seed}")
    _tenant(db, chance)
    _domains(db)
    _roles(db, chance)
    crowd = list(people.cast(users, seed))
    _people(db, crowd)
    _skus(db, crowd)
    _managers(db, crowd, chance)
    _groups(db, crowd, chance)


def keys_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (property, folded value) pairs a user can be looked up by without reading everybody."""
    keys = [(name, body[name]) for name in ("mail", "employeeId", "onPremisesImmutableId") if body.get(name)]
    keys += [("proxyAddresses", address) for address in body.get("proxyAddresses", ())]
    extensions = body.get("onPremisesExtensionAttributes") or {}
    keys += [(name, value) for name, value in extensions.items() if value]
    return [(name, value.casefold()) for name, value in keys]


def licence_of(part: str) -> dict[str, Any]:
    """The value of `assignedLicenses` that a plain assignment of `part` leaves."""
    return {"disabledPlans": [], "skuId": SKUS[part][0]}


def token_key() -> str:
    """A fresh key to sign access tokens with, as text."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


def _tenant(db: sqlite3.Connection, chance: random.Random) -> None:
    secret = secrets.token_urlsafe(30)
    facts = {
        "tenant": _guid(chance),
        "client_id": _guid(chance),
        "service_principal": _guid(chance),
        "client_secret": secret,
        "display_name": f"{people.COMPANY} AS",
        "founded": people.stamp(people.FOUNDED),
        "synced_at": people.stamp(people.FOUNDED + timedelta(days=2500)),
        "token_key": token_key(),
        "token_generation": 0,
        "consent": None,
        "app_roles": [],
    }
    for name, value in facts.items():
        set_fact(db, name, value)
    db.execute("INSERT INTO credentials VALUES (?, 'secret', ?, NULL)", (_guid(chance), secret))


def _domains(db: sqlite3.Connection) -> None:
    domains = (
        _domain(INITIAL_DOMAIN, isInitial=True, supportedServices=["Email", "OfficeCommunicationsOnline"]),
        _domain(DOMAIN, isDefault=True, supportedServices=["Email", "Intune", "OfficeCommunicationsOnline"]),
        _domain(FEDERATED_DOMAIN, authenticationType="Federated", supportedServices=["Email"]),
        _domain(UNVERIFIED_DOMAIN, isVerified=False),
    )
    rows = [(body["id"], number, json.dumps(body)) for number, body in enumerate(domains)]
    db.executemany("INSERT INTO domains VALUES (?, ?, ?)", rows)


def _domain(name: str, **different: Any) -> dict[str, Any]:
    return {
        "authenticationType": "Managed",
        "availabilityStatus": None,
        "id": name,
        "isAdminManaged": True,
        "isDefault": False,
        "isInitial": False,
        "isRoot": True,
        "isVerified": True,
        "manufacturer": None,
        "model": None,
        "passwordNotificationWindowInDays": 14,
        "passwordValidityPeriodInDays": 2_147_483_647,
        "state": None,
        "supportedServices": [],
    } | different


def _roles(db: sqlite3.Connection, chance: random.Random) -> None:
    rows = [(_guid(chance), template, name, text) for name, (template, text) in ROLES.items()]
    db.executemany("INSERT INTO roles VALUES (?, ?, ?, ?)", rows)


def _people(db: sqlite3.Connection, crowd: list[Person]) -> None:
    for person in crowd:
        if person.licence:
            person.body["assignedLicenses"] = [licence_of(person.licence)]
            person.body["licenseAssignmentStates"] = [_state(person)]
    db.executemany(
        "INSERT INTO users (id, upn_key, created_at, body) VALUES (?, ?, ?, ?)",
        ((p.id, p.body["userPrincipalName"].casefold(), p.created_at, encode_body(p.body)) for p in crowd),
    )
    db.executemany(
        "INSERT OR IGNORE INTO keys VALUES (?, ?, ?)",
        ((name, value, person.id) for person in crowd for name, value in keys_of(person.body)),
    )
    db.executemany(
        "INSERT INTO assignments (user, sku, at) VALUES (?, ?, ?)",
        ((p.id, SKUS[p.licence][0], p.created_at) for p in crowd if p.licence),
    )
    db.executemany(
        "INSERT INTO role_members SELECT id, ? FROM roles WHERE name = ?",
        ((person.id, person.role) for person in crowd if person.role),
    )


def _state(person: Person) -> dict[str, Any]:
    return {
        "assignedByGroup": None,
        "disabledPlans": [],
        "error": "None",
        "lastUpdatedDateTime": person.body["createdDateTime"],
        "skuId": SKUS[person.licence or ""][0],
        "state": "Active",
    }


def _skus(db: sqlite3.Connection, crowd: list[Person]) -> None:
    for position, (part, (sku, free, status, plans)) in enumerate(SKUS.items()):
        used = sum(person.licence == part for person in crowd)
        seats = {"enabled": 0, "lockedOut": 0, "suspended": 0, "warning": 0}
        seats[status.lower()] = used + free
        body = {
            "accountName": INITIAL_DOMAIN.partition(".")[0],
            "appliesTo": "User",
            "capabilityStatus": status,
            "prepaidUnits": seats,
            "servicePlans": [plan_of(name, "Success") for name in plans],
            "skuId": sku,
            "skuPartNumber": part,
            "subscriptionIds": [str(uuid.uuid5(uuid.UUID(sku), "subscription"))],
        }
        db.execute("INSERT INTO skus VALUES (?, ?, ?)", (sku, position, json.dumps(body)))


def plan_of(name: str, status: str) -> dict[str, str]:
    """Describe one service plan the way subscriptions and licence details list it."""
    return {
        "appliesTo": "User",
        "provisioningStatus": status,
        "servicePlanId": PLANS[name],
        "servicePlanName": name,
    }


def _managers(db: sqlite3.Connection, crowd: list[Person], chance: random.Random) -> None:
    leads = {person.department: person.id for person in crowd if person.lead}
    head = next((person.id for person in crowd if person.kind == "global_admin"), None)
    rows = []
    for person in crowd:
        above = head if person.lead else leads.get(person.department)
        if person.department and above and above != person.id and chance.random() < 0.9:
            rows.append((person.id, above))
    db.executemany("INSERT INTO managers VALUES (?, ?)", rows)


def _groups(db: sqlite3.Connection, crowd: list[Person], chance: random.Random) -> None:
    staff = [person for person in crowd if person.department]
    for name in sorted({person.department for person in staff if person.department}):
        members = (person.id for person in staff if person.department == name)
        _group(db, chance, members, displayName=name, description=f"Everybody in {name}")
    kinds: tuple[tuple[Iterable[Person], dict[str, Any]], ...] = (
        (
            staff,
            {
                "displayName": "All Staff",
                "groupTypes": ["DynamicMembership"],
                "membershipRule": '(user.companyName -eq "Fjordvik Shipping")',
                "membershipRuleProcessingState": "On",
            },
        ),
        (staff[::5], {"displayName": "Harbour News", "groupTypes": ["Unified"], "visibility": "Public"}),
        (staff[::7], {"displayName": "Project Lodestar", "groupTypes": ["Unified"], "visibility": "Private"}),
        (staff[::4], {"displayName": "Gangway Notices", "mailEnabled": True, "securityEnabled": False}),
        (staff[::6], {"displayName": "Shore Office VPN", "onPremisesSyncEnabled": True}),
        (staff[:1], {"displayName": "Tier Zero", "isAssignableToRole": True}),
        ((), {"displayName": "Licence: Power Automate"}),
    )
    for chosen, body in kinds:
        _group(db, chance, (person.id for person in chosen), **body)


def _group(db: sqlite3.Connection, chance: random.Random, members: Iterable[str], **different: Any) -> None:
    group_id = _guid(chance)
    unified = "Unified" in different.get("groupTypes", ())
    nickname = re.sub(r"[^a-z0-9]+", "-", people.latin(different["displayName"]).lower()).strip("-")
    created = people.FOUNDED + timedelta(days=1)
    body = {
        "createdDateTime": people.stamp(created),
        "groupTypes": [],
        "id": group_id,
        "mailEnabled": unified,
        "mailNickname": nickname,
        "renewedDateTime": people.stamp(created),
        "securityEnabled": not unified,
        "securityIdentifier": "S-1-12-1-" + "-".join(str(chance.getrandbits(32)) for _ in range(4)),
    } | different
    if body["mailEnabled"]:
        body |= {"mail": f"{nickname}@{DOMAIN}", "proxyAddresses": [f"SMTP:{nickname}@{DOMAIN}"]}
    db.execute(
        "INSERT INTO groups (id, created_at, body) VALUES (?, ?, ?)",
        (group_id, created.timestamp(), encode_body(body)),
    )
    db.executemany("INSERT INTO members VALUES (?, ?)", ((group_id, member) for member in members))


def _guid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))
