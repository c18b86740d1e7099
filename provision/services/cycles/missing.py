"""Who was not shown by a walk that shows everybody, and which rows are no longer in the file that was read.

Owns what is concluded from absence; takes nobody away: that waits for the end of a cycle and its brake.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Cycle
from provision.core.vocabulary import CycleKind, Situation
from provision.db import among
from provision.services import events
from provision.services.cycles.frame import Frame
from provision.services.cycles.observing import ACCOUNTS, DIGEST, SIGHTINGS, sighted
from provision.services.present import NO_GROUP

PRESENT: tuple[Any, ...] = (ACCOUNTS.c.situation != Situation.GONE.value, ACCOUNTS.c.anchor.is_not(None), NO_GROUP)
CHUNK = 2000
T = TypeVar("T")
_NOBODYS: tuple[Any, ...] = (
    ACCOUNTS.c.user_id.is_(None),
    ACCOUNTS.c.stale,
    ACCOUNTS.c.situation != Situation.IGNORED.value,
)


def keeps_sightings(frame: Frame, cycle: Cycle) -> bool:
    """Whether a walk must remember whom it shows. Nobody can be missing from the very first one."""
    return not cycle.options.get("first") and (cycle.kind == CycleKind.INITIAL or frame.reads_file)


def mark_absent(session: Session, frame: Frame, cycle: Cycle, now: datetime) -> None:
    """After the last page, mark every account that a full walk did not show, and remember how many those are.

    Nothing is inferred from absence in a walk over changes, nor in the very first one. A file is the exception for what
    nobody took over yet: rows that stood in an earlier file only are no longer there, and are never imported.
    """
    if not keeps_sightings(frame, cycle):
        return
    walked = cycle.kind == CycleKind.INITIAL
    anew = walked or cycle.watermark_after != cycle.watermark_before  # the same file again shows no row
    if not (anew and frame.reads_file) and not (walked and frame.shows_all):
        return
    parts = session.scalars(sa.select(SIGHTINGS.c.digests).where(SIGHTINGS.c.cycle_id == frame.cycle_id))
    seen = {part[start : start + DIGEST] for part in parts for start in range(0, len(part), DIGEST)}
    if frame.reads_file:
        _let_go(session, frame, cycle, seen, now)
    if walked and frame.shows_all:
        _mark(session, frame, cycle, seen)
    session.flush()


def _mark(session: Session, frame: Frame, cycle: Cycle, seen: set[bytes]) -> None:
    missing, unmarked = 0, []
    for row in _unseen(session, frame, cycle, seen):
        missing += 1
        if row.removed is None:
            unmarked.append(row.id)
    for part in _chunks(unmarked):
        absent = among(session, ACCOUNTS.c.id, part)
        session.execute(sa.update(ACCOUNTS).where(absent).values(removed="absent"))
    cycle.options = {**cycle.options, "missing": missing}


def _let_go(session: Session, frame: Frame, cycle: Cycle, seen: set[bytes], now: datetime) -> None:
    """Rows of an earlier file that are nobody's and not in this one. They are not expected any more, so no brake asks."""
    rows = list(_unseen(session, frame, cycle, seen, *_NOBODYS))
    gone = {"situation": Situation.GONE.value, "stale": False, "removed": None, "withheld": None}
    for part in _chunks(rows):
        absent = among(session, ACCOUNTS.c.id, [row.id for row in part])
        session.execute(sa.update(ACCOUNTS).where(absent).values(**gone))
        events.append(session, frame.tenant_id, [_entry(frame, row) for row in part], now)
    if rows:
        cycle.counts = dict(Counter(cycle.counts) + Counter(gone=len(rows)))
        cycle.options = {**cycle.options, "known": max(int(cycle.options.get("known", 0)) - len(rows), 0)}


def _entry(frame: Frame, row: Any) -> events.Entry:
    return events.Entry(
        actor=frame.actor,
        action="account.gone",
        account_id=row.id,
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        before={"situation": row.situation},
        after={"situation": Situation.GONE.value},
        names={"user": row.name or row.anchor, "address": row.name, "app": frame.app},
        text={"removed": "absent"},
    )


def _unseen(session: Session, frame: Frame, cycle: Cycle, seen: set[bytes], *conditions: Any) -> Any:
    # What was observed by something else since the walk began is there, although the walk may not have shown it.
    earlier = ACCOUNTS.c.observed_at <= datetime.fromisoformat(cycle.options["walk_began_at"])
    columns = [ACCOUNTS.c[name] for name in ("id", "anchor", "name", "situation", "removed")]
    query = sa.select(*columns).where(ACCOUNTS.c.connector_id == frame.connector_id, *PRESENT, earlier, *conditions)
    rows = session.execute(query.execution_options(yield_per=5000))
    return (row for row in rows if sighted(row.anchor) not in seen)


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
