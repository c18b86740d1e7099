"""One installation beside one cloud, on which several servers come, stand still, and go.

Owns starting and watching them, and being the next leader while a server stands still; judges nothing.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Cycle, Operation
from provision.core.vocabulary import UNFINISHED_CYCLES, Approval, Feature, OperationState
from provision.services import connectors, tenants, worker
from tests.faults import judging
from tests.faults.installation import cloud, copied, dropped
from tests.faults.lane import PATIENCE, Server, house_of
from tests.faults.people import Office
from tests.faults.watched import TIMERS, FastClock

PEOPLE, SPEED = 12, 100.0
WEATHER = {"faults": [{"kind": "slow", "path": "/v1.0/$batch", "times": None, "details": {"seconds": 0.15}}]}
"""Calls take a moment, so that something is under way when a signal comes."""


class Site:
    """The installation, who works there, and its servers by number."""

    def __init__(self, stack: ExitStack, folder: Path, template: str, seed: int) -> None:
        outside = stack.enter_context(cloud(folder / "cloud", PEOPLE, WEATHER))
        self.installation = copied(template, folder, {**outside, TIMERS: "1"})
        stack.callback(dropped, self.installation)
        self.folder, self.stack, self.chance = folder, stack, random.Random(seed)
        self.clock = FastClock(f"{time.time()} {SPEED}")
        self.house = house_of(self.installation, self.clock)
        stack.callback(self.house.db.close)
        if not self.house.db.is_sqlite:
            # As with SQLite, nobody here waits for ever for what a server that stands still has in its hand.
            sa.event.listen(self.house.db.engine, "connect", _impatient)
            self.house.db.engine.dispose()
        self._connected(outside)
        self.office = Office(self.house, outside["DOMAIN"], random.Random(seed + 1))
        self.office.settings(correlation=judging.MARK, limit_floor=10**6)
        self.servers = 0

    def _connected(self, outside: Mapping[str, str]) -> None:
        """The organisation and its app, without a command for each, which would take seconds."""
        house, now = self.house, self.house.now()
        config = {"domain": outside["DOMAIN"], "cloud": "custom", "client_id": outside["CLIENT_ID"]}
        secret = house.read_secret(outside["CLIENT_SECRET"])
        with house.db.writing() as session:
            tenant = tenants.add(session, "contoso", "Contoso", "ada", now).id or 0
            app = connectors.add(
                session, house.vault, tenant, house.kinds, "microsoft365", "M365", config, secret, "ada", now
            )
        connectors.check(house.db.writing, house.connect, tenant, app.id or 0, "ada", house.now)
        with house.db.writing() as session:
            on = {feature.value: True for feature in Feature}
            connectors.features(session, tenant, app.id or 0, on, Approval.AUTOMATIC, "ada", now)

    @contextlib.contextmanager
    def server(self) -> Iterator[Server]:
        """One more server, which ends with the block whatever happened to it."""
        self.servers += 1
        made = Server(self.installation, self.clock, self.folder / f"server{self.servers}")
        try:
            yield made
        finally:
            made.close()

    def until(self, condition: Callable[[], Any], *servers: Server) -> None:
        """Wait until it is so; whoever waits in vain is told what the servers said."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "\n".join(server.said()[-2000:] for server in servers)
            time.sleep(0.01)

    def edits(self, number: int) -> None:
        for _ in range(number):
            self.office.edit()

    def goes_on(self) -> bool:
        """A few more edits when nothing is on its way; false, for whoever waits for something else."""
        # A server may have stopped a moment ago with the database in its hand: then whoever waits will see that.
        with contextlib.suppress(sa.exc.OperationalError):
            if not self.office.waiting():
                self.edits(4)
        return False

    def lead(self) -> None:
        """Be the next leader in this process: recover, then carry out all there is."""
        ways = replace(self.house.ways(), sleep=lambda seconds: time.sleep(seconds / SPEED))
        memory = worker.Memory(clock=self.clock.monotonic)
        worker.recover(ways)

        def rests() -> bool:
            worker.drain(ways, self.office.app, memory=memory, width=1)
            return not self.office.waiting()

        self.until(rests)

    def every(self, minutes: int | None) -> None:
        """Have the app imported by the timetable, or no more."""
        with self.house.db.writing() as session:
            kept = {"every_minutes": minutes}
            connectors.settle(session, self.office.tenant, self.office.app, kept, "ada", self.clock())

    def open(self) -> dict[str, int]:
        """How many operations are in a state in which nobody may leave them."""
        query = sa.select(Operation.state, sa.func.count()).group_by(col(Operation.state))
        with self.house.db.reading() as session:
            states = {state.value: number for state, number in session.execute(query)}
        return {state.value: states.get(state.value, 0) for state in (OperationState.RUNNING, OperationState.UNKNOWN)}

    def operations(self) -> list[tuple[Any, ...]]:
        """What the rows say that a late result could write over."""
        names = ("id", "state", "fence", "attempts", "settled_at", "error", "changes", "request_id")
        with self.house.db.reading() as session:
            rows = session.exec(select(Operation).order_by(col(Operation.id))).all()
        return [tuple(getattr(row, name) for name in names) for row in rows]

    def cycles(self, after: int = 0) -> list[Cycle]:
        with self.house.db.reading() as session:
            return list(session.exec(select(Cycle).where(col(Cycle.id) > after).order_by(col(Cycle.id))).all())

    def imports(self, after: int) -> list[Cycle]:
        """Without the daily comparison, which has a timetable of its own."""
        return [cycle for cycle in self.cycles(after) if not cycle.options.get("compare")]

    def rests(self) -> bool:
        """Whether nothing waits any more; what a wait of the slow ladder would hold up is tried at once."""
        self.office.press_retry()
        busy = any(cycle.state in UNFINISHED_CYCLES for cycle in self.cycles())
        return not busy and not self.office.waiting()

    def faults(self) -> list[str]:
        """What is lost, doubled or open. See ``judging``."""
        return judging.faults(self.office, judging.Directory(self.folder / "cloud" / "sandbox.db"))


def _impatient(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    connection.commit()


@contextlib.contextmanager
def site(folder: Path, template: str, seed: int) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack, folder, template, seed)
