"""A client that pushes people to us by SCIM 2.0: its settings, what of its people can be mapped, and what an account means.

Owns no conversation: nothing is ever fetched, so what a cycle asks of such a source is answered here at once, and a walk
ends as it begins. What is pushed comes in through ``services.scim``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from provision.connectors.credentials import Secret
from provision.connectors.http import World
from provision.connectors.kinds import MappingDefault, MatchingRule
from provision.core.ports import Appearance, Attribute, Check, Page
from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.core.vocabulary import SCIM_PERSON as OURS
from provision.core.vocabulary import Direction, MappingKind, Owner, camel

SCHEMA = (
    Attribute("userName", "User name", unique=True, required=True),
    Attribute("externalId", "External id", unique=True),
    Attribute("displayName", "Display Name"),
    Attribute("name.givenName", "Given name"),
    Attribute("name.familyName", "Family name"),
    Attribute("name.formatted", "Full name"),
    Attribute("nickName", "Nickname"),
    Attribute("title", "Title"),
    Attribute("userType", "User type"),
    Attribute("preferredLanguage", "Preferred language"),
    Attribute("locale", "Locale"),
    Attribute("timezone", "Time zone"),
    Attribute("emails.work", "Work e-mail"),
    Attribute("emails.home", "Home e-mail"),
    Attribute("emails.primary", "Primary e-mail"),
    Attribute("phoneNumbers.work", "Work phone"),
    Attribute("phoneNumbers.mobile", "Mobile phone"),
    Attribute("addresses.country", "Country"),
    Attribute("addresses.locality", "City"),
    Attribute(f"{ENTERPRISE}:employeeNumber", "Employee number"),
    Attribute(f"{ENTERPRISE}:department", "Department"),
    Attribute(f"{ENTERPRISE}:organization", "Organization"),
    Attribute(f"{ENTERPRISE}:costCenter", "Cost centre"),
    Attribute(f"{ENTERPRISE}:division", "Division"),
    Attribute(f"{OURS}:privateEmail", "Private e-mail"),
    Attribute(f"{OURS}:usageLocation", "Usage location"),
)


def _taken(
    theirs: str, ours: str, kind: MappingKind = MappingKind.ATTRIBUTE, match: int | None = None
) -> MappingDefault:
    return MappingDefault(theirs, ours, Direction.IN, owner=Owner.THEIRS, kind=kind, matching_priority=match)


DEFAULT_MAPPINGS = (
    _taken("name.givenName", "given_name"),
    _taken("name.familyName", "surname"),
    _taken('before([userName], "@")', "username", MappingKind.EXPRESSION),
    _taken("userName", "email", match=1),
    _taken("displayName", "display_name"),
    _taken(f"{ENTERPRISE}:employeeNumber", "employee_id"),
    _taken(f"{ENTERPRISE}:department", "department"),
    _taken("title", "title"),
    _taken(f"{ENTERPRISE}:organization", "company"),
    _taken("phoneNumbers.mobile", "mobile"),
    _taken(f"{OURS}:privateEmail", "private_email"),
    _taken(f"{OURS}:usageLocation", "usage_location"),
)
MATCHING = (MatchingRule(f"{ENTERPRISE}:employeeNumber", "employee_id", 2),)


class ScimSourceConfig(BaseModel):
    """The settings of one client that pushes. How it proves itself is no setting: tokens have their own table."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    initial_secrets: bool = Field(
        default=False,
        title="Set passwords that the client sends",
        description="They are set in the linked apps at once and never kept. Off: a password that is sent is refused.",
    )


class Pushed:
    """What a cycle asks of a source, answered without a call."""

    def __init__(self, outside_id: str) -> None:
        self._outside_id = outside_id

    def check(self) -> Check:
        """There is nobody to ask: the address is ready for whoever has a token."""
        return Check(self._outside_id, "SCIM client", {})

    def schema(self) -> Sequence[Attribute]:
        """What of its people can be mapped."""
        return SCHEMA

    def changes(
        self,
        attributes: Sequence[str],  # noqa: ARG002
        *,
        watermark: str | None = None,  # noqa: ARG002
        position: str | None = None,  # noqa: ARG002
    ) -> Iterator[Page]:
        """Nothing to read: whatever changed was pushed."""
        yield Page((), watermark="pushed")

    def appearance(self, values: Mapping[str, Any]) -> Appearance:
        """The name a person signs in with, and whether the client says they are active; unsaid is active."""
        active = values.get("active")
        return Appearance(str(values.get("userName") or ""), active if isinstance(active, bool) else True, {})


def build(config: ScimSourceConfig, secret: Secret | None, outside_id: str | None, world: World) -> Pushed:  # noqa: ARG001
    """The answering side of one client; it is called by its own id, since nobody outside gives it one."""
    return Pushed(outside_id or f"scim:{world.new_id()}")


def discover(facts: Mapping[str, Any]) -> tuple[Attribute, ...]:
    """What can be mapped, with the attributes that the tenant has added to people."""
    own = ((facts.get("notes") or {}).get("own") or {}).get("attributes") or ()
    return (*SCHEMA, *(Attribute(f"{OURS}:{camel(name)}", label) for name, label in own))
