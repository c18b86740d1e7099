"""People and groups, the apps they are connected to, the accounts seen there, and how attributes flow between them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from provision.core.tables.columns import (
    BIG,
    LASTING,
    closed,
    ident,
    json,
    key_text,
    number,
    raw,
    ref,
    tenant,
    text,
    time,
    within,
    word,
)
from provision.core.vocabulary import (
    Approval,
    ConnectorState,
    Direction,
    DriftChoice,
    Flow,
    Lifecycle,
    MappingKind,
    Owner,
    Situation,
    TokenScope,
    WhenGone,
    WhenLeft,
)

_LISTED = "+group_id IS NULL AND removed IS NULL AND situation <> 'gone'"
_LEAVING = "removed IS NOT NULL OR withheld IS NOT NULL"


class Connector(SQLModel, table=True):
    """A configured connection to one outside system. On screen: an App.

    ``stopped_at``: since when, or when last, it was in quarantine; ``recovered_at``: when it was let in again.
    ``shortages``: sku → since when (ISO 8601) people wait for a seat of it, as the owners were told.
    """

    __tablename__ = "connectors"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "name"),
        sa.UniqueConstraint("outside_id"),
        closed("approval", Approval),
        closed("when_gone", WhenGone),
        closed("when_left", WhenLeft),
        closed("state", ConnectorState),
        LASTING,
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    kind: str = text(nullable=False)
    name: str = text()
    position: int = number()
    config: dict[str, Any] = json()
    secret: bytes | None = raw()
    outside_id: str | None = key_text(nullable=True)
    facts: dict[str, Any] = json()
    facts_at: datetime | None = time()
    features: dict[str, bool] = json()
    approval: Approval = word(Approval, Approval.REVIEW)
    when_gone: WhenGone = word(WhenGone, WhenGone.KEEP)
    when_left: WhenLeft = word(WhenLeft, WhenLeft.DISABLE)
    scope: dict[str, Any] = json()
    state: ConnectorState = word(ConnectorState, ConnectorState.ACTIVE)
    reason: str | None = text(nullable=True)
    rests_until: datetime | None = time()
    watermark: str | None = text(nullable=True)
    mapping_version: int = number(default=1)
    absorbed_version: int = number(default=1)
    every_minutes: int | None = number(nullable=True, default=None)
    shortages: dict[str, str] = json(added=True)
    stopped_at: datetime | None = time()
    recovered_at: datetime | None = time()
    created_at: datetime = time(nullable=False)


class RemovedConnector(SQLModel, table=True):
    """An app that was removed: its number and its name, for the log that still tells of it."""

    __tablename__ = "removed_connectors"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "id"),)

    id: int = Field(sa_column=sa.Column(BIG, primary_key=True, autoincrement=False))
    tenant_id: int = tenant()
    name: str = text()
    kind: str = text()
    removed_at: datetime = time(nullable=False)
    removed_by: str = text()


class User(SQLModel, table=True):
    """The one record of a person inside a tenant."""

    __tablename__ = "users"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.Index(
            "uq_users_email",
            "tenant_id",
            "email_key",
            unique=True,
            sqlite_where=sa.text("lifecycle <> 'left' AND email_key <> ''"),
            postgresql_where=sa.text("lifecycle <> 'left' AND email_key <> ''"),
        ),
        sa.Index("ix_users_name", "tenant_id", "name_key", "id"),
        sa.Index("ix_users_address", "tenant_id", "email_key", "id"),
        sa.Index("ix_users_changed", "tenant_id", "changed_at", "id"),
        sa.Index(
            "ix_users_employee",
            "tenant_id",
            "employee_id",
            sqlite_where=sa.text("employee_id IS NOT NULL"),
            postgresql_where=sa.text("employee_id IS NOT NULL"),
        ),
        within("users", "manager_id"),
        closed("lifecycle", Lifecycle),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    lifecycle: Lifecycle = word(Lifecycle, Lifecycle.ACTIVE)
    username: str | None = text(nullable=True)
    email: str | None = text(nullable=True)
    email_key: str = key_text()
    given_name: str | None = text(nullable=True)
    surname: str | None = text(nullable=True)
    display_name: str | None = text(nullable=True)
    name_key: str = key_text()
    private_email: str | None = text(nullable=True)
    employee_id: str | None = text(nullable=True)
    department: str | None = text(nullable=True)
    title: str | None = text(nullable=True)
    company: str | None = text(nullable=True)
    manager_id: int | None = ref()
    usage_location: str | None = text(nullable=True)
    preferred_language: str | None = text(nullable=True)
    mobile: str | None = text(nullable=True)
    starts_on: str | None = text(nullable=True)
    ends_on: str | None = text(nullable=True)
    extra: dict[str, Any] = json()
    origins: dict[str, Any] = json()
    version: int = number(default=1)
    created_at: datetime = time(nullable=False)
    changed_at: datetime = time(nullable=False)
    deleted_at: datetime | None = time()


class CustomAttribute(SQLModel, table=True):
    """An attribute of people that this tenant added; its values live in ``users.extra`` under ``name``."""

    __tablename__ = "attributes"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "name"),)

    id: int | None = ident()
    tenant_id: int = tenant()
    name: str = key_text()
    label: str = text()


class Group(SQLModel, table=True):
    """A named set of people. ``origin_id``: the app that brought it; None when it was made here.

    A deleted one keeps its row, so that its accounts can still be taken away outside; it has no members any more.
    """

    __tablename__ = "groups"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.Index("ix_groups_name", "tenant_id", "name_key", "id"),
        within("connectors", "origin_id"),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    name: str = text()
    name_key: str = key_text()
    description: str | None = text(nullable=True)
    origin_id: int | None = ref()
    version: int = number(default=1)
    created_at: datetime = time(nullable=False)
    changed_at: datetime = time(nullable=False)
    deleted_at: datetime | None = time()


class GroupMember(SQLModel, table=True):
    """One person in one group."""

    __tablename__ = "group_members"
    __table_args__ = (
        sa.PrimaryKeyConstraint("group_id", "user_id"),
        sa.Index("ix_group_members_user", "tenant_id", "user_id"),
        within("groups", "group_id"),
        within("users", "user_id"),
    )

    tenant_id: int = tenant()
    group_id: int = ref(nullable=False)
    user_id: int = ref(nullable=False)


class Token(SQLModel, table=True):
    """What a client that pushes to us signs in with. Only its digest is kept; ``hint`` is its beginning."""

    __tablename__ = "tokens"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("digest"),
        sa.Index("ix_tokens_connector", "connector_id"),
        within("connectors", "connector_id"),
        closed("scope", TokenScope),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    digest: bytes = raw(nullable=False)
    hint: str = text()
    scope: TokenScope = word(TokenScope, TokenScope.WRITE)
    created_by: str = text()
    created_at: datetime = time(nullable=False)
    expires_at: datetime = time(nullable=False)
    used_at: datetime | None = time()
    revoked_at: datetime | None = time()


def _told(column: str) -> sa.Index:
    """Accounts found by what their client says of them; nobody else's is in such an index."""
    told = sa.text(f"{column} IS NOT NULL")
    return sa.Index(f"ix_accounts_{column}", "connector_id", column, sqlite_where=told, postgresql_where=told)


