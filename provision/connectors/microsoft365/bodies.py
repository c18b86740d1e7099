"""How our texts become what Graph stores, and which attributes a refusal means.

Owns the forms of values, bodies and records of people; never calls anyone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from provision.connectors.microsoft365 import schema
from provision.core.ports import Attribute, OutsideError, Refused

SIGN_IN = "userPrincipalName"
SWITCH = "accountEnabled"

REQUIRED = frozenset({"displayName", "mailNickname", SIGN_IN, SWITCH})
"""Without these nobody is created."""

SENSITIVE = (SWITCH, SIGN_IN, "businessPhones", "mobilePhone", "otherMails", "employeeHireDate")
"""What needs more than the right to edit: for administrators, by rights of its own, or, the last, for applications.
https://learn.microsoft.com/graph/api/user-update#permissions-for-specific-scenarios"""

PEOPLE_ONLY = frozenset({"employeeHireDate"})
"""What applications may write of new people only, whatever they are granted."""

_KNOWN: Mapping[str, Attribute] = {attribute.name: attribute for attribute in schema.ATTRIBUTES}
WHILE_SYNCED = frozenset(name for name, attribute in _KNOWN.items() if attribute.while_synced)


def converted(texts: Mapping[str, str | None]) -> tuple[dict[str, Any], dict[str, OutsideError]]:
    """Return the values as Graph takes them, and why some cannot be written as asked."""
    values: dict[str, Any] = {}
    refused: dict[str, OutsideError] = {}
    for name, text in texts.items():
        try:
            values[name] = _value(name, text)
        except Refused as error:
            refused[name] = error
    return values, refused


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by our flat names as a body of Graph's, in which the extension attributes share one holder."""
    body = {name: value for name, value in values.items() if name not in schema.EXTENSIONS}
    extensions = {name: value for name, value in values.items() if name in schema.EXTENSIONS}
    return {**body, schema.EXTENSION_HOLDER: extensions} if extensions else body


def meant(error: OutsideError, names: Collection[str]) -> frozenset[str]:
    """Return those of ``names`` that a refusal is about; empty when it does not say."""
    if error.code == "set_by_directory_sync":
        return frozenset(names) - WHILE_SYNCED
    target = str(error.params.get("attribute") or "").rpartition("/")[2].lower()
    if target == schema.EXTENSION_HOLDER.lower():
        return frozenset(names).intersection(schema.EXTENSIONS)
    return frozenset(name for name in names if name.lower() == target)


def narrowed(error: OutsideError, names: Iterable[str]) -> list[list[str]]:
    """Return the smaller bodies to try one after the other when all these names together were refused for a right."""
    names = list(names)
    if error.code not in ("permission_missing", "protected_account") or len(names) < 2:
        return []
    plain = [name for name in names if name not in SENSITIVE]
    alone = [[name] for name in SENSITIVE if name in names]
    return [*alone[: SWITCH in names], *([plain] if plain else []), *alone[SWITCH in names :]] if alone else []


def worded(error: OutsideError, names: Collection[str]) -> OutsideError:
    """Return the refusal of these names in the words that fit them best."""
    if error.code == "protected_account" and PEOPLE_ONLY.issuperset(names):
        return Refused("needs_an_administrator", request_id=error.request_id, attribute=next(iter(names)))
    return error


def _value(name: str, text: str | None) -> Any:
    attribute = _KNOWN.get(name)
    if attribute is None and schema.DIRECTORY_EXTENSION.fullmatch(name):
        return text or None
    if attribute is None:
        raise Refused("attribute_unknown_there", attribute=name)
    if not attribute.writable:
        raise Refused(attribute.reason, attribute=name)
    if text:
        return _FORMS.get(attribute.kind, _unfit)(name, text)
    if not attribute.clearable:
        raise Refused("not_clearable", attribute=name)
    return [] if attribute.kind == "list" else None


def _list(_: str, text: str) -> list[str]:
    return [part for part in (each.strip() for each in text.split(";")) if part]


def _time(name: str, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return _unfit(name, text)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _unfit(name: str, _: str) -> str:
    raise Refused("value_refused", attribute=name)


_FORMS: Mapping[str, Callable[[str, str], Any]] = {"text": lambda _, text: text, "list": _list, "time": _time}
