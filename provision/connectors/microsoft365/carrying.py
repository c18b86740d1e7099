"""Carrying writes: each write is a small story of calls, and all stories move on together, one batch at a time.

Owns the order of calls for every kind of write and what becomes of each; never waits, and never sends a write again whose
effect is in doubt.

    create   bin? → POST                    ┐
    restore  POST restore                   ├→ PATCH → manager → licences
    update, enable, disable                 ┘
    delete   DELETE
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import bodies, licences, recycling
from provision.connectors.microsoft365.batch import MOST, Call, exchange
from provision.connectors.microsoft365.bodies import REQUIRED, SIGN_IN, SWITCH
from provision.connectors.microsoft365.delta import record_of
from provision.connectors.microsoft365.graph import Graph
from provision.connectors.microsoft365.stories import ANCHOR, USER, Story, Telling, undoubted
from provision.core.ports import (
    LICENCES,
    MANAGER,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Refused,
    Taken,
    Unreachable,
    Write,
)
from provision.core.vocabulary import OperationKind

USERS = "/users"
REFERENCE = "/users/{id}/manager/$ref"


def carry(graph: Graph, writes: Sequence[Write], names: dict[str, str]) -> list[Outcome]:
    """Carry up to twenty writes of different accounts; one outcome for each, in the same order.

    ``names``: licence names by sku that were looked up before; more are added. Raises ValueError for more than twenty.
    """
    if len(writes) > MOST:
        raise ValueError(f"at most {MOST} writes at once")
    stories = [Story(write, graph.root, names) for write in writes]
    tellings = [_tell(story) for story in stories]
    outcomes: dict[int, Outcome] = {}
    waiting: dict[int, Call] = {}

    def move_on(number: int, met: Answer | OutsideError | None) -> None:
        try:
            waiting[number] = _next_call(tellings[number], met)
        except StopIteration:
            outcomes[number] = stories[number].outcome()
        except OutsideError as error:
            outcomes[number] = stories[number].outcome(error)

    for number in range(len(writes)):
        move_on(number, None)
    while waiting:
        asked, waiting = waiting, {}
        for (number, call), reply in zip(asked.items(), exchange(graph, list(asked.values())), strict=True):
            met = _read(graph, call, reply)
            stories[number].request_id = met.request_id or stories[number].request_id
            move_on(number, met)
    return [outcomes[number] for number in range(len(writes))]


def _next_call(telling: Telling, met: Answer | OutsideError | None) -> Call:
    if met is None:
        return next(telling)
    return telling.throw(met) if isinstance(met, OutsideError) else telling.send(met)


def _read(graph: Graph, call: Call, reply: Answer | OutsideError) -> Answer | OutsideError:
    """What a call met, as the error that it stands for when it failed."""
    if isinstance(reply, Answer) and 200 <= reply.status < 300:
        return reply
    try:
        error = reply if isinstance(reply, OutsideError) else _refusal(graph, call, reply)
    except OutsideError as failed:  # asking what the token grants
        error = failed
    return undoubted(error) if call.is_read else error


def _refusal(graph: Graph, call: Call, answer: Answer) -> OutsideError:
    return graph.refusal(answer, call.right, person="id" in call.names and not call.is_read)


def _tell(story: Story) -> Telling:
    kind, anchor = story.write.kind, story.write.anchor
    if kind is OperationKind.CREATE:
        yield from _create(story)
        return
    if anchor is None or not ANCHOR.fullmatch(anchor):
        raise Missing("not_there")
    yield from _STORIES[kind](story)


def _create(story: Story) -> Telling:
    write = story.write
    if not write.despite_bin:
        yield from _search_bin(story)
    values, refused = bodies.converted({name: text for name, text in write.values.items() if text})
    values |= dict([write.correlation] if write.correlation else [])
    values[SWITCH] = write.enabled is not False
    kept = REQUIRED | frozenset([write.correlation[0]] if write.correlation else [])
    for name in kept & refused.keys():
        raise refused[name]
    story.left |= refused
    profile = {"password": write.password, "forceChangePasswordNextSignIn": True}
    while True:
        try:
            answer = yield story.call("POST", USERS, {**bodies.nested(values), "passwordProfile": profile})
            break
        except (Refused, Taken) as error:
            # Refused for certain, so nobody was created: without what may be missing it may go.
            barred = bodies.meant(error, values.keys())
            if not barred or barred & kept:
                raise
            story.left |= dict.fromkeys(barred, error)
            values = {name: value for name, value in values.items() if name not in barred}
    story.made(_created(answer, values))
    yield from _bind(story)


def _search_bin(story: Story) -> Telling:
    name = story.write.values.get(SIGN_IN)
    twin = (yield from recycling.twin(story, name)) if name else None
    if twin is not None:
        raise Refused("in_recycle_bin", anchor=twin.anchor, name=twin.name)


def _created(answer: Answer, values: Mapping[str, Any]) -> Record:
    """The new person: what was written, and what the answer adds to it. Unreadable answers leave the outcome in doubt."""
    body = answer.json()
    shown = {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else {}
    return record_of({**bodies.nested(values), **shown}, [*values, *shown])


def _update(story: Story) -> Telling:
    texts, write = dict(story.write.values), story.write
    values, refused = bodies.converted(texts)
    story.left |= refused
    if write.enabled is not None:
        values[SWITCH] = write.enabled
    yield from _revise(story, values)
    yield from _bind(story)


def _revise(story: Story, values: Mapping[str, Any]) -> Telling:
    """Change attributes: all in one call, and only if that is refused in smaller ones, so that what can follow does."""
    trying = [list(values)] if values else []
    while trying:
        names = trying.pop(0)
        try:
            body = bodies.nested({name: values[name] for name in names})
            yield story.call("PATCH", USER, body, id=story.anchor)
            story.confirm({name: values[name] for name in names})
        except (Refused, Taken) as error:
            smaller = bodies.narrowed(error, names)
            barred = bodies.meant(error, names) or names
            if smaller:
                trying = smaller + trying
                continue
            story.leave(barred, bodies.worded(error, barred))
            rest = [name for name in names if name not in barred]
            trying = [rest, *trying] if rest else trying
        except OutsideError as error:
            story.stop(error, [*names, *(name for more in trying for name in more)])
            return


def _bind(story: Story) -> Telling:
    """Let what binds an account to others follow: its manager, then its licences."""
    for word, wanted, tell in (
        (MANAGER, story.write.moves_manager, _move_manager),
        (LICENCES, bool(story.write.licences), licences.settle),
    ):
        if not wanted:
            continue
        if story.stopped:
            story.leave([word], story.stopped)
            continue
        try:
            yield from tell(story)
        except OutsideError as error:
            if isinstance(error, Refused | Taken) or error.code == "manager_not_there":
                story.leave([word], error)
            else:
                story.stop(error, [word])


def _move_manager(story: Story) -> Telling:
    manager = story.write.manager
    if manager is None:
        if not story.is_new:
            yield from _clear_manager(story)
    elif not ANCHOR.fullmatch(manager):
        raise Unreachable("manager_not_there", sent=False)
    else:
        link = {"@odata.id": f"{story.root}/users/{manager}"}
        try:
            yield story.call("PUT", REFERENCE, link, id=story.anchor)
        except Missing as error:
            if story.is_new:
                raise
            yield from _see(story)
            # It is the manager's account that is not there or not visible yet: nothing but time helps.
            raise Unreachable("manager_not_there", sent=False, request_id=error.request_id) from None
    story.confirm({MANAGER: manager})


def _clear_manager(story: Story) -> Telling:
    try:
        yield story.call("DELETE", REFERENCE, id=story.anchor)
    except Missing:
        yield from _see(story)  # then there was no manager, which is what was wanted


def _see(story: Story) -> Telling:
    """Make sure that the person is there. Raises Missing."""
    if not story.confirmed:
        yield story.read(USER, {"$select": "id"}, id=story.anchor)


def _restore(story: Story) -> Telling:
    texts = dict(story.write.values)
    name = texts.pop(SIGN_IN, None)
    values, refused = bodies.converted(texts)
    story.left |= refused
    try:
        yield from recycling.restore(story, name)
        story.confirm({SIGN_IN: name} if name else {})
    except Missing:
        # Neither restored twice nor lost: an earlier attempt whose answer got lost has brought it back.
        yield story.read(USER, {"$select": "id"}, id=story.anchor)
        story.confirm({})
        values |= {SIGN_IN: name} if name else {}
    if story.write.enabled is not None:
        values[SWITCH] = story.write.enabled
    yield from _revise(story, values)
    yield from _bind(story)


def _delete(story: Story) -> Telling:
    yield story.call("DELETE", USER, id=story.anchor)
    story.gone = True


_STORIES: Mapping[OperationKind, Callable[[Story], Telling]] = {
    OperationKind.UPDATE: _update,
    OperationKind.ENABLE: _update,
    OperationKind.DISABLE: _update,
    OperationKind.RESTORE: _restore,
    OperationKind.DELETE: _delete,
}
