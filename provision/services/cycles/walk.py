"""The pass itself: pages in, commits, waits and restarts, until the end of the walk. Decides nothing.

    changes() → page … page → [ observe → absorb → store → position → COMMIT ] … → stale rest → end → COMMIT

The next page is fetched while this one is written; no transaction is open while anything is asked outside. A killed walk
goes on from the position of its last commit.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col, select

from provision.core.ports import OutsideError, Page, Source, Throttled, WatermarkLost
from provision.core.retry import Act, for_cycle
from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, ConnectorState, CycleKind, CycleState, Outcome, Situation
from provision.services import events
from provision.services.cycles.absorbing import absorb
from provision.services.cycles.ending import end
from provision.services.cycles.frame import Frame
from provision.services.cycles.frame import frame as frame_of
from provision.services.cycles.observing import ACCOUNTS, SIGHTINGS, load, observe, remember_sighting, store

log = structlog.get_logger()
PAGES_PER_COMMIT = 5
PEOPLE_PER_COMMIT = 4000
STALE_PER_COMMIT = 2000
RESTARTS = 3
_ABSORBABLE = (Situation.LINKED, Situation.UNLINKED, Situation.UNMATCHED, Situation.DISPUTED)


@dataclass(frozen=True)
class Ways:
    """What a cycle reaches the world through: transactions, ports, the clock, patience and chance (0 to 1).

    ``cut`` tells that this process is about to end: the cycle stays running, and the next leader goes on with it.
    """

    reading: Callable[[], AbstractContextManager[Session]]
    writing: Callable[[], AbstractContextManager[Session]]
    connect: Callable[[Connector], Source]
    kinds: Mapping[str, Any]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    cut: Callable[[], bool] = lambda: False


class _Stopped(Exception):
    """A person asked the cycle to stop."""


class _Cut(Exception):
    """This process is about to end."""


class _Moot(Exception):
    """The walk must begin anew: the place to continue from is lost."""


def run_requested(ways: Ways) -> list[int]:
    """Run every cycle that was asked for or was cut short by a death; return their ids. Call it as the leader only."""
    with ways.reading() as session:
        query = select(Cycle.id).where(col(Cycle.state).in_(UNFINISHED_CYCLES)).order_by(col(Cycle.id))
        waiting = [number for number in session.exec(query).all() if number is not None]
    for number in waiting:
        run(ways, number)
    return waiting


def run(ways: Ways, cycle_id: int) -> None:
    """Carry one cycle to its end, whatever the outside does. Call it as the leader only. Raises nothing of the outside's."""
    walk = _Walk(ways, cycle_id)
    if not walk.begin():
        return
    try:
        for restart in range(RESTARTS + 1):
            try:
                walk.read_all()
                break
            except _Moot:
                if restart == RESTARTS:
                    walk.fail(OutsideError("walk_lost"))
                    return
                walk.start_over()
        walk.absorb_rest()
        walk.finish()
    except _Cut:
        log.info("cycle cut short", cycle=cycle_id)
    except _Stopped:
        walk.stopped()
    except OutsideError as error:
        walk.fail(error)


