"""What a tenant has chosen, one row per subject. Typed values are read from it by one service; nobody else looks inside."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from provision.core.tables.columns import BIG, json, number


class TenantSetting(SQLModel, table=True):
    """One subject's choices. ``version`` counts the savings, so that a stale form is noticed."""

    __tablename__ = "tenant_settings"

    tenant_id: int = Field(sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), primary_key=True, autoincrement=False))
    name: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    value: dict[str, Any] = json()
    version: int = number()
