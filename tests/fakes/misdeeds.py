"""The misdeeds that a walk alone cannot meet: an object not visible yet, an answer lost after the deed, and all that can
happen to a batch; with the faithful caller who gets his writes through all the same."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import Unreachable, Write
from tests.fakes.callers import Courier
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
    """Carry writes to their end as a faithful caller of the port does; return the anchors that they ended with."""
    return Courier(lambda: connector(ground), ground.clock.sleep, MAPPED).persist(writes)
