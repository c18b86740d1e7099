"""What every target promises beyond a source: somebody is found, and what is carried there arrives exactly once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from provision.core.ports import (
    ENABLED,
    MANAGER,
    Carrier,
    Missing,
    Outcome,
    OutsideError,
    Record,
    Refused,
    Taken,
    Throttled,
    Unauthorised,
    Unreachable,
    Write,
)
from provision.core.ports import Target as TargetPort
from provision.core.remedies import explain
from provision.core.vocabulary import OperationKind
from tests.contracts.ground import Target, plain_values
from tests.contracts.grounds import TARGETS
from tests.fakes.callers import Courier
from tests.fakes.grounds import Listener

NOBODY = "00000000-0000-4000-8000-000000000000"
PASSWORD = "Quiet-Lake-41-Umbrella"
CREATE, CHANGE, DELETE = OperationKind.CREATE, OperationKind.UPDATE, OperationKind.DELETE


def change(anchor: str, kind: OperationKind = CHANGE, **more: Any) -> Write:
    return Write(kind, anchor, f"ref-{anchor[:8]}", **more)


def carried(there: Target, *writes: Write) -> list[Outcome]:
    outcomes = list(there.target().carry(writes))
    assert len(outcomes) == len(writes)
    return outcomes


def record(outcome: Outcome) -> Record:
    assert outcome.error is None, (outcome.error, outcome.error.params)
    assert outcome.record is not None
    return outcome.record


def error(outcome: Outcome) -> OutsideError:
    assert outcome.error is not None
    assert explain(outcome.error.code, outcome.error.params).title
    return outcome.error


def sign_in(there: Target, write: Write) -> str:
    return str(write.values[there.sign_in])


def somebody(there: Target, word: str = "ola") -> str:
    return record(carried(there, there.new(word))[0]).anchor


def courier(there: Target) -> Courier:
    return Courier(there.target, there.clock.sleep, there.mapped)


def met(what: str) -> Any:
    pairs = [(name, one) for name, make in TARGETS.items() for one in getattr(make, what)]
    return pytest.mark.parametrize("troubled", pairs, indirect=True, ids=": ".join)


@pytest.fixture
def troubled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Target, str]]:
    name, what = request.param
    ground = TARGETS[name](tmp_path)
    yield ground, what
    ground.close()


def test_the_connector_fits_the_ports(there: Target) -> None:
    assert isinstance(there.target(), Carrier)
    assert isinstance(there.target(), TargetPort)


# -- Finding -------------------------------------------------------------------------------------------------------------


def test_a_person_is_found_by_their_anchor(there: Target) -> None:
    there.settle()
    for anchor, values in list(there.truth().items())[:3]:
        found = there.target().find(there.mapped, anchor=anchor)
        assert found is not None
        assert (found.anchor, plain_values({anchor: found.values}, there.mapped)[anchor]) == (anchor, values)


def test_a_person_is_found_by_what_only_they_have(there: Target) -> None:
    there.settle()
    for anchor, values in list(there.truth().items())[:3]:
        for key in there.keys:
            found = there.target().find(there.mapped, **{key: values[key]}) if values[key] else None
            assert found is None or found.anchor == anchor
        assert there.target().find(there.mapped, **{there.sign_in: values[there.sign_in]})


def test_nobody_is_found_where_nobody_is(there: Target) -> None:
    there.settle()
    anchors = ("", NOBODY, "../organization", "a/b?c#d%2e", "x" * 300)
    values = (
        "nobody@nowhere.example",
        "o'x' or startswith(a,'b') or 'x' eq '",
        'a" or userName pr or "',
        "A&$top=1#%26",
        "\\",
    )
    for anchor in anchors:
        assert there.target().find(there.mapped, anchor=anchor) is None
    for key in there.keys:
        assert [there.target().find(there.mapped, **{key: value}) for value in values] == [None] * len(values)


def test_the_first_of_several_is_nobody(there: Target) -> None:
    name = there.keys[1]
    there.twins(name, "4711")
    with pytest.raises(Refused) as raised:
        there.target().find(there.mapped, **{name: "4711"})
    assert raised.value.params["attribute"] == name


def test_what_cannot_be_searched_is_refused_before_a_call(there: Target) -> None:
    there.trouble("down")
    with pytest.raises(Refused):
        there.target().find(there.mapped, **{there.unsearchable: "x"})


def test_exactly_one_key_is_asked_for(there: Target) -> None:
    for keys in ({}, {"anchor": "a", "mail": "b"}, dict.fromkeys(there.keys, "x")):
        with pytest.raises(TypeError):
            there.target().find(there.mapped, **keys)


def test_a_removed_person_is_not_found(there: Target) -> None:
    there.settle()
    anchor = there.plain()[0]
    there.remove(anchor)
    assert there.target().find(there.mapped, anchor=anchor) is None


@pytest.mark.parametrize("what", ["locked out", "asked to wait", "a sign-in page", "leads elsewhere", "down"])
def test_in_trouble_nobody_is_taken_for_nobody(there: Target, stranger: Listener, what: str) -> None:
    there.settle()
    name = there.truth()[there.plain()[0]][there.sign_in]
    there.trouble(what, stranger.host)
    if what == "leads elsewhere" and there.sign_in == "userPrincipalName":
        return  # a link that nobody follows here
    with pytest.raises(there.troubles[what]) as raised:
        there.target().find(there.mapped, **{there.sign_in: name})
    assert isinstance(raised.value, OutsideError)
    assert explain(raised.value.code, raised.value.params).title
    assert stranger.knocks() == 0


def test_an_answer_about_somebody_else_is_none(there: Target) -> None:
    there.settle()
    anchor = there.plain()[0]
    there.trouble("about somebody else")
    with pytest.raises(Unreachable):
        there.target().find(there.mapped, anchor=anchor)


# -- Creating ------------------------------------------------------------------------------------------------------------


def test_nothing_to_carry_needs_no_call_and_more_than_twenty_are_a_mistake(there: Target) -> None:
    there.trouble("down")
    assert list(there.target().carry([])) == []
    with pytest.raises(ValueError, match="20"):
        there.target().carry([change(NOBODY)] * 21)


def test_who_was_created_is_there_as_sent_and_found_by_the_mark(there: Target) -> None:
    write = there.new()
    (outcome,) = carried(there, write)
    made = record(outcome)
    assert outcome.left == {}
    assert {**made.values, **write.values} == made.values
    now = there.there(made.anchor)
    assert now is not None
    shown = {name: value for name, value in write.values.items() if name in there.mapped}
    assert {**now, **shown, ENABLED: True} == now
    there.clock.sleep(200)
    assert write.correlation is not None
    for key in ({"anchor": made.anchor}, dict([write.correlation])):
        found = there.target().find(there.mapped, **key)
        assert found is not None
        assert found.anchor == made.anchor


def test_somebody_may_be_created_without_being_enabled(there: Target) -> None:
    (outcome,) = carried(there, there.new(enabled=False))
    now = there.there(record(outcome).anchor)
    assert now is not None
    assert now[ENABLED] is False


def test_the_first_password_appears_nowhere(there: Target) -> None:
    write = there.new()
    (outcome,) = carried(there, write)
    assert PASSWORD not in repr((write, outcome, outcome.record))


def test_a_name_in_use_is_taken_and_makes_nobody(there: Target) -> None:
    carried(there, there.new())
    (outcome,) = carried(there, there.new(correlation=None))
    assert isinstance(error(outcome), Taken)
    assert outcome.record is None
    assert len(there.named(sign_in(there, there.new()))) == 1


@met("mishaps")
def test_a_create_whose_answer_says_nothing_is_in_doubt_and_was_made_once_or_not_at_all(
    troubled: tuple[Target, str], stranger: Listener
) -> None:
    there, what = troubled
    write = there.new()
    there.mishap(what, "create", host=stranger.host)
    (outcome,) = carried(there, write)
    wrong = error(outcome)
    assert isinstance(wrong, Unreachable)
    assert wrong.sent
    assert outcome.record is None
    made = len(there.named(sign_in(there, write)))
    assert made == there.mishaps[what] or (there.mishaps[what] is None and made <= 1)
    assert there.met() >= 1
    found = courier(there).look(write)
    assert (found is not None) is bool(made)
    anchor = found.anchor if found else courier(there).persist([write])[0]
    assert there.named(sign_in(there, write)) == [anchor]
    assert stranger.knocks() == 0


def test_a_request_to_wait_carries_its_time_and_makes_nobody(there: Target) -> None:
    there.mishap("asked to wait", "create")
    (outcome,) = carried(there, there.new())
    wrong = error(outcome)
    assert isinstance(wrong, Throttled)
    assert wrong.after == 17
    assert there.named(sign_in(there, there.new())) == []


@pytest.mark.parametrize(("what", "kind"), [("locked out", Unauthorised), ("down", Unreachable)])
def test_what_meets_all_meets_each_and_nothing_was_sent(there: Target, what: str, kind: type[OutsideError]) -> None:
    there.trouble(what)
    outcomes = carried(there, there.new(), there.new("ola"), change(NOBODY, DELETE))
    assert {type(error(outcome)) for outcome in outcomes} == {kind}
    assert not any(getattr(outcome.error, "sent", False) for outcome in outcomes)
    assert there.named(sign_in(there, there.new())) == []


# -- Changing ------------------------------------------------------------------------------------------------------------


def test_updating_twice_is_the_same_as_once_and_the_rest_stays(there: Target) -> None:
    anchor = somebody(there)
    before = there.there(anchor)
    assert before is not None
    values = {there.title: "Mate", "department": None}
    for _ in range(2):
        assert record(carried(there, change(anchor, values=values))[0]) == Record(anchor, values)
    assert there.there(anchor) == {**before, **values}


def test_disabling_and_enabling_twice_is_the_same_as_once(there: Target) -> None:
    anchor = somebody(there)
    for kind, enabled in ((OperationKind.DISABLE, False), (OperationKind.ENABLE, True)):
        for _ in range(2):
            assert list(record(carried(there, change(anchor, kind, enabled=enabled))[0]).values.values()) == [enabled]
            now = there.there(anchor)
            assert now is not None
            assert now[ENABLED] is enabled


def test_a_manager_is_set_changed_and_taken_away(there: Target) -> None:
    there.settle()
    ben, cy, dee = there.plain()[:3]
    for manager in (cy, dee, dee, None):
        (outcome,) = carried(there, change(ben, manager=manager, moves_manager=True))
        assert record(outcome) == Record(ben, {MANAGER: manager})
        now = there.there(ben)
        assert now is not None
        assert now[MANAGER] == manager


ABSENT: list[Callable[[Target], Write]] = [
    lambda there: change(NOBODY, values={there.title: "Deck"}),
    lambda _: change(NOBODY, OperationKind.DISABLE, enabled=False),
    lambda _: change(NOBODY, DELETE),
    lambda _: change(NOBODY, OperationKind.RESTORE, enabled=True),
    lambda _: change(NOBODY, moves_manager=True),
    lambda _: change("../users/x", DELETE),
    lambda _: change("", DELETE),
]


def test_what_is_not_there_is_missing(there: Target) -> None:
    for make in ABSENT:
        (outcome,) = carried(there, make(there))
        assert isinstance(error(outcome), Missing)
        assert outcome.record is None


def test_who_was_deleted_is_gone_and_deleting_twice_is_missing(there: Target) -> None:
    there.settle()
    anchor = there.plain()[0]
    (outcome,) = carried(there, change(anchor, DELETE))
    assert (outcome.record, outcome.error, outcome.left) == (None, None, {})
    assert there.there(anchor) is None
    (outcome,) = carried(there, change(anchor, DELETE))
    assert isinstance(error(outcome), Missing)


@pytest.mark.parametrize("what", ["answer lost", "request lost", "failed"])
def test_a_change_whose_answer_says_nothing_is_in_doubt_and_ends_as_wanted(there: Target, what: str) -> None:
    anchor = somebody(there)
    there.mishap(what, "change")
    write = change(anchor, values={there.title: "Mate"})
    (outcome,) = carried(there, write)
    wrong = error(outcome)
    assert isinstance(wrong, Unreachable)
    assert wrong.sent
    courier(there).persist([write])
    now = there.there(anchor)
    assert now is not None
    assert now[there.title] == "Mate"


# -- Many at once ----------------------------------------------------------------------------------------------------------


def test_many_at_once_come_back_in_the_order_they_went_and_a_bad_one_harms_no_other(there: Target) -> None:
    carried(there, there.new("taken"))
    writes = [there.new(f"crew{number:02}") for number in range(10)]
    writes[4] = there.new("taken", correlation=None)
    outcomes = carried(there, *writes)
    assert isinstance(error(outcomes[4]), Taken)
    for write, outcome in zip(writes[:4] + writes[5:], outcomes[:4] + outcomes[5:], strict=True):
        assert there.named(sign_in(there, write)) == [record(outcome).anchor]


def test_several_threads_may_carry_through_one_connector(there: Target) -> None:
    one = there.target()
    parts = [[there.new(f"lane{lane}n{number}") for number in range(4)] for lane in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one.carry, parts))
    assert len({record(outcome).anchor for outcomes in found for outcome in outcomes}) == 16


@pytest.mark.parametrize("seed", range(2))
def test_whatever_goes_wrong_a_faithful_caller_ends_with_everybody_there_once(there: Target, seed: int) -> None:
    chance = random.Random(seed)
    there.settle()
    changed, deleted, boss = there.plain()[:3], there.plain()[3:5], there.plain()[5]
    before = len(there.truth())
    bonds: dict[str, Any] = {"manager": boss, "moves_manager": True}
    writes = [
        *(there.new(f"crew{number}", **bonds) for number in range(6)),
        *(change(anchor, values={there.title: "Deck"}) for anchor in changed),
        *(change(anchor, DELETE) for anchor in deleted),
    ]
    for _ in range(12):
        what, verb = chance.choice(there.plagues)
        there.mishap(what, verb, skip=chance.randrange(3))
    anchors = courier(there).persist(writes)
    for write, anchor in zip(writes[:6], anchors[:6], strict=True):
        assert anchor is not None
        assert there.named(sign_in(there, write)) == [anchor]
        now = there.there(anchor)
        assert now is not None
        assert now[MANAGER] == boss
    assert [(there.there(anchor) or {})[there.title] for anchor in changed] == ["Deck"] * 3
    assert not any(there.there(anchor) for anchor in deleted)
    assert len(there.truth()) == before + 6 - 2
    assert there.met() >= 3, "enough went wrong to mean something"
