"""The Provisioning Report and what Home says needs a person."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from provision.core import deeds, sheet
from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import (
    Asks,
    ConnectorState,
    CycleState,
    OperationKind,
    OperationState,
    Outcome,
    Situation,
)
from provision.services import reports
from provision.services.errors import NotFound
from provision.services.reports import Filter
from tests import populate
from tests.cast import Cast, Clock


@pytest.fixture
def office(session: Session, cast: Cast, clock: Clock) -> Connector:
    return populate.app(session, cast.contoso, clock())


@pytest.fixture
def kim(session: Session, cast: Cast, clock: Clock) -> User:
    return populate.person(session, cast.contoso, clock(), "Kim Lee", email="kim@contoso.example")


def _day(clock: Clock, **more: object) -> Filter:
    return Filter(clock() - timedelta(days=1), clock(), **more)  # type: ignore[arg-type]


def _actions(session: Session, cast: Cast, wanted: Filter) -> list[str]:
    return [row.action for row in reports.rows(session, cast.contoso, wanted)]


def test_R_5_without_filters_everything_of_the_time_span_is_there_newest_first(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    populate.told(session, cast.contoso, clock() - timedelta(hours=25), "user.created", kim)
    populate.told(session, cast.contoso, clock() - timedelta(hours=2), "user.updated", kim)
    populate.told(session, cast.contoso, clock(), "cycle.done", connector_id=office.id)
    populate.told(session, cast.fabrikam, clock(), "user.created")
    assert _actions(session, cast, _day(clock)) == ["cycle.done", "user.updated"]
    assert _actions(session, cast, Filter(clock() - timedelta(days=7), clock())) == [
        "cycle.done",
        "user.updated",
        "user.created",
    ]


def test_who_signed_in_and_what_was_set_up_belong_to_another_report(session: Session, cast: Cast, clock: Clock) -> None:
    for action in ("operator.signed_in", "connector.saved", "mapping.saved", "features.saved", "userland.x"):
        populate.told(session, cast.contoso, clock(), action)
    assert _actions(session, cast, _day(clock)) == []


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("kim", 1), ("KIM lee", 1), ("lee@", 0), ("kim@contoso", 1), ("sam", 1), ("%", 0), ("nobody", 0), ("", 2), ("#", 0),
    ],
)  # fmt: skip
def test_R_2_people_are_found_by_part_of_name_or_address(
    session: Session, cast: Cast, clock: Clock, kim: User, who: str, found: int
) -> None:
    sam = populate.person(session, cast.contoso, clock(), "Sam", email="sam@contoso.example")
    for person in (kim, sam):
        populate.told(session, cast.contoso, clock(), "user.created", person)
    wanted = _day(clock, who=who)
    assert len(list(reports.rows(session, cast.contoso, wanted))) == found
    assert reports.summary(session, cast.contoso, wanted).total == found


def test_a_number_finds_one_person_and_with_a_hash_nobody_else(
    session: Session, cast: Cast, clock: Clock, kim: User
) -> None:
    other = populate.person(session, cast.contoso, clock(), f"Agent {kim.id}")
    for person in (kim, other):
        populate.told(session, cast.contoso, clock(), "user.created", person)
    assert len(_actions(session, cast, _day(clock, who=str(kim.id)))) == 2
    assert [row.user for row in reports.rows(session, cast.contoso, _day(clock, who=f"#{kim.id}"))] == ["Kim Lee"]


def test_application_and_result_narrow_together(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    populate.told(session, cast.contoso, clock(), "user.created", kim, connector_id=office.id)
    populate.told(session, cast.contoso, clock(), "cycle.failed", connector_id=office.id, outcome=Outcome.FAILED)
    populate.told(session, cast.contoso, clock(), "user.updated", kim)
    assert _actions(session, cast, _day(clock, app=office.id)) == ["cycle.failed", "user.created"]
    assert _actions(session, cast, _day(clock, app=office.id, result=Outcome.FAILED)) == ["cycle.failed"]


def test_pages_go_on_where_the_last_one_ended_even_within_one_moment(
    session: Session, cast: Cast, clock: Clock, kim: User
) -> None:
    for number in range(25):
        populate.told(session, cast.contoso, clock() - timedelta(minutes=number // 10), "user.updated", kim)
    whole = [row.id for row in reports.rows(session, cast.contoso, _day(clock))]
    walked, place = [], None
    while True:
        page = reports.page(session, cast.contoso, _day(clock, after=place), limit=7)
        walked += [row.id for row in page.rows]
        place = page.older
        if place is None:
            break
    assert walked == whole
    assert len(set(whole)) == 25


def test_R_6_a_row_tells_time_user_application_operation_status_message_actor_and_changes(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    populate.told(
        session, cast.contoso, clock(), "user.updated", kim, connector_id=office.id,
        before={"title": None, "department": "A"}, after={"title": "Lead", "department": "B"},
    )  # fmt: skip
    (row,) = reports.rows(session, cast.contoso, _day(clock))
    cells = dict(zip(reports.COLUMNS, reports.as_cells(row), strict=True))
    assert cells == {
        "time": "2026-11-23T09:30:00+00:00",
        "user": "Kim Lee",
        "address": "kim@contoso.example",
        "application": "Office 365",
        "operation": "update",
        "status": "done",
        "message": "Taken over from Office 365: Department, Job Title",
        "actor": "ada@contoso.example",
        "changes": "Department: A → B; Job Title: empty → Lead",
    }
    assert reports.as_object(row)["changes"] == {"Job Title": [None, "Lead"], "Department": ["A", "B"]}


def test_an_export_says_who_the_manager_is_and_not_their_number(
    session: Session, cast: Cast, clock: Clock, kim: User
) -> None:
    populate.told(session, cast.contoso, clock(), "user.updated", kim, before={"manager_id": 10**9},
                  after={"manager_id": kim.id, "title": f"#{kim.id}"})  # fmt: skip
    (row,) = reports.rows(session, cast.contoso, _day(clock))
    told = reports.as_object(row)["changes"]
    assert (told["Manager"], told["Job Title"]) == ([f"#{10**9}", "Kim Lee"], [None, f"#{kim.id}"])
    assert f"Manager: #{10**9} → Kim Lee" in reports.as_cells(row)[-1]


def test_a_row_whose_details_are_gone_still_stands(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    populate.told(session, cast.contoso, clock(), "user.updated", kim, connector_id=office.id, after={"title": "x"})
    session.execute(sa.text("DELETE FROM event_details"))
    (row,) = reports.rows(session, cast.contoso, _day(clock))
    assert (row.user, row.app, row.changes) == ("", "Office 365", [])


def test_one_row_is_of_this_tenant_and_of_this_report(session: Session, cast: Cast, clock: Clock, kim: User) -> None:
    populate.told(session, cast.contoso, clock(), "user.created", kim)
    (row,) = reports.rows(session, cast.contoso, _day(clock))
    assert reports.row(session, cast.contoso, row.id) == row
    for tenant, number in ((cast.fabrikam, row.id), (cast.contoso, row.id + 1), (cast.contoso, 2**62)):
        with pytest.raises(NotFound):
            reports.row(session, tenant, number)


@pytest.mark.parametrize(
    ("days", "step", "bars"), [(1, 1, 25), (2, 1, 49), (7, 6, 29), (30, 24, 31), (90, 168, 14), (9000, 720, 97)]
)
def test_the_chart_has_a_readable_number_of_bars_for_any_time_span(
    session: Session, cast: Cast, clock: Clock, days: int, step: int, bars: int
) -> None:
    found = reports.summary(session, cast.contoso, Filter(clock() - timedelta(days=days), clock()))
    assert found.step == timedelta(hours=step)
    assert abs(len(found.slots) - bars) <= 1


def test_the_chart_counts_what_ended_well_and_badly_in_its_hour(
    session: Session, cast: Cast, clock: Clock, kim: User
) -> None:
    for minutes, outcome in ((5, Outcome.DONE), (20, Outcome.FAILED), (125, Outcome.DONE), (130, Outcome.HELD)):
        populate.told(session, cast.contoso, clock() - timedelta(minutes=minutes), "user.updated", kim, outcome=outcome)
    found = reports.summary(session, cast.contoso, _day(clock))
    told = {slot.at: (slot.done, slot.failed) for slot in found.slots if slot.done or slot.failed}
    assert told == {datetime(2026, 11, 23, 9, tzinfo=UTC): (1, 1), datetime(2026, 11, 23, 7, tzinfo=UTC): (1, 1)}
    assert found.outcomes == {Outcome.DONE: 2, Outcome.FAILED: 1, Outcome.HELD: 1, Outcome.REFUSED: 0}


def test_every_action_of_an_import_has_words_and_every_sentence_its_blanks() -> None:
    for action, deed in deeds.DEEDS.items():
        assert deed.sentence % deeds.blanks({"app": "X"}, {"title": 1}, {}), action
    assert deeds.deed("user.%s").sentence % {} == "user.%s"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", " =", "\u00a0="])
def test_no_cell_can_become_a_formula(start: str) -> None:
    assert sheet.cell(f"{start}1+1").startswith("'")


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n")), min_size=2, max_size=2
        ),
        max_size=5,
    )
)
def test_a_spreadsheet_reads_back_what_was_written_but_for_the_apostrophe(rows: list[list[str]]) -> None:
    text = "".join(sheet.lines(("a", "b"), rows)).removeprefix(sheet.BOM)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["a", "b"], *[[sheet.cell(value) for value in row] for row in rows]]


# -- Home --------------------------------------------------------------------------------------------------------------------


def _needs(session: Session, cast: Cast, clock: Clock) -> list[tuple[str, int]]:
    return [(need.what, need.n) for need in reports.home(session, cast.contoso, clock()).needs]


def test_an_app_in_order_needs_nobody(session: Session, cast: Cast, clock: Clock, office: Connector, kim: User) -> None:
    populate.account(session, office, kim, clock())
    populate.cycle(session, office, clock(), CycleState.DONE, counts={"created": 7, "updated": 2, "unchanged": 90})
    found = reports.home(session, cast.contoso, clock())
    assert found.needs == ()
    assert (found.people, found.apps[0].linked, found.apps[0].last_state) == (1, 1, CycleState.DONE)
    assert (found.days[-1].done, sum(day.done for day in found.days), len(found.days)) == (9, 9, 30)


def test_everything_that_waits_for_a_person_is_named_the_gravest_first(
    session: Session, cast: Cast, clock: Clock, office: Connector
) -> None:
    office.state, office.reason = ConnectorState.QUARANTINED, "secret_expired"
    office.facts = {
        "rights": [{"name": "User.Read.All", "state": "missing"}, {"name": "Domain.Read.All", "state": "granted"}],
        "secret_expires_at": (clock() + timedelta(days=9, hours=1)).isoformat(),
        "notes": {"trouble": {"code": "timed_out"}},
    }
    for number in range(2):
        populate.account(session, office, None, clock(), situation=Situation.DISPUTED, anchor=f"a{number}")
    lacking = {"situation": Situation.DISPUTED, "verdict": {"reason": "incomplete"}}
    populate.account(session, office, None, clock(), anchor="b", **lacking)
    populate.cycle(session, office, clock(), CycleState.HELD, held={"accounts": 38}, started_at=clock())
    assert _needs(session, cast, clock) == [
        ("stopped", 0), ("held", 38), ("trouble", 0), ("missing", 1), ("disputed", 2), ("incomplete", 1),
        ("expires", 9),
    ]  # fmt: skip


def test_what_waits_in_the_queue_is_named_by_app_and_counted(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    states = [
        (OperationState.PENDING, Asks.BRAKE),
        (OperationState.PENDING, Asks.REVIEW),
        (OperationState.BLOCKED, None),
    ]
    for number, (state, asks) in enumerate([*states, (OperationState.FAILED, None), (OperationState.PENDING, None)]):
        account = populate.account(session, office, kim if not number else None, clock(), anchor=f"a{number}")
        _operation(session, account, clock(), state, asks=asks)
    assert _needs(session, cast, clock) == [("braked", 1), ("unsent", 1), ("blocked", 1), ("asked", 1)]


def test_what_was_sent_stands_beside_what_runs_took_over(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    populate.cycle(session, office, clock(), CycleState.DONE, counts={"created": 7})
    account = populate.account(session, office, kim, clock())
    ended = [(OperationState.DONE, 0), (OperationState.DONE, 1), (OperationState.FAILED, 1), (OperationState.DONE, 40)]
    for state, ago in ended:
        _operation(session, account, clock() - timedelta(days=ago), state)
    days = reports.home(session, cast.contoso, clock()).days
    assert [(day.done, day.failed) for day in days[-2:]] == [(1, 1), (8, 0)]
    assert sum(day.done for day in days) == 9


def _operation(session: Session, account: Account, at: datetime, state: OperationState, **more: Any) -> None:
    ended = at if state in (OperationState.DONE, OperationState.FAILED) else None
    given = {
        "tenant_id": account.tenant_id,
        "connector_id": account.connector_id,
        "account_id": account.id,
        "created_by": "ada",
        **more,
    }
    session.add(
        Operation(kind=OperationKind.UPDATE, state=state, due_at=at, created_at=at, settled_at=ended, **given)  # type: ignore[arg-type]
    )
    session.flush()


def test_only_the_latest_run_counts(session: Session, cast: Cast, clock: Clock, office: Connector) -> None:
    populate.cycle(session, office, clock(), CycleState.FAILED, error={"code": "timed_out"})
    assert _needs(session, cast, clock) == [("failed", 0)]
    populate.cycle(session, office, clock(), CycleState.DONE)
    assert _needs(session, cast, clock) == []


@pytest.mark.parametrize(
    ("expires", "found"),
    [
        ("2026-11-22T00:00:00Z", "expired"),
        ("2026-12-20T00:00:00", "expires"),
        ("2027-06-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_a_secret_is_watched_for_thirty_days(
    session: Session, cast: Cast, clock: Clock, office: Connector, expires: object, found: str | None
) -> None:
    office.facts = {"secret_expires_at": expires}
    assert [need.what for need in reports.home(session, cast.contoso, clock()).needs] == ([found] if found else [])


def test_an_app_nobody_connected_yet_says_so(session: Session, cast: Cast, clock: Clock) -> None:
    populate.app(session, cast.contoso, clock(), facts_at=None)
    assert _needs(session, cast, clock) == [("unconnected", 0)]


def test_the_next_import_follows_from_the_last(session: Session, cast: Cast, clock: Clock, office: Connector) -> None:
    office.every_minutes = 60
    populate.cycle(session, office, clock(), CycleState.DONE)
    assert reports.home(session, cast.contoso, clock()).apps[0].next_at == clock() + timedelta(hours=1)
    office.state = ConnectorState.PAUSED
    session.flush()
    assert reports.home(session, cast.contoso, clock()).apps[0].next_at is None


def test_nothing_of_another_tenant_is_told(
    session: Session, cast: Cast, clock: Clock, office: Connector, kim: User
) -> None:
    found = reports.home(session, cast.fabrikam, clock())
    assert (found.needs, found.apps, found.people) == ((), (), 0)
