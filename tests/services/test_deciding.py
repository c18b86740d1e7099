"""What a person decides about an account that cannot go on by itself."""

from typing import Any

import pytest

from provision.core.vocabulary import OperationState, Situation
from provision.house import House
from provision.services import users
from provision.services.errors import Conflict, NotFound
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk

JANE = {"given_name": "Jane", "surname": "Doe", "username": "jane", "email": "jane@there.example"}


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def do(desk: Desk, work: Any, *given: Any, **more: Any) -> Any:
    with desk.house.db.writing() as session:
        return work(session, desk.tenant, *given, desk.order(), **more)


def blocked_by_another(desk: Desk) -> int:
    desk.there.add("other", userPrincipalName="jane@there.example", createdDateTime="2020-01-01T00:00:00Z")
    jane = int(do(desk, users.add, JANE).user_id)
    desk.drain()
    desk.clock.forward(seconds=3)
    desk.drain()
    assert desk.only(jane).state == OperationState.BLOCKED
    return jane


def blocked_by_a_twin(desk: Desk) -> int:
    old = desk.present("jane")
    do(desk, users.delete, old)
    desk.clock.forward(seconds=10)
    desk.drain()
    jane = int(do(desk, users.add, JANE).user_id)
    desk.drain()
    assert desk.only(jane).state == OperationState.BLOCKED
    return jane


def link(desk: Desk, number: int, anchor: str) -> None:
    account = desk.account(number).id or 0
    users.link(desk.house.db.writing, lambda _: desk.there, desk.tenant, account, anchor, desk.order())


def test_an_existing_account_is_linked_and_nothing_is_changed_there_by_it(desk: Desk) -> None:
    jane = blocked_by_another(desk)
    before = dict(desk.there.people["other"])
    link(desk, jane, "other")
    account = desk.account(jane)
    assert (account.situation, account.anchor, account.observed["userPrincipalName"]) == (
        Situation.LINKED, "other", "jane@there.example",
    )  # fmt: skip
    desk.drain()
    assert desk.there.people["other"] == before
    assert desk.states() == {"cancelled": 1}


def test_an_account_of_somebody_who_works_here_is_not_taken(desk: Desk) -> None:
    john = desk.present("john")
    jane = blocked_by_another(desk)
    with pytest.raises(Conflict, match="linked_elsewhere"):
        link(desk, jane, desk.account(john).anchor or "")
    with pytest.raises(NotFound):
        link(desk, jane, "nobody")


def test_the_twin_in_the_recycle_bin_can_be_restored_as_theirs(desk: Desk) -> None:
    jane = blocked_by_a_twin(desk)
    (anchor,) = desk.there.bin
    do(desk, users.restore_twin, desk.account(jane).id or 0)
    desk.drain()
    desk.drain()
    assert list(desk.there.people) == [anchor]
    assert (desk.account(jane).anchor, desk.account(jane).situation) == (anchor, Situation.LINKED)
    assert desk.there.people[anchor]["surname"] == "Doe"


def test_a_new_account_can_be_made_beside_the_twin(desk: Desk) -> None:
    jane = blocked_by_a_twin(desk)
    do(desk, users.create_beside, desk.account(jane).id or 0)
    desk.drain()
    assert (len(desk.there.people), len(desk.there.bin)) == (1, 1)


def test_who_let_go_of_an_account_that_is_gone_gets_a_new_one(desk: Desk) -> None:
    jane = desk.present("jane")
    with pytest.raises(Conflict, match="account_linked"):
        do(desk, users.unlink, desk.account(jane).id or 0)
    desk.there.people.clear()
    desk.clock.forward(hours=1)
    do(desk, users.delete, jane)
    desk.clock.forward(seconds=10)
    desk.drain()
    do(desk, users.restore, jane)
    desk.drain()
    assert (desk.only(jane).error or {})["code"] == "restore_too_late"
    do(desk, users.unlink, desk.account(jane).id or 0)
    desk.drain()
    assert desk.there.named("jane@there.example") is not None
    assert desk.account(jane).situation == Situation.LINKED


def test_whom_somebody_protected_automation_leaves_alone(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.protect, desk.account(jane).id or 0, on=True)
    (effect,) = desk.leave(jane, by_hand=False, deleted=False)
    assert effect.here_only == {"*": "protected_by_hand"}
    do(desk, users.protect, desk.account(jane).id or 0, on=False)
    assert desk.enqueue(jane)[0].operation_id is not None
