"""Nor is the number of an operation or an import that went with its app: the log points at them as well."""

from provision.migrations.lasting import lasting, plain

TABLES = {"operations": "operation_id", "cycles": "cycle_id"}

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    lasting(TABLES)


def downgrade() -> None:
    plain(TABLES)
