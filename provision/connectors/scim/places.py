"""Where a mapped attribute stands in a SCIM resource: reading it, putting it there, and the PATCH that does the same.

Owns the names by which the mapping calls attributes; never sends anything and never judges a value.

    userName                                  a plain attribute
    name.givenName                            part of a complex one
    emails.work                               the value of the element of that type
    addresses.work.locality                   part of the element of that type
    roles                                     all values of a list
    department                                of the enterprise extension, which nearly everybody has
    urn:example:params:scim:schemas:Pet:colour   of any other extension
"""

from collections.abc import Mapping, MutableMapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
IN_ENTERPRISE = frozenset({"employeeNumber", "costCenter", "organization", "division", "department"})
TYPED = frozenset({"emails", "phoneNumbers", "ims", "photos", "addresses"})
LISTED = frozenset({"roles", "entitlements"})
USUAL_TYPE = "work"

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """One attribute: its extension (None: the core), its name, the type of its element and its part, where it has them."""

    extension: str | None
    attribute: str
    type: str | None = None
    part: str | None = None

    @property
    def path(self) -> str:
        """The path by which a PATCH names it, as a whole: lists are replaced as a whole, which every server can."""
        part = f".{self.part}" if self.part and not self.type else ""
        return f"{self.extension + ':' if self.extension else ''}{self.attribute}{part}"

    @property
    def many(self) -> bool:
        return self.type is not None or (self.extension is None and self.attribute in LISTED)


def place(name: str) -> Place:
    """Read a name of the mapping."""
    if name.startswith("urn:"):
        extension, _, rest = name.rpartition(":")
        attribute, _, part = rest.partition(".")
        return Place(extension, attribute, None, part or None)
    if name in IN_ENTERPRISE:
        return Place(ENTERPRISE, name)
    attribute, _, rest = name.partition(".")
    if attribute in TYPED and rest:
        kind, _, part = rest.partition(".")
        return Place(None, attribute, kind, part or "value")
    return Place(None, attribute, None, rest or None)


def read(resource: Resource, name: str) -> Any:
    """What a resource holds under a name; None where it holds nothing."""
    where = place(name)
    held = _get(_holder(resource, where.extension), where.attribute)
    if where.type is not None:
        element = _element(held, where.type)
        return None if element is None else _get(element, where.part or "value")
    if where.many:
        elements = held if isinstance(held, list) else []
        found = [_get(each, "value") if isinstance(each, Mapping) else each for each in elements]
        return [each for each in found if each is not None] or None
    if where.part is not None:
        return _get(held, where.part) if isinstance(held, Mapping) else None
    return held


def put(resource: MutableMapping[str, Any], name: str, value: str | None) -> None:
    """Put a text where its name says, or take it away."""
    where = place(name)
    if where.extension is not None:
        inner = resource.setdefault(where.extension, {})
        _put(inner, where, value)
        if not inner:
            del resource[where.extension]
        return
    _put(resource, where, value)


def operations(resource: Resource, values: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The PATCH operations that bring these values there. ``resource``: as it is there, needed for lists only."""
    becomes: dict[str, Any] = deepcopy(dict(resource))
    paths: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        where = place(name)
        put(becomes, name, value)
        told = _get(_holder(becomes, where.extension), where.attribute) if where.many else value
        paths[where.path] = (
            {"op": "remove", "path": where.path}
            if told is None or told == []
            else {"op": "replace", "path": where.path, "value": told}
        )
    return list(paths.values())


def needs_sight(names: Mapping[str, Any]) -> bool:
    """Whether a PATCH of these can only be written by who knows what is there: elements of lists."""
    return any(place(name).many for name in names)


def schemas(resource: Resource) -> list[str]:
    """The schemas that a resource must name."""
    return [CORE, *(name for name in resource if name.startswith("urn:") and name != CORE)]


def _put(holder: MutableMapping[str, Any], where: Place, value: str | None) -> None:
    name = _spelt(holder, where.attribute)
    if where.type is not None:
        elements = _with_element(holder.get(name), where, value)
        holder[name] = elements
    elif where.many:
        holder[name] = [{"value": each.strip()} for each in (value or "").split(";") if each.strip()]
    elif where.part is not None:
        inner = dict(holder[name]) if isinstance(holder.get(name), Mapping) else {}
        inner[_spelt(inner, where.part)] = value
        holder[name] = {key: each for key, each in inner.items() if each is not None}
    else:
        holder[name] = value
    if holder[name] in (None, [], {}):
        del holder[name]


def _with_element(held: Any, where: Place, value: str | None) -> list[Any]:
    elements = [dict(each) for each in held if isinstance(each, Mapping)] if isinstance(held, list) else []
    found = _element(elements, where.type or USUAL_TYPE)
    part = where.part or "value"
    if found is None:
        if value is None:
            return elements
        found = {"type": where.type}
        if where.attribute == "emails" and not any(each.get("primary") for each in elements):
            found["primary"] = True
        elements.append(found)
    found[_spelt(found, part)] = value
    if value is None:
        del found[_spelt(found, part)]
    return [each for each in elements if set(each) - {"type", "primary", "display", "formatted"}]


def _element(elements: Any, kind: str) -> Any:
    """The element of a type; one that says nothing of its type counts as the usual one."""
    if not isinstance(elements, list):
        return None
    rows = [each for each in elements if isinstance(each, Mapping)]
    own = [each for each in rows if str(each.get("type") or "").casefold() == kind.casefold()]
    if not own and kind == USUAL_TYPE:
        own = [each for each in rows if not each.get("type")]
    return next((each for each in own if each.get("primary") is True), own[0] if own else None)


def _holder(resource: Resource, extension: str | None) -> Any:
    return resource if extension is None else _get(resource, extension)


def _get(holder: Any, name: str) -> Any:
    """Names of attributes know no case: RFC 7643, section 2.1."""
    if not isinstance(holder, Mapping):
        return None
    return holder.get(_spelt(holder, name))


def _spelt(holder: Mapping[str, Any], name: str) -> str:
    if name in holder:
        return name
    low = name.casefold()
    return next((each for each in holder if each.casefold() == low), name)
