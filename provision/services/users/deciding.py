"""What a person decides about one account that cannot go on by itself: link it, restore its twin, make a new one, protect it.

Owns these decisions, kept in the account until they are carried out; never sends anything.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from provision.core import protection
from provision.core.planning import SENT_AS
from provision.core.ports import OutsideError, Record, Target
from provision.core.protection import BY_HAND as PROTECTED
from provision.core.protection import LISTED, Protection
from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import Lifecycle, OperationState, Situation, key
from provision.db import for_update
from provision.services import connectors, events, outbox
from provision.services.errors import Conflict, Forbidden, NotFound, ServiceError
from provision.services.outbox import Effect, Order
from provision.services.users.finding import shown

Writing = Callable[[], AbstractContextManager[Session]]


class Choice(StrEnum):
    """What may be decided about an account: *link* what is there; *restore* the twin in the bin, or create *beside* it;
    bring what is gone *back*, or *unlink* it; *protect* it from automation, or *unprotect* it.
    """

    LINK = "link"
    RESTORE = "restore"
    BESIDE = "beside"
    BACK = "back"
    UNLINK = "unlink"
    PROTECT = "protect"
    UNPROTECT = "unprotect"


_AFTER: Mapping[str, tuple[Choice, ...]] = {
    "in_recycle_bin": (Choice.RESTORE, Choice.BESIDE),
    "name_taken": (Choice.LINK,),
}
"""What helps a change that is blocked, by its remedy code."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One account as a person decides about it. ``choices``: what may be decided now; ``error``: what blocks it."""

    account_id: int
    app_id: int
    app: str
    review: bool
    user_id: int | None
    user: str
    name: str
    anchor: str | None
    situation: Situation
    protection: Protection
    error: Mapping[str, Any] | None
    changes: Mapping[str, Any]
    choices: tuple[Choice, ...]

    @property
    def other(self) -> str | None:
        """The object there that stands in the way."""
        anchor = ((self.error or {}).get("params") or {}).get("anchor")
        return str(anchor) if anchor else None


def stand(session: Session, tenant_id: int, account_id: int) -> Standing:
    """How an account stands, and what may be decided about it. Raises NotFound."""
    account, app = _account(session, tenant_id, account_id, lock=False)
    person = _person(session, account)
    blocked = _blocked(session, account)
    judged = protection.judge(account.anchor, account.name, account.standing, account.intent, app.facts, app.scope)
    return Standing(
        account_id=account_id,
        app_id=app.id or 0,
        app=app.name,
        review=app.approval == "review",
        user_id=account.user_id,
        user=shown(person.model_dump()) if person else account.name,
        name=account.name,
        anchor=account.anchor,
        situation=Situation(account.situation),
        protection=judged,
        error=blocked.error if blocked else None,
        changes=blocked.changes if blocked else {},
        choices=_choices(account, person, blocked, judged),
    )


def look_there(
    reading: Writing, connect: Callable[[Connector], Any], tenant_id: int, account_id: int, order: Order
) -> Mapping[str, Any]:
    """What the object that stands in the way holds there, as it is now. Raises NotFound, ServiceError."""
    with reading() as session:
        standing = stand(session, tenant_id, account_id)
        app = session.exec(select(Connector).where(Connector.id == standing.app_id)).one()
        reads = outbox.app_of(session, app, order.kinds).reads
        session.expunge(app)
    return _found(connect(app), reads, standing.other or "").values


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
    found = _found(target, reads, anchor)
    look = target.appearance(found.values)
    with writing() as session:
        account, app = _account(session, tenant_id, account_id)
        if account.anchor is not None:
            raise Conflict("account_linked")
        _take_anchor(session, account, anchor)
        account.anchor, account.name, account.enabled = anchor, key(look.name), look.enabled
        account.observed, account.standing = dict(found.values), dict(look.standing)
        account.situation, account.stale, account.observed_at = Situation.LINKED, True, order.now
        account.verdict, account.intent = {"reason": "decided"}, _without(account.intent, *SENT_AS, "despite_bin")
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
    account.intent = {**_without(account.intent, *SENT_AS), "restore": {}}
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


