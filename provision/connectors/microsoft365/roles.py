"""Who holds a directory role, so that nothing that runs by itself touches an administrator.

Owns reading them; never judges what a role protects from. https://learn.microsoft.com/graph/api/directoryrole-list-members
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.microsoft365.batch import MOST, Call, exchange
from provision.connectors.microsoft365.graph import LOW, Graph
from provision.connectors.microsoft365.stories import read_object, undoubted
from provision.core.ports import OutsideError, Unreachable

RIGHT = "RoleManagement.Read.Directory"
ROLES = "/directoryRoles"
MEMBERS = "/directoryRoles/{id}/members"
GROUP_MEMBERS = "/groups/{id}/transitiveMembers"
GROUP_RIGHT = "GroupMember.Read.All"
PAGES = 100
"""Pages of one role's holders after which they are taken for endless."""

_Named = Mapping[str, set[str]]


def holders(graph: Graph, reference: str) -> dict[str, list[str]]:
    """Return the names of directory roles by the id of who holds them, by themselves or through a group.

    All of it or nothing: an administrator who is missing from the list would look like anybody. Raises the six errors.
    """
    names = {role["id"]: {role["displayName"]} for role in _all(graph, graph.read(ROLES, right=RIGHT), ROLES, RIGHT)}
    members = list(_members(graph, names, MEMBERS, RIGHT, reference))
    groups: dict[str, set[str]] = {}
    for member, roles in members:
        if member.get("@odata.type") == "#microsoft.graph.group":
            groups.setdefault(member["id"], set()).update(roles)
    members += _members(graph, groups, GROUP_MEMBERS, GROUP_RIGHT, reference)
    found: dict[str, set[str]] = {}
    for member, roles in members:
        found.setdefault(member["id"], set()).update(roles)
    return {anchor: sorted(roles) for anchor, roles in found.items()}


def _members(
    graph: Graph, names: _Named, path: str, right: str, reference: str
) -> Iterator[tuple[dict[str, Any], set[str]]]:
    """Yield the members of each with the role names they get from it; a round trip asks for twenty."""
    anchors = list(names)
    for start in range(0, len(anchors), MOST):
        part = anchors[start : start + MOST]
        calls = [Call("GET", path, right, reference, None, {"id": each}, headers=LOW) for each in part]
        for anchor, reply in zip(part, exchange(graph, calls), strict=True):
            for member in _all(graph, _body(graph, reply, right), path, right):
                yield member, names[anchor]


def _body(graph: Graph, reply: Answer | OutsideError, right: str) -> dict[str, Any]:
    if isinstance(reply, OutsideError):
        raise undoubted(reply)
    if reply.status != 200:
        raise undoubted(graph.refusal(reply, right))
    return read_object(reply)


def _all(graph: Graph, body: Mapping[str, Any], path: str, right: str) -> list[dict[str, Any]]:
    """Return the objects of a page and of those that follow it, each with an id and a name."""
    found: list[dict[str, Any]] = []
    for _ in range(PAGES):
        people, link = body.get("value"), body.get("@odata.nextLink")
        if not isinstance(people, Sequence) or not all(isinstance(each, dict) for each in people):
            break
        for each in people:
            if isinstance(each.get("id"), str):
                found.append({**each, "displayName": str(each.get("displayName") or "")})
        if not isinstance(link, str):
            return found
        if not graph.serves(link):
            raise Unreachable("foreign_link", sent=False)
        body = _body(graph, graph.follow(link, template=path, headers=LOW), right)
    raise Unreachable("unexpected_reply", sent=False, reason="shape")
