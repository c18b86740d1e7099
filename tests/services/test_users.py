"""Finding people and showing one beside what was seen elsewhere."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from provision.core.tables import CustomAttribute, Mapping, User
from provision.core.vocabulary import Lifecycle, Owner, Situation
from provision.services import users
from provision.services.errors import Conflict, NotFound
from provision.services.users import BadCursor, Query, Standing
from provision.services.users.finding import _cursor, _read_cursor
from tests import populate
from tests.cast import Cast, Clock

NAMES = (
    "Ada Lindqvist", "Ågot Østby", "Ana García", "Bülent Şahin", "Łukasz Wiśniewski", "李 小龍",
    "Zoë", "zoe Adams", "Олена", "ana garcía",
)  # fmt: skip


@pytest.fixture
def people(session: Session, cast: Cast, clock: Clock) -> list[User]:
    found = []
    for number, name in enumerate(NAMES):
        at = clock() - timedelta(hours=number % 3)
        found.append(
            populate.person(
                session,
                cast.contoso,
                at,
                name,
                email=f"P{number}@Contoso.example",
                username=f"user{number}",
                employee_id=f"E-{number:03}",
            )
        )
    populate.person(session, cast.fabrikam, clock(), "Ada of Fabrikam", email="p0@fabrikam.example")
    return found


def _names(session: Session, cast: Cast, **query: object) -> list[str]:
    return [row.name for row in users.search(session, cast.contoso, Query(**query)).rows]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada", ["Ada Lindqvist", "zoe Adams"]),
        ("ADA", ["Ada Lindqvist", "zoe Adams"]),
        ("lind ada", ["Ada Lindqvist"]),
        ("ÅGOT", ["Ågot Østby"]),
        ("garcía", ["Ana García", "ana garcía"]),
        ("garci\u0301a", ["Ana García", "ana garcía"]),
        ("李", ["李 小龍"]),
        ("p3@CONTOSO", ["Bülent Şahin"]),
        ("user4", ["Łukasz Wiśniewski"]),
        ("e-005", ["李 小龍"]),
        ("%", []),
        ("_", []),
        ("ada' OR 1=1 --", []),
        ("\x00", NAMES),
        ("  ", NAMES),
    ],
)
def test_search_finds_name_address_username_and_employee_id_whatever_the_spelling(
    session: Session, cast: Cast, people: list[User], text: str, found: list[str]
) -> None:
    assert sorted(_names(session, cast, text=text)) == sorted(found)


def test_nobody_of_another_tenant_is_found(session: Session, cast: Cast, people: list[User]) -> None:
    assert "Ada of Fabrikam" not in _names(session, cast)
    assert [row.name for row in users.search(session, cast.fabrikam, Query()).rows] == ["Ada of Fabrikam"]


@pytest.mark.parametrize("sort", ["name", "-name", "email", "-email", "changed", "-changed"])
@pytest.mark.parametrize("size", [1, 3, 4, 10])
def test_pages_forward_and_back_hold_everybody_once_in_order(
    session: Session, cast: Cast, people: list[User], sort: str, size: int
) -> None:
    whole = [row.id for row in users.search(session, cast.contoso, Query(sort=sort, limit=100)).rows]
    assert sorted(whole) == sorted(populate.number(person) for person in people)
    there = [users.search(session, cast.contoso, Query(sort=sort, limit=size))]
    while there[-1].after:
        there.append(users.search(session, cast.contoso, Query(sort=sort, limit=size, after=there[-1].after)))
    assert [row.id for page in there for row in page.rows] == whole
    back = [there[-1]]
    while back[-1].before:
        back.append(users.search(session, cast.contoso, Query(sort=sort, limit=size, before=back[-1].before)))
    assert [[row.id for row in page.rows] for page in back] == [[row.id for row in page.rows] for page in there[::-1]]


def test_a_walk_goes_on_where_the_last_row_was_deleted_meanwhile(
    session: Session, cast: Cast, people: list[User]
) -> None:
    first = users.search(session, cast.contoso, Query(limit=3))
    expected = [row.id for row in users.search(session, cast.contoso, Query(limit=9, after=first.after)).rows]
    session.delete(session.get(User, first.rows[-1].id))
    session.flush()
    assert [row.id for row in users.search(session, cast.contoso, Query(limit=9, after=first.after)).rows] == expected


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "W10",
        "WzEsMl0",
        "WyJhIiwgInoiXQ",
        "!" * 50,
        "eyJhIjogMX0",
        "W251bGwsIDFd",
        "WyJhIiwgMTAwMDAwMDAwMDAwMDAwMDAwMDAwMF0",
    ],
)
def test_a_cursor_of_nobodys_making_is_refused(session: Session, cast: Cast, cursor: str) -> None:
    if cursor:
        with pytest.raises(BadCursor):
            users.search(session, cast.contoso, Query(after=cursor))
    for sort in ("changed", "name"):
        with pytest.raises(BadCursor):
            users.search(session, cast.contoso, Query(sort=sort, before=cursor or "e30"))


@settings(max_examples=200, deadline=None)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), number=st.integers(1, 2**63 - 1)
)
def test_a_cursor_holds_any_name(value: str, number: int) -> None:
    column = User.__table__.c.name_key  # type: ignore[attr-defined]
    assert _read_cursor(_cursor({"name_key": value, "id": number}, column), column) == (value, number)


@pytest.fixture
def accounts(session: Session, cast: Cast, clock: Clock, people: list[User]) -> int:
    office = populate.app(session, cast.contoso, clock())
    told: list[dict[str, object]] = [
        {"standing": {"guest": True}}, {"standing": {"synced": True, "licensed": True}}, {"enabled": False},
        {"situation": Situation.GONE}, {"situation": Situation.DISPUTED}, {},
    ]  # fmt: skip
    for person, values in zip(people, told, strict=False):
        populate.account(session, office, person, clock(), **values)
    people[0].origins = {"email": [office.id, "t"], "surname": [office.id, "t"]}
    people[1].lifecycle = Lifecycle.SUSPENDED
    session.flush()
    return populate.number(office)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"standing": Standing.GUEST}, [0]),
        ({"standing": Standing.SYNCED}, [1]),
        ({"standing": Standing.DISABLED}, [2]),
        ({"problem": Situation.GONE}, [3]),
        ({"problem": Situation.DISPUTED}, [4]),
        ({"lifecycle": Lifecycle.SUSPENDED}, [1]),
        ({"standing": Standing.SYNCED, "lifecycle": Lifecycle.ACTIVE}, []),
        ({"text": "ada", "standing": Standing.GUEST}, [0]),
        ({"app": 1}, [0, 1, 2, 3, 4, 5]),
        ({"app": 99}, []),
    ],
)
def test_filters_narrow_together(
    session: Session, cast: Cast, people: list[User], accounts: int, query: dict[str, object], found: list[int]
) -> None:
    if query.get("app") == 1:
        query = {"app": accounts}
    assert sorted(_names(session, cast, **query)) == sorted(NAMES[number] for number in found)


def test_a_row_names_its_accounts_and_the_app_its_values_came_from(
    session: Session, cast: Cast, people: list[User], accounts: int
) -> None:
    rows = {row.name: row for row in users.search(session, cast.contoso, Query()).rows}
    assert rows["Ada Lindqvist"].source == "Office 365"
    assert rows["Ada Lindqvist"].accounts[0].standing == {"guest": True}
    assert (rows["Zoë"].source, rows["Zoë"].accounts) == ("", ())


def test_everybody_is_counted_and_filtered_people_up_to_a_thousand(session: Session, cast: Cast, clock: Clock) -> None:
    for number in range(1003):
        populate.person(session, cast.contoso, clock(), f"Person {number:04}")
    assert users.search(session, cast.contoso, Query()).count == users.Count(1003)
    assert users.search(session, cast.contoso, Query(text="person")).count == users.Count(1000, more=True)
    assert users.search(session, cast.contoso, Query(text="person 100")).count == users.Count(4)


@pytest.mark.parametrize("text", ["user3", "USER3", " p3@contoso.EXAMPLE ", "number"])
def test_a_command_line_names_a_person_by_username_address_or_number(
    session: Session, cast: Cast, people: list[User], text: str
) -> None:
    asked = str(people[3].id) if text == "number" else text
    assert users.find(session, cast.contoso, asked).id == people[3].id


@pytest.mark.parametrize("text", ["", "  ", "nobody", "99999999999999999999999", "p0@fabrikam.example", "\x00"])
def test_nobody_is_found_by_what_names_nobody(session: Session, cast: Cast, people: list[User], text: str) -> None:
    with pytest.raises(NotFound):
        users.find(session, cast.contoso, text)


def test_a_shared_username_is_never_the_first_of_several(
    session: Session, cast: Cast, clock: Clock, people: list[User]
) -> None:
    populate.person(session, cast.contoso, clock(), "Another", username="User3", email="other@contoso.example")
    with pytest.raises(Conflict) as several:
        users.find(session, cast.contoso, "user3")
    assert "other@contoso.example" in several.value.params["people"]


def test_who_left_is_found_only_when_nobody_else_fits(session: Session, cast: Cast, clock: Clock) -> None:
    left = populate.person(session, cast.contoso, clock(), "Gone", username="sam", lifecycle=Lifecycle.LEFT)
    assert users.find(session, cast.contoso, "sam").id == left.id
    here = populate.person(session, cast.contoso, clock(), "Here", username="sam")
    assert users.find(session, cast.contoso, "sam").id == here.id


# -- One person --------------------------------------------------------------------------------------------------------------


def _cells(person: users.Person) -> dict[str, tuple[str | None, str]]:
    return {line.name: (cell.value, cell.state) for line in person.lines for cell in line.cells.values()}


def _person(session: Session, cast: Cast, clock: Clock, **values: object) -> User:
    given = {"email": "kim@contoso.example", "username": "kim", "given_name": "Kim", "surname": "Lee", **values}
    return populate.person(session, cast.contoso, clock(), "Kim Lee", **given)


def test_equal_values_are_the_same_and_unmapped_ones_have_no_cell(session: Session, cast: Cast, clock: Clock) -> None:
    kim = _person(session, cast, clock, department="Imaging")
    populate.account(session, populate.app(session, cast.contoso, clock()), kim, clock())
    person = users.show(session, cast.contoso, populate.number(kim))
    assert {state for _, state in _cells(person).values()} == {"same"}
    assert next(line for line in person.lines if line.name == "department").cells == {}
    assert person.accounts[0].drifted == 0


def test_a_value_that_moved_there_comes_one_that_moved_here_goes_and_one_that_moved_on_both_sides_is_drift(
    session: Session, cast: Cast, clock: Clock
) -> None:
    kim = _person(session, cast, clock, surname="Leigh", username="kimmy")
    office = populate.app(session, cast.contoso, clock())
    before = {"givenName": "Kim", "surname": "Lee", "mailNickname": "kim", "userPrincipalName": "kim@contoso.example"}
    moved = {"givenName": "Kimberly", "mailNickname": "kim.lee"}
    populate.account(session, office, kim, clock(), observed={**before, **moved}, absorbed=before, anchor="id")
    person = users.show(session, cast.contoso, populate.number(kim))
    cells = _cells(person)
    assert cells["given_name"] == ("Kimberly", "coming")
    assert cells["surname"] == ("Lee", "unsent")
    assert cells["username"] == ("kim.lee", "drifted")
    assert person.accounts[0].drifted == 1
    assert [line.name for line in person.lines if line.drifted] == ["username"]


def test_what_was_mapped_late_is_still_to_be_sent_and_no_drift(session: Session, cast: Cast, clock: Clock) -> None:
    kim = _person(session, cast, clock, surname="Leigh")
    seen = {"givenName": "Kim", "surname": "Lee"}
    populate.account(
        session, populate.app(session, cast.contoso, clock()), kim, clock(), observed=seen,
        absorbed={"givenName": "Kim"}, anchor="id",
    )  # fmt: skip
    assert _cells(users.show(session, cast.contoso, populate.number(kim)))["surname"] == ("Lee", "unsent")


def test_what_a_directory_owns_there_is_neither_drift_nor_still_to_be_sent(
    session: Session, cast: Cast, clock: Clock
) -> None:
    kim = _person(session, cast, clock, surname="Leigh")
    populate.account(
        session, populate.app(session, cast.contoso, clock()), kim, clock(), observed={"surname": "Lee"},
        absorbed={"surname": "Lee"}, standing={"synced": True}, anchor="id",
    )  # fmt: skip
    assert _cells(users.show(session, cast.contoso, populate.number(kim)))["surname"] == ("Lee", "differs")


@pytest.mark.parametrize(("there", "state"), [("Kim Lee", "same"), ("Kim the Second", "differs")])
def test_a_display_name_that_a_create_made_of_first_and_last_name_is_no_difference(
    session: Session, cast: Cast, clock: Clock, there: str, state: str
) -> None:
    kim = _person(session, cast, clock)
    kim.display_name = None
    office = populate.app(session, cast.contoso, clock())
    row = Mapping(
        tenant_id=cast.contoso, connector_id=populate.number(office), ours="display_name", theirs="displayName"
    )
    session.add(row)
    seen = {"displayName": there}
    populate.account(session, office, kim, clock(), observed=seen, absorbed=seen, anchor="id")
    assert _cells(users.show(session, cast.contoso, populate.number(kim)))["display_name"] == (there, state)


def test_what_was_never_read_there_is_not_called_different(session: Session, cast: Cast, clock: Clock) -> None:
    kim = _person(session, cast, clock)
    account = populate.account(session, populate.app(session, cast.contoso, clock()), kim, clock())
    account.observed = {"userPrincipalName": "kim@contoso.example"}
    session.flush()
    assert _cells(users.show(session, cast.contoso, populate.number(kim)))["surname"] == (None, "unknown")


def test_an_account_that_is_gone_drifts_no_more(session: Session, cast: Cast, clock: Clock) -> None:
    kim = _person(session, cast, clock)
    office = populate.app(session, cast.contoso, clock())
    populate.account(session, office, kim, clock(), observed={"surname": "Other"}, situation=Situation.GONE)
    assert _cells(users.show(session, cast.contoso, populate.number(kim)))["surname"] == ("Other", "differs")


def test_custom_attributes_origins_and_a_federated_domain_are_told(session: Session, cast: Cast, clock: Clock) -> None:
    facts = {"domains": [{"name": "Contoso.example", "federated": True}]}
    office = populate.app(session, cast.contoso, clock(), facts=facts)
    session.add(CustomAttribute(tenant_id=cast.contoso, name="badge", label="Badge"))
    kim = _person(
        session, cast, clock, extra={"badge": "7"}, origins={"surname": [office.id, "t"], "email": [999, "t"]}
    )
    populate.account(session, office, kim, clock(), standing={"synced": True})
    person = users.show(session, cast.contoso, populate.number(kim))
    lines = {line.name: line for line in person.lines}
    assert (lines["extra.badge"].label, lines["extra.badge"].value) == ("Badge", "7")
    assert (lines["surname"].source, lines["email"].source) == ("Office 365", "")
    assert person.accounts[0].standing == {"synced": True, "federated": True}
    assert lines["surname"].cells[person.accounts[0].id].owner is Owner.EITHER


def test_the_timeline_is_newest_first_and_ones_own(session: Session, cast: Cast, clock: Clock) -> None:
    kim, sam = _person(session, cast, clock), populate.person(session, cast.contoso, clock(), "Sam")
    for action in ("user.created", "user.updated"):
        populate.told(session, cast.contoso, clock(), action, kim)
        populate.told(session, cast.contoso, clock(), action, sam)
    person = users.show(session, cast.contoso, populate.number(kim))
    assert [event.action for event, _ in person.timeline] == ["user.updated", "user.created"]


def test_someone_elses_person_is_not_there(session: Session, cast: Cast, clock: Clock) -> None:
    kim = _person(session, cast, clock)
    with pytest.raises(NotFound):
        users.show(session, cast.fabrikam, populate.number(kim))
