"""Groups and who is in them: made, renamed, filled and deleted, each with its events, in the caller's transaction.

Owns every write to groups and their members, and leaves an operation behind in every app that groups follow to; carries
nothing outside, and never changes a person.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.mapping import clean
from provision.core.tables import Group, GroupMember, User
from provision.core.vocabulary import Lifecycle, key
from provision.db import among, for_update
from provision.services import events, outbox
from provision.services.errors import Invalid, NotFound
from provision.services.outbox import Order
from provision.services.users import shown

NAME_LIMIT = 256
_MEMBERS: sa.Table = GroupMember.__table__  # type: ignore[attr-defined]
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_NAMED = ("id", "display_name", "given_name", "surname", "email", "username")


@dataclass(frozen=True, slots=True)
class Moved:
    """Who joined a group and who left it by one change; only those for whom it was one."""

    joined: tuple[int, ...] = ()
    parted: tuple[int, ...] = ()


def create(
    session: Session,
    tenant_id: int,
    name: str,
    order: Order,
    *,
    description: str | None = None,
    origin_id: int | None = None,
    members: Collection[int] = (),
) -> Group:
    """Make a group. ``origin_id``: the app that brought it. Raises Invalid, and NotFound for people who are not here."""
    name = _judged(name)
    group = Group(
        tenant_id=tenant_id,
        name=name,
        name_key=key(name),
        description=_trimmed(description),
        origin_id=origin_id,
        created_at=order.now,
        changed_at=order.now,
    )
    session.add(group)
    session.flush()
    told = _told(group, "group.added", order, after={"name": group.name, "description": group.description})
    _, entries = _move(session, group, order, add=members)
    events.append(session, tenant_id, [told, *entries], order.now)
    _follow(session, group, order)
    return group


def rename(
    session: Session, tenant_id: int, group_id: int, order: Order, *, name: str, description: str | None = None
) -> Group:
    """Change what a group is called and said to be for. Raises Invalid, NotFound."""
    group = get(session, tenant_id, group_id, lock=True)
    before = {"name": group.name, "description": group.description}
    name = _judged(name)
    group.name, group.name_key, group.description = name, key(name), _trimmed(description)
    after = {"name": group.name, "description": group.description}
    moved = [one for one in before if before[one] != after[one]]
    if moved:
        _touch(session, group, order)
        was, becomes = ({one: side[one] for one in moved} for side in (before, after))
        events.append(session, tenant_id, [_told(group, "group.renamed", order, was, becomes)], order.now)
        _follow(session, group, order)
    return group


def change_members(
    session: Session,
    tenant_id: int,
    group_id: int,
    order: Order,
    *,
    add: Collection[int] = (),
    remove: Collection[int] = (),
) -> Moved:
    """Let people in and out; whoever is in both joins. Raises NotFound when one who is to join is not here."""
    group = get(session, tenant_id, group_id, lock=True)
    moved, entries = _move(session, group, order, add=add, remove=set(remove) - set(add))
    if entries:
        _touch(session, group, order)
        events.append(session, tenant_id, entries, order.now)
        _follow(session, group, order)
    return moved


def set_members(session: Session, tenant_id: int, group_id: int, order: Order, people: Collection[int]) -> Moved:
    """Let exactly these people be in the group. Raises NotFound."""
    get(session, tenant_id, group_id, lock=True)
    now = set(members(session, tenant_id, group_id))
    return change_members(session, tenant_id, group_id, order, add=set(people) - now, remove=now - set(people))


def delete(session: Session, tenant_id: int, group_id: int, order: Order) -> Group:
    """Let everybody out and mark the group deleted; its row stays for what must still follow outside. Raises NotFound."""
    group = get(session, tenant_id, group_id, lock=True)
    _, entries = _move(session, group, order, remove=members(session, tenant_id, group_id))
    group.deleted_at = order.now
    _touch(session, group, order)
    told = _told(group, "group.deleted", order, before={"name": group.name})
    events.append(session, tenant_id, [*entries, told], order.now)
    _follow(session, group, order)
    return group


def get(session: Session, tenant_id: int, group_id: int, *, lock: bool = False) -> Group:
    """One group of this tenant that is not deleted. Raises NotFound."""
    query = select(Group).where(Group.tenant_id == tenant_id, Group.id == group_id, col(Group.deleted_at).is_(None))
    group: Group | None = session.exec(for_update(session, query) if lock else query).first()
    if group is None:
        raise NotFound("no_such_group")
    return group


def of(session: Session, tenant_id: int, *, user_id: int | None = None) -> list[Group]:
    """The tenant's groups in order of name, or only those a person is in."""
    query = select(Group).where(Group.tenant_id == tenant_id, col(Group.deleted_at).is_(None))
    if user_id is not None:
        query = query.join(GroupMember, col(GroupMember.group_id) == col(Group.id)).where(
            GroupMember.user_id == user_id
        )
    return list(session.exec(query.order_by(col(Group.name_key), col(Group.id))))


