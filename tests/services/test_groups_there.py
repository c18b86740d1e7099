"""Groups that are known here follow to an application that keeps them: by the same outbox, once, and only where wanted."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlmodel import select

from provision.core.tables import Account, EventDetail, Operation
from provision.core.vocabulary import OperationKind, OperationState, Situation
from provision.factory import create_app
from provision.house import House
from provision.services import connectors, cycles, groups, outbox, users
from provision.services.reports import queue
from tests import office
from tests.cast import Cast, Clock
from tests.connectors.scim.test_grouping import inside
from tests.fakes.scim import ScimServer
from tests.services.test_several_targets import Hub
from tests.web.scim import GROUP, USER, Pusher


@pytest.fixture
def there() -> Iterator[ScimServer]:
    server = ScimServer()
    yield server
    server.close()


@pytest.fixture
def hub(house: House, cast: Cast, clock: Clock, there: ScimServer) -> Hub:
    hub = Hub(house, cast.contoso, clock, there)
    follow(hub, True)
    return hub


def follow(hub: Hub, on: bool) -> None:
    with hub.house.db.writing() as session:
        row = connectors.get(session, hub.tenant, hub.scim)
        told: dict[str, Any] = {
            "name": row.name,
            "config": {**row.config, "groups": on},
            "actor": "ada",
            "now": hub.clock(),
        }
        connectors.save(session, hub.tenant, hub.scim, hub.house.kinds, **told)


def make(hub: Hub, name: str, *people: int) -> int:
    with hub.house.db.writing() as session:
        return groups.create(session, hub.tenant, name, hub.order(), members=people).id or 0


def fill(hub: Hub, group: int, *people: int) -> None:
    with hub.house.db.writing() as session:
        groups.set_members(session, hub.tenant, group, hub.order(), people)


def names(hub: Hub) -> list[tuple[str, list[str]]]:
    """The groups there, with their members by name."""
    called = {anchor: row["userName"].partition("@")[0] for anchor, row in hub.there.people().items()}
    return sorted((name, sorted(called.get(one, one) for one in members)) for name, members in inside(hub.there))


def of_groups(hub: Hub) -> list[Operation]:
    people = {account.id for user in range(1, 60) for account in hub.accounts(user).values()}
    return [one for one in hub.operations(hub.scim) if one.account_id not in people]


def test_a_group_is_made_there_with_whoever_has_an_account_and_nowhere_else(hub: Hub) -> None:
    jane = hub.hire("jane")
    hub.work()
    make(hub, "Sales", jane)
    assert [(one.kind, one.state) for one in of_groups(hub)] == [(OperationKind.CREATE, OperationState.PENDING)]
    assert [one.kind for one in hub.operations(hub.office)] == [OperationKind.CREATE]
    hub.work()
    assert names(hub) == [("Sales", ["jane"])]
    assert [one.state for one in of_groups(hub)] == [OperationState.DONE]


def test_ten_edits_of_a_group_are_one_operation(hub: Hub) -> None:
    people = [hub.hire(f"p{number}") for number in range(3)]
    hub.work()
    group = make(hub, "Sales")
    for number in range(3):
        fill(hub, group, *people[: number + 1])
        with hub.house.db.writing() as session:
            groups.rename(session, hub.tenant, group, hub.order(), name=f"Sales {number}")
    assert len(of_groups(hub)) == 1
    hub.work()
    assert names(hub) == [("Sales 2", ["p0", "p1", "p2"])]
    assert hub.there.sent("POST") == 4


def test_members_come_and_go_and_whoever_gets_an_account_later_joins_then(hub: Hub) -> None:
    jane = hub.hire("jane")
    hub.work()
    group = make(hub, "Sales", jane)
    hub.work()
    hub.there.strike("status", "POST", "/Users", status=503, times=2)
    olaf = hub.hire("olaf")
    fill(hub, group, jane, olaf)
    hub.work(12)
    assert names(hub) == [("Sales", ["jane", "olaf"])]
    fill(hub, group, olaf)
    hub.work()
    assert names(hub) == [("Sales", ["olaf"])]
    fill(hub, group)
    hub.work()
    assert names(hub) == [("Sales", [])]


def test_a_deleted_group_is_deleted_there_and_its_people_stay(hub: Hub) -> None:
    jane = hub.hire("jane")
    hub.work()
    group = make(hub, "Sales", jane)
    hub.work()
    with hub.house.db.writing() as session:
        groups.delete(session, hub.tenant, group, hub.order())
    hub.work()
    assert names(hub) == []
    assert len(hub.there.people()) == 1


def test_a_group_that_comes_and_goes_before_it_is_sent_is_never_sent(hub: Hub) -> None:
    group = make(hub, "Sales")
    with hub.house.db.writing() as session:
        groups.delete(session, hub.tenant, group, hub.order())
    hub.work()
    assert [one.state for one in of_groups(hub)] == [OperationState.CANCELLED]
    assert hub.there.sent("POST") == 0


@pytest.mark.parametrize(
    ("what", "details"),
    [("drop_after", {}), ("status_after", {"status": 504}), ("html_after", {}), ("drop_before", {}), ("garbage", {}),
     ("status", {"status": 503}), ("status", {"status": 429, "after": 5})],
    ids=str,
)  # fmt: skip
def test_whatever_becomes_of_the_answer_there_is_one_group_there(hub: Hub, what: str, details: dict[str, Any]) -> None:
    jane = hub.hire("jane")
    hub.work()
    hub.there.strike(what, "POST", "/Groups", **details)
    group = make(hub, "Sales", jane)
    hub.work(12)
    assert names(hub) == [("Sales", ["jane"])]
    hub.there.strike(what, "PATCH", "/Groups/*", **details)
    with hub.house.db.writing() as session:
        groups.rename(session, hub.tenant, group, hub.order(), name="Vendors")
    hub.work(12)
    assert names(hub) == [("Vendors", ["jane"])]
    assert {one.state for one in of_groups(hub)} <= {OperationState.DONE, OperationState.CANCELLED}


def test_what_may_have_arrived_is_taken_back_when_the_edit_was(hub: Hub) -> None:
    group = make(hub, "Sales")
    hub.work()
    hub.there.strike("drop_after", "PATCH", "/Groups/*")
    with hub.house.db.writing() as session:
        groups.rename(session, hub.tenant, group, hub.order(), name="Vendors")
    hub.work(1)
    assert names(hub) == [("Vendors", [])]
    with hub.house.db.writing() as session:
        groups.rename(session, hub.tenant, group, hub.order(), name="Sales")
    hub.work(6)
    assert names(hub) == [("Sales", [])]


def test_where_groups_do_not_follow_nothing_is_sent_until_somebody_plans_it(hub: Hub) -> None:
    follow(hub, False)
    jane = hub.hire("jane")
    group = make(hub, "Sales", jane)
    hub.work()
    assert (names(hub), of_groups(hub)) == ([], [])
    follow(hub, True)
    hub.work()
    assert names(hub) == []
    with hub.house.db.writing() as session:
        row = connectors.get(session, hub.tenant, hub.scim)
        would = outbox.would_move(session, row, hub.house.kinds)
        assert (would.groups, would.number) == ([group], 1)
        outbox.plan_these(session, row, hub.house.kinds, hub.order())
    (waiting,) = of_groups(hub)
    assert waiting.asks == "review"
    with hub.house.db.writing() as session:
        outbox.approve(session, hub.tenant, {waiting.id or 0: waiting.fingerprint}, "ada", hub.clock())
    hub.work()
    assert names(hub) == [("Sales", ["jane"])]
    follow(hub, False)
    fill(hub, group)
    hub.work()
    assert names(hub) == [("Sales", ["jane"])]


def test_a_full_walk_of_its_people_takes_no_group_for_gone(hub: Hub) -> None:
    group = make(hub, "Sales", hub.hire("jane"))
    hub.work()
    with hub.house.db.writing() as session:
        cycles.request(session, hub.tenant, hub.scim, "ada", hub.clock(), full=True)
    cycles.run_requested(hub.ways())
    with hub.house.db.reading() as session:
        account = session.exec(select(Account).where(Account.group_id == group)).one()
    assert (account.situation, account.removed) == (Situation.LINKED, None)


def test_what_a_client_pushes_goes_on_to_the_application(hub: Hub, cast: Cast) -> None:
    app: Flask = create_app(house=hub.house)
    client = Pusher(app, hub.house, hub.tenant, hub.clock)
    body = {
        "schemas": [USER],
        "userName": f"ingrid@{office.DOMAIN}",
        "name": {"givenName": "Ingrid", "familyName": "Sund"},
    }
    number = client.ask("POST", "/Users", body).json["id"]
    crew = {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": number}]}
    group = client.ask("POST", "/Groups", crew).json["id"]
    hub.work()
    assert names(hub) == [("Crew", ["ingrid"])]
    client.ask("PUT", f"/Groups/{group}", {**crew, "displayName": "Deck crew", "members": []})
    hub.work()
    assert names(hub) == [("Deck crew", [])]
    client.ask("DELETE", f"/Groups/{group}")
    hub.work()
    assert names(hub) == []
    with hub.house.db.reading() as session:
        assert users.find(session, cast.contoso, f"ingrid@{office.DOMAIN}").deleted_at is None


def test_the_queue_and_the_log_call_a_group_by_its_name(hub: Hub) -> None:
    make(hub, "Sales & Service")
    with hub.house.db.reading() as session:
        (waiting,) = queue.listed(session, hub.tenant, hub.house.kinds, "waiting", hub.clock(), app_id=hub.scim)
    assert (waiting.user, waiting.group, waiting.user_id) == ("Sales & Service", True, None)
    hub.work()
    with hub.house.db.reading() as session:
        details = session.exec(select(EventDetail)).all()
    told = [one.names for one in details if one.names.get("group") is True]
    assert [(names["user"], names["app"]) for names in told] == [("Sales & Service", "Payroll")]


def test_a_group_with_the_id_of_a_person_is_another_account(hub: Hub) -> None:
    hub.hire("jane")
    hub.work()
    (person,) = hub.there.people()
    hub.there.strike("reshaped", "POST", "/Groups", shape=lambda body: {**body, "id": person})
    group = make(hub, "Sales")
    hub.work()
    with hub.house.db.reading() as session:
        account = session.exec(select(Account).where(Account.group_id == group)).one()
    assert (account.situation, account.anchor) == (Situation.LINKED, f"Groups/{person}")


def test_another_tenants_groups_never_follow(hub: Hub, cast: Cast) -> None:
    with hub.house.db.writing() as session:
        group = groups.create(session, cast.fabrikam, "Sales", hub.order())
        effects = outbox.enqueue_groups(session, hub.tenant, [group.id or 0], hub.order())
    assert [effect.operation_id for effect in effects] == [None]
    hub.work()
    assert names(hub) == []
