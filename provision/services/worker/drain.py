"""The worker: carries out what is due for one app, then returns.

Owns the order of things and holds no transaction while anything is asked outside; decides nothing.

    1. claim      conditional change, planned again, marked as sent   → COMMIT
    2. send       up to twenty writes in one call, several calls at once, paced by the app's bucket
    3. settle     state, what was observed, the event                 → COMMIT
    4. look up    what nobody knows the outcome of, before anything is sent again → COMMIT

Whatever a single operation does to it, the others go on. Killed anywhere, it leaves rows that say how far it got; the next
leader calls ``recover`` first.
"""

import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlmodel import Session, select

from provision.core.passwords import initial
from provision.core.ports import Outcome, OutsideError, Record, Throttled, Unreachable
from provision.core.tables import Connector
from provision.services import outbox
from provision.services.cycles import Ways
from provision.services.outbox import App, Claimed, Doubt, Look
from provision.services.worker.due import next_due
from provision.services.worker.pace import NARROWEST, WIDEST, Memory
from provision.vault import VaultError

log = structlog.get_logger()
T = TypeVar("T")
SOON = 60.0
"""``until_idle`` waits for what is due within so many seconds."""
LOOKS_AT_ONCE = 5
BUSY_TRIES = 3
_UNFIT = (ValueError, TypeError, ArithmeticError, RecursionError, LookupError, sa.exc.StatementError)
_PASSING = (sa.exc.OperationalError, sa.exc.InterfaceError)


