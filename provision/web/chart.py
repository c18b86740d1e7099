"""Bars over time as numbers for one SVG: done above the line, failed below it, so that colour never speaks alone.

Owns the geometry; the words round it belong to the page, the drawing to ``macros/chart.html``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

ABOVE, BELOW, LEFT = 72, 26, 48
NARROW, WIDE = 760, 960
"""Widths in the SVG's own units: beside a column, and across the page. Near the pixels on a wide screen, so that text keeps
its size."""
_TOP = 12
_GAP = 0.42


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: where it stands, how far it reaches up and down, and the label under it (empty: none)."""

    x: float
    width: float
    up: float
    down: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart ready to be drawn. ``top`` is the value of the upper grid line; ``axis`` and ``height`` are positions."""

    bars: tuple[Bar, ...]
    top: int
    width: int = NARROW
    axis: int = _TOP + ABOVE
    height: int = _TOP + ABOVE + BELOW + 20
    left: int = LEFT
    line: int = _TOP


def chart(values: Sequence[tuple[int, int]], labels: Sequence[str], width: int = NARROW) -> Chart:
    """Draw (done, failed) pairs, each with its label. A bar that stands for something is never thinner than a hair."""
    top = round_up(max((done for done, _ in values), default=0))
    worst = max((failed for _, failed in values), default=0)
    step = (width - LEFT) / max(1, len(values))
    bars = [
        Bar(
            x=round(LEFT + number * step + step * _GAP / 2, 1),
            width=round(step * (1 - _GAP), 1),
            up=_height(done, top, ABOVE),
            down=_height(failed, max(worst, top // 4), BELOW),
            label=label,
        )
        for number, ((done, failed), label) in enumerate(zip(values, labels, strict=True))
    ]
    return Chart(tuple(bars), top, width)


def narrowing(counts: Sequence[int]) -> tuple[str, ...]:
    """A funnel's steps as paths in a box of 100 × 56: each as high as its count, sloping to the next one's height."""
    most = max([*counts, 1])
    heights = [56 * count / most for count in counts]
    ends = [*heights[1:], heights[-1]] if heights else []
    return tuple(
        f"M0 {28 - a / 2:.1f}H92L100 {28 - b / 2:.1f}V{28 + b / 2:.1f}L92 {28 + a / 2:.1f}H0Z"
        for a, b in zip(heights, ends, strict=True)
    )


def round_up(number: int) -> int:
    """The next of 4, 6, 8, 10, 20, 40, 60, 80, 100, 200 …: what a grid line may stand for."""
    size = 1
    while number > 10 * size:
        size *= 10
    return next(first * size for first in (2, 4, 6, 8, 10) if number <= first * size and first * size >= 4)


def _height(number: int, most: int, room: int) -> float:
    return round(max(1.5, number / most * room), 1) if number and most else 0
