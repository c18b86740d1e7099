"""What becomes of a mail that was not taken."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.post import LADDER, RESTS, Trouble, decide, judge_address, rest
from provision.core.vocabulary import MailState


def test_a_refusal_is_a_bounce_and_final() -> None:
    assert decide(Trouble.REFUSED, 1, 0.5).state is MailState.BOUNCED


@pytest.mark.parametrize("trouble", [Trouble.LATER, Trouble.DOUBT])
def test_what_may_work_later_is_tried_ever_more_slowly_and_fails_in_the_end(trouble: Trouble) -> None:
    waits = [decide(trouble, attempt, 0.5).wait for attempt in range(1, len(LADDER) + 1)]
    assert waits == list(LADDER)
    assert (waits[0], waits[-1]) == (timedelta(minutes=1), timedelta(hours=24))
    assert decide(trouble, len(LADDER) + 1, 0.5).state is MailState.FAILED


@given(st.integers(1, len(LADDER)), st.floats(0, 1))
def test_chance_spreads_a_wait_over_a_tenth(attempt: int, chance: float) -> None:
    wait = decide(Trouble.LATER, attempt, chance).wait
    assert wait is not None
    assert 0.95 * LADDER[attempt - 1] <= wait <= 1.05 * LADDER[attempt - 1]


@given(st.integers(1, 1000))
def test_a_servers_trouble_costs_a_mail_no_try(attempts: int) -> None:
    verdict = decide(Trouble.SERVER, attempts, 0.5)
    assert (verdict.state, verdict.counts) == (MailState.QUEUED, False)


@given(st.integers(0, 100))
def test_the_queue_rests_longer_the_longer_the_trouble_lasts_up_to_a_bound(tries: int) -> None:
    assert RESTS[0] <= rest(tries) <= rest(tries + 1) <= RESTS[-1]


@pytest.mark.parametrize(
    "text", ["jo@home.example", "jo+tag@home.example", " jo@home.example ", "jürgen@bücher.example"]
)
def test_an_address_is_taken_without_the_space_around_it(text: str) -> None:
    assert judge_address(text) == text.strip()


@pytest.mark.parametrize("text", ["=?utf-8?q?jo?=@home.example", "jo@=?utf-8?b?DQo=?=.example"])
def test_an_address_never_holds_an_encoded_word_in_which_lines_could_hide(text: str) -> None:
    assert judge_address(text) is None


@given(st.none() | st.text(alphabet=st.sampled_from('ab@. \r\n\t<>,;:"\\()\x00é')))
def test_an_address_never_holds_what_could_end_it(text: str | None) -> None:
    found = judge_address(text)
    assert found is None or (found.count("@") == 1 and not set(found) & set(' \r\n\t<>,;:"\\()\x00'))
