"""The worker: what is sent, what becomes of every answer, and what a dead worker leaves behind."""

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from provision.core.ports import Missing, OutsideError, Refused, Taken, Throttled, Unauthorised, Unreachable, Write
from provision.core.vocabulary import ConnectorState, Lifecycle, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import worker
from provision.services.outbox import reckoning
from tests.cast import Cast, Clock
from tests.fakes.target import Death
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def error_of(desk: Desk, number: int) -> str:
    return str((desk.only(number).error or {}).get("code"))


def create(desk: Desk, *misfortunes: str | OutsideError | None, name: str = "jane") -> int:
    """Somebody new, whose create meets these misfortunes, one per attempt."""
    number = desk.hire(name)
    desk.enqueue(number)
    desk.there.befall(*misfortunes)
    desk.drain()
    return number


def edited(desk: Desk, *misfortunes: str | OutsideError | None, name: str = "jane") -> int:
    """Somebody who is there, whose edit meets these misfortunes."""
    number = desk.present(name)
    desk.change(number, given_name="New")
    desk.enqueue(number)
    desk.there.befall(*misfortunes)
    desk.drain()
    return number


def suspended(desk: Desk, *misfortunes: str) -> int:
    """Somebody who is there, whose disabling meets these misfortunes."""
    number = desk.present("jane")
    desk.change(number, lifecycle=Lifecycle.SUSPENDED)
    desk.intend(number, by_hand=True)
    desk.there.befall(*misfortunes)
    desk.enqueue(number, hold=False)
    desk.drain()
    return number


def left(desk: Desk, *misfortunes: str) -> int:
    """Somebody who is there, whose deletion meets these misfortunes."""
    number = desk.present("jane")
    desk.there.befall(*misfortunes)
    desk.leave(number, hold=False)
    desk.drain()
    return number


def dying_at(point: str) -> Callable[[str], None]:
    def at(here: str) -> None:
        if here == point:
            raise Death

    return at


def settle_down(desk: Desk) -> None:
    """Time passes, and everything that is due is carried out."""
    for _ in range(6):
        desk.clock.forward(minutes=1)
        desk.drain()


# -- What is settled -------------------------------------------------------------------------------------------------------


def test_a_settled_write_is_observed_and_is_the_base_of_the_next_merge(desk: Desk) -> None:
    jane = edited(desk)
    account = desk.account(jane)
    assert (account.observed["givenName"], account.absorbed["givenName"]) == ("New", "New")
    assert desk.only(jane).state == OperationState.DONE
    ((event, detail),) = desk.told("account.updated")
    assert (detail.before, detail.after) == ({"givenName": "Jane"}, {"givenName": "New"})
    assert (event.operation_id, event.actor, event.ms is not None) == (desk.only(jane).id, "ada", True)
    assert detail.text["request_id"] == desk.only(jane).request_id
    assert desk.chain_breaks_at() is None


def test_the_intent_is_in_the_rows_before_anything_is_sent(desk: Desk) -> None:
    seen: list[tuple[str, str, int]] = []

    def witness(_: Sequence[Write]) -> None:
        (operation,) = desk.operations()
        seen.append((operation.state.value, operation.kind.value, operation.attempts))

    desk.there.witness = witness
    create(desk)
    assert seen == [("running", "create", 1)]


def test_up_to_twenty_of_one_app_go_in_one_call_and_never_two_of_one_account(desk: Desk) -> None:
    desk.enqueue(*(desk.hire(f"p{number}") for number in range(45)))
    desk.drain()
    assert [len(call) for call in desk.there.calls] == [20, 20, 5]
    assert len({write.values["userPrincipalName"] for call in desk.there.calls for write in call}) == 45


