"""The pass itself: pages in, commits, rests and restarts, until the end of the walk. Decides nothing.

    changes() → page … page → [ observe → absorb → store → position → COMMIT ] … → absent → rest → adoptions → end → COMMIT

The next page is fetched while this one is written; no transaction is open while anything is asked outside. A killed walk
goes on from the position of its last commit. A walk that must wait returns, and its row says until when.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlmodel import Session, col, select

from provision.core.ports import OutsideError, Page, Source, Throttled, Unreachable, WatermarkLost
from provision.core.retry import Act, for_cycle
from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, CycleKind, CycleState
from provision.db import for_update
from provision.services import connectors, events
from provision.services.cycles.ahead import Ahead, stamped
from provision.services.cycles.beginning import ABSORBABLE, close, mark_stale, rests, start
from provision.services.cycles.circles import walked
from provision.services.cycles.comparing import comparable, compare
from provision.services.cycles.ending import end
from provision.services.cycles.following import follow
from provision.services.cycles.frame import COUNTS, SIGHTS, Frame
from provision.services.cycles.frame import frame as frame_of
from provision.services.cycles.judging import adoptable, waiting_suitors
from provision.services.cycles.looking import look_anew
from provision.services.cycles.managing import bind, bound
from provision.services.cycles.missing import keeps_sightings, mark_absent
from provision.services.cycles.observing import ACCOUNTS, SIGHTINGS, Owned, merged, remember_sighting
from provision.services.cycles.requests import UNFINISHED, barred
from provision.services.cycles.taking import Part, take_seen, take_stored, uncollected
from provision.services.outbox import NOBODY_ASKED, Order
from provision.services.present import NO_GROUP
from provision.vault import VaultError

log = structlog.get_logger()
T = TypeVar("T")
PAGES_PER_COMMIT = 5
PEOPLE_PER_COMMIT = 4000
STALE_PER_COMMIT = 2000
RESTARTS = 3
BREAKS = 3
BUSY_TRIES = 3
_STALE = sa.text("accounts.stale")
"""In the words of its index: SQLite uses one that holds a part of the rows only then."""


@dataclass(frozen=True)
class Ways:
    """What a cycle reaches the world through: transactions, ports, the clock, patience and chance (0 to 1).

    ``cut`` tells that this process is about to end: the next leader goes on with the cycle. ``admit`` lets those into groups
    who waited to be somebody.
    """

    reading: Callable[[], AbstractContextManager[Session]]
    writing: Callable[[], AbstractContextManager[Session]]
    connect: Callable[[Connector], Source]
    kinds: Mapping[str, Any]
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    cut: Callable[[], bool] = lambda: False
    admit: Callable[[Session, Owned, Order], None] = lambda _session, _app, _order: None


class _Stopped(Exception):
    """Somebody asked the cycle to stop, or its app may not import any more; ``code`` says which."""

    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


class _Cut(Exception):
    """This process is about to end."""


def run_requested(ways: Ways) -> list[int]:
    """Carry on every cycle that was asked for or cut short; return their ids. Call it as the leader only."""
    with ways.reading() as session:
        query = select(Cycle.id).where(UNFINISHED).order_by(col(Cycle.id))
        waiting = [number for number in session.exec(query).all() if number is not None]
    for number in waiting:
        run(ways, number)
    return waiting


def run(ways: Ways, cycle_id: int) -> None:
    """Carry one cycle on: to its end, or until the outside wants a rest, or this process is cut.

    An unfinished cycle is gone on with by the next call. Call it as the leader only. Raises nothing of the outside's; what
    breaks in here ends the cycle after a few tries, so that it can't stand in the way of others.
    """
    walk = _Walk(ways, cycle_id)
    try:
        if walk.begin():
            walk.carry_out()
    except _Cut:
        log.info("cycle cut short", cycle=cycle_id)
    except _Stopped as stopped:
        walk.stopped(stopped.code)
    except OutsideError as error:
        walk.rest_or_fail(error)
    except sa.exc.OperationalError:
        raise  # the database is in trouble, not the cycle
    except Exception:
        log.exception("a cycle broke", cycle=cycle_id)
        walk.broke()


class _Walk:
    """One cycle on its way. Its only lasting memory is the row: what is here could be forgotten at any moment."""

    def __init__(self, ways: Ways, cycle_id: int) -> None:
        self.ways, self.cycle_id = ways, cycle_id
        self.frame: Frame
        self.source: Source

    def begin(self) -> bool:
        """Mark the cycle running and read what stays fixed; False when there is nothing to do now."""

        def enter(session: Session, cycle: Cycle, connector: Connector) -> Connector | None:
            if cycle.state not in UNFINISHED_CYCLES:
                return None
            self._halt(cycle, connector)
            now = self.ways.now()
            if rests(cycle, connector, now):
                return None
            if cycle.state == CycleState.REQUESTED:
                start(session, cycle, connector, now, pulled=self.ways.kinds[connector.kind].pulled)
            self.frame = frame_of(session, cycle, self.ways.kinds)
            mark_stale(session, connector)
            session.expunge(connector)
            return connector

        connector = self._commit(enter)
        if connector is None:
            return False
        try:
            self.source = self.ways.connect(connector)
        except VaultError:
            raise OutsideError("secret_unreadable") from None
        look_anew(self.ways.writing, self.ways.kinds, connector, self.source)
        return True

    def carry_out(self) -> None:
        """Everything between the beginning and the end, as often as the walk must begin anew."""
        while True:
            try:
                self.read_all()
                break
            except WatermarkLost:
                self.start_over()
        self._commit(lambda session, cycle, _: mark_absent(session, self.frame, cycle, self.ways.now()))
        self.absorb_rest()
        self.adopt_rest()
        self.bind()
        self.admit()
        self.compare()
        self._commit(self._finish)
        log.info("cycle ended", cycle=self.cycle_id, connector=self.frame.connector_id)

    def read_all(self) -> None:
        """Read from the last position to the end of the walk, unless it has been reached before."""
        row = self._row()
        if row.watermark_after:
            return
        for pages in self._batches(row):
            self._take_in(pages)
        if not self._row().watermark_after:
            raise Unreachable("unexpected_reply", sent=True, reason="no_end")

    def absorb_rest(self) -> None:
        """Judge again what earlier previews, disputes or an older mapping left behind, unless it has vanished."""
        still = (_STALE, ACCOUNTS.c.removed.is_(None), ACCOUNTS.c.situation.in_(ABSORBABLE), NO_GROUP)
        self._each_stored(*still)

    def adopt_rest(self) -> None:
        """Link accounts to people who were here before, now that all accounts that might want them are known."""
        with self.ways.reading() as session:
            suitors = waiting_suitors(session, self.frame)
        if suitors:
            self._each_stored(adoptable(), suitors=suitors)

    def bind(self) -> None:
        """Take over whom people report to, now that everybody is known who could be meant."""
        if conditions := bound(self.frame, self._row()):
            self._each(conditions, lambda session, batch, now: bind(session, self.frame, batch, now))

    def admit(self) -> None:
        """Let into their groups who waited for it to be known who they are."""
        if self.frame.pushes and self.frame.takes_over:
            order = Order(self.frame.actor, self.ways.now(), self.ways.kinds, priority=NOBODY_ASKED, hold=False)
            self._commit(lambda session, *_: self.ways.admit(session, self.frame, order))

    def compare(self) -> None:
        """Remember what linked accounts hold that differs from what the mapping owns."""

        def take(session: Session, batch: Sequence[int], now: datetime) -> Part:
            return compare(session, self.frame, batch, self.ways.kinds, now)

        for conditions in comparable(self._row(), self.frame):
            self._each(conditions, take)

    def start_over(self) -> None:
        """The watermark or the position is lost: read everything. What was taken over stays so."""

        def again(session: Session, cycle: Cycle, connector: Connector) -> None:
            restarts = cycle.options.get("restarts", 0) + 1
            if restarts > RESTARTS:
                raise OutsideError("walk_lost")
            cycle.kind, cycle.position, cycle.watermark_before = CycleKind.INITIAL, None, None
            cycle.counts = {**cycle.counts, **dict.fromkeys(SIGHTS, 0)}
            began = {"walk_began_at": self.ways.now().isoformat(), "mapping_version": connector.mapping_version}
            # People may have vanished between the two walks, so even a first one must look for absence now.
            cycle.options = {**cycle.options, **began, "restarts": restarts, "first": False, "mark": None}
            connector.watermark = None
            session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == self.cycle_id))

        self._commit(again)
        log.info("cycle starts over", cycle=self.cycle_id, connector=self.frame.connector_id)

    def stopped(self, code: str) -> None:
        """What was taken over stays, the watermark does not move."""
        error = {"code": code, "params": {}} if code else None
        self._commit(lambda session, cycle, _: close(session, cycle, CycleState.STOPPED, error, self.ways.now()))

    def rest_or_fail(self, error: OutsideError) -> None:
        """The outside wants a rest or cannot be reached: try again later. Else say why it cannot go on."""

        def settle(session: Session, cycle: Cycle, connector: Connector) -> None:
            tries = cycle.options.get("tries", 0) + (not isinstance(error, Throttled))
            decision = for_cycle(error, max(tries, 1), chance=self.ways.chance())
            told = {"code": error.code, "params": error.params, "request_id": error.request_id}
            if decision.act not in (Act.RETRY, Act.REST):
                if decision.act is Act.QUARANTINE:
                    plain = {"code": error.code, "params": error.params}
                    said = connectors.stop(connector, error, plain, self.ways.now())
                    events.append(session, connector.tenant_id, said, self.ways.now())
                close(session, cycle, CycleState.FAILED, told, self.ways.now())
                return
            until = self.ways.now() + timedelta(seconds=decision.after or 0.0)
            cycle.options = {**cycle.options, "tries": tries, "again_at": until.isoformat()}
            cycle.error = told
            if decision.act is Act.REST:
                connector.rests_until = until

        self._commit(settle)
        log.warning("cycle hindered", cycle=self.cycle_id, code=error.code)

    def broke(self) -> None:
        """Our own fault. Tried again from the last commit a few times, then ended."""

        def settle(session: Session, cycle: Cycle, _: Connector) -> None:
            breaks = cycle.options.get("breaks", 0) + 1
            if breaks >= BREAKS:
                told = {"code": "internal", "params": {}}
                close(session, cycle, CycleState.FAILED, told, self.ways.now())
                return
            until = self.ways.now() + timedelta(seconds=5 * breaks)
            cycle.options = {**cycle.options, "breaks": breaks, "again_at": until.isoformat()}

        self._commit(settle)

    # -- Pages -----------------------------------------------------------------------------------------------------------

    def _batches(self, row: Cycle) -> Iterator[Sequence[Page]]:
        """Pages in handfuls: as many as are there already, the next one on its way meanwhile."""
        watermark = row.watermark_before if row.kind == CycleKind.INCREMENTAL else None
        pages = self.source.changes(self.frame.attributes, watermark=watermark, position=row.position)
        batch: list[Page] = []
        with Ahead(stamped(pages, self.ways.now)) as ahead:
            try:
                while (page := ahead.next(self._stop_if_asked)) is not None:
                    batch.append(page)
                    people = sum(len(one.seen) for one in batch)
                    if not ahead.ready or len(batch) >= PAGES_PER_COMMIT or people >= PEOPLE_PER_COMMIT:
                        yield batch
                        batch = []
            except (OutsideError, WatermarkLost):
                if batch:
                    yield batch
                raise
            if batch:
                yield batch

    def _take_in(self, pages: Sequence[Page]) -> None:
        def take(session: Session, cycle: Cycle, connector: Connector) -> None:
            self._halt(cycle, connector)
            now, number = self.ways.now(), cycle.counts["pages"]
            seen = merged(pages)
            part = Part()
            for first in range(0, len(seen), PEOPLE_PER_COMMIT):
                batch = seen[first : first + PEOPLE_PER_COMMIT]
                part.add(take_seen(session, self.frame, self.source, batch, now, pages[0].asked_at))
            if keeps_sightings(self.frame, cycle):
                remember_sighting(session, self.frame, number, seen)
            part.counts["pages"] = len(pages)
            cycle.position, cycle.watermark_after = pages[-1].position, pages[-1].watermark
            cycle.error = None
            kept = {name: value for name, value in cycle.options.items() if name not in ("tries", "again_at")}
            cycle.options = {**kept, "mark": _onward(cycle.options.get("mark"), pages)}
            self._progress(session, cycle, part, now)

        self._commit(take)

    def _each_stored(self, *conditions: Any, suitors: Counter[int] | None = None) -> None:
        """Take stored accounts over in order of id, a handful per commit."""
        if self.frame.chosen is not None:
            conditions += (ACCOUNTS.c.id.in_(self.frame.chosen),)
        self._each(conditions, lambda session, batch, now: take_stored(session, self.frame, batch, now, suitors))

    def _each(self, conditions: Sequence[Any], step: Callable[[Session, Sequence[int], datetime], Part]) -> None:
        last = 0
        while numbers := self._numbers(last, conditions):
            last = numbers[-1]

            def take(session: Session, cycle: Cycle, connector: Connector, batch: Sequence[int] = numbers) -> None:
                self._halt(cycle, connector)
                if part := step(session, batch, now := self.ways.now()):
                    self._progress(session, cycle, part, now)

            self._commit(take)

    def _numbers(self, after: int, conditions: Sequence[Any]) -> Sequence[int]:
        own = (ACCOUNTS.c.connector_id == self.frame.connector_id, ACCOUNTS.c.id > after)
        query = sa.select(ACCOUNTS.c.id).where(*own, *conditions).order_by(ACCOUNTS.c.id).limit(STALE_PER_COMMIT)
        with self.ways.reading() as session:
            return session.scalars(query).all()

    def _progress(self, session: Session, cycle: Cycle, part: Part, now: datetime) -> None:
        cycle.counts, cycle.progress_at = dict(Counter(cycle.counts) + part.counts), now
        cycle.counts = {**dict.fromkeys(("pages", *COUNTS), 0), **cycle.counts}
        session.flush()
        follow(session, self.frame, part.entries, self.ways.kinds, now)
        events.append(session, self.frame.tenant_id, part.entries, now)

    # -- The row ---------------------------------------------------------------------------------------------------------

    def _finish(self, session: Session, cycle: Cycle, connector: Connector) -> None:
        """The last transaction: what takes away, and the watermark."""
        self._halt(cycle, connector)
        entries = end(session, self.frame, cycle, connector, now := self.ways.now())
        follow(session, self.frame, entries, self.ways.kinds, now)
        events.append(session, self.frame.tenant_id, entries, now)

    def _halt(self, cycle: Cycle, connector: Connector) -> None:
        if self.ways.cut():
            raise _Cut
        if cycle.stop_requested:
            raise _Stopped
        if code := barred(connector):
            raise _Stopped(code)

    def _stop_if_asked(self) -> None:
        with self.ways.reading() as session:
            self._halt(*self._rows(session))

    def _row(self) -> Cycle:
        with self.ways.reading() as session:
            row, _ = self._rows(session)
            session.expunge(row)
            return row

    def _rows(self, session: Session, *, lock: bool = False) -> tuple[Cycle, Connector]:
        own = select(Cycle).where(Cycle.id == self.cycle_id)
        cycle: Cycle = session.exec(for_update(session, own) if lock else own).one()
        query = select(Connector).where(Connector.tenant_id == cycle.tenant_id, Connector.id == cycle.connector_id)
        return cycle, session.exec(query).one()

    def _commit(self, work: Callable[[Session, Cycle, Connector], T]) -> T:
        """One transaction over the cycle's rows; begun anew when the database was busy or two writers crossed."""
        for attempt in range(1, BUSY_TRIES + 1):
            try:
                with uncollected(), self.ways.writing() as session:
                    return work(session, *self._rows(session, lock=True))
            except sa.exc.OperationalError:
                if attempt == BUSY_TRIES:
                    raise
            self.ways.sleep(float(attempt))
        raise AssertionError("unreachable")


def _onward(mark: dict[str, Any] | None, pages: Sequence[Page]) -> dict[str, Any] | None:
    for page in pages:
        if page.position is not None:
            mark = walked(mark, page.position)
            if mark is None:
                raise OutsideError("unexpected_reply", reason="loop")
    return mark
