"""What is decided about each error, for operations and for pages of a cycle."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.ports import Missing, OutsideError, Refused, Taken, Throttled, Unauthorised, Unreachable
from provision.core.retry import (
    BLOCKING,
    CYCLE_TRIES,
    FAST_TRIES,
    LADDER,
    LONGEST_BACKOFF,
    Act,
    Decision,
    decide,
    for_cycle,
    knock,
)
from provision.core.vocabulary import OperationKind

NOT_SENT = Unreachable("connection_refused", sent=False)
DOUBTFUL = Unreachable("timed_out", sent=True)
CREATE, UPDATE = OperationKind.CREATE, OperationKind.UPDATE
NOT_CREATE = [kind for kind in OperationKind if kind is not CREATE]
DAY = 24 * 3600


def after(error: OutsideError, kind: OperationKind = UPDATE, attempt: int = 1, age: float | None = None) -> Decision:
    return decide(error, kind, attempt, age, chance=0.5)


@pytest.mark.parametrize("kind", list(OperationKind))
def test_what_was_not_sent_is_tried_again(kind: OperationKind) -> None:
    assert after(NOT_SENT, kind) == Decision(Act.RETRY, 1.0)


def test_a_create_in_doubt_is_looked_up_and_never_sent_again_blindly() -> None:
    assert [after(DOUBTFUL, CREATE, attempt).after for attempt in (0, 1, 2, 3, 4, 5, 99)] == [2, 2, 5, 15, 60, 60, 60]
    assert after(DOUBTFUL, CREATE).act is Act.LOOK_UP


@pytest.mark.parametrize("kind", NOT_CREATE)
def test_anything_else_in_doubt_is_planned_again(kind: OperationKind) -> None:
    assert after(DOUBTFUL, kind).act is Act.RETRY


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        (1, 1),
        (0.5, 0.5),
        (120, 120),
        (900, 900),
        (901, 900),
        (1e9, 900),
        (math.inf, 900),
        (-5, 4),
        (0, 4),
        (math.nan, 4),
    ],
)
def test_a_throttled_connector_rests_as_long_as_told_and_no_attempt_is_counted(told: float, waits: float) -> None:
    assert after(Throttled(told), attempt=3) == Decision(Act.REST, waits, counts=False)


@pytest.mark.parametrize(
    ("age", "act"), [(None, Act.GONE), (0, Act.WAIT), (1800, Act.WAIT), (1800.5, Act.GONE), (DAY, Act.GONE)]
)
def test_a_missing_object_is_waited_for_while_it_may_not_be_visible_yet(age: float | None, act: Act) -> None:
    decision = after(Missing("not_there"), age=age)
    assert decision.act is act
    assert decision.counts is (act is Act.GONE)


def test_a_taken_name_links_or_disputes_a_create_and_blocks_the_rest() -> None:
    taken = Taken("value_taken", attribute="userPrincipalName")
    assert after(taken, CREATE) == Decision(Act.LINK_OR_DISPUTE)
    assert {after(taken, kind) for kind in NOT_CREATE} == {Decision(Act.BLOCK)}


@pytest.mark.parametrize("code", sorted(BLOCKING))
def test_what_a_person_can_lift_blocks(code: str) -> None:
    assert after(Refused(code)) == Decision(Act.BLOCK)


@pytest.mark.parametrize("error", [Refused("value_refused", attribute="mobile"), OutsideError("unheard_of")])
def test_what_nobody_can_lift_fails(error: OutsideError) -> None:
    assert after(error) == Decision(Act.FAIL)


def test_a_stopped_app_is_tried_after_an_hour_then_ever_later_and_at_least_daily() -> None:
    hours = [0, 1, 2, 4, 8, 16, 40, 10_000]
    assert [knock(one * 3600) / 3600 for one in hours] == [1, 1, 2, 4, 8, 16, 24, 24]


def test_refused_credentials_put_the_connector_in_quarantine() -> None:
    assert after(Unauthorised("token_refused")) == Decision(Act.QUARANTINE, counts=False)


def test_the_ladder_climbs_from_ten_minutes_to_daily_and_ends_on_day_28() -> None:
    steps = [after(NOT_SENT, attempt=FAST_TRIES + step) for step in range(1, len(LADDER) + 2)]
    assert [step.after for step in steps[:7]] == [600, 3600, 6 * 3600, 12 * 3600, DAY, DAY, DAY]
    assert {step.act for step in steps[:-1]} == {Act.RETRY}
    assert steps[-1] == Decision(Act.FAIL)
    assert 27 * DAY < sum(LADDER) <= 28 * DAY


@given(st.integers(-5, 10**9), st.floats(0, 1))
def test_backing_off_is_never_immediate_and_never_longer_than_the_cap(attempt: int, chance: float) -> None:
    waits = for_cycle(Throttled(-1), attempt, chance).after
    assert waits is not None
    assert 1 <= waits <= min(LONGEST_BACKOFF, 2 ** min(max(attempt, 1), 20))


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_the_same_chance_waits_longer_with_each_attempt(chance: float) -> None:
    waits = [decide(NOT_SENT, UPDATE, attempt, None, chance=chance).after for attempt in range(1, FAST_TRIES + 1)]
    assert waits == [max(1.0, chance * 2**attempt) for attempt in range(1, FAST_TRIES + 1)]


@pytest.mark.parametrize(
    ("error", "attempt", "decision"),
    [
        (NOT_SENT, 1, Decision(Act.RETRY, 1.0)),
        (DOUBTFUL, CYCLE_TRIES, Decision(Act.RETRY, 128.0)),
        (NOT_SENT, CYCLE_TRIES + 1, Decision(Act.FAIL)),
        (Throttled(30), 99, Decision(Act.REST, 30, counts=False)),
        (Unauthorised("token_refused"), 1, Decision(Act.QUARANTINE, counts=False)),
        (Refused("value_refused"), 1, Decision(Act.FAIL)),
        (Missing("not_there"), 1, Decision(Act.FAIL)),
    ],
)
def test_a_page_that_could_not_be_read(error: OutsideError, attempt: int, decision: Decision) -> None:
    assert for_cycle(error, attempt, 0.5) == decision
