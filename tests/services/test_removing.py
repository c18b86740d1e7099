"""Removing an app: what is forgotten, what stays, and what stands in the way."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, select

from provision.core.tables import Account, Connector, Cycle, Event, Group, Operation, Token, UploadedFile, User
from provision.core.vocabulary import CycleState, Kind, Lifecycle, OperationKind, OperationState, Situation, TokenScope
from provision.house import House
from provision.services import connectors, cycles, outbox, removing, reports, tokens, users
from provision.services.errors import Conflict, NotFound
from tests import populate
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def app(session: Session, house: House, cast: Cast, clock: Clock) -> Connector:
    """An app with something in every table that knows of apps."""
    return full(session, house, cast.contoso, clock, "Payroll")


def full(session: Session, house: House, tenant: int, clock: Clock, name: str) -> Connector:
    given = {"kind": Kind.SCIM_SOURCE, "config": {}, "every_minutes": 60}
    row = populate.app(session, tenant, clock(), name, **given)
    connectors.set_secret(session, house.vault, tenant, row.id or 0, b"Quiet-Secret", "ada", clock())
    group = Group(
        tenant_id=tenant, name="Deck", name_key="deck", origin_id=row.id, created_at=clock(), changed_at=clock()
    )
    session.add(group)
    session.flush()
    for number in range(3):
        person = populate.person(session, tenant, clock(), f"P{number}", email=f"p{number}@{name.lower()}.example")
        person.origins = {"title": [row.id, clock().isoformat()]}
        account = populate.account(session, row, person, clock(), anchor=f"a{number}")
        operate(session, account, clock, OperationState.DONE)
        populate.told(
            session, tenant, clock(), "account.updated", person, connector_id=row.id, names={"user": f"P{number}"}
        )
    populate.account(session, row, None, clock(), anchor="g", group_id=group.id)
    populate.cycle(session, row, clock(), CycleState.DONE)
    kept = {"name": "people.csv", "content": b"x", "size": 1, "uploaded_by": "ada", "uploaded_at": clock()}
    session.add(UploadedFile(tenant_id=tenant, connector_id=row.id, **kept))
    tokens.issue(
        session, tenant, row.id or 0, scope=TokenScope.WRITE, days=9, actor="ada", now=clock(), token_bytes=os.urandom
    )
    connectors.begin_consent(session, tenant, row.id or 0, 1, clock(), os.urandom)
    session.flush()
    return row


def operate(session: Session, account: Account, clock: Clock, state: OperationState, **values: Any) -> Operation:
    fixed = {"kind": OperationKind.UPDATE, "created_by": "ada", "created_at": clock(), "due_at": clock()}
    where = {"tenant_id": account.tenant_id, "connector_id": account.connector_id, "account_id": account.id}
    row = Operation(**{**where, **fixed, "state": state, "changes": {"title": [None, "Cook"]}, **values})
    session.add(row)
    session.flush()
    return row


def account_of(session: Session, app: Connector) -> Account:
    return session.exec(select(Account).where(Account.connector_id == app.id).order_by(col(Account.id))).all()[0]


def left(session: Session, number: int) -> dict[str, int]:
    """Table → rows that still know the app, the log aside."""
    found = {}
    for table in SQLModel.metadata.sorted_tables:
        if "connector_id" in table.c and table.name != "events":
            query = sa.select(sa.func.count()).where(table.c.connector_id == number)
            found[table.name] = session.scalar(query) or 0
    return {name: count for name, count in found.items() if count}


def test_everything_of_an_app_is_forgotten_and_nothing_else(
    session: Session, house: House, cast: Cast, clock: Clock, app: Connector
) -> None:
    number = app.id or 0
    beside = full(session, house, cast.contoso, clock, "Beside")
    theirs = full(session, house, cast.fabrikam, clock, "Payroll")
    assert len(left(session, number)) >= 6
    before = {each: left(session, each) for each in (beside.id or 0, theirs.id or 0)}
    people = session.scalar(sa.select(sa.func.count()).select_from(User))
    told = session.scalar(sa.select(sa.func.count()).select_from(Event))
    seen = removing.remove(session, cast.contoso, number, "ada", clock())
    session.expire_all()
    assert (seen.people, seen.accounts, seen.groups, seen.tokens, seen.imports) == (3, 4, 1, 1, 1)
    assert left(session, number) == {}
    assert session.get(Connector, number) is None
    assert {each: left(session, each) for each in before} == before
    assert session.scalar(sa.select(sa.func.count()).select_from(User)) == people
    groups = session.exec(select(Group).where(Group.tenant_id == cast.contoso).order_by(col(Group.id))).all()
    assert [group.origin_id for group in groups] == [None, beside.id]
    assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == (told or 0) + 2


def test_it_is_written_down_by_whom_and_the_tokens_with_it(
    session: Session, cast: Cast, clock: Clock, app: Connector
) -> None:
    number = app.id or 0
    removing.remove(session, cast.contoso, number, "ada", clock())
    events = session.exec(select(Event).where(Event.connector_id == number).order_by(col(Event.id).desc())).all()
    assert [(one.action, one.actor) for one in events[:2]] == [
        ("connector.removed", "ada"),
        ("token.revoked", "ada"),
    ]


def test_a_token_lets_nobody_in_any_more(session: Session, cast: Cast, clock: Clock, app: Connector) -> None:
    given = {"scope": TokenScope.READ, "days": 9, "actor": "ada", "now": clock(), "token_bytes": lambda n: b"x" * n}
    _, text = tokens.issue(session, cast.contoso, app.id or 0, **given)  # type: ignore[arg-type]
    assert tokens.bearer(session, text, clock()) is not None
    removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    assert tokens.bearer(session, text, clock()) is None
    assert session.exec(select(Token).where(Token.connector_id == app.id)).all() == []


def test_the_report_stays_readable_under_the_name_of_then_and_can_be_filtered_by_it(
    session: Session, cast: Cast, clock: Clock, app: Connector
) -> None:
    number = app.id or 0
    asked = reports.Filter(since=clock() - timedelta(days=1), until=clock() + timedelta(days=1), app=number)
    before = [(row.user, row.app, row.message) for row in reports.rows(session, cast.contoso, asked)]
    assert before[0][1] == "Payroll"
    removing.remove(session, cast.contoso, number, "ada", clock())
    after = list(reports.rows(session, cast.contoso, asked))
    assert [(row.user, row.app, row.message) for row in after][1:] == before
    assert (after[0].action, after[0].message) == ("connector.removed", "Payroll was removed here")
    assert {row.app_id for row in after} == {None}, "nothing leads to a page that is no longer there"
    assert [(one.id, one.name) for one in removing.removed(session, cast.contoso)] == [(number, "Payroll")]
    assert removing.removed(session, cast.fabrikam) == []


def test_its_number_is_never_given_again(
    session: Session, house: House, cast: Cast, clock: Clock, app: Connector
) -> None:
    number = app.id or 0
    removing.remove(session, cast.contoso, number, "ada", clock())
    made = connectors.add(session, house.vault, cast.fabrikam, house.kinds, "csv", "HR file", {}, None, "cy", clock())
    assert (made.id or 0) > number


def test_its_name_and_its_organisation_may_be_connected_again(
    session: Session, house: House, cast: Cast, clock: Clock, app: Connector
) -> None:
    app.outside_id = "theirs"
    session.flush()
    removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    given = (session, house.vault, cast.contoso, house.kinds, "scim_source", "Payroll", {}, None, "ada", clock())
    again = connectors.add(*given)
    again.outside_id = "theirs"
    session.flush()


@pytest.mark.parametrize("state", [OperationState.PENDING, OperationState.BLOCKED])
def test_what_waits_must_be_cancelled_first_all_at_once_if_wanted(
    session: Session, cast: Cast, clock: Clock, app: Connector, state: OperationState
) -> None:
    waiting = operate(session, account_of(session, app), clock, state, fingerprint="f")
    with pytest.raises(Conflict) as refused:
        removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    assert (refused.value.code, refused.value.params["number"]) == ("app_has_open", 1)
    with pytest.raises(Conflict):
        removing.cancel_open(session, cast.contoso, app.id or 0, 2, "ada", clock())
    assert removing.cancel_open(session, cast.contoso, app.id or 0, 1, "ada", clock()) == 1
    session.refresh(waiting)
    assert waiting.state == OperationState.CANCELLED
    removing.remove(session, cast.contoso, app.id or 0, "ada", clock())


@pytest.mark.parametrize("state", [OperationState.RUNNING, OperationState.UNKNOWN])
def test_what_is_on_its_way_stands_in_the_way_and_cannot_be_cancelled(
    session: Session, cast: Cast, clock: Clock, app: Connector, state: OperationState
) -> None:
    operate(session, account_of(session, app), clock, state)
    with pytest.raises(Conflict) as refused:
        removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    assert refused.value.code == "app_in_flight"
    assert removing.cancel_open(session, cast.contoso, app.id or 0, 0, "ada", clock()) == 0
    assert session.get(Connector, app.id) is not None


@pytest.mark.parametrize("values", [{}, {"lease_until": timedelta(minutes=29)}])
def test_what_cannot_be_looked_up_for_long_stands_in_the_way_no_more(
    session: Session, cast: Cast, clock: Clock, app: Connector, values: dict[str, timedelta]
) -> None:
    number, until = app.id or 0, {name: clock() + after for name, after in values.items()}
    operate(session, account_of(session, app), clock, OperationState.UNKNOWN, **until)
    with pytest.raises(Conflict):
        removing.remove(session, cast.contoso, number, "ada", clock() + timedelta(minutes=29))
    seen = removing.remove(session, cast.contoso, number, "ada", clock() + timedelta(minutes=31))
    assert (seen.flying, seen.doubtful, left(session, number)) == (0, 1, {})


@pytest.mark.parametrize("state", [OperationState.RUNNING, OperationState.UNKNOWN])
def test_what_is_sent_or_looked_up_right_now_stands_in_the_way_however_old(
    session: Session, cast: Cast, clock: Clock, app: Connector, state: OperationState
) -> None:
    later = clock() + timedelta(hours=2)
    operate(session, account_of(session, app), clock, state, lease_until=later + timedelta(minutes=1))
    with pytest.raises(Conflict) as refused:
        removing.remove(session, cast.contoso, app.id or 0, "ada", later)
    assert refused.value.code == "app_in_flight"


def test_a_password_that_is_being_set_stands_in_the_way_for_as_long(
    session: Session, cast: Cast, clock: Clock, app: Connector
) -> None:
    account_of(session, app).busy_until = clock() + timedelta(minutes=2)
    session.flush()
    with pytest.raises(Conflict) as refused:
        removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    assert refused.value.code == "app_in_flight"
    removing.remove(session, cast.contoso, app.id or 0, "ada", clock() + timedelta(minutes=3))


@pytest.mark.parametrize("state", [CycleState.REQUESTED, CycleState.RUNNING])
def test_an_import_under_way_is_to_be_stopped_first(
    session: Session, cast: Cast, clock: Clock, app: Connector, state: CycleState
) -> None:
    populate.cycle(session, app, clock(), state)
    with pytest.raises(Conflict) as refused:
        removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    assert refused.value.code == "app_importing"


def test_another_tenants_app_is_nobodys(session: Session, cast: Cast, clock: Clock, app: Connector) -> None:
    for deed in (
        lambda: removing.remove(session, cast.fabrikam, app.id or 0, "cy", clock()),
        lambda: removing.cancel_open(session, cast.fabrikam, app.id or 0, 0, "cy", clock()),
        lambda: removing.foresee(session, cast.fabrikam, app.id or 0, clock()),
    ):
        with pytest.raises(NotFound):
            deed()
    assert session.get(Connector, app.id) is not None


def test_people_are_edited_and_moved_afterwards_and_nothing_is_sent_there(
    session: Session, house: House, cast: Cast, clock: Clock, app: Connector
) -> None:
    app.features = {"edit": True, "delete": True, "create": True}
    person = session.exec(select(User).where(User.display_name == "P0", User.tenant_id == cast.contoso)).one()
    removing.remove(session, cast.contoso, app.id or 0, "ada", clock())
    order = outbox.Order("ada", clock(), house.kinds)
    saved = users.edit(session, cast.contoso, person.id or 0, {"title": "Cook"}, order)
    assert saved.effects == []
    users.move(session, cast.contoso, person.id or 0, users.Move.DELETE, order)
    session.refresh(person)
    assert person.lifecycle == Lifecycle.LEFT
    assert users.show(session, cast.contoso, person.id or 0).accounts == ()
    assert cycles.due(session, clock() + timedelta(days=1)) == []
    with pytest.raises(NotFound):
        cycles.request(session, cast.contoso, app.id or 0, "ada", clock())
    assert session.exec(select(Cycle)).all() == []
    assert session.exec(select(Account).where(Account.situation == Situation.LINKED)).all() == []


def together(house: House, first: Callable[[Session], object], second: Callable[[], Any]) -> Future[Any]:
    """The second one begins while the first one's transaction is still open."""
    with ThreadPoolExecutor(1) as pool:
        with house.db.writing() as session:
            first(session)
            later = pool.submit(second)
            wait([later], timeout=0.3)
        return later


