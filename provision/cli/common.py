"""What commands share: the open house, the tenant and the app that their words mean, and the ``--json`` switch."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from provision.core.tables import Connector, Tenant
from provision.house import House
from provision.services import connectors, tenants

F = TypeVar("F", bound=Callable[..., Any])
ACTOR = "command line"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def house(*, serving: bool = False) -> House:
    """The house of this command; its schema is brought up to date by ``migrate``, ``serve`` and ``demo`` only."""
    context = click.get_current_context()
    found: House = context.meta.setdefault("provision.house", None) or context.obj.open_house(serving=serving)
    context.meta["provision.house"] = found
    context.call_on_close(found.db.close)
    return found


def tenant(slug: str) -> Tenant:
    """The tenant that a command names. Raises NotFound."""
    with house().db.reading() as session:
        return tenants.by_slug(session, slug)


def app(slug: str, name: str) -> tuple[Tenant, Connector]:
    """The app of a tenant that a command names by name, kind or number. Raises NotFound, Conflict."""
    found = tenant(slug)
    with house().db.reading() as session:
        return found, connectors.meant(session, found.id or 0, name)


def pairs(settings: tuple[str, ...]) -> dict[str, str]:
    """What ``--set`` was given, by key."""
    found = [setting.partition("=") for setting in settings]
    wrong = [name for name, equals, _ in found if not equals or not name]
    if wrong:
        raise click.UsageError(f"--set takes KEY=VALUE, not {wrong[0]!r}")
    return {name: value for name, _, value in found}