class _Walk:
    """One cycle on its way. Its only memory is the row: what is here could be forgotten at any moment."""

    def __init__(self, ways: Ways, cycle_id: int) -> None:
        self.ways, self.cycle_id = ways, cycle_id
        self.frame: Frame
        self.source: Source

    def begin(self) -> bool:
        """Mark the cycle running and read what stays fixed; False when there is nothing to run."""
        with self.ways.writing() as session:
            cycle, connector = self._rows(session)
            if cycle.state not in UNFINISHED_CYCLES or connector.state != ConnectorState.ACTIVE:
                return False
            now = self.ways.now()
            if cycle.state == CycleState.REQUESTED:
                self._start(session, cycle, connector, now)
            self.frame = frame_of(session, cycle, self.ways.kinds)
            self._mark_stale(session, connector)
            session.expunge(connector)
        self.source = self.ways.connect(connector)
        return True

    def read_all(self) -> None:
        """Read from the last position to the end of the walk, through every wait that the outside asks for."""
        attempt = 0
        while not self._row().watermark_after:
            try:
                for pages in self._batches():
                    attempt = 0
                    self._take_in(pages)
            except WatermarkLost as lost:
                raise _Moot from lost
            except OutsideError as error:
                attempt += not isinstance(error, Throttled)
                self._wait_or_raise(error, max(attempt, 1))

    def absorb_rest(self) -> None:
        """Take over what earlier previews, disputes or an older mapping left behind."""
        if not (self.frame.takes_over or self.frame.chosen):
            return
        last = 0
        while True:
            self._stop_if_asked()
            with self.ways.writing() as session:
                items = load(session, self.frame, *self._stale(last), limit=STALE_PER_COMMIT)
                if not items:
                    return
                last = items[-1].id
                cycle, _ = self._rows(session)
                counts, now = Counter(cycle.counts), self.ways.now()
                entries = absorb(session, self.frame, items, counts, now)
                store(session, self.frame, items, now)
                cycle.counts, cycle.progress_at = dict(counts), now
                events.append(session, self.frame.tenant_id, entries, now)

    def finish(self) -> None:
        """The last transaction: what takes away, and the watermark."""
        with self.ways.writing() as session:
            cycle, connector = self._rows(session)
            now = self.ways.now()
            events.append(session, self.frame.tenant_id, end(session, self.frame, cycle, connector, now), now)
        log.info("cycle ended", cycle=self.cycle_id, connector=self.frame.connector_id)

    def start_over(self) -> None:
        """The watermark or the position is lost: read everything."""
        with self.ways.writing() as session:
            cycle, connector = self._rows(session)
            cycle.kind, cycle.position, cycle.watermark_before = CycleKind.INITIAL, None, None
            cycle.counts = {"pages": 0}
            cycle.options = {**cycle.options, "restarted": True}
            connector.watermark = None
            session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == self.cycle_id))
            session.add_all([cycle, connector])
        log.info("cycle starts over", cycle=self.cycle_id, connector=self.frame.connector_id)

    def stopped(self) -> None:
        """A person stopped it: what was taken over stays, the watermark does not move."""
        self._close(CycleState.STOPPED, "cycle.stopped", Outcome.DONE, {})

    def fail(self, error: OutsideError) -> None:
        """It cannot go on: say why. Refused credentials stop the app until someone mends them."""
        quarantines = for_cycle(error, 99, chance=0.0).act is Act.QUARANTINE
        told = {"code": error.code, "params": error.params, "request_id": error.request_id}
        self._close(CycleState.FAILED, "cycle.failed", Outcome.FAILED, told, quarantine=quarantines)
        log.warning("cycle failed", cycle=self.cycle_id, connector=self.frame.connector_id, code=error.code)

    def _start(self, session: Session, cycle: Cycle, connector: Connector, now: datetime) -> None:
        cycle.state, cycle.started_at, cycle.progress_at = CycleState.RUNNING, now, now
        cycle.counts, cycle.watermark_before = {"pages": 0}, connector.watermark
        full = cycle.options.get("full") or not connector.watermark
        cycle.kind = CycleKind.INITIAL if full else CycleKind.INCREMENTAL
        known = session.scalar(sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.connector_id == connector.id).limit(1))
        cycle.options = {**cycle.options, "first": known is None}
        session.add(cycle)
        session.flush()
        started = events.Entry(
            actor=cycle.requested_by, action="cycle.started", connector_id=connector.id, cycle_id=cycle.id,
            names={"app": connector.name}, text={"kind": cycle.kind, "preview": bool(cycle.options.get("preview"))},
        )  # fmt: skip
        events.append(session, cycle.tenant_id, [started], now)

    def _mark_stale(self, session: Session, connector: Connector) -> None:
        if connector.absorbed_version == connector.mapping_version:
            return
        session.execute(
            sa.update(ACCOUNTS)
            .where(ACCOUNTS.c.connector_id == connector.id, ACCOUNTS.c.situation.in_([s.value for s in _ABSORBABLE]))
            .values(stale=True)
        )
        connector.absorbed_version = connector.mapping_version
        session.add(connector)
        session.flush()

    def _batches(self) -> Iterator[Sequence[Page]]:
        """Pages in handfuls: as many as are there already, the next one on its way meanwhile."""
        row = self._row()
        watermark = row.watermark_before if row.kind == CycleKind.INCREMENTAL else None
        pages = self.source.changes(self.frame.attributes, watermark=watermark, position=row.position)
        with _ahead(pages) as ahead:
            batch: list[Page] = []
            while (page := ahead.next()) is not None:
                batch.append(page)
                people = sum(len(one.seen) for one in batch)
                if not ahead.ready or len(batch) >= PAGES_PER_COMMIT or people >= PEOPLE_PER_COMMIT:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _take_in(self, pages: Sequence[Page]) -> None:
        if self.ways.cut():
            raise _Cut
        with self.ways.writing() as session:
            cycle, _ = self._rows(session)
            if cycle.stop_requested:
                raise _Stopped
            counts, now = Counter(cycle.counts), self.ways.now()
            items = observe(session, self.frame, self.source, pages, counts)
            entries = absorb(session, self.frame, items, counts, now)
            store(session, self.frame, items, now)
            if cycle.kind == CycleKind.INITIAL and not cycle.options.get("first"):
                remember_sighting(session, self.frame, counts["pages"], pages)
            counts["pages"] += len(pages)
            cycle.position, cycle.watermark_after = pages[-1].position, pages[-1].watermark
            cycle.counts, cycle.progress_at = dict(counts), now
            session.add(cycle)
            events.append(session, self.frame.tenant_id, entries, now)

    def _wait_or_raise(self, error: OutsideError, attempt: int) -> None:
        decision = for_cycle(error, attempt, chance=self.ways.chance())
        if decision.act not in (Act.RETRY, Act.REST):
            raise error
        seconds = decision.after or 0.0
        until = self.ways.now() + timedelta(seconds=seconds)
        if decision.act is Act.REST:
            self._rest(until)
        while self.ways.now() < until:
            self._stop_if_asked()
            self.ways.sleep(min(1.0, max(0.0, (until - self.ways.now()).total_seconds())))

    def _rest(self, until: datetime) -> None:
        with self.ways.writing() as session:
            _, connector = self._rows(session)
            connector.rests_until = until
            session.add(connector)

    def _close(
        self, state: CycleState, action: str, outcome: Outcome, error: dict[str, Any], *, quarantine: bool = False
    ) -> None:
        with self.ways.writing() as session:
            cycle, connector = self._rows(session)
            now = self.ways.now()
            cycle.state, cycle.ended_at, cycle.error = state, now, error or None
            if quarantine:
                connector.state, connector.reason = ConnectorState.QUARANTINED, str(error.get("code", ""))
            session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == self.cycle_id))
            session.add_all([cycle, connector])
            told = events.Entry(
                actor=cycle.requested_by, action=action, outcome=outcome, connector_id=connector.id, cycle_id=cycle.id,
                names={"app": connector.name}, text={"counts": cycle.counts, **({"error": error} if error else {})},
            )  # fmt: skip
            events.append(session, cycle.tenant_id, [told], now)

    def _stale(self, after: int) -> list[Any]:
        conditions = [
            ACCOUNTS.c.stale,
            ACCOUNTS.c.id > after,
            ACCOUNTS.c.removed.is_(None),
            ACCOUNTS.c.situation.in_([situation.value for situation in _ABSORBABLE]),
        ]
        if self.frame.chosen is not None:
            conditions.append(ACCOUNTS.c.id.in_(self.frame.chosen))
        return conditions

    def _stop_if_asked(self) -> None:
        if self.ways.cut():
            raise _Cut
        if self._row().stop_requested:
            raise _Stopped

    def _row(self) -> Cycle:
        with self.ways.reading() as session:
            row = session.get(Cycle, self.cycle_id)
            if row is None:
                raise _Stopped
            session.expunge(row)
            return row

    def _rows(self, session: Session) -> tuple[Cycle, Connector]:
        cycle = session.exec(select(Cycle).where(Cycle.id == self.cycle_id)).one()
        query = select(Connector).where(Connector.tenant_id == cycle.tenant_id, Connector.id == cycle.connector_id)
        return cycle, session.exec(query).one()


class _Ahead:
    """Pages from another thread, one ahead of the reader."""

    def __init__(self, pool: ThreadPoolExecutor, pages: Iterator[Page]) -> None:
        self._pool, self._pages = pool, pages
        self._coming: Future[Page | None] = pool.submit(self._fetch)

    @property
    def ready(self) -> bool:
        return self._coming.done()

    def next(self) -> Page | None:
        page = self._coming.result()
        if page is not None:
            self._coming = self._pool.submit(self._fetch)
        return page

    def _fetch(self) -> Page | None:
        return next(self._pages, None)


@contextmanager
def _ahead(pages: Iterator[Page]) -> Iterator[_Ahead]:
    with ThreadPoolExecutor(1, thread_name_prefix="next-page") as pool:
        yield _Ahead(pool, pages)
