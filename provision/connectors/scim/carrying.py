"""Carrying writes to a SCIM application, one call after the other, and what becomes of each.

Owns the order of calls for every kind of write; never waits, and never sends a write again whose effect is in doubt.

    create                     POST
    update, enable, disable    PATCH, or GET and PUT; only if that is refused in smaller parts, so that what can follow does
    restore                    the same: nobody is kept here after being deleted
    delete                     DELETE
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.scim import grouping
from provision.connectors.scim.discovery import Abilities
from provision.connectors.scim.peer import LONGEST_ANCHOR, Peer
from provision.connectors.scim.places import ENTERPRISE, PATCH_OP, needs_sight, operations, put, read, schemas
from provision.connectors.scim.schema import MARK, SIGN_IN, SWITCH, values_of
from provision.connectors.scim.walking import by_anchor
from provision.core.ports import (
    ENABLED,
    LICENCES,
    MANAGER,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Refused,
    Taken,
    Throttled,
    Unauthorised,
    Unreachable,
    Write,
)
from provision.core.vocabulary import OperationKind

MOST = 20
BOSS = f"{ENTERPRISE}:manager"
Part = str | bool | None


@dataclass
class Way:
    """How an application takes changes: learnt from what it says, and from what it refuses."""

    able: Abilities
    patches: bool


@dataclass
class _Story:
    """One write and what is known of it so far."""

    write: Write
    done: dict[str, Any] = field(default_factory=dict)
    left: dict[str, OutsideError] = field(default_factory=dict)
    request_id: str | None = None

    @property
    def anchor(self) -> str:
        return self.write.anchor or ""

    def outcome(self, error: OutsideError | None = None) -> Outcome:
        """A refusal of everything is the write's own error; of some, what was left."""
        if error is None and self.left and not self.done:
            error = next(iter(self.left.values()))
        record = Record(self.anchor, self.done) if self.done else None
        told = (error.request_id if error else None) or self.request_id
        return Outcome(record, error, self.left, told)


def carry(peer: Peer, way: Way, writes: Sequence[Write]) -> list[Outcome]:
    """Carry up to twenty writes; one outcome for each. What meets all is met once: the rest is not sent then."""
    outcomes: list[Outcome] = []
    barred: OutsideError | None = None
    for write in writes:
        outcome = Outcome(error=barred) if barred else _carry(peer, way, write)
        outcomes.append(outcome)
        barred = barred or _for_all(outcome.error)
    return outcomes


def _for_all(error: OutsideError | None) -> OutsideError | None:
    """The error as it meets the writes that were not sent any more."""
    if isinstance(error, Throttled | Unauthorised):
        return error
    if isinstance(error, Unreachable) and not error.sent and error.code != "app_busy":
        return error
    return None


def _carry(peer: Peer, way: Way, write: Write) -> Outcome:
    if write.group:
        return _carry_group(peer, way, write)
    story = _Story(write)
    try:
        if write.kind is OperationKind.CREATE:
            return _create(peer, story)
        if not write.anchor or len(write.anchor) > LONGEST_ANCHOR:
            raise Missing("not_at_app")
        if write.kind is OperationKind.DELETE:
            answer = peer.send("DELETE", peer.person(write.anchor), template=f"{peer.users}/{{id}}")
            return Outcome(request_id=answer.request_id)
        _change(peer, way, story)
        return story.outcome()
    except OutsideError as error:
        return story.outcome(error)


def _carry_group(peer: Peer, way: Way, write: Write) -> Outcome:
    try:
        return grouping.carry(peer, way.patches, write)
    except Refused:
        way.patches = False  # it said it could
        return grouping.carry(peer, False, write)


# -- Creating ------------------------------------------------------------------------------------------------------------


def _create(peer: Peer, story: _Story) -> Outcome:
    write = story.write
    sent = {name: value for name, value in write.values.items() if value}
    kept = {SIGN_IN}
    while True:
        body = _new(peer, write, sent)
        try:
            answer = peer.send("POST", peer.users, body, known=frozenset(sent))
            break
        except Refused as error:
            # Refused for certain, so nobody was created: without what may be missing it may go.
            name = error.params.get("attribute")
            if name not in sent or name in kept:
                raise
            story.left[name] = error
            del sent[name]
    record = _created(answer, write, {**sent, SWITCH: body[SWITCH]})
    story.left |= dict.fromkeys([LICENCES] if write.licences else [], Refused("no_licences_there"))
    return Outcome(record, None, story.left, answer.request_id)


