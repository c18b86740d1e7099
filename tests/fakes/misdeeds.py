"""The two misdeeds that a walk alone cannot meet: an object not visible yet, and an answer lost after the deed."""

import json

import pytest

from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import Unreachable
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