def test_an_edit_while_one_is_in_flight_waits_behind_it(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="One")
    desk.enqueue(jane)

    def witness(_: Sequence[Write]) -> None:
        desk.there.witness = lambda _: None
        desk.change(jane, given_name="Two")
        desk.enqueue(jane)
        assert [operation.state for operation in desk.operations(jane)] == ["running", "pending"]

    desk.there.witness = witness
    desk.drain()
    assert [dict(write.values) for call in desk.there.calls for write in call] == [
        {"givenName": "One"},
        {"givenName": "Two"},
    ]


def test_first_passwords_are_long_random_and_kept_nowhere(desk: Desk) -> None:
    create(desk)
    password = desk.there.calls[0][0].password or ""
    assert len(password) >= 32
    assert password not in repr(desk.there.calls)
    file = desk.house.settings.data_dir / "provision.db"
    stored = b"".join(path.read_bytes() for path in file.parent.glob("provision.db*")) if file.exists() else b""
    assert password.encode() not in stored


# -- Errors, one by one ----------------------------------------------------------------------------------------------------


def test_what_was_never_sent_is_tried_again(desk: Desk) -> None:
    jane = create(desk, "unsent")
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.PENDING, "host_unreachable")
    desk.clock.forward(seconds=5)
    desk.drain()
    assert (desk.only(jane).state, desk.only(jane).attempts) == (OperationState.DONE, 2)


def test_a_doubtful_update_is_planned_again(desk: Desk) -> None:
    jane = edited(desk, "lost after")
    assert desk.only(jane).state == OperationState.PENDING
    desk.clock.forward(seconds=5)
    desk.drain()
    assert desk.only(jane).state == OperationState.DONE


@pytest.mark.parametrize("what", ["lost after", "lost before"])
def test_an_edit_taken_back_while_the_first_is_in_doubt_is_sent_too(desk: Desk, what: str) -> None:
    jane = edited(desk, what)
    desk.change(jane, given_name="Jane")
    desk.enqueue(jane)
    settle_down(desk)
    assert desk.there.people[desk.account(jane).anchor or ""]["givenName"] == "Jane"


def test_what_was_certainly_not_carried_out_is_in_no_doubt(desk: Desk) -> None:
    jane = edited(desk, Refused("value_refused"))
    assert "unsure" not in desk.account(jane).pushed
    desk.change(jane, given_name="Jane")
    assert desk.enqueue(jane)[0].operation_id is None


def test_who_is_enabled_while_their_disabling_is_in_doubt_is_enabled_there(desk: Desk) -> None:
    jane = suspended(desk, "lost after")
    desk.change(jane, lifecycle=Lifecycle.ACTIVE)
    desk.enqueue(jane)
    settle_down(desk)
    assert desk.there.people[desk.account(jane).anchor or ""]["accountEnabled"] is True


def test_who_is_enabled_while_their_disabling_is_under_way_is_enabled_there(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, lifecycle=Lifecycle.SUSPENDED)
    desk.intend(jane, by_hand=True)
    desk.enqueue(jane, hold=False)

    def enabled(point: str) -> None:
        if point == "after_send" and desk.only(jane).kind == OperationKind.DISABLE:
            desk.change(jane, lifecycle=Lifecycle.ACTIVE)
            desk.intend(jane, enabled=True, by_hand=False)
            desk.enqueue(jane)

    desk.drain(at=enabled)
    settle_down(desk)
    assert desk.there.people[desk.account(jane).anchor or ""]["accountEnabled"] is True


def test_who_is_restored_while_their_deletion_is_in_doubt_is_there_again(desk: Desk) -> None:
    jane = left(desk, "lost after")
    anchor = desk.account(jane).anchor or ""
    assert anchor in desk.there.bin
    desk.change(jane, lifecycle=Lifecycle.ACTIVE, deleted_at=None)
    desk.enqueue(jane)
    settle_down(desk)
    assert anchor in desk.there.people
    assert desk.account(jane).situation == Situation.LINKED