def _new(peer: Peer, write: Write, sent: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in sent.items():
        put(body, name, value)
    body[SWITCH] = write.enabled is not False
    if write.correlation:
        put(body, *write.correlation)
    if write.moves_manager and write.manager:
        body.setdefault(ENTERPRISE, {})[MANAGER] = {"value": write.manager}
    if write.password and peer.config.passwords:
        body["password"] = write.password
    return {"schemas": schemas(body), **body}


def _created(answer: Answer, write: Write, sent: Mapping[str, Any]) -> Record:
    """The new person. An answer that shows no id, or somebody else, leaves the outcome in doubt."""
    body = answer.json()
    anchor = body.get("id") if isinstance(body, dict) else None
    if not isinstance(anchor, str) or not 0 < len(anchor) <= LONGEST_ANCHOR:
        raise answer.unexpected("no_id")
    name, mark = read(body, SIGN_IN), read(body, MARK)
    ours = (write.correlation or ("", ""))[1]
    if isinstance(name, str) and name.casefold() != str(sent[SIGN_IN]).casefold():
        raise answer.unexpected("another_person")
    if isinstance(mark, str) and ours and mark != ours:
        raise answer.unexpected("another_person")
    shown = values_of(body, [*sent, *write.values])
    held = {name: value for name, value in shown.items() if value is not None}
    bond = {MANAGER: write.manager} if write.moves_manager else {}
    marked = dict([write.correlation]) if write.correlation else {}
    return Record(anchor, {**sent, **marked, **bond, **held})


# -- Changing ------------------------------------------------------------------------------------------------------------


def _change(peer: Peer, way: Way, story: _Story) -> None:
    write = story.write
    parts: dict[str, Part] = dict(write.values)
    if write.enabled is not None:
        parts[SWITCH] = write.enabled
    if write.moves_manager:
        parts[MANAGER] = write.manager
    if write.licences:
        story.left[LICENCES] = Refused("no_licences_there")
    trying = [parts] if parts else []
    while trying:
        some = trying.pop(0)
        try:
            _write(peer, way, story, some)
            story.done |= some
        except (Refused, Taken) as error:
            if len(some) > 1:
                trying = [*_narrowed(error, some), *trying]
                continue
            story.left |= {(ENABLED if name == SWITCH else name): error for name in some}


def _narrowed(error: OutsideError, parts: Mapping[str, Part]) -> list[dict[str, Part]]:
    """The parts in smaller helpings: without the one that was named, else one by one."""
    named = str(error.params.get("attribute"))
    if named in parts:
        return [{name: value for name, value in parts.items() if name != named}, {named: parts[named]}]
    return [{name: value} for name, value in parts.items()]


def _write(peer: Peer, way: Way, story: _Story, parts: Mapping[str, Part]) -> None:
    if way.patches:
        try:
            _patch(peer, story, parts)
            return
        except Refused as error:
            if error.code != "not_able_there":
                raise
            way.patches = False  # it said it could
    _replace(peer, way, story, parts)


def _patch(peer: Peer, story: _Story, parts: Mapping[str, Part]) -> None:
    texts = {name: value for name, value in parts.items() if name not in (SWITCH, MANAGER)}
    there: dict[str, Any] = {}
    if needs_sight(texts):
        _, _, there = by_anchor(peer, (), story.anchor)
    todo = operations(there, texts)  # type: ignore[arg-type]
    if SWITCH in parts:
        todo.append({"op": "replace", "path": SWITCH, "value": parts[SWITCH]})
    if MANAGER in parts:
        boss = parts[MANAGER]
        todo.append(
            {"op": "replace", "path": BOSS, "value": {"value": boss}} if boss else {"op": "remove", "path": BOSS}
        )
    body = {"schemas": [PATCH_OP], "Operations": todo}
    answer = peer.send(
        "PATCH", peer.person(story.anchor), body, template=f"{peer.users}/{{id}}", known=frozenset(parts)
    )
    _confirm(story, answer)


def _replace(peer: Peer, way: Way, story: _Story, parts: Mapping[str, Part]) -> None:
    """The whole record as it is there, with the parts changed, and only over the version that was read."""
    _, seen, there = by_anchor(peer, (), story.anchor)
    body: dict[str, Any] = deepcopy(there)
    for name, value in parts.items():
        if name == SWITCH:
            body[SWITCH] = value
        elif name == MANAGER:
            _set_boss(body, value)
        else:
            put(body, name, value)  # type: ignore[arg-type]
    for fixed in ("meta", "groups", "password"):
        body.pop(fixed, None)
    body["schemas"] = list(dict.fromkeys([*_told_schemas(there), *schemas(body)]))
    version = seen.headers.get("etag") or _version(there)
    headers = {"If-Match": version} if way.able.etag and version else {}
    answer = peer.send(
        "PUT", peer.person(story.anchor), body, template=f"{peer.users}/{{id}}", headers=headers, known=frozenset(parts)
    )
    _confirm(story, answer)


def _confirm(story: _Story, answer: Answer) -> None:
    """A success that shows somebody else is none: nobody knows what was changed."""
    story.request_id = answer.request_id
    if answer.status == 204 or not answer.body:
        return
    body = answer.json()
    if not isinstance(body, dict) or body.get("id", story.anchor) != story.anchor:
        raise answer.unexpected("another_id")


def _set_boss(body: dict[str, Any], value: Part) -> None:
    inner = dict(body.get(ENTERPRISE) or {})
    inner.pop(MANAGER, None)
    if value:
        inner[MANAGER] = {"value": value}
    body.pop(ENTERPRISE, None)
    if inner:
        body[ENTERPRISE] = inner


def _told_schemas(there: Mapping[str, Any]) -> list[str]:
    told = there.get("schemas")
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []


def _version(there: Mapping[str, Any]) -> str | None:
    version = read(there, "meta.version")
    return version if isinstance(version, str) and version.isascii() and version.isprintable() else None
