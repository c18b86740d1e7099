"""What counts as drift, and what a comparison changes about what was known."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.mapping import Change, Row, compile_outbound
from provision.core.planning import Person, Rules, There, compared, differing, granted, moved_there, plan
from provision.core.protection import Protection
from provision.core.vocabulary import Direction, Flow, Lifecycle, OperationKind, Owner, Situation

VALUES = st.sampled_from([None, "Nurse", "Lead Nurse", "naïve\nname"])
NAMES = ("title", "department", "company")
OUTSIDE = {"title": "jobTitle", "department": "department", "company": "companyName"}
ON = {"import": True, "create": True, "edit": True, "delete": True}


def rules(owner: Owner = Owner.OURS, flow: Flow = Flow.ALWAYS, **more: Any) -> Rules:
    rows = [Row(Direction.BOTH, ours, theirs, owner=owner, flow=flow) for ours, theirs in OUTSIDE.items()]
    return Rules(compile_outbound(rows), ON, **more)


def person(lifecycle: Lifecycle = Lifecycle.ACTIVE, **values: str | None) -> Person:
    return Person(lifecycle, values)


def there(base: dict[str, Any] | None = None, **observed: str | None) -> There:
    return There(Situation.LINKED, "anchor", True, observed=observed, base=base)


def test_a_value_that_differs_from_what_is_ours_has_differing() -> None:
    assert differing(person(title="Nurse"), there(jobTitle="Lead Nurse"), rules()) == [
        Change("jobTitle", "Lead Nurse", "Nurse")
    ]


@pytest.mark.parametrize(
    ("base", "moved"),
    [({"jobTitle": "Nurse"}, True), ({"jobTitle": "Lead Nurse"}, False), ({}, False), (None, False)],
    ids=["agreed once", "only ours moved", "never written", "never taken over"],
)
def test_it_has_drifted_when_the_outside_moved_since_both_agreed(base: Any, moved: bool) -> None:
    seen = there(base, jobTitle="Lead Nurse")
    (one,) = differing(person(title="Nurse"), seen, rules())
    assert moved_there(seen, one) is moved


def test_a_value_that_is_theirs_never_drifts() -> None:
    assert differing(person(title="Nurse"), there(jobTitle="Lead Nurse"), rules(Owner.THEIRS)) == []


def test_what_only_they_changed_comes_in_and_is_no_drift() -> None:
    seen = there({"jobTitle": "Nurse"}, jobTitle="Lead Nurse")
    assert differing(person(title="Nurse"), seen, rules(Owner.EITHER)) == []


def test_what_both_sides_changed_is_drift() -> None:
    seen = there({"jobTitle": "Nurse"}, jobTitle="Lead Nurse")
    assert [one.becomes for one in differing(person(title="Matron"), seen, rules(Owner.EITHER))] == ["Matron"]


@pytest.mark.parametrize("flow", [Flow.ON_CREATE, Flow.IF_EMPTY])
def test_what_the_mapping_writes_once_does_not_drift(flow: Flow) -> None:
    assert differing(person(title="Nurse"), there(jobTitle="Lead Nurse"), rules(flow=flow)) == []


def test_what_was_never_read_there_is_not_called_differing() -> None:
    assert differing(person(title="Nurse", department="North"), there(jobTitle="Nurse"), rules()) == []


def test_nobody_who_has_left_drifts() -> None:
    assert differing(person(Lifecycle.LEFT, title="Nurse"), there(jobTitle="Lead"), rules()) == []


@pytest.mark.parametrize("situation", [one for one in Situation if one is not Situation.LINKED])
def test_only_linked_accounts_drift(situation: Situation) -> None:
    assert differing(person(title="Nurse"), There(situation, "a", True, {"jobTitle": "Lead"}), rules()) == []


def test_what_has_vanished_there_does_not_drift() -> None:
    seen = There(Situation.LINKED, "a", True, {"jobTitle": "Lead"}, removed="absent")
    assert differing(person(title="Nurse"), seen, rules()) == []


def test_what_a_directory_there_owns_does_not_drift_but_what_is_ours_all_the_same_does() -> None:
    seen = There(
        Situation.LINKED, "a", True, {"jobTitle": "Lead", "companyName": "Old"}, protection=Protection(synced=True)
    )
    found = differing(person(title="Nurse", company="New"), seen, rules(while_synced=frozenset({"companyName"})))
    assert [one.attribute for one in found] == ["companyName"]


def test_what_waits_for_a_choice_is_not_written_and_the_rest_is() -> None:
    seen = there(jobTitle="Lead Nurse", department="Old")
    ours = person(title="Nurse", department="New")
    open_ = {one.attribute: (one.fingerprint, "drift_open") for one in differing(ours, seen, rules())[:1]}
    due = plan(ours, There(Situation.LINKED, "anchor", True, seen.observed, drifts=open_), rules())
    assert due.kind is OperationKind.UPDATE
    assert dict(due.values) == {"department": "New"}
    assert due.here_only == {"jobTitle": "drift_open"}


def test_a_new_value_of_ours_is_written_although_the_old_difference_was_left_alone() -> None:
    (old,) = differing(person(title="Nurse"), there(jobTitle="Lead Nurse"), rules())
    left = {"jobTitle": (old.fingerprint, "drift_left_alone")}
    seen = There(Situation.LINKED, "anchor", True, {"jobTitle": "Lead Nurse"}, drifts=left)
    assert plan(person(title="Nurse"), seen, rules()).kind is None
    assert dict(plan(person(title="Matron"), seen, rules()).values) == {"jobTitle": "Matron"}


@given(ours=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), theirs=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)),
       base=st.none() | st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), owner=st.sampled_from(Owner))  # fmt: skip
def test_what_differs_is_exactly_what_a_plan_would_write(ours: Any, theirs: Any, base: Any, owner: Owner) -> None:
    held = None if base is None else {OUTSIDE[name]: value for name, value in base.items()}
    seen = there(held, **{OUTSIDE[name]: value for name, value in theirs.items()})
    found = differing(person(**ours), seen, rules(owner))
    assert {one.attribute: one.becomes for one in found} == dict(plan(person(**ours), seen, rules(owner)).values)
    assert owner is not Owner.THEIRS or found == []
    every = {one.attribute: (one.fingerprint, "drift_open") for one in found}
    waiting = There(Situation.LINKED, "anchor", True, seen.observed, held, drifts=every)
    assert plan(person(**ours), waiting, rules(owner)).kind is None


CHANGES = st.lists(
    st.builds(Change, st.sampled_from(list(OUTSIDE.values())), VALUES, VALUES), unique_by=lambda one: one.attribute
)


@given(before=CHANGES, now=CHANGES)
def test_a_comparison_ends_with_exactly_what_differs(before: list[Change], now: list[Change]) -> None:
    known = {one.attribute: one.fingerprint for one in before}
    everything = [one.attribute for one in now]
    found = compared(known, now, everything)
    for name in found.over:
        del known[name]
    for one in (*found.news, *found.moved):
        known[one.attribute] = one.fingerprint
    assert known == {one.attribute: one.fingerprint for one in now}
    assert not compared(known, now, everything)


@given(before=CHANGES, now=CHANGES)
def test_a_choice_is_forgotten_only_when_the_difference_is_another_one(before: list[Change], now: list[Change]) -> None:
    found = compared({one.attribute: one.fingerprint for one in before}, now, ())
    assert found.news == ()
    asked_again = {one.attribute for one in found.moved}
    assert asked_again == {
        one.attribute for one in now for old in before if old.attribute == one.attribute and old != one
    }


ANY = st.builds(Change, st.text(), st.none() | st.text(), st.none() | st.text())


@given(one=ANY, other=ANY)
def test_equal_fingerprints_mean_equal_differences(one: Change, other: Change) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)


ALLOWED, BLOCKED = Change("enabled", "allowed", "blocked"), Change("enabled", "blocked", "allowed")


@pytest.mark.parametrize(
    ("lifecycle", "enabled", "found"),
    [
        (Lifecycle.ACTIVE, False, [BLOCKED]), (Lifecycle.SUSPENDED, True, [ALLOWED]), (Lifecycle.ACTIVE, True, []),
        (Lifecycle.SUSPENDED, False, []), (Lifecycle.ACTIVE, None, []), (Lifecycle.STAGED, True, []),
        (Lifecycle.LEFT, True, []),
    ],
)  # fmt: skip
def test_the_lifecycle_owns_whether_signing_in_is_allowed(lifecycle: Lifecycle, enabled: bool, found: Any) -> None:
    seen = There(Situation.LINKED, "a", enabled, base={"enabled": not enabled})
    assert differing(Person(lifecycle, {}), seen, rules()) == found
    assert all(moved_there(seen, one) for one in found)


def test_a_switch_that_was_never_as_ours_wants_it_or_that_somebody_decided_about_is_no_drift() -> None:
    seen = There(Situation.LINKED, "a", False, base={"enabled": False})
    assert [moved_there(seen, one) for one in differing(person(), seen, rules())] == [False]
    assert differing(person(), There(Situation.LINKED, "a", False, intent={"enabled": True}), rules()) == []
    synced = There(Situation.LINKED, "a", False, base={"enabled": True}, protection=Protection(synced=True))
    assert differing(person(), synced, rules()) == []


def test_a_switch_that_was_left_alone_stays_until_somebody_decides_about_it() -> None:
    left = {"enabled": (ALLOWED.fingerprint, "drift_left_alone")}
    seen = There(Situation.LINKED, "a", True, drifts=left)
    assert plan(person(Lifecycle.SUSPENDED), seen, rules()).kind is None
    assert plan(person(Lifecycle.SUSPENDED), seen, rules()).here_only == {"enabled": "drift_left_alone"}
    decided = There(Situation.LINKED, "a", True, drifts=left, intent={"by_hand": True})
    assert plan(person(Lifecycle.SUSPENDED), decided, rules()).kind is OperationKind.DISABLE


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "drifts", "goes"),
    [
        ("x", "a", "b", True, True),  # both moved: somebody chooses
        ("a", "a", "b", False, False),  # only they moved: it comes in with the next import
        ("b", "a", "a", False, True),  # only we moved: it goes out
        ("b", "a", "b", False, False),
    ],
)
def test_a_manager_drifts_where_both_sides_have_chosen_another(
    ours: str, base: str, theirs: str, drifts: bool, goes: bool
) -> None:
    seen = There(Situation.LINKED, "a", True, observed={"manager": theirs}, base={"manager": base})
    boss = Person(Lifecycle.ACTIVE, {}, manager=ours)
    found = differing(boss, seen, rules())
    assert found == ([Change("manager", theirs, ours)] if drifts else [])
    assert plan(boss, seen, rules()).moves_manager is goes
    held = There(
        Situation.LINKED, "a", True, observed={"manager": theirs}, base={"manager": base},
        drifts={one.attribute: (one.fingerprint, "drift_open") for one in found},
    )  # fmt: skip
    assert plan(boss, held, rules()).moves_manager is (goes and not drifts)


def holding(*skus: str, given: tuple[str, ...] = (), **more: Any) -> There:
    seen = {"assignedLicenses": [{"skuId": sku} for sku in skus]}
    return There(Situation.LINKED, "anchor", True, observed=seen, given=dict.fromkeys(given, True), **more)


@pytest.mark.parametrize(
    ("seen", "lacking"),
    [
        (holding("E3", given=("e3",)), []),
        (holding(given=("e3",)), ["e3"]),
        (holding("p1", given=("e3", "p1")), ["e3"]),
        (holding("e3"), []),
        (holding(given=("e3",), intent={"licences": {"E3": True}}), []),
        (holding(given=("e3",), intent={"licences": {"e3": False}}), []),
        (holding(given=("e3",), protection=Protection(synced=True)), ["e3"]),
        (There(Situation.LINKED, "anchor", True, given={"e3": True}), []),
        (There(Situation.LINKED, "anchor", True, observed={"assignedLicenses": None}, given={"e3": True}), ["e3"]),
    ],
    ids=["held", "gone", "one of two", "not ours", "on its way", "being taken", "synced", "never read", "holds none"],
)
def test_a_licence_drifts_when_it_was_given_from_here_and_is_gone(seen: There, lacking: list[str]) -> None:
    found = differing(person(), seen, rules())
    assert found == [Change(f"licences.{sku}", "not given", "given") for sku in lacking]
    assert all(moved_there(seen, one) for one in found)


def test_what_was_carried_out_is_ours_until_it_is_taken_away() -> None:
    assert granted({}, {"E3": True}) == {"e3": True}
    assert granted({"e3": True, "p1": True}, {"p1": False, "f1": True}) == {"e3": True, "f1": True}
    assert granted({"e3": True}, {}) == {"e3": True}
