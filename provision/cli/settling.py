"""The command about how an app behaves while nobody looks: its timetable, its leavers, its rank and its own limits."""

from typing import Any, get_args

import click

from provision.cli.apps import app_group
from provision.cli.common import ACTOR, app, house, json_option
from provision.cli.shown import dump, say, table
from provision.core.tables import Connector
from provision.core.vocabulary import WhenGone
from provision.services import connectors, mappings
from provision.services.connectors import Settled
from provision.services.errors import ServiceError

NONE = "none"
_THERE = ("hold_seconds", "limit_share", "limit_floor", "correlation", "when_left")
"""What is about accounts that are changed there, so that it means nothing for a source."""


@app_group.command("settings")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option(
    "--hold", "hold_seconds", type=int, metavar="SECONDS", help="How long disables and deletes can be undone."
)
@click.option("--correlation", metavar="ATTRIBUTE", help="The attribute that marks new accounts there, or none.")
@click.option("--limit-share", type=int, metavar="PERCENT", help="How many may be disabled or deleted there in a day,")
@click.option("--limit-floor", type=int, metavar="NUMBER", help="as a share of all or as a number; the larger counts.")
@click.option("--import-limit-share", type=int, metavar="PERCENT", help="How many imports may take away here in a day,")
@click.option("--import-limit-floor", type=int, metavar="NUMBER", help="in the same two ways.")
@click.option("--when-gone", type=click.Choice([each.value for each in WhenGone]), help="People who vanish there.")
@click.option("--guests", type=click.Choice(get_args(Settled.model_fields["guests"].annotation)), help="Guests there.")
@click.option("--every", "every_minutes", metavar="MINUTES", help="How often it is read by itself, or none.")
@click.option("--rank", "position", type=int, metavar="NUMBER", help="The lower one wins where two apps bring a value.")
@json_option
def app_settings(slug: str, name: str, as_json: bool, **given: Any) -> None:
    """Set an app's limits, timetable and rank; without options, show what stands. Nothing is sent by it."""
    at_home, (owner, row) = house(), app(slug, name)
    kind = at_home.kinds[row.kind]
    wanted = {name: None if value == NONE else value for name, value in given.items() if value is not None}
    _judge(row, kind, wanted)
    if wanted:
        schema, at = kind.attributes(row.facts), (owner.id or 0, row.id or 0)
        with at_home.db.writing() as session:
            row = mappings.settle(session, *at, wanted, schema, ACTOR, at_home.now())
    told = _standing(row, kind)
    if as_json:
        dump(told)
        return
    usual = Settled().model_dump(mode="json") | {"correlation": kind.correlation, "when_gone": str(kind.when_gone)}
    table(("Setting", "Value", "Usual"), [(name, _word(value), _word(usual[name])) for name, value in told.items()])
    if wanted:
        say("Kept. Nothing was sent.")


def _judge(row: Connector, kind: Any, wanted: dict[str, Any]) -> None:
    """Refuse what means nothing for this kind of app."""
    if not kind.is_target and any(name in wanted for name in _THERE):
        raise ServiceError("limits_of_source", app=row.name)
    if not kind.guests and "guests" in wanted:
        raise ServiceError("guests_not_told", app=row.name)


def _standing(row: Connector, kind: Any) -> dict[str, Any]:
    """What stands, but for whom the app is for: that has a command of its own."""
    told = connectors.Settled.now(row).model_dump(mode="json", exclude={"rule"})
    told["correlation"] = told["correlation"] or kind.correlation
    without = () if kind.is_target else _THERE
    return {name: value for name, value in told.items() if name not in without and (kind.guests or name != "guests")}


def _word(value: Any) -> str:
    return NONE if value is None else str(value)


COMMANDS = (app_group,)
