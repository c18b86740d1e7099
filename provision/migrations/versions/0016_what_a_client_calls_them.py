"""Find what a client pushed by the client's own name for it, and by whom it reports to."""

import sqlalchemy as sa
from alembic import op

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COLUMNS = {"external_id": "externalId", "superior": "manager"}

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in COLUMNS:
        told = sa.text(f"{column} IS NOT NULL")
        op.add_column("accounts", sa.Column(column, KEY, nullable=True))
        op.create_index(
            f"ix_accounts_{column}", "accounts", ["connector_id", column], sqlite_where=told, postgresql_where=told
        )
    sqlite = op.get_bind().dialect.name == "sqlite"
    read = "json_extract(observed, '$.externalId')" if sqlite else "observed ->> 'externalId'"
    op.execute(
        f"UPDATE accounts SET external_id = {read} "  # noqa: S608 - words of ours
        "WHERE connector_id IN (SELECT id FROM connectors WHERE kind = 'scim_source')"
    )


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_index(f"ix_accounts_{column}", "accounts")
        op.drop_column("accounts", column)
