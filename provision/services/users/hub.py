"""One person as the hub: which app feeds which of their values, and which app holds an account of theirs in what state.

Owns that one view of every app of the tenant; asks nothing outside and changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from provision.core import scoping
from provision.core.tables import Connector, Event, User
from provision.core.vocabulary import Feature, Lifecycle
from provision.services.users.showing import AccountView, Person

OUTCOMES = ("account.", "operation.")
"""What the log says of one account begins so."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """One app. ``feeds``: the labels of the values that came from it; ``account``: what it holds, if anything.

    ``why``: without an account, why there is none, as a remedy code; ``last``: the newest entry about the account.
    """

    app_id: int
    app: str
    target: bool
    feeds: tuple[str, ...]
    account: AccountView | None
    why: str | None
    last: Event | None


@dataclass(frozen=True, slots=True)
class Hub:
    """All apps, and ``here``: the labels of the values that were entered here."""

    spokes: tuple[Spoke, ...]
    here: tuple[str, ...]


def hub(session: Session, tenant_id: int, person: Person, kinds: Mapping[Any, Any]) -> Hub:
    """The view of one person whose page was read before."""
    apps = session.exec(
        select(Connector).where(Connector.tenant_id == tenant_id).order_by(col(Connector.position), col(Connector.id))
    ).all()
    user = session.exec(select(User).where(User.tenant_id == tenant_id, User.id == person.id)).one()
    fed: dict[int, list[str]] = {}
    here: list[str] = []
    known = {app.id for app in apps}
    for line in person.lines:
        if line.value:
            origin = user.origins.get(line.name)
            number = origin[0] if isinstance(origin, list) and origin else None
            (fed.setdefault(number, []) if number in known and number is not None else here).append(line.label)
    accounts = {account.app_id: account for account in person.accounts}
    spokes = tuple(_spoke(app, person, user, fed, accounts.get(app.id or 0), kinds) for app in apps)
    return Hub(spokes, tuple(here))


def _spoke(
    app: Connector,
    person: Person,
    user: User,
    fed: Mapping[int, Sequence[str]],
    account: AccountView | None,
    kinds: Mapping[Any, Any],
) -> Spoke:
    number = app.id or 0
    target = bool(kinds[app.kind].is_target)
    last = next(
        (event for event, _ in person.timeline if event.connector_id == number and event.action.startswith(OUTCOMES)),
        None,
    )
    why = _why(app, person, user) if account is None and target else None
    return Spoke(number, app.name, target, tuple(fed.get(number, ())), account, why, last)


def _why(app: Connector, person: Person, user: User) -> str | None:
    """Why a target has no account of this person; None when only time or an edit is missing."""
    if person.lifecycle is not Lifecycle.ACTIVE:
        return None
    values = {**user.model_dump(), **{f"extra.{name}": value for name, value in user.extra.items()}}
    if not scoping.scope_of(app.scope).takes(values):
        return "out_of_scope"
    return None if app.features.get(Feature.CREATE) else "create_off"


__all__ = ["Hub", "Spoke", "hub"]
