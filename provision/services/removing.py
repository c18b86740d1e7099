"""Removing an app: what would be forgotten, what stands in the way, and forgetting all of it in one transaction.

Owns that the rows of an app go together. Nothing is sent anywhere; people, groups and the log stay, and so does its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import (
    Account,
    Connector,
    ConsentFlow,
    Cycle,
    Drift,
    Group,
    Operation,
    RemovedConnector,
    Token,
    UploadedFile,
)
from provision.core.tables import (
    Mapping as MappingRow,
)
from provision.core.vocabulary import UNFINISHED_CYCLES, OperationState
from provision.db import for_update
from provision.services import connectors, events, outbox, tokens
from provision.services.errors import Conflict
from provision.services.outbox.reckoning import IN_FLIGHT, WAITING

FINDING_OUT = timedelta(minutes=30)
"""For so long what became of something sent is waited for; an app that answers no more would otherwise stay for ever."""
_GOING: tuple[Any, ...] = (Drift, Operation, Cycle, MappingRow, Token, ConsentFlow, UploadedFile, Account)
"""What knows of an app, in an order in which nothing points at what is gone."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much an app holds. ``people``: whose account there is known here; ``groups``: brought by it; ``waiting`` and
    ``flying``: operations that still wait, or are on their way together with passwords that are being set; ``doubtful``:
    those of which nobody could find out for long what became of them."""

    people: int
    accounts: int
    groups: int
    tokens: int
    imports: int
    waiting: int
    flying: int
    doubtful: int
    importing: bool
    file: bool
    secret: bool
    scheduled: bool

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be removed now, as a remedy code; what only time ends first."""
        if self.flying:
            return "app_in_flight"
        if self.importing:
            return "app_importing"
        return "app_has_open" if self.waiting else None


def foresee(session: Session, tenant_id: int, connector_id: int, now: datetime) -> Forgotten:
    """What would be forgotten, and what stands in the way. Raises NotFound."""
    return _counted(session, connectors.get(session, tenant_id, connector_id), now)


def cancel_open(session: Session, tenant_id: int, connector_id: int, shown: int, actor: str, now: datetime) -> int:
    """Cancel everything that waits there, if it is as much as was shown; return how much. Raises Conflict, NotFound."""
    row = connectors.get(session, tenant_id, connector_id, lock=True)
    waits = (Operation.connector_id == row.id, col(Operation.state).in_(WAITING))
    numbers = list(session.exec(select(Operation.id).where(Operation.tenant_id == tenant_id, *waits)).all())
    if len(numbers) != shown:
        raise Conflict("queue_changed")
    return len(outbox.cancel(session, tenant_id, [number or 0 for number in numbers], actor, now))


def remove(session: Session, tenant_id: int, connector_id: int, actor: str, now: datetime) -> Forgotten:
    """Forget an app. Raises NotFound, and Conflict with the reason while something there is under way."""
    row = connectors.get(session, tenant_id, connector_id, lock=True)
    seen = _counted(session, row, now)
    if seen.obstacle:
        raise Conflict(seen.obstacle, app=row.name, number=seen.flying or seen.waiting)
    _must_be_free(session, row, now)
    told = _told(session, row, seen, actor, now)
    kept = RemovedConnector(
        id=connector_id, tenant_id=tenant_id, name=row.name, kind=row.kind, removed_at=now, removed_by=actor
    )
    origin = sa.update(Group).where(col(Group.tenant_id) == tenant_id, col(Group.origin_id) == connector_id)
    session.execute(origin.values(origin_id=None))
    for table in _GOING:
        session.execute(sa.delete(table).where(table.tenant_id == tenant_id, table.connector_id == connector_id))
    session.delete(row)
    session.flush()
    session.add(kept)
    session.flush()
    events.append(session, tenant_id, told, now)
    return seen


def removed(session: Session, tenant_id: int) -> list[RemovedConnector]:
    """The apps that this tenant had, the last one first."""
    query = select(RemovedConnector).where(RemovedConnector.tenant_id == tenant_id)
    return list(session.exec(query.order_by(col(RemovedConnector.removed_at).desc(), col(RemovedConnector.id).desc())))


def _must_be_free(session: Session, row: Connector, now: datetime) -> None:
    """Whoever sets a password there locks the account first, so the accounts are locked before they are believed."""
    own = (Account.tenant_id == row.tenant_id, Account.connector_id == row.id)
    locked = for_update(session, select(Account.busy_until).where(*own).order_by(col(Account.id)))
    busy = sum(until is not None and until > now for until in session.exec(locked))
    if busy:
        raise Conflict("app_in_flight", app=row.name, number=busy)


def _counted(session: Session, row: Connector, now: datetime) -> Forgotten:
    def count(table: Any, *conditions: Any) -> int:
        mine = (table.tenant_id == row.tenant_id, *conditions)
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(*mine)) or 0

    def own(table: Any, *conditions: Any) -> int:
        return count(table, table.connector_id == row.id, *conditions)

    asked = sa.func.coalesce(Operation.sent_at, Operation.created_at) > now - FINDING_OUT
    moves = sa.or_(col(Operation.state) == OperationState.RUNNING, asked, col(Operation.lease_until) > now)
    flying = own(Operation, col(Operation.state).in_(IN_FLIGHT), moves)
    return Forgotten(
        people=own(Account, col(Account.user_id).is_not(None)),
        accounts=own(Account),
        groups=count(Group, Group.origin_id == row.id, col(Group.deleted_at).is_(None)),
        tokens=sum(tokens.valid(one, now) for one in tokens.of(session, row.tenant_id, row.id or 0)),
        imports=own(Cycle, col(Cycle.state).not_in(UNFINISHED_CYCLES)),
        waiting=own(Operation, col(Operation.state).in_(WAITING)),
        flying=flying + own(Account, col(Account.busy_until) > now),
        doubtful=own(Operation, col(Operation.state).in_(IN_FLIGHT)) - flying,
        importing=bool(own(Cycle, col(Cycle.state).in_(UNFINISHED_CYCLES))),
        file=bool(own(UploadedFile)),
        secret=row.secret is not None,
        scheduled=row.every_minutes is not None,
    )


def _told(session: Session, row: Connector, seen: Forgotten, actor: str, now: datetime) -> list[events.Entry]:
    names = {"app": row.name}
    ended = [one for one in tokens.of(session, row.tenant_id, row.id or 0) if tokens.valid(one, now)]
    text: Mapping[str, Any] = {"people": seen.people, "accounts": seen.accounts, "imports": seen.imports}
    text = {**text, "doubtful": seen.doubtful} if seen.doubtful else text
    before = {"name": row.name, "kind": row.kind, **row.config}
    return [
        *(
            events.Entry(actor, "token.revoked", connector_id=row.id, after={"hint": one.hint}, names=names)
            for one in ended
        ),
        events.Entry(actor, "connector.removed", connector_id=row.id, before=before, names=names, text=text),
    ]
