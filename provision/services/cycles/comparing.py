"""The comparison at the end of a cycle: what linked accounts hold beside what the mapping owns.

Owns which accounts a cycle compares and the rows that remember what differs; asks nothing outside, pushes nothing and takes
nothing over. Whoever is in line costs no write.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.mapping import Change
from provision.core.planning import Compared, compared
from provision.core.tables import Connector, Cycle, Drift, Operation
from provision.core.vocabulary import CycleKind, DriftChoice, OperationState, Situation
from provision.db import among, insert_many, moment, reserve, update_many
from provision.services import events, outbox
from provision.services.cycles.frame import Frame
from provision.services.cycles.observing import ACCOUNTS
from provision.services.cycles.taking import Part

DRIFTS: sa.Table = Drift.__table__  # type: ignore[attr-defined]
OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_LINKED: tuple[Any, ...] = (
    ACCOUNTS.c.situation == Situation.LINKED.value,
    ACCOUNTS.c.anchor.is_not(None),
    ACCOUNTS.c.user_id.is_not(None),
)
_UNFINISHED = [OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN, OperationState.BLOCKED]
_ON_ITS_WAY = sa.exists().where(
    OPERATIONS.c.account_id == ACCOUNTS.c.id,
    OPERATIONS.c.state.in_([sa.literal_column(f"'{state.value}'") for state in _UNFINISHED]),
)


def comparable(cycle: Cycle, frame: Frame) -> list[tuple[Any, ...]]:
    """Which accounts this cycle compares, as lists of conditions.

    A comparison: all that are linked. A walk over changes: what it saw, and what differed before. An import of everything
    compares nothing by itself; the day's comparison will. Where nothing is sent, nothing is compared.
    """
    if not frame.sent_to:
        return []
    known = (ACCOUNTS.c.id.in_(sa.select(DRIFTS.c.account_id).where(DRIFTS.c.connector_id == cycle.connector_id)),)
    if cycle.options.get("compare"):
        return [(*_LINKED, ~_ON_ITS_WAY), known]
    if cycle.kind != CycleKind.INCREMENTAL:
        return [known]
    began = datetime.fromisoformat(cycle.options["walk_began_at"])
    seen = [(*_LINKED, ~_ON_ITS_WAY, ACCOUNTS.c.observed_at >= began)] if cycle.counts.get("seen") else []
    return [*seen, known]


def compare(session: Session, frame: Frame, numbers: Sequence[int], kinds: Mapping[Any, Any], now: datetime) -> Part:
    """Compare these accounts, in a handful of statements whatever their number, and remember what changed about them.

    An account with a change on its way is left for later: it differs because of that.
    """
    query = select(Connector).where(Connector.tenant_id == frame.tenant_id, Connector.id == frame.connector_id)
    connector = session.exec(query).one()
    part = Part()
    app = outbox.app_of(session, connector, kinds)
    rows = outbox.accounts(session, app, among(session, ACCOUNTS.c.id, numbers), ~_ON_ITS_WAY)
    known = _known(session, [row["id"] for row in rows])
    changed: list[tuple[outbox.Met, Compared]] = []
    for met in outbox.drifting(session, app, rows):
        before = {name: fingerprint for name, (_, fingerprint) in known.get(met.account["id"], {}).items()}
        if moved := compared(before, met.differs, met.drifted):
            changed.append((met, moved))
    _write(session, frame, changed, known, now)
    for met, moved in changed:
        if differs := (*moved.news, *moved.moved):
            part.counts["drifted"] += len(differs)
            part.entries.append(_entry(frame, met, differs))
    return part


def _known(session: Session, ids: Sequence[int]) -> dict[int, dict[str, tuple[int, str]]]:
    """Account → attribute → its row and fingerprint."""
    found: dict[int, dict[str, tuple[int, str]]] = {}
    query = sa.select(DRIFTS.c.account_id, DRIFTS.c.attribute, DRIFTS.c.id, DRIFTS.c.fingerprint).where(
        among(session, DRIFTS.c.account_id, ids)
    )
    for account, attribute, number, fingerprint in session.execute(query):
        found.setdefault(account, {})[attribute] = (number, fingerprint)
    return found


def _write(
    session: Session,
    frame: Frame,
    changed: Sequence[tuple[outbox.Met, Compared]],
    known: Mapping[int, Mapping[str, tuple[int, str]]],
    now: datetime,
) -> None:
    at, fresh = moment(session, now), [(met.account["id"], one) for met, moved in changed for one in moved.news]
    opened = DriftChoice.OPEN.value
    fixed = (frame.tenant_id, frame.connector_id)
    rows = [
        (number, *fixed, account, one.attribute, one.fingerprint, opened, at, "")
        for number, (account, one) in zip(reserve(session, DRIFTS, len(fresh)) if fresh else (), fresh, strict=True)
    ]
    columns = ("id", "tenant_id", "connector_id", "account_id", "attribute", "fingerprint", "choice", "seen_at")
    insert_many(session, DRIFTS, (*columns, "chosen_by"), rows)
    again = [
        (one.fingerprint, opened, at, "", None, known[met.account["id"]][one.attribute][0])
        for met, moved in changed
        for one in moved.moved
    ]
    update_many(session, DRIFTS, ("fingerprint", "choice", "seen_at", "chosen_by", "chosen_at"), again)
    over = [known[met.account["id"]][name][0] for met, moved in changed for name in moved.over]
    if over:
        session.execute(sa.delete(DRIFTS).where(among(session, DRIFTS.c.id, over)))


def _entry(frame: Frame, met: outbox.Met, differs: Sequence[Change]) -> events.Entry:
    return events.Entry(
        actor=frame.actor,
        action="account.drifted",
        user_id=met.account["user_id"],
        account_id=met.account["id"],
        connector_id=frame.connector_id,
        cycle_id=frame.cycle_id,
        before={one.attribute: one.becomes for one in differs},
        after={one.attribute: one.was for one in differs},
        names={**met.names, "app": frame.app},
    )
