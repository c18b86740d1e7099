"""The rows of an app's mapping: reading, judging and replacing them.

Owns every write to ``mappings``; never sends, takes over or enqueues anything.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from provision.core import limits, scoping, tables
from provision.core.mapping import Row, RowProblem, compile_inbound, judge_rows
from provision.core.ports import Attribute
from provision.core.tables import Connector
from provision.core.vocabulary import Direction
from provision.services import connectors, events
from provision.services.errors import Conflict, Invalid, ServiceError
from provision.services.mappings.attributes import user_attributes

_COMPARED = ("ours", "theirs", "kind", "flow", "owner", "matching_priority")


class Unfit(ServiceError):
    """Rows that cannot be saved; ``problems`` says which, where and why, in codes of the form ``mapping_…``."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(f"mapping_{first.message_code}", **first.params)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants saved at once: rows top to bottom, switches by name, approval and settings (None: as they are)."""

    rows: Sequence[Row]
    switches: Mapping[str, bool]
    approval: str | None = None
    settled: Mapping[str, Any] | None = None


def rows(session: Session, tenant_id: int, connector_id: int) -> list[Row]:
    """The rows of one app, top to bottom."""
    return [Row.of(stored) for stored in _stored(session, tenant_id, connector_id)]


def seen(session: Session, tenant_id: int, connector_id: int) -> str:
    """What a form was made from, in a few characters; ``save`` refuses when it is something else by then."""
    row = connectors.get(session, tenant_id, connector_id)
    told = [
        row.mapping_version,
        row.features,
        row.approval,
        connectors.Settled.now(row).model_dump(mode="json"),
        [asdict(one) for one in rows(session, tenant_id, connector_id)],
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def save(
    session: Session,
    tenant_id: int,
    connector_id: int,
    wanted: Sequence[Row],
    schema: Sequence[Attribute],
    actor: str,
    now: datetime,
) -> Connector:
    """Replace the rows of an app, writing only those that differ. Nothing is sent or taken over by it.

    A change of what flows in makes every account due again at the next import; an attribute that was never read makes it
    read everybody. Raises Unfit.
    """
    connector = connectors.get(session, tenant_id, connector_id, lock=True)
    wanted = [_bare(row, position) for position, row in enumerate(wanted)]
    judge(session, tenant_id, wanted, schema)
    _judge_marked(wanted, connectors.Settled.now(connector).correlation)
    before = rows(session, tenant_id, connector_id)
    if before == wanted:
        return connector
    _replace(session, connector, wanted)
    was, becomes = compile_inbound(before), compile_inbound(wanted)
    if _inward(before) != _inward(wanted):
        connector.mapping_version += 1
    if set(becomes.attributes) - set(was.attributes):
        connector.watermark = None
    session.add(connector)
    session.flush()
    _tell(session, connector, before, wanted, actor, now)
    return connector


def save_page(
    session: Session,
    tenant_id: int,
    connector_id: int,
    wanted: Wanted,
    schema: Sequence[Attribute],
    loaded: str,
    actor: str,
    now: datetime,
) -> Connector:
    """Settings, rows and switches together, or none. Raises Conflict when someone saved since ``loaded``, else as they do."""
    connector = connectors.get(session, tenant_id, connector_id, lock=True)
    if loaded != seen(session, tenant_id, connector_id):
        raise Conflict("mapping_changed_meanwhile")
    judge(session, tenant_id, wanted.rows, schema)
    if wanted.settled is not None:
        judge_settled(session, connector, wanted.settled, wanted.rows, schema)
        connectors.settle(session, tenant_id, connector_id, wanted.settled, actor, now)
    save(session, tenant_id, connector_id, wanted.rows, schema, actor, now)
    return connectors.features(session, tenant_id, connector_id, wanted.switches, wanted.approval, actor, now)


def settle(
    session: Session,
    tenant_id: int,
    connector_id: int,
    given: Mapping[str, Any],
    schema: Sequence[Attribute],
    actor: str,
    now: datetime,
) -> Connector:
    """Change some of an app's settings, judged by its mapping as it stands. Raises Invalid."""
    connector = connectors.get(session, tenant_id, connector_id, lock=True)
    judge_settled(session, connector, given, rows(session, tenant_id, connector_id), schema)
    return connectors.settle(session, tenant_id, connector_id, given, actor, now)


def judge_settled(
    session: Session,
    connector: Connector,
    given: Mapping[str, Any],
    wanted: Sequence[Row],
    schema: Sequence[Attribute],
) -> None:
    """Refuse settings that cannot be, or that these rows forbid; a mark that stays is the rows' affair. Raises Invalid."""
    becomes = connectors.Settled.after(connector, given)
    judge_scope(session, connector.tenant_id, given)
    mark = becomes.correlation
    if mark == connectors.Settled.now(connector).correlation:
        return
    if (code := limits.unfit_mark(mark, schema, wanted)) is not None:
        raise Invalid({"correlation": code}, attribute=mark, choices=", ".join(limits.marks(schema)))


def judge_scope(session: Session, tenant_id: int, settled: Mapping[str, Any]) -> None:
    """Refuse a rule about whom an app is for that cannot work, each condition at its place. Raises Invalid."""
    names = user_attributes(session, tenant_id)
    rows = scoping.conditions(settled.get("rule") or ())
    found = {number: code for number, row in enumerate(rows) if (code := scoping.problem(row, names))}
    if found:
        first = rows[next(iter(found))]
        problems = {f"rule-{number}": code for number, code in found.items()}
        raise Invalid(problems, attribute=first.attribute[:80], operator=first.operator[:40])


def judge(session: Session, tenant_id: int, wanted: Sequence[Row], schema: Sequence[Attribute]) -> None:
    """Refuse rows that cannot work, all at once. Raises Unfit."""
    problems = judge_rows(wanted, user_attributes(session, tenant_id), schema)
    problems += _read_twice(wanted)
    if problems:
        raise Unfit(problems)


def _judge_marked(wanted: Sequence[Row], mark: str | None) -> None:
    """Nothing else goes where what we create is marked: it would be taken for a person's value, or overwritten."""
    if mark is None:
        return
    found = [index for index, row in enumerate(wanted) if limits.uses(row, mark)]
    if found:
        raise Unfit([RowProblem(index, "theirs", "kept_for_the_mark", {"attribute": mark}) for index in found])


def _stored(session: Session, tenant_id: int, connector_id: int) -> list[tables.Mapping]:
    query = select(tables.Mapping).where(
        tables.Mapping.tenant_id == tenant_id, tables.Mapping.connector_id == connector_id
    )
    return list(session.exec(query.order_by(col(tables.Mapping.position), col(tables.Mapping.id))))


def _bare(row: Row, position: int) -> Row:
    return replace(row, ours=row.ours.strip(), theirs=row.theirs.strip(), position=position)


def _replace(session: Session, connector: Connector, wanted: Sequence[Row]) -> None:
    """Delete what is no longer wanted first, so that no row meets its successor under the unique constraint."""
    assert connector.id is not None  # noqa: S101 - it was read from the table
    kept = {(one.direction, one.theirs): one for one in _stored(session, connector.tenant_id, connector.id)}
    names = {(row.direction, row.theirs) for row in wanted}
    for name, one in kept.items():
        if name not in names:
            session.delete(one)
    session.flush()
    for row in wanted:
        known = kept.get((row.direction, row.theirs))
        if known is None:
            session.add(tables.Mapping(tenant_id=connector.tenant_id, connector_id=connector.id, **asdict(row)))
        elif Row.of(known) != row:
            session.add(known.sqlmodel_update(asdict(row)))
    session.flush()


def _inward(of: Sequence[Row]) -> set[tuple[Any, ...]]:
    """What decides how accounts are matched and taken over; the order of rows and what flows out do not."""
    return {tuple(getattr(row, name) for name in _COMPARED) for row in of if row.flows_in or row.rule}


def _read_twice(wanted: Sequence[Row]) -> Iterator[RowProblem]:
    met: set[tuple[Direction, str]] = set()
    for index, row in enumerate(wanted):
        if row.direction is Direction.IN and (row.direction, row.theirs) in met:
            yield RowProblem(index, "theirs", "read_twice", {"attribute": row.theirs})
        met.add((row.direction, row.theirs))


def _tell(
    session: Session, connector: Connector, before: Sequence[Row], after: Sequence[Row], actor: str, now: datetime
) -> None:
    was, becomes = ({f"{row.theirs} ({row.direction})": _told(row) for row in side} for side in (before, after))
    moved = [name for name in {**was, **becomes} if was.get(name) != becomes.get(name)]
    entry = events.Entry(
        actor,
        "mapping.saved",
        connector_id=connector.id,
        before={name: was[name] for name in moved if name in was},
        after={name: becomes[name] for name in moved if name in becomes},
        names={"app": connector.name},
    )
    events.append(session, connector.tenant_id, [entry], now)


def _told(row: Row) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in ("theirs", "direction")}
