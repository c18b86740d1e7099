"""The log of everything done: appended in the transaction of the deed, chained so that a later change shows.

Owns events, their details and each tenant's chain head; never changes an entry.

h(n) = SHA-256(h(n-1) ‖ canonical(event n)). The details' digest is part of the event, so retention may drop the details
and the chain still verifies. The chain shows tampering to whoever kept an earlier head elsewhere.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Event, EventDetail, EventHead
from provision.core.vocabulary import Outcome, key
from provision.db import for_update, reserve

_BEGIN = b"\x00" * 32
_encode = msgspec.json.Encoder(order="deterministic").encode


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
    head = session.exec(for_update(session, select(EventHead).where(EventHead.tenant_id == tenant_id))).first()
    if head is None:
        head = EventHead(tenant_id=tenant_id, sequence=0, hash=_BEGIN)
        session.add(head)
        session.flush()
    events_table, details_table = Event.__table__, EventDetail.__table__  # type: ignore[attr-defined]
    ids = reserve(session, events_table, len(entries))
    at = now.isoformat()
    events: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for number, entry in zip(ids, entries, strict=True):
        detail = {"before": entry.before, "after": entry.after, "names": entry.names, "text": entry.text}
        row = {
            "tenant_id": tenant_id,
            "sequence": head.sequence + 1,
            "actor": entry.actor,
            "action": entry.action,
            "user_id": entry.user_id,
            "account_id": entry.account_id,
            "connector_id": entry.connector_id,
            "operation_id": entry.operation_id,
            "cycle_id": entry.cycle_id,
            "outcome": entry.outcome.value,
            "ms": entry.ms,
            "detail_digest": hashlib.sha256(_encode(detail)).digest(),
        }
        row["hash"] = _link(head.hash, row, at)
        row["previous"], row["at"], row["id"] = head.hash, now, number
        head.sequence, head.hash = row["sequence"], row["hash"]
        events.append(row)
        details.append({"event_id": number, **detail, "who_key": _who(entry.names)})
    session.execute(sa.insert(events_table), events)
    session.execute(sa.insert(details_table), details)
    session.add(head)
    session.flush()


def verify(session: Session, tenant_id: int) -> int | None:
    """Walk the chain; return the sequence of the first entry that does not fit, or None when all do."""
    last, previous = 0, _BEGIN
    query = sa.select(Event.__table__).where(col(Event.tenant_id) == tenant_id).order_by(col(Event.sequence))  # type: ignore[attr-defined]
    for row in session.execute(query.execution_options(yield_per=1000)).mappings():
        if row["sequence"] != last + 1 or row["previous"] != previous or row["hash"] != _link(previous, row, row["at"].isoformat()):
            return last + 1
        last, previous = row["sequence"], row["hash"]
    head = session.get(EventHead, tenant_id)
    return None if (head.hash if head else _BEGIN) == previous else last + 1


def digest_of(detail: EventDetail) -> bytes:
    """The digest that the event of these details carries, computed from the details as they are now."""
    shown = {"before": detail.before, "after": detail.after, "names": detail.names, "text": detail.text}
    return hashlib.sha256(_encode(shown)).digest()


def timeline(session: Session, tenant_id: int, user_id: int, *, limit: int = 50) -> list[tuple[Event, EventDetail | None]]:
    """What happened to one person, newest first."""
    query = (
        select(Event, EventDetail)
        .join(EventDetail, col(EventDetail.event_id) == col(Event.id), isouter=True)
        .where(Event.tenant_id == tenant_id, Event.user_id == user_id)
        .order_by(col(Event.id).desc())
        .limit(limit)
    )
    return list(session.exec(query).all())


def _link(previous: bytes, row: Mapping[str, Any], at: str) -> bytes:
    told = [
        row["tenant_id"], row["sequence"], at, row["actor"], row["action"], row["user_id"], row["account_id"],
        row["connector_id"], row["operation_id"], row["cycle_id"], row["outcome"], row["ms"], row["detail_digest"].hex(),
    ]  # fmt: skip
    return hashlib.sha256(previous + _encode(told)).digest()


def _who(names: Mapping[str, Any]) -> str:
    words: Iterable[Any] = (names.get("user"), names.get("address"), names.get("username"))
    return "\n".join(key(str(word)) for word in words if word)
