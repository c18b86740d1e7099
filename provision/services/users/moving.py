"""Disabling, enabling, deleting and restoring people, one or many, and what is shown before many are.

Owns the moves of an operator; writes through ``saving`` only. What an app does about a move is planned when it runs.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import protection
from provision.core.lifecycle import MOVED_BY, may_become
from provision.core.planning import BY_HAND
from provision.core.ports import ENABLED
from provision.core.profile import judge
from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Ended, Lifecycle
from provision.db import among
from provision.services import links, mappings
from provision.services.errors import Conflict, Forbidden, Invalid, ServiceError
from provision.services.outbox import Effect, Order
from provision.services.users.finding import shown
from provision.services.users.saving import Saved, Stale, entry, flush, follow, judge_address, load, touch

SAMPLE = 5


class Move(StrEnum):
    """What an operator does to a person."""

    DISABLE = "disable"
    ENABLE = "enable"
    DELETE = "delete"
    RESTORE = "restore"


_THEN = {
    Move.DISABLE: (Lifecycle.SUSPENDED, "user.disabled"),
    Move.ENABLE: (Lifecycle.ACTIVE, "user.enabled"),
    Move.DELETE: (Lifecycle.LEFT, "user.deleted"),
    Move.RESTORE: (Lifecycle.ACTIVE, "user.restored"),
}
_TAKING = (Move.DISABLE, Move.DELETE)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a move of many would do. ``refused``: person → remedy code; ``token`` stands for exactly this list."""

    number: int
    sample: Sequence[str]
    refused: Mapping[int, str]
    token: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move of many did: who was moved, who was not and why, and what follows."""

    moved: tuple[int, ...]
    refused: Mapping[int, str]
    effects: Sequence[Effect]


def disable(session: Session, tenant_id: int, user_id: int, order: Order, **more: Any) -> Saved:
    """Hold somebody back: suspended here, their accounts disabled where Edit is on, after the hold. As ``move``."""
    return move(session, tenant_id, user_id, Move.DISABLE, order, **more)


def enable(session: Session, tenant_id: int, user_id: int, order: Order, **more: Any) -> Saved:
    """Let somebody work again: active here, their accounts enabled. As ``move``."""
    return move(session, tenant_id, user_id, Move.ENABLE, order, **more)


def delete(session: Session, tenant_id: int, user_id: int, order: Order, **more: Any) -> Saved:
    """Delete somebody: left here, their accounts into the recycle bin where Delete is on, after the hold. As ``move``."""
    return move(session, tenant_id, user_id, Move.DELETE, order, **more)


def restore(
    session: Session, tenant_id: int, user_id: int, order: Order, *, email: str | None = None, **more: Any
) -> Saved:
    """Bring somebody back, here and out of the recycle bin there; under a new address when theirs is taken. As ``move``."""
    user = load(session, tenant_id, [user_id])[user_id]
    if user.lifecycle == Lifecycle.LEFT:
        _readdress(session, tenant_id, user, email, order)
    return move(session, tenant_id, user_id, Move.RESTORE, order, **more)


def move(
    session: Session,
    tenant_id: int,
    user_id: int,
    how: Move,
    order: Order,
    *,
    version: int | None = None,
    owner: bool = True,
) -> Saved:
    """Move one person. ``owner``: who asks may touch protected accounts.

    Raises NotFound, Stale, Conflict("user_not_now"), Forbidden("owner_needed").
    """
    user = load(session, tenant_id, [user_id])[user_id]
    if version is not None and version != user.version:
        raise Stale(user.version, version, {"lifecycle": (user.lifecycle, _THEN[how][0])})
    refused = _refused(session, tenant_id, {user_id: user}, how, owner=owner)
    if refused:
        raise _refusal(refused[user_id], user, how)
    done = _move(session, tenant_id, {user_id: user}, how, order)
    return Saved(user_id, user.version, ("lifecycle",), done[user_id])


def preview_many(session: Session, tenant_id: int, ids: Collection[int], how: Move, *, owner: bool = True) -> Preview:
    """How many would be moved, a few of them by name, and who would not be. Raises NotFound."""
    people = load(session, tenant_id, ids)
    refused = _refused(session, tenant_id, people, how, owner=owner)
    going = [number for number in people if number not in refused]
    names = [shown(people[number].model_dump()) for number in going[:SAMPLE]]
    return Preview(len(going), names, refused, _token(how, going))


def move_many(
    session: Session,
    tenant_id: int,
    ids: Collection[int],
    how: Move,
    order: Order,
    *,
    token: str | None = None,
    owner: bool = True,
) -> Moved:
    """Move those of many who can be. ``token``: of the preview that was shown; Conflict("bulk_changed") when it differs."""
    people = load(session, tenant_id, ids)
    refused = _refused(session, tenant_id, people, how, owner=owner)
    going = {number: user for number, user in people.items() if number not in refused}
    if token is not None and token != _token(how, list(going)):
        raise Conflict("bulk_changed")
    done = _move(session, tenant_id, going, how, order)
    return Moved(tuple(going), refused, [effect for effects in done.values() for effect in effects])


def _move(
    session: Session, tenant_id: int, people: Mapping[int, User], how: Move, order: Order
) -> dict[int, list[Effect]]:
    then, action = _THEN[how]
    told = {}
    for number, user in people.items():
        before, user.lifecycle = user.lifecycle, then
        user.deleted_at = order.now if how is Move.DELETE else None
        user.origins = {name: origin for name, origin in user.origins.items() if name != MOVED_BY}
        touch(user, order)
        flush(session, user)
        told[number] = entry(user, action, order, {"lifecycle": before}, {"lifecycle": then})
    if how in _TAKING:
        links.kill(session, tenant_id, list(people), order.now, why=Ended.AWAY)
    _decide(session, tenant_id, list(people), how)
    return follow(session, tenant_id, told, order)


def _decide(session: Session, tenant_id: int, ids: Sequence[int], how: Move) -> None:
    """Note on every account that a person decided so: that is what lets a protected one be touched, or a switch be set."""
    query = select(Account).where(Account.tenant_id == tenant_id, among(session, col(Account.user_id), ids))
    for account in session.exec(query).all():
        kept = {name: value for name, value in account.intent.items() if name not in (ENABLED, BY_HAND, "restore")}
        decided: dict[str, Any] = {BY_HAND: True} if how in _TAKING else {ENABLED: True}
        wish = account.intent.get("restore", {} if how is Move.RESTORE else None)
        if wish is not None and how is not Move.DELETE:
            # Whoever is held back before they are back there is still to come back.
            decided["restore"] = wish
        account.intent = {**kept, **decided}
        account.declined = None
        session.add(account)
    session.flush()


def _readdress(session: Session, tenant_id: int, user: User, email: str | None, order: Order) -> None:
    """The address to come back with: the old one if it is still free, else the one that is given."""
    values, problems = judge({"email": email or user.email}, mappings.user_attributes(session, tenant_id))
    if problems:
        raise Invalid(problems)
    judge_address(session, tenant_id, user.id, str(values["email"]), order)
    if email is None or values["email"] == user.email:
        return
    user.email = values["email"]
    rows = session.exec(
        select(Account, Connector.kind)
        .join(Connector, sa.and_(col(Connector.id) == Account.connector_id, col(Connector.tenant_id) == tenant_id))
        .where(Account.tenant_id == tenant_id, Account.user_id == user.id)
    ).all()
    for account, kind in rows:
        wish = {"values": {order.kinds[kind].sign_in: user.email}}
        account.intent = {**account.intent, "restore": wish}
        session.add(account)


def _refused(session: Session, tenant_id: int, people: Mapping[int, User], how: Move, *, owner: bool) -> dict[int, str]:
    then = _THEN[how][0]
    refused = {}
    for number, user in people.items():
        now = Lifecycle(user.lifecycle)
        left = now is Lifecycle.LEFT
        # Only a restore leads back from having left, and it leads nowhere else.
        if not may_become(now, then) or left != (how is Move.RESTORE):
            refused[number] = "user_not_now"
    if how in _TAKING and not owner:
        refused |= dict.fromkeys(_protected(session, tenant_id, people), "owner_needed")
    return refused


def _protected(session: Session, tenant_id: int, people: Collection[int]) -> set[int]:
    rows = session.exec(
        select(Account, Connector)
        .join(Connector, sa.and_(col(Connector.id) == Account.connector_id, col(Connector.tenant_id) == tenant_id))
        .where(Account.tenant_id == tenant_id, among(session, col(Account.user_id), list(people)))
    ).all()
    return {
        account.user_id
        for account, app in rows
        if account.user_id is not None
        and protection.judge(
            account.anchor, account.name, account.standing, account.intent, app.facts, app.scope
        ).needs_owner
    }


def _refusal(code: str, user: User, how: Move) -> ServiceError:
    if code == "owner_needed":
        return Forbidden("owner_needed")
    return Conflict("user_not_now", lifecycle=str(user.lifecycle), then=str(_THEN[how][0]))


def _token(how: Move, ids: Sequence[int]) -> str:
    return hashlib.sha256(repr((how.value, sorted(ids))).encode()).hexdigest()[:32]
