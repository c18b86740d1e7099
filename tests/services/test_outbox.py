"""The outbox: what an edit leaves behind, what asks, what may leave, and what was called off."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from provision.core.vocabulary import Approval, Asks, Lifecycle, OperationKind, OperationState, Situation
from provision.db import Database
from provision.house import House
from provision.services import connectors, following, outbox, worker
from provision.services.errors import Conflict, NotFound
from provision.services.reports import queue
from provision.services.users import foreseeing
from tests.cast import Cast, Clock
from tests.fakes.target import DOMAIN
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def test_somebody_new_gets_an_absent_account_and_a_create(desk: Desk) -> None:
    (effect,) = desk.enqueue(desk.hire("jane"))
    account = desk.account(effect.user_id)
    assert (effect.kind, account.situation, account.anchor) == (OperationKind.CREATE, Situation.ABSENT, None)
    assert len(account.correlation or "") == 16
    operation = desk.only(effect.user_id)
    assert operation.state == OperationState.PENDING
    assert operation.changes["userPrincipalName"] == [None, "jane@there.example"]


def test_ten_edits_are_one_waiting_operation(desk: Desk) -> None:
    jane = desk.present("jane")
    for number in range(10):
        desk.change(jane, department=f"Room {number}", given_name=f"Jane {number}")
        desk.enqueue(jane)
    (operation,) = desk.operations(jane)
    assert operation.changes == {"givenName": ["Jane", "Jane 9"]}


def test_an_edit_back_leaves_nothing_to_do(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="Janet")
    desk.enqueue(jane)
    desk.change(jane, given_name="Jane")
    assert desk.enqueue(jane)[0].operation_id is None
    assert desk.only(jane).state == OperationState.CANCELLED


@pytest.mark.parametrize(("switch", "code"), [("create", "create_off"), ("edit", "edit_off"), ("delete", "delete_off")])
def test_what_is_switched_off_is_changed_here_only(desk: Desk, switch: str, code: str) -> None:
    jane = desk.hire("jane") if switch == "create" else desk.present("jane")
    desk.switch(**{switch: False})
    if switch == "delete":
        effects = desk.leave(jane)
    else:
        desk.change(jane, given_name="Janet")
        effects = desk.enqueue(jane)
    assert effects[0].operation_id is None
    assert effects[0].here_only == {"*": code}
    assert desk.operations(jane) == []


def test_a_switch_thrown_meanwhile_is_obeyed_when_the_operation_runs(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="Janet")
    desk.enqueue(jane)
    desk.switch(edit=False)
    desk.drain()
    assert desk.there.calls == []
    assert (desk.only(jane).state, (desk.only(jane).error or {})["code"]) == (OperationState.CANCELLED, "edit_off")


def test_an_address_of_a_strange_domain_is_not_created_there(desk: Desk) -> None:
    (effect,) = desk.enqueue(desk.hire("jane", email="jane@elsewhere.example"))
    assert effect.here_only == {"*": "domain_unverified"}


def test_nobody_is_created_in_a_federated_domain(desk: Desk) -> None:
    domains = [*desk.connector().facts["domains"], {"name": "fed.example", "federated": True}]
    desk.connector(facts={**desk.connector().facts, "domains": domains})
    jane = desk.hire("jane", email="jane@fed.example")
    (effect,) = desk.enqueue(jane)
    assert effect.here_only == {"*": "domain_federated_there"}
    desk.drain()
    assert (desk.operations(jane), desk.there.calls) == ([], [])
    with desk.house.db.reading() as session:
        (fate,) = foreseeing.of_new(session, desk.tenant, desk.house.kinds, "Joan@FED.example")
        (other,) = foreseeing.of_new(session, desk.tenant, desk.house.kinds, f"joan@{DOMAIN}")
    assert (fate.kind, fate.code, other.kind) == (None, "domain_federated_there", OperationKind.CREATE)


def test_disables_and_deletes_wait_ten_seconds_so_that_they_can_be_undone(desk: Desk) -> None:
    jane = desk.present("jane")
    (effect,) = desk.leave(jane)
    assert effect.kind == OperationKind.DELETE
    desk.drain()
    assert desk.there.calls == []
    desk.change(jane, lifecycle=Lifecycle.ACTIVE, deleted_at=None)
    desk.enqueue(jane)
    desk.clock.forward(seconds=11)
    desk.drain()
    assert desk.there.calls == []
    assert desk.states() == {"cancelled": 1}


@pytest.mark.parametrize(("hold", "waits"), [(0, 0), (60, 60), (999, 60), (-5, 0)])
def test_the_hold_is_a_setting_between_nothing_and_a_minute(desk: Desk, hold: int, waits: int) -> None:
    jane = desk.present("jane")
    desk.scope(hold_seconds=hold)
    (effect,) = desk.leave(jane)
    assert effect.due_at is not None
    assert (effect.due_at - desk.clock()).total_seconds() == waits


def test_review_asks_and_what_was_approved_is_what_runs(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(approval=Approval.REVIEW)
    desk.change(jane, given_name="Janet")
    (effect,) = desk.enqueue(jane)
    assert effect.asks == Asks.REVIEW
    desk.drain()
    assert desk.there.calls == []
    with desk.house.db.writing() as session:
        outbox.approve(session, desk.tenant, {effect.operation_id or 0: effect.fingerprint}, "ada", desk.clock())
    desk.drain()
    assert desk.there.named("jane@there.example")["givenName"] == "Janet"  # type: ignore[index]


def test_what_differs_from_what_was_approved_asks_again(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(approval=Approval.REVIEW)
    desk.change(jane, given_name="Janet")
    (effect,) = desk.enqueue(jane)
    with desk.house.db.writing() as session:
        outbox.approve(session, desk.tenant, {effect.operation_id or 0: None}, "ada", desk.clock())
    desk.change(jane, surname="There")  # nobody enqueues it: the plan is simply another one by now
    desk.drain()
    assert desk.there.calls == []
    assert desk.only(jane).asks == Asks.REVIEW
    assert set(desk.only(jane).changes) == {"givenName", "surname"}


def test_approving_a_list_that_has_changed_is_refused_as_a_whole(desk: Desk) -> None:
    jane, john = desk.present("jane"), desk.present("john")
    desk.connector(approval=Approval.REVIEW)
    for number in (jane, john):
        desk.change(number, given_name="New")
    shown = {effect.operation_id or 0: effect.fingerprint for effect in desk.enqueue(jane, john)}
    desk.change(john, given_name="Newer")
    desk.enqueue(john)
    with pytest.raises(Conflict, match="operation_changed"), desk.house.db.writing() as session:
        outbox.approve(session, desk.tenant, shown, "ada", desk.clock())
    assert {operation.asks for operation in desk.operations()} == {Asks.REVIEW}


def test_what_was_declined_is_not_proposed_again_until_it_changes(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(approval=Approval.REVIEW)
    desk.change(jane, given_name="Janet")
    (effect,) = desk.enqueue(jane)
    with desk.house.db.writing() as session:
        outbox.decline(session, desk.tenant, [effect.operation_id or 0], "ada", desk.clock())
    assert desk.enqueue(jane)[0].here_only == {"*": "declined_before"}
    desk.change(jane, given_name="Jeanette")
    assert desk.enqueue(jane)[0].asks == Asks.REVIEW


def test_nobody_answers_for_operations_of_another_tenant(desk: Desk, cast: Cast) -> None:
    (effect,) = desk.enqueue(desk.hire("jane"))
    with pytest.raises(NotFound), desk.house.db.writing() as session:
        outbox.cancel(session, cast.fabrikam, [effect.operation_id or 0], "cy", desk.clock())


def test_what_is_done_can_no_longer_be_called_off(desk: Desk) -> None:
    jane = desk.hire("jane")
    (effect,) = desk.enqueue(jane)
    desk.drain()
    with pytest.raises(Conflict, match="operation_gone"), desk.house.db.writing() as session:
        outbox.cancel(session, desk.tenant, [effect.operation_id or 0], "ada", desk.clock())


def test_the_brake_holds_all_when_more_than_five_of_twelve_would_go(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(12)]
    desk.leave(*everybody[:6])
    desk.change(everybody[11], given_name="Still")
    desk.enqueue(everybody[11])
    desk.clock.forward(seconds=11)
    desk.drain()
    assert [kind for kind, _ in desk.there.applied] == [OperationKind.UPDATE]
    with desk.house.db.reading() as session:
        held = outbox.asking(session, desk.tenant, Asks.BRAKE)
    assert len(held) == 6
    ((_, detail),) = desk.told("operations.held")
    assert detail.text == {"due": 6, "count": 6, "limit": 5}


@pytest.mark.parametrize(
    ("given", "limit"),
    [({"limit_floor": 3}, 3), ({"limit_floor": 0, "limit_share": 50}, 6), ({"limit_share": 0, "limit_floor": 0}, 0)],
)
def test_the_limits_on_what_goes_out_are_the_apps_own(desk: Desk, given: dict[str, int], limit: int) -> None:
    everybody = [desk.present(f"p{number}") for number in range(12)]
    with desk.house.db.writing() as session:
        connectors.settle(session, desk.tenant, desk.app, {**given, "import_limit_floor": 1000}, "ada", desk.clock())
    for some in (everybody[:limit], everybody[limit : limit + 1]):
        desk.leave(*some)
        desk.clock.forward(hours=1)
        desk.drain()
    assert len(desk.there.applied) == limit
    assert desk.only(everybody[limit]).asks == Asks.BRAKE


def test_allowing_what_the_brake_held_lets_exactly_that_go(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(12)]
    desk.leave(*everybody[:6])
    desk.clock.forward(seconds=11)
    desk.drain()
    with desk.house.db.writing() as session:
        held = {row.id or 0: row.fingerprint for row, _ in outbox.asking(session, desk.tenant, Asks.BRAKE)}
        outbox.approve(session, desk.tenant, held, "ada", desk.clock())
    desk.leave(everybody[6])
    desk.clock.forward(seconds=11)
    desk.drain()
    assert len(desk.there.applied) == 6
    assert desk.only(everybody[6]).asks == Asks.BRAKE


def test_a_slow_leak_trips_the_brake_within_a_day(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(12)]
    for number in everybody[:7]:
        desk.leave(number)
        desk.clock.forward(hours=1)
        desk.drain()
    assert len(desk.there.applied) == 5
    assert [desk.only(number).asks for number in everybody[:7]] == [None] * 5 + [Asks.BRAKE] * 2


def test_a_number_that_was_typed_is_itself_the_allow(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(12)]
    desk.leave(*everybody[:8], allowed=True)
    desk.clock.forward(seconds=11)
    desk.drain()
    assert len(desk.there.applied) == 8


def test_automation_never_deletes_an_administrator(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(facts={"roles": {desk.account(jane).anchor: ["Global Administrator"]}}, when_left="delete")
    (effect,) = desk.leave(jane, by_hand=False, deleted=False)
    assert effect.here_only == {"*": "holds_role"}
    desk.intend(jane, by_hand=True)
    assert desk.enqueue(jane)[0].kind == OperationKind.DELETE


def test_who_may_be_an_administrator_is_protected_from_automation(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(facts={})
    (effect,) = desk.leave(jane, by_hand=False, deleted=False)
    assert effect.here_only == {"*": "protection_unknown"}


def test_a_person_who_waits_comes_before_bulk_work(desk: Desk) -> None:
    many = [desk.hire(f"p{number}") for number in range(30)]
    desk.enqueue(*many, priority=outbox.ONE_OF_MANY)
    desk.clock.forward(seconds=5)
    jane = desk.hire("jane")
    desk.enqueue(jane)
    desk.drain()
    assert desk.there.calls[0][0].values["userPrincipalName"] == "jane@there.example"
    assert [len(call) for call in desk.there.calls] == [20, 11]


def test_trying_again_enqueues_anew_what_had_failed(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.there.edit(desk.account(jane).anchor or "", givenName="Jane")
    desk.change(jane, given_name="Janet")
    desk.enqueue(jane)
    with desk.house.db.writing() as session:
        outbox.cancel(session, desk.tenant, [desk.only(jane).id or 0], "ada", desk.clock())
        again = outbox.retry(session, desk.tenant, [desk.only(jane).id or 0], desk.order())
    assert again == [desk.only(jane).id]
    desk.drain()
    assert desk.states() == {"cancelled": 1, "done": 1}


def test_what_waits_is_found_without_walking_over_what_is_done(desk: Desk, tmp_path: Path) -> None:
    """SQLite takes a partial index only where its condition stands in the statement word for word."""
    database = Database(f"sqlite:///{tmp_path / 'plan.db'}", lock_dir=tmp_path)
    database.migrate()
    asked: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "operations" in statement.partition("WHERE")[0]:
            steps = connection.connection.dbapi_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            asked.extend(f"{step[3]}: {statement}" for step in steps if "operations" in step[3])

    with desk.house.db.reading() as session:
        app = outbox.apps(session, desk.tenant, desk.house.kinds)[0]
    with database.writing() as session:
        outbox.claim(session, app, desk.clock())
        outbox.doubts(session, app, desk.clock(), 5)
        outbox.recover(session, desk.clock())
        worker.next_due(session, app.id)
        queue.counts(session, desk.tenant, desk.clock())
        queue.unfinished(session, desk.tenant)
        for view in queue.VIEWS:
            queue.listed(session, desk.tenant, desk.house.kinds, view, desk.clock())
            queue.whole(session, desk.tenant, view, desk.clock())
        foreseeing.held(session, desk.tenant, "ada", desk.clock())
        following._created(session, desk.tenant, desk.clock())
    database.close()
    assert len(asked) >= 25
    # The index of what is in flight holds a handful of rows: walking over that one is as good.
    walks = [step for step in asked if not step.startswith("SEARCH") and "uq_operations_in_flight" not in step]
    assert walks == []
