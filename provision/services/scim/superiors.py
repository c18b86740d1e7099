"""Whom people report to, as their client says. Owns that one column of a person; guesses nobody."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Account, User
from provision.core.vocabulary import SCIM_ENTERPRISE as ENTERPRISE
from provision.services import events, readdressing
from provision.services.cycles import Client, Item
from provision.services.scim.searching import number_of

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
USERS: sa.Table = User.__table__  # type: ignore[attr-defined]


def follow(session: Session, client: Client, item: Item, now: datetime) -> None:
    """Let the person report to whom the account names, if that one is known here; nobody reports to themselves."""
    told = (item.observed.get(ENTERPRISE) or {}).get("manager") or {}
    number = number_of(str(told.get("value") or ""))
    if not (client.takes_over and item.user_id and number):
        return
    query = sa.select(ACCOUNTS.c.user_id).where(
        ACCOUNTS.c.connector_id == client.connector_id, ACCOUNTS.c.id == number, ACCOUNTS.c.user_id.is_not(None)
    )
    superior = session.scalar(query)
    if superior is None or superior == item.user_id:
        return
    own = (USERS.c.tenant_id == client.tenant_id, USERS.c.id == item.user_id)
    differs = sa.or_(USERS.c.manager_id.is_(None), USERS.c.manager_id != superior)
    changed = {"manager_id": superior, "version": USERS.c.version + 1, "changed_at": now}
    done: Any = session.execute(sa.update(User).where(*own, differs).values(**changed))
    if done.rowcount:
        ended = readdressing.follow(session, client.tenant_id, [item.user_id], now)
        events.append(session, client.tenant_id, ended, now)
