"""The log of everything done: appended in the transaction of the deed, chained so that a later change shows.

Owns events, their details and each tenant's chain head; never changes an entry.

h(n) = SHA-256(h(n-1) ‖ canonical(event n)). The details' digest is part of the event, so retention may drop the details
and the chain still verifies. The chain shows tampering to whoever kept an earlier head elsewhere.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Event, EventDetail, EventHead
from provision.core.vocabulary import Outcome, key
from provision.db import for_update, insert_many, moment, once, reserve

_BEGIN = b"\x00" * 32
_encode = msgspec.json.Encoder(order="deterministic").encode
_EVENTS: sa.Table = Event.__table__  # type: ignore[attr-defined]
_DETAILS: sa.Table = EventDetail.__table__  # type: ignore[attr-defined]
_HEADS: sa.Table = EventHead.__table__  # type: ignore[attr-defined]
_TOLD = (
    "tenant_id", "sequence", "at", "actor", "action", "user_id", "account_id", "connector_id", "operation_id", "cycle_id",
    "outcome", "ms", "detail_digest",
)  # fmt: skip
_PARTS = ("before", "after", "names", "text")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be written down. ``before`` and ``after`` hold changed attributes only; ``names`` what people read."""

    actor: str
    action: str
    outcome: Outcome = Outcome.DONE
    user_id: int | None = None
    account_id: int | None = None
    connector_id: int | None = None
    operation_id: int | None = None
    cycle_id: int | None = None
    ms: int | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=dict)


def append(session: Session, tenant_id: int, entries: Sequence[Entry], now: datetime) -> None:
    """Write the entries down in order, in three statements whatever their number. Call it last in the transaction.

    ``names`` should carry ``user`` and ``address`` where a person is meant: the report finds people by them even after
    they are gone.
    """
    if not entries:
        return
    head = session.execute(_head(session), {"tenant": tenant_id}).first()
    if head is None:
        session.execute(sa.insert(_HEADS).values(tenant_id=tenant_id, sequence=0, hash=_BEGIN))
    at, stored = now.astimezone(UTC).isoformat(), moment(session, now)
    sequence, previous = head or (0, _BEGIN)
    rows: list[tuple[Any, ...]] = []
    details: list[tuple[Any, ...]] = []
    for number, entry in zip(reserve(session, _EVENTS, len(entries)), entries, strict=True):
        parts = _parts(entry.before, entry.after, entry.names, entry.text)
        sequence += 1
        told = (
            tenant_id, sequence, at, entry.actor, entry.action, entry.user_id, entry.account_id, entry.connector_id,
            entry.operation_id, entry.cycle_id, entry.outcome.value, entry.ms, _digest(parts),
        )  # fmt: skip
        link = _link(previous, told)
        rows.append((number, *told[:2], stored, *told[3:], previous, link))
        details.append((number, *(part.decode() for part in parts), _who(entry.names)))
        previous = link
    insert_many(session, _EVENTS, ("id", *_TOLD, "previous", "hash"), rows)
    insert_many(session, _DETAILS, ("event_id", "before", "after", "names", "text", "who_key"), details)
    session.execute(_MOVED, {"tenant": tenant_id, "to": sequence, "link": previous})


@once
def _head(session: Session) -> Any:
    query = sa.select(_HEADS.c.sequence, _HEADS.c.hash).where(_HEADS.c.tenant_id == sa.bindparam("tenant"))
    return for_update(session, query)


_MOVED = (
    sa.update(_HEADS)
    .where(_HEADS.c.tenant_id == sa.bindparam("tenant"))
    .values(sequence=sa.bindparam("to"), hash=sa.bindparam("link"))
)


def verify(session: Session, tenant_id: int) -> int | None:
    """Walk the chain; return the sequence of the first entry that does not fit, or None when all do.

    Details that retention has dropped are no fault; details that differ from what was written down are.
    """
    last, previous = 0, _BEGIN
    details = [_DETAILS.c[name] for name in ("event_id", *_PARTS)]
    query = sa.select(_EVENTS, *details).join_from(_EVENTS, _DETAILS, isouter=True)
    query = query.where(_EVENTS.c.tenant_id == tenant_id).order_by(_EVENTS.c.sequence)
    with session.execute(query.execution_options(yield_per=1000)) as found:
        for row in found.mappings():
            if row["sequence"] != last + 1 or row["previous"] != previous or not _fits(row):
                return last + 1
            last, previous = row["sequence"], row["hash"]
    head = session.scalar(sa.select(_HEADS.c.hash).where(_HEADS.c.tenant_id == tenant_id))
    return None if (head or _BEGIN) == previous else last + 1


def digest_of(detail: EventDetail) -> bytes:
    """The digest that the event of these details carries, computed from the details as they are now."""
    return _digest(_parts(detail.before, detail.after, detail.names, detail.text))


def timeline(
    session: Session, tenant_id: int, user_id: int, *, limit: int = 50
) -> list[tuple[Event, EventDetail | None]]:
    """What happened to one person, newest first."""
    query = (
        select(Event, EventDetail)
        .join(EventDetail, col(EventDetail.event_id) == col(Event.id), isouter=True)
        .where(Event.tenant_id == tenant_id, Event.user_id == user_id)
        .order_by(col(Event.id).desc())
        .limit(limit)
    )
    return list(session.exec(query).all())


def _parts(*details: Mapping[str, Any]) -> list[bytes]:
    return [_encode(detail) if detail else b"{}" for detail in details]


def _digest(parts: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"\n".join(parts)).digest()


def _fits(row: Any) -> bool:
    told = tuple(row["at"].isoformat() if name == "at" else row[name] for name in _TOLD)
    if row["hash"] != _link(row["previous"], told):
        return False
    return row["event_id"] is None or _digest(_parts(*(row[name] for name in _PARTS))) == row["detail_digest"]


def _link(previous: bytes, told: tuple[Any, ...]) -> bytes:
    return hashlib.sha256(previous + _encode((*told[:-1], told[-1].hex()))).digest()


def _who(names: Mapping[str, Any]) -> str:
    words: Iterable[Any] = (names.get("user"), names.get("address"), names.get("username"))
    return "\n".join(key(str(word)) for word in words if word)
