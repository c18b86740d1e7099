"""The rules for a password that a person sets by a link, each with whether it is met: ours, and Microsoft's as Microsoft's.

Owns the judgement before anything is sent; the last word is the system's that takes the password. Keeps nothing.

Microsoft: 8 to 256 characters of three classes, none beyond ASCII, without the sign-in name:
https://learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad-combined-policy
"""

import string
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from provision.core.passwords import MAXIMUM, common

MICROSOFT = "microsoft"
SIGNS = frozenset("@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> ")
"""What Microsoft takes besides letters A to Z and digits."""
_NAME_AT_LEAST = 4
_WEIGHED = 72
_HARD_ENOUGH = 2
_CLASSES = 3


class Aspect(StrEnum):
    """What a rule looks at."""

    LENGTH = "length"
    NAME = "name"
    GUESS = "guess"
    SIGNS = "signs"
    CLASSES = "classes"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``whose``: *microsoft*, or empty for ours; ``code`` says what is wrong while it is not met."""

    aspect: Aspect
    met: bool
    code: str
    whose: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person's password must be. ``names``: their own; ``judged_by``: whose rules it will meet besides ours."""

    minimum: int
    names: tuple[str, ...] = ()
    judged_by: frozenset[str] = frozenset()


def judge(password: str, again: str, terms: Terms) -> tuple[Rule, ...]:
    """Every rule in the order in which a person reads them."""
    plain = unicodedata.normalize("NFKC", password).casefold()
    ours = [
        _length(password, terms.minimum),
        Rule(Aspect.NAME, bool(plain) and not _holds_name(plain, terms.names), "chosen_name"),
        Rule(Aspect.GUESS, bool(plain) and not _guessed(password, plain, terms.names), "chosen_common"),
    ]
    if MICROSOFT in terms.judged_by:
        fits = bool(password) and all(_known(sign) for sign in password)
        ours += [
            Rule(Aspect.CLASSES, _classes(password) >= _CLASSES, "chosen_classes", MICROSOFT),
            Rule(Aspect.SIGNS, fits, "chosen_signs", MICROSOFT),
        ]
    elif not password.isprintable():
        ours.append(Rule(Aspect.SIGNS, False, "chosen_unprintable"))
    return (*ours, Rule(Aspect.SAME, bool(password) and password == again, "password_differs"))


def first_unmet(rules: Sequence[Rule]) -> Rule | None:
    """What to tell first."""
    return next((rule for rule in rules if not rule.met), None)


def strength(password: str, names: Collection[str] = ()) -> int:
    """How hard it is to guess, from 0 to 4. Long passwords are weighed by their beginning, which can only understate."""
    if not password:
        return 0
    from zxcvbn import zxcvbn  # its word lists take a tenth of a second to load

    found: Mapping[str, Any] = zxcvbn(password[:_WEIGHED], user_inputs=[*names])
    return int(found["score"])


def _length(password: str, minimum: int) -> Rule:
    if len(password) > MAXIMUM:
        return Rule(Aspect.LENGTH, False, "password_long", params={"minimum": minimum})
    return Rule(Aspect.LENGTH, len(password) >= minimum, "chosen_short", params={"minimum": minimum})


def _holds_name(plain: str, names: Sequence[str]) -> bool:
    own = {unicodedata.normalize("NFKC", name).casefold() for name in names}
    return any(name in plain for name in own if len(name) >= _NAME_AT_LEAST)


def _guessed(password: str, plain: str, names: Sequence[str]) -> bool:
    """Beyond what may be sent at all nothing is weighed: it is refused for its length."""
    if len(password) > MAXIMUM:
        return False
    return common(plain, names) or strength(password, names) < _HARD_ENOUGH


def _known(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign in SIGNS)


def _classes(password: str) -> int:
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    plain = sum(any(sign in kind for sign in password) for kind in kinds)
    return plain + any(sign in SIGNS for sign in password)
