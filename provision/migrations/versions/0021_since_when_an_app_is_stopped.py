"""Since when an app is in quarantine: it is tried ever more slowly, and owners hear of its beginning and its end once."""

import sqlalchemy as sa
from alembic import op

TIME = sa.DateTime(timezone=True)
BEFORE = "'activation', 'reminder', 'confirmation', 'test', 'quarantine', 'secret', 'seats'"

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connectors", sa.Column("stopped_at", TIME, nullable=True))
    op.add_column("connectors", sa.Column("recovered_at", TIME, nullable=True))
    begun = (
        "(SELECT max(at) FROM events WHERE events.connector_id = connectors.id AND events.tenant_id = connectors.tenant_id "
        "AND action = 'connector.quarantined')"
    )
    op.execute(f"UPDATE connectors SET stopped_at = {begun} WHERE state = 'quarantined'")  # noqa: S608 - words of ours
    _only(f"{BEFORE}, 'recovered'")


def downgrade() -> None:
    op.execute("DELETE FROM mails WHERE template = 'recovered'")
    _only(BEFORE)
    op.drop_column("connectors", "recovered_at")
    op.drop_column("connectors", "stopped_at")


def _only(templates: str) -> None:
    with op.batch_alter_table("mails") as table:
        table.drop_constraint(op.f("ck_mails_template"), type_="check")
        table.create_check_constraint(op.f("ck_mails_template"), sa.text(f"template IN ({templates})"))
