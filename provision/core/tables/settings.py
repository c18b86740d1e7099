"""What a tenant has chosen, one row per subject. Typed values are read from it by one service; nobody else looks inside."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from provision.core.tables.columns import BIG, closed, flag, ident, json, number, raw, tenant, text, time, word
from provision.core.vocabulary import PictureKind


class TenantSetting(SQLModel, table=True):
    """One subject's choices. ``version`` counts the savings, so that a stale form is noticed."""

    __tablename__ = "tenant_settings"

    tenant_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False))
    name: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    value: dict[str, Any] = json()
    version: int = number()


class TenantLogo(SQLModel, table=True):
    """The picture of one tenant, as it was uploaded. ``digest``: SHA-256 in hexadecimal digits, by which it is served."""

    __tablename__ = "logos"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id"),
        sa.Index("ix_logos_digest", "digest"),
        closed("kind", PictureKind),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    kind: PictureKind = word(PictureKind)
    content: bytes = raw(nullable=False)
    width: int = number()
    height: int = number()
    digest: str = text()
    in_mails: bool = flag()
    saved_at: datetime = time(nullable=False)
