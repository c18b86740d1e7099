"""Owns the road of a Graph call: token, permission, route, resource, headers.
Never knows a resource's rules."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.datastructures import Headers

from provision.sandbox.graph import delta, directory, users
from provision.sandbox.graph.cloud import Cloud, app_roles
from provision.sandbox.graph.errors import GraphError, bad_syntax, denied, error_answer
from provision.sandbox.tokens import GRAPH_AUDIENCES, Refused, verify
from provision.sandbox.weather import Weather
from provision.sandbox.wire import Answer, Call

Resource = Callable[..., Answer]

DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
READ_USERS = ("User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", *DIRECTORY)
READ_PROFILES = ("User.Read.All", "User.ReadWrite.All", *DIRECTORY)
READ_ORGANIZATION = ("Organization.Read.All", "Organization.ReadWrite.All", "User.Read.All", *DIRECTORY)
READ_SKUS = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", *READ_ORGANIZATION[:2], *DIRECTORY)
READ_DOMAINS = ("Domain.Read.All", "Domain.ReadWrite.All", *DIRECTORY)
READ_ROLES = ("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", *DIRECTORY)
READ_GROUPS = (
    "Group.ReadBasic.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All",
    "Group.ReadWrite.All", *DIRECTORY,
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """A method on a path. `{name}` takes one segment; any one permission of `needs` opens it; `units` is its cost."""

    method: str
    path: str
    resource: Resource
    needs: tuple[str, ...]
    units: int = 1


ROUTES = (
    Route("GET", "organization", directory.list_organization, READ_ORGANIZATION),
    Route("GET", "organization/{organization}", directory.get_organization, READ_ORGANIZATION),
    Route("GET", "domains", directory.list_domains, READ_DOMAINS),
    Route("GET", "domains/{domain}", directory.get_domain, READ_DOMAINS),
    Route("GET", "subscribedSkus", directory.list_skus, READ_SKUS, 3),
    Route("GET", "subscribedSkus/{sku}", directory.get_sku, READ_SKUS, 3),
    Route("GET", "directoryRoles", directory.list_roles, READ_ROLES),
    Route("GET", "directoryRoles/{role}", directory.get_role, READ_ROLES),
    Route("GET", "directoryRoles/roleTemplateId={role}", directory.get_role, READ_ROLES),
    Route("GET", "directoryRoles/{role}/members", directory.list_role_members, READ_ROLES),
    Route("GET", "users", users.list_users, READ_USERS, 2),
    Route("GET", "users/$count", users.count_users, READ_USERS, 2),
    Route("GET", "users/delta", delta.users_delta, READ_PROFILES, 2),
    Route("GET", "users/{user}", users.get_user, READ_USERS),
    Route("GET", "users/{user}/manager", users.get_manager, READ_PROFILES),
    Route("GET", "users/{user}/manager/$ref", users.get_manager_reference, READ_PROFILES),
    Route("GET", "users/{user}/directReports", users.list_reports, READ_PROFILES),
    Route("GET", "users/{user}/memberOf", users.list_memberships, (*DIRECTORY, "GroupMember.Read.All"), 2),
    Route("GET", "users/{user}/memberOf/graph.group", users.list_group_memberships, READ_GROUPS, 2),
    Route("GET", "users/{user}/transitiveMemberOf", users.list_memberships, DIRECTORY, 2),
    Route("POST", "users/{user}/getMemberGroups", users.list_member_group_ids, READ_GROUPS, 2),
)


def answer(cloud: Cloud, weather: Weather, call: Call) -> Answer:
    """Answer one call to Graph, `call.path` without the version. Raises LostAnswer when the connection shall die."""
    client_request_id = str(call.headers.get("client-request-id") or uuid.uuid4())
    request_id = str(uuid.uuid4())
    try:
        known = replace(call, path=normal_path(call.path), claims=authenticate(cloud, call))
        result = dispatch(cloud, weather, known)
    except GraphError as error:
        result = error_answer(error, cloud.now(), request_id, client_request_id)
    return result.with_headers(
        {
            "Cache-Control": "no-cache",
            "Strict-Transport-Security": "max-age=31536000",
            "request-id": request_id,
            "client-request-id": client_request_id,
            "x-ms-ags-diagnostic": json.dumps({"ServerInfo": {"DataCenter": "Sandbox", "Ring": "1"}}),
            "OData-Version": "4.0",
            **result.headers,
        }
    )


def dispatch(cloud: Cloud, weather: Weather, call: Call) -> Answer:
    """Find the resource, judge the permission, let the weather have its way, count the cost."""
    route, names = find(call.method, call.path)
    if not app_roles(call) & set(route.needs):
        raise denied()
    return weather.around(cloud, call, units(route, call), lambda: route.resource(cloud, call, **names))


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Match a path, whose segments aren't case-sensitive; GraphError 400 for an unknown one, 405 for the method."""
    parts = path.split("/")
    offered = [(route, names) for route in ROUTES if (names := _match(route.path, parts)) is not None]
    for route, names in offered:
        if route.method == method:
            return route, names
    if offered:
        raise GraphError(405, "Request_BadRequest", f"Specified HTTP method '{method}' is not allowed for the target.")
    raise bad_syntax(f"Resource not found for the segment '{parts[0]}'.")