def test_who_is_deleted_while_their_restoring_is_in_doubt_is_in_the_bin_again(desk: Desk) -> None:
    jane = left(desk)
    anchor = desk.account(jane).anchor or ""
    desk.change(jane, lifecycle=Lifecycle.ACTIVE, deleted_at=None)
    desk.intend(jane, restore={})
    desk.there.befall("lost after")
    desk.enqueue(jane)
    desk.drain()
    assert anchor in desk.there.people
    desk.leave(jane, hold=False)
    settle_down(desk)
    assert anchor in desk.there.bin


@pytest.mark.parametrize("point", ["after_claim", "after_send"])
def test_a_death_leaves_what_was_sent_in_doubt(desk: Desk, point: str) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="New")
    desk.enqueue(jane)
    with pytest.raises(Death):
        desk.drain(at=dying_at(point))
    desk.change(jane, given_name="Jane")
    desk.enqueue(jane)
    desk.recover()
    settle_down(desk)
    assert desk.there.people[desk.account(jane).anchor or ""]["givenName"] == "Jane"
    assert desk.account(jane).pushed.keys() == {"lately"}


def test_a_worker_that_slept_through_its_lease_sends_nothing_when_it_wakes(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="New")
    desk.enqueue(jane)
    desk.drain(at=lambda point: desk.clock.forward(minutes=6) if point == "after_claim" else None)
    assert desk.there.applied == []
    settle_down(desk)
    assert desk.states() == {"done": 1}


def test_an_answer_that_comes_after_somebody_took_over_is_made_good(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="Old")
    desk.enqueue(jane)

    def overtaken(point: str) -> None:
        if point == "after_send" and not desk.told("account.updated"):
            desk.recover()
            desk.change(jane, given_name="New")
            desk.enqueue(jane)
            desk.drain()
            # What was sent first arrives last.
            desk.there.edit(desk.account(jane).anchor or "", givenName="Old")

    assert desk.drain(at=overtaken)["lost"] == 1
    settle_down(desk)
    assert desk.there.people[desk.account(jane).anchor or ""]["givenName"] == "New"


def test_a_request_to_wait_rests_the_whole_app_and_counts_no_attempt(desk: Desk) -> None:
    john = desk.present("john")
    jane = create(desk, Throttled(120.0))
    desk.change(john, given_name="New")
    desk.enqueue(john)
    desk.clock.forward(seconds=119)
    desk.drain()
    assert len(desk.there.calls) == 1
    assert desk.only(jane).attempts == 0
    desk.clock.forward(seconds=1)
    desk.drain()
    assert desk.states() == {"done": 2}


@pytest.mark.parametrize("told", [0.0, -3.0, 1e9, float("nan")])
def test_a_strange_time_to_wait_is_a_time_of_our_own(desk: Desk, told: float) -> None:
    create(desk, Throttled(told))
    rests = desk.connector().rests_until
    assert rests is not None
    assert 1 <= (rests - desk.clock()).total_seconds() <= 900


def test_refused_credentials_stop_the_app_once_and_nothing_fails(desk: Desk) -> None:
    jane = create(desk, *[Unauthorised("secret_expired")] * 3)
    for _ in range(2):
        desk.clock.forward(hours=1, seconds=1)
        desk.drain()
    assert desk.connector().state == ConnectorState.QUARANTINED
    assert len(desk.told("connector.quarantined")) == 1
    assert (len(desk.there.calls), desk.only(jane).attempts) == (3, 0)
    desk.clock.forward(minutes=119)
    desk.drain()
    assert len(desk.there.calls) == 3, "stopped for two hours, it is left alone for two more"
    desk.clock.forward(minutes=2)
    desk.drain()
    assert (desk.only(jane).state, desk.connector().state) == (OperationState.DONE, ConnectorState.ACTIVE)
    assert len(desk.told("connector.recovered")) == 1


