"""The command about whom an app is for: its conditions, what they would do, and planning that."""

from dataclasses import asdict
from typing import Any

import click

from provision.cli.apps import app_group
from provision.cli.common import ACTOR, app, house, json_option
from provision.cli.shown import dump, say, table
from provision.core import scoping
from provision.core.tables import Connector
from provision.core.vocabulary import WhenLeft
from provision.services import connectors, mappings, outbox
from provision.services.errors import ServiceError


@app_group.command("scope")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--where", "rows", nargs=3, multiple=True, metavar="ATTRIBUTE COMPARISON VALUE", help="All must hold.")
@click.option("--everybody", is_flag=True, help="Drop all conditions.")
@click.option(
    "--when-left", type=click.Choice([each.value for each in WhenLeft]), help="What becomes of leavers there."
)
@click.option("--preview", is_flag=True, help="Say what would change and keep nothing.")
@click.option("--plan", "plans", is_flag=True, help="Enqueue what is due; each of it waits for review.")
@json_option
def app_scope(
    slug: str,
    name: str,
    rows: tuple[tuple[str, str, str], ...],
    everybody: bool,
    when_left: str | None,
    preview: bool,
    plans: bool,
    as_json: bool,
) -> None:
    """Say whom an app is for. Without options, show it and what is due. Saving sends nothing.

    Comparisons: is, is not, one of, none of, contains, starts with, ends with, is empty, is filled.
    """
    if (rows and everybody) or (preview and plans):
        raise click.UsageError("--where excludes --everybody, and --preview excludes --plan")
    owner, row = app(slug, name)
    given = [dict(zip(("attribute", "operator", "value"), each, strict=True)) for each in rows]
    settled: dict[str, Any] = {"when_left": when_left} if when_left else {}
    if rows or everybody:
        settled["rule"] = [asdict(one) for one in scoping.conditions(given)]
    told = _carry(owner.id or 0, row, settled, preview=preview, plans=plans)
    if as_json:
        dump(told)
        return
    table(
        ("Attribute", "Comparison", "Value"), [tuple(one.values()) for one in told["rule"]] or [("everybody", "", "")]
    )
    for kind, number in told["would"].items():
        say(f"{kind}: {number}")
    if plans:
        say(f"{told['planned']} now wait for review.")


def _carry(tenant_id: int, row: Connector, settled: dict[str, Any], *, preview: bool, plans: bool) -> dict[str, Any]:
    at_home = house()
    planned = 0
    if settled.get("rule") and not at_home.kinds[row.kind].is_target:
        raise ServiceError("rule_of_source", app=row.name)
    with at_home.db.reading() as session:
        mappings.judge_scope(session, tenant_id, settled)
    if settled and not preview:
        with at_home.db.writing() as session:
            row = connectors.settle(session, tenant_id, row.id or 0, settled, ACTOR, at_home.now())
    with at_home.db.reading() as session:
        rule = scoping.conditions(settled["rule"]) if "rule" in settled else scoping.scope_of(row.scope).conditions
        left = WhenLeft(settled["when_left"]) if "when_left" in settled else None
        target = at_home.kinds[row.kind].is_target
        moves = outbox.would_move(session, row, at_home.kinds, rule, left) if target else outbox.WouldMove()
    if plans:
        with at_home.db.writing() as session:
            kept = connectors.get(session, tenant_id, row.id or 0)
            order = outbox.Order(ACTOR, at_home.now(), at_home.kinds)
            effects = outbox.plan_these(session, kept, at_home.kinds, order)
            planned = sum(effect.operation_id is not None for effect in effects)
    return {
        "rule": [asdict(one) for one in rule],
        "when_left": str(left or row.when_left),
        "would": {kind.value: len(ids) for kind, ids in moves.people.items()}
        | ({"groups": len(moves.groups)} if moves.groups else {}),
        "planned": planned,
    }


COMMANDS = (app_group,)
