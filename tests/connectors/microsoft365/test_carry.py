"""What Microsoft 365 does with writes beyond what every target promises: managers, licences, the bin, passwords."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision.core.ports import (
    ENABLED,
    LICENCES,
    MANAGER,
    Carrier,
    Licensing,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Recycling,
    Refused,
    Taken,
    Throttled,
    Unreachable,
    Write,
)
from provision.core.vocabulary import OperationKind
from tests.fakes.grounds import MAPPED, Ground, SandboxGround, UnrulyGround, connector
from tests.fakes.misdeeds import persist, plague

NOBODY = "00000000-0000-4000-8000-000000000000"
STAMP = "extensionAttribute15"


@pytest.fixture
def clear(ground: Ground) -> Ground:
    """The same grounds where whoever is created is visible at once."""
    ground.no_lag()
    return ground


def name_of(ground: Ground, word: str) -> str:
    return f"{word}@{ground.domain}"


def new(ground: Ground, word: str = "nora", **more: Any) -> Write:
    values = {
        "givenName": word.title(),
        "surname": "O'Newcomer",
        "displayName": f"{word.title()} O'Newcomer",
        "mailNickname": word,
        "userPrincipalName": name_of(ground, word),
        **more.pop("values", {}),
    }
    usual: dict[str, Any] = {"enabled": True, "password": "Quiet-Lake-41-Umbrella", "correlation": (STAMP, f"c-{word}")}
    return Write(OperationKind.CREATE, None, f"ref-{word}", values, **{**usual, **more})


def change(anchor: str, kind: OperationKind = OperationKind.UPDATE, **more: Any) -> Write:
    return Write(kind, anchor, f"ref-{anchor[:8]}", **more)


def carried(ground: Ground, *writes: Write) -> list[Outcome]:
    outcomes = list(connector(ground).carry(writes))
    assert len(outcomes) == len(writes)
    return outcomes


def record(outcome: Outcome) -> Record:
    assert outcome.error is None, (outcome.error, outcome.error.params)
    assert outcome.record is not None
    return outcome.record


def failure(outcome: Outcome) -> tuple[type[OutsideError], str]:
    assert outcome.error is not None
    return type(outcome.error), outcome.error.code


def there(ground: Ground, anchor: str) -> dict[str, Any]:
    found = ground.person(anchor)
    assert found is not None
    return found


def test_the_connector_fits_the_port(ground: Ground) -> None:
    assert isinstance(connector(ground), Carrier)
    assert isinstance(connector(ground), Recycling)


# -- Creating ------------------------------------------------------------------------------------------------------------


def test_who_was_created_is_found(ground: Ground) -> None:
    write = new(ground)
    (outcome,) = carried(ground, write)
    made = record(outcome)
    assert outcome.left == {}
    assert outcome.request_id
    assert {**made.values, **write.values, STAMP: "c-nora", "accountEnabled": True} == made.values
    ground.clock.sleep(121)
    found = connector(ground).find([*write.values, STAMP], anchor=made.anchor)
    assert found is not None
    assert {**found.values, **write.values, STAMP: "c-nora"} == found.values
    assert connector(ground).find(MAPPED, **{STAMP: "c-nora"}) is not None


def test_a_second_create_of_the_same_name_is_taken_and_makes_nobody(ground: Ground) -> None:
    carried(ground, new(ground))
    (outcome,) = carried(ground, new(ground, values={"userPrincipalName": name_of(ground, "nora").upper()}))
    assert failure(outcome) == (Taken, "value_taken")
    assert outcome.error is not None
    assert outcome.error.params["attribute"] == "userPrincipalName"
    assert outcome.record is None
    assert len(ground.named(name_of(ground, "nora"))) == 1


def test_the_first_password_is_set_and_appears_nowhere(clear: Ground) -> None:
    write = new(clear)
    (outcome,) = carried(clear, write)
    assert clear.has_password(record(outcome).anchor, "Quiet-Lake-41-Umbrella")
    assert "Umbrella" not in repr((write, outcome))


@pytest.mark.parametrize(
    ("values", "code", "attribute"),
    [
        ({"userPrincipalName": "nora@elsewhere.example"}, "domain_not_verified_there", "userPrincipalName"),
        ({"displayName": None}, "required_there", "displayName"),
    ],
    ids=str,
)
def test_nobody_is_created_with_a_required_value_that_is_refused(
    tmp_path: Path, values: dict[str, str | None], code: str, attribute: str
) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    (outcome,) = carried(ground, new(ground, values=values))
    assert failure(outcome) == (Refused, code)
    assert outcome.error is not None
    assert outcome.error.params["attribute"] == attribute
    assert ground.named(name_of(ground, "nora")) == []
    ground.close()


def test_a_refused_value_that_may_be_missing_does_not_hold_a_create_up(clear: Ground) -> None:
    (outcome,) = carried(clear, new(clear, values={"employeeId": "longer than sixteen", "jobTitle": "Mate"}))
    made = record(outcome)
    assert {name: error.code for name, error in outcome.left.items()} == {"employeeId": "value_refused"}
    assert there(clear, made.anchor)["jobTitle"] == "Mate"
    assert "employeeId" not in made.values or made.values["employeeId"] is None


@pytest.mark.parametrize("what", ["drop_after", "drop_before", "html", "status"])
def test_an_answer_lost_before_anything_was_written_leaves_no_doubt(ground: Ground, what: str) -> None:
    ground.strike(what, "POST", "/$batch", status=500)
    (outcome,) = carried(ground, new(ground))
    assert isinstance(outcome.error, Unreachable)
    assert not outcome.error.sent
    assert ground.named(name_of(ground, "nora")) == []


def test_what_follows_a_create_may_have_to_wait_until_the_person_is_visible(ground: Ground) -> None:
    boss = ground.plain()[0]
    ground.clock.sleep(200)
    ground.lag()
    sku = ground.licence(free=3)
    write = new(ground, values={"usageLocation": "NO"}, manager=boss, moves_manager=True, licences={sku: True})
    (outcome,) = carried(ground, write)
    made = record(outcome)
    assert {name: type(error) for name, error in outcome.left.items()} == {MANAGER: Missing, LICENCES: Missing}
    ground.clock.sleep(121)
    again = change(made.anchor, manager=boss, moves_manager=True, licences={sku: True})
    (outcome,) = carried(ground, again)
    assert record(outcome).values[MANAGER] == boss
    assert outcome.left == {}
    assert there(ground, made.anchor)["manager"] == boss


# -- Changing ------------------------------------------------------------------------------------------------------------


def test_updating_twice_is_the_same_as_once(clear: Ground) -> None:
    anchor = clear.plain()[0]
    write = change(anchor, values={"department": "Kombüse", "employeeId": "E-77", STAMP: "x"})
    once, twice = carried(clear, write)[0], carried(clear, write)[0]
    assert record(once) == record(twice) == Record(anchor, {"department": "Kombüse", "employeeId": "E-77", STAMP: "x"})
    found = connector(clear).find([*MAPPED, STAMP], anchor=anchor)
    assert found is not None
    assert {**found.values, **record(once).values} == found.values


def test_values_can_be_emptied_and_lists_are_taken_apart(clear: Ground) -> None:
    anchor = clear.plain()[0]
    values = {"department": None, "otherMails": "a@b.example; c@d.example"}
    (outcome,) = carried(clear, change(anchor, values={**values, "businessPhones": None}))
    assert outcome.left == {}
    found = there(clear, anchor)
    assert found["department"] is None
    assert (found["otherMails"], found["businessPhones"]) == (["a@b.example", "c@d.example"], [])


def test_what_cannot_be_emptied_stays_and_the_rest_follows(clear: Ground) -> None:
    anchor = clear.plain()[0]
    before = there(clear, anchor)
    (outcome,) = carried(clear, change(anchor, values={"displayName": None, "department": "Deck", "mail": "x@y.z"}))
    assert record(outcome).values == {"department": "Deck"}
    assert {name: error.code for name, error in outcome.left.items()} == {
        "displayName": "not_clearable",
        "mail": "follows_the_mailbox",
    }
    assert there(clear, anchor) == {**before, "department": "Deck"}


def test_a_refused_value_is_left_and_the_rest_follows(clear: Ground) -> None:
    anchor = clear.plain()[0]
    values = {"employeeId": "longer than sixteen", "department": "Deck", "givenName": "x" * 65}
    (outcome,) = carried(clear, change(anchor, OperationKind.DISABLE, values=values, enabled=False))
    assert record(outcome).values == {"department": "Deck", "accountEnabled": False}
    assert {name: error.params["attribute"] for name, error in outcome.left.items()} == {
        "employeeId": "employeeId",
        "givenName": "givenName",
    }
    assert there(clear, anchor)["accountEnabled"] is False


def test_an_update_of_which_nothing_follows_has_failed(clear: Ground) -> None:
    anchor = clear.plain()[0]
    (outcome,) = carried(clear, change(anchor, values={"employeeId": "longer than sixteen"}))
    assert failure(outcome) == (Refused, "value_refused")
    assert outcome.record is None


@pytest.mark.parametrize(
    "write",
    [
        change(NOBODY, values={"department": "Deck"}),
        change(NOBODY, OperationKind.DISABLE, enabled=False),
        change(NOBODY, OperationKind.DELETE),
        change(NOBODY, OperationKind.RESTORE, enabled=True),
        change(NOBODY, moves_manager=True),
        change(NOBODY, manager=NOBODY, moves_manager=True),
        change(NOBODY, licences={NOBODY: True}),
        change("../users/x", OperationKind.DELETE),
        change("", OperationKind.DELETE),
    ],
    ids=lambda write: f"{write.kind} {write.anchor[:9]} {sorted(write.values)}",
)
def test_what_is_not_there_is_missing(ground: Ground, write: Write) -> None:
    (outcome,) = carried(ground, write)
    assert failure(outcome) == (Missing, "not_there")
    assert outcome.record is None


def test_a_name_in_use_is_taken(clear: Ground) -> None:
    ben, cy, *_ = clear.plain()
    name = there(clear, cy)["userPrincipalName"]
    (outcome,) = carried(clear, change(ben, values={"userPrincipalName": name}))
    assert failure(outcome) == (Taken, "value_taken")
    assert there(clear, ben)["userPrincipalName"] != name


def test_of_a_person_whom_a_directory_owns_only_some_attributes_follow(clear: Ground) -> None:
    anchor = clear.synced()
    (outcome,) = carried(clear, change(anchor, values={"usageLocation": "SE", "department": "Deck"}))
    assert record(outcome).values == {"usageLocation": "SE"}
    assert {name: error.code for name, error in outcome.left.items()} == {"department": "set_by_directory_sync"}
    (outcome,) = carried(clear, change(anchor, OperationKind.DISABLE, enabled=False))
    assert failure(outcome) == (Refused, "set_by_directory_sync")
    assert list(outcome.left) == [ENABLED]


def test_of_an_administrator_what_is_protected_stays_and_the_rest_follows(clear: Ground) -> None:
    anchor = clear.administrator()
    values = {"department": "Bridge", "mobilePhone": "+47 1"}
    (outcome,) = carried(clear, change(anchor, OperationKind.DISABLE, values=values, enabled=False))
    assert failure(outcome) == (Refused, "protected_account")
    assert outcome.record == Record(anchor, {"department": "Bridge"})
    assert set(outcome.left) == {ENABLED, "mobilePhone"}
    found = there(clear, anchor)
    assert (found["department"], found["accountEnabled"]) == ("Bridge", True)


# -- Managers ------------------------------------------------------------------------------------------------------------


def test_a_manager_who_is_not_there_holds_nothing_else_up(clear: Ground) -> None:
    ben = clear.plain()[0]
    write = change(ben, values={"department": "Deck"}, manager=NOBODY, moves_manager=True)
    (outcome,) = carried(clear, write)
    assert record(outcome).values == {"department": "Deck"}
    assert {name: error.code for name, error in outcome.left.items()} == {MANAGER: "manager_not_there"}
    (outcome,) = carried(clear, change(ben, manager=NOBODY, moves_manager=True))
    assert failure(outcome) == (Unreachable, "manager_not_there")


# -- Licences ------------------------------------------------------------------------------------------------------------


def held(ground: Ground, anchor: str) -> set[str]:
    return {each["skuId"] for each in there(ground, anchor).get("assignedLicenses", ())}


def unlicensed(ground: Ground, **values: Any) -> str:
    return ground.add(givenName="Un", surname="Licensed", **values)


def test_licences_are_given_and_taken_and_others_stay(clear: Ground) -> None:
    anchor = unlicensed(clear, usageLocation="NO")
    other, group = clear.inherit(anchor)
    sku = clear.licence(free=3)
    for give in (True, True, False, False):
        (outcome,) = carried(clear, change(anchor, licences={sku: give}))
        assert outcome.left == {}
        now = {each["skuId"] for each in record(outcome).values["assignedLicenses"]}
        assert now == held(clear, anchor) == {other, *([sku] if give else [])}
    assert group


def test_a_licence_given_again_keeps_the_services_that_are_switched_off(clear: Ground) -> None:
    anchor = unlicensed(clear, usageLocation="NO")
    sku = clear.licence(free=3)
    carried(clear, change(anchor, licences={sku: True}))
    off = _switch_off(clear, anchor, sku)
    carried(clear, change(anchor, licences={sku: True}))
    assert [each["disabledPlans"] for each in there(clear, anchor)["assignedLicenses"]] == [[off]]


def test_without_a_usage_location_a_person_is_created_but_gets_no_licence(clear: Ground) -> None:
    sku = clear.licence(free=3)
    (outcome,) = carried(clear, new(clear, licences={sku: True}))
    made = record(outcome)
    assert [(name, error.code) for name, error in outcome.left.items()] == [(LICENCES, "usage_location_missing")]
    assert held(clear, made.anchor) == set()
    again = change(made.anchor, values={"usageLocation": "NO"}, licences={sku: True})
    (outcome,) = carried(clear, again)
    assert outcome.left == {}
    assert held(clear, made.anchor) == {sku}


def test_when_seats_run_out_the_rest_are_created_without_and_told_which(clear: Ground) -> None:
    sku = clear.licence(free=2)
    words = ("una", "dos", "tres", "kvar")
    writes = [new(clear, word, values={"usageLocation": "NO"}, licences={sku: True}) for word in words]
    outcomes = carried(clear, *writes)
    assert all(record(outcome) for outcome in outcomes)
    errors = [outcome.left[LICENCES] for outcome in outcomes if outcome.left]
    assert [error.code for error in errors] == ["no_seat", "no_seat"]
    assert {error.params["sku"] for error in errors} == {sku}
    assert all(error.params["licence"] not in ("", sku) for error in errors)
    assert sum(sku in held(clear, record(outcome).anchor) for outcome in outcomes) == 2
    clear.licence(free=2)
    late = [change(record(outcome).anchor, licences={sku: True}) for outcome in outcomes if outcome.left]
    assert [outcome.left for outcome in carried(clear, *late)] == [{}, {}]


def test_what_somebody_holds_is_told_with_the_groups_it_comes_from(clear: Ground) -> None:
    anchor = unlicensed(clear, usageLocation="NO")
    sku, group = clear.inherit(anchor)
    target: Any = connector(clear)
    assert isinstance(target, Licensing)
    (held,) = [one for one in target.holdings(anchor) if one.sku == sku.lower()]
    assert (held.direct, held.groups) == (False, (group,))
    assert all({"sku", "part", "name", "total", "used", "free"} <= seat.keys() for seat in target.seats())
    with pytest.raises(Missing):
        target.holdings(NOBODY)


def test_a_licence_that_comes_from_a_group_is_not_taken_and_the_group_is_named(clear: Ground) -> None:
    anchor = unlicensed(clear, usageLocation="NO")
    sku, group = clear.inherit(anchor)
    (outcome,) = carried(clear, change(anchor, values={"department": "Deck"}, licences={sku: False}))
    error = outcome.left[LICENCES]
    assert (type(error), error.code, error.params["group"]) == (Refused, "licence_inherited", group)
    assert held(clear, anchor) == {sku}


@pytest.mark.parametrize("sku", ["' or 1 eq 1", "11111111-2222-4333-8444-555555555555"])
def test_an_unknown_licence_is_refused(clear: Ground, sku: str) -> None:
    (outcome,) = carried(clear, change(unlicensed(clear, usageLocation="NO"), licences={sku: True}))
    kind, code = failure(outcome)
    assert kind is Refused
    assert code in ("licence_unknown", "no_seat")


def _switch_off(ground: Ground, anchor: str, sku: str) -> str:
    """Somebody else switches a service off; returns which."""
    if isinstance(ground, UnrulyGround):
        plan = "9aaf7827-d63c-4b61-89c3-182f06f82e5c"
        lone = {"skuId": sku, "disabledPlans": [plan]}
        states = [{**lone, "assignedByGroup": None}]
        ground.edit(anchor, assignedLicenses=[lone], licenseAssignmentStates=states)
        return plan
    assert isinstance(ground, SandboxGround)
    skus = ground._call("GET", "/subscribedSkus").json()["value"]
    plan = next(each for each in skus if each["skuId"] == sku)["servicePlans"][0]["servicePlanId"]
    body = {"addLicenses": [{"skuId": sku, "disabledPlans": [plan]}], "removeLicenses": []}
    ground._call("POST", f"/users/{anchor}/assignLicense", json=body)
    return str(plan)


# -- Deleting and restoring ----------------------------------------------------------------------------------------------


def test_who_was_deleted_lies_in_the_bin_and_comes_back_as_they_were(clear: Ground) -> None:
    (outcome,) = carried(clear, new(clear))
    made = record(outcome)
    (outcome,) = carried(clear, change(made.anchor, OperationKind.DELETE))
    assert (outcome.record, outcome.error, outcome.left) == (None, None, {})
    assert clear.person(made.anchor) is None
    (outcome,) = carried(clear, change(made.anchor, OperationKind.RESTORE, enabled=True, values={"jobTitle": "Mate"}))
    assert record(outcome) == Record(made.anchor, {"jobTitle": "Mate", "accountEnabled": True})
    back = there(clear, made.anchor)
    assert (back["userPrincipalName"], back["jobTitle"]) == (name_of(clear, "nora"), "Mate")


def test_restoring_twice_is_the_same_as_once(clear: Ground) -> None:
    anchor = clear.plain()[0]
    clear.remove(anchor)
    name = name_of(clear, "back")
    write = change(anchor, OperationKind.RESTORE, enabled=True, values={"userPrincipalName": name})
    assert [record(carried(clear, write)[0]) for _ in range(2)] == [
        Record(anchor, {"userPrincipalName": name, "accountEnabled": True})
    ] * 2
    assert clear.named(name) == [anchor]


def test_a_name_in_the_bin_is_told_before_anybody_is_created(clear: Ground) -> None:
    (outcome,) = carried(clear, new(clear, "o'nora"))
    anchor = record(outcome).anchor
    clear.remove(anchor)
    (outcome,) = carried(clear, new(clear, "o'nora"))
    assert failure(outcome) == (Refused, "in_recycle_bin")
    assert outcome.error is not None
    assert outcome.error.params == {"anchor": anchor, "name": name_of(clear, "o'nora")}
    assert clear.named(name_of(clear, "o'nora")) == []
    (outcome,) = carried(clear, new(clear, "nora"))
    assert outcome.error is None, "a name that only ends alike is another one"


def test_a_name_in_the_bin_is_used_again_when_that_is_wanted(clear: Ground) -> None:
    (first,) = carried(clear, new(clear))
    clear.remove(record(first).anchor)
    (second,) = carried(clear, new(clear, despite_bin=True))
    assert clear.named(name_of(clear, "nora")) == [record(second).anchor]
    (outcome,) = carried(clear, change(record(first).anchor, OperationKind.RESTORE, enabled=True))
    assert failure(outcome) == (Taken, "value_taken")
    other = {"userPrincipalName": name_of(clear, "nora.old")}
    (outcome,) = carried(clear, change(record(first).anchor, OperationKind.RESTORE, enabled=True, values=other))
    assert record(outcome).values["userPrincipalName"] == name_of(clear, "nora.old")
    assert clear.named(name_of(clear, "nora.old")) == [record(first).anchor]


def test_the_bin_is_shown_newest_first_under_the_names_people_had(clear: Ground) -> None:
    ben, cy, *_ = clear.plain()
    names = [there(clear, anchor)["userPrincipalName"] for anchor in (ben, cy)]
    clear.remove(ben)
    clear.clock.sleep(60)
    clear.remove(cy)
    found = list(connector(clear).discarded(["displayName"]))
    assert [(each.anchor, each.name) for each in found[:2]] == [(cy, names[1]), (ben, names[0])]
    assert found[0].deleted_at == clear.clock.now()
    assert found[0].purged_at is not None
    assert (found[0].purged_at - clear.clock.now()).days == 30
    assert found[0].values["displayName"]
    assert found[0].values["userPrincipalName"] == names[1]


# -- Many at once ----------------------------------------------------------------------------------------------------------


def twenty(ground: Ground) -> list[Write]:
    return [new(ground, f"crew{number:02}") for number in range(20)]


def test_twenty_at_once_come_back_in_the_order_they_went(clear: Ground) -> None:
    writes = twenty(clear)
    outcomes = carried(clear, *writes)
    for write, outcome in zip(writes, outcomes, strict=True):
        assert there(clear, record(outcome).anchor)["userPrincipalName"] == write.values["userPrincipalName"]


@pytest.mark.parametrize("at", [0, 7, 19])
def test_a_bad_one_among_twenty_harms_no_other(clear: Ground, at: int) -> None:
    writes = twenty(clear)
    writes[at] = new(clear, "bad", values={"userPrincipalName": "bad@elsewhere.example"})
    outcomes = carried(clear, *writes)
    assert failure(outcomes.pop(at)) == (Refused, "domain_not_verified_there")
    assert all(record(outcome) for outcome in outcomes)


def test_twenty_different_things_at_once_keep_apart(clear: Ground) -> None:
    people = clear.plain()
    deleted = people[4]
    clear.remove(deleted)
    writes = [
        change(people[0], values={"department": "Deck"}),
        new(clear, "una"),
        change(people[1], OperationKind.DELETE),
        change(people[2], OperationKind.DISABLE, enabled=False),
        change(people[3], manager=people[5], moves_manager=True),
        change(deleted, OperationKind.RESTORE, enabled=True),
        change(NOBODY, values={"department": "Deck"}),
        new(clear, "dos", manager=people[5], moves_manager=True),
    ]
    outcomes = carried(clear, *writes)
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [None] * 6 + ["not_there", None]
    assert record(outcomes[0]) == Record(people[0], {"department": "Deck"})
    assert clear.named(name_of(clear, "una")) == [record(outcomes[1]).anchor]
    assert clear.person(people[1]) is None
    assert there(clear, people[2])["accountEnabled"] is False
    assert there(clear, people[3])["manager"] == people[5]
    assert there(clear, deleted)["accountEnabled"] is True
    assert there(clear, record(outcomes[7]).anchor)["manager"] == people[5]


def test_only_who_is_asked_to_wait_waits(clear: Ground) -> None:
    clear.strike("throttle", "POST", "/users", skip=1, retry_after=17)
    outcomes = carried(clear, *twenty(clear))
    waiting = [outcome.error for outcome in outcomes if outcome.error is not None]
    assert [(type(error), error.params["seconds"]) for error in waiting] == [(Throttled, 17)]
    assert sum(outcome.record is not None for outcome in outcomes) == 19


def test_when_the_whole_batch_is_asked_to_wait_everybody_does(ground: Ground) -> None:
    ground.strike("throttle", "POST", "/$batch", retry_after=33)
    outcomes = carried(ground, *twenty(ground))
    assert {type(outcome.error) for outcome in outcomes} == {Throttled}
    assert {outcome.error.params["seconds"] for outcome in outcomes if outcome.error} == {33}


def test_a_lost_answer_leaves_each_of_twenty_in_doubt_and_each_there_once(ground: Ground) -> None:
    ground.strike("drop_after", "POST", "/$batch", skip=1)
    writes = twenty(ground)
    for outcome in carried(ground, *writes):
        assert isinstance(outcome.error, Unreachable)
        assert outcome.error.sent
    assert all(len(ground.named(name_of(ground, f"crew{number:02}"))) == 1 for number in range(20))


def test_a_batch_that_is_refused_as_such_is_halved_until_it_goes(ground: Ground) -> None:
    ground.strike("status", "POST", "/$batch", skip=1, times=3, status=400, code="BadRequest")
    outcomes = carried(ground, *twenty(ground))
    assert all(record(outcome) for outcome in outcomes)


def test_an_item_whose_token_was_refused_is_sent_once_more_with_a_new_one(clear: Ground) -> None:
    clear.strike("status", "POST", "/users", skip=3, status=401, code="InvalidAuthenticationToken")
    outcomes = carried(clear, *twenty(clear))
    assert all(record(outcome) for outcome in outcomes)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_goes_wrong_a_faithful_caller_ends_with_everybody_there_once(tmp_path: Path, seed: int) -> None:
    ground = UnrulyGround(tmp_path, seed=seed)
    ground.clock.sleep(200)
    changed, deleted, boss = ground.plain()[:5], ground.plain()[5:8], ground.plain()[8]
    sku = ground.licence(free=12)
    bonds: dict[str, Any] = {"manager": boss, "moves_manager": True, "licences": {sku: True}}
    writes = [
        *(new(ground, f"crew{number:02}", values={"usageLocation": "NO"}, **bonds) for number in range(12)),
        *(change(anchor, OperationKind.DISABLE, values={"department": "Deck"}, enabled=False) for anchor in changed),
        *(change(anchor, OperationKind.DELETE) for anchor in deleted),
    ]
    plague(ground, 12)
    anchors = persist(ground, writes)
    made = [there(ground, anchor) for anchor in anchors[:12] if anchor]
    assert [each["userPrincipalName"] for each in made] == [write.values["userPrincipalName"] for write in writes[:12]]
    assert all(ground.named(each["userPrincipalName"]) == [each["id"]] for each in made)
    assert all((each["manager"], held(ground, each["id"])) == (boss, {sku}) for each in made)
    assert ground.fake.desk.seats == {sku: 0}
    assert all(
        (there(ground, each)["department"], there(ground, each)["accountEnabled"]) == ("Deck", False)
        for each in changed
    )
    assert not any(ground.person(anchor) for anchor in deleted)
    assert len(ground.fake.people) == 23 + 12 - 3
    assert sum(not strike.times for strike in ground.fake.desk.strikes) >= 4, "enough went wrong to mean something"


# -- Passwords -----------------------------------------------------------------------------------------------------------


def test_a_chosen_password_is_set(clear: Ground) -> None:
    clear.empower()
    anchor = clear.add(givenName="Pass", surname="Word")
    connector(clear).set_password(anchor, "Loud-River-52-Ladder")
    assert clear.has_password(anchor, "Loud-River-52-Ladder")


@pytest.mark.parametrize(
    ("who", "password", "kind", "code"),
    [
        (lambda ground: ground.plain()[0], "Password1", Refused, "password_weak"),
        (lambda ground: ground.administrator(), "Loud-River-52-Ladder", Refused, "protected_account"),
        (lambda ground: ground.synced(), "Loud-River-52-Ladder", Refused, "password_synced"),
        (lambda ground: NOBODY, "Loud-River-52-Ladder", Missing, "not_there"),
        (lambda ground: "../me", "Loud-River-52-Ladder", Missing, "not_there"),
    ],
    ids=["weak", "administrator", "synced", "nobody", "no anchor"],
)
def test_a_password_that_is_not_taken_says_why_and_nothing_of_itself(
    clear: Ground, who: Callable[[Ground], str], password: str, kind: type[OutsideError], code: str
) -> None:
    clear.empower()
    with pytest.raises(kind) as raised:
        connector(clear).set_password(who(clear), password)
    assert raised.value.code == code
    assert raised.value.__context__ is None
    assert password not in repr((raised.value, raised.value.params))


def test_an_answer_lost_while_a_password_is_set_is_in_doubt(ground: Ground) -> None:
    anchor = ground.plain()[0]
    ground.befall("status", status=503)
    with pytest.raises(Unreachable) as raised:
        connector(ground).set_password(anchor, "Loud-River-52-Ladder")
    assert raised.value.sent
