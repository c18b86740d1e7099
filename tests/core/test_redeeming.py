"""What answers mean for a link."""

import pytest

from provision.core.ports import Missing, OutsideError, Refused, Taken, Throttled, Unauthorised, Unreachable
from provision.core.redeeming import Answer, answer, moved, together


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Answer.DONE),
        (Refused("password_weak"), Answer.WEAK),
        (Unreachable("timed_out", sent=True), Answer.DOUBT),
        (Unreachable("host_unreachable", sent=False), Answer.LATER),
        (Throttled(30.0), Answer.LATER),
        (Missing("not_there"), Answer.FAILED),
        (Refused("role_missing"), Answer.FAILED),
        (Refused("password_federated"), Answer.FAILED),
        (Unauthorised("secret_expired"), Answer.FAILED),
        (Taken("value_taken"), Answer.FAILED),
    ],
)
def test_each_answer_has_one_meaning(error: OutsideError | None, expected: Answer) -> None:
    assert answer(error) is expected


def test_somebody_who_was_made_a_moment_ago_is_only_not_visible_yet() -> None:
    assert answer(Missing("not_there"), settling=True) is Answer.LATER


def test_a_link_is_spent_when_one_app_accepted_and_no_other_asks_for_another_try() -> None:
    assert together([Answer.DONE]) is Answer.DONE
    assert together([Answer.DONE, Answer.FAILED]) is Answer.DONE
    assert together([Answer.FAILED]) is Answer.FAILED
    assert together([]) is Answer.FAILED
    for asks in (Answer.WEAK, Answer.LATER, Answer.DOUBT):
        assert together([Answer.DONE, asks]) is asks


def test_only_a_look_from_before_can_tell_that_something_moved() -> None:
    assert moved("10:00", "10:05")
    assert not moved("10:00", "10:00")
    assert not moved(None, "10:05")
