"""A walk that comes back to where it was is noticed, a walk that does not is left in peace."""

import pytest

from provision.services.cycles.circles import walked


def steps_until_noticed(tail: int, circle: int) -> int:
    mark = None
    for step in range(10 * (tail + circle) + 10):
        place = step if step < tail else tail + (step - tail) % circle
        mark = walked(mark, f"place {place}")
        if mark is None:
            return step
    raise AssertionError("never noticed")


@pytest.mark.parametrize("tail", [0, 1, 2, 7, 40])
@pytest.mark.parametrize("circle", [1, 2, 3, 5, 64, 100])
def test_a_circle_of_any_length_behind_any_tail_is_noticed_soon(tail: int, circle: int) -> None:
    assert circle <= steps_until_noticed(tail, circle) <= 4 * (tail + circle)


def test_a_straight_walk_is_never_taken_for_a_circle() -> None:
    mark = None
    for place in range(5000):
        mark = walked(mark, str(place))
        assert mark is not None
