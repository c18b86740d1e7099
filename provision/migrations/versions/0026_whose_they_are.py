"""Count whose an app's accounts are by an index alone, since each of its cycles asks; and list groups without its people."""

import sqlalchemy as sa
from alembic import op

LISTED = sa.text("+group_id IS NULL AND removed IS NULL AND situation <> 'gone'")
GROUPS = sa.text("group_id IS NOT NULL")
BEFORE = ("connector_id", "id", "group_id", "removed", "situation")

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _put(*BEFORE, "user_id")
    op.create_index(
        "ix_accounts_groups", "accounts", ["connector_id", "id"], sqlite_where=GROUPS, postgresql_where=GROUPS
    )


def downgrade() -> None:
    op.drop_index("ix_accounts_groups", "accounts")
    _put(*BEFORE)


def _put(*columns: str) -> None:
    op.drop_index("ix_accounts_listed", "accounts")
    op.create_index("ix_accounts_listed", "accounts", list(columns), sqlite_where=LISTED, postgresql_where=LISTED)
