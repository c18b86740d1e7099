"""Tenants, the operators who may enter them, and what signing in leaves behind."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from provision.core.tables.columns import BIG, closed, ident, json, key_text, raw, ref, text, time, within, word
from provision.core.vocabulary import Role


class Tenant(SQLModel, table=True):
    """One organisation; the isolation border."""

    __tablename__ = "tenants"
    __table_args__ = (sa.UniqueConstraint("slug"),)

    id: int | None = ident()
    slug: str = key_text()
    name: str = text()
    created_at: datetime = time(nullable=False)
    archived_at: datetime | None = time()


class Operator(SQLModel, table=True):
    """Someone who signs in to the console."""

    __tablename__ = "operators"
    __table_args__ = (sa.UniqueConstraint("email_key"),)

    id: int | None = ident()
    email: str = text()
    email_key: str = key_text()
    name: str = text(default="")
    password_hash: str | None = text(nullable=True)
    created_at: datetime = time(nullable=False)
    disabled_at: datetime | None = time()


class Grant(SQLModel, table=True):
    """A role in one tenant; without a tenant, in all of them."""

    __tablename__ = "grants"
    __table_args__ = (
        closed("role", Role),
        sa.Index(
            "uq_grants_everywhere",
            "operator_id",
            unique=True,
            sqlite_where=sa.text("tenant_id IS NULL"),
            postgresql_where=sa.text("tenant_id IS NULL"),
        ),
        sa.UniqueConstraint("operator_id", "tenant_id"),
    )

    id: int | None = ident()
    operator_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("operators.id"), nullable=False))
    tenant_id: int | None = Field(default=None, sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), nullable=True))
    role: Role = word(Role)


class SignInSession(SQLModel, table=True):
    """A signed-in browser. The cookie holds the id, this row only its digest."""

    __tablename__ = "sessions"
    __table_args__ = (sa.UniqueConstraint("digest"),)

    id: int | None = ident()
    digest: bytes = raw(nullable=False)
    operator_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("operators.id"), nullable=False))
    created_at: datetime = time(nullable=False)
    seen_at: datetime = time(nullable=False)
    ended_at: datetime | None = time()


class SignInAttempt(SQLModel, table=True):
    """A refused sign-in. In a table, so that the growing delay outlives a restart."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (sa.Index("ix_sign_in_attempts_who", "email_key", "at"), sa.Index("ix_sign_in_attempts_at", "at"))

    id: int | None = ident()
    email_key: str = key_text()
    address: str = text(default="")
    at: datetime = time(nullable=False)


class Invitation(SQLModel, table=True):
    """A one-time link by which an operator sets the first password. Only its digest is kept."""

    __tablename__ = "invitations"
    __table_args__ = (sa.UniqueConstraint("digest"),)

    id: int | None = ident()
    digest: bytes = raw(nullable=False)
    operator_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("operators.id"), nullable=False))
    expires_at: datetime = time(nullable=False)
    used_at: datetime | None = time()


class ConsentFlow(SQLModel, table=True):
    """One started admin consent: its state (as a digest) belongs to one operator, one connector, once, for ten minutes."""

    __tablename__ = "flows"
    __table_args__ = (sa.UniqueConstraint("digest"), within("connectors", "connector_id"))

    id: int | None = ident()
    tenant_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), nullable=False))
    digest: bytes = raw(nullable=False)
    connector_id: int = ref(nullable=False)
    operator_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("operators.id"), nullable=False))
    expires_at: datetime = time(nullable=False)
    used_at: datetime | None = time()


class Setting(SQLModel, table=True):
    """One named value for the whole installation."""

    __tablename__ = "settings"

    name: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    value: dict[str, Any] = json()
