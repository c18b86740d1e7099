"""What comes in while something goes out: our own writes are no news, and pages asked for before them are no truth."""

from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.tables import Account, User
from provision.core.vocabulary import Lifecycle, Situation
from provision.house import House
from provision.services import cycles
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def office(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def imported(office: Desk, meanwhile: Any = None, *, full: bool = True) -> None:
    """An import; ``meanwhile`` happens when its pages have been asked for and nothing of them is kept yet."""
    with office.house.db.writing() as session:
        cycles.request(session, office.tenant, office.app, "ada", office.clock(), full=full)
    original = office.there.changes

    def changes(*given: Any, **more: Any) -> Any:
        pages = list(original(*given, **more))
        office.clock.forward(seconds=1)
        if meanwhile:
            meanwhile()
        yield from pages

    office.there.changes = changes  # type: ignore[method-assign]
    cycles.run_requested(office.ways())
    office.there.changes = original  # type: ignore[method-assign]


def person(office: Desk, number: int) -> User:
    with office.house.db.reading() as session:
        return session.exec(select(User).where(User.id == number)).one()


def edit(office: Desk, number: int, **values: Any) -> None:
    office.change(number, **values)
    office.enqueue(number)


def test_a_page_asked_for_before_our_write_does_not_take_it_back(office: Desk) -> None:
    jane = office.present("jane")

    def meanwhile() -> None:
        edit(office, jane, given_name="New")
        office.drain()

    imported(office, meanwhile)
    assert person(office, jane).given_name == "New"
    assert office.account(jane).observed["givenName"] == "New"


def test_what_somebody_else_changed_on_that_page_is_taken_over_all_the_same(office: Desk) -> None:
    jane = office.present("jane")
    office.there.edit(office.account(jane).anchor or "", surname="Theirs")

    def meanwhile() -> None:
        edit(office, jane, given_name="New")
        office.drain()

    imported(office, meanwhile)
    assert (person(office, jane).given_name, person(office, jane).surname) == ("New", "Theirs")


def test_an_edit_taken_back_in_doubt_is_not_undone_by_an_import_that_sees_it_there(office: Desk) -> None:
    jane = office.present("jane")
    office.there.befall("lost after")
    edit(office, jane, given_name="Typo")
    office.drain()
    edit(office, jane, given_name="Jane")
    imported(office)
    assert person(office, jane).given_name == "Jane"
    office.clock.forward(minutes=1)
    office.drain()
    assert office.there.people[office.account(jane).anchor or ""]["givenName"] == "Jane"


def test_what_is_somebody_elses_is_news_although_ours_is_in_doubt(office: Desk) -> None:
    jane = office.present("jane")
    office.there.befall("lost before")
    edit(office, jane, given_name="Ours")
    office.drain()
    edit(office, jane, given_name="Jane")
    office.there.edit(office.account(jane).anchor or "", givenName="Theirs")
    imported(office)
    assert person(office, jane).given_name == "Theirs"


def test_a_page_from_before_a_deletion_brings_nobody_back(office: Desk) -> None:
    jane = office.present("jane")

    def meanwhile() -> None:
        office.leave(jane, hold=False)
        office.drain()

    imported(office, meanwhile)
    assert office.account(jane).situation == Situation.GONE


def test_a_page_from_before_a_disabling_does_not_say_that_they_are_enabled(office: Desk) -> None:
    jane = office.present("jane")

    def meanwhile() -> None:
        office.change(jane, lifecycle=Lifecycle.SUSPENDED)
        office.intend(jane, by_hand=True)
        office.enqueue(jane, hold=False)
        office.drain()

    office.there.edit(office.account(jane).anchor or "", surname="Theirs")
    imported(office, meanwhile)
    assert office.account(jane).enabled is False


def test_whoever_was_created_without_an_answer_is_not_taken_for_a_stranger(office: Desk) -> None:
    jane = office.hire("jane")
    office.enqueue(jane)
    office.there.befall("lost after")
    office.drain()
    office.change(jane, lifecycle=Lifecycle.LEFT)
    office.enqueue(jane)
    imported(office)
    with office.house.db.reading() as session:
        ours = select(User.id).where(User.tenant_id == office.tenant, User.username == "jane")
        assert session.exec(ours).all() == [jane]
        accounts = session.exec(select(Account).where(col(Account.name) == "jane@there.example")).all()
    assert {account.user_id for account in accounts} == {jane, None}
    office.clock.forward(minutes=1)
    office.drain()
    assert office.told("account.adopted")
    assert office.account(jane).anchor is not None


def test_whoever_turns_out_to_be_a_stranger_is_taken_over_later(office: Desk) -> None:
    office.scope(correlation="extensionAttribute15")
    jane = office.hire("jane")
    office.enqueue(jane)
    office.there.befall("lost before")
    office.drain()
    office.there.add("strange", userPrincipalName="jane@there.example", displayName="Somebody Else")
    imported(office)
    office.clock.forward(minutes=1)
    office.drain()
    assert office.only(jane).state == "blocked"
    imported(office)
    with office.house.db.reading() as session:
        stranger = session.exec(select(Account).where(Account.anchor == "strange")).one()
    assert stranger.situation == Situation.DISPUTED
