"""Drift of what no row of the mapping carries: whether somebody may sign in there, and whom they report to."""

import pytest

from provision.core.vocabulary import DriftChoice, Lifecycle, OperationState
from provision.services import drift, users
from tests.services.drift.conftest import DriftDesk


@pytest.fixture
def kim(desk: DriftDesk) -> int:
    """Kim, who is active here and whose sign-in somebody blocked there."""
    number = desk.present("kim")
    desk.elsewhere(number, accountEnabled=False)
    desk.compare()
    return number


def test_a_sign_in_that_somebody_blocked_there_is_listed_and_changes_nobody(desk: DriftDesk, kim: int) -> None:
    (item,) = desk.items()
    assert (item.label, item.ours, item.theirs, item.bars) == ("Sign-in", "allowed", "blocked", {})
    assert desk.value(kim, "lifecycle") == Lifecycle.ACTIVE
    assert desk.operations() == []


def test_pushing_it_back_allows_signing_in_there_again(desk: DriftDesk, kim: int) -> None:
    desk.choose("push")
    desk.drain()
    assert desk.only(kim).state == OperationState.DONE
    assert desk.there.people[desk.account(kim).anchor or ""]["accountEnabled"] is True
    desk.compare()
    assert desk.drifts() == {}


def test_accepting_it_suspends_the_person_here_and_sends_nothing(desk: DriftDesk, kim: int) -> None:
    assert desk.choose("accept").done == 1
    assert desk.value(kim, "lifecycle") == Lifecycle.SUSPENDED
    desk.drain()
    assert desk.there.applied == []
    desk.elsewhere(kim, accountEnabled=True)
    desk.compare()
    (item,) = desk.items()
    assert (item.ours, item.theirs) == ("blocked", "allowed")


def test_leaving_a_suspended_persons_sign_in_alone_holds_until_somebody_decides(desk: DriftDesk, kim: int) -> None:
    desk.choose("accept")
    desk.elsewhere(kim, accountEnabled=True)
    desk.compare()
    desk.choose("leave")
    desk.change(kim, title="Nurse")
    desk.enqueue(kim)
    desk.drain()
    assert desk.account(kim).enabled is True
    with desk.house.db.writing() as session:
        users.enable(session, desk.tenant, kim, desk.order())
        users.disable(session, desk.tenant, kim, desk.order())
    desk.release()
    desk.drain()
    assert desk.account(kim).enabled is False


def test_a_manager_whom_both_sides_changed_waits_for_a_choice(desk: DriftDesk) -> None:
    bosses = [desk.present(name) for name in ("one", "two", "three")]
    lee = desk.present("lee", manager_id=bosses[0])
    desk.compare()
    desk.elsewhere(lee, manager=desk.account(bosses[1]).anchor)
    desk.compare()
    assert desk.items() == [], "what only they changed comes in with the next import"
    desk.change(lee, manager_id=bosses[2])
    desk.compare()
    (item,) = desk.items()
    assert (item.label, item.ours, item.theirs) == ("Manager", "Three Here", "Two Here")
    desk.enqueue(lee)
    desk.drain()
    assert desk.there.applied == []
    assert desk.choose("accept").done == 1
    assert desk.value(lee, "manager_id") == bosses[1]
    desk.compare()
    assert (desk.drifts(), desk.items(DriftChoice.ALONE)) == ({}, [])


def test_a_manager_is_pushed_back_by_choice(desk: DriftDesk) -> None:
    bosses = [desk.present(name) for name in ("one", "two", "three")]
    lee = desk.present("lee", manager_id=bosses[0])
    desk.change(lee, manager_id=bosses[2])
    desk.elsewhere(lee, manager=desk.account(bosses[1]).anchor)
    desk.compare()
    assert isinstance(desk.choose("push"), drift.Chosen)
    desk.drain()
    assert desk.there.people[desk.account(lee).anchor or ""]["manager"] == desk.account(bosses[2]).anchor


def test_a_manager_who_cannot_be_taken_over_stays_a_difference_and_is_not_overwritten(desk: DriftDesk) -> None:
    """Whoever is named there reports to the person here: taken over, it would be a circle."""
    bosses = [desk.present(name) for name in ("one", "three")]
    lee = desk.present("lee", manager_id=bosses[0])
    two = desk.present("two", manager_id=lee)
    desk.compare()
    desk.elsewhere(lee, manager=desk.account(two).anchor)
    desk.change(lee, manager_id=bosses[1])
    desk.compare()
    done = desk.choose("accept")
    assert (done.done, done.left, done.effects) == (0, 1, [])
    assert desk.value(lee, "manager_id") == bosses[1]
    desk.enqueue(lee)
    desk.drain()
    desk.compare()
    assert [item.theirs for item in desk.items()] == ["Two Here"]
    assert desk.there.applied == []


def test_both_are_accepted_at_once_and_both_are_agreed(desk: DriftDesk) -> None:
    bosses = [desk.present(name) for name in ("one", "two", "three")]
    lee = desk.present("lee", manager_id=bosses[0])
    desk.compare()
    desk.elsewhere(lee, manager=desk.account(bosses[1]).anchor, accountEnabled=False)
    desk.change(lee, manager_id=bosses[2])
    desk.compare()
    assert desk.choose("accept").done == 2
    assert (desk.value(lee, "manager_id"), desk.value(lee, "lifecycle")) == (bosses[1], Lifecycle.SUSPENDED)
    agreed = desk.account(lee).absorbed
    assert (agreed["manager"], agreed["enabled"]) == (desk.account(bosses[1]).anchor, False)
