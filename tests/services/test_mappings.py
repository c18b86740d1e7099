"""An app's mapping: what may be saved, what saving starts, and what it would do to real people."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.mapping import Row
from provision.core.tables import Account, Event, User
from provision.core.tables import Mapping as MappingTable
from provision.core.vocabulary import Direction, Flow, MappingKind, Owner
from provision.house import House
from provision.services import connectors, mappings
from provision.services.errors import Conflict, Invalid, NotFound
from tests import office
from tests.cast import Cast

TITLE = Row(Direction.BOTH, "title", "jobTitle")


@pytest.fixture
def app(house: House, cast: Cast) -> int:
    return office.connected(house, cast.contoso)


@pytest.fixture
def schema(house: House, cast: Cast, app: int):
    return house.connect(office.of(house, cast.contoso, app)).schema()


@pytest.fixture
def rows(house: House, cast: Cast, app: int) -> list[Row]:
    with house.db.reading() as session:
        return mappings.rows(session, cast.contoso, app)


@pytest.fixture
def keep(house: House, cast: Cast, app: int, schema):
    def _keep(wanted: list[Row]) -> None:
        with house.db.writing() as session:
            mappings.save(session, cast.contoso, app, wanted, schema, "ada", house.now())

    return _keep


def _person(session: Session, cast: Cast, app: int, name: str = "Jane", **there: str) -> int:
    at = _now(session, cast)
    user = User(
        tenant_id=cast.contoso, username=name.lower(), email=f"{name.lower()}@fjordvik.example",
        email_key=f"{name.lower()}@fjordvik.example", given_name=name, surname="Doe", display_name=f"{name} Doe",
        name_key=f"{name.lower()} doe", title="Nurse", created_at=at, changed_at=at,
    )  # fmt: skip
    session.add(user)
    session.flush()
    seen = {
        "givenName": name, "surname": "Doe", "mailNickname": name.lower(),
        "userPrincipalName": f"{name.lower()}@fjordvik.example", "displayName": f"{name} Doe", **there,
    }  # fmt: skip
    account = Account(
        tenant_id=cast.contoso, connector_id=app, user_id=user.id, anchor=f"id-{name}", name=name, situation="linked",
        observed=seen, absorbed=seen,
    )  # fmt: skip
    session.add(account)
    session.flush()
    return user.id or 0


def _now(session: Session, cast: Cast):
    return session.exec(select(Event.at).where(Event.tenant_id == cast.contoso)).first()


# -- Saving ----------------------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were_saved_and_in_their_order(house: House, cast: Cast, app: int, rows, keep) -> None:
    wanted = [replace(TITLE, flow=Flow.IF_EMPTY, owner=Owner.OURS), *reversed(rows)]
    keep(wanted)
    with house.db.reading() as session:
        kept = mappings.rows(session, cast.contoso, app)
    assert kept == [replace(row, position=index) for index, row in enumerate(wanted)]


def test_only_rows_that_differ_are_written(house: House, cast: Cast, app: int, rows, keep) -> None:
    def numbers() -> dict[str, int | None]:
        with house.db.reading() as session:
            return {row.theirs: row.id for row in session.exec(select(MappingTable))}

    before = numbers()
    keep([replace(rows[0], owner=Owner.OURS), *rows[1:], TITLE])
    after = numbers()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"jobTitle"}


def test_two_rows_may_change_places_under_the_unique_constraint(house: House, cast: Cast, app: int, rows, keep) -> None:
    swapped = [replace(rows[0], ours=rows[1].ours), replace(rows[1], ours=rows[0].ours), *rows[2:]]
    keep(swapped)
    with house.db.reading() as session:
        assert [row.ours for row in mappings.rows(session, cast.contoso, app)][:2] == ["surname", "given_name"]


def test_saving_the_same_again_changes_nothing_and_says_nothing(house: House, cast: Cast, app: int, rows, keep) -> None:
    before = office.of(house, cast.contoso, app)
    keep(rows)
    assert office.of(house, cast.contoso, app) == before
    with house.db.reading() as session:
        assert "mapping.saved" not in session.exec(select(Event.action)).all()


def test_a_change_of_what_flows_in_makes_every_account_due(house: House, cast: Cast, app: int, rows, keep) -> None:
    before = office.of(house, cast.contoso, app).mapping_version
    keep([replace(rows[0], owner=Owner.THEIRS), *rows[1:]])
    assert office.of(house, cast.contoso, app).mapping_version == before + 1


def test_a_change_of_what_flows_out_only_does_not(house: House, cast: Cast, app: int, rows, keep) -> None:
    before = office.of(house, cast.contoso, app).mapping_version
    keep([*rows, Row(Direction.OUT, "Fjordvik", "companyName", kind=MappingKind.CONSTANT)])
    assert office.of(house, cast.contoso, app).mapping_version == before


def test_the_order_alone_makes_nothing_due(house: House, cast: Cast, app: int, rows, keep) -> None:
    before = office.of(house, cast.contoso, app).mapping_version
    keep(list(reversed(rows)))
    assert office.of(house, cast.contoso, app).mapping_version == before


@pytest.mark.parametrize(("row", "watermark"), [(TITLE, None), (replace(TITLE, direction=Direction.OUT), "w1")])
def test_an_attribute_that_was_never_read_makes_the_next_import_read_everybody(
    house: House, cast: Cast, app: int, rows, keep, row: Row, watermark: str | None
) -> None:
    with house.db.writing() as session:
        connectors.get(session, cast.contoso, app).watermark = "w1"
    keep([*rows, row])
    assert office.of(house, cast.contoso, app).watermark == watermark


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row(Direction.BOTH, "title", "noSuchThing"), "mapping_unknown_attribute"),
        (Row(Direction.OUT, "given_name", "mail"), "mapping_read_only"),
        (Row(Direction.OUT, "lower(", "jobTitle", kind=MappingKind.EXPRESSION), "mapping_expression_unfinished"),
        (Row(Direction.OUT, "given_name", "surname"), "mapping_target_twice"),
        (Row(Direction.BOTH, "Boss", "jobTitle", kind=MappingKind.CONSTANT), "mapping_one_way_only"),
    ],
)
def test_rows_that_cannot_work_are_refused_and_nothing_is_kept(
    house: House, cast: Cast, app: int, rows, keep, row: Row, code: str
) -> None:
    with pytest.raises(mappings.Unfit) as refused:
        keep([*rows, row])
    assert (refused.value.code, refused.value.status) == (code, 422)
    assert refused.value.problems[0].row == len(rows)
    with house.db.reading() as session:
        assert mappings.rows(session, cast.contoso, app) == rows


def test_one_attribute_is_read_once(keep, rows) -> None:
    twice = [Row(Direction.IN, "title", "jobTitle"), Row(Direction.IN, "department", "jobTitle")]
    with pytest.raises(mappings.Unfit) as refused:
        keep([*rows, *twice])
    assert refused.value.code == "mapping_read_twice"


def test_someone_elses_app_cannot_be_mapped(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session, pytest.raises(NotFound):
        mappings.save(session, cast.fabrikam, app, rows, schema, "cy", house.now())


# -- The page's one Save -----------------------------------------------------------------------------------------------------


def test_A_15_switches_and_rows_are_kept_together(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        loaded = mappings.seen(session, cast.contoso, app)
        wanted = mappings.Wanted([*rows, TITLE], {"import": True}, "automatic", {"guests": "leave"})
        mappings.save_page(session, cast.contoso, app, wanted, schema, loaded, "ada", house.now())
    kept = office.of(house, cast.contoso, app)
    assert (kept.features["import"], kept.approval, kept.scope["guests"]) == (True, "automatic", "leave")


@pytest.mark.parametrize("changed", ["rows", "switches", "settings"])
def test_who_saves_over_someone_elses_save_is_told(
    house: House, cast: Cast, app: int, rows, schema, keep, changed: str
) -> None:
    with house.db.reading() as session:
        loaded = mappings.seen(session, cast.contoso, app)
    with house.db.writing() as session:
        if changed == "rows":
            mappings.save(session, cast.contoso, app, [*rows, TITLE], schema, "ben", house.now())
        elif changed == "switches":
            connectors.features(session, cast.contoso, app, {"import": True}, None, "ben", house.now())
        else:
            connectors.settle(session, cast.contoso, app, {"every_minutes": 60}, "ben", house.now())
    with house.db.writing() as session, pytest.raises(Conflict):
        mappings.save_page(session, cast.contoso, app, mappings.Wanted(rows, {}), schema, loaded, "ada", house.now())


# -- What it would do --------------------------------------------------------------------------------------------------------


def test_nobody_would_change_while_everyone_is_in_line(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        _person(session, cast, app)
        would = mappings.would_change(session, cast.contoso, app, rows, schema)
    assert (would.of, would.there.people, would.here.people) == (1, 0, 0)


def test_people_who_would_change_there_are_counted_by_attribute_and_shown(
    house: House, cast: Cast, app: int, rows, schema
) -> None:
    with house.db.writing() as session:
        for name in ("Ann", "Bea", "Cat", "Dot"):
            _person(session, cast, app, name, jobTitle="Doctor")
        _person(session, cast, app, "Eve", jobTitle="Nurse")
        would = mappings.would_change(session, cast.contoso, app, [*rows, replace(TITLE, owner=Owner.OURS)], schema)
    assert (would.of, would.there.people, would.there.attributes) == (5, 4, (("jobTitle", 4),))
    assert [name for _id, name, _changes in would.there.sample] == ["Ann Doe", "Bea Doe", "Cat Doe"]
    change = would.there.sample[0][2][0]
    assert (change.attribute, change.was, change.becomes) == ("jobTitle", "Doctor", "Nurse")
    assert would.unread == ()


def test_what_was_never_read_there_is_named_and_not_called_empty(
    house: House, cast: Cast, app: int, rows, schema
) -> None:
    wanted = [*rows, replace(TITLE, owner=Owner.OURS)]
    with house.db.writing() as session:
        _person(session, cast, app, "Ann")
        connectors.get(session, cast.contoso, app).watermark = "w"
        mappings.save(session, cast.contoso, app, wanted, schema, "ada", house.now())
        would = mappings.would_change(session, cast.contoso, app, wanted, schema)
    assert (would.there.people, would.unread) == (1, ("jobTitle",))


def test_people_who_would_change_here_are_counted_apart(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        _person(session, cast, app, jobTitle="Doctor")
        would = mappings.would_change(session, cast.contoso, app, [*rows, replace(TITLE, owner=Owner.THEIRS)], schema)
    assert (would.there.people, would.here.people, would.here.attributes) == (0, 1, (("title", 1),))


def test_people_whom_a_directory_owns_there_are_not_written(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        _person(session, cast, app, jobTitle="Doctor")
        session.execute(sa.update(Account).values(standing={"synced": True}))
        would = mappings.would_change(session, cast.contoso, app, [*rows, replace(TITLE, owner=Owner.OURS)], schema)
    assert (would.of, would.synced, would.there.people) == (1, 1, 0)


def test_people_who_left_are_not_counted(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        _person(session, cast, app, jobTitle="Doctor")
        session.execute(sa.update(User).values(lifecycle="left"))
        assert mappings.would_change(session, cast.contoso, app, rows, schema).of == 0


def test_counting_everybody_takes_a_handful_of_statements(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        for number in range(30):
            _person(session, cast, app, f"P{number}")
    asked: list[str] = []
    with house.db.reading() as session:
        sa.event.listen(house.db.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        assert mappings.would_change(session, cast.contoso, app, rows, schema).of == 30
    assert len(asked) < 5


def test_a_row_is_tried_on_a_real_person(house: House, cast: Cast, app: int, rows, schema) -> None:
    upper = Row(Direction.OUT, "upper(title)", "jobTitle", kind=MappingKind.EXPRESSION, owner=Owner.OURS)
    with house.db.writing() as session:
        jane = _person(session, cast, app, jobTitle="Nurse")
        lines = mappings.preview(session, cast.contoso, app, [*rows, upper], schema, jane)
    (last,) = [line for line in lines if line.row == len(rows)]
    assert (last.outward, last.target, last.was, last.becomes, last.moves) == (True, "jobTitle", "Nurse", "NURSE", True)
    assert not any(line.moves for line in lines if line is not last)


def test_a_person_without_an_account_is_shown_what_a_new_one_would_hold(
    house: House, cast: Cast, app: int, rows, schema
) -> None:
    with house.db.writing() as session:
        jane = _person(session, cast, app)
        session.execute(sa.delete(Account).where(col(Account.user_id) == jane))
        lines = mappings.preview(session, cast.contoso, app, rows, schema, jane)
    assert {line.target: line.becomes for line in lines}["displayName"] == "Jane Doe"
    assert all(line.outward and line.was is None for line in lines)


def test_someone_elses_person_cannot_be_tried(house: House, cast: Cast, app: int, rows, schema) -> None:
    with house.db.writing() as session:
        jane = _person(session, cast, app)
        with pytest.raises(NotFound):
            mappings.preview(session, cast.fabrikam, app, rows, schema, jane)


# -- Attributes of one's own -------------------------------------------------------------------------------------------------


def test_A_13_an_attribute_of_ones_own_can_be_mapped(house: House, cast: Cast, app: int, rows, keep) -> None:
    with house.db.writing() as session:
        added = mappings.add_attribute(session, cast.contoso, "Licence nø. ", "ada", house.now())
        assert mappings.user_attributes(session, cast.contoso)[f"extra.{added.name}"] == "Licence nø."
    keep([*rows, Row(Direction.BOTH, f"extra.{added.name}", "extensionAttribute4")])


@pytest.mark.parametrize("label", ["", "123", "x" * 65, "名前"])
def test_an_attribute_needs_a_name_that_an_expression_can_write(house: House, cast: Cast, label: str) -> None:
    with house.db.writing() as session, pytest.raises(Invalid):
        mappings.add_attribute(session, cast.contoso, label, "ada", house.now())


@pytest.mark.parametrize("label", ["Shoe size", "SHOE SIZE", "Given name"])
def test_an_attribute_is_added_once(house: House, cast: Cast, label: str) -> None:
    with house.db.writing() as session:
        mappings.add_attribute(session, cast.contoso, "Shoe size", "ada", house.now())
        with pytest.raises(Conflict):
            mappings.add_attribute(session, cast.contoso, label, "ada", house.now())


def test_another_organisation_does_not_see_it(house: House, cast: Cast) -> None:
    with house.db.writing() as session:
        mappings.add_attribute(session, cast.contoso, "Shoe size", "ada", house.now())
        assert mappings.attributes(session, cast.fabrikam) == []
