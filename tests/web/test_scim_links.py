"""A link and what a client pushes meanwhile: whoever may no longer hold it finds it ended."""

from typing import Any

import pytest
from flask import Flask
from sqlmodel import select

from provision.core.onboarding import Recipient
from provision.core.tables import Activation, Event
from provision.house import House
from tests import populate
from tests.cast import Cast, Clock
from tests.web.scim import ENTERPRISE, Pusher


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


def ended(house: House) -> tuple[bool, list[str]]:
    with house.db.reading() as session:
        told = session.exec(select(Event.action).where(Event.action == "activation.ended")).all()
        return session.exec(select(Activation.revoked_at)).one() is not None, list(told)


@pytest.mark.parametrize(
    ("operation", "ends"),
    [
        ({"op": "replace", "path": "userName", "value": "jane.new@there.example"}, True),
        ({"op": "replace", "path": "title", "value": "Captain"}, False),
    ],
)
def test_a_pushed_sign_in_address_ends_the_link_that_went_to_the_one_before(
    okta: Pusher, house: House, clock: Clock, operation: dict[str, Any], ends: bool
) -> None:
    jane = okta.hire("jane.doe")
    with house.db.writing() as session:
        populate.link(session, okta.person(jane), clock())
    assert okta.patch(f"/Users/{jane}", operation).status_code == 204
    assert ended(house) == (ends, ["activation.ended"] * ends)


def test_a_pushed_manager_ends_the_link_that_went_to_the_one_before(okta: Pusher, house: House, clock: Clock) -> None:
    boss, other = okta.hire("bo.ss"), okta.hire("ot.her")
    jane = okta.hire("jane.doe", **{ENTERPRISE: {"manager": {"value": boss}}})
    with house.db.writing() as session:
        sent = {"recipient": Recipient.MANAGER.value, "sent_to": "bo.ss@there.example"}
        populate.link(session, okta.person(jane), clock(), **sent)
    assert ended(house) == (False, [])
    okta.patch(f"/Users/{jane}", {"op": "replace", "path": f"{ENTERPRISE}:manager", "value": {"value": other}})
    assert ended(house) == (True, ["activation.ended"])
