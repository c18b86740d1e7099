"""A PATCH on what is stored: the library's own, but for many members who come or leave one by one.

The library reads all of a group's members for every operation; a thousand of them on ten thousand would be ten million
comparisons. Runs of operations that each move one member are taken together here, in the order in which they came.
"""

import json
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from scim2_models import PatchOp, PatchOperation, Resource

from provision.core.vocabulary import exact
from provision.services.scim.models import GROUP, POLICY_WITHOUT_TEXTS, PeopleGroup

_MEMBERS = rf"(?:{re.escape(GROUP)}:)?members"
_ALL = re.compile(_MEMBERS, re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z]+")
_ONE = re.compile(rf'{_MEMBERS}\[\s*value\s+eq\s+("(?:[^"\\]|\\.)*")\s*\]', re.IGNORECASE)


def apply(current: Resource[Any], asked: "PatchOp[Any]") -> bool:
    """Change a resource in place; tells whether that was one. What fails half-way is for the caller to forget."""
    changed = False
    kind_of = _kind if isinstance(current, PeopleGroup) else lambda _: ""
    for kind, run in groupby(asked.operations or [], kind_of):
        operations = list(run)
        if kind == "leave":
            changed |= _part(current, operations)
        else:
            joined = _together(operations) if kind == "join" else operations
            policy = POLICY_WITHOUT_TEXTS if all(map(_switches, joined)) else None
            changed |= asked.model_copy(update={"operations": joined}).patch(current, policy)
    return changed


def _switches(operation: Any) -> bool:
    """Whether all it does is to set an attribute to yes or no."""
    return isinstance(operation.value, bool) and _NAME.fullmatch(str(operation.path or "")) is not None


def _kind(operation: Any) -> str:
    path = str(operation.path or "")
    if operation.op == PatchOperation.Op.remove:
        return "leave" if operation.value is None and _ONE.fullmatch(path) else ""
    adds = operation.op == PatchOperation.Op.add and isinstance(operation.value, list)
    return "join" if adds and _ALL.fullmatch(path) and all(map(_named, operation.value)) else ""


def _named(member: Any) -> bool:
    """Whether a member comes as a name alone, so that two of one name are one."""
    return (
        isinstance(member, dict)
        and exact(member.get("value")) is not None
        and {"value", "display"}.issuperset(map(str.lower, member))
    )


def _part(current: Any, operations: Sequence[Any]) -> bool:
    found = (_ONE.fullmatch(str(one.path)) for one in operations)
    names = {exact(json.loads(one[1])) for one in found if one}
    before = current.members or []
    after = [one for one in before if exact(one.value) not in names]
    if len(after) == len(before):
        return False
    current.members = after or None
    return True


def _together(operations: Sequence[Any]) -> list[Any]:
    values: list[Any] = []
    seen: set[str | None] = set()
    for one in operations:
        values += [value for value in one.value if exact(value["value"]) not in seen]
        seen.update(exact(value["value"]) for value in one.value)
    return [operations[0].model_copy(update={"value": values})]
