"""The kinds of outside systems there are, and everything about a kind that is not code of its own.

Owns the registry; never makes a connector by itself and never opens a secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from provision.connectors import microsoft365
from provision.connectors.credentials import Secret, parse_certificate, parse_secret
from provision.connectors.http import Cloud, World
from provision.connectors.microsoft365.clouds import CLOUDS
from provision.connectors.microsoft365.config import Microsoft365Config
from provision.connectors.microsoft365.consent import read_consent
from provision.connectors.microsoft365.schema import ATTRIBUTES
from provision.core.ports import Attribute, Target
from provision.core.vocabulary import Direction, Flow, Kind, MappingKind, Owner


@dataclass(frozen=True, slots=True)
class MappingDefault:
    """One mapping row that a new connector of a kind starts with."""

    theirs: str
    ours: str
    direction: Direction = Direction.BOTH
    flow: Flow = Flow.ALWAYS
    owner: Owner = Owner.EITHER
    kind: MappingKind = MappingKind.ATTRIBUTE
    matching_priority: int | None = None


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """A rule that recognises people although no mapping row carries the attribute."""

    theirs: str
    ours: str
    priority: int


@dataclass(frozen=True)
class KindSpec:
    """One kind. ``matching`` is asked beside the mapping rows that have a priority; the lower number goes first.

    ``schema`` is what may be mapped, ``sign_in`` the attribute in it by which people sign in there.
    """

    kind: Kind
    label: str
    config: type[BaseModel]
    is_target: bool
    consents: bool
    default_mappings: tuple[MappingDefault, ...]
    matching: tuple[MatchingRule, ...]
    schema: tuple[Attribute, ...]
    sign_in: str
    build: Callable[[Any, Secret | None, str | None, World], Target]
    read_consent: Callable[[Mapping[str, str]], str] | None = None


KINDS: dict[Kind, KindSpec] = {
    spec.kind: spec
    for spec in (
        KindSpec(
            kind=Kind.MICROSOFT365,
            label="Office 365 / Azure AD",
            config=Microsoft365Config,
            is_target=True,
            consents=True,
            default_mappings=(
                MappingDefault("givenName", "given_name"),
                MappingDefault("surname", "surname"),
                MappingDefault("mailNickname", "username"),
                MappingDefault("userPrincipalName", "email", matching_priority=1),
                MappingDefault("displayName", "display_name"),
            ),
            matching=(MatchingRule("employeeId", "employee_id", 2),),
            schema=ATTRIBUTES,
            sign_in="userPrincipalName",
            build=microsoft365.build,
            read_consent=read_consent,
        ),
    )
}

__all__ = [
    "CLOUDS",
    "KINDS",
    "Cloud",
    "KindSpec",
    "MappingDefault",
    "MatchingRule",
    "Secret",
    "World",
    "parse_certificate",
    "parse_secret",
]