def bring_back(session: Session, tenant_id: int, account_id: int, order: Order) -> list[Effect]:
    """Restore an account that somebody deleted there, for a person who works here. Raises Conflict("restore_too_late")."""
    account, app = _account(session, tenant_id, account_id)
    if account.situation != Situation.GONE or account.user_id is None:
        raise Conflict("account_linked")
    if account.anchor is None or account.removed == "purged":
        raise Conflict("restore_too_late")
    account.removed, account.declined = "restorable", None
    account.intent = {**account.intent, "restore": {}}
    return _go(session, account, app, "account.restore_chosen", order)


def protect(
    session: Session,
    tenant_id: int,
    account_id: int,
    order: Order,
    *,
    on: bool,
    emergency: bool = False,
    owner: bool = True,
) -> Account:
    """Keep everything that runs by itself from disabling or deleting this account, or let it again.

    ``emergency``: it goes on the app's list of emergency accounts. Only an owner lifts a protection: Forbidden.
    """
    if not on and not owner:
        raise Forbidden("owner_needed")
    account, app = _account(session, tenant_id, account_id, alone=True)
    kept = _without(account.intent, PROTECTED)
    account.intent = {**kept, PROTECTED: True} if on and not emergency else kept
    names = [one for one in app.scope.get(LISTED) or () if key(str(one)) != account.name]
    if (on and emergency) or len(names) != len(app.scope.get(LISTED) or ()):
        app.scope = {**app.scope, LISTED: [*names, account.name] if on and emergency else names}
        session.add(app)
    session.add(account)
    session.flush()
    _tell(session, account, app, "account.protected" if on else "account.unprotected", order)
    return account


def _found(target: Target, reads: tuple[str, ...], anchor: str) -> Record:
    try:
        found = target.find(reads, anchor=anchor)
    except OutsideError as error:
        raise ServiceError(error.code, **error.params) from None
    if found is None:
        raise NotFound("not_there")
    return found


def _choices(
    account: Account, person: User | None, blocked: Operation | None, judged: Protection
) -> tuple[Choice, ...]:
    code = str(((blocked.error if blocked else None) or {}).get("code", ""))
    found = list(_AFTER.get(code, ()))
    if account.situation == Situation.GONE and person is not None and person.lifecycle != Lifecycle.LEFT:
        found += [Choice.BACK] if account.anchor is not None and account.removed != "purged" else []
        found += [Choice.UNLINK]
    if account.situation in (Situation.LINKED, Situation.ABSENT):
        found.append(Choice.UNPROTECT if judged.why in ("protected_by_hand", "break_glass") else Choice.PROTECT)
    return tuple(found)


def _go(session: Session, account: Account, app: Connector, action: str, order: Order) -> list[Effect]:
    session.add(account)
    session.flush()
    fixed = outbox.app_of(session, app, order.kinds)
    effects = outbox.enqueue_accounts(session, fixed, [account.id or 0], order)
    _tell(session, account, app, action, order)
    return effects


def _account(
    session: Session, tenant_id: int, account_id: int, *, lock: bool = True, alone: bool = False
) -> tuple[Account, Connector]:
    """An account and its app; ``lock``: the account is changed, and the app stays until it is; ``alone``: so is the app."""
    own = (Account.tenant_id == tenant_id, Account.id == account_id)
    number = session.exec(select(Account.connector_id).where(*own)).first()
    if number is None:
        raise NotFound("no_such_account")
    app = connectors.get(session, tenant_id, number, lock=alone, keep=lock)
    query = select(Account).where(*own)
    account: Account | None = session.exec(for_update(session, query) if lock else query).first()
    if account is None:
        raise NotFound("no_such_account")
    return account, app


def _person(session: Session, account: Account) -> User | None:
    query = select(User).where(User.tenant_id == account.tenant_id, col(User.id) == (account.user_id or 0))
    found: User | None = session.exec(query).first()
    return found


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
    person = _person(session, account)
    names: dict[str, Any] = {"app": app.name, "address": account.name}
    names["user"] = shown(person.model_dump()) if person else account.name
    told = events.Entry(
        order.actor, action, user_id=account.user_id, account_id=account.id, connector_id=app.id, names=names
    )
    events.append(session, account.tenant_id, [told], order.now)


def _without(intent: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in intent.items() if name not in names}