def test_a_stopped_app_is_tried_ever_more_slowly_down_to_once_a_day(desk: Desk) -> None:
    create(desk, *[Unauthorised("secret_expired")] * 100)
    tried, before = [], len(desk.there.calls)
    for hour in range(1, 24 * 5):
        desk.clock.forward(hours=1, seconds=1)
        desk.drain()
        if len(desk.there.calls) > before:
            tried.append(hour)
        before = len(desk.there.calls)
    assert tried[:5] == [1, 2, 4, 8, 16]
    assert all(later - earlier == 24 for earlier, later in pairwise(tried[5:]))
    assert len(tried) <= 10
    assert len(desk.told("connector.quarantined")) == 1


def test_a_refusal_fails_for_good_and_says_why(desk: Desk) -> None:
    jane = edited(desk, Refused("value_refused", attribute="givenName"))
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.FAILED, "value_refused")
    ((_, detail),) = desk.told("operation.failed")
    assert detail.text["params"] == {"attribute": "givenName"}


def test_what_a_person_can_lift_is_blocked_and_an_edit_lets_it_go_on(desk: Desk) -> None:
    jane = edited(desk, Refused("permission_missing", permission="User.ReadWrite.All"))
    assert desk.only(jane).state == OperationState.BLOCKED
    desk.change(jane, given_name="Newer")
    desk.enqueue(jane)
    desk.drain()
    assert len(desk.operations(jane)) == 1
    assert desk.only(jane).state == OperationState.DONE


def test_what_lacks_a_seat_finishes_by_itself_when_there_is_one(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.intend(jane, licences={"sku-e3": True})
    desk.there.left["licences"] = Refused("no_seat", sku="sku-e3")
    desk.enqueue(jane)
    desk.drain()
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.BLOCKED, "no_seat")
    desk.there.left.clear()
    desk.clock.forward(minutes=10)
    desk.drain()
    assert desk.states() == {"done": 2}
    assert desk.there.people[desk.account(jane).anchor or ""]["licences"] == ["sku-e3"]
    assert desk.account(jane).intent == {}


def test_a_create_stands_although_something_did_not_follow(desk: Desk) -> None:
    number = desk.hire("jane", department="Sales", usage_location="NO")
    desk.enqueue(number)
    desk.there.left["surname"] = Refused("value_refused", attribute="surname")
    desk.drain()
    assert [operation.state for operation in desk.operations(number)] == ["done", "blocked"]
    assert desk.account(number).situation == Situation.LINKED
    assert list(desk.only(number).changes) == ["surname"]


def test_what_is_gone_there_is_never_made_again_by_itself(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.clock.forward(hours=1)
    desk.there.people.clear()
    desk.change(jane, given_name="New")
    desk.enqueue(jane)
    desk.drain()
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.FAILED, "account_gone")
    assert desk.account(jane).situation == Situation.GONE
    desk.change(jane, given_name="Newer")
    (effect,) = desk.enqueue(jane)
    assert effect.here_only == {"*": "account_gone"}
    desk.drain()
    assert desk.there.people == {}


def test_what_is_not_visible_yet_is_waited_for(desk: Desk) -> None:
    jane = create(desk)
    desk.change(jane, given_name="New")
    desk.enqueue(jane)
    desk.there.befall(Missing("not_there"), Missing("not_there"))
    for number in range(4):
        desk.drain()
        assert number or desk.only(jane).error == {"code": "still_copying", "params": {}}
        desk.clock.forward(minutes=5)
    assert desk.only(jane).state == OperationState.DONE
    assert desk.account(jane).situation == Situation.LINKED


