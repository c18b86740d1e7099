"""Pages of what one client brought: as many statements for many as for few, and by an index where it counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from scim2_models import SearchRequest
from sqlmodel import Session

from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.house import House
from provision.services import scim
from provision.services.scim import searching
from tests.services.scim.conftest import Open

SERVED = scim.served()
USER = next(kind for kind in SERVED.resource_types if kind.name == "User")
GROUP = next(kind for kind in SERVED.resource_types if kind.name == "Group")
MODEL: Any = SERVED.model_for(USER)


@contextmanager
def told(house: House) -> Iterator[list[tuple[str, Any]]]:
    """The statements sent meanwhile, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    sa.event.listen(house.db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(house.db.engine, "before_cursor_execute", note)


def hire(storage: scim.Accounts, number: int, name: str = "p") -> None:
    with SERVED:
        for each in range(number):
            body = {
                "userName": f"{name}{each:04}@there.example",
                "title": "Lead",
                "externalId": f"E{each:04}",
                "active": True,
            }
            superior = {ENTERPRISE: {"manager": {"value": "1"}}} if each == 1 else {}
            storage.create(USER, MODEL.model_validate({**body, **superior}))


def page(storage: scim.Accounts, **asked: Any) -> Any:
    with SERVED:
        return storage.search([USER], SearchRequest[MODEL](**{"count": 100, "start_index": 1, **asked}))  # type: ignore[valid-type]


def crowd(house: House) -> None:
    """Five thousand more accounts like the first, and their numbers known to the planner."""
    columns = "tenant_id, connector_id, situation, verdict, standing, observed, absorbed, stale"
    own = "anchor, name, external_id, superior"
    numbered = ", ".join(["'c' || n"] * 4)
    copy = f"INSERT INTO accounts ({columns}, {own}) SELECT {columns}, {numbered} FROM accounts, "
    with house.db.engine.begin() as connection:
        connection.exec_driver_sql(copy + "generate_series(1, 5000) n WHERE accounts.name LIKE 'p0000%%'")
        connection.exec_driver_sql("ANALYZE accounts")


def plans(house: House, sent: list[tuple[str, Any]]) -> str:
    """How the database would answer these statements, if it had many rows."""
    with house.db.engine.connect() as connection:
        if house.db.is_sqlite:
            lines = [
                row[-1]
                for statement, parameters in sent
                if "FROM accounts" in statement
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
        else:
            lines = [
                row[0]
                for statement, parameters in sent
                if "FROM accounts" in statement
                for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            ]
    return "\n".join(lines)


def test_a_page_of_many_takes_no_more_statements_than_a_page_of_few(house: House, accounts: Open) -> None:
    counted = []
    storage = accounts(writes=False)
    for number in (3, 110):
        hire(accounts(), number, f"of{number}")
        with told(house) as sent:
            assert page(storage).total >= number
        counted.append(len([statement for statement, _ in sent if statement.startswith("SELECT")]))
    assert counted[0] == counted[1] <= 3


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ('userName eq "P0001@there.example"', "ix_accounts_name"),
        ('externalId eq "E0001"', "ix_accounts_external_id"),
        (f'{ENTERPRISE}:manager.value eq "1"', "ix_accounts_superior"),
        ('externalId eq "E0001" and active eq true', "ix_accounts_external_id"),
    ],
)
def test_what_clients_look_for_is_found_by_an_index(house: House, accounts: Open, asked: str, index: str) -> None:
    hire(accounts(), 3)
    if not house.db.is_sqlite:
        crowd(house)  # PostgreSQL reads a small table whole
    with told(house) as sent:
        assert page(accounts(writes=False), filter=asked).total == 1
    assert index in plans(house, sent)


def test_who_waits_for_somebody_new_and_whom_somebody_names_are_found_by_an_index(house: House, accounts: Open) -> None:
    hire(accounts(), 3)
    if not house.db.is_sqlite:
        crowd(house)
    with told(house) as sent, SERVED:
        body = {"userName": "new@there.example", "externalId": "new", ENTERPRISE: {"manager": {"value": "E0002"}}}
        accounts().create(USER, MODEL.model_validate(body))
    waiting = [one for one in sent if "accounts.superior IN" in one[0] or "accounts.superior = ANY" in one[0]]
    named = [one for one in sent if "accounts.external_id IN" in one[0] or "accounts.external_id = ANY" in one[0]]
    assert waiting
    assert named
    assert "ix_accounts_superior" in plans(house, waiting)
    assert "ix_accounts_external_id" in plans(house, named)


def test_a_page_is_read_without_looking_at_what_accounts_hold(house: House, accounts: Open) -> None:
    hire(accounts(), 3)
    with told(house) as sent:
        page(accounts(writes=False))
    if house.db.is_sqlite:
        assert "USING COVERING INDEX ix_accounts_listed" in plans(house, sent)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("0", 0), ("07", 0), ("-7", 0), ("7.0", 0), ("\u0667", 0), ("", 0), ("9" * 40, 0)]
)
def test_only_a_number_as_we_write_it_names_an_account(text: str, number: int) -> None:
    assert searching.number_of(text) == number


def test_what_nobody_wants_to_see_costs_no_query(house: House, accounts: Open) -> None:
    with SERVED:
        group: Any = SERVED.model_for(GROUP)
        storage = accounts()
        person = storage.create(USER, MODEL(user_name="ann@there.example"))
        storage.create(GROUP, group.model_validate({"displayName": "Sales", "members": [{"value": person.id}]}))
        counted = []
        for asked in ({}, {"excluded_attributes": ["members"]}):
            with told(house) as sent:
                wanted = SearchRequest[group](count=10, **asked)  # type: ignore[valid-type]
                accounts(writes=False).search([GROUP], wanted)
            counted.append(len(sent))
    assert counted[1] == counted[0] - 1


def test_the_session_of_a_read_writes_nothing(house: House, accounts: Open) -> None:
    storage = accounts(writes=False)
    with storage.operation():
        opened: Session | None = storage._open
        assert opened is not None
        assert not opened.new
        assert not opened.dirty
