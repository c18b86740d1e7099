"""Count what was done and what failed on each day by an index alone."""

import sqlalchemy as sa
from alembic import op

SETTLED = sa.text("state IN ('done', 'failed')")

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["connector_id", "settled_at", "state"]
    op.create_index("ix_operations_settled", "operations", columns, sqlite_where=SETTLED, postgresql_where=SETTLED)


def downgrade() -> None:
    op.drop_index("ix_operations_settled", "operations")
