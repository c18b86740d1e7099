"""The geometry of bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.web.chart import ABOVE, BELOW, LEFT, NARROW, chart, round_up


@pytest.mark.parametrize(
    ("number", "mark"),
    [(0, 4), (3, 4), (5, 6), (10, 10), (11, 20), (52, 60), (101, 200), (999, 1000), (100_001, 200_000)],
)
def test_a_grid_line_stands_for_a_round_number(number: int, mark: int) -> None:
    assert round_up(number) == mark


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=100))
def test_every_bar_stays_within_the_drawing_and_what_happened_is_seen(values: list[tuple[int, int]]) -> None:
    drawn = chart(values, [""] * len(values))
    for bar, (done, failed) in zip(drawn.bars, values, strict=True):
        assert bar.x >= LEFT
        assert bar.x + bar.width <= NARROW + 0.2
        assert bar.up <= ABOVE
        assert bar.down <= BELOW
        assert (bar.up > 0, bar.down > 0) == (done > 0, failed > 0)
