"""Setting the password that a person has chosen, or handing out a pass with which they choose one at Microsoft.

Owns these calls and the words of their refusal; never keeps a password or a pass, and never tries twice.
https://learn.microsoft.com/graph/api/user-update (passwordProfile)
https://learn.microsoft.com/graph/api/authentication-post-temporaryaccesspassmethods
"""

import json
from collections.abc import Mapping
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.microsoft365.delta import RIGHT as READ_RIGHT
from provision.connectors.microsoft365.graph import HIGH, Graph
from provision.connectors.microsoft365.permissions import ROLES
from provision.connectors.microsoft365.stories import ANCHOR, USER
from provision.core.ports import Missing, OutsideError, Refused, Unreachable

RIGHT = "User-PasswordProfile.ReadWrite.All"
PASS_RIGHT = "UserAuthMethod-TAP.ReadWrite.All"  # noqa: S105 - the right's name
SESSIONS_RIGHT = "User.RevokeSessions.All"
PASSES = "/users/{id}/authentication/temporaryAccessPassMethods"
SESSIONS = "/users/{id}/revokeSignInSessions"
CHANGED = "lastPasswordChangeDateTime"


def set_password(graph: Graph, anchor: str, password: str) -> None:
    """Set a password that need not be changed at the next sign-in. A person waits, so it goes first.

    Raises Refused: *password_weak*, *password_federated*, *password_synced*, *permission_missing*, *role_missing*,
    *protected_account*; Missing when nobody is there; and the others of the six errors.
    """
    profile = {"password": password, "forceChangePasswordNextSignIn": False}
    _person(graph, "PATCH", USER, anchor, {"passwordProfile": profile}, RIGHT)


def mark(graph: Graph, anchor: str) -> str:
    """When the password was last changed, as Microsoft writes it."""
    found = graph.glance(USER, {"$select": f"id,{CHANGED}"}, right=READ_RIGHT, id=_known(anchor))
    return str(found.get(CHANGED) or "")


def access_pass(graph: Graph, anchor: str, minutes: int) -> str:
    """A Temporary Access Pass for one use, shown in this one answer only; an earlier one is replaced by it.

    Raises Refused("passes_off") where the tenant's policy allows none, Refused("pass_lifetime") for another lifetime than
    the policy's, and the others of the six errors.
    """
    wanted = {"lifetimeInMinutes": minutes, "isUsableOnce": True}
    body = _person(graph, "POST", PASSES, anchor, wanted, PASS_RIGHT).json()
    found = body.get("temporaryAccessPass") if isinstance(body, dict) else None
    if not isinstance(found, str) or not found:
        raise Unreachable("unexpected_reply", sent=True, reason="shape")
    return found


def end_sessions(graph: Graph, anchor: str) -> None:
    """Let the refresh tokens and browser sessions of an account end; running access tokens live on for up to an hour."""
    _person(graph, "POST", SESSIONS, anchor, None, SESSIONS_RIGHT)


def _person(graph: Graph, method: str, path: str, anchor: str, body: Mapping[str, Any] | None, right: str) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    known = _known(anchor)
    failure: OutsideError
    try:
        return graph.send(method, path, content, right=right, headers=HIGH, person=True, id=known)
    except OutsideError as error:
        failure = _worded(graph, error)
    # Raised out here so that no context drags the password along.
    raise failure


def _known(anchor: str) -> str:
    if not ANCHOR.fullmatch(anchor):
        raise Missing("not_there")
    return anchor


def _worded(graph: Graph, error: OutsideError) -> OutsideError:
    if error.code == "set_by_directory_sync":
        return Refused("password_synced", request_id=error.request_id)
    if error.code == "value_refused" and error.params.get("attribute") == "passwordProfile":
        return Refused("password_federated", request_id=error.request_id)
    if error.code == "protected_account" and ROLES.isdisjoint(graph.wids()):
        return Refused("role_missing", request_id=error.request_id, role="User Administrator")
    return error
