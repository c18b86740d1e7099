"""What was sent and is not confirmed yet: it is due again whatever was seen, and an import does not take it for news."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.planning import BY_HAND, WHOLE, There, answered, ours, outdated, plan, sending, sent, settled_down
from provision.core.planning.doubt import LATELY, UNSURE
from provision.core.ports import ENABLED, MANAGER
from provision.core.vocabulary import Lifecycle, OperationKind, Situation
from tests.core.test_plan import GONE, JANE, LINKED, NOON, RULES, SEEN, moved, now, replace

UPDATE, DELETE, RESTORE = OperationKind.UPDATE, OperationKind.DELETE, OperationKind.RESTORE


def unsure(there: There, **values: Any) -> There:
    return replace(there, pushed={UNSURE: {name: [value] for name, value in values.items()}})


def test_an_edit_taken_back_is_sent_when_the_first_one_may_have_arrived() -> None:
    due = plan(JANE, unsure(LINKED, department="Tax"), RULES)
    assert (due.kind, due.values, due.changes) == (UPDATE, {"department": "Sales"}, {"department": ("Tax", "Sales")})


def test_a_value_cleared_again_is_cleared_there() -> None:
    empty = {**SEEN, "department": None}
    there = unsure(replace(LINKED, observed=empty, base=empty), department="Tax")
    assert plan(moved(department=None), there, RULES).values == {"department": None}


def test_what_somebody_there_changed_since_is_left_to_the_import() -> None:
    there = unsure(replace(LINKED, observed={**SEEN, "department": "Theirs"}), department="Tax")
    assert plan(JANE, there, RULES).kind is None


def test_whoever_may_be_disabled_there_is_enabled_and_the_other_way_round() -> None:
    assert plan(JANE, unsure(LINKED, enabled=False), RULES).enabled is True
    there = unsure(replace(LINKED, enabled=False), enabled=True)
    assert plan(now(Lifecycle.SUSPENDED), there, RULES).enabled is False


def test_whoever_may_have_been_deleted_is_brought_back_as_they_should_be() -> None:
    there = unsure(LINKED, **{WHOLE: "delete"})
    for lifecycle, enabled in ((Lifecycle.ACTIVE, True), (Lifecycle.SUSPENDED, False)):
        due = plan(now(lifecycle), there, RULES)
        assert (due.kind, due.enabled) == (RESTORE, enabled)


def test_whoever_may_be_back_is_deleted_again() -> None:
    there = unsure(replace(GONE, intent={BY_HAND: True}), **{WHOLE: "restore"})
    assert plan(now(Lifecycle.LEFT, deleted=True), there, RULES).kind is DELETE
    assert plan(now(Lifecycle.LEFT, deleted=True), GONE, RULES).kind is None


def test_a_manager_who_may_be_set_is_cleared() -> None:
    due = plan(JANE, unsure(LINKED, manager="m1"), RULES)
    assert (due.moves_manager, due.manager) == (True, None)


@pytest.mark.parametrize("kind", list(OperationKind))
def test_what_is_noted_before_it_leaves_is_forgotten_when_it_is_answered(kind: OperationKind) -> None:
    changes = {"department": ("Sales", "Tax"), ENABLED: (True, False), "licences.s1": (False, True)}
    pushed = sending({}, sent(kind, changes))
    after = answered(pushed, {}, kind, changes, {}, NOON)
    assert pushed[UNSURE]["department"] == ["Tax"]
    assert "licences.s1" not in pushed[UNSURE]
    assert UNSURE not in after


def test_what_did_not_follow_is_unsure_only_if_it_may_have_arrived() -> None:
    changes = {"department": ("Sales", "Tax"), MANAGER: (None, "m1")}
    pushed = sending({}, sent(UPDATE, changes))
    doubtful = answered(pushed, {}, UPDATE, changes, {MANAGER: True}, NOON)
    refused = answered(pushed, {}, UPDATE, changes, {MANAGER: False}, NOON)
    assert doubtful[UNSURE] == {MANAGER: ["m1"]}
    assert UNSURE not in refused


def test_an_answer_about_one_attribute_says_nothing_about_another_but_that_the_account_is_there() -> None:
    before = {UNSURE: {"title": ["Old"], WHOLE: ["delete"]}}
    pushed = sending(before, {"department": "Tax"})
    after = answered(pushed, before, UPDATE, {"department": ("Sales", "Tax")}, {}, NOON)
    assert after[UNSURE] == {"title": ["Old"]}


def test_a_page_asked_for_before_our_write_may_show_what_it_replaced() -> None:
    pushed = answered({}, {}, UPDATE, {"department": ("Sales", "Tax")}, {}, NOON)
    assert outdated(pushed, NOON - timedelta(seconds=1)) == {"department": ["Sales"]}
    assert outdated(pushed, NOON + timedelta(seconds=1)) == {}
    assert outdated(pushed, None) == {}


def test_what_was_written_long_ago_is_not_remembered() -> None:
    pushed: dict[str, Any] = {}
    for minutes in range(0, 60, 5):
        at = NOON + timedelta(minutes=minutes)
        pushed = answered(pushed, {}, UPDATE, {"department": ("Sales", "Tax")}, {}, at)
    assert len(pushed[LATELY]) <= 4


def test_our_own_writes_are_known_again_whether_answered_or_not() -> None:
    pushed = {UNSURE: {"department": ["Tax", "Law"]}}
    assert ours(pushed, {"department": "Tax", "title": "x"}) == {"department": "Tax"}
    assert ours(pushed, {"department": "Theirs"}) == {}
    assert settled_down(pushed) == {}


@given(edits=st.lists(st.sampled_from(["Sales", "Tax", "Law"]), min_size=1, max_size=6), arrived=st.data())
def test_after_any_edits_and_lost_answers_what_is_sent_last_is_what_was_wanted_last(
    edits: list[str], arrived: st.DataObject
) -> None:
    there, outside = LINKED, "Sales"
    for wanted in edits:
        due = plan(moved(department=wanted), there, RULES)
        if due.kind is None:
            assert outside == wanted
            continue
        there = replace(there, pushed=sending(there.pushed, sent(due.kind, due.changes)))
        outside = due.values["department"] if arrived.draw(st.booleans()) else outside  # type: ignore[assignment]
    due = plan(moved(department=edits[-1]), there, RULES)
    assert (due.values["department"] if due.kind else outside) == edits[-1]


def test_an_account_that_is_gone_for_certain_stays_gone() -> None:
    assert plan(JANE, replace(GONE, pushed={LATELY: [[NOON.isoformat(), {}]]}), RULES).kind is None
    assert plan(JANE, unsure(There(Situation.ABSENT), **{WHOLE: "delete"}), RULES).kind is OperationKind.CREATE
