"""Who fits several people: their client is served as ever, nobody is guessed, and what was waiting follows the decision."""

from typing import Any

import pytest
from flask import Flask
from sqlmodel import select

from provision.core.tables import User
from provision.core.vocabulary import Decision, Situation
from provision.house import House
from provision.services import cycles, groups
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import ENTERPRISE, GROUP, USER, Pusher


class Dispute(Pusher):
    """A client that pushed in somebody who has one person's address and another's number."""

    def begin(self, desk: Desk) -> "Dispute":
        self.desk = desk
        self.jane, self.joan = desk.hire("jane", employee_id="7"), desk.hire("joan", employee_id="8")
        self.body = {
            "schemas": [USER],
            "userName": "jane@there.example",
            "externalId": "e8",
            ENTERPRISE: {"employeeNumber": "8"},
        }
        self.answer = self.post("/Users", self.body)
        self.number = str(self.answer.json["id"])  # type: ignore[index]
        return self

    def decide(self, decision: Decision, person: int | None = None) -> None:
        """Somebody decides, and the next import obeys."""
        with self.house.db.writing() as session:
            number = int(self.number)
            cycles.decide(session, self.tenant, number, decision, "ada", self.clock(), user_id=person)
            cycles.request(session, self.tenant, self.connector, "ada", self.clock())
        self.end()

    def people(self) -> list[int | None]:
        with self.house.db.reading() as session:
            return list(session.exec(select(User.id)))


@pytest.fixture
def dispute(app: Flask, house: House, cast: Cast, clock: Clock) -> Dispute:
    return Dispute(app, house, cast.contoso, clock).begin(Desk(house, cast.contoso, clock))


def test_the_client_gets_an_id_and_everything_back_as_it_came(dispute: Dispute) -> None:
    assert dispute.answer.status_code == 201
    assert dispute.account(dispute.number).situation == Situation.DISPUTED
    assert dispute.people() == [dispute.jane, dispute.joan]
    shown: Any = dispute.get(f"/Users/{dispute.number}").json
    assert {name: shown[name] for name in ("userName", "externalId", ENTERPRISE)} == {
        name: dispute.body[name] for name in ("userName", "externalId", ENTERPRISE)
    }
    for asked in ('userName eq "jane@there.example"', 'externalId eq "e8"'):
        found: Any = dispute.get("/Users", query_string={"filter": asked}).json
        assert [one["id"] for one in found["Resources"]] == [dispute.number]


def test_the_same_again_is_a_conflict_and_makes_nobody(dispute: Dispute) -> None:
    again: Any = dispute.post("/Users", dispute.body)
    assert (again.status_code, again.json["scimType"]) == (409, "uniqueness")
    assert dispute.people() == [dispute.jane, dispute.joan]


def test_replacing_patching_and_deleting_are_taken_and_touch_nobody(dispute: Dispute) -> None:
    path = f"/Users/{dispute.number}"
    assert dispute.ask("PUT", path, {**dispute.body, "title": "Boss"}).status_code == 200
    assert dispute.patch(path, {"op": "replace", "path": "active", "value": False}).status_code == 204
    assert dispute.ask("DELETE", path).status_code == 204
    assert dispute.get(path).status_code == 404
    dispute.end()
    with dispute.house.db.reading() as session:
        assert session.exec(select(User.title, User.lifecycle)).all() == [(None, "active")] * 2


def test_what_waited_follows_the_decision(dispute: Dispute) -> None:
    members = [{"value": dispute.number}]
    group: Any = dispute.post("/Groups", {"schemas": [GROUP], "displayName": "Sales", "members": members}).json
    assert [one["value"] for one in group["members"]] == [dispute.number]
    report = dispute.hire("re.port", **{ENTERPRISE: {"manager": {"value": "e8"}}})
    dispute.decide(Decision.EXISTING, dispute.jane)
    assert dispute.person(dispute.number).id == dispute.jane
    with dispute.house.db.reading() as session:
        (made,) = groups.of(session, dispute.tenant)
        assert groups.members(session, dispute.tenant, made.id or 0) == [dispute.jane]
    shown: Any = dispute.get(f"/Users/{dispute.number}").json
    assert [one["value"] for one in shown["groups"]] == [group["id"]]
    assert dispute.person(report).manager_id == dispute.jane