def test_deleting_what_is_gone_already_is_done(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.clock.forward(minutes=31)
    desk.there.people.clear()
    desk.leave(jane)
    desk.clock.forward(seconds=11)
    desk.drain()
    assert (desk.only(jane).state, desk.account(jane).situation) == (OperationState.DONE, Situation.GONE)


@pytest.mark.parametrize("lag", [40, 600, 1700])
def test_a_delete_behind_a_create_waits_until_the_account_can_be_seen(desk: Desk, lag: float) -> None:
    """Believed at once, *not there* would leave somebody who left an account that nobody deletes any more."""
    desk.there.lag = lag
    jane = create(desk)
    desk.leave(jane)
    for _ in range(8):
        desk.clock.forward(minutes=5)
        desk.drain()
    assert [operation.state for operation in desk.operations(jane)] == ["done", "done"]
    assert desk.there.people == {}
    assert not [detail.text for _, detail in desk.told("account.deleted") if "already" in detail.text]


def test_deleting_soon_after_the_create_what_somebody_else_deleted_ends_within_the_half_hour(desk: Desk) -> None:
    jane = create(desk)
    desk.there.people.clear()
    desk.leave(jane)
    desk.clock.forward(seconds=11)
    desk.drain()
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.PENDING, "still_copying")
    for _ in range(8):
        desk.clock.forward(minutes=5)
        desk.drain()
    assert (desk.operations(jane)[-1].state, desk.account(jane).situation) == (OperationState.DONE, Situation.GONE)


def test_a_bug_in_the_way_out_costs_itself_and_nobody_else(desk: Desk) -> None:
    jane, john = desk.present("jane"), desk.present("john")
    desk.change(jane, given_name="New")
    desk.enqueue(jane)

    def break_once(_: Sequence[Write]) -> None:
        desk.there.witness = lambda _: None
        raise ZeroDivisionError

    desk.there.witness = break_once
    desk.drain()
    desk.change(john, given_name="New")
    desk.enqueue(john)
    desk.drain()
    assert desk.only(john).state == OperationState.DONE
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.PENDING, "internal")


# -- Doubtful creates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [None, "extensionAttribute15"])
def test_a_create_whose_answer_was_lost_is_found_and_adopted(desk: Desk, mark: str | None) -> None:
    desk.scope(correlation=mark)
    jane = create(desk, "lost after")
    assert desk.only(jane).state == OperationState.UNKNOWN
    desk.clock.forward(seconds=2)
    desk.drain()
    assert [operation.state for operation in desk.operations(jane)] == ["done"]
    assert len(desk.there.people) == 1
    assert len(desk.told("account.adopted")) == 1
    assert desk.account(jane).intent == {}


@pytest.mark.parametrize(
    ("sent", "becomes"),
    [("extensionAttribute15", "employeeId"), ("employeeId", None), (None, "extensionAttribute15")],
)
def test_what_is_on_its_way_is_looked_up_by_the_mark_it_was_sent_with(
    desk: Desk, sent: str | None, becomes: str | None
) -> None:
    desk.scope(correlation=sent)
    jane = create(desk, "lost after")
    (there,) = desk.there.people.values()
    if sent is not None:  # by its name it would be somebody else's
        there["displayName"] = "Renamed there"
    desk.scope(correlation=becomes)
    desk.clock.forward(seconds=2)
    desk.drain()
    assert len(desk.told("account.adopted")) == 1
    assert [kind for kind, _ in desk.there.applied].count(OperationKind.CREATE) == 1
    assert desk.account(jane).intent == {}


@pytest.mark.parametrize(
    ("sent", "becomes"),
    [("extensionAttribute15", "employeeId"), ("employeeId", None), (None, "extensionAttribute15")],
)
def test_what_is_sent_again_bears_the_mark_it_was_first_sent_with_and_others_the_new_one(
    desk: Desk, sent: str | None, becomes: str | None
) -> None:
    desk.scope(correlation=sent)
    jane = create(desk, "lost before")
    desk.scope(correlation=becomes)
    for _ in range(4):
        desk.clock.forward(seconds=61)
        desk.drain()
    john = create(desk, name="john")
    marks = [None if write.correlation is None else write.correlation[0] for call in desk.there.calls for write in call]
    assert marks == [sent, sent, becomes]
    assert [desk.only(number).state for number in (jane, john)] == [OperationState.DONE] * 2


