"""The beginning of a cycle, and its untimely end. Owns what the row of a cycle starts from; reads nothing outside."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import CycleKind, CycleState, Outcome, Situation
from provision.services import events
from provision.services.cycles.frame import COUNTS
from provision.services.cycles.observing import ACCOUNTS, SIGHTINGS
from provision.services.present import NO_GROUP, known

ABSORBABLE = tuple(
    situation.value for situation in (Situation.LINKED, Situation.UNLINKED, Situation.UNMATCHED, Situation.DISPUTED)
)
"""Situations in which an account may be taken over, if it is stale."""


def start(session: Session, cycle: Cycle, connector: Connector, now: datetime, *, pulled: bool = True) -> None:
    """Mark a requested cycle running, and remember what its end is judged against.

    An app that is not ``pulled`` sends its changes by itself: there is nothing to read, so nothing is missing from it.
    """
    cycle.state, cycle.started_at, cycle.progress_at = CycleState.RUNNING, now, now
    cycle.counts, cycle.watermark_before = dict.fromkeys(("pages", *COUNTS), 0), connector.watermark
    full = pulled and (cycle.options.get("full") or not connector.watermark)
    cycle.kind = CycleKind.INITIAL if full else CycleKind.INCREMENTAL
    there = known(session, connector.id or 0)
    cycle.options = {
        **cycle.options,
        "first": not there,
        "known": there,
        "mapping_version": connector.mapping_version,
        "walk_began_at": now.isoformat(),
    }
    session.flush()
    told = {"kind": cycle.kind, "preview": bool(cycle.options.get("preview"))}
    tell(session, cycle, connector.name, "cycle.started", Outcome.DONE, told, now)


def rests(cycle: Cycle, connector: Connector, now: datetime) -> bool:
    """Whether a cycle waits, because the outside asked for it or could not be reached."""
    at = goes_on_at(cycle, connector)
    return at is not None and now < at


def goes_on_at(cycle: Cycle, connector: Connector) -> datetime | None:
    """Until when a cycle waits by itself; None when it never had to."""
    again_at = cycle.options.get("again_at")
    waits = (datetime.fromisoformat(again_at) if again_at else None, connector.rests_until)
    return max((at for at in waits if at is not None), default=None)


def mark_stale(session: Session, connector: Connector) -> None:
    """After the mapping changed, every account is judged again."""
    if connector.absorbed_version == connector.mapping_version:
        return
    session.execute(
        sa.update(ACCOUNTS)
        .where(ACCOUNTS.c.connector_id == connector.id, ACCOUNTS.c.situation.in_(ABSORBABLE), NO_GROUP)
        .values(stale=True)
    )
    connector.absorbed_version = connector.mapping_version
    session.flush()


def close(session: Session, cycle: Cycle, state: CycleState, error: Mapping[str, Any] | None, now: datetime) -> None:
    """End a cycle that was stopped or failed. What it has taken over stays; the watermark does not move."""
    cycle.state, cycle.ended_at, cycle.error = state, now, dict(error) if error else None
    session.execute(sa.delete(SIGHTINGS).where(SIGHTINGS.c.cycle_id == cycle.id))
    session.flush()
    app = session.exec(select(Connector.name).where(Connector.id == cycle.connector_id)).one()
    told = {"counts": cycle.counts, **({"error": dict(error)} if error else {})}
    outcome = Outcome.FAILED if state == CycleState.FAILED else Outcome.DONE
    tell(session, cycle, app, f"cycle.{CycleState(state).value}", outcome, told, now)


def tell(
    session: Session, cycle: Cycle, app: str, action: str, outcome: Outcome, text: Mapping[str, Any], now: datetime
) -> None:
    """Write down what happened to a cycle as a whole."""
    entry = events.Entry(
        actor=cycle.requested_by,
        action=action,
        outcome=outcome,
        connector_id=cycle.connector_id,
        cycle_id=cycle.id,
        names={"app": app},
        text=text,
    )
    events.append(session, cycle.tenant_id, [entry], now)
