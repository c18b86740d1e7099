"""Whom an app is for: conditions on people's attributes, all of which must hold.

Owns the small closed language of conditions and their judgement; never looks anybody up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provision.core.mapping import clean
from provision.core.vocabulary import key

RULE = "rule"
"""Where an app's scope keeps its conditions."""
MOST = 10
LONGEST = 200
_ONE_OF = ","

Test = Callable[[str, str], bool]
OPERATORS: Mapping[str, Test] = {
    "is": lambda held, value: held == value,
    "is not": lambda held, value: held != value,
    "one of": lambda held, value: held in {part.strip() for part in value.split(_ONE_OF)},
    "none of": lambda held, value: held not in {part.strip() for part in value.split(_ONE_OF)},
    "contains": lambda held, value: value in held,
    "starts with": lambda held, value: held.startswith(value),
    "ends with": lambda held, value: held.endswith(value),
    "is empty": lambda held, _: not held,
    "is filled": lambda held, _: bool(held),
}
"""Word → test of two comparison keys. Nothing else can be said, so nothing can be smuggled in."""
WITHOUT_VALUE = frozenset({"is empty", "is filled"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: *department* *is* *Deck*. Compared without regard to case and to how a letter is composed."""

    attribute: str
    operator: str
    value: str = ""

    def holds(self, person: Mapping[str, Any]) -> bool:
        """Whether it holds for a person's flat values."""
        return OPERATORS[self.operator](key(clean(person.get(self.attribute))), key(self.value))


@dataclass(frozen=True, slots=True)
class Scope:
    """The conditions of one app; without any, it is for everybody."""

    conditions: tuple[Condition, ...] = ()

    def takes(self, person: Mapping[str, Any]) -> bool:
        """Whether an app is for this person."""
        return all(condition.holds(person) for condition in self.conditions)


def scope_of(kept: Mapping[str, Any]) -> Scope:
    """The conditions that an app's row keeps, which were judged before."""
    return Scope(tuple(Condition(**row) for row in kept.get(RULE) or ()))


def problem(condition: Condition, attributes: Mapping[str, str]) -> str | None:
    """Why a condition cannot be kept, as a remedy code; None when it can. ``attributes``: those that people have here."""
    if condition.attribute not in attributes:
        return "scope_attribute_unknown"
    if condition.operator not in OPERATORS:
        return "scope_operator_unknown"
    if condition.operator not in WITHOUT_VALUE and not key(condition.value):
        return "scope_value_missing"
    if len(condition.value) > LONGEST or not condition.value.isprintable():
        return "scope_value_unfit"
    return None


def conditions(rows: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Rows of a form or a command as conditions; rows without an attribute are none."""
    return tuple(
        Condition(str(row["attribute"]), str(row.get("operator") or ""), " ".join(str(row.get("value") or "").split()))
        for row in rows
        if row.get("attribute")
    )
