"""The apps that were removed, by number and name, for the log that still tells of them.

Operations are found by their account from now on, so that accounts can go without reading every operation for each of them.
"""

import sqlalchemy as sa
from alembic import op

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_connectors",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("removed_at", TIME, nullable=False),
        sa.Column("removed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_removed_connectors_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed_connectors")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_removed_connectors_tenant_id_id")),
    )
    op.create_index("ix_operations_account", "operations", ["account_id"])


def downgrade() -> None:
    op.drop_index("ix_operations_account", "operations")
    op.drop_table("removed_connectors")
