"""What is due for a group in one app: made, called, filled and taken away as it is here, and otherwise left alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.planning import Gathering, plan_group
from provision.core.planning.doubt import UNSURE, sending, sent
from provision.core.planning.plan import There
from provision.core.vocabulary import OperationKind, Situation

ON = {"create": True, "edit": True, "delete": True}
SALES = Gathering("Sales", frozenset({"a", "b"}))


def there(members: list[str] | None = None, name: str = "Sales", **more: Any) -> There:
    observed = {"displayName": name, "members": members or []}
    return There(**{"situation": Situation.LINKED, "anchor": "Groups/1", "observed": observed, **more})


def test_a_group_that_is_not_there_is_made_with_whoever_is() -> None:
    due = plan_group(SALES, There(Situation.ABSENT), ON)
    assert (due.kind, due.values, due.members) == (OperationKind.CREATE, {"displayName": "Sales"}, ("a", "b"))
    assert due.changes == {"displayName": (None, "Sales"), "members": (None, "2")}
    assert due.group


def test_a_group_that_is_in_line_needs_nothing() -> None:
    assert plan_group(SALES, there(["b", "a"]), ON).kind is None


def test_only_what_differs_is_sent_and_members_as_a_whole() -> None:
    due = plan_group(SALES, there(["a", "z"]), ON)
    assert (due.kind, due.anchor, due.values, due.members) == (OperationKind.UPDATE, "Groups/1", {}, ("a", "b"))
    assert due.changes == {"members": ("2", "2 (+1, −1)")}
    due = plan_group(SALES, there(["a", "b"], "Vendors"), ON)
    assert (due.values, due.members) == ({"displayName": "Sales"}, None)


@pytest.mark.parametrize("name", ["displayName", "members"])
def test_what_was_sent_and_never_confirmed_is_due_again_though_it_looks_right(name: str) -> None:
    pushed = sending({}, sent(OperationKind.UPDATE, {name: ("x", "y")}))
    assert name in pushed[UNSURE]
    assert set(plan_group(SALES, there(["a", "b"], pushed=pushed), ON).changes) == {name}


def test_a_deleted_group_is_deleted_there_and_never_made_for_that() -> None:
    gone = Gathering("Sales", deleted=True)
    due = plan_group(gone, there(["a"]), ON)
    assert (due.kind, due.takes_away) == (OperationKind.DELETE, True)
    assert plan_group(gone, There(Situation.ABSENT), ON).kind is None
    assert plan_group(gone, there(situation=Situation.GONE), ON).kind is None


@pytest.mark.parametrize(
    ("state", "why"), [(Situation.GONE, "account_gone"), (Situation.IGNORED, "account_ignored")], ids=str
)
def test_what_is_gone_or_ignored_waits_for_a_person(state: Situation, why: str) -> None:
    due = plan_group(SALES, there(situation=state), ON)
    assert (due.kind, dict(due.here_only)) == (None, {"*": why})


@pytest.mark.parametrize(
    ("group", "held", "switch"),
    [
        (SALES, There(Situation.ABSENT), "create"),
        (SALES, there([]), "edit"),
        (Gathering("Sales", deleted=True), there([]), "delete"),
    ],
)
def test_a_switch_that_is_off_keeps_it_here(group: Gathering, held: There, switch: str) -> None:
    due = plan_group(group, held, {**ON, switch: False})
    assert (due.kind, dict(due.here_only)) == (None, {"*": f"{switch}_off"})


anchors = st.frozensets(st.text("abc", min_size=1, max_size=2), max_size=6)


@given(anchors, anchors, st.text(min_size=1), st.text(min_size=1))
def test_after_what_is_due_nothing_is(inside: frozenset[str], wanted: frozenset[str], was: str, name: str) -> None:
    group = Gathering(name, wanted)
    due = plan_group(group, there(sorted(inside), was), ON)
    members = sorted(inside) if due.members is None else list(due.members)
    assert plan_group(group, there(members, due.values.get("displayName", was) or ""), ON).kind is None
