"""Count and list what a client has pushed by an index alone, and never by that of groups."""

import sqlalchemy as sa
from alembic import op

BEFORE = sa.text("group_id IS NULL AND removed IS NULL AND situation <> 'gone'")
LISTED = sa.text("+group_id IS NULL AND removed IS NULL AND situation <> 'gone'")

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _put(LISTED, "connector_id", "id", "group_id", "removed", "situation")


def downgrade() -> None:
    _put(BEFORE, "connector_id", "id")


def _put(where: sa.TextClause, *columns: str) -> None:
    op.drop_index("ix_accounts_listed", "accounts")
    op.create_index("ix_accounts_listed", "accounts", list(columns), sqlite_where=where, postgresql_where=where)
