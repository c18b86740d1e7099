"""The SCIM endpoints over HTTP: the door, the road of what is pushed, and every refusal in SCIM's own shape."""

import pytest
from flask import Flask

from provision.core.vocabulary import Lifecycle, Situation
from provision.house import House
from tests.cast import Cast, Clock
from tests.web.scim import Pusher


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


def test_somebody_pushed_in_becomes_a_person(okta: Pusher) -> None:
    number = okta.hire("jane.doe", title="Lead")
    answer = okta.get(f"/Users/{number}")
    assert answer.status_code == 200
    assert answer.json["userName"] == "jane.doe@there.example"
    assert answer.headers["ETag"] == answer.json["meta"]["version"]
    assert answer.headers["Content-Type"].startswith("application/scim+json")
    person = okta.person(number)
    assert (person.email, person.username, person.given_name, person.surname, person.title) == (
        "jane.doe@there.example", "jane.doe", "Jane", "Doe", "Lead",
    )  # fmt: skip
    assert person.lifecycle == Lifecycle.ACTIVE
    assert okta.account(number).situation == Situation.LINKED
