"""Mails on their way out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
QUEUED = "state = 'queued'"
TEMPLATES = "'activation', 'reminder', 'confirmation', 'test', 'quarantine', 'secret'"
STATES = "'queued', 'sent', 'bounced', 'failed', 'cancelled'"

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("activation_id", BIG, nullable=True),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("taken_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.CheckConstraint(f"template IN ({TEMPLATES})", name=op.f("ck_mails_template")),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_mails_state")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_mails_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "activation_id"],
            ["activations.tenant_id", "activations.id"],
            name=op.f("fk_mails_tenant_id_activation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_mails_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mails_message_id")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_mails_tenant_id_id")),
    )
    op.create_index(
        "ix_mails_due",
        "mails",
        ["due_at", "id"],
        sqlite_where=sa.text(QUEUED),
        postgresql_where=sa.text(QUEUED),
    )
    op.create_index("ix_mails_activation", "mails", ["activation_id", "id"])
    op.create_index("ix_mails_user", "mails", ["tenant_id", "user_id", "id"])


def downgrade() -> None:
    op.drop_table("mails")