def test_what_certainly_left_nothing_there_goes_out_with_the_new_mark(desk: Desk) -> None:
    desk.scope(correlation="employeeId")
    jane = create(desk, Throttled(5.0))
    desk.scope(correlation="extensionAttribute15")
    desk.clock.forward(seconds=61)
    desk.drain()
    (there,) = desk.there.people.values()
    assert (there.get("employeeId"), there["extensionAttribute15"]) == (None, desk.account(jane).correlation)


def test_a_death_forgets_no_mark(desk: Desk) -> None:
    desk.scope(correlation="employeeId")
    with pytest.raises(Death):
        create(desk, "die after")
    desk.scope(correlation="extensionAttribute15")
    desk.recover()
    desk.clock.forward(seconds=61)
    desk.drain()
    assert desk.states() == {"done": 1}
    assert len(desk.there.people) == 1


def test_a_create_that_never_arrived_is_sent_again_once_nobody_can_be_found(desk: Desk) -> None:
    jane = create(desk, "lost before")
    for _ in range(4):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert desk.only(jane).state == OperationState.DONE
    assert len(desk.there.people) == 1
    assert len(desk.there.calls) == 2


@pytest.mark.parametrize("lag", [10, 90, 600, 1700])
def test_what_lags_behind_is_waited_for_and_never_made_twice(desk: Desk, lag: float) -> None:
    desk.there.lag = lag
    jane = create(desk, "lost after")
    for _ in range(40):
        desk.clock.forward(seconds=60)
        desk.drain()
    assert [operation.state for operation in desk.operations(jane)] == ["done"]
    assert len(desk.there.people) == 1
    assert desk.account(jane).situation == Situation.LINKED


def test_an_address_edited_while_the_outcome_is_open_makes_no_second_account(desk: Desk) -> None:
    desk.there.lag = 300
    jane = create(desk, "lost after")
    desk.change(jane, email="jane2@there.example", given_name="Janet")
    desk.enqueue(jane)
    for _ in range(20):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert [values["userPrincipalName"] for values in desk.there.people.values()] == ["jane2@there.example"]
    assert desk.states() == {"cancelled": 1, "done": 2}


def test_an_account_of_somebody_else_is_not_touched_and_a_person_decides(desk: Desk) -> None:
    desk.there.add("other", userPrincipalName="jane@there.example", createdDateTime="2020-01-01T00:00:00Z")
    before = dict(desk.there.people["other"])
    jane = create(desk)
    desk.clock.forward(seconds=3)
    desk.drain()
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.BLOCKED, "name_taken")
    assert (desk.only(jane).error or {})["params"]["anchor"] == "other"
    assert desk.there.people["other"] == before
    desk.change(jane, email="jane2@there.example")
    desk.enqueue(jane)
    desk.drain()
    assert desk.there.named("jane2@there.example") is not None


def test_a_namesake_of_the_same_minute_without_our_mark_is_somebody_else(desk: Desk) -> None:
    desk.scope(correlation="extensionAttribute15")
    made = desk.clock().isoformat()
    desk.there.add("other", userPrincipalName="jane@there.example", displayName="Jane Here", createdDateTime=made)
    jane = create(desk)
    desk.clock.forward(seconds=3)
    desk.drain()
    assert error_of(desk, jane) == "name_taken"


def test_another_value_that_is_taken_is_for_a_person_to_change(desk: Desk) -> None:
    jane = create(desk, Taken("value_taken", attribute="proxyAddresses"))
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.BLOCKED, "value_taken")


