"""Taking accounts in: observe, absorb and store a batch as one; where an account cannot be stored, without it.

Owns the splitting, so that one bad value costs one account and never a page; commits nothing.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlmodel import Session

from provision.core.mapping import clean
from provision.core.ports import Seen, Source
from provision.core.vocabulary import Outcome
from provision.db import among
from provision.services import events
from provision.services.cycles.absorbing import absorb
from provision.services.cycles.frame import Frame
from provision.services.cycles.observing import ACCOUNTS, load, observe, store

log = structlog.get_logger()
T = TypeVar("T")

UNFIT = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    sa.exc.StatementError,
)
"""What a value from outside can do to us: it has another shape, does not encode, is refused, or is somebody else's."""

PASSING = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""The database itself is in trouble: no account is to blame."""


@contextmanager
def uncollected() -> Iterator[None]:
    """A batch makes a hundred thousand small objects, none of them in a circle: they die by themselves.

    Meanwhile the collector would look at them, and at everything else in the process, again and again: a third of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(slots=True)
class Part:
    """What became of some accounts: what to count and what to write down."""

    counts: Counter[str] = field(default_factory=Counter)
    entries: list[events.Entry] = field(default_factory=list)

    def __bool__(self) -> bool:
        """True when there is anything to count or to write down."""
        return bool(self.counts or self.entries)

    def add(self, other: "Part") -> None:
        self.counts.update(other.counts)
        self.entries += other.entries


def take_seen(
    session: Session,
    frame: Frame,
    source: Source,
    seen: Sequence[Seen],
    now: datetime,
    asked_at: datetime | None = None,
) -> Part:
    """Observe what pages showed and take over what is certain; each anchor at most once. ``asked_at`` as for ``observe``."""

    def take(batch: Sequence[Seen]) -> Part:
        part = Part()
        items = observe(session, frame, source, batch, part.counts, asked_at)
        part.entries = absorb(session, frame, items, part.counts, now)
        store(session, frame, items, now)
        return part

    return _whole_or_split(session, seen, take, lambda one, error: _failed(frame, one.anchor, None, error))


def take_stored(
    session: Session, frame: Frame, numbers: Sequence[int], now: datetime, suitors: Counter[int] | None = None
) -> Part:
    """Judge stored accounts again, by id, and take over what is certain. ``suitors`` as for ``absorb``."""

    def take(batch: Sequence[int]) -> Part:
        part = Part()
        items = load(session, frame, among(session, ACCOUNTS.c.id, batch), lock=True)
        part.entries = absorb(session, frame, items, part.counts, now, suitors)
        store(session, frame, items, now)
        return part

    part = _whole_or_split(session, numbers, take, lambda number, error: _failed(frame, "", number, error))
    # Whoever was seen has been counted with the pages: here only deeds count.
    for name in ("seen", "unchanged", "left_alone"):
        del part.counts[name]
    return part


def _whole_or_split(
    session: Session, batch: Sequence[T], take: Callable[[Sequence[T]], Part], fail: Callable[[T, Exception], Part]
) -> Part:
    if not batch:
        return Part()
    try:
        with session.begin_nested():
            return take(batch)
    except PASSING:
        raise
    except UNFIT as error:
        if len(batch) == 1:
            return fail(batch[0], error)
    middle = len(batch) // 2
    part = _whole_or_split(session, batch[:middle], take, fail)
    part.add(_whole_or_split(session, batch[middle:], take, fail))
    return part


def _failed(frame: Frame, anchor: str, account_id: int | None, error: Exception) -> Part:
    # The error may quote the value, and the value may be somebody's secret: only its kind is told.
    reason = type(getattr(error, "orig", None) or error).__name__
    shown = clean(anchor) or str(account_id or "")
    log.warning("account failed", connector=frame.connector_id, cycle=frame.cycle_id, reason=reason)
    told = events.Entry(
        actor=frame.actor,
        action="account.failed",
        outcome=Outcome.FAILED,
        account_id=account_id,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        names={"user": shown, "app": frame.app},
        text={"code": "account_unfit", "params": {"reason": reason, "account": shown}},
    )
    return Part(Counter(seen=1, failed=1), [told])
