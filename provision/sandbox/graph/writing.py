"""Owns changing users: create, update, delete, manager, sessions, passwords.
Never answers before the change is on the disk."""

# ruff: noqa: ARG001 - every resource has the same signature

import re
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from provision.sandbox.graph.cloud import Cloud, entity, user_row
from provision.sandbox.graph.directory import domains
from provision.sandbox.graph.errors import bad_request, bad_syntax, denied, not_found
from provision.sandbox.graph.permissions import judge_mastery, judge_reach, judge_update
from provision.sandbox.graph.properties import EXTENSION_ATTRIBUTES, USER, default_names, shown
from provision.sandbox.graph.records import insert_user, judge_unique, relate, set_aside, update_user
from provision.sandbox.graph.validation import (
    PASSWORD_FLAGS,
    check,
    check_nickname,
    check_password,
    check_sign_in_name,
    decode,
    require,
)
from provision.sandbox.store import body_of, fact, hash_password
from provision.sandbox.wire import Answer, Call

PUBLIC_GRAPH = "https://graph.microsoft.com"
NO_CONTENT = 204


def create_user(cloud: Cloud, call: Call) -> Answer:
    """Answer 201 with the usual properties only, whatever was sent."""
    sent = decode(call.json)
    check(sent, USER, "User", creating=True)
    require(sent, USER, "User")
    check_nickname(sent["mailNickname"], "User")
    hashed = _hashed(sent["passwordProfile"])
    at = cloud.moment()
    with cloud.store.writing() as db:
        domain = check_sign_in_name(sent["userPrincipalName"], _by_name(db))
        if domain["authenticationType"] == "Federated" and not sent.get("onPremisesImmutableId"):
            raise bad_request("One or more properties contains invalid values.")
        password = sent["passwordProfile"]["password"]
        check_password(password, sent["userPrincipalName"], sent.get("passwordPolicies"))
        body = _new_body(sent, cloud)
        judge_unique(db, body)
        insert_user(db, body, hashed, at)
        tenant = fact(db, "tenant")
    location = f"{cloud.graph_url}/v2/{tenant}/directoryObjects/{body['id']}/Microsoft.DirectoryServices.User"
    item = shown(USER, body, default_names(USER))
    return Answer(201, entity(cloud, "users/$entity", item), {"Location": location})


def update(cloud: Cloud, call: Call, user: str) -> Answer:
    """Change what was sent and nothing else; 204 without a body."""
    sent = decode(call.json)
    check(sent, USER, "User", creating=False)
    if "mailNickname" in sent:
        check_nickname(sent["mailNickname"], "User")
    hashed = _hashed(sent.get("passwordProfile") or {})
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        old = body_of(row)
        judge_update(db, call, old, sent)
        new = old | _changes(db, old, sent, cloud.stamp())
        judge_unique(db, new)
        if hashed:
            password = sent["passwordProfile"]["password"]
            check_password(password, new["userPrincipalName"], new.get("passwordPolicies"))
            db.execute("UPDATE users SET password = ? WHERE id = ?", (hashed, row["id"]))
        update_user(db, old, new, cloud.moment())
    return Answer(NO_CONTENT)


