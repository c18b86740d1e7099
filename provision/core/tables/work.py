"""What is under way: cycles that read, operations that write, and the log of all that was done."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from provision.core.tables.columns import (
    BIG,
    LASTING,
    closed,
    counter,
    flag,
    ident,
    json,
    key_text,
    number,
    raw,
    ref,
    tenant,
    text,
    time,
    within,
    word,
)
from provision.core.vocabulary import Asks, CycleKind, CycleState, OperationKind, OperationState, Outcome

_UNFINISHED = "state IN ('requested', 'running')"
_WAITING = "state IN ('pending', 'blocked')"
_TAKEN_AWAY = "state = 'done' AND kind IN ('disable', 'delete')"
_SETTLED = "state IN ('done', 'failed')"
_IN_FLIGHT = "state IN ('running', 'unknown')"


def _only(name: str, *columns: str, where: str, unique: bool = True) -> sa.Index:
    clause = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=clause, postgresql_where=clause)


class Cycle(SQLModel, table=True):
    """One pass over a connector, from a watermark to the next."""

    __tablename__ = "cycles"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        _only("uq_cycles_unfinished", "connector_id", where=_UNFINISHED),
        sa.Index("ix_cycles_connector", "connector_id", "id"),
        within("connectors", "connector_id"),
        closed("kind", CycleKind),
        closed("state", CycleState),
        LASTING,
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    kind: CycleKind = word(CycleKind)
    state: CycleState = word(CycleState, CycleState.REQUESTED)
    options: dict[str, Any] = json()
    requested_by: str = text()
    requested_at: datetime = time(nullable=False)
    stop_requested: bool = False
    position: str | None = text(nullable=True)
    counts: dict[str, Any] = json()
    error: dict[str, Any] | None = json(nullable=True)
    held: dict[str, Any] | None = json(nullable=True)
    watermark_before: str | None = text(nullable=True)
    watermark_after: str | None = text(nullable=True)
    started_at: datetime | None = time()
    progress_at: datetime | None = time()
    ended_at: datetime | None = time()


class Sighting(SQLModel, table=True):
    """The anchors that one commit of a full walk saw, as 8-byte digests in a row: who is missing at its end is absent.

    Kept apart from the accounts so that a walk over unchanged people writes none of their rows; dropped with its cycle.
    """

    __tablename__ = "sightings"

    cycle_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("cycles.id", ondelete="CASCADE"), primary_key=True))
    part: int = Field(sa_column=sa.Column(BIG, primary_key=True))
    digests: bytes = raw(nullable=False)


class Operation(SQLModel, table=True):
    """One account to be brought in line; the outbox row. It never holds what to send.

    ``priority``: 0 somebody waits, 1 one of many, 2 nobody asked. ``fingerprint`` stands for what ``changes`` shows.
    ``looks``: how often the outcome was looked up. ``lease_until``: while in flight, until when its worker is believed to
    live; while blocked, when it is tried again by itself, if ever. ``alone``: it was in flight when a worker died, so
    nothing else goes with it.
    """

    __tablename__ = "operations"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        _only("uq_operations_waiting", "account_id", where=_WAITING),
        _only("uq_operations_in_flight", "account_id", where=_IN_FLIGHT),
        _only(
            "ix_operations_unfinished",
            "connector_id",
            "due_at",
            where="state IN ('pending', 'running', 'unknown', 'blocked')",
            unique=False,
        ),
        sa.Index("ix_operations_account", "account_id"),
        _only("ix_operations_settled", "connector_id", "settled_at", "state", where=_SETTLED, unique=False),
        _only("ix_operations_taken_away", "connector_id", "settled_at", where=_TAKEN_AWAY, unique=False),
        within("accounts", "account_id"),
        within("connectors", "connector_id"),
        closed("kind", OperationKind),
        closed("state", OperationState),
        closed("asks", Asks),
        LASTING,
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    account_id: int = ref(nullable=False)
    kind: OperationKind = word(OperationKind)
    state: OperationState = word(OperationState, OperationState.PENDING)
    asks: Asks | None = word(Asks, nullable=True)
    changes: dict[str, Any] = json()
    fingerprint: str | None = text(nullable=True)
    approved_fingerprint: str | None = text(nullable=True)
    priority: int = counter()
    alone: bool = flag()
    looks: int = counter()
    attempts: int = number()
    deaths: int = number()
    due_at: datetime = time(nullable=False)
    sent_at: datetime | None = time()
    lease_until: datetime | None = time()
    fence: int = number()
    error: dict[str, Any] | None = json(nullable=True)
    request_id: str | None = text(nullable=True)
    created_by: str = text()
    created_at: datetime = time(nullable=False)
    settled_at: datetime | None = time()


class Event(SQLModel, table=True):
    """One entry of the append-only log. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "sequence"),
        sa.Index("ix_events_at", "tenant_id", "at"),
        sa.Index("ix_events_user", "tenant_id", "user_id", "id"),
        closed("outcome", Outcome),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    sequence: int = number(default=None)
    at: datetime = time(nullable=False)
    actor: str = text()
    action: str = text()
    user_id: int | None = ref()
    account_id: int | None = ref()
    connector_id: int | None = ref()
    operation_id: int | None = ref()
    cycle_id: int | None = ref()
    outcome: Outcome = word(Outcome)
    ms: int | None = number(nullable=True, default=None)
    detail_digest: bytes = raw(nullable=False)
    previous: bytes = raw(nullable=False)
    hash: bytes = raw(nullable=False)


class EventDetail(SQLModel, table=True):
    """What an event changed, by name. May be deleted by retention; the chain still verifies."""

    __tablename__ = "event_details"

    event_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("events.id"), primary_key=True, autoincrement=False))
    before: dict[str, Any] = json()
    after: dict[str, Any] = json()
    names: dict[str, Any] = json()
    text: dict[str, Any] = json()
    who_key: str = key_text()


class EventHead(SQLModel, table=True):
    """The end of a tenant's chain; locked as the last step of a writing transaction."""

    __tablename__ = "event_heads"

    tenant_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False))
    sequence: int = number()
    hash: bytes = raw(nullable=False)