def test_an_import_that_saw_the_new_account_first_gives_way(desk: Desk) -> None:
    jane = create(desk, "lost after")
    anchor = next(iter(desk.there.people))
    with desk.house.db.writing() as session:
        row = desk.account(jane)
        values = row.model_dump(exclude={"id", "user_id", "anchor", "correlation", "intent"})
        session.add(type(row)(**{**values, "anchor": anchor, "situation": Situation.DISPUTED}))
    desk.clock.forward(seconds=3)
    desk.drain()
    assert (desk.account(jane).anchor, desk.account(jane).situation) == (anchor, Situation.LINKED)


# -- Death -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["die before", "die after"])
def test_a_death_during_a_create_is_looked_up_by_the_next_leader(desk: Desk, when: str) -> None:
    with pytest.raises(Death):
        create(desk, when)
    assert desk.recover() == {"unknown": 1}
    for _ in range(5):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert desk.states() == {"done": 1}
    assert len(desk.there.people) == 1


@pytest.mark.parametrize("point", ["after_claim", "after_send", "after_settle"])
def test_a_death_at_any_point_loses_nothing_and_doubles_nothing(desk: Desk, point: str) -> None:
    numbers = [desk.hire(f"p{number}") for number in range(25)]
    desk.enqueue(*numbers)

    def die(at: str) -> None:
        if at == point:
            raise Death

    with pytest.raises(Death):
        desk.drain(at=die)
    desk.recover()
    for _ in range(6):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert desk.states() == {"done": 25}
    assert sum(kind is OperationKind.CREATE for kind, _ in desk.there.applied) == 25


def test_one_that_cannot_be_planned_fails_alone_and_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [desk.present(f"p{number}") for number in range(5)]
    for number in people:
        desk.change(number, given_name="New")
    desk.enqueue(*people)
    whole = reckoning.plan

    def breaks(person: Any, there: Any, rules: Any) -> Any:
        if there.anchor == desk.account(people[2]).anchor:
            raise ValueError("no plan")
        return whole(person, there, rules)

    monkeypatch.setattr(reckoning, "plan", breaks)
    desk.drain()
    assert desk.states() == {"done": 4, "failed": 1}
    ((event, detail),) = desk.told("operation.failed")
    assert (event.user_id, detail.text["code"]) == (people[2], "internal")
    assert desk.chain_breaks_at() is None


def test_what_was_in_flight_at_a_death_goes_alone_from_then_on(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(4)]
    for number in everybody:
        desk.change(number, given_name="New")
    desk.enqueue(*everybody[:3])
    desk.there.befall(None, "die before")
    with pytest.raises(Death):
        desk.drain()
    desk.recover()
    desk.enqueue(everybody[3])
    desk.drain()
    assert [len(call) for call in desk.there.calls] == [3, 1, 1, 1, 1]


def test_whoever_is_alone_in_flight_at_three_deaths_is_poison_and_the_others_go_on(desk: Desk) -> None:
    jane, john = desk.present("jane"), desk.present("john")
    for number in (jane, john):
        desk.change(number, given_name="New")
    desk.enqueue(jane)
    for _ in range(3):
        desk.there.befall("die before")
        with pytest.raises(Death):
            desk.drain()
        desk.recover()
    desk.enqueue(john)
    desk.drain()
    assert (desk.only(jane).state, error_of(desk, jane)) == (OperationState.FAILED, "poison")
    assert desk.only(john).state == OperationState.DONE


def test_a_worker_that_was_paused_settles_nothing_when_it_wakes(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, given_name="New")
    desk.enqueue(jane)

    def another_takes_over(point: str) -> None:
        if point == "after_send" and len(desk.there.calls) == 1:
            desk.clock.forward(minutes=6)
            desk.recover()

    counts = desk.drain(at=another_takes_over)
    assert (counts["lost"], counts["done"]) == (1, 1)
    assert desk.states() == {"done": 1}
    assert len(desk.told("account.updated")) == 1


