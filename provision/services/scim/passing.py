"""A password that a client sends along is set in the linked apps at once, if the owner allowed that; it is kept nowhere.

Owns the steps, each in a short transaction of its own and none open while the outside is asked. What could not be set is told
to the client, who has the password; here it is forgotten either way.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.ports import OutsideError
from provision.core.tables import Account, User
from provision.core.vocabulary import Lifecycle, Offer, Outcome
from provision.db import among
from provision.services import events
from provision.services.cycles import Client, Ways
from provision.services.errors import ServiceError
from provision.services.outbox.reckoning import IN_FLIGHT, OPERATIONS, stands
from provision.services.reaching import Place, places
from provision.services.users import shown

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
HELD = timedelta(minutes=2)


def pass_on(ways: Ways, client: Client, account_id: int, password: str) -> None:
    """Set it wherever the account's person has an account that takes one; nowhere yet is no error.

    Raises ServiceError with the outside's code where it could not be set, and ``activation_busy`` while something else is
    on its way there: the client may send it again.
    """
    with ways.writing() as session:
        user = _whose(session, client, account_id)
        if user is None:
            return
        _, there = places(
            session, client.tenant_id, user.id or 0, ways.kinds, Offer.PASSWORD, Lifecycle(user.lifecycle)
        )
        _take(session, there, ways)
    failed = {place.connector.name: error for place in there if (error := _set(ways, place, password)) is not None}
    with ways.writing() as session:
        mine = among(session, ACCOUNTS.c.id, [place.account_id for place in there])
        session.execute(sa.update(Account).where(mine).values(busy_until=None))
        if there:
            events.append(session, client.tenant_id, [_told(client, user, there, failed)], ways.now())
    for app, error in failed.items():
        raise ServiceError(error.code, **{"app": app, **error.params})


def _whose(session: Session, client: Client, account_id: int) -> User | None:
    query = (
        select(User)
        .join(Account, sa.and_(col(Account.user_id) == col(User.id), col(Account.tenant_id) == col(User.tenant_id)))
        .where(Account.connector_id == client.connector_id, col(Account.id) == account_id)
    )
    return session.exec(query).first()


def _take(session: Session, there: Sequence[Place], ways: Ways) -> None:
    """Keep the worker off these accounts meanwhile. Raises ServiceError when it is at one of them."""
    mine = among(session, ACCOUNTS.c.id, [place.account_id for place in there])
    now = ways.now()
    flying = sa.exists().where(OPERATIONS.c.account_id == ACCOUNTS.c.id, stands(OPERATIONS.c.state, *IN_FLIGHT))
    free = sa.or_(ACCOUNTS.c.busy_until.is_(None), ACCOUNTS.c.busy_until <= now)
    held: Any = session.execute(sa.update(Account).where(mine, free, sa.not_(flying)).values(busy_until=now + HELD))
    if held.rowcount != len(there):
        raise ServiceError("activation_busy")


def _set(ways: Ways, place: Place, password: str) -> OutsideError | None:
    try:
        port: Any = ways.connect(place.connector)
        port.set_password(place.anchor, password)
    except OutsideError as error:
        return error
    return None


def _told(client: Client, user: User, there: Sequence[Place], failed: Mapping[str, OutsideError]) -> events.Entry:
    first = next(iter(failed.values()), None)
    return events.Entry(
        client.actor,
        "user.password_pushed",
        outcome=Outcome.REFUSED if failed else Outcome.DONE,
        user_id=user.id,
        connector_id=client.connector_id,
        names={"user": shown(user.model_dump()), "address": user.email or "", "app": client.actor},
        text={
            "apps": {place.connector.name: place.connector.name not in failed for place in there},
            **({"code": first.code, "params": {"app": next(iter(failed))}} if first else {}),
        },
    )
