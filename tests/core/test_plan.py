"""What one account needs, by situations: who the person is, what is there, what the app lets out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core import profile, protection
from provision.core.mapping import Row, compile_outbound
from provision.core.planning import (
    BY_HAND,
    WHOLE,
    Found,
    Person,
    Plan,
    Rules,
    Sent,
    There,
    idle,
    judge_found,
    judge_outgoing,
    plan,
    settled,
)
from provision.core.ports import Attribute, Record, Write
from provision.core.protection import Protection
from provision.core.vocabulary import Direction, Feature, Lifecycle, OperationKind, Situation, WhenLeft

SCHEMA = (
    Attribute("userPrincipalName", required=True, unique=True),
    Attribute("displayName", required=True),
    Attribute("department"),
    Attribute("usageLocation", while_synced=True),
)
ROWS = tuple(
    Row(Direction.BOTH, ours, theirs)
    for ours, theirs in (
        ("email", "userPrincipalName"),
        ("display_name", "displayName"),
        ("department", "department"),
        ("usage_location", "usageLocation"),
    )
)
ON = dict.fromkeys(Feature, True)
RULES = Rules(
    outbound=compile_outbound(ROWS, SCHEMA),
    features=ON,
    required=frozenset({"userPrincipalName", "displayName"}),
    while_synced=frozenset({"usageLocation"}),
)
SEEN = {"userPrincipalName": "jane@x.example", "displayName": "Jane", "department": "Sales", "usageLocation": "NO"}
VALUES = {"email": "jane@x.example", "display_name": "Jane", "department": "Sales", "usage_location": "NO"}
JANE = Person(Lifecycle.ACTIVE, VALUES)
LINKED = There(Situation.LINKED, anchor="a1", enabled=True, observed=SEEN, base=SEEN)
ABSENT = There(Situation.ABSENT)
GONE = replace(LINKED, situation=Situation.GONE, removed="restorable")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def moved(**values: str | None) -> Person:
    return replace(JANE, values={**VALUES, **values})


def now(lifecycle: Lifecycle, *, deleted: bool = False) -> Person:
    return replace(JANE, lifecycle=lifecycle, deleted=deleted)


def off(*features: Feature) -> Rules:
    return replace(RULES, features={**ON, **dict.fromkeys(features, False)})


def test_somebody_in_line_needs_nothing() -> None:
    assert plan(JANE, LINKED, RULES) == Plan()


def test_only_what_differs_is_planned_with_what_is_there_now() -> None:
    due = plan(moved(department="Tax"), LINKED, RULES)
    assert (due.kind, due.values, due.changes) == (
        OperationKind.UPDATE, {"department": "Tax"}, {"department": ("Sales", "Tax")},
    )  # fmt: skip


def test_what_moved_there_only_is_not_pushed_back() -> None:
    there = replace(LINKED, observed={**SEEN, "department": "Theirs"})
    assert plan(JANE, there, RULES).kind is None


@pytest.mark.parametrize("lifecycle", [Lifecycle.STAGED, Lifecycle.SUSPENDED, Lifecycle.LEFT])
def test_nothing_is_created_for_who_does_not_work_here(lifecycle: Lifecycle) -> None:
    assert plan(now(lifecycle), ABSENT, RULES) == Plan()


def test_a_create_carries_everything_that_has_a_value() -> None:
    due = plan(moved(department=None), ABSENT, RULES)
    assert (due.kind, due.enabled) == (OperationKind.CREATE, True)
    assert due.values == {name: SEEN[name] for name in ("userPrincipalName", "displayName", "usageLocation")}


def test_a_create_that_may_have_been_sent_keeps_its_name() -> None:
    sent = {"userPrincipalName": "jane@x.example", "displayName": "Jane"}
    due = plan(moved(email="other@x.example"), replace(ABSENT, intent={"sent": sent}), RULES)
    assert due.values["userPrincipalName"] == "jane@x.example"


def test_what_cannot_be_created_says_what_is_missing() -> None:
    assert plan(moved(email=None), ABSENT, RULES).here_only == {"userPrincipalName": "required_there"}


@pytest.mark.parametrize(
    ("deleted", "when_left", "kind"),
    [
        (True, WhenLeft.NOTHING, OperationKind.DELETE),
        (True, WhenLeft.DISABLE, OperationKind.DELETE),
        (False, WhenLeft.DELETE, OperationKind.DELETE),
        (False, WhenLeft.DISABLE, OperationKind.DISABLE),
        (False, WhenLeft.NOTHING, None),
    ],
)
def test_leavers_are_treated_as_the_app_says_unless_an_operator_deleted_them(
    deleted: bool, when_left: WhenLeft, kind: OperationKind | None
) -> None:
    rules = replace(RULES, when_left=when_left)
    assert plan(now(Lifecycle.LEFT, deleted=deleted), LINKED, rules).kind is kind


def test_a_leaver_whose_account_is_disabled_already_needs_nothing() -> None:
    assert plan(now(Lifecycle.LEFT), replace(LINKED, enabled=False), RULES) == Plan()


def test_suspension_disables_and_carries_the_rest_along() -> None:
    person = replace(moved(department="Tax"), lifecycle=Lifecycle.SUSPENDED)
    due = plan(person, LINKED, RULES)
    assert (due.kind, due.enabled, due.values) == (OperationKind.DISABLE, False, {"department": "Tax"})


def test_an_account_disabled_there_stays_so_until_somebody_decides() -> None:
    there = replace(LINKED, enabled=False)
    assert plan(JANE, there, RULES) == Plan()
    assert plan(JANE, replace(there, intent={"enabled": True}), RULES).kind is OperationKind.ENABLE


def test_what_is_gone_is_restored_only_if_somebody_decided_so() -> None:
    assert plan(JANE, GONE, RULES).here_only == {WHOLE: "account_gone"}
    due = plan(JANE, replace(GONE, intent={"restore": {}}), RULES)
    assert (due.kind, due.anchor, due.enabled) == (OperationKind.RESTORE, "a1", True)
    purged = replace(GONE, removed="purged", intent={"restore": {}})
    assert plan(JANE, purged, RULES).here_only == {WHOLE: "restore_too_late"}


@pytest.mark.parametrize(
    ("person", "there", "feature"),
    [
        (JANE, ABSENT, Feature.CREATE),
        (JANE, replace(GONE, intent={"restore": {}}), Feature.CREATE),
        (moved(department="Tax"), LINKED, Feature.EDIT),
        (now(Lifecycle.SUSPENDED), LINKED, Feature.EDIT),
        (JANE, replace(LINKED, enabled=False, intent={"enabled": True}), Feature.EDIT),
        (now(Lifecycle.LEFT, deleted=True), LINKED, Feature.DELETE),
    ],
)
def test_each_switch_stops_its_own_kinds_and_says_so(person: Person, there: There, feature: Feature) -> None:
    assert plan(person, there, RULES).kind is not None
    assert plan(person, there, off(feature)) == Plan(here_only={WHOLE: f"{feature}_off"})
    assert plan(person, there, off(*(other for other in Feature if other is not feature))).kind is not None


PROTECTED = [
    (Protection(why="holds_role"), "holds_role"),
    (Protection(why="break_glass"), "break_glass"),
    (Protection(known=False), "protection_unknown"),
]


@pytest.mark.parametrize(("held", "code"), PROTECTED)
@pytest.mark.parametrize("person", [now(Lifecycle.LEFT), now(Lifecycle.LEFT, deleted=True), now(Lifecycle.SUSPENDED)])
def test_the_protected_are_taken_away_by_hand_only(held: Protection, code: str, person: Person) -> None:
    there = replace(LINKED, protection=held)
    assert plan(person, there, RULES).here_only == {WHOLE: code}
    assert plan(person, replace(there, intent={BY_HAND: True}), RULES).takes_away


def test_the_protected_are_edited_like_anybody() -> None:
    there = replace(LINKED, protection=Protection(why="holds_role"))
    assert plan(moved(department="Tax"), there, RULES).kind is OperationKind.UPDATE


def test_of_the_synchronised_only_some_attributes_are_written() -> None:
    there = replace(LINKED, protection=Protection(synced=True))
    due = plan(moved(department="Tax", usage_location="SE"), there, RULES)
    assert (due.values, due.here_only) == ({"usageLocation": "SE"}, {"department": "set_by_directory_sync"})
    suspended = replace(moved(usage_location="SE"), lifecycle=Lifecycle.SUSPENDED)
    due = plan(suspended, replace(there, intent={BY_HAND: True}), RULES)
    assert (due.kind, due.values) == (OperationKind.UPDATE, {"usageLocation": "SE"})
    assert due.here_only == {"enabled": "set_by_directory_sync"}


def test_a_manager_is_set_and_cleared_only_where_we_set_it() -> None:
    due = plan(replace(JANE, manager="boss"), LINKED, RULES)
    assert (due.moves_manager, due.manager, due.changes) == (True, "boss", {"manager": (None, "boss")})
    theirs = replace(LINKED, observed={**SEEN, "manager": "boss"})
    assert plan(JANE, theirs, RULES).kind is None
    ours = replace(theirs, base={**SEEN, "manager": "boss"})
    assert plan(JANE, ours, RULES).moves_manager
    assert plan(replace(JANE, manager_known=False), ours, RULES).kind is None


def test_licences_are_what_somebody_decided_and_nothing_else() -> None:
    due = plan(JANE, replace(LINKED, intent={"licences": {"e3": True}}), RULES)
    assert (due.kind, due.licences, due.changes) == (OperationKind.UPDATE, {"e3": True}, {"licences.e3": (False, True)})


def test_equal_writes_have_equal_fingerprints_whatever_was_there() -> None:
    one = plan(moved(department="Tax"), LINKED, RULES)
    other = plan(moved(department="Tax"), replace(LINKED, observed={**SEEN, "department": None}), RULES)
    assert one.changes != other.changes
    assert one.fingerprint == other.fingerprint


@given(
    st.sampled_from(list(Lifecycle)), st.booleans(), st.dictionaries(st.sampled_from(list(VALUES)), st.text(max_size=3))
)
def test_what_was_carried_leaves_nothing_to_carry(
    lifecycle: Lifecycle, enabled: bool, values: Mapping[str, str]
) -> None:
    person = replace(JANE, lifecycle=lifecycle, values={**VALUES, **values})
    there = replace(LINKED, enabled=enabled, intent={BY_HAND: True})
    due = plan(person, there, RULES)
    after = replace(
        there,
        observed={**SEEN, **due.values},
        base={**SEEN, **due.values},
        enabled=enabled if due.enabled is None else due.enabled,
    )
    assert plan(person, after, RULES).kind in (None, OperationKind.DELETE)


def test_what_was_decided_is_forgotten_when_it_is_done() -> None:
    intent: dict[str, Any] = {"enabled": True, "licences": {"e3": True, "e5": True}, "protected": "yes"}
    done = Plan(OperationKind.ENABLE, enabled=True, licences={"e3": True})
    assert settled(intent, done) == {"licences": {"e5": True}, "protected": "yes"}
    assert settled(intent, done, left=["licences"])["licences"] == {"e3": True, "e5": True}
    assert settled({"sent": {}, "restore": {}}, Plan(OperationKind.CREATE, enabled=True)) == {}
    assert idle({"enabled": True, "restore": {}}, True, gone=False) == {}
    assert idle({"enabled": True, "restore": {}}, False, gone=True) == {"enabled": True, "restore": {}}


def test_what_was_decided_while_the_opposite_was_under_way_is_still_to_be_done() -> None:
    disabled, enabled = Plan(OperationKind.DISABLE, enabled=False), Plan(OperationKind.ENABLE, enabled=True)
    assert settled({"enabled": True}, disabled) == {"enabled": True}
    assert settled({BY_HAND: True}, disabled) == {}
    assert settled({BY_HAND: True}, enabled) == {BY_HAND: True}
    assert settled({BY_HAND: True}, Plan(OperationKind.DELETE)) == {}
    assert settled({BY_HAND: True, "restore": {}}, Plan(OperationKind.RESTORE, enabled=True)) == {BY_HAND: True}


BRAKED = [(5, 0, 12, False), (6, 0, 12, True), (1, 5, 12, True), (100, 0, 1000, False), (101, 0, 1000, True)]


@pytest.mark.parametrize(("due", "recent", "linked", "held"), [*BRAKED, (0, 99, 12, False)])
def test_the_outgoing_brake_counts_what_went_and_what_would(due: int, recent: int, linked: int, held: bool) -> None:
    assert judge_outgoing(due=due, recent_24h=recent, linked=linked).held is held


# -- Evidence --------------------------------------------------------------------------------------------------------------

NAMESAKE = Record("a9", SEEN)
SENT = Sent({"userPrincipalName": "Jane@X.example", "displayName": "Jane"}, NOON, False, False, 1)


@pytest.mark.parametrize(
    ("by_mark", "by_name", "made", "sent", "after", "found"),
    [
        (NAMESAKE, None, None, SENT, 1, Found.OURS),
        (None, NAMESAKE, -299, SENT, 1, Found.OURS),
        (None, NAMESAKE, -301, SENT, 1, Found.FOREIGN),
        (None, NAMESAKE, None, SENT, 1, Found.FOREIGN),
        (None, NAMESAKE, 1, replace(SENT, correlated=True), 1, Found.FOREIGN),
        (None, NAMESAKE, 1, replace(SENT, values={"displayName": "Joan"}), 1, Found.FOREIGN),
        (None, None, None, SENT, 1, Found.WAIT),
        (None, None, None, replace(SENT, looks=4), 90, Found.NOBODY),
        (None, None, None, replace(SENT, looks=40, conflicted=True), 1799, Found.WAIT),
        (None, None, None, replace(SENT, looks=40, conflicted=True), 1800, Found.FOREIGN),
    ],
)
def test_what_is_found_is_adopted_on_evidence_only(
    by_mark: Record | None, by_name: Record | None, made: int | None, sent: Sent, after: int, found: Found
) -> None:
    created = None if made is None else NOON + timedelta(seconds=made)
    assert judge_found(by_mark, by_name, created, sent, NOON + timedelta(seconds=after)) is found


# -- Protection ------------------------------------------------------------------------------------------------------------


def judged(**more: Any) -> Protection:
    given: dict[str, Any] = {
        "anchor": "a1",
        "name": "jane@x.example",
        "standing": {},
        "intent": {},
        "facts": {"roles": {}},
    }
    return protection.judge(**{**given, "scope": {}, **more})


def test_protection_is_known_before_the_click() -> None:
    assert judged() == Protection()
    assert judged(facts={"roles": {"a1": ["Global Administrator"]}}).roles == ("Global Administrator",)
    assert judged(scope={"break_glass": ["JANE@x.example"]}).why == "break_glass"
    assert judged(intent={"protected": True}).why == "protected_by_hand"
    assert judged(facts={}).known is False
    assert judged(facts={}, anchor=None).known is True
    assert judged(standing={"synced": True}).password == "password_synced"
    federated = {"roles": {}, "domains": [{"name": "X.example", "federated": True}]}
    assert judged(facts=federated).password == "password_federated"


def test_a_write_costs_what_it_needs_of_the_quota() -> None:
    kind = OperationKind.UPDATE
    assert Write(kind, "a1", "r", values={"x": "y"}, moves_manager=True, licences={"e3": True}).cost == 3
    assert Write(kind, "a1", "r", licences={"e3": True}).cost == 1
    assert Write(OperationKind.DELETE, "a1", "r").cost == 1


def test_a_first_password_is_never_shown_by_accident() -> None:
    assert "secret" not in repr(Write(OperationKind.CREATE, None, "r", password="secret"))


def test_typed_values_are_trimmed_and_empty_ones_are_none() -> None:
    values, problems = profile.judge({"given_name": " Jane ", "title": "  ", "usage_location": "no"})
    assert (values, problems) == ({"given_name": "Jane", "title": None, "usage_location": "NO"}, {})
    assert profile.judge({"surname": ""})[1] == {"surname": "required"}
    assert set(profile.judge({}, creating=True)[1]) == set(profile.REQUIRED)
