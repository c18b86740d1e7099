"""What is stored, as a client is shown it: the kept body goes out as it came in, with no model in between.

Owns the plain answer, which is every one that names no attributes; where some are named, the library chooses. Reading and
writing a model costs more than everything else about a page, and the body was judged when it came.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim2_models import Extension, Resource, Returned, ScimProvider

from provision.services.scim.bodies import META, filled, kept_body, version_of

_OURS = frozenset({"schemas", "id", "meta"})
Plan = Mapping[str, "Plan | None"]
"""By the name of an attribute that is returned: the same of its parts, None for one that has none."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is returned of one resource type: its schema, its attributes, and which of them are extensions."""

    endpoint: str
    schema: str
    plan: Plan
    extensions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """One stored resource on its way to a client. ``more``: the groups somebody is in, or the members of a group."""

    model: type[Resource[Any]]
    id: int
    kind: str
    observed: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, model: type[Resource[Any]], number: int, kind: str, observed: Mapping[str, Any], **more: Any
    ) -> "Shown":
        """The same call that makes a resource of the library's (``bodies.filled``)."""
        return cls(model, number, kind, observed, more)

    @property
    def version(self) -> str:
        """Its entity tag."""
        return version_of(self.observed)

    def resource(self) -> Resource[Any]:
        """The same as the library has it."""
        return filled(self.model, self.id, self.kind, self.observed, **self.more)

    def body(self, shape: Shape, base_url: str) -> dict[str, Any]:
        """What is answered, its own address and those of others in full."""
        kept = _part({**kept_body(self.observed), **self._others(base_url)}, shape.plan)
        schemas = [shape.schema, *(urn for urn in shape.plan if urn in shape.extensions and urn in kept)]
        return {"schemas": schemas, "id": str(self.id), "meta": self._meta(shape, base_url), **kept}

    def location(self, shape: Shape, base_url: str) -> str:
        """Where it is found."""
        return f"{base_url}{shape.endpoint}/{self.id}"

    def _others(self, base_url: str) -> dict[str, Any]:
        return {
            name: [{**one, "$ref": f"{base_url}/{one['$ref']}"} for one in listed] for name, listed in self.more.items()
        }

    def _meta(self, shape: Shape, base_url: str) -> dict[str, Any]:
        known = self.observed.get(META) or {}
        times = {name: known[name].replace(".000000Z", "Z") for name in ("created", "lastModified") if name in known}
        return {
            "resourceType": self.kind,
            **times,
            "location": self.location(shape, base_url),
            "version": self.version,
        }


def shapes(described: ScimProvider) -> dict[str, Shape]:
    """By resource type, what of it is returned."""
    found = {}
    for kind in described.resource_types:
        model: Any = described.model_for(kind)
        extensions = frozenset(map(str, model.get_extension_models()))
        found[str(kind.name)] = Shape(str(kind.endpoint), str(model.__schema__), _plan(model, _OURS), extensions)
    return found


def _plan(model: Any, without: frozenset[str] = frozenset()) -> Plan:
    found: dict[str, Plan | None] = {}
    for name, told in model.model_fields.items():
        alias = told.serialization_alias or name
        if alias in without or model.get_field_annotation(name, Returned) not in (Returned.default, Returned.always):
            continue
        root = model.get_field_root_type(name)
        parts = isinstance(root, type) and (
            issubclass(root, Extension) or getattr(root, "__is_complex_attribute__", False)
        )
        found[alias] = _plan(root, frozenset({"schemas"})) if parts else None
    return found


def _part(value: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """What a plan leaves of a value; what is empty is not there (RFC 7643, 2.5)."""
    found = {}
    for name, inner in plan.items():
        given = value.get(name)
        if inner is not None and isinstance(given, list):
            given = [part for one in given if (part := _part(one, inner))]
        elif inner is not None and given is not None:
            given = _part(given, inner)
        if given is not None and given not in ([], {}):
            found[name] = given
    return found
