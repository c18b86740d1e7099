"""The number of an account or an app that is gone is given to no other: what the log says of it stays its own."""

from provision.migrations.lasting import lasting, plain

TABLES = {"accounts": "account_id", "connectors": "connector_id"}

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lasting(TABLES)


def downgrade() -> None:
    plain(TABLES)
