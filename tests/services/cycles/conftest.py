"""A desk from which imports are asked for: the real database, the real engine, and a small directory outside."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Cycle, Event, EventDetail, User
from provision.core.vocabulary import UNFINISHED_CYCLES, Decision
from provision.house import House
from provision.services import connectors, cycles, events
from tests.cast import Cast, Clock
from tests.fakes.directory import Directory


class Desk:
    """One app of Contoso and whoever imports from it."""

    def __init__(self, house: House, tenant: int, app: int, directory: Directory, clock: Clock) -> None:
        self.house, self.tenant, self.app, self.directory, self.clock = house, tenant, app, directory, clock

    def ask(self, **options: Any) -> int:
        with self.house.db.writing() as session:
            return cycles.request(session, self.tenant, self.app, "ada", self.clock(), **options).id or 0

    def run(self, **options: Any) -> Cycle:
        """Ask for a cycle and carry it on to its end, moving the clock through every rest."""
        number = self.ask(**options)
        for _ in range(200):
            self.carry_on()
            if (cycle := self.cycle(number)).state not in UNFINISHED_CYCLES:
                return cycle
            self.clock.forward(seconds=30)
        raise AssertionError("the cycle does not end")

    def carry_on(self) -> None:
        cycles.run_requested(self.ways())

    def ways(self, **changes: Any) -> cycles.Ways:
        ways = self.house.ways()
        return replace(ways, connect=lambda row: self.directory, sleep=lambda _: None, chance=lambda: 0.5, **changes)

    def cycle(self, number: int) -> Cycle:
        with self.house.db.reading() as session:
            return session.exec(select(Cycle).where(Cycle.id == number)).one()

    def connector(self) -> Connector:
        with self.house.db.reading() as session:
            return session.exec(select(Connector).where(Connector.id == self.app)).one()

    def change_connector(self, **values: Any) -> None:
        with self.house.db.writing() as session:
            row = session.exec(select(Connector).where(Connector.id == self.app)).one()
            for name, value in values.items():
                setattr(row, name, value)

    def people(self) -> dict[str, User]:
        """By address; without one, by username."""
        with self.house.db.reading() as session:
            rows = session.exec(select(User).where(User.tenant_id == self.tenant)).all()
        return {row.email or row.username or "": row for row in rows}

    def person(self, anchor: str) -> User:
        return self.people()[f"{anchor}@there.example"]

    def hire(self, email: str | None, **values: Any) -> int:
        """Add somebody here, by hand."""
        with self.house.db.writing() as session:
            row = User(
                tenant_id=self.tenant, email=email, email_key=(email or "").casefold(), name_key="",
                created_at=self.clock(), changed_at=self.clock(), **values,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id or 0

    def change_person(self, anchor: str, **values: Any) -> None:
        number = self.person(anchor).id
        with self.house.db.writing() as session:
            row = session.exec(select(User).where(User.id == number)).one()
            for name, value in values.items():
                setattr(row, name, value)

    def accounts(self) -> dict[str, Account]:
        with self.house.db.reading() as session:
            rows = session.exec(select(Account).where(Account.connector_id == self.app)).all()
        return {row.anchor or "": row for row in rows}

    def situations(self) -> dict[str, str]:
        return {anchor: str(row.situation) for anchor, row in self.accounts().items()}

    def decide(self, anchor: str, decision: Decision, user_id: int | None = None) -> None:
        number = self.accounts()[anchor].id or 0
        with self.house.db.writing() as session:
            cycles.decide(session, self.tenant, number, decision, "ada", self.clock(), user_id=user_id)

    def release(self, cycle: Cycle, *, allow: bool) -> Cycle:
        with self.house.db.writing() as session:
            return cycles.release(
                session, self.tenant, cycle.id or 0, "ben", self.clock(), kinds=self.house.kinds, allow=allow
            )

    def counts(self) -> cycles.PreviewCounts:
        with self.house.db.reading() as session:
            return cycles.preview_counts(session, self.tenant, self.app)

    def rows(self, show: str = "different") -> dict[str, cycles.PreviewRow]:
        with self.house.db.reading() as session:
            found = cycles.preview_rows(session, self.tenant, self.app, self.house.kinds, show=show)
        return {row.name.partition("@")[0]: row for row in found}

    def told(self, action: str) -> list[tuple[Event, EventDetail]]:
        query = select(Event, EventDetail).join(EventDetail, col(EventDetail.event_id) == col(Event.id))
        with self.house.db.reading() as session:
            return list(session.exec(query.where(Event.action == action).order_by(col(Event.id))).all())

    def actions(self) -> Counter[str]:
        with self.house.db.reading() as session:
            return Counter(session.exec(select(Event.action)).all())

    def chain_breaks_at(self) -> int | None:
        with self.house.db.reading() as session:
            return events.verify(session, self.tenant)

    def state(self) -> Any:
        """The directory without ids and times, for comparing how two roads ended."""
        everybody = list(self.people().values())
        people = {row.id: row for row in everybody}
        profile = ("lifecycle", "email", "given_name", "surname", "username", "display_name", "employee_id")
        return {
            "people": sorted(repr([getattr(row, name) for name in profile]) for row in people.values()),
            "accounts": sorted(
                (
                    anchor,
                    row.situation,
                    row.removed,
                    row.observed_hash,
                    people[row.user_id].email if row.user_id else "",
                )
                for anchor, row in self.accounts().items()
            ),
        }

    @contextmanager
    def written(self) -> Iterator[Counter[str]]:
        """Counts the rows that are inserted, updated or deleted meanwhile, by table."""
        rows: Counter[str] = Counter()

        def count(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
            words = statement.replace("\n", " ").split()
            if words[0] in ("INSERT", "UPDATE", "DELETE"):
                table = words[1] if words[0] == "UPDATE" else words[2]
                rows[table] += max(cursor.rowcount, 0)

        sa.event.listen(self.house.db.engine, "after_cursor_execute", count)
        try:
            yield rows
        finally:
            sa.event.remove(self.house.db.engine, "after_cursor_execute", count)


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def desk(house: House, cast: Cast, directory: Directory, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, app_of(house, cast.contoso, clock), directory, clock)


def app_of(house: House, tenant: int, clock: Clock, name: str = "Office 365") -> int:
    """An app that may import; what is outside is put in its place by the desk."""
    with house.db.writing() as session:
        row = connectors.add(
            session, house.vault, tenant, house.kinds, "microsoft365", name, {"domain": "there.example"}, None, "ada",
            clock(),
        )  # fmt: skip
        row.features = {**row.features, "import": True}
        return row.id or 0
