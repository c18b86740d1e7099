"""The recycle bin: who lies in it, how long, and as whose account somebody comes back."""

from datetime import timedelta
from typing import Any

import pytest

from provision.core.ports import Discarded
from provision.core.vocabulary import Lifecycle, Situation
from provision.house import House
from provision.services import recycling, users
from provision.services.errors import Invalid, NotFound, ServiceError
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def look(desk: Desk, text: str = "") -> recycling.Bin:
    return recycling.look(desk.house.db.reading, lambda _: desk.there, desk.tenant, desk.app, desk.order(), text)


def restore(desk: Desk, anchor: str, email: str | None = None) -> recycling.Restored:
    at = desk.house.db
    return recycling.restore(
        at.reading, at.writing, lambda _: desk.there, desk.tenant, desk.app, anchor, desk.order(), email
    )


def throw_away(desk: Desk, number: int) -> str:
    """Delete somebody here and there."""
    with desk.house.db.writing() as session:
        users.delete(session, desk.tenant, number, desk.order())
    desk.clock.forward(seconds=10)
    desk.drain()
    return desk.account(number).anchor or ""


def lies_there(desk: Desk, anchor: str, name: str, **values: Any) -> None:
    """Somebody whom nobody here knows was deleted there."""
    desk.there.bin[anchor] = {"userPrincipalName": name, **values}


def person(desk: Desk, number: int) -> dict[str, Any]:
    with desk.house.db.reading() as session:
        return users.find(session, desk.tenant, str(number)).model_dump()


def test_it_says_whose_account_it_was_and_searches_in_names_and_addresses(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = throw_away(desk, jane)
    lies_there(desk, "x", "vera@there.example", displayName="Vera Strange")
    found = look(desk)
    assert {(one.anchor, one.user_id, one.lifecycle) for one in found.rows} == {
        (anchor, jane, Lifecycle.LEFT), ("x", None, None),
    }  # fmt: skip
    assert [one.name for one in look(desk, "VERA there").rows] == ["Vera Strange"]
    assert look(desk, "nobody").rows == []


@pytest.mark.parametrize(("left", "days"), [({"days": 30}, 30), ({"days": 2, "seconds": 1}, 3), ({"hours": -1}, 0)])
def test_begun_days_count_as_days_that_are_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, left: dict[str, float], days: int
) -> None:
    gone = Discarded("x", "x@there.example", {}, None, desk.clock() + timedelta(**left))
    monkeypatch.setattr(desk.there, "discarded", lambda _: iter([gone]))
    assert look(desk).rows[0].days == days


def test_who_left_here_comes_back_here_and_there(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = throw_away(desk, jane)
    done = restore(desk, anchor)
    assert (done.user_id, done.added) == (jane, False)
    desk.drain()
    assert person(desk, jane)["lifecycle"] == Lifecycle.ACTIVE
    assert list(desk.there.people) == [anchor]
    assert desk.account(jane).situation == Situation.LINKED


def test_who_works_here_gets_back_what_was_deleted_there_by_others(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor or ""
    desk.there.bin[anchor] = desk.there.people.pop(anchor)
    restore(desk, anchor)
    desk.drain()
    assert list(desk.there.people) == [anchor]
    assert desk.account(jane).intent == {}


def test_an_address_that_is_taken_by_now_is_refused_and_another_one_is_carried_there(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = throw_away(desk, jane)
    lies_there(desk, "y", "other@there.example")
    desk.hire("jane")
    with pytest.raises(Invalid) as refused:
        restore(desk, anchor)
    assert refused.value.problems == {"email": "email_taken"}
    assert person(desk, jane)["lifecycle"] == Lifecycle.LEFT
    restore(desk, anchor, "jane.d@there.example")
    desk.drain()
    assert desk.there.people[anchor]["userPrincipalName"] == "jane.d@there.example"
    assert person(desk, jane)["email"] == "jane.d@there.example"


def test_nobodys_account_becomes_a_new_persons(desk: Desk) -> None:
    lies_there(desk, "x", "vera@there.example", givenName="Vera", surname="Strange", displayName="Vera Strange")
    done = restore(desk, "x")
    assert done.added
    desk.drain()
    assert list(desk.there.people) == ["x"]
    assert desk.account(done.user_id).anchor == "x"
    assert person(desk, done.user_id)["surname"] == "Strange"
    assert [entry.user_id for entry, _ in desk.told("user.added")] == [done.user_id]


def test_what_is_restored_is_linked_and_nothing_of_it_is_written_over(desk: Desk) -> None:
    lies_there(desk, "x", "vera@there.example", givenName="Vera", surname="Strange", displayName="V. Strange")
    done = restore(desk, "x")
    desk.drain()
    desk.drain()
    assert desk.there.people["x"]["displayName"] == "V. Strange"
    assert {operation.state for operation in desk.operations(done.user_id)} == {"done"}


def test_create_off_leaves_everything_as_it_is(desk: Desk) -> None:
    lies_there(desk, "x", "vera@there.example")
    desk.switch(create=False)
    with pytest.raises(ServiceError, match="restore_off"):
        restore(desk, "x")
    assert desk.operations() == []


def test_what_has_left_the_bin_meanwhile_is_not_there(desk: Desk) -> None:
    with pytest.raises(NotFound, match="not_in_bin"):
        restore(desk, "gone")


def test_a_restore_twice_is_one(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = throw_away(desk, jane)
    restore(desk, anchor)
    assert restore(desk, anchor).user_id == jane
    desk.drain()
    assert [kind for kind, _ in desk.there.applied].count("restore") == 1


def test_another_tenants_app_has_no_bin_here(desk: Desk, cast: Cast) -> None:
    with pytest.raises(NotFound):
        recycling.look(desk.house.db.reading, lambda _: desk.there, cast.fabrikam, desk.app, desk.order())
