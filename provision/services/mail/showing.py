"""What became of mails, as pages and commands read it. Reads only, and only within one tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import User
from provision.core.vocabulary import MailState, MailTemplate
from provision.services.errors import NotFound
from provision.services.mail.queueing import MAILS
from provision.services.users.finding import shown

_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One mail. ``error``: a remedy's code and blanks; ``due_at``: when it is tried next, while it is queued."""

    id: int
    template: MailTemplate
    language: str
    address: str
    state: MailState
    attempts: int
    error: Mapping[str, Any] | None
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    message_id: str
    user_id: int | None
    user: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, newest first, and the number of the mail that older ones come behind (None: there are none)."""

    rows: tuple[Row, ...]
    older: int | None


def listed(
    session: Session, tenant_id: int, *, state: MailState | None = None, before: int | None = None, limit: int = 50
) -> Slice:
    """One page of a tenant's mails."""
    where = [MAILS.c.tenant_id == tenant_id]
    if state is not None:
        where.append(MAILS.c.state == state.value)
    if before is not None:
        where.append(MAILS.c.id < before)
    rows = _rows(session, where, limit + 1)
    return Slice(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def one(session: Session, tenant_id: int, mail_id: int) -> Row:
    """One mail. Raises NotFound."""
    rows = _rows(session, [MAILS.c.tenant_id == tenant_id, MAILS.c.id == mail_id], 1)
    if not rows:
        raise NotFound("mail_not_found")
    return rows[0]


def counted(session: Session, tenant_id: int) -> dict[MailState, int]:
    """How many of the latest ten thousand mails stand where."""
    latest = sa.select(MAILS.c.state).where(MAILS.c.tenant_id == tenant_id).order_by(MAILS.c.id.desc()).limit(_COUNTED)
    some = latest.subquery()
    found = dict.fromkeys(MailState, 0)
    for state, number in session.execute(sa.select(some.c.state, sa.func.count()).group_by(some.c.state)):
        found[MailState(state)] = number
    return found


def _rows(session: Session, where: list[Any], limit: int) -> tuple[Row, ...]:
    names = ("display_name", "given_name", "surname", "email", "username")
    read = (
        "id", "template", "language", "address", "state", "attempts", "error", "created_at", "due_at", "settled_at",
        "message_id", "user_id",
    )  # fmt: skip
    query = (
        sa.select(*(MAILS.c[name] for name in read), *(_USERS.c[name] for name in names))
        .outerjoin(_USERS, sa.and_(_USERS.c.id == MAILS.c.user_id, _USERS.c.tenant_id == MAILS.c.tenant_id))
        .where(*where)
        .order_by(MAILS.c.id.desc())
        .limit(limit)
    )
    return tuple(
        Row(**{name: row[name] for name in read}, user=shown({**row, "id": row["user_id"]}) if row["user_id"] else "")
        for row in session.execute(query).mappings()
    )
