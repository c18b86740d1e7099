"""What a changed address does to a link: one that went to the address before ends, one that has not left goes to the new one.

Owns that rule, for whoever changes people in bulk or alone; sends nothing. A link belongs to a person under the sign-in name
that its mail told, at the address that was theirs (or their manager's) when it left.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.onboarding import Recipient
from provision.core.tables import Mail, User
from provision.core.vocabulary import Ended, MailState, key
from provision.db import among, for_update, update_many
from provision.services import events, links
from provision.services.links import ACTIVATIONS

_MAILS: sa.Table = Mail.__table__  # type: ignore[attr-defined]
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_ADDRESSES = frozenset({"email", "private_email", "manager_id"})
ACTOR = "address changed"


def moved(told: Iterable[events.Entry]) -> set[int]:
    """Whose addresses these entries say have changed; whoever was added has no link yet."""
    return {
        entry.user_id
        for entry in told
        if entry.user_id is not None and entry.before and not _ADDRESSES.isdisjoint({*entry.before, *entry.after})
    }


def follow(session: Session, tenant_id: int, people: Iterable[int], now: datetime) -> list[events.Entry]:
    """Let the links of these people, and of whom they manage, follow their addresses; return what is to be written down."""
    numbers = set(people)
    if not numbers:
        return []
    session.flush()
    rows = [row for row in _links(session, tenant_id, numbers) if _differs(row)]
    left = _left(session, [row["id"] for row in rows])
    ended = [row for row in rows if row["id"] in left or not _due(row)]
    going = [row for row in rows if row["id"] not in left and _due(row)]
    links.kill(session, tenant_id, [row["user_id"] for row in ended], now, why=Ended.ADDRESS)
    update_many(session, ACTIVATIONS, ("sent_to", "sent_for"), [(_due(row), row["email"], row["id"]) for row in going])
    mails = _waiting(session, [row["id"] for row in going])
    addresses = {row["id"]: _due(row) for row in going}
    update_many(session, _MAILS, ("address",), [(addresses[activation], number) for number, activation in mails])
    return [_told(row) for row in ended]


def _links(session: Session, tenant_id: int, people: set[int]) -> list[Any]:
    """The live links that an address of these people concerns, with the addresses as they are now."""
    boss = _USERS.alias("boss")
    led = sa.and_(ACTIVATIONS.c.recipient == Recipient.MANAGER.value, among(session, _USERS.c.manager_id, people))
    query = (
        sa.select(
            *(ACTIVATIONS.c[name] for name in ("id", "user_id", "recipient", "sent_to", "sent_for")),
            *(_USERS.c[name] for name in ("email", "private_email", "display_name", "username")),
            boss.c.email.label("manager_email"),
        )
        .join(_USERS, sa.and_(_USERS.c.id == ACTIVATIONS.c.user_id, _USERS.c.tenant_id == ACTIVATIONS.c.tenant_id))
        .outerjoin(boss, sa.and_(boss.c.id == _USERS.c.manager_id, boss.c.tenant_id == _USERS.c.tenant_id))
        .where(
            ACTIVATIONS.c.tenant_id == tenant_id,
            links.live(ACTIVATIONS),
            ACTIVATIONS.c.sent_to != "",
            sa.or_(among(session, ACTIVATIONS.c.user_id, people), led),
        )
        .order_by(ACTIVATIONS.c.id)
    )
    return list(session.execute(query).mappings())


def _due(row: Mapping[str, Any]) -> str:
    """Where the mail of this link would go today; empty when nowhere."""
    given = {
        Recipient.PRIVATE: row["private_email"],
        Recipient.MANAGER: row["manager_email"],
        Recipient.PRIMARY: row["email"],
    }
    return given[Recipient(row["recipient"])] or ""


def _differs(row: Mapping[str, Any]) -> bool:
    return key(_due(row)) != key(row["sent_to"]) or key(row["email"]) != key(row["sent_for"])


def _left(session: Session, numbers: list[int]) -> set[int]:
    """Which of these links may be in somebody's mailbox: a mail was taken, or tried, or is being handed over now."""
    read = ("activation_id", "state", "attempts", "taken_at")
    query = sa.select(*(_MAILS.c[name] for name in read)).where(among(session, _MAILS.c.activation_id, numbers))
    mails = session.execute(for_update(session, query.order_by(_MAILS.c.id)))  # nobody takes one from here on
    return {one.activation_id for one in mails if one.state != MailState.QUEUED or one.attempts or one.taken_at}


def _waiting(session: Session, numbers: list[int]) -> list[tuple[int, int]]:
    """The mails of these links that nobody has tried to hand over."""
    query = sa.select(_MAILS.c.id, _MAILS.c.activation_id).where(among(session, _MAILS.c.activation_id, numbers))
    return [(row.id, row.activation_id) for row in session.execute(query.order_by(_MAILS.c.id))]


def _told(row: Mapping[str, Any]) -> events.Entry:
    names = {"user": row["display_name"] or row["email"] or "", "address": row["email"] or ""}
    return events.Entry(
        ACTOR, "activation.ended", user_id=row["user_id"], names={**names, "username": row["username"] or ""}
    )
