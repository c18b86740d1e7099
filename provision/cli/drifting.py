"""Commands about what drifted: list it, and choose."""

from typing import Any

import click

from provision.cli.common import ACTOR, house, json_option, tenant
from provision.cli.shown import dump, say, table
from provision.core.vocabulary import DriftChoice
from provision.services import connectors, drift
from provision.services.drift import Answer
from provision.services.outbox import Order

_COLUMNS = ("id", "app", "user", "attribute", "ours", "theirs", "seen_at", "over")


@click.command("drift")
@click.argument("slug", metavar="TENANT")
@click.argument("answer", required=False, type=click.Choice([one.value for one in Answer]))
@click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
@click.option("--app", "name", help="Name or kind of an app.")
@click.option("--alone", is_flag=True, help="What is left alone, instead of what waits for a choice.")
@json_option
def drift_(slug: str, answer: str | None, ids: tuple[int, ...], name: str | None, alone: bool, as_json: bool) -> None:
    """List what somebody else changed although the mapping owns it; or accept, push, leave or watch some of it by id.

    accept: take theirs over here. push: put ours back there, through the queue. leave: let it be, until it changes again.
    watch: ask again about what was left alone.
    """
    owner = tenant(slug)
    if answer and not ids:
        raise click.UsageError(f"name what to {answer} by its id")
    if answer:
        _choose(owner.id or 0, Answer(answer), ids, as_json)
        return
    with house().db.reading() as session:
        app = connectors.meant(session, owner.id or 0, name).id if name else None
        choice = DriftChoice.ALONE if alone else DriftChoice.OPEN
        found = drift.listed(session, owner.id or 0, house().kinds, choice, app_id=app, limit=drift.MANY)
    rows = [{column: getattr(item, column) for column in _COLUMNS} for item in found]
    if as_json:
        dump(rows)
        return
    told = [(r["id"], r["app"], r["user"], r["attribute"], r["ours"], r["theirs"], r["seen_at"]) for r in rows]
    table(("Id", "App", "Person", "Attribute", "Ours", "There", "Seen"), told)


def _choose(tenant_id: int, answer: Answer, ids: tuple[int, ...], as_json: bool) -> None:
    with house().db.writing() as session:
        order = Order(ACTOR, house().now(), house().kinds)
        chosen = drift.choose(session, tenant_id, answer, dict.fromkeys(ids), order)
    operations = sorted({effect.operation_id for effect in chosen.effects if effect.operation_id is not None})
    told: dict[str, Any] = {
        "done": chosen.done, "left": chosen.left, "disputed": chosen.disputed, "operations": operations,
    }  # fmt: skip
    if as_json:
        dump(told)
        return
    say(f"{chosen.done} chosen: {answer}.")
    if operations:
        say(f"Operations: {', '.join(map(str, operations))}")


COMMANDS = (drift_,)
