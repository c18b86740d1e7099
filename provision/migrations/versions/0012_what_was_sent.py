"""What was sent to an account and never confirmed, or was written a moment ago."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("pushed", JSON, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column("accounts", "pushed")
