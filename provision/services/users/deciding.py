"""What a person decides about one account that cannot go on by itself: link it, restore its twin, make a new one, protect it.

Owns these decisions, kept in the account until they are carried out; never sends anything.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from provision.core.ports import OutsideError, Target
from provision.core.protection import BY_HAND as PROTECTED
from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import Lifecycle, OperationState, Situation, key
from provision.db import for_update
from provision.services import events, outbox
from provision.services.errors import Conflict, NotFound, ServiceError
from provision.services.outbox import Effect, Order
from provision.services.users.finding import shown

Writing = Callable[[], AbstractContextManager[Session]]


def link(
    writing: Writing, connect: Callable[[Connector], Any], tenant_id: int, account_id: int, anchor: str, order: Order
) -> Account:
    """Take the existing object for this person's account. It is read first, and nothing is changed there by it.

    Raises NotFound, Conflict("linked_elsewhere"), Conflict("account_linked"), ServiceError with the outside's code.
    """
    with writing() as session:
        account, app = _account(session, tenant_id, account_id)
        reads = outbox.app_of(session, app, order.kinds).reads
    target: Target = connect(app)
    try:
        found = target.find(reads, anchor=anchor)
    except OutsideError as error:
        raise ServiceError(error.code, **error.params) from None
    if found is None:
        raise NotFound("not_there")
    look = target.appearance(found.values)
    with writing() as session:
        account, app = _account(session, tenant_id, account_id)
        if account.anchor is not None:
            raise Conflict("account_linked")
        _take_anchor(session, account, anchor)
        account.anchor, account.name, account.enabled = anchor, key(look.name), look.enabled
        account.observed, account.standing = dict(found.values), dict(look.standing)
        account.situation, account.stale, account.observed_at = Situation.LINKED, True, order.now
        account.verdict, account.intent = {"reason": "decided"}, _without(account.intent, "sent", "despite_bin")
        _call_off(session, account, order.now)
        _tell(session, account, app, "account.linked", order)
        return account


def restore_twin(session: Session, tenant_id: int, account_id: int, order: Order) -> list[Effect]:
    """Restore the deleted object that stands in the way of a create, as this person's account. Raises Conflict."""
    account, app = _account(session, tenant_id, account_id)
    blocked = _blocked(session, account)
    anchor = (blocked.error or {}).get("params", {}).get("anchor") if blocked else None
    if blocked is None or (blocked.error or {}).get("code") != "in_recycle_bin" or not anchor:
        raise Conflict("operation_gone")
    _take_anchor(session, account, anchor)
    account.anchor, account.situation, account.removed = anchor, Situation.GONE, "restorable"
    account.intent = {**_without(account.intent, "sent"), "restore": {}}
    return _go(session, account, app, "account.restore_chosen", order)


def create_beside(session: Session, tenant_id: int, account_id: int, order: Order) -> list[Effect]:
    """Make a new account although a deleted one with this address lies in the recycle bin."""
    account, app = _account(session, tenant_id, account_id)
    account.intent = {**account.intent, "despite_bin": True}
    return _go(session, account, app, "account.create_chosen", order)


def unlink(session: Session, tenant_id: int, account_id: int, order: Order) -> list[Effect]:
    """Let go of an account that is gone there, so that its person gets a new one where Create is on.

    Raises Conflict("account_linked") while the account is there.
    """
    account, app = _account(session, tenant_id, account_id)
    user_id = account.user_id
    if account.situation != Situation.GONE or user_id is None:
        raise Conflict("account_linked")
    _tell(session, account, app, "account.unlinked", order)
    account.user_id, account.intent = None, {}
    session.add(account)
    session.flush()
    return outbox.enqueue(session, tenant_id, [user_id], order, connector_id=app.id)


def protect(session: Session, tenant_id: int, account_id: int, order: Order, *, on: bool) -> Account:
    """Keep everything that runs by itself from disabling or deleting this account, or let it again."""
    account, app = _account(session, tenant_id, account_id)
    kept = _without(account.intent, PROTECTED)
    account.intent = {**kept, PROTECTED: True} if on else kept
    session.add(account)
    session.flush()
    _tell(session, account, app, "account.protected" if on else "account.unprotected", order)
    return account


def _go(session: Session, account: Account, app: Connector, action: str, order: Order) -> list[Effect]:
    session.add(account)
    session.flush()
    fixed = outbox.app_of(session, app, order.kinds)
    effects = outbox.enqueue_accounts(session, fixed, [account.id or 0], order)
    _tell(session, account, app, action, order)
    return effects


def _account(session: Session, tenant_id: int, account_id: int) -> tuple[Account, Connector]:
    query = select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
    account: Account | None = session.exec(for_update(session, query)).first()
    if account is None:
        raise NotFound("no_such_account")
    app = select(Connector).where(Connector.tenant_id == tenant_id, Connector.id == account.connector_id)
    return account, session.exec(app).one()


def _blocked(session: Session, account: Account) -> Operation | None:
    query = select(Operation).where(Operation.account_id == account.id, Operation.state == OperationState.BLOCKED)
    return session.exec(query).first()


def _take_anchor(session: Session, account: Account, anchor: str) -> None:
    """Another row may hold it: nobody's gives way, a leaver's lets go; somebody's who works here keeps it."""
    query = select(Account).where(Account.connector_id == account.connector_id, Account.anchor == anchor)
    other: Account | None = session.exec(for_update(session, query)).first()
    if other is None or other.id == account.id:
        return
    if other.user_id is None:
        session.delete(other)
    else:
        holder = session.exec(select(User).where(User.tenant_id == account.tenant_id, User.id == other.user_id)).one()
        if holder.lifecycle != Lifecycle.LEFT:
            raise Conflict("linked_elsewhere")
        other.anchor, other.situation, other.removed = None, Situation.GONE, "purged"
        session.add(other)
    session.flush()


def _call_off(session: Session, account: Account, now: datetime) -> None:
    blocked = _blocked(session, account)
    if blocked is not None:
        blocked.state, blocked.settled_at = OperationState.CANCELLED, now
        session.add(blocked)
    session.add(account)
    session.flush()


def _tell(session: Session, account: Account, app: Connector, action: str, order: Order) -> None:
    person = session.exec(
        select(User).where(User.tenant_id == account.tenant_id, col(User.id) == (account.user_id or 0))
    ).first()
    names: dict[str, Any] = {"app": app.name, "address": account.name}
    names["user"] = shown(person.model_dump()) if person else account.name
    told = events.Entry(
        order.actor, action, user_id=account.user_id, account_id=account.id, connector_id=app.id, names=names
    )
    events.append(session, account.tenant_id, [told], order.now)


def _without(intent: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in intent.items() if name not in names}
