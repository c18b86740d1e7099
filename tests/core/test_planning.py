"""The brake on what an import would take away."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.planning import Brake, BrakeVerdict, Reason, judge_leaving

NONE: Mapping[str, int] = {}


def judge(
    leaving: int = 0,
    linked: int = 100,
    seen: int | None = None,
    expected: int = 0,
    recent: int = 0,
    emptied: Mapping[str, int] = NONE,
    holders: Mapping[str, int] = NONE,
    brake: Brake | None = None,
) -> BrakeVerdict:
    return judge_leaving(
        leaving=leaving,
        linked=linked,
        seen=seen or 0,
        expected=expected,
        complete=seen is not None,
        recent_24h=recent,
        emptied=emptied,
        holders=holders,
        brake=brake or Brake(),
    )


@pytest.mark.parametrize("percent", range(1, 101))
@pytest.mark.parametrize("linked", [3, 12, 100, 10_000])
def test_more_than_five_people_and_more_than_a_tenth_never_leave_at_once(linked: int, percent: int) -> None:
    leaving = -(-linked * percent // 100)
    allowed = max(5, linked // 10)
    assert judge(leaving, linked).held is (leaving > allowed)


@pytest.mark.parametrize("percent", range(1, 101))
@pytest.mark.parametrize("linked", [3, 12, 100, 10_000])
def test_a_full_walk_that_lost_more_than_a_fifth_takes_nobody_away(linked: int, percent: int) -> None:
    missing = -(-linked * percent // 100)
    verdict = judge(missing, linked, seen=linked - missing, expected=linked)
    assert ({"shrunk", "empty"} & {reason.code for reason in verdict.reasons} != set()) is (missing * 5 > linked)


@pytest.mark.parametrize("linked", [100, 1_000, 10_000])
def test_a_slow_leak_of_four_percent_an_hour_trips_at_a_tenth(linked: int) -> None:
    gone, here = 0, linked
    while not (verdict := judge(here * 4 // 100, here, recent=gone)).held:
        gone, here = gone + here * 4 // 100, here - here * 4 // 100
    assert 0 < gone <= linked // 10
    assert verdict.reasons[0].code == "leaving"


def test_what_left_before_holds_nothing_when_nobody_leaves_now() -> None:
    assert not judge(0, 100, recent=50).held


def test_an_empty_source_is_told_from_a_shrunken_one() -> None:
    assert judge(3, 3, seen=0, expected=3).reasons == (Reason("empty", 3, 0),)
    assert judge(3, 10, seen=7, expected=10).reasons == (Reason("shrunk", 3, 2),)


def test_a_first_walk_and_a_growing_source_hold_nothing() -> None:
    assert not judge(seen=0, expected=0).held
    assert not judge(seen=500, expected=100).held


def test_nothing_is_inferred_from_absence_in_an_incremental_answer() -> None:
    assert not judge(seen=None, expected=10_000).held


def test_a_broken_mapping_that_wipes_an_attribute_is_held_and_named() -> None:
    verdict = judge(emptied={"title": 11, "mobile": 10, "company": 5}, holders={"title": 100, "mobile": 100})
    assert verdict.reasons == (Reason("wiped", 11, 10, "title"),)


def test_an_attribute_that_hardly_anybody_has_may_lose_a_few_values() -> None:
    assert not judge(emptied={"title": 5}, holders={"title": 5}).held
    assert judge(emptied={"title": 6}, holders={"title": 6}).held


def test_every_reason_is_told_at_once() -> None:
    verdict = judge(50, 100, seen=50, expected=100, emptied={"b": 60, "a": 60}, holders={"a": 100, "b": 100})
    assert [(reason.code, reason.attribute) for reason in verdict.reasons] == [
        ("leaving", None),
        ("shrunk", None),
        ("wiped", "a"),
        ("wiped", "b"),
    ]


def test_the_limits_may_be_set_and_do_not_suffer_from_binary_fractions() -> None:
    brake = Brake(limit_share=0.29, limit_floor=1, shrink_share=0.29)
    assert brake.limit(100) == 29
    assert not judge(29, 100, seen=71, expected=100, brake=brake).held
    assert judge(30, 100, brake=brake).held


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 200))
def test_one_more_leaver_never_releases_the_brake(leaving: int, linked: int, recent: int, more: int) -> None:
    if judge(leaving, linked, recent=recent).held:
        assert judge(leaving + more, linked, recent=recent).held
        assert judge(leaving, linked, recent=recent + more).held
