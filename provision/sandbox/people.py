"""Owns who lives in the sandbox: the same people for the same seed, each as a stored Graph body.
Never writes to the store."""

# ruff: noqa: ARG001, S311 - every maker has the same signature; the same seed shall give the same directory

import random
import re
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from provision.sandbox.names import (
    CULTURES,
    DEPARTMENTS,
    LETTERS,
    MAILBOXES,
    OFFICES,
    PARTNERS,
    ROOMS,
    Culture,
    halves,
)

COMPANY = "Fjordvik Shipping"
DOMAIN = "fjordvik.example"
INITIAL_DOMAIN = "fjordvik.onmicrosoft.com"
FEDERATED_DOMAIN = "skerry.example"
UNVERIFIED_DOMAIN = "fjordvik-cruises.example"
FOUNDED = datetime(2019, 3, 4, 7, 30, tzinfo=UTC)

# The first people are cast by hand so that even a directory of twenty has one of each kind.
CAST = (
    "breakglass", "global_admin", "user_admin", "member", "guest", "synced", "disabled", "federated", "mailbox",
    "room", "helpdesk", "member", "guest", "bare", "member", "synced_disabled", "unlicensed", "privileged",
)  # fmt: skip
MIX = {
    "member": 620, "unlicensed": 60, "synced": 130, "synced_disabled": 15, "federated": 25, "guest": 60,
    "disabled": 40, "mailbox": 15, "room": 10, "bare": 25,
}  # fmt: skip
ADMIN_ROLES = {
    "breakglass": "Global Administrator",
    "global_admin": "Global Administrator",
    "user_admin": "User Administrator",
    "helpdesk": "Helpdesk Administrator",
    "privileged": "Privileged Role Administrator",
}
SYNCED = ("synced", "synced_disabled", "federated")
UNLICENSED = ("breakglass", "guest", "mailbox", "room", "disabled", "synced_disabled", "unlicensed", "bare")


@dataclass(frozen=True)
class Person:
    """Somebody to be stored; `licence` is the part number of a subscription, `lead` whether others report here."""

    id: str
    kind: str
    body: dict[str, Any]
    licence: str | None = None
    role: str | None = None
    lead: bool = False
    department: str | None = None
    created_at: float = field(default=0.0)


def cast(count: int, seed: int) -> Iterator[Person]:
    """Yield `count` people (at least one, who is a Global Administrator); a larger cast begins with the smaller one."""
    chance = random.Random(f"people {seed}")
    taken: dict[str, int] = {}
    led: set[str] = set()
    kinds, weights = list(MIX), list(MIX.values())
    for number in range(max(count, 1)):
        kind = CAST[number] if number < len(CAST) else chance.choices(kinds, weights)[0]
        yield _person(number, kind, chance, taken, led)


def latin(text: str) -> str:
    """Spell a name with ASCII letters: ø becomes o, ß becomes ss, ễ becomes e."""
    plain = unicodedata.normalize("NFKD", text.translate(LETTERS))
    return "".join(letter for letter in plain if letter.isascii())


def _person(number: int, kind: str, chance: random.Random, taken: dict[str, int], led: set[str]) -> Person:
    person_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    created = FOUNDED + timedelta(minutes=number * 7 + chance.randrange(7))
    make = {"mailbox": _mailbox, "room": _room, "breakglass": _breakglass, "guest": _guest}.get(kind, _employee)
    body = make(number, kind, chance, taken)
    lead = kind in ("member", "global_admin") and body.get("department") not in led
    if lead:
        led.add(body["department"])
        body["jobTitle"] = DEPARTMENTS[body["department"]][0]
    body |= {
        "id": person_id,
        "createdDateTime": stamp(created),
        "securityIdentifier": "S-1-12-1-" + "-".join(str(chance.getrandbits(32)) for _ in range(4)),
        "signInSessionsValidFromDateTime": stamp(created),
    }
    return Person(
        person_id,
        kind,
        body,
        licence=_licence(kind, chance),
        role=ADMIN_ROLES.get(kind),
        lead=lead,
        department=body.get("department"),
        created_at=created.timestamp(),
    )


