"""Whom a link can help: the rows behind the judgement of one person, for many people at a time.

Owns reading accounts, apps and addresses for it, and what people call these apps; the judgement itself is core's. What a list
counts by is the same judgement as a condition, so that a hundred thousand people need not be loaded to be counted.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import protection
from provision.core.choosing import MICROSOFT
from provision.core.onboarding import OnboardingSettings, Recipient
from provision.core.protection import BY_HAND, LISTED
from provision.core.reaching import Door, Standing, address_of, judge, lacking, takes
from provision.core.tables import Account, Connector, Operation, User
from provision.core.vocabulary import ConnectorState, Lifecycle, Offer, Situation, key
from provision.db import among
from provision.services.outbox.reckoning import UNFINISHED, stands

USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_MAKERS = {MICROSOFT: "Microsoft 365"}
_SEEN = ("id", "user_id", "connector_id", "anchor", "name", "situation", "enabled", "standing", "intent", "sent_at")


@dataclass(frozen=True)
class Taking:
    """An app in which a link can set something. ``lacks``: a right it needs for that and was not granted."""

    row: Connector
    lacks: str

    @property
    def usable(self) -> bool:
        return not self.lacks and self.row.state != ConnectorState.QUARANTINED


@dataclass(frozen=True)
class Place:
    """One account in which a link sets something now."""

    connector: Connector
    account_id: int
    anchor: str
    sent_at: datetime | None


@dataclass(frozen=True)
class Reached:
    """One person, what a link could do for them, and where its mail would go."""

    user: Mapping[str, Any]
    standing: Standing
    address: str | None


def taking(session: Session, tenant_id: int, kinds: Mapping[Any, Any], offer: Offer) -> list[Taking]:
    """The apps of a tenant in which a link can set a password (or hand out a pass), in their order.

    Those whose maker judges passwords come first: what they refuse is set nowhere else.
    """
    query = select(Connector).where(Connector.tenant_id == tenant_id)
    found = session.exec(query.order_by(col(Connector.position), col(Connector.id))).all()
    rows = sorted(found, key=lambda row: not kinds[row.kind].judged_by)
    return [
        Taking(row, lacking(row.facts.get("rights") or (), kinds[row.kind].takes[offer], known=_known(row)))
        for row in rows
        if offer in kinds[row.kind].takes and _chosen(row, kinds[row.kind].takes_if)
    ]


def reach(
    session: Session,
    tenant_id: int,
    user_ids: Collection[int],
    kinds: Mapping[Any, Any],
    settings: OnboardingSettings,
) -> dict[int, Reached]:
    """Judge these people, in four statements whatever their number; who is not of this tenant is left out."""
    offer = offered(settings)
    apps = {one.row.id: one for one in taking(session, tenant_id, kinds, offer)}
    doors: dict[int, list[Door]] = defaultdict(list)
    mailboxes: set[int] = set()
    for row in _accounts(session, tenant_id, user_ids, [number for number in apps if number is not None]):
        app = apps[row["connector_id"]]
        doors[row["user_id"]].append(_door(app, row))
        if row["situation"] == Situation.LINKED and row["standing"].get("licensed"):
            mailboxes.add(row["user_id"])
    found = {}
    for person in _people(session, tenant_id, user_ids):
        address = address_of(
            settings.recipient,
            private=person["private_email"],
            manager=person["manager_email"],
            primary=person["email"],
            mailbox=person["id"] in mailboxes,
        )
        lifecycle = Lifecycle(person["lifecycle"])
        standing = judge(lifecycle, doors[person["id"]], addressed=address is not None, offer=offer)
        found[person["id"]] = Reached(person, standing, address)
    return found


def places(
    session: Session, tenant_id: int, user_id: int, kinds: Mapping[Any, Any], offer: Offer, lifecycle: Lifecycle
) -> tuple[Standing, list[Place]]:
    """Where a link of one person sets something at this moment, in the order of the apps; and why nowhere, if nowhere."""
    apps = {one.row.id or 0: one for one in taking(session, tenant_id, kinds, offer)}
    rows = _accounts(session, tenant_id, [user_id], list(apps))
    doors = [_door(apps[row["connector_id"]], row) for row in rows]
    standing = judge(lifecycle, doors, addressed=True, offer=offer)
    found = [
        Place(apps[row["connector_id"]].row, row["id"], row["anchor"], row["sent_at"])
        for row, door in zip(rows, doors, strict=True)
        if takes(door, offer)
    ]
    return standing, found


def called(apps: Iterable[Connector], kinds: Mapping[Any, Any]) -> tuple[str, ...]:
    """What people know these apps as, each once: Microsoft's goes by its maker's name, whatever it is named here."""
    return tuple(dict.fromkeys(_MAKERS.get(kinds[app.kind].judged_by) or app.name for app in apps))


def offered(settings: OnboardingSettings) -> Offer:
    """What a tenant's links give."""
    return Offer.PASS if settings.access_pass else Offer.PASSWORD


def helpless(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], settings: OnboardingSettings, user: Any = USERS
) -> Any:
    """The condition on a row of ``users`` that no link could be issued: what ``reach`` says, without loading anybody."""
    offer = offered(settings)
    apps = [one for one in taking(session, tenant_id, kinds, offer) if one.usable]
    active = user.c.lifecycle.in_([Lifecycle.ACTIVE.value, Lifecycle.STAGED.value])
    return sa.not_(sa.and_(active, _addressed(settings.recipient, user, apps), _opens(user, apps, offer)))


