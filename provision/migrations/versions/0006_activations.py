"""Links by which people set their passwords, and the lock on an account while one is being set."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)
LIVE = "used_at IS NULL AND revoked_at IS NULL"

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activations",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("hours", BIG, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("bounced_at", TIME, nullable=True),
        sa.Column("opened_at", TIME, nullable=True),
        sa.Column("reserved_at", TIME, nullable=True),
        sa.Column("reserved_until", TIME, nullable=True),
        sa.Column("outcomes", JSON, nullable=False),
        sa.Column("tried", JSON, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.CheckConstraint("offer IN ('password', 'pass')", name=op.f("ck_activations_offer")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_activations_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_activations_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
        sa.UniqueConstraint("digest", name=op.f("uq_activations_digest")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_activations_tenant_id_id")),
    )
    op.create_index(
        "uq_activations_live",
        "activations",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text(LIVE),
        postgresql_where=sa.text(LIVE),
    )
    op.create_index("ix_activations_user", "activations", ["tenant_id", "user_id", "id"])
    op.add_column("accounts", sa.Column("busy_until", TIME, nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "busy_until")
    op.drop_table("activations")
