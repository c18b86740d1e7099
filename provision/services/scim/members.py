"""A client's groups: a group here for each, and who of the client's people is in it.

Owns the accounts that are groups', and the people who wait to become members until it is known who they are.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from scim2_models import InvalidValueException
from sqlmodel import Session

from provision.core.ports import EXTERNAL_ID
from provision.core.tables import Account, Group, GroupMember, User
from provision.core.vocabulary import Lifecycle, Situation, exact, key
from provision.db import among, for_update, once, reserve
from provision.services import groups
from provision.services.cycles import Client, Owned
from provision.services.errors import Invalid
from provision.services.outbox import Order
from provision.services.present import LISTED
from provision.services.scim.bodies import META, WAITING, meta_of

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
MEMBERS: sa.Table = GroupMember.__table__  # type: ignore[attr-defined]
USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
GROUPS: sa.Table = Group.__table__  # type: ignore[attr-defined]
Row = Mapping[str, Any]


def create(session: Session, client: Client, observed: dict[str, Any], members: Sequence[int], order: Order) -> int:
    """A group of this client, and its account; return the account's number."""
    try:
        group = groups.create(
            session, client.tenant_id, str(observed.get("displayName") or ""), order, origin_id=client.connector_id
        )
    except Invalid:
        raise InvalidValueException(detail="displayName does not fit a group's name") from None
    (number,) = reserve(session, ACCOUNTS, 1)
    values = {
        "id": number,
        "tenant_id": client.tenant_id,
        "connector_id": client.connector_id,
        "group_id": group.id,
        "anchor": str(number),
        "name": key(group.name),
        "situation": Situation.LINKED,
        "observed": observed,
        "observed_at": order.now,
        "external_id": exact(observed.get(EXTERNAL_ID)),
        **{name: {} for name in ("verdict", "standing", "absorbed", "intent")},
        "stale": False,
    }
    session.execute(sa.insert(Account).values(**values))
    row = {"id": number, "group_id": group.id, "observed": observed}
    fill(session, client, row, members, order)
    return number


def update(
    session: Session, client: Client, row: Row, observed: dict[str, Any], members: Sequence[int] | None, order: Order
) -> None:
    """The group as it is now; ``members`` None leaves them alone."""
    try:
        name = str(observed.get("displayName") or "")
        groups.rename(session, client.tenant_id, row["group_id"], order, name=name)
    except Invalid:
        raise InvalidValueException(detail="displayName does not fit a group's name") from None
    kept = {**observed, WAITING: row["observed"].get(WAITING, [])}
    _keep(session, row["id"], kept, order.now, name=key(name))
    if members is not None:
        fill(session, client, {**row, "observed": kept}, members, order)


def fill(session: Session, client: Client, row: Row, members: Sequence[int], order: Order) -> None:
    """Let exactly these of the client's people be in the group; whoever is nobody's yet waits. Raises InvalidValue."""
    whose = _whose(session, client, members)
    missing = sorted(set(members) - whose.keys())
    if missing:
        raise InvalidValueException(detail=f"members: there is no {missing[0]}")
    people = {person for person in whose.values() if person is not None}
    groups.set_members(session, client.tenant_id, row["group_id"], order, people)
    waiting = sorted(number for number, person in whose.items() if person is None)
    if waiting != row["observed"].get(WAITING, []):
        _keep(session, row["id"], {**row["observed"], WAITING: waiting}, order.now)


def admit(session: Session, client: Owned, order: Order) -> None:
    """Let those in who waited and are somebody's by now. One look at the client's groups, and mostly no more."""
    for row in session.execute(_expecting(session), {"connector": client.connector_id}).mappings().all():
        waiting = row["observed"][WAITING]
        whose = _whose(session, client, waiting)
        known = {number: person for number, person in whose.items() if person is not None}
        left = [number for number in waiting if number in whose and number not in known]
        if left != waiting:
            groups.change_members(session, client.tenant_id, row["group_id"], order, add=set(known.values()))
            _keep(session, row["id"], {**row["observed"], WAITING: left}, order.now)


@once
def _expecting(_session: Session) -> Any:
    return sa.select(ACCOUNTS.c.id, ACCOUNTS.c.group_id, ACCOUNTS.c.observed).where(
        ACCOUNTS.c.connector_id == sa.bindparam("connector"),
        ACCOUNTS.c.group_id.is_not(None),
        LISTED,
        sa.func.coalesce(ACCOUNTS.c.observed[WAITING].as_string(), "[]") != "[]",
    )


