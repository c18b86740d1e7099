"""Groups: made, renamed, filled and deleted, each person's coming and going written down, and never across a tenant."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from provision.core.tables import Account
from provision.core.vocabulary import Lifecycle, Situation
from provision.house import House
from provision.services import events, groups
from provision.services.errors import Invalid, NotFound
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def do(desk: Desk, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
    with desk.house.db.writing() as session:
        return work(session, desk.tenant, *given, desk.order(), **more)


def inside(desk: Desk, group_id: int) -> list[int]:
    with desk.house.db.reading() as session:
        return groups.members(session, desk.tenant, group_id)


def said(desk: Desk, user_id: int) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    with desk.house.db.reading() as session:
        told = events.timeline(session, desk.tenant, user_id)
        return [(event.action, detail.before, detail.after) for event, detail in told if detail]


def test_a_new_group_has_its_name_its_members_and_an_event(desk: Desk) -> None:
    ann, bob = desk.hire("ann"), desk.hire("bob")
    group = do(desk, groups.create, "  Sales   Berlin ", members=[ann, bob])
    assert (group.name, group.name_key, group.description) == ("Sales Berlin", "sales berlin", None)
    assert inside(desk, group.id) == [ann, bob]
    assert said(desk, ann) == [("user.joined_group", {}, {"group": "Sales Berlin"})]


@pytest.mark.parametrize("name", ["", "   ", "x" * 257, "turned\u202eround", "nul\x00l"])
def test_a_name_that_cannot_be_read_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(Invalid) as raised:
        do(desk, groups.create, name)
    assert raised.value.problems == {"name": "group_name_unfit"}


def test_who_is_in_already_does_not_join_again(desk: Desk) -> None:
    ann = desk.hire("ann")
    group = do(desk, groups.create, "Sales", members=[ann])
    assert do(desk, groups.change_members, group.id, add=[ann]) == groups.Moved()
    assert len(said(desk, ann)) == 1


def test_setting_members_lets_exactly_these_stay(desk: Desk) -> None:
    ann, bob, cas = (desk.hire(name) for name in ("ann", "bob", "cas"))
    group = do(desk, groups.create, "Sales", members=[ann, bob])
    with desk.house.db.writing() as session:
        moved = groups.set_members(session, desk.tenant, group.id, desk.order(), [bob, cas])
    assert moved == groups.Moved(joined=(cas,), parted=(ann,))
    assert inside(desk, group.id) == [bob, cas]
    assert said(desk, ann)[0] == ("user.parted_group", {"group": "Sales"}, {})


def test_many_join_in_as_many_statements_as_one(desk: Desk) -> None:
    people = [desk.hire(f"p{number}") for number in range(40)]
    group = do(desk, groups.create, "Everybody")
    few, many = (statements(desk, group.id, some) for some in (people[:1], people[1:]))
    assert few == many


def statements(desk: Desk, group_id: int, people: list[int]) -> int:
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    sa.event.listen(desk.house.db.engine, "before_cursor_execute", count)
    try:
        do(desk, groups.change_members, group_id, add=people)
    finally:
        sa.event.remove(desk.house.db.engine, "before_cursor_execute", count)
    return counted


def test_somebody_who_left_or_is_nowhere_cannot_join(desk: Desk) -> None:
    left = desk.hire("lee", lifecycle=Lifecycle.LEFT)
    nobody = 10**9
    group = do(desk, groups.create, "Sales")
    for person in (left, nobody):
        with pytest.raises(NotFound):
            do(desk, groups.change_members, group.id, add=[person])
    assert inside(desk, group.id) == []


def test_another_organisation_does_not_see_it(desk: Desk, cast: Cast) -> None:
    group = do(desk, groups.create, "Sales")
    with desk.house.db.reading() as session:
        assert groups.of(session, cast.fabrikam) == []
        with pytest.raises(NotFound):
            groups.get(session, cast.fabrikam, group.id)


def test_the_database_refuses_a_member_from_another_organisation(desk: Desk, cast: Cast) -> None:
    ann = desk.hire("ann")
    group = do(desk, groups.create, "Sales")
    row = {"tenant": cast.fabrikam, "group": group.id, "user": ann}
    statement = sa.text("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES (:tenant, :group, :user)")
    with pytest.raises(IntegrityError), desk.house.db.writing() as session:
        session.execute(statement, row)


def test_renaming_says_what_it_was_called(desk: Desk) -> None:
    group = do(desk, groups.create, "Sales")
    with desk.house.db.writing() as session:
        kept = groups.rename(session, desk.tenant, group.id, desk.order(), name="Sales EU", description="All of it")
        assert (kept.name, kept.version) == ("Sales EU", 2)
    ((_, detail),) = desk.told("group.renamed")
    assert (detail.before, detail.after["name"]) == ({"name": "Sales", "description": None}, "Sales EU")


def test_a_deleted_group_lets_everybody_out_and_is_not_found_again(desk: Desk) -> None:
    ann = desk.hire("ann")
    group = do(desk, groups.create, "Sales", members=[ann])
    do(desk, groups.delete, group.id)
    assert inside(desk, group.id) == []
    assert said(desk, ann)[0][0] == "user.parted_group"
    with pytest.raises(NotFound):
        do(desk, groups.delete, group.id)


def test_an_account_is_a_persons_or_a_groups_never_both(desk: Desk) -> None:
    ann = desk.hire("ann")
    group = do(desk, groups.create, "Sales")
    row = {"tenant_id": desk.tenant, "connector_id": desk.app, "name": "sales", "situation": Situation.LINKED}
    with pytest.raises(IntegrityError), desk.house.db.writing() as session:
        session.add(Account(**row, user_id=ann, group_id=group.id))
    with pytest.raises(IntegrityError), desk.house.db.writing() as session:
        session.add_all([Account(**row, group_id=group.id), Account(**row, group_id=group.id)])


def test_a_persons_groups_are_listed_by_name(desk: Desk) -> None:
    ann = desk.hire("ann")
    for name in ("Zebra", "alpha"):
        do(desk, groups.create, name, members=[ann])
    with desk.house.db.reading() as session:
        assert [group.name for group in groups.of(session, desk.tenant, user_id=ann)] == ["alpha", "Zebra"]
        assert [name for _, name in groups.groups_of(session, desk.tenant, [ann])[ann]] == ["alpha", "Zebra"]
