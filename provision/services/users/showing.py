"""One person: what we hold beside what was last seen in each connected system, and what the mapping makes of it.

Owns the comparison that the person's page shows; asks nothing outside and changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import mapping, planning, protection
from provision.core.ports import Attribute
from provision.core.tables import Account, Connector, CustomAttribute, Event, EventDetail, User
from provision.core.tables import Mapping as MappingRow
from provision.core.vocabulary import (
    USER_ATTRIBUTES,
    Lifecycle,
    MappingKind,
    Owner,
    Situation,
)
from provision.db import among
from provision.services import events
from provision.services.errors import NotFound
from provision.services.users.finding import shown

State = Literal["same", "drifted", "unsent", "coming", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One attribute in one account.

    ``state``: *same*, if only in the form they take; *drifted* (ours belongs there, and it was changed there since both sides
    agreed); *unsent* (ours belongs there and was never sent); *coming* (theirs comes in with the next import); *differs* (as
    the mapping wants it: written once, or if empty); *unknown* (never read there).
    """

    attribute: str
    value: str | None
    state: State
    owner: Owner


@dataclass(frozen=True, slots=True)
class Line:
    """One attribute of the person. ``cells``: account id → what is there; an account without it is not mapped."""

    name: str
    label: str
    value: str | None
    source: str
    cells: Mapping[int, Cell]

    @property
    def drifted(self) -> bool:
        """Whether any account holds another value than the mapping wants, by somebody else's doing."""
        return any(cell.state == "drifted" for cell in self.cells.values())


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account of the person, as last seen. ``standing``: guest, synced, federated, licensed, roles, protected, why."""

    id: int
    app_id: int
    app: str
    kind: str
    situation: Situation
    name: str
    anchor: str | None
    enabled: bool | None
    standing: Mapping[str, Any]
    observed_at: datetime | None
    drifted: int


@dataclass(frozen=True, slots=True)
class Person:
    """Everything the person's page says. ``timeline`` is newest first.

    ``manager``: whom they report to, as number, name, and the app that says so.
    """

    id: int
    name: str
    email: str | None
    username: str | None
    title: str | None
    lifecycle: Lifecycle
    version: int
    created_at: datetime
    changed_at: datetime
    lines: tuple[Line, ...]
    accounts: tuple[AccountView, ...]
    timeline: Sequence[tuple[Event, EventDetail | None]]
    manager: tuple[int, str, str] | None = None


def show(
    session: Session, tenant_id: int, user_id: int, *, kinds: Mapping[Any, Any] | None = None, limit: int = 50
) -> Person:
    """One person of this tenant. ``kinds`` knows what may be emptied there. Raises NotFound."""
    user = session.exec(select(User).where(User.tenant_id == tenant_id, User.id == user_id)).first()
    if user is None:
        raise NotFound("user_not_found")
    pairs = _accounts(session, tenant_id, user_id)
    values = _values(user)
    ours = planning.Person(Lifecycle(user.lifecycle), values)
    cells = _compare(session, tenant_id, ours, pairs, kinds or {})
    names = {app.id: app.name for _, app in pairs}
    row = user.model_dump()
    return Person(
        id=user_id,
        name=shown(row),
        email=user.email,
        username=user.username,
        title=user.title,
        lifecycle=Lifecycle(user.lifecycle),
        version=user.version,
        created_at=user.created_at,
        changed_at=user.changed_at,
        lines=_lines(values, user.origins, names, cells, _labels(session, tenant_id)),
        accounts=tuple(_view(account, app, cells) for account, app in pairs),
        timeline=events.timeline(session, tenant_id, user_id, limit=limit),
        manager=_manager(session, user, names),
    )


def named(session: Session, tenant_id: int, ids: Collection[int]) -> dict[int, str]:
    """What these people of the tenant are called; whoever is not there is not in it."""
    if not ids:
        return {}
    query = select(User).where(User.tenant_id == tenant_id, among(session, col(User.id), set(ids)))
    return {row.id or 0: shown(row.model_dump()) for row in session.exec(query).all()}


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _values(user: User) -> dict[str, str | None]:
    """The person's values flat, custom attributes under ``extra.<name>``."""
    flat: dict[str, str | None] = {name: getattr(user, name) for name in USER_ATTRIBUTES}
    return flat | {f"extra.{name}": mapping.clean(value) for name, value in user.extra.items()}


def _labels(session: Session, tenant_id: int) -> dict[str, str]:
    own = session.exec(select(CustomAttribute).where(CustomAttribute.tenant_id == tenant_id)).all()
    return USER_ATTRIBUTES | {f"extra.{attribute.name}": attribute.label for attribute in own}


def _accounts(session: Session, tenant_id: int, user_id: int) -> list[tuple[Account, Connector]]:
    query = (
        select(Account, Connector)
        .join(Connector, col(Connector.id) == col(Account.connector_id))
        .where(Account.tenant_id == tenant_id, Account.user_id == user_id)
        .order_by(col(Connector.position), col(Connector.id))
    )
    return list(session.exec(query).all())