def written(house: House, deed: Callable[[Session], Any]) -> Callable[[], Any]:
    """A deed in a transaction of its own."""

    def done() -> Any:
        with house.db.writing() as session:
            return deed(session)

    return done


def test_an_edit_that_meets_a_removal_is_kept(house: House, cast: Cast, clock: Clock) -> None:
    desk = Desk(house, cast.contoso, clock)
    jane = desk.present("jane")
    done = together(
        house,
        lambda session: removing.remove(session, cast.contoso, desk.app, "ada", clock()),
        written(house, lambda at: users.edit(at, cast.contoso, jane, {"given_name": "Janet"}, desk.order())),
    )
    assert done.result().effects == []


def test_a_removal_that_meets_an_edit_waits_for_it_and_is_refused(house: House, cast: Cast, clock: Clock) -> None:
    desk = Desk(house, cast.contoso, clock)
    jane = desk.present("jane")
    refused = together(
        house,
        lambda session: users.edit(session, cast.contoso, jane, {"given_name": "Janet"}, desk.order()),
        written(house, lambda at: removing.remove(at, cast.contoso, desk.app, "ada", clock())),
    )
    with pytest.raises(Conflict, match="app_has_open"):
        refused.result()


def test_a_removal_that_meets_a_password_is_refused(house: House, cast: Cast, clock: Clock) -> None:
    desk = Desk(house, cast.contoso, clock)
    jane = desk.present("jane")
    until = clock() + timedelta(minutes=2)
    refused = together(
        house,
        lambda session: session.execute(
            sa.update(Account).where(col(Account.user_id) == jane).values(busy_until=until)
        ),
        written(house, lambda at: removing.remove(at, cast.contoso, desk.app, "ada", clock())),
    )
    with pytest.raises(Conflict, match="app_in_flight"):
        refused.result()
