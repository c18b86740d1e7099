"""What the house has to know about a kind of outside system, beside the code that speaks to it.

Owns the shape of one kind's entry in the registry; knows no kind and makes no connector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from provision.connectors.credentials import Secret
from provision.connectors.http import World
from provision.core.ports import Attribute, Pace, Source
from provision.core.vocabulary import Direction, Feature, Flow, MappingKind, Offer, Owner, WhenGone


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


@dataclass(frozen=True, slots=True)
class SecretAsked:
    """The one secret that a kind proves itself with: its words beside the field. It is sealed, never a setting."""

    label: str
    hint: str
    required: bool = True


@dataclass(frozen=True)
class KindSpec:
    """One kind; its name is kept with every app, so it never changes.

    ``matching`` is asked beside the mapping rows that have a priority; the lower number goes first.

    ``schema`` is what may be mapped, ``sign_in`` the attribute in it by which people sign in there, ``correlation`` the
    one that marks what we create, if the kind always has one. ``discover`` reads the schema from what a look at the
    application found (``Check.facts``) where each application has its own. ``about`` says in one sentence what the kind
    is for; ``place`` names the setting that says where the application is. ``secret`` is asked for together with the
    settings; a kind that ``consents`` has its own page for that. ``shown_to`` tells from the settings which servers are
    shown the secret: where that becomes another one, it is asked for again. A kind that is not ``pulled`` sends its
    changes by itself; one with ``guests`` knows people from elsewhere as such, one that ``recycles`` keeps who was deleted
    for a while; one with ``managers`` tells and takes who somebody reports to. ``advanced`` is what its folded settings are
    called. One that ``takes_file`` is given files by upload;
    ``whole`` tells from the settings whether a full walk shows everybody, so that absence means something.

    ``takes``: what a person may be given there by a link → the rights an app needs for it; empty where no password can
    be set from here; ``takes_if`` names the setting that must be on for it, where that is a matter of choice.
    ``groups_if`` names the setting that lets groups and their members follow; empty where they never do.
    ``judged_by``: whose rules passwords meet there. ``portal``: where people go with their password.

    ``advice`` is worth knowing before people are created there; ``later`` a step of connecting that can wait: its name,
    and what it does. Pages that speak of one kind take its words from here.
    """

    kind: str
    label: str
    config: type[BaseModel]
    is_target: bool
    consents: bool
    default_mappings: tuple[MappingDefault, ...]
    matching: tuple[MatchingRule, ...]
    schema: tuple[Attribute, ...]
    sign_in: str
    build: Callable[[Any, Secret | None, str | None, World], Source]
    read_consent: Callable[[Mapping[str, str]], str] | None = None
    about: str = ""
    place: str = ""
    secret: SecretAsked | None = None
    shown_to: Callable[[Mapping[str, Any]], frozenset[str]] = lambda _config: frozenset()
    pulled: bool = True
    guests: bool = False
    recycles: bool = False
    managers: bool = False
    discover: Callable[[Mapping[str, Any]], tuple[Attribute, ...]] | None = None
    correlation: str | None = None
    pace: Pace = field(default_factory=Pace)
    advanced: str = "More settings"
    when_gone: WhenGone = WhenGone.KEEP
    takes_file: bool = False
    whole: Callable[[Mapping[str, Any]], bool] = lambda _config: True
    takes: Mapping[Offer, tuple[str, ...]] = field(default_factory=dict)
    takes_if: str = ""
    groups_if: str = ""
    judged_by: str = ""
    portal: Callable[[Mapping[str, Any]], str] | None = None
    advice: str = ""
    later: tuple[str, str] | None = None

    def attributes(self, facts: Mapping[str, Any]) -> tuple[Attribute, ...]:
        """What may be mapped in one application of this kind, from what is known about it."""
        found = self.discover(facts) if self.discover else ()
        return found or self.schema

    @property
    def features(self) -> tuple[Feature, ...]:
        """The switches that mean something for this kind."""
        return tuple(Feature) if self.is_target else (Feature.IMPORT,)