def _employee(number: int, kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    culture, given, family = _names(chance)
    domain = FEDERATED_DOMAIN if kind == "federated" else DOMAIN
    local = _local(f"{given[1]}.{family[1]}", taken)
    body = _account(f"{local}@{domain}", local, _display(culture, given[0], family[0]), kind, chance)
    body |= {"givenName": given[0], "surname": family[0]}
    if kind == "bare":  # an account somebody made in a hurry: nothing but what Graph insists on
        return body
    department = chance.choice(tuple(DEPARTMENTS))
    body |= {
        "city": culture.city,
        "companyName": COMPANY,
        "country": culture.country_name,
        "department": department,
        "employeeId": f"{10_001 + number}",
        "employeeType": chance.choice(("Employee", "Employee", "Employee", "Contractor")),
        "jobTitle": chance.choice(DEPARTMENTS[department][1:]),
        "officeLocation": chance.choice(OFFICES),
        "preferredLanguage": culture.language,
        "usageLocation": culture.country,
    }
    if chance.random() < 0.7:
        body["mobilePhone"] = f"{culture.phone} {chance.randrange(10**7, 10**8)}"
    if chance.random() < 0.4:
        body["businessPhones"] = [f"{culture.phone} {chance.randrange(10**7, 10**8)}"]
    for missing in ("employeeId", "mobilePhone", "officeLocation", "preferredLanguage", "city"):
        if chance.random() < 0.06:
            body.pop(missing, None)
    if chance.random() < 0.3:
        body["employeeHireDate"] = f"{2010 + chance.randrange(16)}-{1 + chance.randrange(12):02d}-01T00:00:00Z"
    return body | _mastery(kind, body, chance)


def _mastery(kind: str, body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """What directory synchronisation leaves on an object whose master is on premises."""
    if kind not in SYNCED:
        return {}
    account = re.sub(r"[^a-z0-9.-]", "", body["mailNickname"])[:20]
    return {
        "onPremisesDistinguishedName": f"CN={account},OU=Staff,DC=fjordvik,DC=example",
        "onPremisesDomainName": DOMAIN,
        "onPremisesImmutableId": f"{chance.getrandbits(120):020x}==",
        "onPremisesLastSyncDateTime": stamp(FOUNDED + timedelta(days=2500)),
        "onPremisesSamAccountName": account,
        "onPremisesSecurityIdentifier": f"S-1-5-21-1004336348-1177238915-682003330-{chance.randrange(1100, 2**30)}",
        "onPremisesSyncEnabled": True,
        "onPremisesUserPrincipalName": body["userPrincipalName"],
    }


def _guest(number: int, kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    culture, given, family = _names(chance)
    partner = chance.choice(PARTNERS)
    local = _local(f"{given[1]}.{family[1]}"[:32], taken)
    nickname = f"{local}_{partner}#EXT#"
    body = _account(f"{nickname}@{INITIAL_DOMAIN}", nickname, _display(culture, given[0], family[0]), kind, chance)
    state = chance.choice(("Accepted", "Accepted", "PendingAcceptance"))
    return body | {
        "creationType": "Invitation",
        "externalUserState": state,
        "externalUserStateChangeDateTime": stamp(FOUNDED + timedelta(days=number % 2000)),
        "mail": f"{local}@{partner}",
        "otherMails": [f"{local}@{partner}"],
        "proxyAddresses": [f"SMTP:{local}@{partner}"],
        "userType": "Guest",
    }


def _mailbox(number: int, kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    return _place(MAILBOXES, kind, chance, taken)


def _room(number: int, kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    return _place(ROOMS, kind, chance, taken) | {"isResourceAccount": True}


def _place(names: tuple[str, ...], kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    name = chance.choice(names)
    local = _local(f"{'room.' if kind == 'room' else ''}{name.replace(' & ', '-')}", taken)
    ordinal = re.search(r"\d+$", local)
    display = f"{name} {ordinal.group()}" if ordinal else name
    return _account(f"{local}@{DOMAIN}", local, display, kind, chance)


def _breakglass(number: int, kind: str, chance: random.Random, taken: dict[str, int]) -> dict[str, Any]:
    body = _account(f"admin@{INITIAL_DOMAIN}", "admin", "Emergency Access", kind, chance)
    del body["mail"], body["proxyAddresses"]
    return body


def _account(upn: str, nickname: str, display: str, kind: str, chance: random.Random) -> dict[str, Any]:
    """The part of a body that everybody has."""
    local, _, domain = upn.partition("@")
    proxies = [f"SMTP:{upn}"]
    if domain != INITIAL_DOMAIN:
        proxies.append(f"smtp:{local}@{INITIAL_DOMAIN}")
    return {
        "accountEnabled": kind not in ("disabled", "synced_disabled", "mailbox", "room"),
        "displayName": display,
        "lastPasswordChangeDateTime": stamp(FOUNDED + timedelta(minutes=chance.randrange(2_600_000))),
        "mail": upn,
        "mailNickname": nickname[:64],
        "proxyAddresses": proxies,
        "userPrincipalName": upn,
        "userType": "Member",
    }


def _names(chance: random.Random) -> tuple[Culture, tuple[str, str], tuple[str, str]]:
    culture = chance.choice(CULTURES)
    return culture, halves(chance.choice(culture.given)), halves(chance.choice(culture.family))


def _display(culture: Culture, given: str, family: str) -> str:
    order = (family, given) if culture.family_first else (given, family)
    return culture.separator.join(order)


def _local(name: str, taken: dict[str, int]) -> str:
    """Spell a sign-in name's local part, numbered when somebody already has it; never above 56 characters."""
    local = re.sub(r"[^a-z0-9.'-]+", "-", latin(name).lower()).strip("-.'")[:52].rstrip("-.'")
    taken[local] = taken.get(local, 0) + 1
    return local if taken[local] == 1 else f"{local}{taken[local]}"


def _licence(kind: str, chance: random.Random) -> str | None:
    if kind in UNLICENSED:
        return None
    return chance.choices(("SPB", "O365_BUSINESS_ESSENTIALS", "SPE_E3"), (6, 3, 1))[0]


def stamp(moment: datetime) -> str:
    """Write a moment the way Graph does for directory objects: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
