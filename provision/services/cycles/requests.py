"""What people, timers and commands ask of a connector, and what they may know of a cycle. Never runs one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, ConnectorState, CycleKind, CycleState, Feature
from provision.db import for_update
from provision.services.errors import Conflict, NotFound, ServiceError

COMPARED_EVERY = timedelta(days=1)
UNFINISHED: Any = col(Cycle.state).in_([sa.literal_column(f"'{state}'") for state in UNFINISHED_CYCLES])
"""Asked for or running, word for word as the partial index has it: SQLite uses one only then, and would look at every cycle
there ever was."""


def request(  # noqa: PLR0913 – what is asked for, all by name
    session: Session,
    tenant_id: int,
    connector_id: int,
    actor: str,
    now: datetime,
    *,
    preview: bool = False,
    full: bool = False,
    compare: bool = False,
    chosen: list[int] | None = None,
) -> Cycle:
    """Ask for a cycle; one that is already under way is returned instead, so a double click asks once.

    ``preview`` observes and counts only; ``full`` reads everything; ``compare`` reads everything, takes nothing over and
    compares what is linked with what the mapping owns; ``chosen`` takes over just these accounts. Refused with the reason
    when Import User is off, or when the app is paused or in quarantine.
    """
    # Locked, so that two who ask at once get the same cycle.
    query = select(Connector).where(Connector.tenant_id == tenant_id, Connector.id == connector_id)
    connector: Connector | None = session.exec(for_update(session, query)).first()
    if connector is None:
        raise NotFound("no_such_app")
    if code := barred(connector):
        raise ServiceError(code, app=connector.name)
    options: dict[str, Any] = {"preview": preview or compare, "full": full or compare}
    if compare:
        options["compare"] = True
    if chosen is not None:
        options["chosen"] = sorted(set(chosen))
    waiting = unfinished(session, tenant_id, connector_id)
    if waiting is not None:
        if not _covers(waiting.options, options):
            raise Conflict("cycle_under_way", app=connector.name)
        return waiting
    cycle = Cycle(
        tenant_id=tenant_id,
        connector_id=connector_id,
        kind=CycleKind.INCREMENTAL if connector.watermark and not options["full"] else CycleKind.INITIAL,
        options=options,
        requested_by=actor,
        requested_at=now,
        watermark_before=connector.watermark,
    )
    session.add(cycle)
    session.flush()
    return cycle


def request_due(
    session: Session, tenant_id: int, connector_id: int, now: datetime, *, compare: bool = False
) -> Cycle | None:
    """Ask by the timetable: only if it is still due, since every process has timers. None when another one was quicker.

    Raises what ``request`` raises.
    """
    query = select(Connector).where(Connector.tenant_id == tenant_id, Connector.id == connector_id)
    connector: Connector | None = session.exec(for_update(session, query)).first()
    if connector is not None and not (_compares if compare else _is_due)(session, connector, now):
        return None
    return request(session, tenant_id, connector_id, "schedule", now, compare=compare)


def barred(connector: Connector) -> str | None:
    """Why this app may not import now, as a remedy code; None when it may."""
    if not connector.features.get(Feature.IMPORT):
        return "import_off"
    if connector.state == ConnectorState.PAUSED:
        return "app_paused"
    if connector.state == ConnectorState.QUARANTINED:
        return "app_quarantined"
    return None


def stop(session: Session, tenant_id: int, cycle_id: int, actor: str, now: datetime) -> Cycle:
    """Ask a running cycle to stop; it does within seconds. What it has taken over so far stays."""
    query = select(Cycle).where(Cycle.tenant_id == tenant_id, Cycle.id == cycle_id)
    cycle: Cycle | None = session.exec(for_update(session, query)).first()
    if cycle is None:
        raise NotFound("no_such_cycle")
    if cycle.state == CycleState.REQUESTED:
        cycle.state, cycle.ended_at = CycleState.STOPPED, now
    elif cycle.state == CycleState.RUNNING:
        cycle.stop_requested = True
    cycle.options = {**cycle.options, "stopped_by": actor}
    session.add(cycle)
    return cycle


def show(session: Session, tenant_id: int, cycle_id: int) -> Cycle:
    """One cycle of this tenant. Raises NotFound."""
    cycle = session.exec(select(Cycle).where(Cycle.tenant_id == tenant_id, Cycle.id == cycle_id)).first()
    if cycle is None:
        raise NotFound("no_such_cycle")
    return cycle


def unfinished(session: Session, tenant_id: int, connector_id: int) -> Cycle | None:
    """The cycle of this connector that is asked for or running."""
    query = select(Cycle).where(Cycle.tenant_id == tenant_id, Cycle.connector_id == connector_id, UNFINISHED)
    return session.exec(query).first()


def under_way(session: Session) -> list[tuple[Cycle, Connector]]:
    """Every cycle that is asked for or running, with its connector, in the order in which they were asked for."""
    query = select(Cycle, Connector).where(col(Connector.id) == col(Cycle.connector_id), UNFINISHED)
    return list(session.exec(query.order_by(col(Cycle.id))).all())


def latest(session: Session, tenant_id: int, connector_id: int) -> Cycle | None:
    """The newest cycle of this connector, whatever its state."""
    return next(iter(history(session, tenant_id, connector_id, limit=1)), None)


def held(session: Session, tenant_id: int, connector_id: int) -> Cycle | None:
    """The cycle whose held list waits for an answer: the newest that takes away, whatever was previewed since."""
    for cycle in history(session, tenant_id, connector_id, limit=200):
        if takes_away(cycle) and cycle.started_at is not None:
            return cycle if cycle.state == CycleState.HELD and "answer" not in (cycle.held or {}) else None
    return None


def takes_away(cycle: Cycle) -> bool:
    """Whether this cycle applies at its end what vanished; previews and imports of chosen rows leave it for the next."""
    return not cycle.options.get("preview") and "chosen" not in cycle.options


def history(session: Session, tenant_id: int, connector_id: int, *, limit: int = 20) -> list[Cycle]:
    """The connector's cycles, newest first."""
    query = (
        select(Cycle)
        .where(Cycle.tenant_id == tenant_id, Cycle.connector_id == connector_id)
        .order_by(col(Cycle.id).desc())
        .limit(limit)
    )
    return list(session.exec(query).all())


