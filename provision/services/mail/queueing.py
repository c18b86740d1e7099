"""Asking for mails: rows in the caller's transaction, and calling them off again. Sends nothing and holds no body."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Mail, User
from provision.core.vocabulary import MailState, MailTemplate, key
from provision.db import encoded, insert_many, moment, reserve
from provision.services import links

MAILS: sa.Table = Mail.__table__  # type: ignore[attr-defined]
QUEUED = MAILS.c.state == MailState.QUEUED.value
_COLUMNS = (
    "id", "tenant_id", "activation_id", "user_id", "template", "language", "address", "params", "message_id", "state",
    "attempts", "created_at", "due_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One mail that is to be sent: where to, in which language, about whom, and with which link."""

    address: str
    language: str
    user_id: int | None = None
    activation_id: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def enqueue(session: Session, tenant_id: int, template: MailTemplate, asked: Asked, now: datetime, **more: Any) -> int:
    """Ask for one mail; return its number."""
    return enqueue_many(session, tenant_id, template, [asked], now, **more)[0]


def enqueue_many(
    session: Session,
    tenant_id: int,
    template: MailTemplate,
    asked: Sequence[Asked],
    now: datetime,
    *,
    token_hex: Callable[[int], str] = secrets.token_hex,
) -> list[int]:
    """Ask for mails in one statement; return their numbers in the same order.

    One with an activation leaves once that person's account is there, and is called off when its link is over.
    """
    numbers = list(reserve(session, MAILS, len(asked))) if asked else []
    at = moment(session, now)
    rows = [
        (
            number, tenant_id, one.activation_id, one.user_id, template.value, one.language, one.address,
            encoded(dict(one.params)), token_hex(16), MailState.QUEUED.value, 0, at, at,
        )
        for number, one in zip(numbers, asked, strict=True)
    ]  # fmt: skip
    insert_many(session, MAILS, _COLUMNS, rows)
    return numbers


def confirm(
    session: Session, tenant_id: int, person: User, activation_id: int, apps: Sequence[str], now: datetime
) -> None:
    """Tell somebody that their password was set: at the address of their own that the link had gone to, else at another.

    ``apps``: in what, as people call them. A link that went to a manager is confirmed to its person all the same. Nothing in
    the mail opens anything.
    """
    query = sa.select(MAILS.c.address, MAILS.c.language).where(MAILS.c.activation_id == activation_id)
    sent = session.execute(query.order_by(MAILS.c.id.desc()).limit(1)).first()
    own = [address for address in (person.private_email, person.email) if address]
    if sent is None or not own:
        return
    address = next((one for one in own if key(one) == key(sent.address)), own[0])
    asked = Asked(address, sent.language, user_id=person.id, params={"apps": list(apps)})
    enqueue(session, tenant_id, MailTemplate.CONFIRMATION, asked, now)


def cancel(session: Session, activation_id: int, now: datetime) -> int:
    """Call off what waits for one activation; return how many mails that were."""
    return _cancel(session, MAILS.c.activation_id == activation_id, now)


def call_off(session: Session, now: datetime) -> int:
    """Call off every waiting mail whose link was used, revoked or replaced; return how many."""
    return _cancel(session, links.over(MAILS.c.activation_id), now)


def _cancel(session: Session, which: Any, now: datetime) -> int:
    values = {"state": MailState.CANCELLED.value, "settled_at": now, "error": {"code": "activation_over", "params": {}}}
    found: Any = session.execute(sa.update(MAILS).where(QUEUED, which).values(**values))
    return int(found.rowcount)
