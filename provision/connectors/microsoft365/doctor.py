"""The check: what a fresh token grants, and what the tenant says of itself.

Owns the questions and the facts they become; never changes anything there.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from provision.connectors.credentials import Secret
from provision.connectors.http import Answer, World
from provision.connectors.microsoft365 import permissions, roles
from provision.connectors.microsoft365.graph import EVENTUAL, Graph
from provision.connectors.microsoft365.schema import moment
from provision.connectors.microsoft365.tokens import Token
from provision.core.ports import Check, Missing, Permission, Refused

SELLING = frozenset({"Enabled", "Warning"})
"""States of a subscription in which seats can still be given away."""

SKU_NAMES: dict[str, str] = {
    "SPB": "Microsoft 365 Business Premium",
    "O365_BUSINESS_PREMIUM": "Microsoft 365 Business Standard",
    "O365_BUSINESS_ESSENTIALS": "Microsoft 365 Business Basic",
    "SMB_BUSINESS": "Microsoft 365 Apps for business",
    "O365_BUSINESS": "Microsoft 365 Apps for business",
    "OFFICESUBSCRIPTION": "Microsoft 365 Apps for enterprise",
    "SPE_E3": "Microsoft 365 E3",
    "SPE_E5": "Microsoft 365 E5",
    "SPE_F1": "Microsoft 365 F3",
    "M365_F1": "Microsoft 365 F1",
    "STANDARDPACK": "Office 365 E1",
    "ENTERPRISEPACK": "Office 365 E3",
    "ENTERPRISEPREMIUM": "Office 365 E5",
    "DESKLESSPACK": "Office 365 F3",
    "EXCHANGESTANDARD": "Exchange Online (Plan 1)",
    "EXCHANGEENTERPRISE": "Exchange Online (Plan 2)",
    "EXCHANGEDESKLESS": "Exchange Online Kiosk",
    "AAD_PREMIUM": "Microsoft Entra ID P1",
    "AAD_PREMIUM_P2": "Microsoft Entra ID P2",
    "EMS": "Enterprise Mobility + Security E3",
    "EMSPREMIUM": "Enterprise Mobility + Security E5",
    "MCOMEETADV": "Microsoft 365 Audio Conferencing",
    "POWER_BI_PRO": "Power BI Pro",
    "VISIOCLIENT": "Visio Plan 2",
    "PROJECTPROFESSIONAL": "Project Plan 3",
    "TEAMS_EXPLORATORY": "Microsoft Teams Exploratory",
    "FLOW_FREE": "Power Automate Free",
    "POWER_BI_STANDARD": "Power BI (free)",
}
"""Part number → the name it is sold under: https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference."""


def examine(graph: Graph, token: Token, *, client_id: str, secret: Secret, world: World) -> Check:
    """Ask everything once. Raises when the organisation itself cannot be read; the rest may be missing."""
    answer = graph.get("/organization", right="Organization.Read.All")
    organisation = _only(answer)
    facts = {
        **_organisation(organisation),
        "domains": _asked(lambda: [_domain(each) for each in _all(graph, "/domains", "Domain.Read.All")]),
        "seats": _asked(lambda: seats(graph)),
        "people": _asked(lambda: _count(graph)),
        "guests": _asked(lambda: _count(graph, "userType eq 'Guest'")),
        "synced_people": _asked(lambda: _count(graph, "onPremisesSyncEnabled eq true")),
        "roles": _asked(lambda: roles.holders(graph, world.new_id())),
        "secret_expires_at": _expiry(graph, token, client_id, secret),
        "permissions": sorted(token.roles) if token.roles is not None else None,
        "excess": permissions.excess(token.roles or ()),
        "clock_seconds": _clock(answer, world),
    }
    if facts["domains"] is None:
        facts["domains"] = [_verified(each) for each in _dicts(organisation.get("verifiedDomains"))]
    rights = _rights(graph, token)
    return Check(_text(organisation.get("id")), _text(organisation.get("displayName")), facts, rights)


def _rights(graph: Graph, token: Token) -> tuple[Permission, ...]:
    if token.roles is not None:
        return permissions.judge(token.roles, token.wids)
    # An opaque token: reading is tried out, writing cannot be without a trace and is left open.
    tried = {right for path, right in _PROBES.items() if _asked(partial(_probe, graph, path, right))}
    return tuple(
        Permission(each.name, each.why, each.without, "granted" if each.name in tried else each.state)
        if each.name in _PROBES.values()
        else Permission(each.name, each.why, each.without, "unused")
        for each in permissions.judge((), ())
    )


def seats(graph: Graph) -> list[dict[str, Any]]:
    """The seats per licence, as ``Check.facts`` has them. Raises the six errors."""
    return [_seats(each) for each in _all(graph, "/subscribedSkus", "Organization.Read.All")]


_PROBES = {
    "/users?$top=1&$select=id,accountEnabled": "User.Read.All",
    "/subscribedSkus": "Organization.Read.All",
    "/domains": "Domain.Read.All",
}


def _probe(graph: Graph, path: str, right: str) -> bool:
    bare, _, query = path.partition("?")
    return bool(graph.get(bare, dict(part.split("=", 1) for part in query.split("&") if part), right=right))


def _asked(ask: Callable[[], Any]) -> Any:
    """Return an answer, or None where a right is missing: one fact less must not cost the others."""
    try:
        return ask()
    except (Refused, Missing):
        return None


def _organisation(body: Mapping[str, Any]) -> dict[str, Any]:
    last = moment(body.get("onPremisesLastSyncDateTime"))
    return {
        "synced": body.get("onPremisesSyncEnabled") is True,
        "synced_at": last.isoformat() if last else None,
        "country": body.get("countryLetterCode"),
        "language": body.get("preferredLanguage"),
    }


def _domain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _text(body.get("id")),
        "federated": body.get("authenticationType") == "Federated",
        "managed": body.get("authenticationType") == "Managed",
        "default": body.get("isDefault") is True,
        "initial": body.get("isInitial") is True,
        "verified": body.get("isVerified") is True,
    }


def _verified(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _text(body.get("name")),
        "federated": body.get("type") == "Federated",
        "managed": body.get("type") == "Managed",
        "default": body.get("isDefault") is True,
        "initial": body.get("isInitial") is True,
        "verified": True,
    }


def _seats(body: Mapping[str, Any]) -> dict[str, Any]:
    part, status = _text(body.get("skuPartNumber")), body.get("capabilityStatus")
    prepaid = body.get("prepaidUnits")
    units = prepaid if isinstance(prepaid, dict) else {}
    total = _number(units.get("enabled")) + _number(units.get("warning")) if status in SELLING else 0
    used = _number(body.get("consumedUnits"))
    return {
        "sku": _text(body.get("skuId")),
        "part": part,
        "name": SKU_NAMES.get(part, part),
        "total": total,
        "used": used,
        "free": max(0, total - used),
        "state": status,
    }


def _count(graph: Graph, condition: str | None = None) -> int | None:
    params = {"$filter": condition} if condition else None
    answer = graph.get("/users/$count", params, right="User.Read.All", headers=EVENTUAL)
    text = answer.body[:32].decode("utf-8-sig", "replace").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _expiry(graph: Graph, token: Token, client_id: str, secret: Secret) -> str | None:
    """A certificate says when it ends; of a secret only the registration knows, and few let us read that."""
    certificate = secret.certificate
    if certificate is not None:
        return certificate.not_valid_after_utc.isoformat()
    if not token.roles or "Application.Read.All" not in token.roles:
        return None
    found = _asked(lambda: _secrets(graph, client_id))
    hint = (secret.client_secret or "")[:3]
    ends = [moment(each.get("endDateTime")) for each in found or () if each.get("hint") in (None, hint)]
    known = [end for end in ends if end is not None]
    return max(known).astimezone(UTC).isoformat() if known else None


def _secrets(graph: Graph, client_id: str) -> list[dict[str, Any]]:
    params = {"$filter": f"appId eq '{client_id}'", "$select": "id,passwordCredentials"}
    applications = _dicts(graph.read("/applications", params, right="Application.Read.All").get("value"))
    return _dicts(applications[0].get("passwordCredentials")) if applications else []


def _clock(answer: Answer, world: World) -> int | None:
    """Seconds that our clock is ahead of theirs."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        return round((world.now() - _aware(theirs)).total_seconds())
    except (ValueError, TypeError, IndexError):
        return None


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _all(graph: Graph, path: str, right: str) -> list[dict[str, Any]]:
    return _dicts(graph.read(path, right=right).get("value"))


def _only(answer: Answer) -> dict[str, Any]:
    body = answer.json()
    found = _dicts(body.get("value")) if isinstance(body, dict) else []
    if len(found) != 1 or not _text(found[0].get("id")):
        raise answer.unexpected("organisation")
    return found[0]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
