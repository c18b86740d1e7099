"""The command that imports, and what somebody who waits for it is told meanwhile."""

import math
import sys
import threading
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlmodel import select

from provision.cli.common import ACTOR, app, house, json_option
from provision.cli.shown import as_json as jsonable
from provision.cli.shown import dump, say, sentence, table
from provision.core.remedies import explain
from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, CycleState
from provision.house import LEADER, House
from provision.services import cycles, files

_LOOK, _SILENCE = 0.3, 4.0


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
    """Import people from an app. A server that is running does the work; else this command does. Ctrl-C stops it."""
    at_home, (owner, row) = house(), app(slug, name)
    if path is not None:
        _take(owner.id or 0, row.id or 0, path)
    with at_home.db.writing() as session:
        where = (owner.id or 0, row.id or 0, ACTOR, at_home.now())
        cycle = cycles.request(session, *where, preview=preview, full=full, compare=compare)
    ended = _carry(Watch(at_home, row, cycle.id or 0))
    with at_home.db.reading() as session:
        waiting = cycles.preview_counts(session, owner.id or 0, row.id or 0)
    if as_json:
        dump({**_told(ended), **({"preview": _plain(waiting)} if preview else {})})
    elif preview:
        counts = _plain(waiting)
        table(tuple(name.capitalize() for name in counts), [tuple(counts.values())])
    else:
        table(("Pages", *cycles.COUNTS), [tuple(ended.counts.get(name, 0) for name in ("pages", *cycles.COUNTS))])
    if why := unfinished(ended):
        say(why)
        sys.exit(1)


def unfinished(cycle: Cycle) -> str:
    """Why a cycle that ended is not done, in one line; empty when it is."""
    if cycle.state == CycleState.DONE:
        return ""
    if cycle.state == CycleState.HELD:
        return sentence("cycle_held", {"accounts": (cycle.held or {}).get("accounts", 0)})
    error = cycle.error or {}
    if error:
        return sentence(error.get("code", "unknown"), error.get("params", {}))
    return "The import was stopped. What was taken over so far stays."


class Watch:
    """What somebody at a terminal hears of a cycle while it runs: that no answer comes, and when it is tried again."""

    def __init__(self, at_home: House, row: Connector, cycle_id: int) -> None:
        self._home, self._app, self._cycle_id, self._told = at_home, row.name, cycle_id, ""
        self.leads = False

    def step(self) -> Cycle:
        """Carry the cycle on if nobody else leads; return how it stands."""
        with self._home.db.leading(LEADER) as self.leads:
            if self.leads:
                timer = threading.Timer(_SILENCE, self._silent)
                timer.daemon = True
                timer.start()
                try:
                    cycles.run(self._home.ways(), self._cycle_id)
                finally:
                    timer.cancel()
        cycle = self._row()
        self._hindered(cycle)
        return cycle

    def stop(self) -> None:
        """End it as the page's button does."""
        with self._home.db.writing() as session:
            cycles.stop(session, self._row().tenant_id, self._cycle_id, ACTOR, self._home.now())

    def _silent(self) -> None:
        """Said once after a few seconds, unless something came."""
        cycle = self._row()
        if cycle.state == CycleState.RUNNING and not cycle.counts.get("pages") and not cycle.error:
            say(f"{self._app} has not answered yet; it is still asked. Ctrl-C stops.")

    def _hindered(self, cycle: Cycle) -> None:
        """Said once per try that led nowhere."""
        again_at = cycle.options.get("again_at")
        if cycle.state not in UNFINISHED_CYCLES or not cycle.error or not again_at or again_at == self._told:
            return
        self._told = again_at
        left = max(1, math.ceil((datetime.fromisoformat(again_at) - self._home.now()).total_seconds()))
        why = explain(cycle.error.get("code", "unknown"), cycle.error.get("params", {}))
        say(f"{self._app}: {why.what or why.title} Trying again in {left} s, Ctrl-C stops.")

    def _row(self) -> Cycle:
        with self._home.db.reading() as session:
            cycle = session.exec(select(Cycle).where(Cycle.id == self._cycle_id)).one()
            session.expunge(cycle)
            return cycle


def _carry(watch: Watch) -> Cycle:
    """Run the cycle as the leader, or wait while another process that leads does. Ctrl-C stops what runs here."""
    try:
        return _until_ended(watch)
    except KeyboardInterrupt:
        if not watch.leads:
            say("A server does this import and goes on with it; stop it under Import Users.")
            sys.exit(1)
        watch.stop()
        return _until_ended(watch)


def _until_ended(watch: Watch) -> Cycle:
    while (cycle := watch.step()).state in UNFINISHED_CYCLES:
        time.sleep(_LOOK)
    return cycle


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


def _told(cycle: Cycle) -> dict[str, Any]:
    row: dict[str, Any] = jsonable(cycle)
    counts = {name: cycle.counts.get(name, 0) for name in (*cycles.COUNTS, "pages")}
    return {**row, **counts, "outcome": cycle.state}


def _plain(counts: cycles.PreviewCounts) -> dict[str, int]:
    return asdict(counts)


COMMANDS = (import_,)
