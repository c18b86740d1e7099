"""An app that is removed while somebody works on it: whoever is later hears of it in words, whichever step it happens at.

One of the two stops after its first statement, and after each in turn that locks rows, until the other one has ended
or waits for one of them.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from provision.core.mapping import Change
from provision.core.tables import Drift, Mapping, Operation, Tenant
from provision.core.vocabulary import Approval, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import connectors, cycles, drift, licences, outbox, removing, users
from provision.services.drift import Answer
from provision.services.errors import ServiceError
from tests import populate
from tests.cast import Cast, Clock

ON = {"import": True, "create": True, "edit": True, "delete": True}
SEATS = [{"sku": "e3", "part": "SPE_E3", "name": "E3", "total": 5, "used": 1, "free": 4}]
_LOCKS = re.compile(r"\bFOR (NO KEY |KEY )?(UPDATE|SHARE)")
LATE = {404, 409}
Deed = Callable[[Session, "Scene"], object]


@dataclass
class Scene:
    """An app with one person there whose first name drifted, and another one whose account is gone."""

    house: House
    tenant: int
    clock: Clock
    ada: int
    app: int = 0
    person: int = 0
    drifted: int = 0
    gone: int = 0
    failed: int = 0

    @property
    def order(self) -> outbox.Order:
        return outbox.Order("ada", self.clock(), self.house.kinds)

    def remove(self, session: Session) -> object:
        return removing.remove(session, self.tenant, self.app, "ada", self.clock())


DEEDS: dict[str, Deed] = {
    "push": lambda at, it: drift.choose(at, it.tenant, Answer.PUSH, {it.drifted: None}, it.order),
    "leave": lambda at, it: drift.choose(at, it.tenant, Answer.LEAVE, {it.drifted: None}, it.order),
    "license": lambda at, it: licences.assign(at, it.tenant, it.app, [it.person], "e3", it.order),
    "import": lambda at, it: cycles.request(at, it.tenant, it.app, "ada", it.clock()),
    "bring back": lambda at, it: users.bring_back(at, it.tenant, it.gone, it.order),
    "protect": lambda at, it: users.protect(at, it.tenant, it.gone, it.order, on=True, emergency=True),
    "edit": lambda at, it: users.edit(at, it.tenant, it.person, {"given_name": "Kima"}, it.order),
    "consent": lambda at, it: connectors.begin_consent(at, it.tenant, it.app, it.ada, it.clock(), os.urandom),
    "retry": lambda at, it: outbox.retry(at, it.tenant, [it.failed], it.order),
}  # fmt: skip


def build(house: House, cast: Cast, clock: Clock, name: str) -> Scene:
    """In a tenant of its own, since an edit goes to every app of its tenant."""
    with house.db.writing() as session:
        own = Tenant(slug=name, name=name, created_at=clock())
        session.add(own)
        session.flush()
        tenant = own.id or 0
        scene = Scene(house, tenant, clock, cast.ada)
        facts = {"seats": SEATS, "domains": [{"name": "contoso.example", "federated": False}]}
        app = populate.app(
            session, tenant, clock(), name, features=ON, approval=Approval.AUTOMATIC, facts=facts, outside_id=name
        )
        given = {"connector_id": app.id, "ours": "usage_location", "theirs": "usageLocation", "position": 9}
        session.add(Mapping(tenant_id=tenant, **given))
        people = [
            populate.person(
                session, tenant, clock(), f"{who} Lee", given_name=who, surname="Lee", username=f"{who}{name}",
                email=f"{who}-{name}@contoso.example".lower(), usage_location="NO",
            )
            for who in ("Kim", "Ida")
        ]  # fmt: skip
        held, was = {"givenName": "There"}, {"givenName": "Once"}
        there = populate.account(session, app, people[0], clock(), anchor=f"kim{name}", observed=held, absorbed=was)
        gone = populate.account(
            session, app, people[1], clock(), anchor=f"ida{name}", situation=Situation.GONE, removed="restorable"
        )
        row = Drift(
            tenant_id=tenant, connector_id=app.id or 0, account_id=there.id or 0, attribute="givenName",
            fingerprint=Change("givenName", "There", "Kim").fingerprint, seen_at=clock(),
        )  # fmt: skip
        failed = Operation(
            tenant_id=tenant, connector_id=app.id or 0, account_id=there.id or 0, kind=OperationKind.UPDATE,
            state=OperationState.FAILED, created_by="ada", created_at=clock(), due_at=clock(), settled_at=clock(),
        )  # fmt: skip
        session.add_all([row, failed])
        session.flush()
        scene.failed = failed.id or 0
        scene.app, scene.person, scene.drifted, scene.gone = app.id or 0, people[0].id or 0, row.id or 0, gone.id or 0
    return scene


@contextmanager
def after_each(house: House, pause: Callable[[int], None]) -> Iterator[None]:
    """Call ``pause`` after such a statement of this thread, with its number."""
    own, begun, count = threading.get_ident(), [], iter(range(10**6))

    def executed(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == own and (not begun or _LOCKS.search(statement)):
            begun.append(statement)
            pause(next(count))

    sa.event.listen(house.db.engine, "after_cursor_execute", executed)
    try:
        yield
    finally:
        sa.event.remove(house.db.engine, "after_cursor_execute", executed)


def ended_or_stuck(house: House, other: Future[Any]) -> None:
    """Until the other one has ended or waits for what is locked here. SQLite has one writer: it waits at once."""
    if house.db.engine.dialect.name == "sqlite":
        return
    asks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with house.db.engine.connect() as connection:
        while not other.done() and not connection.execute(sa.text(asks)).scalar():
            connection.rollback()
            time.sleep(0.002)


def meet(scene: Scene, first: Callable[[Session], object], second: Callable[[Session], object], step: int) -> list[Any]:
    """What became of both, when the second begins after so many statements of the first, and how many those were."""
    house, counted, began = scene.house, 0, []

    def outcome(deed: Callable[[Session], object]) -> object:
        try:
            with house.db.writing() as session:
                deed(session)
        except ServiceError as error:
            return error.status
        return "done"

    with ThreadPoolExecutor(1) as pool:

        def pause(number: int) -> None:
            nonlocal counted
            counted = number + 1
            if number == step:
                began.append(pool.submit(outcome, second))
                ended_or_stuck(house, began[0])

        with after_each(house, pause):
            mine = outcome(first)
        theirs = began[0].result() if began else None
    return [mine, theirs, counted]


@pytest.mark.parametrize("order", ["deed first", "removal first"])
@pytest.mark.parametrize("name", DEEDS)
def test_whoever_is_later_hears_of_it_in_words(house: House, cast: Cast, clock: Clock, name: str, order: str) -> None:
    step, steps = 0, 1
    few = house.db.engine.dialect.name == "sqlite"  # its writers take turns, whatever the step
    while step < steps:
        scene = build(house, cast, clock, f"{name.replace(' ', '-')}-{step}")
        pair = [lambda at, it=scene: DEEDS[name](at, it), scene.remove]
        *outcomes, counted = meet(scene, *(pair if order == "deed first" else reversed(pair)), step)
        assert "done" in outcomes, (step, outcomes)
        assert set(outcomes) - {"done"} <= LATE, (step, outcomes)
        step, steps = step + (steps if few else 1), counted
