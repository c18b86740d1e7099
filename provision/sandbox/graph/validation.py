"""Owns what Graph accepts as values: names, lengths, sign-in names, nicknames, passwords.
Never asks the store; what depends on other objects is judged where they are at hand."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from provision.sandbox.graph.errors import bad_request, bad_syntax, invalid_value
from provision.sandbox.graph.properties import EXTENSION_ATTRIBUTES, Property

LOCAL_PART = re.compile(r"[A-Za-z0-9'.\-_!#^~]{1,64}")
NICKNAME_REFUSED = re.compile(r"[^\x21-\x7e]|[@()\\\[\]\";:<>,]")
MOST_MAILS = 250
PASSWORD_SYMBOLS = frozenset("@#$%^&*-_!+=[]{}|\\:',.?/`~\"();<> ")
PASSWORD_POLICIES = frozenset({"None", "DisablePasswordExpiration", "DisableStrongPassword"})
PASSWORD_FLAGS = ("forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa")
BANNED = (
    "password",
    "passwort",
    "welcome",
    "qwerty",
    "fjordvik",
    "summer",
    "winter",
    "letmein",
    "microsoft",
    "nordlysfestivalen",
)
LOOKALIKES = str.maketrans("013457@$!", "oleastasi")
POINTS_NEEDED = 5

COMPLEXITY = (
    "The specified password does not comply with password complexity requirements. Please provide a different password."
)


def decode(call_json: Callable[[], Any]) -> dict[str, Any]:
    """Read a JSON object; GraphError 400 for anything else."""
    try:
        body = call_json()
    except ValueError as error:
        raise bad_syntax("Unable to read JSON request payload.") from error
    if not isinstance(body, dict):
        raise bad_syntax("Empty Payload. JSON content expected.")
    return {name: value for name, value in body.items() if not name.startswith("@odata.type")}


def check(body: Mapping[str, Any], table: Mapping[str, Property], resource: str, creating: bool) -> None:
    """Judge every property on its own: known, settable, of the right type, not empty, not too long."""
    for name, value in body.items():
        known = table.get(name)
        if known is None:
            raise bad_request(f"One or more property values specified are invalid: '{name}' is not a property.")
        if known.read_only or (creating and "c" not in known.flags) or (not creating and "u" not in known.flags):
            text = f"Property '{name}' is read-only and cannot be set."
            raise bad_request(text, {"code": "ReadOnly", "message": text, "target": name})
        if value is not None or not creating:  # a null in a new object is the same as nothing
            _check_value(known, value, resource)


def require(body: Mapping[str, Any], table: Mapping[str, Property], resource: str) -> None:
    """Refuse a new object that lacks a required property; a user's missing password has words of its own."""
    for name, known in table.items():
        if "!" in known.flags and body.get(name) is None and name != "passwordProfile":
            text = f"A value is required for property '{name}' of resource '{resource}'."
            raise bad_request(text, {"code": "MissingValue", "message": text, "target": name})
    if "passwordProfile" in table and not (body.get("passwordProfile") or {}).get("password"):
        text = "A password must be specified to create a new user."
        raise bad_request(text, {"code": "MissingValue", "message": text, "target": "password"})