def drain(
    ways: Ways,
    connector_id: int,
    *,
    memory: Memory | None = None,
    until_idle: bool = False,
    width: int | None = None,
    at: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Carry out what is due for one app; call it as its leader only. Returns how many of what became of them.

    Returns when nothing can be claimed now; with ``until_idle`` when nothing is due within a minute either. When
    ``ways.cut`` says so it claims no more, waits for the calls under way, settles them and returns. ``memory`` is the
    leader's, so that a bucket outlives one drain; ``width``: calls at once (1: no threads). ``at`` is called at the named
    points *after_claim*, *after_send*, *after_settle* and *after_look*, for who wants to die there.
    """
    one = _Drain(ways, connector_id, memory or Memory(), width, at)
    try:
        one.run(until_idle=until_idle)
    finally:
        one.close()
    return one.counts


@dataclass
class _Flight:
    """What one call carries: writes, or look-ups."""

    app: App
    claimed: Sequence[Claimed] = ()
    doubts: Sequence[Doubt] = ()


@dataclass
class _Landed:
    outcomes: Sequence[Outcome] = ()
    looks: Sequence[Look] = ()
    ms: int = 0


@dataclass
class _Ready:
    """What one turn at the rows brought."""

    flights: list[_Flight] = field(default_factory=list)
    waits: float | None = None
    moved: bool = False


class _Drain:
    """One drain. Its only lasting memory is the rows: what is here could be forgotten at any moment."""

    def __init__(
        self, ways: Ways, connector_id: int, memory: Memory, width: int | None, at: Callable[[str], None]
    ) -> None:
        self.ways, self.connector_id, self.memory, self.at = ways, connector_id, memory, at
        self.mine = memory.of(connector_id)
        self.fixed = width
        self.pool = ThreadPoolExecutor(WIDEST, "carry") if width != 1 else None
        self.flying: dict[Future[_Landed], _Flight] = {}
        self.counts: Counter[str] = Counter()
        self.port: Any = None

    def run(self, *, until_idle: bool) -> None:
        """Turn after turn: take what may go, let it go, settle what has come back."""
        while not self.ways.cut():
            ready = self._turn() if len(self.flying) < self._width() else _Ready()
            for flight in ready.flights:
                self._start(flight)
            if ready.flights or ready.moved:
                self._land(patience=0.0)
            elif self.flying:
                self._land(patience=1.0 if ready.waits is None else min(ready.waits, 1.0))
            elif ready.waits is not None:
                self.ways.sleep(min(ready.waits, 1.0))
            elif not until_idle or not self._await_due():
                break
        while self.flying:
            self._land(patience=None)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=False, cancel_futures=True)

    # -- Rows ------------------------------------------------------------------------------------------------------------

    def _turn(self) -> _Ready:
        """Claim, or take look-ups; nothing is asked outside here."""
        now = self.ways.now()
        with self.ways.reading() as session:
            row = session.exec(select(Connector).where(Connector.id == self.connector_id)).one()
            due = next_due(session, self.connector_id)
        limit = min(outbox.open_for(row, now), 1 if self.mine.breaker.tries else outbox.AT_ONCE)
        if due is None or due > now or not limit:
            return _Ready()
        if not self._opened(row, now):
            return _Ready()
        tokens = self.mine.bucket.tokens()
        ready = self._commit(lambda session: self._take(session, now, min(limit, int(tokens))))
        if not ready.flights and not ready.moved and tokens < limit:
            ready.waits = max(0.005, self.mine.bucket.seconds_until(1.0)) if tokens < 1.0 else None
        if ready.flights:
            self.at("after_claim")
        return ready

    def _take(self, session: Session, now: datetime, limit: int) -> _Ready:
        row = session.exec(select(Connector).where(Connector.id == self.connector_id)).one()
        app = outbox.app_of(session, row, self.ways.kinds)
        died = outbox.recover(session, now, expired_only=True)
        self.counts += died
        ready = _Ready(moved=bool(died))
        doubts = outbox.doubts(session, app, now, LOOKS_AT_ONCE)
        if doubts:
            ready.flights.append(_Flight(app, doubts=doubts))
        if limit > 0 and outbox.open_for(row, now):
            claim = outbox.claim(session, app, now, limit)
            self.counts += Counter(nothing=claim.nothing, cancelled=claim.cancelled, asks=claim.asks)
            ready.moved = ready.moved or bool(claim.nothing or claim.cancelled)
            if claim.running:
                ready.flights.append(_Flight(app, claimed=claim.running))
        return ready

    def _opened(self, row: Connector, now: datetime) -> bool:
        """Whether there is a way out. Without one nothing is claimed, so nothing is in doubt."""
        try:
            self.port = self.memory.port(self.ways, row)
        except (VaultError, OutsideError) as error:
            code = error.code if isinstance(error, OutsideError) else "secret_unreadable"
            log.warning("no way out", connector=self.connector_id, code=code)
            self._commit(lambda session: self._close_app(session, now))
            return False
        return True

    def _close_app(self, session: Session, now: datetime, seconds: float = SOON) -> None:
        row = session.exec(select(Connector).where(Connector.id == self.connector_id)).one()
        until = now + timedelta(seconds=seconds)
        row.rests_until = max(until, row.rests_until or until)
        session.add(row)

    def _await_due(self) -> bool:
        """Sleep towards the next due moment; False when there is none within reach."""
        now = self.ways.now()
        with self.ways.reading() as session:
            due = next_due(session, self.connector_id)
        if due is None or due > now + timedelta(seconds=SOON):
            return False
        if due <= now:
            # Due, and yet not to be claimed: it rests, or waits for something else.
            return False
        self.ways.sleep(min((due - now).total_seconds(), 1.0))
        return True

    # -- Calls -----------------------------------------------------------------------------------------------------------

    def _width(self) -> int:
        return self.fixed or self.mine.width

    def _start(self, flight: _Flight) -> None:
        if self.pool is None:
            self._settle(flight, self._call(flight))
        else:
            self.flying[self.pool.submit(self._call, flight)] = flight

    def _call(self, flight: _Flight) -> _Landed:
        """The only place that speaks to the outside. Whatever breaks in there is a doubtful answer."""
        began = time.monotonic()
        if flight.doubts:
            return _Landed(looks=[self._look(flight.app, doubt) for doubt in flight.doubts])
        if self.ways.now() >= max(one.sent_at for one in flight.claimed) + outbox.LEASE:
            # We slept so long that we are believed dead: somebody else may have sent it, and more, meanwhile.
            return _Landed(outcomes=[Outcome(error=Unreachable("internal", sent=False)) for _ in flight.claimed])
        writes = [one.write(flight.app, str(uuid.uuid4()), initial(secrets.token_bytes)) for one in flight.claimed]
        self.mine.bucket.take(sum(write.cost for write in writes))
        try:
            outcomes = self.port.carry(writes)
            if len(outcomes) != len(writes):
                raise ValueError("as many outcomes as writes")
        except OutsideError as error:
            outcomes = [Outcome(error=error)] * len(writes)
        except Exception:
            log.exception("a call broke", connector=self.connector_id)
            outcomes = [Outcome(error=Unreachable("internal", sent=True))] * len(writes)
        return _Landed(outcomes=outcomes, ms=round((time.monotonic() - began) * 1000))

    def _look(self, app: App, doubt: Doubt) -> Look:
        if doubt.claimed.plan.group:
            return self._look_for_group(doubt)
        name = doubt.sent.get(app.rules.sign_in) or doubt.claimed.case.account["name"]
        try:
            by_mark = self._find(app, *doubt.mark) if doubt.mark else None
            by_name = self._find(app, app.rules.sign_in, name) if by_mark is None and name else None
        except OutsideError as error:
            return Look(error=error)
        except Exception:
            log.exception("a look-up broke", connector=self.connector_id)
            return Look(error=Unreachable("internal", sent=False))
        return Look(by_mark, by_name)

    def _look_for_group(self, doubt: Doubt) -> Look:
        """By its mark alone: names of groups are nobody's own."""
        try:
            return Look(self.port.find_group(*doubt.mark) if doubt.mark else None)
        except OutsideError as error:
            return Look(error=error)
        except Exception:
            log.exception("a look-up broke", connector=self.connector_id)
            return Look(error=Unreachable("internal", sent=False))

    def _find(self, app: App, attribute: str, value: str) -> Record | None:
        found: Record | None = self.port.find(app.reads, **{attribute: value})
        return found

    def _land(self, *, patience: float | None) -> None:
        """Settle the calls that have come back."""
        if not self.flying:
            return
        landed, _ = wait(self.flying, timeout=patience, return_when=FIRST_COMPLETED)
        for future in landed:
            self._settle(self.flying.pop(future), future.result())

    # -- Settlement ------------------------------------------------------------------------------------------------------

    def _settle(self, flight: _Flight, landed: _Landed) -> None:
        if flight.doubts:
            self.at("after_look")
            self.counts += self._resolved(flight.app, list(zip(flight.doubts, landed.looks, strict=True)))
            return
        self.at("after_send")
        results = list(zip(flight.claimed, landed.outcomes, strict=True))
        self._adapt(landed.outcomes)
        self._break(results)
        self.counts += self._settled(flight, results, landed.ms)
        self.at("after_settle")

    def _settled(self, flight: _Flight, results: Sequence[tuple[Claimed, Outcome]], ms: int) -> Counter[str]:
        """All in one transaction; if one of them cannot be stored, it costs itself and nobody else."""

        def work(session: Session) -> Counter[str]:
            return outbox.settle(
                session, flight.app, results, appear=self.port.appearance, now=self.ways.now(),
                kinds=self.ways.kinds, ms=ms, chance=self.ways.chance(),
            )  # fmt: skip

        try:
            return self._commit(work)
        except _PASSING:
            raise
        except _UNFIT:
            if len(results) == 1:
                log.exception("an answer could not be stored", operation=results[0][0].id)
                if results[0][1].record is None and results[0][1].error is not None:
                    raise
                unfit = [(results[0][0], Outcome(error=Unreachable("internal", sent=True)))]
                return self._settled(flight, unfit, ms)
        middle = len(results) // 2
        return self._settled(flight, results[:middle], ms) + self._settled(flight, results[middle:], ms)

    def _resolved(self, app: App, looks: Sequence[tuple[Doubt, Look]]) -> Counter[str]:
        """The same for look-ups: what cannot be stored is looked up again later."""

        def work(session: Session) -> Counter[str]:
            return outbox.resolve(
                session, app, looks, appear=self.port.appearance, now=self.ways.now(),
                kinds=self.ways.kinds, chance=self.ways.chance(),
            )  # fmt: skip

        try:
            return self._commit(work)
        except _PASSING:
            raise
        except _UNFIT:
            if len(looks) == 1:
                log.exception("a look-up could not be stored", operation=looks[0][0].claimed.id)
                if looks[0][1].error is not None:
                    raise
                return self._resolved(app, [(looks[0][0], Look(error=Unreachable("internal", sent=False)))])
        middle = len(looks) // 2
        return self._resolved(app, looks[:middle]) + self._resolved(app, looks[middle:])

    def _adapt(self, outcomes: Sequence[Outcome]) -> None:
        """More calls at once while they are answered, fewer when we are told to wait."""
        if any(isinstance(outcome.error, Throttled) for outcome in outcomes):
            self.mine.width = max(min(NARROWEST, self.mine.widest), self.mine.width // 2)
            self.mine.bucket.empty()
        elif len(self.flying) + 1 >= self.mine.width and not any(outcome.error for outcome in outcomes):
            self.mine.width = min(self.mine.widest, self.mine.width + 1)

    def _break(self, results: Sequence[tuple[Claimed, Outcome]]) -> None:
        """Let the app rest when it answers nobody any more: what waits is not spent on it."""
        seconds = self.mine.breaker.rest((claimed.id, outcome.error) for claimed, outcome in results)
        if seconds is not None:
            log.warning("an app answers nobody", connector=self.connector_id, rests=seconds)
            self._commit(lambda session: self._close_app(session, self.ways.now(), seconds))

    def _commit(self, work: Callable[[Session], T]) -> T:
        """One transaction, begun anew when the database was busy or two writers crossed."""
        for attempt in range(1, BUSY_TRIES + 1):
            try:
                with self.ways.writing() as session:
                    return work(session)
            except sa.exc.OperationalError:
                if attempt == BUSY_TRIES:
                    raise
            self.ways.sleep(float(attempt))
        raise AssertionError("unreachable")
