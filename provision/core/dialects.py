"""What SCIM clients send that the standard does not know, turned into what they mean.

Owns the shapes that Microsoft Entra, Okta, Google and OneLogin are known to send; on plain values, and no more lenient than
it must be: what is not named here is left as it came, for the standard's own reading to accept or refuse.

Entra: https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from provision.core.vocabulary import SCIM_ENTERPRISE

_ENTERPRISE = SCIM_ENTERPRISE.casefold()
_MANAGER = f"{_ENTERPRISE}:manager"
_MANAGER_PATHS = frozenset({_MANAGER, *(f"{_MANAGER}.{part}" for part in ("value", "$ref", "managerid"))})
_READ_ONLY = frozenset({"id", "meta", "groups", "schemas"})
"""What a client echoes back although only the server sets it; it may stand in a value, but it is no change."""
_QUOTED_OR_MANAGER = re.compile(r'("(?:[^"\\]|\\.)*")|(?<![\w.:$-])(manager)(?=[\s.])', re.IGNORECASE)
DEEPEST = 20
MOST_OPERATIONS = 1000


class Unfit(ValueError):
    """A body that no client sends in earnest: too deep, too long, or with characters that no text holds."""


def judge(payload: Any) -> None:
    """Refuse what is nested too deep, or holds characters that cannot be kept. Raises Unfit."""
    level, depth = [payload], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise Unfit(f"nested more than {DEEPEST} deep")
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += [*value, *value.values()]
            elif isinstance(value, list):
                deeper += value
            elif isinstance(value, str) and not keepable(value):
                raise Unfit("a text holds a character that cannot be kept")
        level = [value for value in deeper if isinstance(value, dict | list | str)]


def resource(payload: Any) -> Any:
    """A resource as its client means it."""
    if not isinstance(payload, dict):
        return payload
    return dict(_named(name, value) for name, value in payload.items())


def patch(payload: Any) -> Any:
    """The operations of a PATCH as their client means them. Raises Unfit when there are too many."""
    if not isinstance(payload, dict):
        return payload
    known = next((name for name in payload if name.casefold() == "operations"), None)
    if known is None or not isinstance(payload[known], list):
        return payload
    if len(payload[known]) > MOST_OPERATIONS:
        raise Unfit(f"more than {MOST_OPERATIONS} operations")
    meant = [each for one in payload[known] for each in _operations(one)]
    if len(meant) > MOST_OPERATIONS:
        raise Unfit(f"more than {MOST_OPERATIONS} values to be removed")
    return {**payload, known: meant}


def bulk(payload: Any) -> Any:
    """The operations of a bulk request, each as the request it stands for."""
    if not isinstance(payload, dict):
        return payload
    known = next((name for name in payload if name.casefold() == "operations"), None)
    if known is None or not isinstance(payload[known], list):
        return payload
    return {**payload, known: [_bulk_operation(one) for one in payload[known]]}


def asked(text: str) -> str:
    """A filter as its client means it: Entra asks for a manager without saying in which schema."""
    return _QUOTED_OR_MANAGER.sub(lambda found: f"{SCIM_ENTERPRISE}:{found[2]}" if found[2] else found[0], text)


def passwords(payload: Any) -> list[str]:
    """Every password that a resource, a PATCH or a bulk request carries, whatever the case of its name."""
    found: list[str] = []
    waiting = [payload]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            folded = {str(name).casefold(): inner for name, inner in value.items()}
            if str(folded.get("path", "")).casefold().rpartition(":")[2] == "password" and "op" in folded:
                found.append(str(folded.get("value") or ""))
            found += [str(inner) for name, inner in folded.items() if name.rpartition(":")[2] == "password"]
            waiting += [inner for inner in value.values() if isinstance(inner, dict | list)]
    return found


def _bulk_operation(operation: Any) -> Any:
    if not isinstance(operation, dict) or "data" not in operation:
        return operation
    method = str(operation.get("method") or "").upper()
    meant = patch(operation["data"]) if method == "PATCH" else resource(operation["data"])
    return {**operation, "data": meant}


def _operations(operation: Any) -> list[Any]:
    """One operation, or one for each value that Entra wants removed: it names them beside the path, not in it."""
    if not isinstance(operation, dict) or str(operation.get("op") or "").casefold() != "remove":
        return [_operation(operation)]
    path, value = operation.get("path"), operation.get("value")
    named = [one.get("value") if isinstance(one, dict) else None for one in value] if isinstance(value, list) else []
    if not (isinstance(path, str) and path.isalpha() and named and all(isinstance(one, str) for one in named)):
        return [_operation(operation)]
    bare = {name: inner for name, inner in operation.items() if name != "value"}
    return [{**bare, "path": f"{path}[value eq {json.dumps(one)}]"} for one in named]


def _operation(operation: Any) -> Any:
    """One operation. Entra writes the manager as a plain text, and removes it by an empty one."""
    if not isinstance(operation, dict):
        return operation
    path = operation.get("path")
    folded = path.casefold() if isinstance(path, str) else ""
    if folded in _MANAGER_PATHS:
        return _manager_operation(operation)
    if folded == _ENTERPRISE:
        return {**operation, "value": _extension(operation.get("value"))}
    if path in (None, "") and isinstance(operation.get("value"), dict):
        value = dict(
            _named(name, inner) for name, inner in operation["value"].items() if str(name).casefold() not in _READ_ONLY
        )
        return {**{name: inner for name, inner in operation.items() if name != "path"}, "value": value}
    return operation


def _manager_operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    path, meant = _named(str(operation["path"]), operation.get("value"))
    if str(operation.get("op") or "").casefold() not in ("add", "replace"):
        return {**{name: inner for name, inner in operation.items() if name != "value"}, "path": path}
    return {"op": "remove", "path": path} if meant is None else {**operation, "path": path, "value": meant}


def _named(name: str, value: Any) -> tuple[str, Any]:
    """An attribute by its full name, and its value."""
    folded = str(name).casefold()
    if folded in _MANAGER_PATHS:
        whole, part = name[: len(_MANAGER)], name[len(_MANAGER) + 1 :]
        return whole, _manager({part: value} if part and isinstance(value, str) else value)
    return name, _extension(value) if folded == _ENTERPRISE else value


def _extension(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {inner: _manager(given) if str(inner).casefold() == "manager" else given for inner, given in value.items()}


def _manager(value: Any) -> Any:
    """A manager as an object: some send the bare number, some a list with one in it, some an empty text for nobody.

    Of an object, whom it names: by id, else by address. What the manager is called is the server's to say.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return {"value": value} if value.strip() else None
    if not isinstance(value, dict):
        return value
    folded = {str(name).casefold(): inner for name, inner in value.items()}
    named = folded.get("value") or folded.get("managerid")
    if not named and isinstance(folded.get("$ref"), str):
        named = folded["$ref"].rstrip("/").rpartition("/")[2]
    return {"value": named} if named else None


def keepable(text: str) -> bool:
    """Whether a text can be kept: no database takes NUL, and half a character is none."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text))
