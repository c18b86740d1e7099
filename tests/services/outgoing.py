"""A desk from which people are changed here and carried there: the real database, the real outbox, a small directory."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Account, Connector, Event, EventDetail, Operation, User
from provision.core.vocabulary import Approval, Lifecycle, Situation, key
from provision.house import House
from provision.services import connectors, cycles, events, outbox, worker
from tests.cast import Clock
from tests.fakes.target import DOMAIN, TargetDirectory

ALL_ON = {"import": True, "create": True, "edit": True, "delete": True}


class Desk:
    """One app of one tenant, its directory outside, and somebody who works with both."""

    def __init__(self, house: House, tenant: int, clock: Clock, *, approval: Approval = Approval.AUTOMATIC) -> None:
        self.house, self.tenant, self.clock = house, tenant, clock
        self.there = TargetDirectory(clock)
        self.memory = worker.Memory(clock=lambda: clock().timestamp())
        with house.db.writing() as session:
            given = {"domain": DOMAIN, "cloud": "global"}
            row = connectors.add(
                session, house.vault, tenant, house.kinds, "microsoft365", "Office 365", given, None, "ada", clock()
            )
            row.features, row.approval, row.outside_id, row.facts_at = dict(ALL_ON), approval, "outside", clock()
            row.facts = {"domains": [{"name": DOMAIN, "federated": False}], "roles": {}}
        self.app = row.id or 0

    # -- Rows --------------------------------------------------------------------------------------------------------

    def connector(self, **values: Any) -> Connector:
        """The app's row, after changing some of it."""
        with self.house.db.writing() as session:
            row = session.exec(select(Connector).where(Connector.id == self.app)).one()
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)
        return row

    def scope(self, **values: Any) -> None:
        self.connector(scope={**self.connector().scope, **values})

    def switch(self, **features: bool) -> None:
        self.connector(features={**self.connector().features, **features})

    def hire(self, name: str, **values: Any) -> int:
        """Somebody new here; nothing is enqueued by it."""
        given = {
            "email": f"{name}@{DOMAIN}", "username": name, "given_name": name.title(), "surname": "Here",
            "display_name": f"{name.title()} Here", **values,
        }  # fmt: skip
        with self.house.db.writing() as session:
            row = User(
                tenant_id=self.tenant, email_key=key(given["email"]), name_key=key(given["display_name"]),
                created_at=self.clock(), changed_at=self.clock(), **given,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id or 0

    def change(self, user_id: int, **values: Any) -> None:
        """Change the row and nothing else."""
        with self.house.db.writing() as session:
            row = session.exec(select(User).where(User.id == user_id)).one()
            for name, value in values.items():
                setattr(row, name, value)
            row.email_key = key(row.email)
            session.add(row)

    def order(self, **more: Any) -> outbox.Order:
        return outbox.Order("ada", self.clock(), self.house.kinds, **more)

    def enqueue(self, *user_ids: int, **more: Any) -> list[outbox.Effect]:
        with self.house.db.writing() as session:
            return outbox.enqueue(session, self.tenant, user_ids, self.order(**more))

    def leave(self, *user_ids: int, by_hand: bool = True, deleted: bool = True, **more: Any) -> list[outbox.Effect]:
        """They leave here; ``by_hand``: because somebody said so."""
        for number in user_ids:
            self.change(number, lifecycle=Lifecycle.LEFT, deleted_at=self.clock() if deleted else None)
            if by_hand:
                self.intend(number, by_hand=True)
        return self.enqueue(*user_ids, **more)

    def intend(self, user_id: int, **intent: Any) -> None:
        with self.house.db.writing() as session:
            for row in session.exec(select(Account).where(Account.user_id == user_id)).all():
                row.intent = {**row.intent, **intent}
                session.add(row)

    def account(self, user_id: int) -> Account:
        with self.house.db.reading() as session:
            return session.exec(select(Account).where(Account.user_id == user_id)).one()

    def operations(self, user_id: int | None = None) -> list[Operation]:
        query = select(Operation).join(Account, col(Account.id) == Operation.account_id).order_by(col(Operation.id))
        if user_id is not None:
            query = query.where(Account.user_id == user_id)
        with self.house.db.reading() as session:
            return list(session.exec(query).all())

    def only(self, user_id: int) -> Operation:
        """The newest operation of somebody."""
        return self.operations(user_id)[-1]

    def states(self) -> Counter[str]:
        return Counter(operation.state.value for operation in self.operations())

    def told(self, action: str) -> list[tuple[Event, EventDetail]]:
        query = select(Event, EventDetail).join(EventDetail, col(EventDetail.event_id) == col(Event.id))
        with self.house.db.reading() as session:
            return list(session.exec(query.where(Event.action == action).order_by(col(Event.id))).all())

    def chain_breaks_at(self) -> int | None:
        with self.house.db.reading() as session:
            return events.verify(session, self.tenant)

    # -- Work --------------------------------------------------------------------------------------------------------

    def ways(self, **changes: Any) -> cycles.Ways:
        def sleep(seconds: float) -> None:
            self.clock.forward(seconds=max(seconds, 0.001))

        ways = replace(self.house.ways(), connect=lambda _: self.there, sleep=sleep, chance=lambda: 0.5)
        return replace(ways, **changes)

    def drain(self, at: Callable[[str], None] = lambda _: None, **more: Any) -> Counter[str]:
        """Carry out what is due now, without threads."""
        self.memory.of(self.app).bucket.take(-100.0)
        return worker.drain(self.ways(), self.app, memory=self.memory, width=1, at=at, **more)

    def recover(self) -> Counter[str]:
        return worker.recover(self.ways())

    def present(self, name: str, **values: Any) -> int:
        """Somebody who is here and there already, linked and in line."""
        number = self.hire(name, **values)
        self.enqueue(number)
        self.drain()
        assert self.account(number).situation == Situation.LINKED
        with self.house.db.writing() as session:
            session.execute(sa.delete(Operation))
        self.there.applied.clear()
        self.there.calls.clear()
        return number

    def release(self) -> None:
        """Let whatever rests go on, and the hold pass."""
        self.clock.forward(minutes=16)
