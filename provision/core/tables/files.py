"""Files that people upload for an app to read."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import SQLModel

from provision.core.tables.columns import ident, number, raw, ref, tenant, text, time


class UploadedFile(SQLModel, table=True):
    """The newest file of one app, as it came. In the database, so that every process that may read it has it."""

    __tablename__ = "files"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("connector_id"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"], ["connectors.tenant_id", "connectors.id"], ondelete="CASCADE"
        ),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    name: str = text()
    content: bytes = raw(nullable=False)
    size: int = number()
    uploaded_by: str = text()
    uploaded_at: datetime = time(nullable=False)