def _compare(
    session: Session,
    tenant_id: int,
    person: planning.Person,
    pairs: Sequence[tuple[Account, Connector]],
    kinds: Mapping[Any, Any],
) -> dict[str, dict[int, Cell]]:
    """Our attribute → account id → what is there. One statement for the mappings of all the apps."""
    apps = [app.id for _, app in pairs]
    query = sa.select(MappingRow).where(col(MappingRow.tenant_id) == tenant_id, col(MappingRow.connector_id).in_(apps))
    kept = list(session.scalars(query.order_by(col(MappingRow.position)))) if apps else []
    cells: dict[str, dict[int, Cell]] = {}
    for account, app in pairs:
        rows = [mapping.Row.of(row) for row in kept if row.connector_id == app.id]
        schema = kinds[app.kind].attributes(app.facts) if app.kind in kinds else ()
        for name, cell in _cells(rows, schema, person, account, app).items():
            cells.setdefault(name, {})[account.id or 0] = cell
    return cells


def _cells(
    rows: Sequence[mapping.Row], schema: Sequence[Attribute], person: planning.Person, account: Account, app: Connector
) -> dict[str, Cell]:
    """What one account holds for each of our attributes that a plain row maps; what differs is judged as for drift."""
    values, there = person.values, _there(account, app)
    outbound = mapping.compile_outbound(rows, schema)
    while_synced = frozenset(one.name for one in schema if one.while_synced)
    rules = planning.Rules(outbound, app.features, while_synced=while_synced)
    differs = {one.attribute: one for one in planning.differing(person, there, rules)}
    taken = mapping.compile_inbound(rows).take(account.observed, values, there.base, creating=False)
    live = there.situation is Situation.LINKED
    cells: dict[str, Cell] = {}
    for row in rows:
        if row.kind is not MappingKind.ATTRIBUTE or row.ours in cells:
            continue
        theirs = mapping.clean(account.observed.get(row.theirs))
        state: State = "differs"
        if row.theirs not in account.observed:
            state = "unknown"
        elif theirs == mapping.clean(values.get(row.ours)) or outbound.agrees(row.theirs, values, theirs):
            state = "same"
        elif row.theirs in differs:
            state = "drifted" if planning.moved_there(there, differs[row.theirs]) else "unsent"
        elif live and row.flows_in and (row.ours in taken.values or row.ours in taken.emptied):
            state = "coming"
        cells[row.ours] = Cell(row.theirs, theirs, state, row.owner)
    return cells


def _there(account: Account, app: Connector) -> planning.There:
    judged = protection.judge(account.anchor, account.name, account.standing, account.intent, app.facts, app.scope)
    return planning.There(
        Situation(account.situation),
        account.anchor,
        account.enabled,
        account.observed,
        account.absorbed or None,
        account.removed,
        protection=judged,
    )


def _lines(
    values: Mapping[str, str | None],
    origins: Mapping[str, Any],
    apps: Mapping[int | None, str],
    cells: Mapping[str, Mapping[int, Cell]],
    labels: Mapping[str, str],
) -> tuple[Line, ...]:
    """The attributes that hold something or are mapped, in the order of the profile, custom ones after."""
    order = [*labels, *(name for name in values if name not in labels)]
    return tuple(
        Line(name, labels.get(name, name), values.get(name), _source(origins.get(name), apps), cells.get(name, {}))
        for name in order
        if values.get(name) or name in cells
    )


def _source(origin: Any, apps: Mapping[int | None, str]) -> str:
    """The app an attribute's value came from; empty when it was entered here or the app is gone."""
    return apps.get(origin[0], "") if isinstance(origin, list) and origin else ""


def _manager(session: Session, user: User, apps: Mapping[int | None, str]) -> tuple[int, str, str] | None:
    found = named(session, user.tenant_id, [user.manager_id] if user.manager_id else [])
    return next(((number, name, _source(user.origins.get("manager_id"), apps)) for number, name in found.items()), None)


def _view(account: Account, app: Connector, cells: Mapping[str, Mapping[int, Cell]]) -> AccountView:
    number = account.id or 0
    drifted = sum(1 for by_account in cells.values() if number in by_account and by_account[number].state == "drifted")
    return AccountView(
        id=number,
        app_id=app.id or 0,
        app=app.name,
        kind=app.kind,
        situation=Situation(account.situation),
        name=account.name,
        anchor=account.anchor,
        enabled=account.enabled,
        standing=_standing(account, app),
        observed_at=account.observed_at,
        drifted=drifted,
    )


def _standing(account: Account, app: Connector) -> dict[str, Any]:
    """What sets the account apart; that its domain is federated is a fact of the app, not of the account."""
    domain = account.name.rpartition("@")[2]
    federated = {str(one.get("name", "")).casefold() for one in app.facts.get("domains") or () if one.get("federated")}
    return {**account.standing, **({"federated": True} if domain and domain in federated else {})}
