"""Commands about people: looking at them, and what happened to them."""

import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import click
from sqlmodel import Session

from provision.cli.common import house, json_option, tenant
from provision.cli.shown import as_json as jsonable
from provision.cli.shown import counted, dump, say, table
from provision.core import sheet
from provision.core.tables import User
from provision.core.vocabulary import key
from provision.services import connectors, files, mappings, removing, reports, users
from provision.services.errors import NotFound


@click.group("user")
def user_group() -> None:
    """People."""


@user_group.command("list")
@click.argument("slug", metavar="TENANT")
@click.option("--search", default="", help="Part of a name, address, username or employee id.")
@json_option
def user_list(slug: str, search: str, as_json: bool) -> None:
    """List people by name."""
    owner = tenant(slug)
    with house().db.reading() as session:
        found = users.records(session, owner.id or 0, users.Query(text=search))
        if as_json:
            dump([_user(row) for row in found])
            return
        table(
            ("Id", "Name", "Email", "Username", "Lifecycle", "Changed"),
            [(r.id, users.shown(r.model_dump()), r.email, r.username, r.lifecycle, r.changed_at) for r in found],
        )


@user_group.command("show")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@json_option
def user_show(slug: str, who: str, as_json: bool) -> None:
    """Show one person: values, accounts, and what happened. USER is a username, an address or an id."""
    owner = tenant(slug)
    with house().db.reading() as session:
        user = users.find(session, owner.id or 0, who)
        person = users.show(session, owner.id or 0, user.id or 0)
    accounts = [
        {
            "id": account.id,
            "app": account.app,
            "kind": account.kind,
            "situation": account.situation,
            "name": account.name,
            "anchor": account.anchor,
            "enabled": account.enabled,
            "standing": account.standing,
            "observed_at": account.observed_at,
        }
        for account in person.accounts
    ]
    if as_json:
        happened = [
            {"at": event.at, "actor": event.actor, "action": event.action, "outcome": event.outcome,
             "before": detail.before if detail else None, "after": detail.after if detail else None}
            for event, detail in person.timeline
        ]  # fmt: skip
        dump({**_user(user), "accounts": accounts, "timeline": happened})
        return
    say(f"{person.name}, {person.lifecycle}")
    table(("Attribute", "Value", "From"), [(line.label, line.value, line.source) for line in person.lines])
    table(
        ("App", "Situation", "Sign-in name", "Enabled", "Seen"),
        [(a["app"], a["situation"], a["name"], a["enabled"], a["observed_at"]) for a in accounts],
    )
    table(("When", "What", "Who", "Outcome"), [(e.at, e.action, e.actor, e.outcome) for e, _ in person.timeline])


@user_group.command("export")
@click.argument("slug", metavar="TENANT")
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write here, not to the output.")
def user_export(slug: str, path: Path | None) -> None:
    """Everybody who has not left, as CSV in the shape that an import of a file reads back."""
    owner = tenant(slug)
    if path is None:
        _export(owner.id or 0, sys.stdout.buffer)
        return
    number = _written(owner.id or 0, path)
    say(f"{counted(number, 'person is', 'people are')} in {path}.")


@click.command("report")
@click.argument("slug", metavar="TENANT")
@click.option("--user", default="", help="Part of a name or address, or a person's id.")
@click.option("--app", "name", help="Name or kind of an app.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="UTC; 24 hours ago unless given.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="UTC; now unless given.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@json_option
def report(
    slug: str, user: str, name: str | None, since: datetime | None, until: datetime | None, form: str, as_json: bool
) -> None:
    """The Provisioning Report: what was done, to whom, when, and how it ended."""
    owner, now = tenant(slug), house().now()
    with house().db.reading() as session:
        asked = reports.Filter(
            since=since.replace(tzinfo=UTC) if since else now - timedelta(hours=24),
            until=until.replace(tzinfo=UTC) if until else now,
            who=user,
            app=_app(session, owner.id or 0, name) if name else None,
        )
        found = reports.rows(session, owner.id or 0, asked)
        if as_json or form == "json":
            dump([reports.as_object(row) for row in found])
        elif form == "csv":
            for line in sheet.lines(reports.COLUMNS, map(reports.as_cells, found)):
                sys.stdout.write(line.removeprefix(sheet.BOM))
        else:
            table(reports.COLUMNS, [reports.as_cells(row) for row in found])


def _app(session: Session, tenant_id: int, name: str) -> int | None:
    """The app that is meant; by its name also one that was removed since. Raises NotFound, Conflict."""
    try:
        return connectors.meant(session, tenant_id, name).id
    except NotFound:
        gone = next((one.id for one in removing.removed(session, tenant_id) if key(one.name) == key(name)), None)
        if gone is None:
            raise
        return gone


def _written(tenant_id: int, path: Path) -> int:
    """Write a file, which gets its name once it is whole: half of one would look as if people were missing."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            number = _export(tenant_id, out, bom=True)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink()
        raise
    return number


def _export(tenant_id: int, out: IO[bytes], *, bom: bool = False) -> int:
    """Write people line by line, as they are read; return how many."""
    number = -1
    with house().db.reading() as session:
        names = mappings.user_attributes(session, tenant_id)
        for line in sheet.lines(names.values(), files.everybody(session, tenant_id, list(names))):
            out.write((line if bom else line.removeprefix(sheet.BOM)).encode())
            number += 1
    return number


def _user(row: User) -> dict[str, Any]:
    shown: dict[str, Any] = jsonable(row)
    return {name: value for name, value in shown.items() if name not in ("email_key", "name_key")}


COMMANDS = (user_group, report)
