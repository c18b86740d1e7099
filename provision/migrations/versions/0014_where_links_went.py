"""Where the mail of a link goes, and which sign-in name it tells; links from before know neither and end as they did."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
COLUMNS = ("recipient", "sent_to", "sent_for")


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("activations", sa.Column(column, sa.Text(), server_default=sa.text("''"), nullable=False))


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column("activations", column)
