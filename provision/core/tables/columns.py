"""The column types and the naming rule that every table shares. Knows both databases; holds no table."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text compared byte by byte on both databases (SQLite's own default is binary)."""

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is put back on reading; a naive time is refused on writing."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was about to be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(sa.TypeDecorator[StrEnum]):
    """A word of a closed set: plain text in the database, the enumeration's member in Python."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> StrEnum | None:  # noqa: ARG002
        return None if value is None else self.words(value)


def ident() -> Any:
    """The row's own number."""
    return Field(default=None, sa_column=sa.Column(BIG, primary_key=True, autoincrement=True))


LASTING = {"sqlite_autoincrement": True}
"""For tables whose rows are deleted while the log goes on to speak of them: no number is given twice."""


def tenant() -> Any:
    """The isolation border, part of every composite key below it."""
    return Field(sa_column=sa.Column(BIG, sa.ForeignKey("tenants.id"), nullable=False))


def ref(*, nullable: bool = True) -> Any:
    """A number of another row; the foreign key stands in the table's arguments, together with the tenant."""
    return Field(default=None, sa_column=sa.Column(BIG, nullable=nullable))


def number(*, nullable: bool = False, default: int | None = 0) -> Any:
    """A whole number."""
    return Field(default=default, sa_column=sa.Column(BIG, nullable=nullable))


def text(*, nullable: bool = False, default: Any = ...) -> Any:
    """Text of any length."""
    return Field(
        default=None if nullable and default is ... else default, sa_column=sa.Column(sa.Text, nullable=nullable)
    )


def key_text(*, nullable: bool = False) -> Any:
    """A comparison key: binary collation on both databases."""
    return Field(default=None if nullable else ..., sa_column=sa.Column(KEY, nullable=nullable))


def added() -> Any:
    """Text that a later migration added; empty unless said otherwise."""
    return Field(default="", sa_column=sa.Column(sa.Text, nullable=False, server_default=sa.text("''")))


def flag() -> Any:
    """A yes or no that a later migration added; no unless said otherwise."""
    return Field(default=False, sa_column=sa.Column(sa.Boolean, nullable=False, server_default=sa.false()))


def counter() -> Any:
    """A whole number that a later migration added; 0 unless said otherwise."""
    return Field(default=0, sa_column=sa.Column(BIG, nullable=False, server_default=sa.text("0")))


def time(*, nullable: bool = True) -> Any:
    """An aware UTC time."""
    return Field(default=None if nullable else ..., sa_column=sa.Column(UtcDateTime, nullable=nullable))


def json(*, nullable: bool = False, added: bool = False) -> Any:
    """A JSON object; empty unless said otherwise. ``added``: by a later migration, so the database fills it in itself."""
    if added:
        column = sa.Column(JSON, nullable=False, server_default=sa.text("'{}'"))
        return Field(default_factory=dict, sa_column=column)
    if nullable:
        return Field(default=None, sa_column=sa.Column(JSON, nullable=True))
    return Field(default_factory=dict, sa_column=sa.Column(JSON, nullable=False))


def raw(*, nullable: bool = True) -> Any:
    """Bytes: a sealed secret or a hash."""
    return Field(default=None if nullable else ..., sa_column=sa.Column(sa.LargeBinary, nullable=nullable))


def word(words: type[StrEnum], default: StrEnum | None = None, *, nullable: bool = False) -> Any:
    """One word of a closed set, kept as plain text; ``closed`` adds the CHECK."""
    given = default if default is not None or nullable else ...
    return Field(default=given, sa_column=sa.Column(Word(words), nullable=nullable))


def closed(column: str, words: Iterable[str]) -> sa.CheckConstraint:
    """The CHECK that keeps a column to its closed set of words, spelt alike on both databases."""
    listed = ", ".join("'" + str(w).replace("'", "''") + "'" for w in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def within(table: str, column: str) -> sa.ForeignKeyConstraint:
    """A reference that cannot leave the tenant: (tenant_id, column) → (tenant_id, id) of the other table."""
    return sa.ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"])
