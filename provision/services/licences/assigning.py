"""How many seats there are, and who shall have one. Adding one never takes another away.

Owns the wish, kept in the account until it is fulfilled; never sends anything and never guesses a usage location.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from provision.core.ports import LICENCES
from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Lifecycle, Situation, key
from provision.db import among, for_update
from provision.services import connectors, events, mappings, outbox
from provision.services.errors import NotFound, ServiceError
from provision.services.outbox import Effect, Order


@dataclass(frozen=True, slots=True)
class Seats:
    """One licence as last seen. ``promised``: seats that somebody here shall have and does not have yet."""

    sku: str
    part: str
    name: str
    total: int
    used: int
    free: int
    promised: int

    @property
    def left(self) -> int:
        """Seats that may still be promised."""
        return max(0, self.free - self.promised)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What giving or taking a licence would mean: who is concerned, who cannot and why (person → remedy code), and how many
    seats it needs.
    """

    seats: Seats
    going: tuple[int, ...]
    refused: Mapping[int, str]
    needed: int

    @property
    def short(self) -> int:
        """How many seats are lacking."""
        return max(0, self.needed - self.seats.left)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Who shall have it from now on, who cannot and why (person → remedy code), and what follows."""

    going: tuple[int, ...]
    refused: Mapping[int, str]
    effects: Sequence[Effect]


def seats(session: Session, tenant_id: int, connector_id: int) -> list[Seats]:
    """The seats per licence."""
    app = connectors.get(session, tenant_id, connector_id)
    promised = _promised(session, app)
    return [
        Seats(
            sku=str(one["sku"]),
            part=str(one.get("part") or one["sku"]),
            name=str(one.get("name") or one.get("part") or one["sku"]),
            total=int(one.get("total") or 0),
            used=int(one.get("used") or 0),
            free=int(one.get("free") or 0),
            promised=promised.get(str(one["sku"]), 0),
        )
        for one in app.facts.get("seats") or ()
    ]


def named(session: Session, tenant_id: int, connector_id: int, text: str) -> Seats:
    """The licence that a sku, a part number or a name means. Raises NotFound("no_such_licence")."""
    wanted = key(text)
    for one in seats(session, tenant_id, connector_id):
        if wanted in (key(one.sku), key(one.part), key(one.name)):
            return one
    raise NotFound("no_such_licence")


def carries_location(session: Session, tenant_id: int, connector_id: int) -> bool:
    """Whether a usage location entered here ever reaches the app."""
    rows = mappings.rows(session, tenant_id, connector_id)
    return any(row.ours == "usage_location" and row.flows_out for row in rows)


def foresee(
    session: Session, tenant_id: int, connector_id: int, user_ids: Collection[int], sku: str, *, give: bool
) -> Forecast:
    """What giving (or taking) a licence would mean for these people. What is no longer sold may still be taken away.

    Raises NotFound, ServiceError("usage_location_unmapped").
    """
    try:
        found = named(session, tenant_id, connector_id, sku)
    except NotFound:
        if give:
            raise
        found = Seats(sku, sku, sku, 0, 0, 0, 0)
    accounts = _accounts(session, tenant_id, connector_id, user_ids)
    refused: dict[int, str] = dict.fromkeys(set(user_ids) - accounts.keys(), "no_account_there")
    if give:
        _must_carry_location(session, tenant_id, connector_id)
        people = _people(session, tenant_id, accounts)
        refused |= {number: code for number in accounts if (code := _barred(people.get(number)))}
    going = tuple(number for number in accounts if number not in refused)
    needed = sum(_needs(accounts[number], found.sku) for number in going) if give else 0
    return Forecast(found, going, refused, needed)


def assign(
    session: Session, tenant_id: int, connector_id: int, user_ids: Collection[int], sku: str, order: Order
) -> Assigned:
    """Let these people have a licence; those without an account yet have it once they have one.

    Refused as a whole with ServiceError("seats_short") when there are not enough free seats for all of them, NotFound for
    an unknown licence; a person without a usage location is refused alone.
    """
    told = foresee(session, tenant_id, connector_id, user_ids, sku, give=True)
    if told.short:
        raise ServiceError(
            "seats_short", needed=told.needed, free=told.seats.left, short=told.short, licence=told.seats.name
        )
    accounts = _accounts(session, tenant_id, connector_id, told.going)
    effects = _wish(session, tenant_id, connector_id, list(accounts.values()), {told.seats.sku: True}, order)
    return Assigned(told.going, told.refused, effects)


def remove(
    session: Session, tenant_id: int, connector_id: int, user_ids: Collection[int], sku: str, order: Order
) -> Assigned:
    """Take a licence away from these people; what they have through a group stays, and is said so when it is tried."""
    told = foresee(session, tenant_id, connector_id, user_ids, sku, give=False)
    accounts = _accounts(session, tenant_id, connector_id, told.going)
    effects = _wish(session, tenant_id, connector_id, list(accounts.values()), {told.seats.sku: False}, order)
    return Assigned(told.going, told.refused, effects)


def _wish(
    session: Session,
    tenant_id: int,
    connector_id: int,
    accounts: Sequence[Account],
    wishes: Mapping[str, bool],
    order: Order,
) -> list[Effect]:
    for account in accounts:
        account.intent = {**account.intent, LICENCES: {**(account.intent.get(LICENCES) or {}), **wishes}}
        account.declined = None
        session.add(account)
    session.flush()
    ids = [account.user_id for account in accounts if account.user_id is not None]
    effects = outbox.enqueue(session, tenant_id, ids, order, connector_id=connector_id)
    entries = [
        events.Entry(
            order.actor,
            "licence.assigned" if wish else "licence.removed",
            user_id=account.user_id,
            account_id=account.id,
            connector_id=connector_id,
            before={f"{LICENCES}.{sku}": not wish},
            after={f"{LICENCES}.{sku}": wish},
            names={"user": account.name, "address": account.name},
        )
        for account in accounts
        for sku, wish in wishes.items()
    ]
    events.append(session, tenant_id, entries, order.now)
    return effects


def _must_carry_location(session: Session, tenant_id: int, connector_id: int) -> None:
    """Without a row that carries it, a usage location entered here would never reach the app."""
    if not carries_location(session, tenant_id, connector_id):
        raise ServiceError("usage_location_unmapped", app=connectors.get(session, tenant_id, connector_id).name)


def _needs(account: Account, sku: str) -> bool:
    """Whether it takes a seat that nobody has counted yet."""
    held = {str(one.get("skuId", "")).lower() for one in account.observed.get("assignedLicenses") or ()}
    return sku.lower() not in held and not (account.intent.get(LICENCES) or {}).get(sku)


def _barred(person: User | None) -> str | None:
    if person is None or person.lifecycle == Lifecycle.LEFT:
        return "no_account_there"
    return None if person.usage_location else "usage_location_missing"


def _accounts(session: Session, tenant_id: int, connector_id: int, user_ids: Collection[int]) -> dict[int, Account]:
    connectors.get(session, tenant_id, connector_id, keep=True)
    query = select(Account).where(
        Account.tenant_id == tenant_id,
        Account.connector_id == connector_id,
        among(session, col(Account.user_id), set(user_ids)),
        col(Account.situation).in_((Situation.LINKED, Situation.ABSENT)),
    )
    rows = session.exec(for_update(session, query.order_by(col(Account.id)))).all()
    return {row.user_id: row for row in rows if row.user_id is not None}


def _people(session: Session, tenant_id: int, ids: Collection[int]) -> dict[int, User]:
    query = select(User).where(User.tenant_id == tenant_id, among(session, col(User.id), list(ids)))
    return {row.id or 0: row for row in session.exec(query).all()}


def _promised(session: Session, app: Connector) -> dict[str, int]:
    query = select(Account.intent).where(
        Account.connector_id == app.id, col(Account.intent)[LICENCES].as_string().is_not(None)
    )
    counts: dict[str, int] = {}
    for intent in session.exec(query):
        for sku, wish in (intent.get(LICENCES) or {}).items():
            counts[sku] = counts.get(sku, 0) + bool(wish)
    return counts
