"""Commands about licences: the seats of an app, giving one to people and taking it away. Decides nothing."""

from collections.abc import Sequence

import click

from provision.cli.common import ACTOR, app, house, json_option
from provision.cli.shown import counted, dump, say, sentence, table
from provision.services import licences, users
from provision.services.outbox import Order


@click.command("licence")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.argument("action", required=False, type=click.Choice(["add", "remove"]))
@click.argument("licence", required=False)
@click.argument("people", nargs=-1, metavar="[USER]…")
@json_option
def licence_(
    slug: str, name: str, action: str | None, licence: str | None, people: tuple[str, ...], as_json: bool
) -> None:
    """List the seats of an app; or add a licence to people, or remove it. Adding one never removes others.

    LICENCE is its id, its part number or its name. Seats are read just before they are counted, for all people at once.
    """
    at, (owner, row) = house(), app(slug, name)
    tenant_id, number = owner.id or 0, row.id or 0
    if action is None:
        licences.renew(at.db.writing, at.connect, tenant_id, number)
        _list(tenant_id, number, as_json)
        return
    if not licence or not people:
        raise click.UsageError(f"name the licence to {action}, then the people")
    with at.db.reading() as session:
        ids = [users.find(session, tenant_id, one).id or 0 for one in people]
    order = Order(ACTOR, at.now(), at.kinds)
    if action == "add":
        done = licences.give(at.db.writing, at.connect, tenant_id, number, ids, licence, order)
    else:
        done = licences.take(at.db.writing, tenant_id, number, ids, licence, order)
    _tell(done, dict(zip(ids, people, strict=True)), as_json)


def _list(tenant_id: int, connector_id: int, as_json: bool) -> None:
    with house().db.reading() as session:
        found = licences.seats(session, tenant_id, connector_id)
    rows = [{**{name: getattr(one, name) for name in one.__slots__}, "left": one.left} for one in found]
    if as_json:
        dump(rows)
        return
    table(
        ("Licence", "Part", "Id", "Total", "Used", "Free", "Promised"),
        [(r["name"], r["part"], r["sku"], r["total"], r["used"], r["free"], r["promised"]) for r in rows],
    )


def _tell(done: licences.Assigned, names: dict[int, str], as_json: bool) -> None:
    refused = [{"user_id": n, "user": names[n], "code": code} for n, code in sorted(done.refused.items())]
    going: Sequence[int] = done.going
    operations = [one.operation_id for one in done.effects if one.operation_id]
    if as_json:
        dump({"user_ids": list(going), "operations": operations, "refused": refused})
    else:
        say(f"{counted(len(going), 'person', 'people')}; operations: {', '.join(map(str, operations)) or 'none'}")
        for one in refused:
            say(f"{one['user']}: {sentence(str(one['code']), {})}")
    if refused and not going:
        raise SystemExit(1)


COMMANDS = (licence_,)
