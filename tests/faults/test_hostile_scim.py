"""Hostile filters, paths and bodies: never a fault of ours, always SCIM's own shape, and the people stay as they are."""

from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask
from sqlmodel import col, select

from provision.core.tables import User
from provision.house import House
from provision.services import events
from tests.cast import Cast, Clock
from tests.faults.hostile_scim import requests
from tests.web.scim import Pusher


def meet(app: Flask, house: House, tenant: int, clock: Clock, seed: int, number: int) -> Counter[int]:
    """Send so many; return how they were answered."""
    app.testing = False  # a fault is answered, not raised
    client = Pusher(app, house, tenant, clock)
    safe = client.hire("safe.and.sound")
    client.post("/Groups", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales"})
    answered: Counter[int] = Counter()
    for each, (method, path, more) in enumerate(requests(seed, number)):
        answer = client.ask(method, path, **more)
        answered[answer.status_code] += 1
        told = (seed, each, method, path, more, answer.text[:300])
        assert answer.status_code < 500 or answer.status_code == 501, told
        assert answer.status_code in (204, 304) or answer.content_type.startswith("application/scim+json"), told
    with house.db.reading() as session:
        assert events.verify(session, tenant) is None
        assert session.exec(select(User.email).where(col(User.id) == 1)).first() is not None
    assert client.get(f"/Users/{safe}").status_code in (200, 404)
    return answered


@pytest.mark.parametrize("seed", range(3))
def test_three_hundred_hostile_requests_are_answered(
    app: Flask, house: House, cast: Cast, clock: Clock, seed: int
) -> None:
    assert meet(app, house, cast.contoso, clock, seed, 100).total() == 100


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(100, 110))
def test_ten_thousand_hostile_requests_are_answered(
    app: Flask, house: House, cast: Cast, clock: Clock, seed: int, counted: Callable[[str], None]
) -> None:
    answered = meet(app, house, cast.contoso, clock, seed, 1000)
    told = ", ".join(f"{number} x {status}" for status, number in sorted(answered.items()))
    counted(f"hostile SCIM requests of seed {seed}: {answered.total()} answered ({told})")
