"""Commands about what was deleted: who lies in an app's recycle bin, and bringing somebody back. Decides nothing."""

import click

from provision.cli.common import ACTOR, app, house, json_option, tenant
from provision.cli.people import user_group
from provision.cli.shown import dump, say, table
from provision.cli.writing import tell
from provision.services import recycling, users
from provision.services.outbox import Order


@click.command("bin")
@click.argument("slug", metavar="TENANT")
@click.argument("name", metavar="APP")
@click.option("--search", default="", help="Part of a name or an address.")
@click.option("--restore", "anchor", metavar="ID", help="Bring this one back; nobody's becomes a new person.")
@click.option("--email", help="With --restore: the address to come back with, if the old one is taken.")
@json_option
def bin_(slug: str, name: str, search: str, anchor: str | None, email: str | None, as_json: bool) -> None:
    """List who was deleted in an app and how many days are left; or restore one of them by its id there."""
    at_home, (owner, row) = house(), app(slug, name)
    place = (at_home.connect, owner.id or 0, row.id or 0)
    order = Order(ACTOR, at_home.now(), at_home.kinds)
    if anchor:
        done = recycling.restore(at_home.db.reading, at_home.db.writing, *place, anchor, order, email)
        tell(owner.id or 0, done.user_id, (), done.effects, as_json)
        return
    found = recycling.look(at_home.db.reading, *place, order, search)
    rows = [{field: getattr(one, field) for field in one.__slots__} for one in found.rows]
    if as_json:
        dump(rows)
        return
    table(
        ("Id", "Name", "Address", "Deleted", "Days left", "Person here"),
        [(r["anchor"], r["name"], r["address"], r["deleted_at"], r["days"], r["user"] or None) for r in rows],
    )
    say(f"{found.fitting} of {found.total} in the recycle bin of {row.name}")


@user_group.command("restore")
@click.argument("slug", metavar="TENANT")
@click.argument("who", metavar="USER")
@click.option("--email", help="The address to come back with, if the old one is taken by now.")
@json_option
def user_restore(slug: str, who: str, email: str | None, as_json: bool) -> None:
    """Bring somebody back, here and out of the recycle bin there."""
    owner = tenant(slug)
    with house().db.writing() as session:
        user = users.find(session, owner.id or 0, who)
        order = Order(ACTOR, house().now(), house().kinds)
        saved = users.restore(session, owner.id or 0, user.id or 0, order, email=email)
    tell(owner.id or 0, saved.user_id, saved.changed, saved.effects, as_json)


COMMANDS = (bin_,)
