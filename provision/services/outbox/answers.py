"""What people answer to operations: approve, decline, cancel, try again; and the list that the brake has held.

Owns the answers; never sends anything.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Account, Operation
from provision.core.vocabulary import Asks, OperationState, Outcome
from provision.db import among, for_update
from provision.services import events
from provision.services.errors import Conflict, NotFound
from provision.services.outbox.enqueueing import Order, enqueue_accounts
from provision.services.outbox.reckoning import ACCOUNTS, UNFINISHED, WAITING, App, apps, stands

_ENDED = (OperationState.FAILED, OperationState.CANCELLED)


def approve(
    session: Session, tenant_id: int, shown: Mapping[int, str | None], actor: str, now: datetime
) -> list[Operation]:
    """Let exactly these go: operation → the fingerprint that was shown, None for whatever it is now.

    Raises Conflict("operation_changed") when one would write something else by now, Conflict("operation_gone") when one no
    longer waits; then none is approved.
    """
    found = _waiting(session, tenant_id, shown)
    for operation in found:
        seen = shown[operation.id or 0]
        if seen is not None and seen != operation.fingerprint:
            raise Conflict("operation_changed")
    for operation in found:
        operation.approved_fingerprint, operation.asks = operation.fingerprint, None
        operation.due_at = min(operation.due_at, now)
        session.add(operation)
    _tell(session, tenant_id, found, "operation.approved", actor, now)
    return found


def decline(session: Session, tenant_id: int, ids: Collection[int], actor: str, now: datetime) -> list[Operation]:
    """Call these off for good: the same is not proposed again until something about it changes. Raises Conflict."""
    return _call_off(session, tenant_id, ids, "operation.declined", actor, now)


def cancel(session: Session, tenant_id: int, ids: Collection[int], actor: str, now: datetime) -> list[Operation]:
    """Call off what waits or is blocked; like a decline, it is not proposed again by itself. Raises Conflict."""
    return _call_off(session, tenant_id, ids, "operation.cancelled", actor, now)


def retry(session: Session, tenant_id: int, ids: Collection[int], order: Order) -> list[int]:
    """Try again now: what is blocked or waits goes at once, what failed or was cancelled is enqueued anew.

    Returns the ids of the operations that wait from now on; what is in line by now has none.
    """
    kept = _kept(session, tenant_id, ids, order)
    found = _locked(session, tenant_id, ids)
    fresh: dict[int, set[int]] = {}
    going: list[int] = []
    for operation in found:
        if operation.state in WAITING:
            operation.state, operation.due_at, operation.lease_until = OperationState.PENDING, order.now, None
            operation.attempts, operation.error = 0, None
            session.add(operation)
            going.append(operation.id or 0)
        elif operation.state in _ENDED:
            fresh.setdefault(operation.connector_id, set()).add(operation.account_id)
    for connector_id, account_ids in fresh.items():
        forgotten = sa.update(ACCOUNTS).where(among(session, ACCOUNTS.c.id, account_ids)).values(declined=None)
        session.execute(forgotten)
        effects = enqueue_accounts(session, kept[connector_id], account_ids, order) if connector_id in kept else []
        going += [effect.operation_id for effect in effects if effect.operation_id is not None]
    _tell(session, tenant_id, found, "operation.retried", order.actor, order.now)
    return going


def asking(
    session: Session, tenant_id: int, asks: Asks | None = None, connector_id: int | None = None
) -> list[tuple[Operation, Account]]:
    """What waits for an answer, with its account, oldest first: the review list, or what the brake has held."""
    query = (
        select(Operation, Account)
        .join(Account, sa.and_(col(Account.id) == Operation.account_id, col(Account.tenant_id) == Operation.tenant_id))
        .where(Operation.tenant_id == tenant_id, stands(col(Operation.state), *UNFINISHED))
        .where(stands(col(Operation.state), OperationState.PENDING))
    )
    query = query.where(col(Operation.asks).is_not(None) if asks is None else col(Operation.asks) == asks)
    if connector_id is not None:
        query = query.where(Operation.connector_id == connector_id)
    return list(session.exec(query.order_by(col(Operation.id))).all())


def _call_off(
    session: Session, tenant_id: int, ids: Collection[int], action: str, actor: str, now: datetime
) -> list[Operation]:
    found = _waiting(session, tenant_id, ids)
    for operation in found:
        declined = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == operation.account_id)
        session.execute(declined.values(declined=operation.fingerprint))
        operation.state, operation.settled_at, operation.asks = OperationState.CANCELLED, now, None
        session.add(operation)
    _tell(session, tenant_id, found, action, actor, now)
    return found


def _waiting(session: Session, tenant_id: int, ids: Collection[int]) -> list[Operation]:
    found = _locked(session, tenant_id, ids)
    if any(operation.state not in WAITING for operation in found):
        raise Conflict("operation_gone")
    return found


def _kept(session: Session, tenant_id: int, ids: Collection[int], order: Order) -> dict[int, App]:
    """The apps of these operations, which nobody removes from now on: asked before their rows are locked, as everywhere."""
    query = select(Operation.connector_id).where(Operation.tenant_id == tenant_id)
    numbers = sorted(set(session.exec(query.where(among(session, col(Operation.id), set(ids)))).all()))
    found = [app for number in numbers for app in apps(session, tenant_id, order.kinds, number, keep=True)]
    return {app.id: app for app in found}


def _locked(session: Session, tenant_id: int, ids: Collection[int]) -> list[Operation]:
    wanted = set(ids)
    query = select(Operation).where(Operation.tenant_id == tenant_id, among(session, col(Operation.id), wanted))
    found = list(session.exec(for_update(session, query.order_by(col(Operation.id)))).all())
    if len(found) != len(wanted):
        raise NotFound("no_such_operation")
    return found


def _tell(
    session: Session, tenant_id: int, found: Collection[Operation], action: str, actor: str, now: datetime
) -> None:
    session.flush()
    ids = [operation.account_id for operation in found]
    query = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.user_id, ACCOUNTS.c.name).where(among(session, ACCOUNTS.c.id, ids))
    rows: dict[int, Any] = {row.id: row for row in session.execute(query)}
    entries = [
        events.Entry(
            actor=actor,
            action=action,
            outcome=Outcome.DONE,
            user_id=rows[operation.account_id].user_id,
            account_id=operation.account_id,
            connector_id=operation.connector_id,
            operation_id=operation.id,
            before={name: pair[0] for name, pair in operation.changes.items()},
            after={name: pair[1] for name, pair in operation.changes.items()},
            names={"user": rows[operation.account_id].name, "address": rows[operation.account_id].name},
            text={"kind": operation.kind},
        )
        for operation in found
    ]
    events.append(session, tenant_id, entries, now)