def _chosen(row: Connector, setting: str) -> bool:
    return not setting or bool(row.config.get(setting))


def _known(row: Connector) -> bool:
    return row.facts.get("permissions") is not None


def _accounts(session: Session, tenant_id: int, user_ids: Collection[int], apps: Sequence[int]) -> list[Any]:
    if not apps or not user_ids:
        return []
    coming = sa.exists().where(OPERATIONS.c.account_id == ACCOUNTS.c.id, stands(OPERATIONS.c.state, *UNFINISHED))
    query = sa.select(*(ACCOUNTS.c[name] for name in _SEEN), coming.label("coming")).where(
        ACCOUNTS.c.tenant_id == tenant_id,
        ACCOUNTS.c.connector_id.in_(apps),
        among(session, ACCOUNTS.c.user_id, set(user_ids)),
    )
    place = {number: position for position, number in enumerate(apps)}
    return sorted(session.execute(query).mappings(), key=lambda row: place[row["connector_id"]])


def _people(session: Session, tenant_id: int, user_ids: Collection[int]) -> list[Any]:
    boss = USERS.alias("boss")
    names = ("id", "lifecycle", "display_name", "given_name", "surname", "email", "username", "private_email")
    query = (
        sa.select(*(USERS.c[name] for name in names), USERS.c.preferred_language, boss.c.email.label("manager_email"))
        .join(boss, sa.and_(boss.c.id == USERS.c.manager_id, boss.c.tenant_id == USERS.c.tenant_id), isouter=True)
        .where(USERS.c.tenant_id == tenant_id, among(session, USERS.c.id, set(user_ids)))
        .order_by(USERS.c.id)
    )
    return list(session.execute(query).mappings())


def _door(app: Taking, row: Mapping[str, Any]) -> Door:
    seen = (row["anchor"], row["name"], row["standing"], row["intent"])
    return Door(
        app=app.row.name,
        situation=Situation(row["situation"]),
        exists=row["anchor"] is not None,
        enabled=row["enabled"],
        protection=protection.judge(*seen, app.row.facts, app.row.scope),
        guest=bool(row["standing"].get("guest")),
        stopped=app.row.state == ConnectorState.QUARANTINED,
        lacks=app.lacks,
        coming=bool(row["coming"]) and row["situation"] != Situation.LINKED,
    )


def _addressed(recipient: Recipient, user: Any, apps: Sequence[Taking]) -> Any:
    if recipient is Recipient.PRIVATE:
        return _filled(user.c.private_email)
    if recipient is Recipient.MANAGER:
        boss = USERS.alias()
        mine = (boss.c.id == user.c.manager_id, boss.c.tenant_id == user.c.tenant_id)
        return sa.exists().where(*mine, _filled(boss.c.email))
    mailbox = sa.exists().where(
        ACCOUNTS.c.tenant_id == user.c.tenant_id,
        ACCOUNTS.c.user_id == user.c.id,
        ACCOUNTS.c.connector_id.in_([one.row.id for one in apps]),
        ACCOUNTS.c.situation == Situation.LINKED.value,
        _true(ACCOUNTS.c.standing["licensed"]),
    )
    return sa.and_(_filled(user.c.email), mailbox)


def _opens(user: Any, apps: Sequence[Taking], offer: Offer) -> Any:
    """That one of the person's accounts takes what is offered, or will once it is there."""
    if not apps:
        return sa.false()
    mine = (ACCOUNTS.c.tenant_id == user.c.tenant_id, ACCOUNTS.c.user_id == user.c.id)
    linked = ACCOUNTS.c.situation == Situation.LINKED.value
    there = sa.and_(linked, ACCOUNTS.c.anchor.is_not(None), ACCOUNTS.c.enabled.is_not(False))
    coming = sa.exists().where(OPERATIONS.c.account_id == ACCOUNTS.c.id, stands(OPERATIONS.c.state, *UNFINISHED))
    free = sa.or_(*(sa.and_(ACCOUNTS.c.connector_id == one.row.id, *_unbarred(one.row, offer)) for one in apps))
    return sa.exists().where(*mine, free, sa.or_(there, sa.and_(sa.not_(linked), coming)))


def _unbarred(app: Connector, offer: Offer) -> list[Any]:
    """What ``protection.judge`` would not hold against an account of this app."""
    name, anchor = ACCOUNTS.c.name, ACCOUNTS.c.anchor
    said = [sa.not_(_true(ACCOUNTS.c.standing["guest"])), sa.not_(_true(ACCOUNTS.c.intent[BY_HAND]))]
    if offer is Offer.PASSWORD:
        said.append(sa.not_(_true(ACCOUNTS.c.standing["synced"])))
    for domain in app.facts.get("domains") or ():
        if domain.get("federated"):
            said.append(sa.not_(name.endswith(f"@{key(domain.get('name'))}", autoescape=True)))
    roles = app.facts.get("roles")
    holders = [one for one, held in roles.items() if held] if isinstance(roles, Mapping) else []
    if holders:
        said.append(sa.or_(anchor.is_(None), anchor.not_in(holders)))
    listed = [key(one) for one in app.scope.get(LISTED) or ()]
    if listed:
        said.append(name.not_in(listed))
    return said


def _filled(column: Any) -> Any:
    return sa.and_(column.is_not(None), column != "")


def _true(value: Any) -> Any:
    return sa.func.coalesce(value.as_boolean(), sa.false())
