"""Which apps have something to do now, and when the next thing is due. Owns two questions to the rows; changes nothing."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Connector, Operation
from provision.core.vocabulary import ConnectorState, OperationState
from provision.services.outbox.reckoning import UNFINISHED, stands

_OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_PENDING, _UNKNOWN, _BLOCKED, _RUNNING = (
    state.value
    for state in (OperationState.PENDING, OperationState.UNKNOWN, OperationState.BLOCKED, OperationState.RUNNING)
)


def due_connectors(session: Session, now: datetime) -> list[int]:
    """The apps that have something to be carried out now, those in which somebody waits first.

    Paused and resting apps are left out; one in quarantine comes when it is time to try it again.
    """
    query = (
        sa.select(_CONNECTORS.c.id)
        .join(_OPERATIONS, _OPERATIONS.c.connector_id == _CONNECTORS.c.id)
        .where(
            _CONNECTORS.c.state != ConnectorState.PAUSED.value,
            sa.or_(_CONNECTORS.c.rests_until.is_(None), _CONNECTORS.c.rests_until <= now),
            stands(_OPERATIONS.c.state, *UNFINISHED),
            _moment() <= now,
        )
        .group_by(_CONNECTORS.c.id)
        .order_by(sa.func.min(_OPERATIONS.c.priority), _CONNECTORS.c.id)
    )
    return list(session.scalars(query))


def next_due(session: Session, connector_id: int) -> datetime | None:
    """When the next operation of an app is due, whether it rests or not; None when nothing waits but for people."""
    query = sa.select(sa.func.min(_moment())).where(_OPERATIONS.c.connector_id == connector_id)
    query = query.where(stands(_OPERATIONS.c.state, *UNFINISHED))
    moment: datetime | None = session.scalar(query)
    return moment


def _moment() -> Any:
    """When an unfinished operation goes on by itself; NULL when it does not."""
    state = _OPERATIONS.c.state
    asks_not = _OPERATIONS.c.asks.is_(None)
    return sa.case(
        (sa.and_(state == _PENDING, asks_not), _OPERATIONS.c.due_at),
        (sa.and_(state == _UNKNOWN, _OPERATIONS.c.lease_until.is_(None)), _OPERATIONS.c.due_at),
        (state.in_((_BLOCKED, _RUNNING, _UNKNOWN)), _OPERATIONS.c.lease_until),
        else_=None,
    )
