"""Whom people report to, as a client that pushes says it: found in every form, told, carried on, filled in when they come."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import select

from provision.core.ports import MANAGER
from provision.core.tables import User
from provision.core.vocabulary import Situation
from provision.house import House
from provision.services import cycles, users
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import ENTERPRISE, USER, Pusher


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    """Office 365 of the same tenant, everything switched on."""
    return Desk(house, cast.contoso, clock)


def reports_to(value: Any) -> dict[str, Any]:
    return {ENTERPRISE: {"manager": {"value": value}}}


def boss_there(desk: Desk, name: str) -> Any:
    """Whom somebody reports to in Office 365, by name."""
    there = desk.there.named(f"{name}@there.example")
    assert there is not None
    boss = there.get(MANAGER)
    return desk.there.people[boss]["userPrincipalName"] if boss else None


@pytest.mark.parametrize(
    "operation",
    [
        lambda boss: {"op": "add", "path": f"{ENTERPRISE}:manager", "value": {"value": boss}},
        lambda boss: {"op": "replace", "path": f"{ENTERPRISE}:manager", "value": boss},
        lambda boss: {"op": "replace", "path": f"{ENTERPRISE}:manager.value", "value": boss},
        lambda boss: {"op": "add", "path": f"{ENTERPRISE}:manager", "value": {"$ref": f"../Users/{boss}"}},
        lambda boss: {"op": "add", "path": f"{ENTERPRISE}:manager", "value": {"$ref": f"https://x.example/scim/v2/Users/{boss}"}},
        lambda boss: {"op": "add", "path": f"{ENTERPRISE}:manager.$ref", "value": f"../Users/{boss}"},
        lambda boss: {"op": "add", "path": f"{ENTERPRISE}:manager", "value": {"value": boss, "displayName": "Bo Ss"}},
        lambda boss: {"op": "add", "value": {f"{ENTERPRISE}:manager.value": boss}},
        lambda boss: {"op": "add", "value": {ENTERPRISE: {"manager": {"$ref": f"../Users/{boss}"}}}},
        lambda boss: {"op": "add", "path": ENTERPRISE, "value": {"manager": boss}},
        lambda _: {"op": "add", "path": f"{ENTERPRISE}:manager", "value": "boss-in-hr"},
    ],
)  # fmt: skip
def test_a_manager_is_found_in_every_form_in_which_clients_name_one(okta: Pusher, operation: Any) -> None:
    boss, number = okta.hire("bo.ss", externalId="boss-in-hr"), okta.hire("jane.doe")
    answer = okta.patch(f"/Users/{number}", operation(boss))
    assert answer.status_code == 204, answer.text
    assert okta.person(number).manager_id == okta.person(boss).id


@pytest.mark.parametrize(
    "manager", [lambda boss: {"value": boss}, lambda boss: {"$ref": f"../Users/{boss}"}, lambda boss: boss]
)
def test_a_manager_comes_with_the_person_and_with_a_replacement(okta: Pusher, manager: Any) -> None:
    boss = okta.hire("bo.ss")
    jane = okta.hire("jane.doe", **{ENTERPRISE: {"manager": manager(boss)}})
    joe = okta.hire("joe.ray")
    body = {"schemas": [USER], "userName": "joe.ray@there.example", ENTERPRISE: {"manager": manager(boss)}}
    assert okta.ask("PUT", f"/Users/{joe}", body).status_code == 200
    assert {okta.person(each).manager_id for each in (jane, joe)} == {okta.person(boss).id}


def test_a_new_manager_is_told_and_goes_on_to_office_365_in_the_same_transaction(okta: Pusher, desk: Desk) -> None:
    boss, jane = okta.hire("bo.ss"), okta.hire("jane.doe")
    desk.drain()
    okta.patch(f"/Users/{jane}", {"op": "add", "path": f"{ENTERPRISE}:manager", "value": boss})
    (told,) = [detail for _, detail in desk.told("user.updated") if "manager_id" in detail.after]
    assert (told.before, told.after) == ({"manager_id": None}, {"manager_id": okta.person(boss).id})
    assert desk.drain()["done"] == 1
    assert boss_there(desk, "jane.doe") == "bo.ss@there.example"


def test_a_manager_who_arrives_later_is_filled_in_told_and_carried_on(okta: Pusher, desk: Desk) -> None:
    early = [okta.hire(f"r{each}", **reports_to("boss-in-hr")) for each in range(3)]
    assert {okta.person(each).manager_id for each in early} == {None}
    desk.drain()
    boss = okta.hire("bo.ss", externalId="boss-in-hr")
    assert {okta.person(each).manager_id for each in early} == {okta.person(boss).id}
    assert len([detail for _, detail in desk.told("user.updated") if "manager_id" in detail.after]) == 3
    desk.drain()
    assert {boss_there(desk, f"r{each}") for each in range(3)} == {"bo.ss@there.example"}


def test_a_manager_whose_external_id_is_said_later_is_filled_in_then(okta: Pusher) -> None:
    boss, jane = okta.hire("bo.ss"), okta.hire("jane.doe", **reports_to("boss-in-hr"))
    okta.patch(f"/Users/{boss}", {"op": "add", "path": "externalId", "value": "boss-in-hr"})
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_a_manager_who_was_disputed_is_filled_in_once_that_is_decided(okta: Pusher, desk: Desk, house: House) -> None:
    desk.hire("bo", employee_id="7")
    desk.hire("bob", employee_id="8")
    body = {"schemas": [USER], "userName": "bo@there.example", ENTERPRISE: {"employeeNumber": "8"}}
    boss = okta.post("/Users", body).json["id"]
    jane = okta.hire("jane.doe", **reports_to(boss))
    assert okta.account(boss).situation == Situation.DISPUTED
    assert okta.person(jane).manager_id is None
    okta.ask("PUT", f"/Users/{boss}", {"schemas": [USER], "userName": "bo@there.example"})
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_managers_pushed_before_the_first_import_are_taken_over_by_it(okta: Pusher, house: House, clock: Clock) -> None:
    okta.connected(features={"import": False})
    boss = okta.hire("bo.ss")
    jane = okta.hire("jane.doe", **reports_to(boss))
    okta.connected(features={"import": True})
    with house.db.writing() as session:
        cycles.request(session, okta.tenant, okta.connector, "ada", clock())
    okta.end()
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_two_with_the_same_external_id_are_nobodys_manager(okta: Pusher) -> None:
    okta.hire("bo.ss", externalId="7-in-hr")
    okta.hire("bob.ss", externalId="7-in-hr")
    jane = okta.hire("jane.doe", **reports_to("7-in-hr"))
    assert okta.person(jane).manager_id is None


def test_an_id_of_ours_goes_before_an_id_of_theirs(okta: Pusher) -> None:
    boss = okta.hire("bo.ss")
    okta.hire("evil.twin", externalId=boss)
    jane = okta.hire("jane.doe", **reports_to(boss))
    assert okta.person(jane).manager_id == okta.person(boss).id


@pytest.mark.parametrize("value", ["999999", "nobody", "0", "x" * 3000, "'; DROP TABLE users;--", "\u202e"])
def test_a_manager_whom_nobody_knows_is_kept_and_nobody_is_guessed(okta: Pusher, value: str) -> None:
    jane = okta.hire("jane.doe", **reports_to(value))
    assert okta.person(jane).manager_id is None
    assert okta.get(f"/Users/{jane}").json[ENTERPRISE]["manager"]["value"] == value


def test_nobody_reports_to_themselves_or_to_another_clients_people(
    app: Flask, okta: Pusher, house: House, cast: Cast, clock: Clock
) -> None:
    theirs = Pusher(app, house, cast.fabrikam, clock, "Theirs").hire("bo.ss", externalId="boss")
    second = Pusher(app, house, cast.contoso, clock, "Second").hire("bob.ss", externalId="bob")
    jane = okta.hire("jane.doe")
    for value in (jane, theirs, second, "boss", "bob"):
        okta.patch(f"/Users/{jane}", {"op": "add", "path": f"{ENTERPRISE}:manager", "value": value})
        assert okta.person(jane).manager_id is None


def test_a_manager_taken_away_waits_for_the_end_of_a_cycle_and_then_goes_on(okta: Pusher, desk: Desk) -> None:
    boss = okta.hire("bo.ss")
    jane = okta.hire("jane.doe", **reports_to(boss))
    desk.drain()
    okta.patch(f"/Users/{jane}", {"op": "remove", "path": f"{ENTERPRISE}:manager"})
    assert okta.person(jane).manager_id == okta.person(boss).id
    okta.end()
    assert okta.person(jane).manager_id is None
    desk.drain()
    assert boss_there(desk, "jane.doe") is None


def test_a_manager_whom_the_client_never_named_is_not_taken_away(okta: Pusher, desk: Desk, house: House) -> None:
    jane, boss = okta.hire("jane.doe"), okta.hire("bo.ss")
    with house.db.writing() as session:
        person = okta.person(jane)
        given = {"manager_id": okta.person(boss).id}
        users.edit(session, okta.tenant, person.id or 0, given, desk.order())  # type: ignore[arg-type]
    okta.patch(f"/Users/{jane}", {"op": "replace", "path": "title", "value": "Lead"})
    okta.patch(f"/Users/{jane}", {"op": "remove", "path": f"{ENTERPRISE}:manager"})
    okta.end()
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_the_clients_word_wins_over_an_edit_here(okta: Pusher, desk: Desk, house: House) -> None:
    boss, other = okta.hire("bo.ss"), okta.hire("o.ther")
    jane = okta.hire("jane.doe", **reports_to(boss))
    with house.db.writing() as session:
        given = {"manager_id": okta.person(other).id}
        users.edit(session, okta.tenant, okta.person(jane).id or 0, given, desk.order())  # type: ignore[arg-type]
    okta.patch(f"/Users/{jane}", {"op": "replace", "path": "title", "value": "Lead"})
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_a_manager_can_be_searched_for(okta: Pusher) -> None:
    boss = okta.hire("bo.ss")
    jane, joe = okta.hire("jane.doe", **reports_to(boss)), okta.hire("joe.ray")
    for asked, found in (
        (f'{ENTERPRISE}:manager eq "{boss}"', [jane]),
        (f'{ENTERPRISE}:manager.value eq "{boss}"', [jane]),
        (f'id eq "{jane}" and manager eq "{boss}"', [jane]),
        (f'id eq "{joe}" and manager eq "{boss}"', []),
        (f"not ({ENTERPRISE}:manager.value pr) and userName sw \"joe\"", [joe]),
    ):  # fmt: skip
        shown = okta.get("/Users", query_string={"filter": asked, "attributes": "id"}).json
        assert "Resources" in shown, (asked, shown)
        assert [one["id"] for one in shown["Resources"]] == found, asked


def test_fifty_who_wait_for_one_manager_are_filled_in_by_a_handful_of_statements(okta: Pusher, house: House) -> None:
    counted = []
    for size, name in ((2, "few"), (50, "many")):
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": f"{name}{each}", "data": {
                "schemas": [USER], "userName": f"{name}{each}@there.example", **reports_to(name)}}
            for each in range(size)
        ]  # fmt: skip
        okta.post("/Bulk", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations})
        sent: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any, sent: list[str] = sent) -> None:
            sent.append(statement)

        sa.event.listen(house.db.engine, "before_cursor_execute", note)
        boss = okta.hire(f"boss.{name}", externalId=name)
        sa.event.remove(house.db.engine, "before_cursor_execute", note)
        counted.append(len(sent))
        with house.db.reading() as session:
            waiting = session.exec(select(User).where(User.manager_id == okta.person(boss).id)).all()
        assert len(waiting) == size
    assert counted[0] == counted[1]