def members(session: Session, tenant_id: int, group_id: int) -> list[int]:
    """Who is in a group, by number."""
    query = sa.select(_MEMBERS.c.user_id).where(_MEMBERS.c.tenant_id == tenant_id, _MEMBERS.c.group_id == group_id)
    return list(session.scalars(query.order_by(_MEMBERS.c.user_id)))


def groups_of(session: Session, tenant_id: int, people: Iterable[int]) -> dict[int, list[tuple[int, str]]]:
    """For many people at once, the groups each is in: number and name."""
    groups = Group.__table__  # type: ignore[attr-defined]
    query = (
        sa.select(_MEMBERS.c.user_id, groups.c.id, groups.c.name)
        .join(groups, groups.c.id == _MEMBERS.c.group_id)
        .where(_MEMBERS.c.tenant_id == tenant_id, among(session, _MEMBERS.c.user_id, set(people)))
        .order_by(groups.c.name_key, groups.c.id)
    )
    found: dict[int, list[tuple[int, str]]] = {}
    for person, number, name in session.execute(query):
        found.setdefault(person, []).append((number, name))
    return found


def _follow(session: Session, group: Group, order: Order) -> None:
    """In the same transaction: whoever is told of a group is told of this change, or of none."""
    outbox.enqueue_groups(session, group.tenant_id, [group.id or 0], order)


def _move(
    session: Session, group: Group, order: Order, *, add: Collection[int] = (), remove: Collection[int] = ()
) -> tuple[Moved, list[events.Entry]]:
    """Two statements whatever the number, and an entry for each person."""
    assert group.id is not None  # noqa: S101 - flushed before
    inside = _inside(session, group, {*add, *remove})
    joining, parting = sorted(set(add) - inside), sorted(set(remove) & inside)
    named = _named(session, group.tenant_id, {*joining, *parting})
    gone = [number for number in joining if number not in named or named[number]["lifecycle"] == Lifecycle.LEFT]
    if gone:
        raise NotFound("user_not_found")
    if joining:
        rows = [{"tenant_id": group.tenant_id, "group_id": group.id, "user_id": number} for number in joining]
        session.execute(sa.insert(_MEMBERS), rows)
    if parting:
        own = (_MEMBERS.c.group_id == group.id, among(session, _MEMBERS.c.user_id, parting))
        session.execute(sa.delete(_MEMBERS).where(*own))
    entries = [_member(group, named[number], "user.joined_group", order) for number in joining]
    entries += [_member(group, named[number], "user.parted_group", order) for number in parting]
    return Moved(tuple(joining), tuple(parting)), entries


def _inside(session: Session, group: Group, people: Collection[int]) -> set[int]:
    if not people:
        return set()
    query = sa.select(_MEMBERS.c.user_id).where(
        _MEMBERS.c.group_id == group.id, among(session, _MEMBERS.c.user_id, set(people))
    )
    return set(session.scalars(query))


def _named(session: Session, tenant_id: int, people: Collection[int]) -> dict[int, Any]:
    if not people:
        return {}
    columns = [_USERS.c[name] for name in (*_NAMED, "lifecycle")]
    query = sa.select(*columns).where(_USERS.c.tenant_id == tenant_id, among(session, _USERS.c.id, set(people)))
    return {row["id"]: row for row in session.execute(query).mappings()}


def _touch(session: Session, group: Group, order: Order) -> None:
    group.version, group.changed_at = (group.version or 0) + 1, order.now
    session.add(group)
    session.flush()


def _told(
    group: Group,
    action: str,
    order: Order,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> events.Entry:
    return events.Entry(
        order.actor,
        action,
        connector_id=group.origin_id,
        before=before or {},
        after={name: value for name, value in (after or {}).items() if value is not None or name in (before or {})},
        names={"group": group.name},
        text={"group_id": group.id},
    )


def _member(group: Group, person: Mapping[str, Any], action: str, order: Order) -> events.Entry:
    held = {"group": group.name}
    return events.Entry(
        order.actor,
        action,
        user_id=person["id"],
        connector_id=group.origin_id,
        before=held if action == "user.parted_group" else {},
        after=held if action == "user.joined_group" else {},
        names={"user": shown(person), "address": person["email"] or "", **held},
        text={"group_id": group.id},
    )


def _judged(name: str) -> str:
    fit = " ".join(name.split())
    if not fit or len(fit) > NAME_LIMIT or clean(fit) != fit:
        raise Invalid({"name": "group_name_unfit"}, limit=NAME_LIMIT)
    return fit


def _trimmed(text: str | None) -> str | None:
    fit = clean((text or "").strip()) or None
    return fit[:1024] if fit else None
