"""The command that removes an app, after saying what is forgotten and what stays."""

import sys
from dataclasses import asdict

import click

from provision.cli.apps import app_group
from provision.cli.common import ACTOR, app, house, json_option
from provision.cli.shown import counted, dump, say, sentence
from provision.services import removing
from provision.services.removing import Forgotten


@app_group.command("remove")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--yes", "sure", is_flag=True, help="Remove it; without this, only what would be forgotten is said.")
@click.option("--cancel-open", "cancels", is_flag=True, help="Cancel first what still waits to be sent there.")
@json_option
def app_remove(slug: str, name: str, sure: bool, cancels: bool, as_json: bool) -> None:
    """Forget an app here. Nothing is sent there: accounts there, people here and the report stay."""
    at_home, (owner, row) = house(), app(slug, name)
    at = (owner.id or 0, row.id or 0)
    with at_home.db.writing() as session:
        seen = removing.foresee(session, *at, at_home.now())
        if sure and cancels:
            removing.cancel_open(session, *at, seen.waiting, ACTOR, at_home.now())
        if sure:
            removing.remove(session, *at, ACTOR, at_home.now())
    if as_json:
        dump({"app": row.name, "removed": sure, "obstacle": None if sure else seen.obstacle, **asdict(seen)})
    else:
        _say(row.name, seen, sure)
    if not sure:
        sys.exit(1)


def _say(name: str, seen: Forgotten, done: bool) -> None:
    say(f"Stays: everything in {name}, {counted(seen.people, 'person', 'people')} here, the report.")
    gone = [
        f"{counted(seen.accounts, 'account', 'accounts')} as known here",
        counted(seen.imports, "import", "imports"),
        "settings and mapping",
    ]
    gone += ["the credential"] * seen.secret + [counted(seen.tokens, "token", "tokens")] * bool(seen.tokens)
    gone += ["the uploaded file"] * seen.file
    gone += [f"what became of {counted(seen.doubtful, 'change', 'changes')} that could not be looked up"] * bool(
        seen.doubtful
    )
    say(f"{'Forgotten' if done else 'Would be forgotten'}: {', '.join(gone)}.")
    if done:
        say(f"{name} is removed here.")
        return
    if seen.obstacle:
        say(sentence(seen.obstacle, {"app": name, "number": seen.flying or seen.waiting}))
    say("Nothing was removed; --yes removes it.")


COMMANDS = (app_group,)
