"""Count whose an app's accounts are by an index alone: each of its cycles asks."""

import sqlalchemy as sa
from alembic import op

LISTED = sa.text("+group_id IS NULL AND removed IS NULL AND situation <> 'gone'")
BEFORE = ("connector_id", "id", "group_id", "removed", "situation")

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _put(*BEFORE, "user_id")


def downgrade() -> None:
    _put(*BEFORE)


def _put(*columns: str) -> None:
    op.drop_index("ix_accounts_listed", "accounts")
    op.create_index("ix_accounts_listed", "accounts", list(columns), sqlite_where=LISTED, postgresql_where=LISTED)
