"""Find what a client has pushed, page by page, without looking at what it holds."""

import sqlalchemy as sa
from alembic import op

LISTED = sa.text("group_id IS NULL AND removed IS NULL AND situation <> 'gone'")

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["connector_id", "id"]
    op.create_index("ix_accounts_listed", "accounts", columns, sqlite_where=LISTED, postgresql_where=LISTED)


def downgrade() -> None:
    op.drop_index("ix_accounts_listed", "accounts")