class Account(SQLModel, table=True):
    """One object seen in one connected system, linked to a person or a group or to neither, as it was last observed there.

    ``observed`` is all that was seen; ``absorbed`` the mapped part of it that people last took over, the base of the next
    three-way merge. ``stale``: observed, but not taken over yet. ``removed`` (restorable, purged, absent) and ``withheld``
    (attributes that went empty there) wait for the end of a cycle and its brake. ``intent``: what people decided about the
    account and is not done yet, and what a create carried whose outcome is open. ``pushed``: what was sent to it and is not
    confirmed yet, or was written a moment ago. ``given``: the licences (sku → True) that were given from here, as the outside
    confirmed, and neither taken away nor let go since. ``busy_until``: its password is being set,
    and until then nothing else is sent about it. ``external_id`` and ``superior`` are what a client that pushes calls it and
    whom it names as their manager, once more, to be found by.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("connector_id", "anchor"),
        sa.UniqueConstraint("connector_id", "user_id"),
        sa.UniqueConstraint("connector_id", "group_id"),
        sa.CheckConstraint("user_id IS NULL OR group_id IS NULL", name="one_owner"),
        sa.Index("ix_accounts_name", "connector_id", "name"),
        _told("external_id"),
        _told("superior"),
        sa.Index("ix_accounts_user", "tenant_id", "user_id"),
        sa.Index("ix_accounts_situation", "connector_id", "situation"),
        sa.Index(
            "ix_accounts_groups",
            "connector_id",
            "id",
            sqlite_where=sa.text("group_id IS NOT NULL"),
            postgresql_where=sa.text("group_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_accounts_leaving",
            "connector_id",
            sqlite_where=sa.text(_LEAVING),
            postgresql_where=sa.text(_LEAVING),
        ),
        sa.Index(
            "ix_accounts_listed",
            "connector_id",
            "id",
            # Only so that counting needs nothing but the index.
            "group_id",
            "removed",
            "situation",
            "user_id",
            sqlite_where=sa.text(_LISTED),
            postgresql_where=sa.text(_LISTED),
        ),
        sa.Index(
            "ix_accounts_stale", "connector_id", "id", sqlite_where=sa.text("stale"), postgresql_where=sa.text("stale")
        ),
        within("connectors", "connector_id"),
        within("users", "user_id"),
        within("groups", "group_id"),
        closed("situation", Situation),
        LASTING,
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    user_id: int | None = ref()
    group_id: int | None = ref()
    anchor: str | None = key_text(nullable=True)
    name: str = key_text()
    correlation: str | None = key_text(nullable=True)
    situation: Situation = word(Situation)
    verdict: dict[str, Any] = json()
    enabled: bool | None = None
    standing: dict[str, Any] = json()
    observed: dict[str, Any] = json()
    observed_hash: bytes | None = raw()
    absorbed: dict[str, Any] = json()
    stale: bool = False
    removed: str | None = text(nullable=True)
    withheld: dict[str, Any] | None = json(nullable=True)
    observed_at: datetime | None = time()
    declined: str | None = text(nullable=True)
    intent: dict[str, Any] = json(added=True)
    pushed: dict[str, Any] = json(added=True)
    given: dict[str, bool] = json(added=True)
    sent_at: datetime | None = time()
    busy_until: datetime | None = time()
    external_id: str | None = key_text(nullable=True)
    superior: str | None = key_text(nullable=True)


class Drift(SQLModel, table=True):
    """One attribute of an account that differed from what the mapping owns when it was last compared, and what was chosen.

    No value is kept: both sides are read when they are shown. ``fingerprint`` stands for exactly the difference that was
    met, so that another value there, or here, asks again.
    """

    __tablename__ = "drift_choices"
    __table_args__ = (
        sa.UniqueConstraint("tenant_id", "id"),
        sa.UniqueConstraint("account_id", "attribute"),
        sa.Index("ix_drift_choices_connector", "connector_id", "choice", "id"),
        sa.ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], ondelete="CASCADE"),
        within("connectors", "connector_id"),
        closed("choice", DriftChoice),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    account_id: int = ref(nullable=False)
    attribute: str = key_text()
    fingerprint: str = text()
    choice: DriftChoice = word(DriftChoice, DriftChoice.OPEN)
    seen_at: datetime = time(nullable=False)
    chosen_by: str = text(default="")
    chosen_at: datetime | None = time()


class Mapping(SQLModel, table=True):
    """How one attribute flows between a person and the accounts of one connector."""

    __tablename__ = "mappings"
    __table_args__ = (
        sa.UniqueConstraint("connector_id", "direction", "theirs"),
        within("connectors", "connector_id"),
        closed("direction", Direction),
        closed("kind", MappingKind),
        closed("flow", Flow),
        closed("owner", Owner),
    )

    id: int | None = ident()
    tenant_id: int = tenant()
    connector_id: int = ref(nullable=False)
    direction: Direction = word(Direction, Direction.BOTH)
    ours: str = text()
    theirs: str = text()
    kind: MappingKind = word(MappingKind, MappingKind.ATTRIBUTE)
    flow: Flow = word(Flow, Flow.ALWAYS)
    owner: Owner = word(Owner, Owner.EITHER)
    matching_priority: int | None = number(nullable=True, default=None)
    position: int = number()