def test_a_worker_that_is_told_to_stop_settles_what_is_under_way_and_claims_no_more(desk: Desk) -> None:
    desk.enqueue(*(desk.hire(f"p{number}") for number in range(45)))
    desk.memory.of(desk.app).bucket.take(-100.0)
    told = threading.Event()
    desk.there.witness = lambda _: told.set()
    worker.drain(desk.ways(cut=told.is_set), desk.app, memory=desk.memory, width=1)
    assert desk.states() == {"done": 20, "pending": 25}


def test_several_calls_at_once_end_the_same(desk: Desk) -> None:
    desk.enqueue(*(desk.hire(f"p{number}") for number in range(90)))
    desk.memory.of(desk.app).bucket.take(-200.0)
    worker.drain(desk.ways(), desk.app, memory=desk.memory)
    assert desk.states() == {"done": 90}
    assert len(desk.there.people) == 90


# -- Pace ------------------------------------------------------------------------------------------------------------------


def test_writes_leave_at_the_pace_of_the_bucket(desk: Desk) -> None:
    desk.enqueue(*(desk.hire(f"p{number}") for number in range(60)))
    began = desk.clock()
    worker.drain(desk.ways(), desk.app, memory=desk.memory, width=1)
    took = (desk.clock() - began).total_seconds()
    assert 2.9 <= took <= 3.5
    assert desk.states() == {"done": 60}


def test_a_bucket_never_holds_more_than_it_can_and_starts_empty() -> None:
    at = [0.0]
    bucket = worker.Bucket(lambda: at[0], rate=20, capacity=3000)
    assert bucket.tokens() == 0
    at[0] = 1e6
    assert bucket.tokens() == 3000
    at[0] = 0.0
    bucket.take(3010)
    assert (bucket.tokens(), bucket.seconds_until(10)) == (-10, 1.0)


def test_until_idle_waits_for_what_is_due_within_a_minute(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.leave(jane)
    assert desk.drain(until_idle=True)["done"] == 1


def test_paused_and_resting_apps_have_nothing_due(desk: Desk) -> None:
    desk.enqueue(desk.hire("jane"))

    def due() -> list[int]:
        with desk.house.db.reading() as session:
            return worker.due_connectors(session, desk.clock())

    assert due() == [desk.app]
    desk.connector(state=ConnectorState.PAUSED)
    assert due() == []
    desk.drain()
    assert desk.there.calls == []
    desk.connector(state=ConnectorState.ACTIVE, rests_until=desk.clock.forward(seconds=0))
    assert due() == [desk.app]


def test_an_app_without_a_way_out_claims_nothing(desk: Desk) -> None:
    def nowhere(_: object) -> None:
        raise Refused("cloud_not_configured", cloud="x")

    jane = desk.hire("jane")
    desk.enqueue(jane)
    desk.memory.of(desk.app).bucket.take(-100.0)
    worker.drain(desk.ways(connect=nowhere), desk.app, memory=desk.memory, width=1)
    assert (desk.only(jane).state, desk.only(jane).attempts) == (OperationState.PENDING, 0)


def test_a_look_up_that_cannot_look_says_nothing_about_what_is_there(desk: Desk) -> None:
    jane = create(desk, "lost after")
    found = desk.there.find

    def blind(*_: object, **__: object) -> None:
        raise Unreachable("timed_out", sent=True)

    desk.there.find = blind  # type: ignore[method-assign, assignment]
    for _ in range(10):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert desk.only(jane).state == OperationState.UNKNOWN
    desk.there.find = found  # type: ignore[method-assign]
    desk.clock.forward(seconds=61)
    desk.drain()
    assert desk.only(jane).state == OperationState.DONE


def test_somebody_deleted_while_their_create_is_open_is_deleted_there_too(desk: Desk) -> None:
    jane = create(desk, "lost after")
    desk.change(jane, lifecycle=Lifecycle.LEFT, deleted_at=desk.clock())
    desk.enqueue(jane)
    for _ in range(3):
        desk.clock.forward(seconds=61)
        desk.drain()
    assert desk.there.people == {}
    assert desk.states() == {"done": 2}
