"""The first tables: tenants, operators, people, apps, accounts, cycles, operations and the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("email_key", name=op.f("uq_operators_email_key")),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "sign_in_attempts",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("email_key", KEY, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
    )
    with op.batch_alter_table("sign_in_attempts", schema=None) as batch_op:
        batch_op.create_index("ix_sign_in_attempts_at", ["at"], unique=False)
        batch_op.create_index("ix_sign_in_attempts_who", ["email_key", "at"], unique=False)

    op.create_table(
        "tenants",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("slug", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("archived_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "attributes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_attributes_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attributes")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_attributes_tenant_id_name")),
    )
    op.create_table(
        "connectors",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("config", JSON, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("outside_id", KEY, nullable=True),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("facts_at", TIME, nullable=True),
        sa.Column("features", JSON, nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("when_gone", sa.Text(), nullable=False),
        sa.Column("when_left", sa.Text(), nullable=False),
        sa.Column("scope", JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rests_until", TIME, nullable=True),
        sa.Column("watermark", sa.Text(), nullable=True),
        sa.Column("mapping_version", BIG, nullable=False),
        sa.Column("absorbed_version", BIG, nullable=False),
        sa.Column("every_minutes", BIG, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("approval IN ('review', 'automatic')", name=op.f("ck_connectors_approval")),
        sa.CheckConstraint("kind IN ('microsoft365')", name=op.f("ck_connectors_kind")),
        sa.CheckConstraint("state IN ('active', 'paused', 'quarantined')", name=op.f("ck_connectors_state")),
        sa.CheckConstraint("when_gone IN ('keep', 'suspend', 'leave')", name=op.f("ck_connectors_when_gone")),
        sa.CheckConstraint("when_left IN ('disable', 'delete', 'nothing')", name=op.f("ck_connectors_when_left")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_connectors_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connectors")),
        sa.UniqueConstraint("outside_id", name=op.f("uq_connectors_outside_id")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_connectors_tenant_id_id")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_connectors_tenant_id_name")),
    )
    op.create_table(
        "event_heads",
        sa.Column("tenant_id", BIG, autoincrement=False, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_event_heads_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_event_heads")),
    )
    op.create_table(
        "events",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("connector_id", BIG, nullable=True),
        sa.Column("operation_id", BIG, nullable=True),
        sa.Column("cycle_id", BIG, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("ms", BIG, nullable=True),
        sa.Column("detail_digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'failed', 'refused', 'held')", name=op.f("ck_events_outcome")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_events_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("tenant_id", "sequence", name=op.f("uq_events_tenant_id_sequence")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_at", ["tenant_id", "at"], unique=False)
        batch_op.create_index("ix_events_user", ["tenant_id", "user_id", "id"], unique=False)

    op.create_table(
        "grants",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("operator_id", BIG, nullable=False),
        sa.Column("tenant_id", BIG, nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'operator', 'auditor')", name=op.f("ck_grants_role")),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_grants_operator_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_grants_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("operator_id", "tenant_id", name=op.f("uq_grants_operator_id_tenant_id")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(
            "uq_grants_everywhere",
            ["operator_id"],
            unique=True,
            sqlite_where=sa.text("tenant_id IS NULL"),
            postgresql_where=sa.text("tenant_id IS NULL"),
        )

    op.create_table(
        "invitations",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", BIG, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_invitations_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("digest", name=op.f("uq_invitations_digest")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", BIG, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_sessions_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_sessions_digest")),
    )
    op.create_table(
        "users",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("lifecycle", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", KEY, nullable=False),
        sa.Column("given_name", sa.Text(), nullable=True),
        sa.Column("surname", sa.Text(), nullable=True),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("name_key", KEY, nullable=False),
        sa.Column("private_email", sa.Text(), nullable=True),
        sa.Column("employee_id", sa.Text(), nullable=True),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("manager_id", BIG, nullable=True),
        sa.Column("usage_location", sa.Text(), nullable=True),
        sa.Column("preferred_language", sa.Text(), nullable=True),
        sa.Column("mobile", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Text(), nullable=True),
        sa.Column("ends_on", sa.Text(), nullable=True),
        sa.Column("extra", JSON, nullable=False),
        sa.Column("origins", JSON, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.CheckConstraint("lifecycle IN ('staged', 'active', 'suspended', 'left')", name=op.f("ck_users_lifecycle")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "manager_id"], ["users.tenant_id", "users.id"], name=op.f("fk_users_tenant_id_manager_id")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_users_tenant_id_id")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(
            "ix_users_employee",
            ["tenant_id", "employee_id"],
            unique=False,
            sqlite_where=sa.text("employee_id IS NOT NULL"),
            postgresql_where=sa.text("employee_id IS NOT NULL"),
        )
        batch_op.create_index("ix_users_address", ["tenant_id", "email_key", "id"], unique=False)
        batch_op.create_index("ix_users_changed", ["tenant_id", "changed_at", "id"], unique=False)
        batch_op.create_index("ix_users_name", ["tenant_id", "name_key", "id"], unique=False)
        batch_op.create_index(
            "uq_users_email",
            ["tenant_id", "email_key"],
            unique=True,
            sqlite_where=sa.text("lifecycle <> 'left' AND email_key <> ''"),
            postgresql_where=sa.text("lifecycle <> 'left' AND email_key <> ''"),
        )

    op.create_table(
        "accounts",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("anchor", KEY, nullable=True),
        sa.Column("name", KEY, nullable=False),
        sa.Column("correlation", KEY, nullable=True),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("verdict", JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=True),
        sa.Column("standing", JSON, nullable=False),
        sa.Column("observed", JSON, nullable=False),
        sa.Column("observed_hash", sa.LargeBinary(), nullable=True),
        sa.Column("absorbed", JSON, nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Text(), nullable=True),
        sa.Column("withheld", JSON, nullable=True),
        sa.Column("observed_at", TIME, nullable=True),
        sa.Column("declined", sa.Text(), nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.CheckConstraint(
            "situation IN ('linked', 'unlinked', 'unmatched', 'disputed', 'ignored', 'gone', 'absent')",
            name=op.f("ck_accounts_situation"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_accounts_tenant_id_connector_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], name=op.f("fk_accounts_tenant_id_user_id")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_accounts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("connector_id", "anchor", name=op.f("uq_accounts_connector_id_anchor")),
        sa.UniqueConstraint("connector_id", "user_id", name=op.f("uq_accounts_connector_id_user_id")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_accounts_tenant_id_id")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        leaving = sa.text("removed IS NOT NULL OR withheld IS NOT NULL")
        batch_op.create_index("ix_accounts_leaving", ["connector_id"], sqlite_where=leaving, postgresql_where=leaving)
        stale = sa.text("stale")
        batch_op.create_index("ix_accounts_stale", ["connector_id", "id"], sqlite_where=stale, postgresql_where=stale)
        batch_op.create_index("ix_accounts_name", ["connector_id", "name"], unique=False)
        batch_op.create_index("ix_accounts_situation", ["connector_id", "situation"], unique=False)
        batch_op.create_index("ix_accounts_user", ["tenant_id", "user_id"], unique=False)

    op.create_table(
        "cycles",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("held", JSON, nullable=True),
        sa.Column("watermark_before", sa.Text(), nullable=True),
        sa.Column("watermark_after", sa.Text(), nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("progress_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('initial', 'incremental')", name=op.f("ck_cycles_kind")),
        sa.CheckConstraint(
            "state IN ('requested', 'running', 'done', 'failed', 'stopped', 'held')", name=op.f("ck_cycles_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_cycles_tenant_id_connector_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_cycles_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycles")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_cycles_tenant_id_id")),
    )
    with op.batch_alter_table("cycles", schema=None) as batch_op:
        batch_op.create_index("ix_cycles_connector", ["connector_id", "id"], unique=False)
        batch_op.create_index(
            "uq_cycles_unfinished",
            ["connector_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('requested', 'running')"),
            postgresql_where=sa.text("state IN ('requested', 'running')"),
        )

    op.create_table(
        "event_details",
        sa.Column("event_id", BIG, autoincrement=False, nullable=False),
        sa.Column("before", JSON, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("names", JSON, nullable=False),
        sa.Column("text", JSON, nullable=False),
        sa.Column("who_key", KEY, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_details_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event_details")),
    )
    op.create_table(
        "flows",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("operator_id", BIG, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_flows_operator_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_flows_tenant_id_connector_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_flows_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
        sa.UniqueConstraint("digest", name=op.f("uq_flows_digest")),
    )
    op.create_table(
        "mappings",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("theirs", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("matching_priority", BIG, nullable=True),
        sa.Column("position", BIG, nullable=False),
        sa.CheckConstraint("direction IN ('both', 'in', 'out')", name=op.f("ck_mappings_direction")),
        sa.CheckConstraint("flow IN ('always', 'on create', 'if empty')", name=op.f("ck_mappings_flow")),
        sa.CheckConstraint("kind IN ('attribute', 'constant', 'expression')", name=op.f("ck_mappings_kind")),
        sa.CheckConstraint("owner IN ('ours', 'theirs', 'either')", name=op.f("ck_mappings_owner")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_mappings_tenant_id_connector_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_mappings_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mappings")),
        sa.UniqueConstraint(
            "connector_id", "direction", "theirs", name=op.f("uq_mappings_connector_id_direction_theirs")
        ),
    )
    op.create_table(
        "operations",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant_id", BIG, nullable=False),
        sa.Column("connector_id", BIG, nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asks", sa.Text(), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("approved_fingerprint", sa.Text(), nullable=True),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("deaths", BIG, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("fence", BIG, nullable=False),
        sa.Column("error", JSON, nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("settled_at", TIME, nullable=True),
        sa.CheckConstraint("asks IN ('review', 'brake')", name=op.f("ck_operations_asks")),
        sa.CheckConstraint(
            "kind IN ('create', 'update', 'disable', 'enable', 'delete', 'restore')", name=op.f("ck_operations_kind")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'unknown', 'blocked', 'done', 'failed', 'cancelled')",
            name=op.f("ck_operations_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_operations_tenant_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"],
            ["connectors.tenant_id", "connectors.id"],
            name=op.f("fk_operations_tenant_id_connector_id"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_operations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_operations_tenant_id_id")),
    )
    with op.batch_alter_table("operations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_operations_unfinished",
            ["connector_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'running', 'unknown', 'blocked')"),
            postgresql_where=sa.text("state IN ('pending', 'running', 'unknown', 'blocked')"),
        )
        batch_op.create_index(
            "uq_operations_in_flight",
            ["account_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('running', 'unknown')"),
            postgresql_where=sa.text("state IN ('running', 'unknown')"),
        )
        batch_op.create_index(
            "uq_operations_waiting",
            ["account_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('pending', 'blocked')"),
            postgresql_where=sa.text("state IN ('pending', 'blocked')"),
        )

    op.create_table(
        "sightings",
        sa.Column("cycle_id", BIG, nullable=False),
        sa.Column("part", BIG, nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycles.id"], name=op.f("fk_sightings_cycle_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("cycle_id", "part", name=op.f("pk_sightings")),
    )
    _append_only(op.get_bind().dialect.name)


def _append_only(dialect: str) -> None:
    """The log is written once: the database itself refuses to change or drop an entry."""
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_refuse_{verb.lower()} BEFORE {verb} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_refuse()"
    )


def downgrade() -> None:
    raise NotImplementedError("there is nothing before the first tables; restore a backup instead")
