"""A SCIM resource and what is kept of it: the body as it came, the values that a mapping reads, the forms that are searched.

Owns the shape of ``accounts.observed`` for what is pushed; pure, and never holds a password.

    observed = { the body's own names …, "emails.work": …, "urn:…:User:department": …, "#": {…}, "meta": {…} }
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from scim2_models import Meta, Resource

from provision.core.ports import MANAGER
from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.core.vocabulary import SCIM_PERSON as OURS
from provision.core.vocabulary import key

SEARCHED, META, WAITING = "#", "meta", "waiting"
_NOT_BODY = frozenset({"id", "meta", "groups", "members", "password", "schemas"})
_SINGLE = (
    "userName",
    "externalId",
    "displayName",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
)
_NAME = ("givenName", "familyName", "formatted", "middleName")
_MAPPED = ("name.", "emails.", "phoneNumbers.", "addresses.", f"{ENTERPRISE}:", f"{OURS}:")
_FOLDED = ("displayName", "nickName", "title", "userType")
_ENTERPRISE = ("employeeNumber", "department", "organization", "costCenter", "division")


def body_of(resource: Resource[Any]) -> dict[str, Any]:
    """What a client sent, without what only we set and what is never kept."""
    dumped: dict[str, Any] = resource.model_dump()
    return {name: value for name, value in dumped.items() if name not in _NOT_BODY and value not in (None, [], {})}


def observed_of(body: Mapping[str, Any], before: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What is kept of a body. A value that was there before and is not any more is None: it went empty.

    What was never sent is not named at all, so that a client which knows little of a person empties nothing.
    """
    read = mapped(body)
    gone = {name: None for name, value in before.items() if _is_mapped(name) and name not in read}
    return {**body, **gone, **read, SEARCHED: searched(body), META: meta_of(before.get(META), now)}


def meta_of(before: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """When it came, when it last changed, and how often it did."""
    at = stamp(now)
    known = before or {}
    return {"created": known.get("created", at), "lastModified": at, "version": int(known.get("version", 0)) + 1}


def stamp(at: datetime) -> str:
    """A time in the one form in which texts sort as times do."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def version_of(observed: Mapping[str, Any]) -> str:
    """The entity tag of a stored resource."""
    return f'W/"{(observed.get(META) or {}).get("version", 1)}"'


def kept_body(observed: Mapping[str, Any]) -> dict[str, Any]:
    """The body again, without what was derived from it."""
    derived = (SEARCHED, META, WAITING)
    return {
        name: value
        for name, value in observed.items()
        if name not in derived and value is not None and (name in _SINGLE or not _is_mapped(name))
    }


def filled(
    model: type[Resource[Any]], account_id: int, kind: str, observed: Mapping[str, Any], **more: Any
) -> Resource[Any]:
    """A stored resource as the library serves it."""
    meta = observed.get(META) or {}
    resource: Resource[Any] = model.model_validate({**kept_body(observed), **more})
    resource.id = str(account_id)
    resource.meta = Meta(
        resource_type=kind,
        created=datetime.fromisoformat(meta["created"]) if "created" in meta else None,
        last_modified=datetime.fromisoformat(meta["lastModified"]) if "lastModified" in meta else None,
        version=version_of(observed),
    )
    return resource


def mapped(body: Mapping[str, Any]) -> dict[str, Any]:
    """The values that mapping rows may name, flat, as far as the body has them."""
    found: dict[str, Any] = {name: body[name] for name in _SINGLE if name in body}
    name = body.get("name") or {}
    found |= {f"name.{part}": name[part] for part in _NAME if part in name}
    emails, phones, addresses = (body.get(many) or [] for many in ("emails", "phoneNumbers", "addresses"))
    for kind in ("work", "home"):
        found[f"emails.{kind}"] = _typed(emails, kind)
    found["emails.primary"] = _preferred(emails).get("value")
    for kind in ("work", "mobile"):
        found[f"phoneNumbers.{kind}"] = _typed(phones, kind)
    for part in ("country", "locality"):
        found[f"addresses.{part}"] = _preferred(addresses).get(part)
    for urn in (ENTERPRISE, OURS):
        for part, value in (body.get(urn) or {}).items():
            if not isinstance(value, dict | list):
                found[f"{urn}:{part}"] = value
    found[MANAGER] = ((body.get(ENTERPRISE) or {}).get(MANAGER) or {}).get("value")
    return {name: value for name, value in found.items() if value is not None}


def searched(body: Mapping[str, Any]) -> dict[str, Any]:
    """The forms in which texts are compared, so that the database can compare them."""
    found: dict[str, Any] = {name: key(body[name]) for name in _FOLDED if isinstance(body.get(name), str)}
    name = body.get("name") or {}
    found |= {f"name.{part}": key(name[part]) for part in _NAME if isinstance(name.get(part), str)}
    ours = body.get(ENTERPRISE) or {}
    found |= {part: key(ours[part]) for part in _ENTERPRISE if isinstance(ours.get(part), str)}
    emails = [
        {"value": key(one.get("value")), "type": key(one.get("type")), "primary": one.get("primary")}
        for one in body.get("emails") or []
    ]
    if emails:
        found["emails"] = [{part: value for part, value in one.items() if value not in (None, "")} for one in emails]
        first = _preferred(emails)
        found |= {f"email.{part}": first[part] for part in ("value", "type") if first[part]}
    return found


def _is_mapped(name: str) -> bool:
    return name in _SINGLE or name == MANAGER or name.startswith(_MAPPED)


def _typed(values: Sequence[Mapping[str, Any]], kind: str) -> Any:
    return next((one.get("value") for one in values if key(one.get("type")) == kind), None)


def _preferred(values: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((one for one in values if one.get("primary")), values[0] if values else {})
