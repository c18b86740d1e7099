"""Whether what somebody typed can be a person's values. Owns the limits; changes nothing and asks nobody.

Lengths are those of Microsoft Entra, so that what is kept here fits there:
https://learn.microsoft.com/graph/api/resources/user#properties
"""

import re
from collections.abc import Collection, Mapping

from provision.core.text import clean
from provision.core.vocabulary import USER_ATTRIBUTES

REQUIRED = ("given_name", "surname", "username", "email")
"""What nobody is added without."""
LONGEST = 1024
LIMITS: Mapping[str, int] = {
    "given_name": 64,
    "surname": 64,
    "username": 64,
    "email": 113,
    "display_name": 256,
    "private_email": 254,
    "employee_id": 16,
    "department": 64,
    "title": 128,
    "company": 64,
    "preferred_language": 35,
    "mobile": 64,
}
ADDRESS = re.compile(
    r"[A-Za-z0-9'._!#^~-]{1,64}(?<!\.)@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
"""A sign-in name as Entra takes it: no accents, no dot just before the @."""
_PRIVATE = re.compile(r"[^\s@<>\",;]{1,64}@[^\s@<>\",;]{1,255}")
_SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "email": (ADDRESS, "email_malformed"),
    "private_email": (_PRIVATE, "email_malformed"),
    "usage_location": (re.compile(r"[A-Z]{2}"), "country_unknown"),
    "preferred_language": (re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"), "language_unknown"),
    "mobile": (
        re.compile(r"(?=(?:\D*\d){3})[+\d\s().,/;#*-]+(?:(?:ext|x)\.?\s*\d+)?", re.IGNORECASE),
        "phone_malformed",
    ),
}


def judge(
    given: Mapping[str, str | None], known: Collection[str] = USER_ATTRIBUTES, *, creating: bool = False
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the values as they would be kept, and attribute → remedy code of what is wrong.

    White space at the ends goes; an empty text is no value. ``creating``: the required ones must be there; otherwise only
    those that are given may not be emptied.
    """
    values = {name: _trimmed(value) for name, value in given.items()}
    if values.get("usage_location"):
        values["usage_location"] = str(values["usage_location"]).upper()
    if values.get("preferred_language"):
        values["preferred_language"] = str(values["preferred_language"]).replace("_", "-")
    problems = {name: code for name, value in values.items() if (code := _problem(name, value, known))}
    for name in REQUIRED:
        if values.get(name) is None and (creating or name in values):
            problems.setdefault(name, "required")
    return values, problems


def _trimmed(value: str | None) -> str | None:
    return (value or "").strip() or None


def _problem(name: str, value: str | None, known: Collection[str]) -> str | None:
    if name not in known:
        return "attribute_unknown"
    if value is None:
        return None
    if len(value) > LIMITS.get(name, LONGEST):
        return "value_too_long"
    if clean(value) != value:
        return "value_unfit"
    shape, code = _SHAPES.get(name, (None, None))
    return code if shape is not None and not shape.fullmatch(value) else None
