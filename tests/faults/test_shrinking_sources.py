"""Sources that stop half-way or answer with nobody, at every size and every loss: nobody is taken away above the limit.

What was held and rejected is forgotten when the people are back; what went within the limit is counted for a day.
"""

from collections.abc import Callable, Iterable

import pytest

from provision.core.vocabulary import CycleState, Situation, WhenGone
from provision.house import House
from tests.cast import Cast, Clock
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk, app_of


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def desk(house: House, cast: Cast, directory: Directory, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, app_of(house, cast.contoso, clock), directory, clock)


def limit(people: int) -> int:
    """What the brake lets go in a day."""
    return max(5, people // 10)


def gone(desk: Desk) -> int:
    return sum(situation == Situation.GONE for situation in desk.situations().values())


def lose_and_return(desk: Desk, directory: Directory, people: int, losses: Iterable[int]) -> tuple[int, int]:
    """Lose so many of so many without a word, each time on a day of its own, and let them come back.

    Returns how often the brake held, and the most that were ever taken away at once.
    """
    directory.page_size = max(4, people // 10)
    everybody = {anchor: dict(directory.people[anchor]) for anchor in directory.add_many(people)}
    desk.change_connector(when_gone=WhenGone.SUSPEND)
    assert desk.run().counts["created"] == people
    held = most = 0
    for number, lost in enumerate(losses):
        desk.clock.forward(hours=25)
        directory.lose(*_spread(everybody, lost, number))
        cycle = desk.run(full=True)
        taken = gone(desk)
        assert taken <= limit(people), (lost, taken)
        assert cycle.counts.get("suspended", 0) <= cycle.counts.get("gone", 0) == taken
        if cycle.state == CycleState.HELD:
            held += 1
            assert taken == 0, (lost, taken)
            desk.release(cycle, allow=False)
        else:
            assert taken == lost, (lost, taken)
        most = max(most, taken)
        directory.people.update({anchor: dict(values) for anchor, values in everybody.items()})
        back = desk.run(full=True)
        assert (back.state, gone(desk)) == (CycleState.DONE, 0), lost
        assert desk.situations() == dict.fromkeys(everybody, Situation.LINKED)
    return held, most


def _spread(anchors: Iterable[str], lost: int, turn: int) -> list[str]:
    """So many of them, other ones each time."""
    order = sorted(anchors)
    start = turn * 7 % len(order)
    return (order[start:] + order[:start])[:lost]


@pytest.mark.parametrize(
    ("people", "losses"), [(3, (1, 2, 3)), (12, (2, 3, 6, 12)), (100, (9, 10, 11, 20, 21, 50, 100))]
)
def test_at_no_size_and_no_loss_anybody_is_taken_away_above_the_limit(
    desk: Desk, directory: Directory, people: int, losses: tuple[int, ...]
) -> None:
    held, most = lose_and_return(desk, directory, people, losses)
    assert held >= 2
    assert most <= limit(people)


@pytest.mark.faults
@pytest.mark.parametrize("people", [3, 12, 100, 10_000])
def test_losses_of_one_to_a_hundred_percent_never_take_anybody_away_above_the_limit(
    desk: Desk, directory: Directory, people: int, counted: Callable[[str], None]
) -> None:
    losses = sorted({max(1, round(people * percent / 100)) for percent in range(1, 101)})
    held, most = lose_and_return(desk, directory, people, losses)
    counted(f"{people} people, {len(losses)} losses: {held} held, at most {most} of {limit(people)} went")


def test_a_source_that_answers_with_nobody_writes_nobody(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(40)
    desk.change_connector(when_gone=WhenGone.LEAVE)
    desk.run()
    before = desk.state()
    directory.lose(*anchors)
    with desk.written() as rows:
        cycle = desk.run(full=True)
    assert cycle.state == CycleState.HELD
    assert cycle.held is not None
    assert "empty" in {reason["code"] for reason in cycle.held["reasons"]}
    assert (rows["users"], rows["operations"], len(desk.people())) == (0, 0, len(before["people"]))
    assert {person.lifecycle for person in desk.people().values()} == {"active"}
