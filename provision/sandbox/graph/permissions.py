"""Owns which application permission and directory role a write to a user needs.
Never reads the request's values, only which properties it names."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from provision.sandbox.graph.cloud import app_roles
from provision.sandbox.graph.errors import bad_request, denied
from provision.sandbox.graph.properties import USER
from provision.sandbox.graph.users import READ_ALL
from provision.sandbox.wire import Call

BROAD = frozenset({"User.ReadWrite.All", "Directory.ReadWrite.All"})
GENERAL = BROAD | {"User.ReadUpdate.All"}
# Property: the permissions of which one is needed.
SPECIAL: Mapping[str, frozenset[str]] = {
    "accountEnabled": BROAD | {"User.EnableDisableAccount.All"},
    "businessPhones": BROAD | {"User-Phone.ReadWrite.All"},
    "customSecurityAttributes": frozenset({"CustomSecAttributeAssignment.ReadWrite.All"}),
    "employeeLeaveDateTime": frozenset({"User-LifeCycleInfo.ReadWrite.All"}),
    "identities": frozenset({"User.ManageIdentities.All"}),
    "mobilePhone": BROAD | {"User-Phone.ReadWrite.All"},
    "otherMails": BROAD | {"User-Mail.ReadWrite.All"},
    "passwordProfile": frozenset({"User-PasswordProfile.ReadWrite.All"}),
}
NEED_READING = ("accountEnabled", "employeeLeaveDateTime")

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
REACH_EVERYBODY = frozenset({GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR})
MAY_SET_PASSWORDS = REACH_EVERYBODY | {USER_ADMINISTRATOR}
# Holders of these alone are within a User Administrator's reach.
LESSER_ROLES = frozenset(
    {
        USER_ADMINISTRATOR,
        "729827e3-9c14-49f7-bb1b-9608f156bbb8",  # Helpdesk Administrator
        "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",  # Directory Readers
    }
)

ON_PREMISES = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects "
    "or objects currently undergoing migration."
)


def judge_update(db: sqlite3.Connection, call: Call, target: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse (403) an update of `names` that the caller's permissions or roles don't cover, or (400) that belongs on
    premises. The whole update is refused for the sake of one property."""
    names = set(names)
    roles = app_roles(call)
    for name in names:
        if not roles & SPECIAL.get(name, GENERAL):
            raise denied()
        if USER[name].refused_app_only:
            raise denied()
    if names & set(NEED_READING) and not roles & READ_ALL:
        raise denied()
    if any(USER[name].sensitive for name in names):
        judge_reach(db, call, target["id"])
    if "passwordProfile" in names and not wids(call) & MAY_SET_PASSWORDS:
        raise denied()
    if any(USER[name].mastered_on_premises for name in names):
        judge_mastery(target)


def judge_mastery(target: Mapping[str, Any]) -> None:
    """Refuse (400) to change something whose master is on premises."""
    if target.get("onPremisesSyncEnabled"):
        raise bad_request(ON_PREMISES)


def judge_reach(db: sqlite3.Connection, call: Call, user_id: str) -> None:
    """Refuse (403) a sensitive action on somebody who holds a role the caller's own roles don't reach."""
    held = {
        row["template"]
        for row in db.execute("SELECT template FROM roles JOIN role_members ON role = id WHERE member = ?", (user_id,))
    }
    mine = wids(call)
    if mine & REACH_EVERYBODY:
        return
    if _in_role_group(db, user_id) or held - (LESSER_ROLES if USER_ADMINISTRATOR in mine else frozenset()):
        raise denied()


def wids(call: Call) -> frozenset[str]:
    """The directory roles in the caller's token."""
    return frozenset(call.claims.get("wids", ()))


def _in_role_group(db: sqlite3.Connection, user_id: str) -> bool:
    """Members and owners of groups that can hold roles are protected like holders."""
    return (
        db.execute(
            "SELECT 1 FROM groups WHERE deleted_at IS NULL AND json_extract(CAST(body AS TEXT), '$.isAssignableToRole') "
            "AND id IN (SELECT grp FROM members WHERE member = :id UNION SELECT grp FROM owners WHERE owner = :id)",
            {"id": user_id},
        ).fetchone()
        is not None
    )