def remove(session: Session, client: Client, row: Row, order: Order) -> None:
    """The client deleted its group; the people stay as they are."""
    groups.delete(session, client.tenant_id, row["group_id"], order)
    gone = {"situation": Situation.GONE, "removed": "purged"}
    session.execute(sa.update(Account).where(ACCOUNTS.c.id == row["id"]).values(**gone))


def inside(session: Session, client: Client, rows: Collection[Row]) -> dict[int, list[dict[str, Any]]]:
    """By a group's account, its members as SCIM shows them. One query, whatever the number."""
    wanted = {row["group_id"]: row["id"] for row in rows}
    person = ACCOUNTS.alias("person")
    query = (
        sa.select(MEMBERS.c.group_id, person.c.id)
        .join(person, person.c.user_id == MEMBERS.c.user_id)
        .where(
            MEMBERS.c.tenant_id == client.tenant_id,
            among(session, MEMBERS.c.group_id, list(wanted)),
            person.c.connector_id == client.connector_id,
            person.c.removed.is_(None),
            person.c.situation != Situation.GONE.value,
        )
        .order_by(person.c.id)
    )
    found: dict[int, list[dict[str, Any]]] = {number: [] for number in wanted.values()}
    for group, number in session.execute(query):
        found[wanted[group]].append(_member("Users", number, "User"))
    for row in rows:
        found[row["id"]] += [_member("Users", number, "User") for number in row["observed"].get(WAITING, [])]
    return found


def memberships(session: Session, client: Client, people: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """By person, the client's groups they are in, as SCIM shows them. One query, whatever the number."""
    if not people:
        return {}
    given = {"tenant": client.tenant_id, "connector": client.connector_id, "people": list(people)}
    found: dict[int, list[dict[str, Any]]] = {}
    for person, number, shown in session.execute(_memberships(session), given):
        found.setdefault(person, []).append({**_member("Groups", number, "direct"), "display": shown})
    return found


@once
def _memberships(session: Session) -> Any:
    return (
        sa.select(MEMBERS.c.user_id, ACCOUNTS.c.id, ACCOUNTS.c.observed["displayName"].as_string())
        .join(ACCOUNTS, ACCOUNTS.c.group_id == MEMBERS.c.group_id)
        .where(
            MEMBERS.c.tenant_id == sa.bindparam("tenant"),
            among(session, MEMBERS.c.user_id, "people"),
            ACCOUNTS.c.connector_id == sa.bindparam("connector"),
            LISTED,
        )
        .order_by(ACCOUNTS.c.id)
    )


def locked(session: Session, client: Client, number: int) -> Row | None:
    """A group's account, kept until the transaction ends."""
    query = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.group_id, ACCOUNTS.c.observed).where(
        ACCOUNTS.c.connector_id == client.connector_id,
        ACCOUNTS.c.id == number,
        ACCOUNTS.c.group_id.is_not(None),
        LISTED,
    )
    return cast(Row | None, session.execute(for_update(session, query)).mappings().first())


def _member(endpoint: str, number: int, kind: str) -> dict[str, Any]:
    return {"value": str(number), "$ref": f"{endpoint}/{number}", "type": kind}


def _whose(session: Session, client: Owned, numbers: Collection[int]) -> dict[int, int | None]:
    """By account of this client, whose it is: None while that is not known, or while they have left."""
    if not numbers:
        return {}
    query = (
        sa.select(ACCOUNTS.c.id, ACCOUNTS.c.user_id, USERS.c.lifecycle)
        .outerjoin(USERS, USERS.c.id == ACCOUNTS.c.user_id)
        .where(
            ACCOUNTS.c.connector_id == client.connector_id,
            ACCOUNTS.c.group_id.is_(None),
            LISTED,
            among(session, ACCOUNTS.c.id, set(numbers)),
        )
    )
    return {
        number: None if lifecycle == Lifecycle.LEFT else person for number, person, lifecycle in session.execute(query)
    }


def _keep(session: Session, number: int, observed: dict[str, Any], now: datetime, **more: Any) -> None:
    kept = {**observed, META: meta_of(observed.get(META), now)}
    values = {"observed": kept, "observed_at": now, "external_id": exact(kept.get(EXTERNAL_ID)), **more}
    session.execute(sa.update(Account).where(ACCOUNTS.c.id == number).values(**values))