def due(session: Session, now: datetime) -> list[Connector]:
    """Connectors whose scheduled import is due, reckoned from their last run, so that downtime is caught up once."""
    query = select(Connector).where(Connector.state == ConnectorState.ACTIVE, col(Connector.every_minutes).is_not(None))
    return [connector for connector in session.exec(query).all() if _is_due(session, connector, now)]


def comparison_due(session: Session, now: datetime) -> list[Connector]:
    """Connectors to be compared: a day after the last comparison was asked for, so that downtime is caught up once.

    What was never read is not compared; the first comparison comes a day after the first import.
    """
    query = select(Connector).where(Connector.state == ConnectorState.ACTIVE, col(Connector.watermark).is_not(None))
    return [connector for connector in session.exec(query).all() if _compares(session, connector, now)]


def last_comparison(session: Session, connector: Connector) -> Cycle | None:
    """The newest comparison of this connector, whatever its state."""
    query = select(Cycle).where(
        Cycle.tenant_id == connector.tenant_id,
        Cycle.connector_id == connector.id,
        col(Cycle.options)["compare"].as_boolean(),
    )
    return session.exec(query.order_by(col(Cycle.id).desc()).limit(1)).first()


def next_comparison(session: Session, connector: Connector) -> datetime | None:
    """When this connector is compared next by itself; None before its first import is done."""
    last = last_comparison(session, connector)
    if last is None:
        first = select(Cycle).where(Cycle.connector_id == connector.id, Cycle.state == CycleState.DONE)
        last = session.exec(first.order_by(col(Cycle.id)).limit(1)).first()
    return None if last is None else last.requested_at + COMPARED_EVERY


def covers_all(waiting: Mapping[str, Any]) -> bool:
    """Whether a cycle with these options does what one does for which nothing particular is asked."""
    return _covers(waiting, {"preview": False, "full": False})


def _covers(waiting: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    had = {"preview": False, "full": False, **waiting}
    same = all(had.get(name) == options.get(name) for name in ("preview", "compare", "chosen"))
    return same and (bool(had["full"]) or not options["full"])


def _compares(session: Session, connector: Connector, now: datetime) -> bool:
    at = None if barred(connector) else next_comparison(session, connector)
    return at is not None and at <= now


def _is_due(session: Session, connector: Connector, now: datetime) -> bool:
    if not connector.features.get(Feature.IMPORT) or not connector.every_minutes or connector.id is None:
        return False
    last = latest(session, connector.tenant_id, connector.id)
    if last is None:
        return True
    if last.state in UNFINISHED_CYCLES:
        return False
    return last.requested_at + timedelta(minutes=connector.every_minutes) <= now
