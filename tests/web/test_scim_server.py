"""The SCIM endpoints over HTTP: the road of what is pushed, what a client sees, and what waits for the brake."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlmodel import col, select

from provision.core.mapping import Row
from provision.core.tables import Account, Cycle, Operation, User
from provision.core.vocabulary import CycleState, Direction, Lifecycle, OperationKind, Owner, Situation, WhenGone
from provision.house import House
from provision.services import connectors, groups, mappings, users
from tests.cast import Browser, Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import BULK, ENTERPRISE, GROUP, OURS, PATCH, USER, Pusher, crowd


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    """Office 365 of the same tenant, everything switched on."""
    return Desk(house, cast.contoso, clock)


def operations(house: House) -> list[Operation]:
    with house.db.reading() as session:
        return list(session.exec(select(Operation).order_by(col(Operation.id))))


# -- The road --------------------------------------------------------------------------------------------------------------


def test_somebody_pushed_in_becomes_a_person(okta: Pusher) -> None:
    number = okta.hire("jane.doe", title="Lead", **{ENTERPRISE: {"department": "R&D", "employeeNumber": "7"}})
    answer = okta.get(f"/Users/{number}")
    assert answer.status_code == 200
    assert answer.json["userName"] == "jane.doe@there.example"
    assert answer.headers["ETag"] == answer.json["meta"]["version"]
    assert answer.json["meta"]["location"] == f"http://127.0.0.1:8000/scim/v2/Users/{number}"
    person = okta.person(number)
    assert (person.email, person.username, person.given_name, person.surname, person.title, person.department) == (
        "jane.doe@there.example", "jane.doe", "Jane", "Doe", "Lead", "R&D",
    )  # fmt: skip
    assert person.lifecycle == Lifecycle.ACTIVE
    assert okta.account(number).situation == Situation.LINKED


def test_the_operation_for_the_next_app_is_there_with_the_person(okta: Pusher, desk: Desk, house: House) -> None:
    okta.hire("jane.doe")
    (operation,) = operations(house)
    assert (operation.kind, operation.connector_id, operation.created_by) == (OperationKind.CREATE, desk.app, "Okta")
    assert desk.drain()["done"] == 1
    assert desk.there.named("jane.doe@there.example") is not None


def test_a_change_goes_on_and_an_equal_one_goes_nowhere(okta: Pusher, desk: Desk) -> None:
    number = okta.hire("jane.doe")
    desk.drain()
    answer = okta.patch(f"/Users/{number}", {"op": "replace", "path": "name.familyName", "value": "Ray"})
    assert answer.status_code == 204
    assert desk.drain()["done"] == 1
    there = desk.there.named("jane.doe@there.example")
    assert there is not None
    assert there["surname"] == "Ray"
    before = okta.get(f"/Users/{number}").headers["ETag"]
    okta.patch(f"/Users/{number}", {"op": "replace", "path": "name.familyName", "value": "Ray"})
    assert okta.get(f"/Users/{number}").headers["ETag"] == before
    assert not desk.drain()["done"]


def test_somebody_who_is_here_already_is_linked_by_address_and_nobody_is_made_twice(okta: Pusher, desk: Desk) -> None:
    here = desk.hire("jane")
    number = okta.post("/Users", {"schemas": [USER], "userName": "JANE@there.example"}).json["id"]
    assert okta.person(number).id == here


def test_who_fits_two_people_is_kept_unlinked_and_stands_on_home(okta: Pusher, desk: Desk, ada: Browser) -> None:
    desk.hire("jane", employee_id="7")
    desk.hire("joan", employee_id="8")
    answer = okta.post(
        "/Users", {"schemas": [USER], "userName": "jane@there.example", ENTERPRISE: {"employeeNumber": "8"}}
    )
    assert answer.status_code == 201
    account = okta.account(answer.json["id"])
    assert (account.situation, account.user_id) == (Situation.DISPUTED, None)
    assert "Okta" in ada.get("/t/contoso/").text


def test_while_import_is_off_everything_is_kept_and_nobody_is_changed(okta: Pusher, house: House) -> None:
    okta.connected(features={"import": False})
    number = okta.hire("jane.doe")
    account = okta.account(number)
    assert (account.user_id, account.stale) == (None, True)
    okta.connected(features={"import": True})
    okta.patch(f"/Users/{number}", {"op": "replace", "path": "title", "value": "Lead"})
    assert okta.person(number).title == "Lead"


def test_what_a_client_never_sent_empties_nothing(okta: Pusher, desk: Desk) -> None:
    here = desk.hire("jane", department="Sales")
    number = okta.post("/Users", {"schemas": [USER], "userName": "jane@there.example"}).json["id"]
    okta.end()
    person = okta.person(number)
    assert (person.id, person.department) == (here, "Sales")


def test_what_a_client_empties_waits_for_the_end_of_a_cycle(okta: Pusher) -> None:
    number = okta.hire("jane.doe", title="Lead")
    okta.patch(f"/Users/{number}", {"op": "remove", "path": "title"})
    assert okta.person(number).title == "Lead"
    okta.end()
    assert okta.person(number).title is None


# -- Leaving ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "then"),
    [
        (WhenGone.KEEP, Lifecycle.ACTIVE),
        (WhenGone.SUSPEND, Lifecycle.SUSPENDED),
        (WhenGone.LEAVE, Lifecycle.LEFT),
    ],
)
@pytest.mark.parametrize("way", ["inactive", "deleted"])
def test_leaving_follows_the_rule_of_the_app(okta: Pusher, way: str, rule: WhenGone, then: Lifecycle) -> None:
    okta.connected(when_gone=rule)
    number = okta.hire("jane.doe")
    person = okta.person(number).id
    if way == "inactive":
        assert okta.patch(f"/Users/{number}", {"op": "replace", "path": "active", "value": False}).status_code == 204
    else:
        assert okta.ask("DELETE", f"/Users/{number}").status_code == 204
        assert okta.get(f"/Users/{number}").status_code == 404
    okta.end()
    with okta.house.db.reading() as session:
        assert session.exec(select(User.lifecycle).where(col(User.id) == person)).one() == then


def test_a_new_client_suspends_whom_it_deactivates_and_they_are_disabled_there(okta: Pusher, desk: Desk) -> None:
    number = okta.hire("jane.doe")
    desk.drain()
    okta.patch(f"/Users/{number}", {"op": "replace", "path": "active", "value": False})
    assert okta.get(f"/Users/{number}").json["active"] is False
    okta.end()
    assert okta.person(number).lifecycle == Lifecycle.SUSPENDED
    assert desk.drain()["done"] == 1
    there = desk.there.named("jane.doe@there.example")
    assert there is not None
    assert there["accountEnabled"] is False


def test_who_is_activated_again_comes_back_and_may_sign_in_there_again(okta: Pusher, desk: Desk) -> None:
    number = okta.hire("jane.doe")
    desk.drain()
    for active in (False, True):
        okta.patch(f"/Users/{number}", {"op": "replace", "path": "active", "value": active})
        okta.end()
        desk.drain()
    assert okta.person(number).lifecycle == Lifecycle.ACTIVE
    there = desk.there.named("jane.doe@there.example")
    assert there is not None
    assert there["accountEnabled"] is True


def test_what_somebody_here_decided_is_not_undone_by_the_client(okta: Pusher, desk: Desk) -> None:
    number = okta.hire("jane.doe")
    with okta.house.db.writing() as session:
        users.disable(session, okta.tenant, okta.person(number).id or 0, desk.order())
    okta.patch(f"/Users/{number}", {"op": "replace", "path": "title", "value": "Lead"})
    assert okta.person(number).lifecycle == Lifecycle.SUSPENDED


def test_deleting_everybody_is_held_and_asks(okta: Pusher, house: House, ada: Browser) -> None:
    numbers = [okta.hire(f"p{each}.x") for each in range(8)]
    for number in numbers:
        assert okta.ask("DELETE", f"/Users/{number}").status_code == 204
    okta.end()
    with house.db.reading() as session:
        cycle = session.exec(select(Cycle).order_by(col(Cycle.id).desc())).first()
        assert cycle is not None
        assert cycle.state == CycleState.HELD
        assert session.exec(select(User.lifecycle)).all() == [Lifecycle.ACTIVE] * 8
    assert "8" in ada.get("/t/contoso/").text


@pytest.mark.parametrize("way", ["one by one", "in bulk"])
def test_a_hundred_who_leave_wait_for_the_brake_whichever_way(okta: Pusher, desk: Desk, house: House, way: str) -> None:
    ids = crowd(okta, 100)
    if way == "one by one":
        assert {okta.ask("DELETE", f"/Users/{each}").status_code for each in ids} == {204}
    else:
        patch = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
        deeds: list[Any] = [{"method": "DELETE", "path": f"/Users/{each}"} for each in ids[:40]]
        deeds += [{"method": "PATCH", "path": f"/Users/{each}", "data": patch} for each in ids[40:70]]
        for each in ids[70:]:
            whole = {"schemas": [USER], "userName": f"p{each}@there.example", "active": False}
            deeds.append({"method": "PUT", "path": f"/Users/{each}", "data": whole})
        told: Any = okta.post("/Bulk", {"schemas": [BULK], "Operations": deeds}).json
        assert {one["status"] for one in told["Operations"]} == {"200", "204"}
    for _ in range(2):
        okta.end()
    with house.db.reading() as session:
        cycle = session.exec(select(Cycle).order_by(col(Cycle.id).desc())).first()
        assert cycle is not None
        assert (cycle.state, cycle.held["accounts"] if cycle.held else 0) == (CycleState.HELD, 100)
        assert set(session.exec(select(User.lifecycle)).all()) == {Lifecycle.ACTIVE}
        assert session.exec(select(Operation).where(Operation.kind != OperationKind.CREATE)).all() == []


def test_few_by_few_are_held_as_well_once_they_are_many(okta: Pusher, house: House, clock: Clock) -> None:
    ids = crowd(okta, 100)
    for first in range(0, 30, 5):
        for each in ids[first : first + 5]:
            okta.ask("DELETE", f"/Users/{each}")
        okta.end()
        clock.forward(hours=1)
    with house.db.reading() as session:
        gone = [one for one in session.exec(select(User.lifecycle)) if one != Lifecycle.ACTIVE]
    assert 0 < len(gone) <= 10


def test_deactivating_everybody_is_held_alike(okta: Pusher, house: House) -> None:
    for each in range(8):
        okta.patch(f"/Users/{okta.hire(f'p{each}.x')}", {"op": "replace", "path": "active", "value": False})
    okta.end()
    with house.db.reading() as session:
        assert session.exec(select(User.lifecycle)).all() == [Lifecycle.ACTIVE] * 8


def test_who_is_pushed_again_after_a_deletion_is_the_same_person(okta: Pusher) -> None:
    number = okta.hire("jane.doe", externalId="e1")
    person = okta.person(number).id
    okta.ask("DELETE", f"/Users/{number}")
    okta.end()
    again = okta.hire("jane.doe", externalId="e1")
    assert okta.person(again).id == person
    assert okta.person(again).lifecycle == Lifecycle.ACTIVE


# -- Groups and managers ---------------------------------------------------------------------------------------------------


def test_a_group_pushed_in_is_a_group_here_with_its_people(okta: Pusher, house: House) -> None:
    jane, joe = okta.hire("jane.doe"), okta.hire("joe.ray")
    body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": jane}]}
    number = okta.post("/Groups", body).json["id"]
    okta.patch(f"/Groups/{number}", {"op": "add", "path": "members", "value": [{"value": joe}]})
    with house.db.reading() as session:
        (group,) = groups.of(session, okta.tenant)
        assert group.origin_id == okta.connector
        assert groups.members(session, okta.tenant, group.id or 0) == [okta.person(jane).id, okta.person(joe).id]
    assert [one["value"] for one in okta.get(f"/Users/{jane}").json["groups"]] == [number]
    okta.patch(f"/Groups/{number}", {"op": "remove", "path": f'members[value eq "{jane}"]'})
    shown = okta.get(f"/Groups/{number}").json
    assert [(one["value"], one["type"]) for one in shown["members"]] == [(joe, "User")]
    assert shown["members"][0]["$ref"] == f"http://127.0.0.1:8000/scim/v2/Users/{joe}"
    assert "members" not in okta.get(f"/Groups/{number}?excludedAttributes=members").json


def test_who_is_nobodys_yet_waits_to_be_a_member(okta: Pusher, desk: Desk, house: House) -> None:
    desk.hire("jane", employee_id="7")
    desk.hire("joan", employee_id="8")
    body = {"schemas": [USER], "userName": "jane@there.example", ENTERPRISE: {"employeeNumber": "8"}}
    number = okta.post("/Users", body).json["id"]
    group = okta.post("/Groups", {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": number}]}).json[
        "id"
    ]
    assert [one["value"] for one in okta.get(f"/Groups/{group}").json["members"]] == [number]
    okta.ask("PUT", f"/Users/{number}", {"schemas": [USER], "userName": "jane@there.example"})
    with house.db.reading() as session:
        (made,) = groups.of(session, okta.tenant)
        assert groups.members(session, okta.tenant, made.id or 0) == [okta.person(number).id]


def test_a_member_that_nobody_knows_is_refused_and_nothing_is_made(okta: Pusher, house: House) -> None:
    for value in ("999", "x", ""):
        body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": value}]}
        assert okta.post("/Groups", body).status_code == 400
    with house.db.reading() as session:
        assert groups.of(session, okta.tenant) == []


def test_a_deleted_group_is_gone_for_its_client_and_here(okta: Pusher, house: House) -> None:
    number = okta.post("/Groups", {"schemas": [GROUP], "displayName": "Sales"}).json["id"]
    assert okta.ask("DELETE", f"/Groups/{number}").status_code == 204
    assert okta.get(f"/Groups/{number}").status_code == 404
    with house.db.reading() as session:
        assert groups.of(session, okta.tenant) == []


def test_a_manager_who_came_from_the_same_client_is_theirs(okta: Pusher) -> None:
    boss = okta.hire("bo.ss")
    jane = okta.hire("jane.doe", **{ENTERPRISE: {"manager": {"value": boss}}})
    assert okta.person(jane).manager_id == okta.person(boss).id


def test_our_own_attributes_come_in_by_our_extension(okta: Pusher) -> None:
    number = okta.hire("jane.doe", **{OURS: {"privateEmail": "j@home.example", "usageLocation": "DE"}})
    person = okta.person(number)
    assert (person.private_email, person.usage_location) == ("j@home.example", "DE")
    assert okta.get(f"/Users/{number}").json[OURS] == {"privateEmail": "j@home.example", "usageLocation": "DE"}


def test_an_attribute_that_the_tenant_added_can_be_sent_and_mapped(okta: Pusher, house: House, clock: Clock) -> None:
    with house.db.writing() as session:
        mappings.add_attribute(session, okta.tenant, "Cost centre", "ada", clock())
        row = connectors.get(session, okta.tenant, okta.connector)
        schema = house.kinds[row.kind].attributes(row.facts)
        known = mappings.rows(session, okta.tenant, okta.connector)
        own = Row(Direction.IN, "extra.cost_centre", f"{OURS}:costCentre", owner=Owner.THEIRS)
        mappings.save(session, okta.tenant, okta.connector, [*known, own], schema, "ada", clock())
    number = okta.hire("jane.doe", **{OURS: {"costCentre": "4711"}})
    assert okta.person(number).extra == {"cost_centre": "4711"}
    connectors.check(house.db.writing, house.connect, okta.tenant, okta.connector, "ada", clock)
    with house.db.reading() as session:
        row = connectors.get(session, okta.tenant, okta.connector)
        assert f"{OURS}:costCentre" in [one.name for one in house.kinds[row.kind].attributes(row.facts)]


# -- What a client sees ----------------------------------------------------------------------------------------------------


def test_a_client_sees_only_what_it_brought_itself(
    app: Flask, okta: Pusher, house: House, cast: Cast, clock: Clock
) -> None:
    number = okta.hire("jane.doe")
    for tenant in (cast.contoso, cast.fabrikam):
        other = Pusher(app, house, tenant, clock, f"Other {tenant}")
        assert other.get("/Users").json["totalResults"] == 0
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            body = None if method in ("GET", "DELETE") else {"schemas": [USER], "userName": "evil"}
            assert other.ask(method, f"/Users/{number}", body).status_code in (400, 404), method
        members = {"schemas": [GROUP], "displayName": "x", "members": [{"value": number}]}
        assert other.post("/Groups", members).status_code == 400
    assert okta.get(f"/Users/{number}").json["userName"] == "jane.doe@there.example"


def test_a_name_is_taken_once_whatever_its_case(okta: Pusher) -> None:
    okta.hire("jane.doe")
    answer = okta.post("/Users", {"schemas": [USER], "userName": "Jane.Doe@There.Example"})
    assert (answer.status_code, answer.json["scimType"]) == (409, "uniqueness")


def test_a_stale_etag_changes_nothing(okta: Pusher) -> None:
    number = okta.hire("jane.doe")
    old = okta.get(f"/Users/{number}").headers["ETag"]
    okta.patch(f"/Users/{number}", {"op": "replace", "path": "title", "value": "Lead"})
    stale = {"If-Match": old}
    assert (
        okta.patch(f"/Users/{number}", {"op": "replace", "path": "title", "value": "x"}, headers=stale).status_code
        == 412
    )
    assert okta.ask("DELETE", f"/Users/{number}", headers=stale).status_code == 412
    assert okta.person(number).title == "Lead"
    new = okta.get(f"/Users/{number}").headers["ETag"]
    assert okta.get(f"/Users/{number}", headers={"If-None-Match": new}).status_code == 304


def test_people_are_found_sorted_and_paged_by_index_and_by_cursor(okta: Pusher) -> None:
    for name in ("cas.c", "ann.a", "bob.b"):
        okta.hire(name)
    found = okta.get('/Users?filter=userName eq "BOB.B@there.example"').json
    assert [one["displayName"] for one in found["Resources"]] == ["Bob B"]
    page = okta.get("/Users?sortBy=userName&startIndex=2&count=1").json
    assert (page["totalResults"], page["startIndex"], page["Resources"][0]["displayName"]) == (3, 2, "Bob B")
    first = okta.get("/Users?sortBy=userName&count=2&cursor").json
    second = okta.get(f"/Users?sortBy=userName&count=2&cursor={first['nextCursor']}").json
    names = [one["displayName"] for page in (first, second) for one in page["Resources"]]
    assert names == ["Ann A", "Bob B", "Cas C"]
    assert okta.get("/Users?attributes=displayName").json["Resources"][0].keys() >= {"id", "displayName"}
    assert "userName" not in okta.get("/Users?attributes=displayName").json["Resources"][0]


def test_a_bulk_request_does_each_and_says_what_became_of_it(okta: Pusher, house: House) -> None:
    body = {
        "schemas": [BULK],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "g",
             "data": {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": "bulkId:u"}]}},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"schemas": [USER], "userName": "ann@there.example"}},
            {"method": "POST", "path": "/Users", "bulkId": "v", "data": {"schemas": [USER], "userName": "ANN@there.example"}},
        ],
    }  # fmt: skip
    answer = okta.post("/Bulk", body)
    assert [one["status"] for one in answer.json["Operations"]] == ["201", "201", "409"]
    with house.db.reading() as session:
        (group,) = groups.of(session, okta.tenant)
        assert len(groups.members(session, okta.tenant, group.id or 0)) == 1


def test_discovery_says_what_there_is(okta: Pusher) -> None:
    config = okta.get("/ServiceProviderConfig").json
    assert {name for name in ("patch", "bulk", "filter", "sort", "etag") if config[name]["supported"]} == {
        "patch", "bulk", "filter", "sort", "etag",
    }  # fmt: skip
    assert config["changePassword"]["supported"] is False
    schemas = {one["id"]: one for one in okta.get("/Schemas").json["Resources"]}
    assert schemas.keys() == {USER, GROUP, ENTERPRISE, OURS}
    assert "password" not in json.dumps(schemas[USER])
    assert [one["name"] for one in okta.get("/ResourceTypes").json["Resources"]] == ["User", "Group"]


# -- Passwords -------------------------------------------------------------------------------------------------------------

CANARY = "Correct-Horse-7431"


@pytest.mark.parametrize("name", ["password", "Password", f"{USER}:password"])
def test_a_password_is_refused_and_stands_nowhere(okta: Pusher, house: House, name: str, capfd: Any) -> None:
    number = okta.hire("jane.doe")
    sent = [
        okta.post("/Users", {"schemas": [USER], "userName": "x@there.example", name: CANARY}),
        okta.patch(f"/Users/{number}", {"op": "replace", "path": name, "value": CANARY}),
        okta.patch(f"/Users/{number}", {"op": "replace", "value": {name: CANARY}}),
    ]
    assert [answer.status_code for answer in sent] == [400, 400, 400]
    assert CANARY not in "".join(answer.text for answer in sent)
    with house.db.reading() as session:
        assert CANARY not in repr([row.model_dump() for row in session.exec(select(Account)).all()])
    out, err = capfd.readouterr()
    assert CANARY not in out + err


def test_where_the_owner_allows_it_a_password_is_set_there_at_once_and_kept_nowhere(
    app: Flask, house: House, cast: Cast, clock: Clock, desk: Desk, capfd: Any
) -> None:
    client = Pusher(app, house, cast.contoso, clock, "With passwords", initial_secrets=True)
    number = client.hire("jane.doe", password=CANARY)  # no account there yet: nothing to set
    desk.drain()
    own = house.connect
    object.__setattr__(house, "connect", lambda row: desk.there if row.id == desk.app else own(row))
    answer = client.patch(f"/Users/{number}", {"op": "replace", "path": "password", "value": CANARY})
    assert answer.status_code == 204, answer.text
    assert list(desk.there.passwords.values()) == [CANARY]
    assert [event.outcome for event, _ in desk.told("user.password_pushed")] == ["done"]
    assert "password" not in client.get(f"/Users/{number}").json
    with house.db.reading() as session:
        rows = [row.model_dump() for table in (Account, User, Operation) for row in session.exec(select(table)).all()]  # type: ignore[call-overload]
    assert CANARY not in repr(rows)
    out, err = capfd.readouterr()
    assert CANARY not in out + err
