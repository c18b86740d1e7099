"""Groups of a SCIM application: made, renamed, filled, deleted and found.

Owns the order of calls for each kind of write to a group; never waits, and sends no create again whose effect is in doubt.

    create   POST, marked like a person
    update   PATCH, or GET and PUT; members always as a whole, so that sending it twice is the same as once
    delete   DELETE

People and groups may have the same ids there, so a group's anchor is ``Groups/`` and its id.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote

from provision.connectors.http import Answer
from provision.connectors.scim.peer import LONGEST_ANCHOR, Peer
from provision.connectors.scim.places import PATCH_OP
from provision.connectors.scim.schema import MARK
from provision.core.ports import (
    GROUP_NAME,
    MEMBERS,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Refused,
    Taken,
    Write,
)
from provision.core.vocabulary import OperationKind

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATH = "/Groups"
FINDABLE = frozenset({MARK, GROUP_NAME})
_BEFORE = f"{PATH[1:]}/"
_ONE = f"{PATH}/{{id}}"
_KNOWN = frozenset({GROUP_NAME, MEMBERS})


def carry(peer: Peer, patches: bool, write: Write) -> Outcome:
    """Carry one write. Raises Refused("not_able_there") where small changes are refused although it said it takes them."""
    try:
        if write.kind is OperationKind.CREATE:
            return _create(peer, write)
        path = _path(write.anchor)
        if write.kind is OperationKind.DELETE:
            return Outcome(request_id=peer.send("DELETE", path, template=_ONE).request_id)
        return _update(peer, patches, write, path)
    except Taken as error:
        named = Taken(error.code, request_id=error.request_id, **{**error.params, "attribute": GROUP_NAME})
        return Outcome(error=named, request_id=error.request_id)
    except OutsideError as error:
        if patches and isinstance(error, Refused) and error.code == "not_able_there":
            raise
        return Outcome(error=error, request_id=error.request_id)


def find(peer: Peer, attribute: str, value: str) -> Record | None:
    """The one group that holds a value. A search that finds whoever does not hold it says nothing, and so does none."""
    if attribute not in FINDABLE or not value:
        raise Refused("not_findable_there", attribute=attribute)
    answer = peer.get(PATH, {"filter": f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"})
    body = answer.json()
    rows = body.get("Resources") or [] if isinstance(body, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise answer.unexpected("shape")
    ours = [row for row in rows if str(row.get(attribute) or "").casefold() == value.casefold()]
    if len(ours) < len(rows):
        raise answer.unexpected("no_search")
    if len(ours) > 1:
        raise Refused("found_several_there", attribute=attribute)
    return _record(ours[0], answer) if ours else None


def _create(peer: Peer, write: Write) -> Outcome:
    body: dict[str, Any] = {"schemas": [GROUP], GROUP_NAME: write.values.get(GROUP_NAME)}
    if write.members:
        body[MEMBERS] = _members(write.members)
    if write.correlation:
        body[write.correlation[0]] = write.correlation[1]
    answer = peer.send("POST", PATH, body, known=_KNOWN)
    shown = answer.json()
    if not isinstance(shown, Mapping) or str(shown.get(GROUP_NAME, body[GROUP_NAME])) != body[GROUP_NAME]:
        raise answer.unexpected("another_group")
    made = _record(shown, answer)
    return Outcome(Record(made.anchor, _sent(write)), request_id=answer.request_id)


def _update(peer: Peer, patches: bool, write: Write, path: str) -> Outcome:
    if patches:
        body: dict[str, Any] = {"schemas": [PATCH_OP], "Operations": _operations(write)}
        answer = peer.send("PATCH", path, body, template=_ONE, known=_KNOWN)
    else:
        body = _whole(peer.get(path, template=_ONE), write)
        answer = peer.send("PUT", path, body, template=_ONE, known=_KNOWN)
    if answer.status != 204 and answer.body:
        shown = answer.json()
        if not isinstance(shown, Mapping) or _anchor(shown.get("id", _id(write.anchor))) != write.anchor:
            raise answer.unexpected("another_id")
    return Outcome(Record(write.anchor or "", _sent(write)), request_id=answer.request_id)


def _operations(write: Write) -> list[dict[str, Any]]:
    todo: list[dict[str, Any]] = [
        {"op": "replace", "path": name, "value": value} for name, value in write.values.items()
    ]
    if write.members is not None:
        full = {"op": "replace", "path": MEMBERS, "value": _members(write.members)}
        todo.append(full if write.members else {"op": "remove", "path": MEMBERS})
    return todo


def _whole(answer: Answer, write: Write) -> dict[str, Any]:
    """The group as it is there, with what changes."""
    there = answer.json()
    if not isinstance(there, Mapping) or _anchor(there.get("id")) != write.anchor:
        raise answer.unexpected("another_id")
    body = {**deepcopy(dict(there)), **write.values}
    body.pop("meta", None)
    if write.members is not None:
        body[MEMBERS] = _members(write.members)
    return body


def _sent(write: Write) -> dict[str, Any]:
    """What is there after a success: what was sent."""
    creates = write.kind is OperationKind.CREATE
    members = write.members if write.members is not None or not creates else ()
    return {**write.values, **({} if members is None else {MEMBERS: list(members)})}


def _record(row: Mapping[str, Any], answer: Answer) -> Record:
    anchor = _anchor(row.get("id"))
    if anchor is None:
        raise answer.unexpected("no_id")
    held = row.get(MEMBERS)
    inside = [one.get("value") for one in held if isinstance(one, Mapping)] if isinstance(held, list) else []
    members = sorted(one for one in inside if isinstance(one, str))
    return Record(anchor, {GROUP_NAME: row.get(GROUP_NAME), MEMBERS: members})


def _members(anchors: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"value": anchor} for anchor in anchors]


def _anchor(told: Any) -> str | None:
    fits = isinstance(told, str) and 0 < len(told) <= LONGEST_ANCHOR - len(_BEFORE)
    return f"{_BEFORE}{told}" if fits else None


def _id(anchor: str | None) -> str:
    return (anchor or "").removeprefix(_BEFORE)


def _path(anchor: str | None) -> str:
    if not anchor or not anchor.startswith(_BEFORE) or len(anchor) > LONGEST_ANCHOR:
        raise Missing("not_at_app")
    return f"{PATH}/{quote(_id(anchor), safe='')}"
