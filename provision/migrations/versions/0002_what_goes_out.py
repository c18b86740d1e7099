"""What goes out: what people decided about accounts, and in which order operations leave."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
LATELY = "state = 'done' AND kind IN ('disable', 'delete')"

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("intent", JSON, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("operations", sa.Column("fingerprint", sa.Text(), nullable=True))
    for name in ("priority", "looks"):
        op.add_column("operations", sa.Column(name, BIG, server_default=sa.text("0"), nullable=False))
    op.add_column("operations", sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_operations_taken_away",
        "operations",
        ["connector_id", "settled_at"],
        sqlite_where=sa.text(LATELY),
        postgresql_where=sa.text(LATELY),
    )


def downgrade() -> None:
    op.drop_index("ix_operations_taken_away", "operations")
    for name in ("fingerprint", "priority", "looks", "alone"):
        op.drop_column("operations", name)
    op.drop_column("accounts", "intent")
