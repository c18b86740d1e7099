"""Owners hear once per licence that people wait for a seat of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BEFORE = "'activation', 'reminder', 'confirmation', 'test', 'quarantine', 'secret'"

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connectors", sa.Column("shortages", JSON, nullable=False, server_default=sa.text("'{}'")))
    _only(f"{BEFORE}, 'seats'")


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE template = 'seats'")
    _only(BEFORE)
    op.drop_column("connectors", "shortages")


def _only(templates: str) -> None:
    with op.batch_alter_table("mails") as table:
        table.drop_constraint(op.f("ck_mails_template"), type_="check")
        table.create_check_constraint(op.f("ck_mails_template"), sa.text(f"template IN ({templates})"))
