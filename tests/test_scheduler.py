"""How long the leader rests between two looks for cycles."""

import pytest

from provision.scheduler import rest


def test_who_found_nothing_looks_again_soon() -> None:
    assert rest(0.0) == rest(0.05) == 0.3


def test_the_busier_a_round_was_the_more_is_gathered_for_the_next() -> None:
    assert rest(0.05) < rest(0.1) < rest(0.15)
    assert rest(0.1) >= 4 * 0.1


@pytest.mark.parametrize("took", [0.5, 5.0, 3600.0])
def test_the_next_round_begins_within_a_second_however_long_the_last_one_took(took: float) -> None:
    assert rest(took) < 1.0
