"""Groups and who is in them, their accounts outside, and what clients that push to us sign in with."""

import sqlalchemy as sa
from alembic import op

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _groups()
    _members()
    _tokens()
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("group_id", BIG, nullable=True))
        accounts.create_foreign_key(
            op.f("fk_accounts_tenant_id_group_id"), "groups", ["tenant_id", "group_id"], ["tenant_id", "id"]
        )
        accounts.create_unique_constraint(op.f("uq_accounts_connector_id_group_id"), ["connector_id", "group_id"])
        accounts.create_check_constraint(op.f("ck_accounts_one_owner"), sa.text("user_id IS NULL OR group_id IS NULL"))


def downgrade() -> None:
    op.execute("DELETE FROM operations WHERE account_id IN (SELECT id FROM accounts WHERE group_id IS NOT NULL)")
    op.execute("DELETE FROM accounts WHERE group_id IS NOT NULL")
    with op.batch_alter_table("accounts") as accounts:
        accounts.drop_constraint(op.f("ck_accounts_one_owner"), type_="check")
        accounts.drop_constraint(op.f("uq_accounts_connector_id_group_id"), type_="unique")
        accounts.drop_constraint(op.f("fk_accounts_tenant_id_group_id"), type_="foreignkey")
        accounts.drop_column("group_id")
    for name in ("tokens", "group_members", "groups"):
        op.drop_table(name)


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", KEY, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("origin_id", BIG, nullable=True),
        sa.Column("version", BIG, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_groups_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "origin_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_groups_tenant_id_origin_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_groups_tenant_id_id")),
    )
    op.create_index("ix_groups_name", "groups", ["tenant_id", "name_key", "id"])


def _members() -> None:
    op.create_table(
        "group_members",
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_group_members_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["groups.tenant_id", "groups.id"],
            name=op.f("fk_group_members_tenant_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_group_members_tenant_id_user_id")
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_members")),
    )
    op.create_index("ix_group_members_user", "group_members", ["tenant_id", "user_id"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_tokens_scope")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tokens_tenant_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_tokens_tenant_id_connector_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_tokens_tenant_id_id")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index("ix_tokens_connector", "tokens", ["connector_id"])
