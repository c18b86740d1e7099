"""Quarantine: an app whose credentials are refused is stopped, tried ever more slowly, and goes on once it is let in again.

Owns the state, its two times and when it is tried next. Whoever meets the refusal or the success appends what is told.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from provision.core.ports import OutsideError
from provision.core.retry import SAME_STOP, knock
from provision.core.tables import Connector
from provision.core.vocabulary import ConnectorState, Outcome
from provision.services import events


def stop(row: Connector, error: OutsideError, told: Mapping[str, Any], now: datetime) -> list[events.Entry]:
    """Put it into quarantine, or let it wait longer if it is there already; what is to be written down, once per stop.

    One that somebody has paused stays so: let in again, it would go on by itself.
    """
    if row.state == ConnectorState.PAUSED:
        return []
    if row.state == ConnectorState.QUARANTINED:
        row.rests_until = next_try(row, now)
        return []
    again = row.recovered_at is not None and now - row.recovered_at < timedelta(seconds=SAME_STOP)
    row.stopped_at = row.stopped_at if again and row.stopped_at else now
    row.state, row.reason, row.recovered_at = ConnectorState.QUARANTINED, error.code, None
    row.rests_until = next_try(row, now)
    return [_entry(row, "connector.quarantined", Outcome.HELD, told)]


def recover(row: Connector, now: datetime) -> list[events.Entry]:
    """It was let in again, so everything goes on; nothing to say if it never was stopped."""
    if row.state != ConnectorState.QUARANTINED:
        return []
    row.state, row.reason, row.rests_until, row.recovered_at = ConnectorState.ACTIVE, None, None, now
    return [_entry(row, "connector.recovered", Outcome.DONE, {})]


def next_try(row: Connector, now: datetime) -> datetime:
    """When a stopped app is tried again if it is refused now."""
    return now + timedelta(seconds=knock((now - (row.stopped_at or now)).total_seconds()))


def due_again(session: Session, now: datetime) -> list[Connector]:
    """Stopped apps whose time to be tried has come."""
    query = select(Connector).where(Connector.state == ConnectorState.QUARANTINED)
    rests = col(Connector.rests_until)
    return list(session.exec(query.where(rests.is_(None) | (rests <= now)).order_by(col(Connector.id))).all())


def _entry(row: Connector, action: str, outcome: Outcome, text: Mapping[str, Any]) -> events.Entry:
    return events.Entry("outbox", action, outcome=outcome, connector_id=row.id, names={"app": row.name}, text=text)
