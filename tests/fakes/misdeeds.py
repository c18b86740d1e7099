"""The misdeeds that a walk alone cannot meet: an object not visible yet, an answer lost after the deed, and all that can
happen to a batch; with the faithful caller who gets his writes through all the same."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import Missing, Outcome, Throttled, Unreachable, Write
from provision.core.vocabulary import OperationKind
from tests.fakes.grounds import MAPPED, UnrulyGround, connector


def exercise(ground: UnrulyGround) -> None:
    """Create somebody so that the answer gets lost, and look them up until they show: there is one, not two or none."""
    target = connector(ground)
    name = f"lost{len(ground.fake.people)}@{ground.domain}"
    body = {"userPrincipalName": name, "displayName": "Lost", "mailNickname": "lost", "accountEnabled": True}
    with pytest.raises(Unreachable) as raised:
        _graph(target).send("POST", "/users", json.dumps(body).encode(), right="User.ReadWrite.All")
    assert raised.value.sent, "a create whose answer got lost is in doubt"
    made = [anchor for anchor, person in ground.fake.people.items() if person["userPrincipalName"] == name]
    assert len(made) == 1, "the client sends a write once"
    assert target.find(MAPPED, anchor=made[0]) is None
    assert target.find(MAPPED, userPrincipalName=name) is None
    ground.clock.sleep(121)
    found = target.find(MAPPED, userPrincipalName=name)
    assert found is not None
    assert found.anchor == made[0]
    assert target.find(MAPPED, anchor=made[0]) == found


def _graph(target: object) -> Graph:
    client: Graph = target._client()  # type: ignore[attr-defined]
    return client


WRONGS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("drop_before", "POST", "/$batch", {}),
    ("drop_after", "POST", "/$batch", {}),
    ("html", "POST", "/$batch", {}),
    ("throttle", "POST", "/$batch", {"retry_after": 30}),
    ("status", "POST", "/$batch", {"status": 503}),
    ("status", "POST", "/$batch", {"status": 400, "code": "BadRequest"}),
    ("partial", "POST", "/$batch", {"ids": [str(number) for number in range(0, 20, 3)]}),
    ("throttle", "POST", "/users", {"retry_after": 20}),
    ("throttle", "PATCH", "/users/*", {"retry_after": 20}),
    ("status", "POST", "/users", {"status": 500}),
    ("status", "PATCH", "/users/*", {"status": 409}),
    ("status_after", "POST", "/users", {"status": 504}),
    ("status_after", "DELETE", "/users/*", {"status": 502}),
)
"""Misfortunes of writing: what, for which calls, and its details."""


def plague(ground: UnrulyGround, number: int) -> None:
    """Let so many misfortunes wait, each somewhere along the way."""
    for _ in range(number):
        what, method, path, details = ground.fake.chance.choice(WRONGS)
        skip = ground.fake.chance.randrange(3 if path == "/$batch" else 12)
        ground.strike(what, method, path, skip=skip, times=ground.fake.chance.randint(1, 2), **details)


def persist(ground: UnrulyGround, writes: Sequence[Write]) -> list[str | None]:
    """Carry writes to their end as a faithful caller of the port does; return the anchors that they ended with.

    A create in doubt is looked up by its stamp, for as long as it may be invisible, before it is sent again; everything
    else is planned again from what is left; and a time to wait is waited out. Whoever is not visible yet is waited for.
    """
    anchors = [write.anchor for write in writes]
    open_ = dict(enumerate(writes))
    for _ in range(60):
        if not open_:
            return anchors
        outcomes = connector(ground).carry(list(open_.values()))
        assert len(outcomes) == len(open_)
        for number, outcome in zip(list(open_), outcomes, strict=True):
            anchors[number] = outcome.record.anchor if outcome.record else anchors[number]
            again = _again(ground, open_.pop(number), outcome)
            if again is not None:
                anchors[number] = again.anchor or anchors[number]
                open_[number] = again
        ground.clock.sleep(30)
    raise AssertionError(f"no end: {open_}")


def _again(ground: UnrulyGround, write: Write, outcome: Outcome) -> Write | None:
    error = outcome.error
    if write.kind is OperationKind.DELETE:
        return None if error is None or isinstance(error, Missing) else write
    if write.kind is OperationKind.CREATE and outcome.record is None:
        assert isinstance(error, Unreachable | Throttled), (error, error and error.params)
        if isinstance(error, Throttled) or not error.sent:
            return write
        ground.clock.sleep(121)
        assert write.correlation is not None
        name, value = write.correlation
        found = connector(ground).find(MAPPED, **{name: value})
        if found is None:
            return write
        return replace(write, kind=OperationKind.UPDATE, anchor=found.anchor, password=None, correlation=None)
    if error is None and not outcome.left:
        return None
    anchor = outcome.record.anchor if outcome.record else write.anchor
    return replace(write, kind=OperationKind.UPDATE, anchor=anchor, password=None, correlation=None)
