"""Names that are somebody else’s or lie in the recycle bin, accounts that vanish, and one change that kills the worker."""

from collections.abc import Callable

import pytest

from provision.core.vocabulary import OperationState, Situation
from provision.house import House
from provision.services import users
from provision.services.errors import Invalid
from provision.services.users import Choice, Move
from tests import office
from tests.cast import Cast, Clock
from tests.fakes.target import Death
from tests.faults.road import Road
from tests.services.outgoing import Desk


@pytest.fixture
def road(house: House, cast: Cast, clock: Clock) -> Road:
    return Road(house, cast.contoso, clock)


# -- Somebody else's name --------------------------------------------------------------------------------------------------


def try_names(road: Road, number: int) -> None:
    """So many newcomers whose name somebody else has there, tried and tried again: not one of the others is touched."""
    names = [f"taken{index}" for index in range(number)]
    foreign = [road.abroad(name) for name in names]
    before = {anchor: road.there()[anchor] for anchor in foreign}
    road.hire(*names)
    road.work(3)
    assert road.codes() == {"name_taken": number}
    road.retry()
    road.work(3)
    assert road.codes() == {"name_taken": number}
    there = road.there()
    assert {anchor: there[anchor] for anchor in foreign} == before
    assert [len(road.named(f"{name}@{office.DOMAIN}")) for name in names[:50]] == [1] * len(names[:50])
    assert all(one.error is not None and one.error["params"]["anchor"] in before for one in road.operations())


def test_whoever_has_the_name_already_is_not_touched(road: Road) -> None:
    try_names(road, 25)


@pytest.mark.faults
def test_a_thousand_tries_touch_nobody_who_has_the_name_already(road: Road, counted: Callable[[str], None]) -> None:
    try_names(road, 1000)
    counted("1,000 taken names, each tried twice: 0 writes to somebody else's account")


# -- The recycle bin -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name_taken", [False, True])
@pytest.mark.parametrize("mail_taken", [False, True])
def test_who_comes_out_of_the_bin_gets_what_is_still_free(road: Road, *, name_taken: bool, mail_taken: bool) -> None:
    """The original comes back first; under a name of its own if somebody has theirs, without an address that is another's."""
    (jane,) = road.hire("jane")
    road.work()
    anchor = road.account(jane).anchor or ""
    road.call("PATCH", f"/users/{anchor}", {"mail": f"crew@{office.DOMAIN}"})
    road.move(jane, Move.DELETE)
    road.work()
    assert anchor not in road.there()
    if name_taken:
        road.abroad("jane")
    if mail_taken:
        road.abroad("mate", mail=f"crew@{office.DOMAIN}")
    road.read()
    if name_taken:
        with pytest.raises(Invalid) as raised:
            road.restore(jane)
        assert "email" in raised.value.problems
    road.restore(jane, "jane.old" if name_taken or mail_taken else None)
    road.work()
    back = road.there()[anchor]
    assert road.states() == {"done": 3}
    assert back["userPrincipalName"].startswith("jane.old@" if name_taken or mail_taken else "jane@")
    assert road.account(jane).situation == Situation.LINKED


def test_a_newcomer_with_a_name_from_the_bin_is_offered_the_original_first_and_a_new_account_second(road: Road) -> None:
    (old,) = road.hire("jane")
    road.work()
    road.move(old, Move.DELETE)
    road.work()
    (new,) = road.hire("jane")
    road.work()
    assert road.codes() == {"in_recycle_bin": 1}
    assert road.named(f"jane@{office.DOMAIN}") == []
    with road.house.db.reading() as session:
        standing = users.stand(session, road.tenant, road.account(new).id or 0)
    assert list(standing.choices)[:2] == [Choice.RESTORE, Choice.BESIDE]


# -- Gone for good ---------------------------------------------------------------------------------------------------------


def test_who_is_deleted_there_for_good_is_never_made_again_by_itself(road: Road) -> None:
    people = road.hire(*[f"p{number}" for number in range(6)])
    road.work()
    road.read()
    for number in people:
        anchor = road.account(number).anchor
        road.call("DELETE", f"/users/{anchor}")
        road.call("DELETE", f"/directory/deletedItems/{anchor}")
    road.change(scope={**road.row.scope, "limit_floor": 10_000})
    for day in range(4):
        road.clock.forward(hours=12)
        road.read(full=day % 2 == 0)
        for number in people:
            road.edit(number, surname=f"Day {day}")
        road.work(2, seconds=3600)
    assert {road.account(number).situation for number in people} == {Situation.GONE}
    assert sum(one.kind == "create" for one in road.operations()) == len(people)
    assert not [one for one in road.there().values() if one["userPrincipalName"].startswith("p0@")]
    assert not {*road.states()} & {"pending", "running", "unknown"}


# -- Poison ----------------------------------------------------------------------------------------------------------------


def test_one_change_that_kills_the_worker_each_time_holds_the_others_up_for_a_few_deaths_only(
    house: House, cast: Cast, clock: Clock
) -> None:
    desk = Desk(house, cast.contoso, clock)
    people = [desk.present(f"p{number}") for number in range(14)]
    poison, others = people[7], people[:7] + people[8:]
    deadly = desk.account(poison).anchor

    def kill(writes: object) -> None:
        if any(write.anchor == deadly for write in writes):  # type: ignore[attr-defined]
            raise Death

    desk.there.witness = kill
    for number in people:
        desk.change(number, surname="Married")
    desk.enqueue(*people)
    deaths = 0
    while any(desk.only(number).state != OperationState.DONE for number in others):
        try:
            desk.drain()
        except Death:
            deaths += 1
            desk.recover()
        assert deaths <= 5
    while desk.only(poison).state != OperationState.FAILED:
        with pytest.raises(Death):
            desk.drain()
        deaths += 1
        desk.recover()
        assert deaths <= 5
    assert (desk.only(poison).error or {})["code"] == "poison"
