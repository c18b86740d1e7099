"""What one person holds, read just now, and giving or taking with the seats counted just before.

Owns no row of its own: the wish is ``assigning``'s. Holds no transaction while the outside is asked.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from provision.core.ports import LICENCES, Holding, Licensing, OutsideError
from provision.core.tables import Account, Connector, Operation
from provision.core.vocabulary import OperationState, Situation
from provision.services import connectors
from provision.services.licences import assigning
from provision.services.licences.assigning import Assigned, Seats
from provision.services.outbox import Order

Within = Callable[[], AbstractContextManager[Session]]
Error = Mapping[str, Any]
_OPEN = (OperationState.PENDING, OperationState.RUNNING, OperationState.BLOCKED)


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence of one person. ``direct``: given to them themselves; ``groups``: by which it comes besides; ``coming``: it
    is to be given (True) or taken away (False) and that is not done, None when nothing is under way.
    """

    sku: str
    name: str
    held: bool
    direct: bool
    groups: tuple[str, ...] = ()
    coming: bool | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The licences of one person in one app.

    ``trouble``: why they could not be read just now; then what was last seen is shown. ``waits``: why what is coming has not
    come yet. Both are a remedy's code and blanks.
    """

    app_id: int
    app: str
    account_id: int
    exists: bool
    licences: Sequence[Licence]
    seats: Sequence[Seats]
    trouble: Error | None = None
    waits: Error | None = None


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What an account was last seen to hold, and what it is to get and has not got, both by name."""

    names: tuple[str, ...]
    coming: tuple[str, ...]


def seen(session: Session, tenant_id: int, user_id: int) -> dict[int, Glimpse]:
    """By account of one person, where seats are known: what was last seen. Asks nobody."""
    apps = {app.id: app for app in sellers(session, tenant_id)}
    query = select(Account).where(Account.tenant_id == tenant_id, Account.user_id == user_id)
    found = {}
    for row in session.exec(query).all():
        if row.connector_id not in apps or row.situation not in (Situation.LINKED, Situation.ABSENT):
            continue
        names = {
            str(one.get("sku", "")).lower(): str(one.get("name") or one.get("part") or one.get("sku"))
            for one in apps[row.connector_id].facts["seats"]
        }
        held = [names.get(one.sku, one.sku) for one in _last_seen(row)]
        wishes = (row.intent.get(LICENCES) or {}).items()
        coming = [names.get(sku.lower(), sku) for sku, wish in wishes if wish]
        found[row.id or 0] = Glimpse(tuple(sorted(held)), tuple(sorted(coming)))
    return found


def sellers(session: Session, tenant_id: int) -> list[Connector]:
    """The apps whose seats are known."""
    return [app for app in connectors.of(session, tenant_id) if app.facts.get("seats")]


def shelves(reading: Within, connect: Callable[[Connector], Any], tenant_id: int, user_id: int) -> list[Shelf]:
    """What one person holds in every app that sells licences, read now."""
    with reading() as session:
        apps = {app.id: app for app in sellers(session, tenant_id)}
        query = select(Account).where(
            Account.tenant_id == tenant_id,
            Account.user_id == user_id,
            col(Account.situation).in_((Situation.LINKED, Situation.ABSENT)),
        )
        accounts = [row for row in session.exec(query).all() if row.connector_id in apps]
        waits = {row.id: _waits(session, row) for row in accounts}
        stock = {number: assigning.seats(session, tenant_id, number or 0) for number in apps}
        session.expunge_all()
    return [_shelf(connect, apps[row.connector_id], row, stock[row.connector_id], waits[row.id]) for row in accounts]


def renew(writing: Within, connect: Callable[[Connector], Any], tenant_id: int, connector_id: int) -> None:
    """Read the seats again and keep them. Raises Outside, NotFound; an app that sells none stays as it is."""
    with writing() as session:
        app = connectors.get(session, tenant_id, connector_id)
    port = connect(app)
    if not isinstance(port, Licensing):
        return
    try:
        found = [dict(one) for one in port.seats()]
    except OutsideError as error:
        raise connectors.Outside(error) from None
    with writing() as session:
        row = connectors.get(session, tenant_id, connector_id, lock=True)
        if row.facts.get("seats") != found:
            row.facts = {**row.facts, "seats": found}
            session.add(row)


def give(
    writing: Within,
    connect: Callable[[Connector], Any],
    tenant_id: int,
    connector_id: int,
    user_ids: Collection[int],
    sku: str,
    order: Order,
) -> Assigned:
    """Count the seats as they are now, then let all of these people have one, or nobody. As ``assign``; raises Outside."""
    renew(writing, connect, tenant_id, connector_id)
    with writing() as session:
        return assigning.assign(session, tenant_id, connector_id, user_ids, sku, order)


def take(
    writing: Within, tenant_id: int, connector_id: int, user_ids: Collection[int], sku: str, order: Order
) -> Assigned:
    """Take a licence away from these people. As ``remove``."""
    with writing() as session:
        return assigning.remove(session, tenant_id, connector_id, user_ids, sku, order)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _shelf(
    connect: Callable[[Connector], Any], app: Connector, account: Account, stock: Sequence[Seats], waits: Error | None
) -> Shelf:
    trouble: Error | None = None
    found = _last_seen(account)
    if account.anchor is not None:
        try:
            port = connect(app)
            found = port.holdings(account.anchor) if isinstance(port, Licensing) else found
        except OutsideError as error:
            trouble = {"code": error.code, "params": error.params}
    names = {one.sku.lower(): one.name for one in stock}
    wishes = {sku.lower(): bool(wish) for sku, wish in (account.intent.get(LICENCES) or {}).items()}
    rows = [
        Licence(one.sku, names.get(one.sku, one.sku), True, one.direct, one.groups, wishes.get(one.sku))
        for one in found
    ]
    held = {one.sku for one in found}
    rows += [
        Licence(sku, names.get(sku, sku), False, False, (), wish)
        for sku, wish in wishes.items()
        if sku not in held and wish
    ]
    return Shelf(
        app_id=app.id or 0,
        app=app.name,
        account_id=account.id or 0,
        exists=account.anchor is not None,
        licences=sorted(rows, key=lambda one: one.name.casefold()),
        seats=stock,
        trouble=trouble,
        waits=waits,
    )


def _last_seen(account: Account) -> Sequence[Holding]:
    seen = account.observed.get("assignedLicenses") or ()
    return [Holding(str(one["skuId"]).lower(), True) for one in seen if isinstance(one, Mapping) and one.get("skuId")]


def _waits(session: Session, account: Account) -> Error | None:
    """What keeps a wish from being fulfilled."""
    if not account.intent.get(LICENCES):
        return None
    query = select(Operation.error).where(Operation.account_id == account.id, col(Operation.state).in_(_OPEN))
    return session.exec(query).first()
