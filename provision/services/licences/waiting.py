"""Who waits for a seat, gathered by licence: what the queue says, and whether that is the last word.

Reads only. A licence of which nobody waits is not there, so what was short ends by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import LICENCES
from provision.core.tables import Connector, Operation
from provision.core.vocabulary import OperationState
from provision.services import connectors
from provision.services.outbox.reckoning import UNFINISHED, stands

OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_UNDER_WAY = (OperationState.RUNNING, OperationState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Shortage:
    """One licence of one app of which seats are lacking. ``people`` wait for one, ``blocked`` of them right now: the others
    are about to be tried again.
    """

    app_id: int
    app: str
    sku: str
    name: str
    people: int
    blocked: int


def short(session: Session, tenant_id: int) -> list[Shortage]:
    """The licences that people wait for, app by app."""
    apps = connectors.of(session, tenant_id)
    found = _waiting(session, [app.id or 0 for app in apps]) if apps else []
    told = [
        replace(one, app=app.name, name=_sold_as(app, one.sku) or one.name)
        for app in apps
        for one in found
        if one.app_id == app.id
    ]
    return sorted(told, key=lambda one: one.name.casefold())


def lacks(sku: str = "") -> list[sa.ColumnElement[bool]]:
    """The conditions that an operation waits for a seat, of one licence or of any that was named."""
    error, named = OPERATIONS.c.error, _sku()
    return [error["code"].as_string() == "no_seat", named == sku.lower() if sku else named != ""]


def undecided(session: Session, connector_id: int, sku: str, now: datetime) -> bool:
    """Whether somebody's seat of this licence is being asked for at this moment: then nobody knows yet who goes without."""
    state = OPERATIONS.c.state
    due = sa.and_(state == OperationState.PENDING.value, OPERATIONS.c.asks.is_(None), OPERATIONS.c.due_at <= now)
    query = sa.select(OPERATIONS.c.id).where(
        OPERATIONS.c.connector_id == connector_id,
        stands(state, *UNFINISHED),
        sa.or_(stands(state, *_UNDER_WAY), due),
        sa.or_(*(_carries(sku_as) for sku_as in dict.fromkeys((sku, sku.upper())))),
    )
    return session.scalar(query.limit(1)) is not None


def name_of(session: Session, tenant_id: int, connector_id: int, sku: str) -> str:
    """What a licence is called, whether it is short or not; its number where nothing better is known."""
    sold_as = _sold_as(connectors.get(session, tenant_id, connector_id), sku)
    told = (one.name for one in _waiting(session, [connector_id]) if one.sku == sku.lower())
    return sold_as or next(told, sku)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _sku() -> Any:
    return sa.func.lower(sa.func.coalesce(OPERATIONS.c.error[("params", "sku")].as_string(), ""))


def _carries(sku: str) -> Any:
    return OPERATIONS.c.changes[f"{LICENCES}.{sku}"].as_string().is_not(None)


def _waiting(session: Session, apps: Sequence[int]) -> list[Shortage]:
    """What is short, app by app and licence by licence, in one statement."""
    state = OPERATIONS.c.state
    rows = (
        sa.select(
            OPERATIONS.c.connector_id,
            _sku().label("sku"),
            OPERATIONS.c.error[("params", "licence")].as_string().label("name"),
            sa.case((state == OperationState.BLOCKED.value, 1), else_=0).label("blocked"),
        )
        .where(
            OPERATIONS.c.connector_id.in_(apps),
            stands(state, *UNFINISHED),
            stands(state, OperationState.BLOCKED, OperationState.PENDING),
            *lacks(),
        )
        .subquery()
    )
    query = sa.select(
        rows.c.connector_id, rows.c.sku, sa.func.max(rows.c.name), sa.func.count(), sa.func.sum(rows.c.blocked)
    ).group_by(rows.c.connector_id, rows.c.sku)
    return [
        Shortage(app, "", sku, name or sku, people, int(blocked))
        for app, sku, name, people, blocked in session.execute(query)
    ]


def _sold_as(app: Connector, sku: str) -> str:
    seats: Iterable[Any] = app.facts.get("seats") or ()
    one: Mapping[str, Any] = next((each for each in seats if str(each.get("sku", "")).lower() == sku.lower()), {})
    return str(one.get("name") or one.get("part") or "")