def delete(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        judge_reach(db, call, row["id"])
        set_aside(db, row, cloud.moment(), cloud.stamp())
    return Answer(NO_CONTENT)


def set_manager(cloud: Cloud, call: Call, user: str) -> Answer:
    link = decode(call.json).get("@odata.id")
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        manager = user_row(db, cloud, referenced(cloud, link))
        judge_mastery(body_of(row))
        if manager["id"] == row["id"]:
            raise bad_request("A user can't be their own manager.")
        before = db.execute("SELECT manager FROM managers WHERE id = ?", (row["id"],)).fetchone()
        db.execute("INSERT OR REPLACE INTO managers VALUES (?, ?)", (row["id"], manager["id"]))
        for other in {manager["id"]} | ({before["manager"]} if before else set()):
            relate(db, "users", row["id"], "manager", other, cloud.moment())
    return Answer(NO_CONTENT)


def clear_manager(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.writing() as db:
        row = user_row(db, cloud, user)
        before = db.execute("SELECT manager FROM managers WHERE id = ?", (row["id"],)).fetchone()
        if before is None:
            raise not_found("manager")
        db.execute("DELETE FROM managers WHERE id = ?", (row["id"],))
        relate(db, "users", row["id"], "manager", before["manager"], cloud.moment())
    return Answer(NO_CONTENT)


def revoke_sessions(cloud: Cloud, call: Call, user: str) -> Answer:
    with cloud.store.writing() as db:
        old = body_of(user_row(db, cloud, user))
        update_user(db, old, old | {"signInSessionsValidFromDateTime": cloud.stamp()}, cloud.moment())
    return Answer(200, {"@odata.context": cloud.context("Edm.Boolean"), "value": True})


def change_password(cloud: Cloud, call: Call, user: str) -> Answer:
    """People change their own password only; an application never can."""
    raise denied()


def referenced(cloud: Cloud, link: Any) -> str:
    """Return the id in an `@odata.id`; the real Graph's address is understood besides our own, no other is."""
    if not isinstance(link, str):
        raise bad_syntax("A value is required for '@odata.id'.")
    parts = urlsplit(link)
    host = f"{parts.scheme}://{parts.netloc}"
    match = re.fullmatch(r"/v[^/]+/(?:users|groups|directoryObjects)/([^/]+)", unquote(parts.path))
    if host not in (cloud.graph_url, PUBLIC_GRAPH) or match is None:
        raise bad_syntax(f"The reference '{link}' is not an entity of this service.")
    return match.group(1)


def _hashed(profile: Mapping[str, Any]) -> str | None:
    """Hash before the transaction begins, so that nobody waits for it; a value that is no text is refused later."""
    password = profile.get("password")
    return hash_password(str(password)) if password else None


def _new_body(sent: Mapping[str, Any], cloud: Cloud) -> dict[str, Any]:
    now = cloud.stamp()
    body = {name: value for name, value in sent.items() if value is not None}
    if "mail" in body:
        body["proxyAddresses"] = [f"SMTP:{body['mail']}"]
    return body | {
        "id": str(uuid.uuid4()),
        "createdDateTime": now,
        "lastPasswordChangeDateTime": now,
        "passwordProfile": _profile(sent["passwordProfile"]),
        "securityIdentifier": "S-1-12-1-" + "-".join(str(uuid.uuid4().int % 2**32) for _ in range(4)),
        "signInSessionsValidFromDateTime": now,
        "userType": sent.get("userType") or "Member",
    }


def _changes(db: sqlite3.Connection, old: Mapping[str, Any], sent: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Work out the values that an update leaves, with what follows from them."""
    new = dict(sent)
    if "userPrincipalName" in sent:
        _judge_new_name(db, old, sent)
    if "mail" in sent and sent["mail"] != old.get("mail"):
        new["proxyAddresses"] = _addresses(old.get("proxyAddresses", []), sent["mail"])
    if "onPremisesExtensionAttributes" in sent:
        merged = (old.get("onPremisesExtensionAttributes") or {}) | (sent["onPremisesExtensionAttributes"] or {})
        new["onPremisesExtensionAttributes"] = {name: merged.get(name) for name in EXTENSION_ATTRIBUTES}
    if sent.get("employeeOrgData"):
        new["employeeOrgData"] = {name: sent["employeeOrgData"].get(name) for name in ("costCenter", "division")}
    if "passwordProfile" in new:
        del new["passwordProfile"]
        new |= _password_changes(db, old, sent["passwordProfile"] or {}, now)
    return new


def _password_changes(
    db: sqlite3.Connection, old: Mapping[str, Any], profile: Mapping[str, Any], now: str
) -> dict[str, Any]:
    """The flags without a password have always been accepted and forgotten, so they are here."""
    if not profile.get("password"):
        return {}
    domain = _by_name(db).get(old["userPrincipalName"].rpartition("@")[2].lower())
    if domain and domain["authenticationType"] == "Federated":
        text = "The password of a user in a federated domain can't be set."
        raise bad_request(text, {"code": "InvalidValue", "message": text, "target": "passwordProfile"})
    return {
        "passwordProfile": _profile(profile),
        "lastPasswordChangeDateTime": now,
        "signInSessionsValidFromDateTime": now,
    }


def _judge_new_name(db: sqlite3.Connection, old: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    if sent["userPrincipalName"] == old["userPrincipalName"]:
        return
    domain = check_sign_in_name(sent["userPrincipalName"], _by_name(db))
    immutable = sent.get("onPremisesImmutableId", old.get("onPremisesImmutableId"))
    if domain["authenticationType"] == "Federated" and not immutable:
        raise bad_request("One or more properties contains invalid values.")


def _addresses(before: list[str], mail: str) -> list[str]:
    """Make `mail` the primary address; the former primary one stays as a secondary."""
    kept = [re.sub("^SMTP:", "smtp:", address) for address in before if address.casefold() != f"smtp:{mail}".casefold()]
    return [f"SMTP:{mail}", *kept]


def _profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """What can be read of a password profile: never the password."""
    return {flag: bool(profile.get(flag)) for flag in PASSWORD_FLAGS} | {"password": None}


def _by_name(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in domains(db)}
