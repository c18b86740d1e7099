"""An index to count what a tenant sent within the last hour."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
SENT = sa.text("state = 'sent'")


def upgrade() -> None:
    op.create_index("ix_mails_sent", "mails", ["tenant_id", "settled_at"], sqlite_where=SENT, postgresql_where=SENT)


def downgrade() -> None:
    op.drop_index("ix_mails_sent", "mails")
