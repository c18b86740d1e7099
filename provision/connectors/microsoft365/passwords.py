"""Setting the password that a person has chosen.

Owns the one call and the words of its refusal; never keeps a password, and never tries twice.
https://learn.microsoft.com/graph/api/user-update (passwordProfile)
"""

import json

from provision.connectors.microsoft365.graph import HIGH, Graph
from provision.connectors.microsoft365.permissions import ROLES
from provision.connectors.microsoft365.stories import ANCHOR, USER
from provision.core.ports import Missing, OutsideError, Refused

RIGHT = "User-PasswordProfile.ReadWrite.All"


def set_password(graph: Graph, anchor: str, password: str) -> None:
    """Set a password that need not be changed at the next sign-in. A person waits, so it goes first.

    Raises Refused: *password_weak*, *password_federated*, *password_synced*, *permission_missing*, *role_missing*,
    *protected_account*; Missing when nobody is there; and the others of the six errors.
    """
    if not ANCHOR.fullmatch(anchor):
        raise Missing("not_there")
    profile = {"password": password, "forceChangePasswordNextSignIn": False}
    failure: OutsideError
    try:
        graph.send(
            "PATCH",
            USER,
            json.dumps({"passwordProfile": profile}).encode(),
            right=RIGHT,
            headers=HIGH,
            person=True,
            id=anchor,
        )
    except OutsideError as error:
        failure = _worded(graph, error)
    else:
        return
    # Raised out here so that no context drags the password along.
    raise failure


def _worded(graph: Graph, error: OutsideError) -> OutsideError:
    if error.code == "set_by_directory_sync":
        return Refused("password_synced", request_id=error.request_id)
    if error.code == "value_refused" and error.params.get("attribute") == "passwordProfile":
        return Refused("password_federated", request_id=error.request_id)
    if error.code == "protected_account" and ROLES.isdisjoint(graph.wids()):
        return Refused("role_missing", request_id=error.request_id, role="User Administrator")
    return error
