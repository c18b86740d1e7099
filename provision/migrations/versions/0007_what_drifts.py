"""What differs in an app from what the mapping owns, and what people chose about it."""

import sqlalchemy as sa
from alembic import op

from provision.core.tables.columns import KEY, UtcDateTime

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drift_choices",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("attribute", KEY, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("chosen_by", sa.Text(), nullable=False),
        sa.Column("chosen_at", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("choice IN ('open', 'alone')", name=op.f("ck_drift_choices_choice")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_drift_choices_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_drift_choices_tenant_id_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_drift_choices_tenant_id_connector_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift_choices")),
        sa.UniqueConstraint("account_id", "attribute", name=op.f("uq_drift_choices_account_id_attribute")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_drift_choices_tenant_id_id")),
    )
    op.create_index("ix_drift_choices_connector", "drift_choices", ["connector_id", "choice", "id"])


def downgrade() -> None:
    op.drop_table("drift_choices")
