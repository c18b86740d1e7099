"""Who may ask for a cycle, what one is told when there is one already, and when the next is due."""

from typing import Any

import pytest

from provision.core.vocabulary import ConnectorState, CycleState
from provision.services import cycles
from provision.services.errors import Conflict, NotFound, ServiceError
from tests.cast import Cast
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk


def test_asking_twice_asks_once(desk: Desk) -> None:
    assert desk.ask() == desk.ask()
    assert desk.ask(full=False) == desk.ask()


def test_asking_for_something_else_meanwhile_is_refused(desk: Desk) -> None:
    desk.ask()
    for other in ({"preview": True}, {"chosen": [1]}, {"full": True}):
        with pytest.raises(Conflict, match="cycle_under_way"):
            desk.ask(**other)


def test_a_full_cycle_under_way_answers_a_plain_request(desk: Desk) -> None:
    assert desk.ask(full=True) == desk.ask()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"features": {"import": False}}, "import_off"),
        ({"state": ConnectorState.PAUSED}, "app_paused"),
        ({"state": ConnectorState.QUARANTINED}, "app_quarantined"),
    ],
)
def test_an_app_that_may_not_import_is_refused_with_the_reason(desk: Desk, changes: dict[str, Any], code: str) -> None:
    desk.change_connector(**changes)
    with pytest.raises(ServiceError, match=code):
        desk.ask()


def test_another_tenants_app_and_cycle_are_not_there(desk: Desk, cast: Cast) -> None:
    number = desk.ask()
    with desk.house.db.writing() as session:
        with pytest.raises(NotFound):
            cycles.request(session, cast.fabrikam, desk.app, "cy", desk.clock())
        with pytest.raises(NotFound):
            cycles.show(session, cast.fabrikam, number)
        with pytest.raises(NotFound):
            cycles.stop(session, cast.fabrikam, number, "cy", desk.clock())


def test_a_cycle_that_has_not_begun_is_stopped_at_once(desk: Desk) -> None:
    number = desk.ask()
    with desk.house.db.writing() as session:
        cycles.stop(session, desk.tenant, number, "ada", desk.clock())
    assert desk.cycle(number).state == CycleState.STOPPED


def due(desk: Desk) -> bool:
    with desk.house.db.reading() as session:
        return bool(cycles.due(session, desk.clock()))


def test_a_timetable_is_reckoned_from_the_last_run_and_caught_up_once(desk: Desk, directory: Directory) -> None:
    assert not due(desk)
    desk.change_connector(every_minutes=60)
    assert due(desk)
    desk.ask()
    assert not due(desk)
    desk.carry_on()
    desk.clock.forward(minutes=59)
    assert not due(desk)
    desk.clock.forward(days=3)
    assert due(desk)
    desk.run()
    assert not due(desk)


def test_two_timers_that_both_saw_it_due_ask_once(desk: Desk) -> None:
    """Every process has timers, and between seeing and asking the other one's cycle may have begun and ended."""
    desk.change_connector(every_minutes=60)

    def ask() -> bool:
        with desk.house.db.writing() as session:
            return cycles.request_due(session, desk.tenant, desk.app, desk.clock()) is not None

    assert ask()
    desk.carry_on()
    assert not ask()
    desk.clock.forward(minutes=60)
    assert ask()


@pytest.mark.parametrize("changes", [{"state": ConnectorState.PAUSED}, {"features": {"import": False}}])
def test_nothing_is_due_for_an_app_that_may_not_import(desk: Desk, changes: dict[str, Any]) -> None:
    desk.change_connector(every_minutes=60, **changes)
    assert not due(desk)


def test_history_begins_with_the_newest(desk: Desk) -> None:
    numbers = [desk.run().id for _ in range(3)]
    with desk.house.db.reading() as session:
        assert [row.id for row in cycles.history(session, desk.tenant, desk.app, limit=2)] == numbers[:0:-1]
        newest = cycles.latest(session, desk.tenant, desk.app)
        assert newest is not None
        assert newest.id == numbers[-1]
        assert cycles.unfinished(session, desk.tenant, desk.app) is None
