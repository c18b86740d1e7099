"""Mails on their way out and what became of them. A row never holds a body, a link or a token: each sending makes them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from provision.core.tables.columns import closed, ident, json, key_text, number, ref, tenant, text, time, within, word
from provision.core.vocabulary import MailState, MailTemplate

_QUEUED = "state = 'queued'"
_SENT = "state = 'sent'"


class Mail(SQLModel, table=True):
    """One mail. ``params`` fill the blanks that neither the person nor the tenant fills.

    ``message_id``: 32 hexadecimal digits, the same at every try. ``due_at``: when it is tried next. ``taken_at``: since when
    it is being handed over, and at the same time whose it is. ``error``: the last trouble, a remedy's code and blanks.
    """

    __tablename__ = "mails"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("message_id"),
        sa.Index("ix_mails_due", "due_at", "id", sqlite_where=sa.text(_QUEUED), postgresql_where=sa.text(_QUEUED)),
        sa.Index(
            "ix_mails_sent", "tenant_id", "settled_at", sqlite_where=sa.text(_SENT), postgresql_where=sa.text(_SENT)
        ),
        sa.Index("ix_mails_activation", "activation_id", "id"),
        sa.Index("ix_mails_user", "tenant_id", "user_id", "id"),
        within("activations", "activation_id"),
        within("users", "user_id"),
        closed("template", MailTemplate),
        closed("state", MailState),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    activation_id: int | None = ref()
    user_id: int | None = ref()
    template: MailTemplate = word(MailTemplate)
    language: str = text()
    address: str = text()
    params: dict[str, Any] = json()
    message_id: str = key_text()
    state: MailState = word(MailState, MailState.QUEUED)
    attempts: int = number()
    error: dict[str, Any] | None = json(nullable=True)
    created_at: datetime = time(nullable=False)
    due_at: datetime = time(nullable=False)
    taken_at: datetime | None = time()
    settled_at: datetime | None = time()
