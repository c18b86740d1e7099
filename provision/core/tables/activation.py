"""The links by which people set their passwords. Rows know a link's digest and never the link itself."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from provision.core.tables.columns import added, closed, ident, json, number, raw, ref, tenant, text, time, within, word
from provision.core.vocabulary import Offer

_LIVE = "used_at IS NULL AND revoked_at IS NULL"


class Activation(SQLModel, table=True):
    """A single-use link by which a person sets the password.

    The link is derived from ``nonce`` and the key ``key_id`` whenever its mail goes out, and ``expires_at`` counts from the
    first of these. ``opened_at``: the first POST, since scanners open links by GET. ``reserved_until``: somebody is setting a
    password with it at this moment; what was left behind by a dead process lapses then. ``outcomes``: app number → what
    became of the password there (never the password). ``tried``: when passwords were posted with it lately. ``sent_to``: the
    address that its mail goes to, chosen by ``recipient``; ``sent_for``: the sign-in name that its mail tells. ``ended_for``:
    why it was revoked, an ``Ended``.
    """

    __tablename__ = "activations"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("digest"),
        sa.Index(
            "uq_activations_live",
            "user_id",
            unique=True,
            sqlite_where=sa.text(_LIVE),
            postgresql_where=sa.text(_LIVE),
        ),
        sa.Index("ix_activations_user", "tenant_id", "user_id", "id"),
        within("users", "user_id"),
        closed("offer", Offer),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    user_id: int = ref(nullable=False)
    offer: Offer = word(Offer, Offer.PASSWORD)
    recipient: str = added()
    sent_to: str = added()
    sent_for: str = added()
    digest: bytes = raw(nullable=False)
    nonce: bytes = raw(nullable=False)
    key_id: str = text()
    hours: int = number(default=72)
    created_at: datetime = time(nullable=False)
    created_by: str = text()
    expires_at: datetime = time(nullable=False)
    sent_at: datetime | None = time()
    bounced_at: datetime | None = time()
    opened_at: datetime | None = time()
    reserved_at: datetime | None = time()
    reserved_until: datetime | None = time()
    outcomes: dict[str, Any] = json()
    tried: dict[str, Any] = json()
    used_at: datetime | None = time()
    revoked_at: datetime | None = time()
    ended_for: str = added()
