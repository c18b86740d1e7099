"""Groups as a plan wants them: what they are called, whether they are gone, and who of their people is in one app.

Owns reading that, in two statements whatever their number; decides nothing and changes nothing.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.planning import Gathering
from provision.core.tables import Account, Group, GroupMember
from provision.core.vocabulary import Situation
from provision.db import among

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
GROUPS: sa.Table = Group.__table__  # type: ignore[attr-defined]
MEMBERS: sa.Table = GroupMember.__table__  # type: ignore[attr-defined]


def gatherings(session: Session, tenant_id: int, connector_id: int, ids: Iterable[int | None]) -> dict[int, Gathering]:
    """By number, these groups of the tenant as they are to be in this app."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return {}
    inside = _inside(session, tenant_id, connector_id, wanted)
    query = sa.select(GROUPS.c.id, GROUPS.c.name, GROUPS.c.deleted_at).where(
        GROUPS.c.tenant_id == tenant_id, among(session, GROUPS.c.id, wanted)
    )
    return {
        number: Gathering(name, frozenset(inside.get(number, ())), deleted_at is not None)
        for number, name, deleted_at in session.execute(query)
    }


def of_people(session: Session, connector_id: int, people: Iterable[int]) -> list[int]:
    """The accounts in this app of the groups that these people are in."""
    wanted = set(people)
    if not wanted:
        return []
    theirs = sa.select(MEMBERS.c.group_id).where(among(session, MEMBERS.c.user_id, wanted))
    query = sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.connector_id == connector_id, ACCOUNTS.c.group_id.in_(theirs))
    return list(session.scalars(query))


def every(session: Session, tenant_id: int) -> list[int]:
    """All groups of the tenant that are not deleted."""
    query = sa.select(GROUPS.c.id).where(GROUPS.c.tenant_id == tenant_id, GROUPS.c.deleted_at.is_(None))
    return list(session.scalars(query.order_by(GROUPS.c.id)))


def _inside(session: Session, tenant_id: int, connector_id: int, wanted: set[int]) -> dict[int, list[str]]:
    linked: tuple[Any, ...] = (
        ACCOUNTS.c.connector_id == connector_id,
        ACCOUNTS.c.situation == Situation.LINKED.value,
        ACCOUNTS.c.anchor.is_not(None),
    )
    query = (
        sa.select(MEMBERS.c.group_id, ACCOUNTS.c.anchor)
        .join(ACCOUNTS, ACCOUNTS.c.user_id == MEMBERS.c.user_id)
        .where(MEMBERS.c.tenant_id == tenant_id, among(session, MEMBERS.c.group_id, wanted), *linked)
    )
    found: dict[int, list[str]] = {}
    for group, anchor in session.execute(query):
        found.setdefault(group, []).append(anchor)
    return found
