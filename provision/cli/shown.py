"""How commands speak: tables for people, JSON for scripts, one clear line for a refusal. Knows no command."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlmodel import SQLModel

from provision.core.remedies import explain

_HIDDEN = {"secret", "password_hash", "digest", "observed_hash"}


def as_json(value: Any) -> Any:
    """A value as scripts read it: rows as objects keyed by column, times in ISO 8601 UTC, no bytes, no secret."""
    if isinstance(value, SQLModel):
        return {name: as_json(getattr(value, name)) for name in type(value).model_fields if name not in _HIDDEN}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(one) for one in value]
    return value.hex() if isinstance(value, bytes) else value


def dump(value: Any) -> None:
    """Print one JSON value."""
    click.echo(json.dumps(as_json(value), ensure_ascii=False, indent=2))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headings; control characters of outside values are made visible."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(plain(cell) for cell in row))
    width = None if sys.stdout.isatty() else 240
    Console(highlight=False, markup=False, emoji=False, width=width).print(shown)


def plain(value: Any) -> str:
    """One cell as text that cannot drive a terminal."""
    if value is None:
        return "–"
    text = value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def sentence(code: str, params: Mapping[str, Any]) -> str:
    """What happened and what to do, in one line."""
    remedy = explain(code, params)
    return " ".join(part for part in (remedy.what or remedy.title, remedy.do) if part)


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: ``counted(1, "person", "people")``."""
    return f"{number} {one if number == 1 else many}"


def say(text: str) -> None:
    """One line for people, on standard error, so that standard output stays for results."""
    click.echo(plain(text), err=True)
