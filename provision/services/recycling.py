"""The recycle bin of an app: who lies in it and for how long, and how somebody comes back out of it.

Reads the bin live, with no transaction open; restoring is left to the outbox like every other write.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from provision.core.mapping import compile_inbound
from provision.core.ports import Discarded, OutsideError, Recycling
from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Feature, Lifecycle, Situation, key
from provision.db import among, for_update
from provision.services import connectors, events, mappings, outbox
from provision.services.errors import Conflict, NotFound, ServiceError
from provision.services.outbox import Effect, Order
from provision.services.users.editing import edit
from provision.services.users.finding import shown
from provision.services.users.moving import restore as bring_back
from provision.services.users.saving import entry, follow, judge_address, make

Within = Callable[[], AbstractContextManager[Session]]
LISTED = 200
_NAMES = ("displayName", "givenName", "surname")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lying:
    """One object in the bin. ``address``: its sign-in name as it was; ``days``: left until it goes for good, None when
    that is not known. ``user_id``, ``user`` and ``lifecycle`` are our person's whose account it is, if it is anybody's.
    """

    anchor: str
    name: str
    address: str
    deleted_at: datetime | None
    days: int | None
    user_id: int | None = None
    user: str = ""
    lifecycle: Lifecycle | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """What lies in the bin of one app: the first of those that were searched for, how many fit, and how many there are."""

    rows: Sequence[Lying]
    fitting: int
    total: int


@dataclass(frozen=True, slots=True)
class Restored:
    """Who comes back, whether they were added here for it, and what follows in which app."""

    user_id: int
    added: bool
    effects: Sequence[Effect]


def keeps(connect: Callable[[Connector], Any], app: Connector) -> bool:
    """Whether this app has a recycle bin that can be read at all."""
    return connectors.connected(app) and isinstance(connect(app), Recycling)


def look(
    reading: Within,
    connect: Callable[[Connector], Any],
    tenant_id: int,
    connector_id: int,
    order: Order,
    text: str = "",
) -> Bin:
    """The bin as it is now, newest first; each word of ``text`` must occur in a name or an address.

    Raises NotFound, ServiceError("no_recycle_bin"), Outside.
    """
    found = [_lying(each, order.now) for each in _read(reading, connect, tenant_id, connector_id, order)]
    with reading() as session:
        owned = [*_owned(session, tenant_id, connector_id, found)]
    words = [key(word) for word in text.split()[:6]]
    fitting = [one for one in owned if all(word in key(f"{one.name} {one.address} {one.user}") for word in words)]
    return Bin(fitting[:LISTED], len(fitting), len(found))


def one(
    reading: Within,
    connect: Callable[[Connector], Any],
    tenant_id: int,
    connector_id: int,
    anchor: str,
    order: Order,
) -> Lying:
    """One object in the bin. As ``look``; raises NotFound("not_in_bin") when it has left it."""
    found = _discarded(reading, connect, tenant_id, connector_id, anchor, order)
    with reading() as session:
        return next(iter(_owned(session, tenant_id, connector_id, [_lying(found, order.now)])))


def restore(
    reading: Within,
    writing: Within,
    connect: Callable[[Connector], Any],
    tenant_id: int,
    connector_id: int,
    anchor: str,
    order: Order,
    email: str | None = None,
) -> Restored:
    """Bring one object back as its person's account; nobody's becomes a new person's. ``email``: another address.

    Raises NotFound, Invalid({"email": …}), ServiceError("restore_off"), Conflict.
    """
    found = _discarded(reading, connect, tenant_id, connector_id, anchor, order)
    with writing() as session:
        app = connectors.get(session, tenant_id, connector_id, keep=True)
        if not connectors.switched_on(app, Feature.CREATE):
            raise ServiceError("restore_off", app=app.name)
        account = _account(session, tenant_id, connector_id, anchor)
        if account is None or account.user_id is None:
            return _as_new(session, app, account, found, email or found.name, order)
        _marked(session, account)
        user = session.exec(select(User).where(User.tenant_id == tenant_id, User.id == account.user_id)).one()
        if user.lifecycle == Lifecycle.LEFT:
            effects = bring_back(session, tenant_id, user.id or 0, order, email=email).effects
        else:
            effects = _of_present(session, app, user, account, found, email, order)
        return Restored(user.id or 0, False, effects)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _read(
    reading: Within, connect: Callable[[Connector], Any], tenant_id: int, connector_id: int, order: Order
) -> list[Discarded]:
    with reading() as session:
        app = connectors.get(session, tenant_id, connector_id)
        if not connectors.connected(app):
            raise ServiceError("not_connected", app=app.name)
        reads = outbox.app_of(session, app, order.kinds).reads
        session.expunge(app)
    port = connect(app)
    if not isinstance(port, Recycling):
        raise ServiceError("no_recycle_bin", app=app.name)
    try:
        return list(port.discarded(tuple(dict.fromkeys((*reads, *_NAMES)))))
    except OutsideError as error:
        raise connectors.Outside(error) from None


def _discarded(
    reading: Within,
    connect: Callable[[Connector], Any],
    tenant_id: int,
    connector_id: int,
    anchor: str,
    order: Order,
) -> Discarded:
    found = _read(reading, connect, tenant_id, connector_id, order)
    lying = next((each for each in found if each.anchor == anchor), None)
    if lying is None:
        raise NotFound("not_in_bin")
    return lying


def _lying(each: Discarded, now: datetime) -> Lying:
    full = " ".join(str(each.values.get(name)) for name in _NAMES[1:] if each.values.get(name))
    days = None if each.purged_at is None else max(0, -(-(each.purged_at - now) // _DAY))
    name = str(each.values.get(_NAMES[0]) or full or each.name or each.anchor)
    return Lying(each.anchor, name, each.name, each.deleted_at, days)


def _owned(session: Session, tenant_id: int, connector_id: int, found: Sequence[Lying]) -> Sequence[Lying]:
    """The same with the people here whose accounts they are, in one statement."""
    query = (
        select(Account.anchor, User)
        .join(User, col(User.id) == col(Account.user_id))
        .where(
            Account.tenant_id == tenant_id,
            User.tenant_id == tenant_id,
            Account.connector_id == connector_id,
            among(session, col(Account.anchor), [one.anchor for one in found]),
        )
    )
    people = dict(session.exec(query).all())
    return [_with(each, people.get(each.anchor)) for each in found]


def _with(each: Lying, user: User | None) -> Lying:
    if user is None:
        return each
    return replace(each, user_id=user.id, user=shown(user.model_dump()), lifecycle=Lifecycle(user.lifecycle))


def _account(session: Session, tenant_id: int, connector_id: int, anchor: str) -> Account | None:
    query = select(Account).where(
        Account.tenant_id == tenant_id, Account.connector_id == connector_id, Account.anchor == anchor
    )
    found: Account | None = session.exec(for_update(session, query)).first()
    return found


def _marked(session: Session, account: Account, wish: Mapping[str, Any] | None = None) -> None:
    """It was seen in the bin just now, whatever the last import saw."""
    account.situation, account.removed, account.stale, account.declined = Situation.GONE, "restorable", False, None
    if wish is not None:
        account.intent = {**account.intent, "restore": dict(wish)}
    session.add(account)
    session.flush()


def _wish(app: Connector, found: Discarded, email: str | None, order: Order) -> dict[str, Any]:
    if email is None or key(email) == key(found.name):
        return {}
    return {"values": {order.kinds[app.kind].sign_in: email}}


def _of_present(
    session: Session, app: Connector, user: User, account: Account, found: Discarded, email: str | None, order: Order
) -> Sequence[Effect]:
    """Somebody who works here lost the account there."""
    address = email or user.email or found.name
    _marked(session, account, _wish(app, found, address, order))
    if email is not None and email != user.email:
        effects = edit(session, app.tenant_id, user.id or 0, {"email": email}, order).effects
    else:
        effects = outbox.enqueue(session, app.tenant_id, [user.id or 0], order, connector_id=app.id)
    names = {"user": shown(user.model_dump()), "address": user.email or "", "app": app.name}
    told = events.Entry(
        order.actor, "account.restore_chosen", user_id=user.id, account_id=account.id, connector_id=app.id, names=names
    )
    events.append(session, app.tenant_id, [told], order.now)
    return effects


def _as_new(
    session: Session, app: Connector, account: Account | None, found: Discarded, email: str, order: Order
) -> Restored:
    """Nobody here has it: a person is added from what it holds, as an import would have."""
    if account is not None and account.situation == Situation.IGNORED:
        raise Conflict("account_ignored")
    judge_address(session, app.tenant_id, None, email, order)
    rows = mappings.rows(session, app.tenant_id, app.id or 0)
    values = {**compile_inbound(rows).take(found.values, {}, None, creating=True).values, "email": email}
    user = make(session, app.tenant_id, values, order)
    row = account or Account(
        tenant_id=app.tenant_id, connector_id=app.id or 0, anchor=found.anchor, situation=Situation.GONE
    )
    row.user_id, row.name, row.observed = user.id, key(found.name), dict(found.values)
    row.absorbed, row.observed_at, row.verdict = dict(found.values), order.now, {"reason": "decided"}
    _marked(session, row, _wish(app, found, email, order))
    told = entry(user, "user.added", order, {}, values)
    effects = follow(session, app.tenant_id, {user.id or 0: told}, order)
    return Restored(user.id or 0, True, effects[user.id or 0])
