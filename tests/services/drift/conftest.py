"""A desk beside a directory that other hands change: the real database, the real cycles, the real outbox."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Cycle, Drift, Mapping, User
from provision.core.vocabulary import UNFINISHED_CYCLES, Approval, CycleState, Direction, DriftChoice, Owner
from provision.house import House
from provision.services import cycles, drift
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


class DriftDesk(Desk):
    """Job Title and Department are ours there; everything else is as Microsoft 365 begins."""

    def __init__(self, house: House, tenant: int, clock: Clock, **more: Any) -> None:
        super().__init__(house, tenant, clock, **more)
        for number, (ours, theirs) in enumerate((("title", "jobTitle"), ("department", "department"))):
            self.map(ours, theirs, position=10 + number)

    def map(self, ours: str, theirs: str, owner: Owner = Owner.OURS, **more: Any) -> None:
        given = {"direction": Direction.BOTH, "position": 20, **more}
        with self.house.db.writing() as session:
            session.add(
                Mapping(tenant_id=self.tenant, connector_id=self.app, ours=ours, theirs=theirs, owner=owner, **given)
            )

    def run(self, **options: Any) -> Cycle:
        with self.house.db.writing() as session:
            number = cycles.request(session, self.tenant, self.app, "ada", self.clock(), **options).id
        cycles.run_requested(self.ways())
        with self.house.db.reading() as session:
            row = session.exec(select(Cycle).where(Cycle.id == number)).one()
        assert row.state not in UNFINISHED_CYCLES, row
        return row

    def compare(self) -> Cycle:
        self.clock.forward(minutes=1)
        row = self.run(compare=True)
        assert row.state == CycleState.DONE, row.error
        return row

    def elsewhere(self, user_id: int, **values: Any) -> None:
        """Somebody changes the account there."""
        anchor = self.account(user_id).anchor
        assert anchor is not None
        self.there.people[anchor].update(values)

    def drifts(self) -> dict[str, DriftChoice]:
        """What is remembered, by attribute; for tests with one person."""
        with self.house.db.reading() as session:
            return {row.attribute: row.choice for row in session.exec(select(Drift).order_by(col(Drift.id))).all()}

    def items(self, choice: DriftChoice = DriftChoice.OPEN, **more: Any) -> list[drift.Item]:
        with self.house.db.reading() as session:
            return drift.listed(session, self.tenant, self.house.kinds, choice, **more)

    def choose(self, answer: str, *items: drift.Item) -> drift.Chosen:
        shown = {item.id: item.fingerprint for item in items or self.items()}
        with self.house.db.writing() as session:
            return drift.choose(session, self.tenant, drift.Answer(answer), shown, self.order())

    def value(self, user_id: int, name: str) -> Any:
        with self.house.db.reading() as session:
            return getattr(session.exec(select(User).where(User.id == user_id)).one(), name)

    def writes(self) -> Counter[str]:
        return Counter(kind.value for kind, _ in self.there.applied)

    @contextmanager
    def watched(self) -> Iterator[Counter[str]]:
        """Counts statements by their first word, and the rows written, meanwhile; a cycle's own row and its log apart."""
        met: Counter[str] = Counter()

        def count(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
            words = statement.replace("\n", " ").split()
            at = {"UPDATE": 1, "INSERT": 2, "DELETE": 2}.get(words[0])
            table = words[at] if at else ""
            met[words[0]] += 1
            if table and table not in ("cycles", "events", "event_details", "event_heads", "sightings", "connectors"):
                met[table] += max(cursor.rowcount, 0)

        sa.event.listen(self.house.db.engine, "after_cursor_execute", count)
        try:
            yield met
        finally:
            sa.event.remove(self.house.db.engine, "after_cursor_execute", count)


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> DriftDesk:
    return DriftDesk(house, cast.contoso, clock, approval=Approval.AUTOMATIC)
