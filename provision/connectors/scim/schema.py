"""The attributes of a SCIM application that can be mapped: the standard's own, or those that it published itself.

Owns knowledge about attributes and about reading their values; never calls anyone.
https://www.rfc-editor.org/rfc/rfc7643
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from provision.connectors.scim.places import CORE, ENTERPRISE, LISTED, TYPED, read
from provision.core.ports import MANAGER, Appearance, Attribute

SIGN_IN, SWITCH, MARK, CREATED = "userName", "active", "externalId", "meta.created"
OWN = (SIGN_IN, SWITCH, MARK, CREATED)
"""What the product itself reads of everybody, mapped or not."""

FINDABLE = frozenset({SIGN_IN, MARK, "emails.work", "employeeNumber", "displayName"})
TYPES = ("work", "home", "other")
PHONES = ("work", "mobile", "home", "fax")
PARTS = ("streetAddress", "locality", "region", "postalCode", "country")
MOST = 300
_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9$_-]{0,63}")
_URN = re.compile(r"urn:[A-Za-z0-9:._-]{1,150}")
_SPACED = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _text(name: str, label: str, **more: Any) -> Attribute:
    return Attribute(name, label, **more)


def _shown(name: str, label: str, reason: str, **more: Any) -> Attribute:
    return Attribute(name, label, writable=False, reason=reason, **more)


STANDARD: tuple[Attribute, ...] = (
    _text(SIGN_IN, "User name", required=True, unique=True, clearable=False),
    _text("name.givenName", "First Name"),
    _text("name.familyName", "Last Name"),
    _text("name.middleName", "Middle name"),
    _text("name.formatted", "Full name"),
    _text("name.honorificPrefix", "Prefix"),
    _text("name.honorificSuffix", "Suffix"),
    _text("displayName", "Display Name"),
    _text("nickName", "Nickname"),
    _text("title", "Job Title"),
    _text("userType", "Kind of employee"),
    _text("preferredLanguage", "Preferred Language"),
    _text("locale", "Locale"),
    _text("timezone", "Time zone"),
    _text("profileUrl", "Profile page"),
    *(_text(f"emails.{kind}", f"Email ({kind})") for kind in TYPES),
    *(_text(f"phoneNumbers.{kind}", f"Phone ({kind})") for kind in PHONES),
    *(_text(f"addresses.work.{part}", f"Work address: {_SPACED.sub(' ', part).lower()}") for part in PARTS),
    Attribute("roles", "Roles", kind="list"),
    Attribute("entitlements", "Entitlements", kind="list"),
    _text("employeeNumber", "Employee number"),
    _text("costCenter", "Cost centre"),
    _text("organization", "Organization"),
    _text("division", "Division"),
    _text("department", "Department"),
    _shown("id", "Object ID", "set_by_the_application", unique=True),
    _shown(MARK, "External ID", "marks_what_we_create"),
    _shown(SWITCH, "Active", "owned_by_lifecycle", kind="boolean"),
    _shown(CREATED, "Created", "set_by_the_application", kind="time"),
    _shown("meta.lastModified", "Last changed", "set_by_the_application", kind="time"),
)
_LABELS = {attribute.name: attribute.label for attribute in STANDARD}
_FIXED = {attribute.name: attribute for attribute in STANDARD if not attribute.writable}


def discover(facts: Mapping[str, Any]) -> tuple[Attribute, ...]:
    """The attributes that the last look found; empty when it found none."""
    found = facts.get("schema")
    if not isinstance(found, list):
        return ()
    return tuple(Attribute(**row) for row in found)


def described(schemas: Iterable[Mapping[str, Any]], *, core: str, extensions: Iterable[str]) -> list[dict[str, Any]]:
    """What an application's published schemas mean for the mapping, ready to be kept; empty when they mean nothing.

    ``core`` and ``extensions`` are those of its users. Whatever has no place in a mapping is left out, not refused.
    """
    wanted = {name.casefold(): (None if name.casefold() == core.casefold() else name) for name in (core, *extensions)}
    rows: dict[str, dict[str, Any]] = {}
    for schema in schemas:
        identifier = str(schema.get("id") or "")
        if identifier.casefold() in wanted and _URN.fullmatch(identifier):
            for attribute in _rows(schema.get("attributes")):
                for row in _attributes(attribute, wanted[identifier.casefold()]):
                    rows.setdefault(row["name"], row)
    if SIGN_IN not in rows:
        return []
    kept = {**{name: _row(one) for name, one in _FIXED.items()}}
    return [*[row for name, row in rows.items() if name not in kept][:MOST], *kept.values()]


def appearance(values: Mapping[str, Any]) -> Appearance:
    """Read what a user's values mean. Who says nothing about being active is: RFC 7643, section 4.1.1."""
    name, enabled = values.get(SIGN_IN), values.get(SWITCH, True)
    return Appearance(
        name=name if isinstance(name, str) else "",
        enabled=_truth(enabled),
        standing={},
        created_at=moment(values.get(CREATED)),
    )


