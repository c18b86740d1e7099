"""Reading licences: the seats of the tenant now, and what one person holds, given directly or through which groups.

Owns the reading and its words; gives and takes nothing.
https://learn.microsoft.com/graph/api/resources/licenseassignmentstate
"""

from collections.abc import Mapping, Sequence
from typing import Any

from provision.connectors.microsoft365 import doctor
from provision.connectors.microsoft365.config import GUID
from provision.connectors.microsoft365.graph import Graph
from provision.connectors.microsoft365.licences import GROUP, STATES
from provision.connectors.microsoft365.stories import ANCHOR, USER
from provision.core.ports import Holding, Missing, Refused

PEOPLE = "User.Read.All"
GROUPS = "GroupMember.Read.All"


def seats(graph: Graph) -> Sequence[Mapping[str, Any]]:
    """The seats per licence, in the form of ``Check.facts``. Raises the six errors."""
    return doctor.seats(graph)


def held(graph: Graph, anchor: str) -> Sequence[Holding]:
    """What one person holds there, the same licence once. Raises Missing and the other errors."""
    if not ANCHOR.fullmatch(anchor):
        raise Missing("not_there")
    body = graph.read(USER, STATES, right=PEOPLE, id=anchor)
    direct: dict[str, bool] = {}
    groups: dict[str, list[str]] = {}
    for state in _dicts(body.get("licenseAssignmentStates")):
        sku, group = state.get("skuId"), state.get("assignedByGroup")
        if not isinstance(sku, str):
            continue
        direct.setdefault(sku.lower(), False)
        if group is None:
            direct[sku.lower()] = True
        elif isinstance(group, str) and GUID.fullmatch(group.lower()):
            groups.setdefault(sku.lower(), []).append(group.lower())
    for each in _dicts(body.get("assignedLicenses")):
        if isinstance(each.get("skuId"), str):
            direct.setdefault(each["skuId"].lower(), True)  # no state tells where it comes from
    names = {group: _name(graph, group) for group in {one for found in groups.values() for one in found}}
    return [
        Holding(sku, is_direct, tuple(sorted(names[one] for one in groups.get(sku, ()))))
        for sku, is_direct in sorted(direct.items())
    ]


def _name(graph: Graph, group: str) -> str:
    """The group as people know it; its id where it may not be read."""
    try:
        name = graph.read(GROUP, {"$select": "id,displayName"}, right=GROUPS, id=group).get("displayName")
    except (Refused, Missing):
        return group
    return name if isinstance(name, str) and name else group


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
