"""Owns the road of a Graph call: token, permission, route, resource, headers.
Never knows a resource's rules."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from provision.sandbox.graph import batch, licences, recycling
from provision.sandbox.graph.cloud import Cloud, app_roles
from provision.sandbox.graph.errors import GraphError, bad_syntax, denied, error_answer
from provision.sandbox.graph.routes import ROUTES, Route
from provision.sandbox.tokens import GRAPH_AUDIENCES, Refused, verify
from provision.sandbox.weather import Weather
from provision.sandbox.wire import Answer, Call

DIAGNOSTIC = json.dumps({"ServerInfo": {"DataCenter": "Sandbox", "Ring": "1"}})


def answer(cloud: Cloud, weather: Weather, call: Call) -> Answer:
    """Answer one call to Graph, `call.path` without the version. Raises LostAnswer when the connection shall die."""
    keep_house(cloud)
    return _identified(cloud, call, lambda: dispatch(cloud, weather, _known(cloud, call)))


def keep_house(cloud: Cloud) -> None:
    """Do what became due by the mere passing of time: old deletions, licences of groups."""
    at = cloud.moment()
    with cloud.store.reading() as db:
        if not recycling.overdue(db, at) and not licences.due(db, at):
            return
    with cloud.store.writing() as db:
        recycling.sweep(db, at)
        licences.settle_groups(db, at)


def dispatch(cloud: Cloud, weather: Weather, call: Call) -> Answer:
    """Find the resource, judge the permission, let the weather have its way, count the cost."""
    if call.path.lower() == "$batch":
        return weather.around(cloud, call, 1, lambda: batch.answer(call, partial(_item, cloud, weather)))
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
    return "/".join(_plain_segment(segment) for segment in path.strip("/").split("/"))


def units(route: Route, call: Call) -> int:
    """The call's cost in resource units, after the discounts and surcharges of its options."""
    cost = route.units - ("$select" in call.query) + ("$expand" in call.query)
    top = call.query.get("$top", "")
    return max(1, cost - (top.isdigit() and int(top) < 20))


def _known(cloud: Cloud, call: Call) -> Call:
    return replace(call, path=normal_path(call.path), claims=authenticate(cloud, call))


def _item(cloud: Cloud, weather: Weather, call: Call) -> Answer:
    """Carry out one item of a batch, which has been authenticated as a whole; a batch inside it is refused."""
    single = replace(call, path=normal_path(call.path))
    return _identified(cloud, single, lambda: dispatch(cloud, weather, _plain(single)))


def _plain(call: Call) -> Call:
    if call.path.lower() == "$batch":
        raise bad_syntax("Batches can't contain batches.")
    return call


def _identified(cloud: Cloud, call: Call, proceed: Callable[[], Answer]) -> Answer:
    """Give the answer, or the refusal, the headers by which Microsoft's support would find it again."""
    client_request_id = str(call.headers.get("client-request-id") or uuid.uuid4())
    request_id = str(uuid.uuid4())
    try:
        result = proceed()
    except GraphError as error:
        result = error_answer(error, cloud.now(), request_id, client_request_id)
    return result.with_headers(
        {
            "Cache-Control": "no-cache",
            "Strict-Transport-Security": "max-age=31536000",
            "request-id": request_id,
            "client-request-id": client_request_id,
            "x-ms-ags-diagnostic": DIAGNOSTIC,
            "OData-Version": "4.0",
            **result.headers,
        }
    )


def _plain_segment(segment: str) -> str:
    """Shorten a cast to `graph.user` and a qualified action to its name; a sign-in name is left as it is."""
    if "@" in segment:
        return segment
    name = segment.removesuffix("()").removeprefix("microsoft.")
    return name if name in ("graph.user", "graph.group") else name.removeprefix("graph.")


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
