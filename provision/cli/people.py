"""Commands about people: importing them, looking at them, and what happened to them."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from provision.cli.common import ACTOR, app, house, json_option, tenant
from provision.cli.shown import as_json as jsonable
from provision.cli.shown import dump, say, sentence, table
from provision.core import sheet
from provision.core.tables import Cycle, User
from provision.core.vocabulary import UNFINISHED_CYCLES, CycleState
from provision.house import LEADER
from provision.services import connectors, cycles, files, reports, users

COUNTS = ("seen", "created", "linked", "updated", "unchanged", "suspended", "disputed", "failed", "gone", "left_alone")


@click.command("import")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--preview", is_flag=True, help="Observe and count; take nobody over.")
@click.option("--full", is_flag=True, help="Read everything, not only what changed.")
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The new file of a CSV app."
)
@click.option("--compare", is_flag=True, help="Read everything, take nobody over, and list what drifted.")
@json_option
def import_(slug: str, name: str, preview: bool, full: bool, path: Path | None, compare: bool, as_json: bool) -> None:
    """Import people from an app. A server that is running does the work; else this command does."""
    at_home, (owner, row) = house(), app(slug, name)
    if path is not None:
        _take(owner.id or 0, row.id or 0, path)
    with at_home.db.writing() as session:
        where = (owner.id or 0, row.id or 0, ACTOR, at_home.now())
        cycle = cycles.request(session, *where, preview=preview, full=full, compare=compare)
    ended = _carry(cycle.id or 0)
    with at_home.db.reading() as session:
        waiting = cycles.preview_counts(session, owner.id or 0, row.id or 0)
    if as_json:
        dump({**_told(ended), **({"preview": _plain(waiting)} if preview else {})})
    elif preview:
        table(("New", "Exact", "Changed", "Same", "Gone", "Disputed", "Ignored"), [tuple(_plain(waiting).values())])
    else:
        table(("Pages", *COUNTS), [(ended.counts.get("pages", 0), *(ended.counts.get(name, 0) for name in COUNTS))])
    _exit(ended)


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
            app=connectors.by_name_or_kind(session, owner.id or 0, name).id if name else None,
        )
        found = reports.rows(session, owner.id or 0, asked)
        if as_json or form == "json":
            dump([reports.as_object(row) for row in found])
        elif form == "csv":
            for line in sheet.lines(reports.COLUMNS, map(reports.as_cells, found)):
                sys.stdout.write(line.removeprefix(sheet.BOM))
        else:
            table(reports.COLUMNS, [reports.as_cells(row) for row in found])


def _take(tenant_id: int, app_id: int, path: Path) -> None:
    """Give the app its new file, and say what of it is left out."""
    at_home = house()
    with path.open("rb") as file:
        data = file.read(files.LARGEST + 1)
    means = files.Means(at_home.db.writing, at_home.connect, at_home.kinds, at_home.now)
    found = files.take(means, tenant_id, app_id, path.name, data, ACTOR).facts
    problems = found.get("problems", ())
    for one in problems:
        place = f"row {one['row']}, {one['column']}" if one.get("cell") else f"row {one['row']}"
        say(f"{place}: {sentence(one['code'], one['params'])}")
    if missing := [heading for heading, _ in found.get("missing", ())]:
        say(f"not in this file, so what is here stays: {', '.join(missing)}")
    if found.get("unfit", 0) > len(problems):
        say(f"and {found['unfit'] - len(problems)} more rows that cannot be read")


def _carry(cycle_id: int) -> Cycle:
    """Run the cycle as the leader, or wait while another process that leads does."""
    at_home = house()
    while True:
        with at_home.db.leading(LEADER) as leads:
            if leads:
                cycles.run(at_home.ways(), cycle_id)
        with at_home.db.reading() as session:
            cycle = session.get(Cycle, cycle_id)
            if cycle is not None and cycle.state not in UNFINISHED_CYCLES:
                session.expunge(cycle)
                return cycle
        time.sleep(0.3)


def _told(cycle: Cycle) -> dict[str, Any]:
    row: dict[str, Any] = jsonable(cycle)
    counts = {name: cycle.counts.get(name, 0) for name in (*COUNTS, "pages")}
    return {**row, **counts, "outcome": cycle.state}


def _user(row: User) -> dict[str, Any]:
    shown: dict[str, Any] = jsonable(row)
    return {name: value for name, value in shown.items() if name not in ("email_key", "name_key")}


def _plain(counts: cycles.PreviewCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("new", "exact", "changed", "same", "gone", "disputed", "ignored")}


def _exit(cycle: Cycle) -> None:
    if cycle.state == CycleState.DONE:
        return
    error = cycle.error or {}
    if cycle.state == CycleState.HELD:
        say(sentence("cycle_held", {"accounts": (cycle.held or {}).get("accounts", 0)}))
    elif error:
        say(sentence(error.get("code", "unknown"), error.get("params", {})))
    else:
        say("The import was stopped. What was taken over so far stays.")
    sys.exit(1)


COMMANDS = (import_, user_group, report)