def values_of(resource: Mapping[str, Any], attributes: Iterable[str]) -> dict[str, Any]:
    """The named attributes of a resource and our own; a manager as the id of their account."""
    held = {name: read(resource, name) for name in dict.fromkeys((*attributes, *OWN))}
    held[SWITCH] = _truth(True if held[SWITCH] is None else held[SWITCH])
    boss = read(resource, f"{ENTERPRISE}:manager")
    anchor = boss.get("value") if isinstance(boss, Mapping) else boss
    held[MANAGER] = anchor if isinstance(anchor, str) and anchor else None
    return held


def moment(value: Any) -> datetime | None:
    """Read a SCIM time; None for anything that is not one."""
    if not isinstance(value, str):
        return None
    try:
        told = datetime.fromisoformat(value)
        return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _truth(value: Any) -> bool | None:
    """Whether somebody is active; some applications write it as a word."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).casefold())


def _attributes(attribute: Mapping[str, Any], extension: str | None) -> Iterator[dict[str, Any]]:
    name = str(attribute.get("name") or "")
    if not _NAME.fullmatch(name) or name.casefold() == "password":
        return
    prefix = "" if extension in (None, ENTERPRISE) else f"{extension}:"
    parts = _rows(attribute.get("subAttributes"))
    if attribute.get("multiValued") is True:
        if extension is None and name in TYPED:
            yield from _typed(name, parts)
        elif extension is None and name in LISTED:
            yield _row(Attribute(name, _label(name), kind="list"))
        return
    if attribute.get("type") != "complex":
        yield _plain(attribute, f"{prefix}{name}", required=bool(attribute.get("required")))
        return
    for part in parts:
        if _NAME.fullmatch(str(part.get("name") or "")) and part.get("type") != "complex" and name != MANAGER:
            yield _plain(part, f"{prefix}{name}.{part['name']}", required=False)


def _typed(name: str, parts: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    told = next((part.get("canonicalValues") for part in parts if part.get("name") == "type"), None)
    usual = PHONES if name == "phoneNumbers" else TYPES
    kinds = [kind for kind in told if isinstance(kind, str) and _NAME.fullmatch(kind)] if isinstance(told, list) else []
    wanted = [str(part.get("name")) for part in parts if part.get("name") in PARTS] if name == "addresses" else [""]
    for kind in (kinds or usual)[:8]:
        for part in wanted:
            path = f"{name}.{kind}.{part}" if part else f"{name}.{kind}"
            yield _row(Attribute(path, _label(path)))


def _plain(attribute: Mapping[str, Any], name: str, *, required: bool) -> dict[str, Any]:
    kinds: dict[str, Any] = {"boolean": "boolean", "dateTime": "time"}
    fixed = attribute.get("mutability") in ("readOnly", "immutable")
    text = attribute.get("type") in (None, "string", "reference", "dateTime")
    return _row(
        Attribute(
            name,
            _label(name),
            kind=kinds.get(str(attribute.get("type")), "text"),
            writable=text and not fixed,
            unique=attribute.get("uniqueness") in ("server", "global"),
            required=(required or name == SIGN_IN) and text and not fixed,
            reason="" if text and not fixed else "set_by_the_application" if fixed else "only_text_is_sent",
            clearable=not required,
        )
    )


def _row(attribute: Attribute) -> dict[str, Any]:
    """What differs from a plain attribute: kept with the app, read with every page."""
    plain = Attribute("")
    told = {name: getattr(attribute, name) for name in Attribute.__dataclass_fields__}
    return {name: value for name, value in told.items() if name == "name" or value != getattr(plain, name)}


def _label(name: str) -> str:
    if name in _LABELS:
        return _LABELS[name]
    last = name.rpartition(":")[2].replace(".", " ")
    return _SPACED.sub(" ", last).capitalize()


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


__all__ = ["CORE", "FINDABLE", "MARK", "OWN", "SIGN_IN", "STANDARD", "SWITCH", "appearance", "described", "discover"]
