"""More kinds of outside systems: SCIM both ways, and CSV."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _only(kinds: str) -> None:
    name = op.f("ck_connectors_kind")
    with op.batch_alter_table("connectors") as table:
        table.drop_constraint(name, type_="check")
        table.create_check_constraint(name, sa.text(f"kind IN ({kinds})"))


def upgrade() -> None:
    _only("'microsoft365', 'scim', 'scim_source', 'csv'")


def downgrade() -> None:
    _only("'microsoft365'")