def authenticate(cloud: Cloud, call: Call) -> Mapping[str, Any]:
    """Return the claims of the bearer token; GraphError 401 with the challenge otherwise."""
    scheme, _, token = str(call.headers.get("Authorization", "")).partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _challenge(cloud, "Access token is empty.")
    with cloud.store.reading() as db:
        try:
            return verify(db, cloud.moment(), token.strip(), (*GRAPH_AUDIENCES, cloud.graph_url))
        except Refused as error:
            raise _challenge(cloud, str(error)) from error


def normal_path(path: str) -> str:
    """Bring the spellings of a path together: `users('x')`, key alternates, `delta()`, qualified casts and actions."""
    path = re.sub(r"\((?:userPrincipalName=|id=)?'((?:[^']|'')*)'\)", lambda m: "/" + m[1].replace("''", "'"), path)
    path = re.sub(r"\((roleTemplateId)='?([0-9a-fA-F-]+)'?\)", r"/\1=\2", path)
    path = path.replace("()", "").replace("microsoft.graph.", "graph.")
    path = re.sub(r"graph\.(?!user\b|group\b)", "", path)
    return path.strip("/")


def units(route: Route, call: Call) -> int:
    """The call's cost in resource units, after the discounts and surcharges of its options."""
    cost = route.units - ("$select" in call.query) + ("$expand" in call.query)
    top = call.query.get("$top", "")
    return max(1, cost - (top.isdigit() and int(top) < 20))


def _match(pattern: str, parts: list[str]) -> dict[str, str] | None:
    wanted = pattern.split("/")
    if len(wanted) != len(parts):
        return None
    names: dict[str, str] = {}
    for segment, part in zip(wanted, parts, strict=True):
        lead, opened, name = segment.partition("{")
        if not part.lower().startswith(lead.lower()) or (not opened and part.lower() != segment.lower()):
            return None
        if opened:
            names[name.rstrip("}")] = part[len(lead) :]
    return names


def _challenge(cloud: Cloud, message: str) -> GraphError:
    challenge = f'Bearer realm="", authorization_uri="{cloud.login_url}/common/oauth2/authorize", error="invalid_token"'
    return GraphError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})


def item_call(
    call: Call, method: str, url: str, headers: Mapping[str, str], body: bytes, query: dict[str, str]
) -> Call:
    """Make the call an item of a batch stands for; it shares the batch's token, nothing else."""
    return replace(call, method=method, path=normal_path(url), query=query, headers=Headers(dict(headers)), body=body)
