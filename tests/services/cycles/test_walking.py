"""What goes wrong on the way: lost places, rests, refusals, deaths, stops, and values that cannot be stored."""

from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from provision.core.ports import Page, Refused, Seen, Throttled, Unauthorised, Unreachable, WatermarkLost
from provision.core.tables import Sighting
from provision.core.vocabulary import UNFINISHED_CYCLES, ConnectorState, CycleKind, CycleState
from provision.services import cycles
from provision.services.cycles.taking import PASSING
from provision.vault import VaultError
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk, app_of

GONE = Unreachable("connection_lost", sent=True)


class Death(BaseException):
    """The process ends here, as by a kill: nothing gets to clean up after it."""


@pytest.fixture
def undisturbed(desk: Desk, directory: Directory) -> Any:
    """How the directory looks after an import of thirty people that nothing disturbed, told by a sibling desk."""
    directory.add_many(30)
    return sorted(f"{anchor}@there.example" for anchor in directory.people)


def test_a_lost_watermark_reads_everybody_and_takes_nobody_away(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    desk.run()
    directory.forget()
    cycle = desk.run()
    assert (cycle.state, cycle.kind) == (CycleState.DONE, CycleKind.INITIAL)
    assert (cycle.counts["unchanged"], cycle.counts["gone"]) == (10, 0)
    assert cycle.options["restarts"] == 1, "by which the page tells that the change token had expired"


@pytest.mark.parametrize("page", range(8))
def test_a_place_lost_at_any_page_costs_only_the_reading(
    desk: Desk, directory: Directory, undisturbed: list[str], page: int
) -> None:
    directory.trouble[page].append(WatermarkLost())
    cycle = desk.run()
    assert cycle.state == CycleState.DONE
    assert sorted(desk.people()) == undisturbed
    assert (cycle.counts["seen"], cycle.counts["created"]) == (30, 30)


def test_people_who_vanish_between_two_walks_of_a_first_import_are_noticed(desk: Desk, directory: Directory) -> None:
    directory.add_many(30)
    lost: list[Any] = [lambda: directory.lose("person000"), WatermarkLost()]
    directory.trouble[6] += lost[:1]
    directory.trouble[7] += lost[1:]
    assert desk.run().counts["gone"] == 1


def test_a_walk_that_is_lost_again_and_again_fails(desk: Desk, directory: Directory) -> None:
    directory.add_many(8)
    directory.trouble[0] += [WatermarkLost() for _ in range(9)]
    cycle = desk.run()
    assert cycle.state == CycleState.FAILED
    assert cycle.error is not None
    assert cycle.error["code"] == "walk_lost"


@pytest.mark.parametrize("page", range(8))
def test_a_connection_lost_at_any_page_is_gone_on_from_there(
    desk: Desk, directory: Directory, undisturbed: list[str], page: int
) -> None:
    directory.trouble[page].append(GONE)
    cycle = desk.run()
    assert cycle.state == CycleState.DONE
    assert cycle.error is None
    assert sorted(desk.people()) == undisturbed
    assert cycle.counts["seen"] == 30


def test_a_throttled_app_rests_as_long_as_it_was_told(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    directory.trouble[1].append(Throttled(120))
    number = desk.ask()
    desk.carry_on()
    assert desk.connector().rests_until == desk.clock.now + timedelta(seconds=120)
    asked = len(directory.asked)
    desk.clock.forward(seconds=119)
    desk.carry_on()
    assert len(directory.asked) == asked
    assert desk.cycle(number).state == CycleState.RUNNING
    desk.clock.forward(seconds=1)
    desk.carry_on()
    assert desk.cycle(number).state == CycleState.DONE
    assert len(desk.people()) == 10


def test_a_rest_holds_up_nobody_else(desk: Desk, directory: Directory, cast: Any) -> None:
    directory.add("ann")
    directory.trouble[0].append(Throttled(600))
    desk.ask()
    other = Desk(desk.house, cast.fabrikam, app_of(desk.house, cast.fabrikam, desk.clock), Directory(), desk.clock)
    other.directory.add("ben")
    number = other.ask()
    outside = {desk.app: directory, other.app: other.directory}
    cycles.run_requested(replace(desk.ways(), connect=lambda row: outside[row.id or 0]))
    assert other.cycle(number).state == CycleState.DONE


def test_being_throttled_uses_up_no_tries(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    directory.trouble[0] += [Throttled(5) for _ in range(20)]
    assert desk.run().state == CycleState.DONE


def test_an_outside_that_stays_away_ends_the_cycle_and_the_next_one_goes_on(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    directory.trouble[1] += [GONE] * 9
    cycle = desk.run()
    assert cycle.state == CycleState.FAILED
    assert cycle.error == {"code": "connection_lost", "params": {}, "request_id": None}
    assert len(desk.people()) == 4
    assert desk.run().state == CycleState.DONE
    assert len(desk.people()) == 10


def test_progress_forgives_earlier_failures(desk: Desk, directory: Directory) -> None:
    directory.add_many(40)
    for page in range(10):
        directory.trouble[page] += [GONE] * 3
    assert desk.run().state == CycleState.DONE


def test_refused_credentials_put_the_app_in_quarantine(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    directory.trouble[1].append(Unauthorised("secret_expired"))
    cycle = desk.run()
    assert cycle.state == CycleState.FAILED
    row = desk.connector()
    assert (row.state, row.reason, row.watermark) == (ConnectorState.QUARANTINED, "secret_expired", None)
    assert len(desk.told("cycle.failed")) == 1
    assert len(desk.told("connector.quarantined")) == 1
    assert row.stopped_at is not None
    assert row.rests_until == row.stopped_at + timedelta(hours=1)


def test_a_refusal_fails_the_cycle_and_not_the_app(desk: Desk, directory: Directory) -> None:
    directory.trouble[0].append(Refused("permission_missing", permission="User.Read.All"))
    cycle = desk.run()
    assert cycle.error is not None
    assert cycle.error["params"] == {"permission": "User.Read.All"}
    assert desk.connector().state == ConnectorState.ACTIVE


def test_a_secret_that_does_not_open_fails_the_cycle_with_its_reason(desk: Desk) -> None:
    def connect(_row: Any) -> Any:
        raise VaultError("no")

    number = desk.ask()
    cycles.run_requested(replace(desk.ways(), connect=connect))
    assert desk.cycle(number).error == {"code": "secret_unreadable", "params": {}, "request_id": None}


def test_what_breaks_in_here_is_tried_again_and_then_ended(desk: Desk) -> None:
    calls = []

    def connect(_row: Any) -> Any:
        calls.append(1)
        raise KeyError("ours")

    number = desk.ask()
    for _ in range(5):
        cycles.run_requested(replace(desk.ways(), connect=connect))
        desk.clock.forward(seconds=20)
    assert len(calls) == 3
    assert desk.cycle(number).error == {"code": "internal", "params": {}}


def test_stopping_ends_within_the_page_and_keeps_what_is_taken_over(desk: Desk, directory: Directory) -> None:
    directory.add_many(40)
    number = desk.ask()

    def stop() -> None:
        with desk.house.db.writing() as session:
            cycles.stop(session, desk.tenant, number, "ada", desk.clock())

    directory.trouble[5].append(stop)
    desk.carry_on()
    cycle = desk.cycle(number)
    assert cycle.state == CycleState.STOPPED
    assert cycle.options["stopped_by"] == "ada"
    assert 0 < len(desk.people()) < 40
    assert desk.connector().watermark is None
    assert desk.run().state == CycleState.DONE
    assert len(desk.people()) == 40


def test_stopping_does_not_wait_for_a_page_that_does_not_come(desk: Desk, directory: Directory) -> None:
    directory.add_many(8)
    number, never = desk.ask(), Event()

    def hang() -> None:
        with desk.house.db.writing() as session:
            cycles.stop(session, desk.tenant, number, "ada", desk.clock())
        never.wait(60)

    directory.trouble[1].append(hang)
    desk.carry_on()
    assert desk.cycle(number).state == CycleState.STOPPED
    never.set()


def test_a_rest_can_be_stopped(desk: Desk, directory: Directory) -> None:
    directory.trouble[0].append(Throttled(900))
    number = desk.ask()
    desk.carry_on()
    with desk.house.db.writing() as session:
        cycles.stop(session, desk.tenant, number, "ada", desk.clock())
    desk.carry_on()
    assert desk.cycle(number).state == CycleState.STOPPED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": ConnectorState.PAUSED}, "app_paused"),
        ({"state": ConnectorState.QUARANTINED}, "app_quarantined"),
        ({"features": {"import": False}}, "import_off"),
    ],
)
@pytest.mark.parametrize("page", [None, 5])
def test_an_app_that_may_not_import_any_more_stops_its_cycle(
    desk: Desk, directory: Directory, changes: dict[str, Any], code: str, page: int | None
) -> None:
    directory.add_many(40)
    number = desk.ask()
    if page is None:
        desk.change_connector(**changes)
    else:
        directory.trouble[page].append(lambda: desk.change_connector(**changes))
    desk.carry_on()
    cycle = desk.cycle(number)
    assert (cycle.state, cycle.error) == (CycleState.STOPPED, {"code": code, "params": {}})
    assert len(desk.people()) < 40


def test_a_process_that_is_about_to_end_leaves_the_cycle_to_the_next(desk: Desk, directory: Directory) -> None:
    directory.add_many(40)
    number, ends = desk.ask(), iter([False] * 3)
    cycles.run_requested(desk.ways(cut=lambda: next(ends, True)))
    assert desk.cycle(number).state == CycleState.RUNNING
    done = len(desk.people())
    assert 0 < done < 40
    desk.carry_on()
    assert desk.cycle(number).state == CycleState.DONE
    assert desk.cycle(number).counts["created"] == len(desk.people()) == 40


@pytest.mark.parametrize("life", range(1, 8))
def test_dying_after_any_commit_loses_and_doubles_nobody(desk: Desk, directory: Directory, life: int) -> None:
    desk.hire("person002@there.example")
    directory.add_many(40)
    directory.add("rival", employeeId="9")
    number, deaths = desk.ask(), 0
    for commits in (life, *[6] * 20):
        if desk.cycle(number).state not in UNFINISHED_CYCLES:
            break
        left = iter(range(commits))

        def writing(left: Any = left) -> Any:
            if next(left, None) is None:
                raise Death
            return desk.house.db.writing()

        try:
            cycles.run_requested(desk.ways(writing=writing))
        except Death:
            deaths += 1
    cycle = desk.cycle(number)
    assert deaths >= 1
    assert (cycle.state, cycle.counts["seen"]) == (CycleState.DONE, 41)
    assert (cycle.counts["created"], cycle.counts["linked"], cycle.counts["failed"]) == (40, 1, 0)
    assert len(desk.people()) == 41
    assert desk.chain_breaks_at() is None


def test_a_loop_of_pages_ends_the_cycle(desk: Desk) -> None:
    class Loop(Directory):
        def changes(self, attributes: Any, *, watermark: Any = None, position: Any = None) -> Any:
            index = int(position or 0)
            for _ in range(3):
                index = (index + 1) % 5
                yield Page([Seen(f"p{index}", {"userPrincipalName": f"p{index}@x.example"})], position=str(index))
            raise Unreachable("unexpected_reply", sent=True, reason="loop")

    desk.directory = Loop()
    cycle = desk.run()
    assert cycle.state == CycleState.FAILED
    assert cycle.error is not None
    assert cycle.error["params"]["reason"] == "loop"


def test_a_walk_without_an_end_is_not_believed(desk: Desk) -> None:
    class Endless(Directory):
        def changes(self, attributes: Any, *, watermark: Any = None, position: Any = None) -> Any:
            yield Page([], position="here") if position is None else Page([])

    desk.directory = Endless()
    cycle = desk.run()
    assert cycle.state == CycleState.FAILED
    assert desk.connector().watermark is None


@pytest.mark.parametrize(
    "bad",
    [{"surname": "a\ud800b"}, {"anything": object()}, {"userPrincipalName": 7}, {"surname": float("nan")}],
)
def test_one_bad_value_costs_one_account(desk: Desk, directory: Directory, bad: dict[str, Any]) -> None:
    directory.add_many(10)
    directory.add("bad", **bad)
    directory.people["bad"].update(bad)
    cycle = desk.run()
    assert cycle.state == CycleState.DONE
    assert (cycle.counts["seen"], cycle.counts["created"] + cycle.counts["failed"]) == (11, 11)
    assert len([name for name in desk.people() if name.startswith("person")]) == 10
    for event, detail in desk.told("account.failed"):
        assert event.outcome == "failed"
        assert detail.names["user"] == "bad"
        assert detail.text["code"] == "account_unfit"


def test_an_account_that_cannot_be_stored_is_counted_and_told(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    directory.add("bad", surname="a\ud800b")
    assert desk.run().counts["failed"] == 1
    assert len(desk.told("account.failed")) == 1
    directory.edit("bad", surname="mended")
    assert desk.run().counts["created"] == 1


def test_a_bad_anchor_costs_nobody_else(desk: Desk, directory: Directory) -> None:
    directory.add_many(5)
    directory.add("\ud800")
    cycle = desk.run()
    assert (cycle.counts["created"], cycle.counts["failed"]) == (5, 1)
    assert desk.run(full=True).counts["gone"] == 0


def test_a_busy_database_is_asked_again(desk: Desk, directory: Directory) -> None:
    directory.add_many(5)
    begun: list[int] = []

    def writing() -> Any:
        begun.append(1)
        if len(begun) in (2, 4):
            raise sa.exc.OperationalError("BEGIN", {}, Exception("database is locked"))
        return desk.house.db.writing()

    number = desk.ask()
    cycles.run_requested(desk.ways(writing=writing))
    assert desk.cycle(number).state == CycleState.DONE
    assert len(desk.people()) == 5


def test_a_database_in_trouble_leaves_the_cycle_for_later(desk: Desk, directory: Directory) -> None:
    directory.add_many(5)
    begun: list[int] = []

    def writing() -> Any:
        begun.append(1)
        if len(begun) > 2:
            raise sa.exc.OperationalError("COMMIT", {}, Exception("disk is full"))
        return desk.house.db.writing()

    number = desk.ask()
    with pytest.raises(PASSING):
        cycles.run_requested(desk.ways(writing=writing))
    assert desk.cycle(number).state == CycleState.RUNNING
    desk.carry_on()
    assert desk.cycle(number).state == CycleState.DONE


def test_sightings_are_gone_when_their_cycle_is(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    desk.run()
    desk.run(full=True)
    directory.trouble[directory.told + 1].append(Refused("permission_missing"))
    desk.run(full=True)
    with desk.house.db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Sighting)) == 0
