"""What is written down stays, in order, and a later change of it shows."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from provision.core.tables import Event, EventDetail, EventHead
from provision.house import House
from provision.services import events
from tests.cast import Cast

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)
EVENTS: sa.Table = Event.__table__  # type: ignore[attr-defined]
DETAILS: sa.Table = EventDetail.__table__  # type: ignore[attr-defined]
HEADS: sa.Table = EventHead.__table__  # type: ignore[attr-defined]


@pytest.fixture
def told(house: House, cast: Cast) -> int:
    """Ten entries of Contoso, in two transactions; returns the sequence before them."""
    with house.db.reading() as session:
        before = session.scalar(sa.select(HEADS.c.sequence).where(HEADS.c.tenant_id == cast.contoso)) or 0
    for part in range(2):
        entries = [
            events.Entry("ada", "user.updated", user_id=number, before={"ø": None}, after={"ø": number, "a": [1.5, "b"]},
                         names={"user": "Ådne Øst", "address": "Adne@X.example"})
            for number in range(part * 5, part * 5 + 5)
        ]  # fmt: skip
        with house.db.writing() as session:
            events.append(session, cast.contoso, entries, NOW)
    return before


def verify(house: House, tenant: int) -> int | None:
    with house.db.reading() as session:
        return events.verify(session, tenant)


def unguarded(house: House, statement: sa.Executable) -> None:
    """What somebody does who owns the database file: the triggers are no obstacle to them."""
    with house.db.writing() as session:
        names = ["events_refuse_update", "events_refuse_delete"] if house.db.is_sqlite else ["events_refuse ON events"]
        for name in names:
            session.execute(sa.text(f"DROP TRIGGER {name}"))
        session.execute(statement)


def test_a_chain_of_honest_entries_verifies(house: House, cast: Cast, told: int) -> None:
    assert verify(house, cast.contoso) is None


def test_an_empty_chain_verifies(house: House, cast: Cast) -> None:
    assert verify(house, 4711) is None


def test_entries_are_numbered_without_gaps_and_tenants_do_not_share_numbers(
    house: House, cast: Cast, told: int
) -> None:
    with house.db.writing() as session:
        events.append(session, cast.fabrikam, [events.Entry("cy", "x")], NOW)
    with house.db.reading() as session:
        numbers = session.scalars(sa.select(EVENTS.c.sequence).where(EVENTS.c.tenant_id == cast.contoso)).all()
    assert sorted(numbers) == list(range(1, told + 11))


def test_a_time_of_another_zone_verifies_too(house: House, cast: Cast) -> None:
    with house.db.writing() as session:
        events.append(session, cast.contoso, [events.Entry("ada", "x")], NOW.astimezone(timezone(timedelta(hours=5))))
    assert verify(house, cast.contoso) is None


@pytest.mark.parametrize("verb", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_the_database_refuses_to_change_an_entry(house: House, cast: Cast, told: int, verb: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), house.db.writing() as session:
        session.execute(sa.text(verb))


def test_a_changed_entry_is_found(house: House, cast: Cast, told: int) -> None:
    unguarded(house, sa.update(EVENTS).where(EVENTS.c.sequence == told + 4).values(actor="mallory"))
    assert verify(house, cast.contoso) == told + 4


def test_a_removed_entry_is_found(house: House, cast: Cast, told: int) -> None:
    number = sa.select(EVENTS.c.id).where(EVENTS.c.sequence == told + 4, EVENTS.c.tenant_id == cast.contoso)
    with house.db.writing() as session:
        session.execute(sa.delete(DETAILS).where(DETAILS.c.event_id.in_(number)))
    unguarded(house, sa.delete(EVENTS).where(EVENTS.c.sequence == told + 4, EVENTS.c.tenant_id == cast.contoso))
    assert verify(house, cast.contoso) == told + 4


def test_a_cut_off_end_is_found(house: House, cast: Cast, told: int) -> None:
    last = sa.select(EVENTS.c.id).where(EVENTS.c.sequence == told + 10, EVENTS.c.tenant_id == cast.contoso)
    with house.db.writing() as session:
        session.execute(sa.delete(DETAILS).where(DETAILS.c.event_id.in_(last)))
    unguarded(house, sa.delete(EVENTS).where(EVENTS.c.sequence == told + 10, EVENTS.c.tenant_id == cast.contoso))
    assert verify(house, cast.contoso) == told + 10


def test_two_swapped_entries_are_found(house: House, cast: Cast, told: int) -> None:
    swapped = sa.case((EVENTS.c.user_id == 2, 3), else_=2)
    unguarded(house, sa.update(EVENTS).where(EVENTS.c.user_id.in_([2, 3])).values(user_id=swapped))
    assert verify(house, cast.contoso) == told + 3


def test_changed_details_are_found_and_dropped_ones_are_no_fault(house: House, cast: Cast, told: int) -> None:
    with house.db.writing() as session:
        session.execute(sa.delete(DETAILS))
    assert verify(house, cast.contoso) is None
    with house.db.writing() as session:
        events.append(session, cast.contoso, [events.Entry("ada", "x", after={"a": 1})], NOW)
        session.execute(sa.update(DETAILS).values(after={"a": 2}))
    assert verify(house, cast.contoso) == told + 11


def test_people_are_found_by_name_and_address_in_any_case(house: House, cast: Cast, told: int) -> None:
    with house.db.reading() as session:
        keys = set(session.scalars(sa.select(DETAILS.c.who_key).where(DETAILS.c.who_key != "")))
    assert "ådne øst\nadne@x.example" in keys


def test_a_timeline_begins_with_the_latest(house: House, cast: Cast, told: int) -> None:
    with house.db.writing() as session:
        events.append(session, cast.contoso, [events.Entry("ada", "user.left", user_id=3)], NOW)
    with house.db.reading() as session:
        line = events.timeline(session, cast.contoso, 3)
        assert [event.action for event, _ in line] == ["user.left", "user.updated"]
        assert line[1][1] is not None
        assert events.digest_of(line[1][1]) == line[1][0].detail_digest
        assert events.timeline(session, cast.fabrikam, 3) == []


def test_nothing_to_tell_writes_nothing(house: House, cast: Cast) -> None:
    with house.db.writing() as session:
        events.append(session, cast.contoso, [], NOW)
    assert verify(house, cast.contoso) is None