def check_sign_in_name(name: str, domains: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Judge a userPrincipalName and return its domain; only verified domains may be used."""
    local, at, domain = name.rpartition("@")
    if not at or "@" in local or not LOCAL_PART.fullmatch(local) or local.endswith("."):
        raise bad_request("Property userPrincipalName is invalid.", _invalid("userPrincipalName"))
    if len(domain) > 48 or len(name) > 113:
        raise bad_request("Property userPrincipalName is invalid.", _invalid("userPrincipalName"))
    known = domains.get(domain.lower())
    if known is None or not known["isVerified"]:
        text = (
            "The domain portion of the userPrincipalName property is invalid. "
            "You must use one of the verified domain names in your organization."
        )
        raise bad_request(text, {"code": "InvalidValue", "message": text, "target": "userPrincipalName"})
    return known


def check_nickname(name: str, resource: str) -> None:
    """Judge a mailNickname; groups refuse every dot, users only one at either end."""
    dots = "." in name if resource == "Group" else name.startswith(".") or name.endswith(".")
    if dots or NICKNAME_REFUSED.search(name):
        raise invalid_value("mailNickname", resource)


def check_password(password: Any, sign_in_name: str, policies: str | None) -> None:
    """Apply Entra's password rules: length, classes, alphabet, the name, and the scored list of banned words."""
    text = {"code": "InvalidValue", "message": COMPLEXITY, "target": "password"}
    if not isinstance(password, str) or not 8 <= len(password) <= 256:
        raise bad_request(COMPLEXITY, text)
    if "DisableStrongPassword" in (policies or ""):
        return
    kinds = (str.islower, str.isupper, str.isdigit, PASSWORD_SYMBOLS.__contains__)
    alphabet = all(letter.isascii() and (letter.isalnum() or letter in PASSWORD_SYMBOLS) for letter in password)
    classes = sum(any(kind(letter) for letter in password) for kind in kinds)
    local = sign_in_name.partition("@")[0].casefold()
    if (
        not alphabet
        or classes < 3
        or (len(local) > 3 and local in password.casefold())
        or _score(password) < POINTS_NEEDED
    ):
        raise bad_request(COMPLEXITY, text)


def _score(password: str) -> int:
    """One point for each banned word found and one for every other character, after undoing look-alikes."""
    plain, points = password.casefold().translate(LOOKALIKES), 0
    for word in BANNED:
        points += plain.count(word)
        plain = plain.replace(word, "")
    return points + len(plain)


def _check_value(known: Property, value: Any, resource: str) -> None:
    if value is None:
        if not known.nullable:
            raise invalid_value(known.name, resource)
        return
    if value == "":
        raise invalid_value(known.name, resource)
    if not _TYPES[known.type](value):
        raise bad_syntax(f"Cannot convert the value of property '{known.name}' to the expected type.")
    if known.max_length and len(value) > known.max_length:
        raise invalid_value(known.name, resource)
    if known.name in _PARTICULAR and not _PARTICULAR[known.name](value):
        raise invalid_value(known.name, resource)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _are_extensions(value: Mapping[str, Any]) -> bool:
    return set(value) <= set(EXTENSION_ATTRIBUTES) and all(
        text is None or (isinstance(text, str) and 0 < len(text) <= 1024) for text in value.values()
    )


def _is_password_profile(value: Mapping[str, Any]) -> bool:
    return set(value) <= {"password", *PASSWORD_FLAGS} and all(
        isinstance(value.get(flag, False), bool) for flag in PASSWORD_FLAGS
    )


def _are_policies(value: str) -> bool:
    return {policy.strip() for policy in value.split(",")} <= PASSWORD_POLICIES


def _invalid(name: str) -> dict[str, str]:
    return {"code": "InvalidValue", "message": f"Property {name} is invalid.", "target": name}


_TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "flag": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "time": _is_time,
    "texts": _is_texts,
    "object": lambda value: isinstance(value, dict),
    "objects": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
}
_PARTICULAR: dict[str, Callable[[Any], bool]] = {
    "businessPhones": lambda phones: len(phones) <= 1,
    "employeeOrgData": lambda found: set(found) <= {"division", "costCenter"},
    "mail": lambda address: re.fullmatch(r"[^@\s]+@[^@\s]+", address) is not None,
    "onPremisesExtensionAttributes": _are_extensions,
    "onPremisesImmutableId": lambda found: "$" not in found and "_" not in found,
    "otherMails": lambda mails: len(mails) <= MOST_MAILS and all(len(mail) <= MOST_MAILS for mail in mails),
    "passwordPolicies": _are_policies,
    "passwordProfile": _is_password_profile,
    "usageLocation": lambda place: re.fullmatch(r"[A-Za-z]{2}", place) is not None,
    "userType": lambda kind: kind in ("Member", "Guest"),
}
