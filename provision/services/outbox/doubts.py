"""Operations whose outcome nobody knows: looked up, never sent again before that; and what a dead worker left behind.

Owns what follows a look-up and a death; never looks itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.planning import Found, Plan, Sent, judge_found
from provision.core.ports import GROUP_NAME, OutsideError, Record, Refused, Throttled, Unauthorised, Unreachable
from provision.core.ports import Outcome as Answer
from provision.core.retry import LOOK_UP_WAITS, Act, Decision
from provision.core.vocabulary import OperationKind, OperationState, Outcome
from provision.db import among, for_update, unlocked
from provision.services import events
from provision.services.outbox.claiming import LEASE, Claimed
from provision.services.outbox.enqueueing import waiting
from provision.services.outbox.reckoning import (
    ACCOUNTS,
    IN_FLIGHT,
    OPERATIONS,
    UNFINISHED,
    WAITING,
    App,
    Case,
    Row,
    accounts,
    people,
    stands,
)
from provision.services.outbox.settlement import SUPERSEDED, Appear, Result, Settlement, begin, held, order_of
from provision.services.outbox.settling import back, done

CONFLICTS = frozenset({"value_taken", "value_taken_there"})
DEADLY = 3


@dataclass(frozen=True)
class Doubt:
    """One create whose outcome is open. ``sent``: its identifying values; ``mark``: attribute and value to find it by."""

    claimed: Claimed
    sent: Mapping[str, str | None]
    mark: tuple[str, str] | None


@dataclass(frozen=True)
class Look:
    """What a look-up found, or why it could not look."""

    by_correlation: Record | None = None
    by_name: Record | None = None
    error: OutsideError | None = None


def doubts(session: Session, app: App, now: datetime, limit: int) -> list[Doubt]:
    """Take the unknown operations whose next look-up is due; like a claim, but nothing is sent."""
    due = sa.or_(OPERATIONS.c.lease_until.is_(None), OPERATIONS.c.lease_until <= now)
    query = sa.select(OPERATIONS).where(
        OPERATIONS.c.connector_id == app.id,
        stands(OPERATIONS.c.state, *UNFINISHED),
        stands(OPERATIONS.c.state, OperationState.UNKNOWN),
        OPERATIONS.c.due_at <= now,
        due,
    )
    query = query.order_by(OPERATIONS.c.due_at, OPERATIONS.c.id).limit(limit)
    found = [dict(row) for row in session.execute(unlocked(session, query)).mappings()]
    rows = {row["id"]: row for row in accounts(session, app, ACCOUNTS.c.id.in_([one["account_id"] for one in found]))}
    persons = people(session, app.tenant_id, [row["user_id"] for row in rows.values()])
    for one in found:
        taken = {"fence": one["fence"] + 1, "lease_until": now + LEASE}
        session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == one["id"]).values(**taken))
    return [_doubt(app, one, rows[one["account_id"]], persons, now) for one in found]


def resolve(
    session: Session,
    app: App,
    looks: Sequence[tuple[Doubt, Look]],
    *,
    appear: Appear,
    now: datetime,
    kinds: Mapping[Any, Any],
    chance: float,
) -> Counter[str]:
    """Adopt what is ours, block what is somebody else's, look again, or send the same once more."""
    claimed = [doubt.claimed for doubt, _ in looks]
    ids = [one.operation["account_id"] for one in claimed]
    found = [record for _, look in looks for record in (look.by_correlation, look.by_name) if record is not None]
    anchors = [record.anchor for record in found]
    work, rows = begin(session, app, ids, anchors, appear, order_of(now, kinds), chance)
    ours = held(session, claimed, OperationState.UNKNOWN)
    for doubt, look in looks:
        account = rows[doubt.claimed.operation["account_id"]]
        if doubt.claimed.id not in ours:
            work.counts["lost"] += 1
        elif look.error is not None:
            _blind(work, doubt, look.error, account)
        else:
            _judge(work, doubt, look, account)
    return work.finish()


def recover(session: Session, now: datetime, *, expired_only: bool = False) -> Counter[str]:
    """A worker died: turn what it had in flight to rest. Call it as the new leader, before anything is claimed.

    Creates become *unknown*, the rest *pending*, and each goes alone from then on. Whoever was in flight alone at three
    deaths is poison. ``expired_only``: other workers live, so only rows whose lease is over are meant.
    """
    flying = (stands(OPERATIONS.c.state, *IN_FLIGHT), stands(OPERATIONS.c.state, OperationState.RUNNING))
    query = sa.select(OPERATIONS).where(*flying)
    if expired_only:
        query = query.where(OPERATIONS.c.lease_until <= now)
    # Sorted here: asked for in order of id, SQLite would walk over everything that was ever done.
    left = sorted(
        (dict(row) for row in session.execute(for_update(session, query)).mappings()), key=lambda row: row["id"]
    )
    behind = waiting(session, [row["account_id"] for row in left], WAITING)
    counts: Counter[str] = Counter()
    for row in left:
        counts[_laid_to_rest(session, row, behind.get(row["account_id"]), now, alone=len(left) == 1)] += 1
    if not expired_only:
        # A look-up that was under way is simply made again.
        unknown = (stands(OPERATIONS.c.state, *IN_FLIGHT), stands(OPERATIONS.c.state, OperationState.UNKNOWN))
        stuck = (*unknown, OPERATIONS.c.lease_until.is_not(None))
        freed = {"lease_until": None, "fence": OPERATIONS.c.fence + 1}
        session.execute(sa.update(OPERATIONS).where(*stuck).values(**freed))
    return counts


# -- After a look-up -----------------------------------------------------------------------------------------------------


def _doubt(app: App, operation: Row, account: Row, persons: Mapping[int, Row], now: datetime) -> Doubt:
    sent = account["intent"].get("sent", {})
    changes = {name: (pair[0], pair[1]) for name, pair in operation["changes"].items()}
    group = account["group_id"] is not None
    targets = (GROUP_NAME,) if group else app.rules.outbound.targets
    values = {name: pair[1] for name, pair in changes.items() if name in targets}
    plan = Plan(OperationKind.CREATE, values=values, enabled=True, group=group, changes=changes)
    person = {"display_name": values.get(GROUP_NAME)} if group else persons.get(account["user_id"])
    case = Case(account, person, plan)
    at = operation["sent_at"] or now
    claimed = Claimed(operation, case, operation["fence"] + 1, operation["attempts"], at)
    return Doubt(claimed, sent, app.mark(account))


def _judge(work: Settlement, doubt: Doubt, look: Look, account: Row) -> None:
    operation = doubt.claimed.operation
    found = look.by_correlation or look.by_name
    created = None if look.by_name is None else work.appear(look.by_name.values).created_at
    sent = Sent(
        values=doubt.sent,
        at=account["sent_at"] or work.now,
        correlated=doubt.mark is not None,
        conflicted=(operation["error"] or {}).get("code") in CONFLICTS,
        looks=operation["looks"] + 1,
    )
    one = Result(doubt.claimed, Answer(record=found), account)
    match judge_found(look.by_correlation, look.by_name, created, sent, work.now):
        case Found.OURS:
            done(work, one, "account.adopted")
            work.counts["adopted"] += 1
        case Found.FOREIGN:
            _foreign(work, one, look.by_name)
        case Found.WAIT:
            wait = LOOK_UP_WAITS[min(sent.looks, len(LOOK_UP_WAITS) - 1)]
            _look_again(work, doubt, wait, looks=sent.looks)
        case Found.NOBODY:
            error = Unreachable("connection_lost", sent=True)
            back(work, Result(doubt.claimed, Answer(error=error), account), Decision(Act.RETRY, 0.0))


def _foreign(work: Settlement, one: Result, other: Record | None) -> None:
    """Somebody else has the name: theirs is not touched, and a person decides."""
    name = work.appear(other.values).name if other else one.account["name"]
    error = Refused("name_taken", name=name, anchor=other.anchor) if other else Refused("name_taken_unseen", name=name)
    work.forget_name(one, surely=True)
    work.block(one, error)


def _look_again(work: Settlement, doubt: Doubt, seconds: float, **more: Any) -> None:
    until = work.now + timedelta(seconds=seconds)
    work.change(doubt.claimed.id, due_at=until, lease_until=None, **more)
    work.counts["looking"] += 1


def _blind(work: Settlement, doubt: Doubt, error: OutsideError, account: Row) -> None:
    """The look-up itself failed: that says nothing about what is there."""
    if isinstance(error, Refused):
        work.block(Result(doubt.claimed, Answer(error=error), account), error)
        return
    if isinstance(error, Unauthorised):
        work.quarantine(error)
    elif isinstance(error, Throttled):
        work.rest(error.after)
    _look_again(work, doubt, LOOK_UP_WAITS[-1])


# -- After a death -------------------------------------------------------------------------------------------------------


def _laid_to_rest(session: Session, row: Row, behind: Row | None, now: datetime, *, alone: bool) -> str:
    deaths = row["deaths"] + alone
    values: dict[str, Any] = {"deaths": deaths, "fence": row["fence"] + 1, "lease_until": None, "alone": True}
    values["error"] = {"code": "worker_broke", "params": {}}
    word = "pending"
    if deaths >= DEADLY:
        values |= {"state": OperationState.FAILED.value, "settled_at": now, "error": {"code": "poison", "params": {}}}
        _tell_poison(session, row, now)
        word = "poison"
    elif row["kind"] == OperationKind.CREATE:
        values |= {"state": OperationState.UNKNOWN.value, "due_at": now, "looks": 0}
        word = "unknown"
    elif behind is not None:
        values |= {"state": OperationState.CANCELLED.value, "settled_at": now, "error": SUPERSEDED}
        carried = {"alone": True, "deaths": deaths}
        session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == behind["id"]).values(**carried))
        word = "superseded"
    else:
        values |= {"state": OperationState.PENDING.value, "due_at": now}
    session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == row["id"]).values(**values))
    return word


def _tell_poison(session: Session, row: Row, now: datetime) -> None:
    query = sa.select(ACCOUNTS.c.user_id, ACCOUNTS.c.name).where(among(session, ACCOUNTS.c.id, [row["account_id"]]))
    user_id, name = session.execute(query).one()
    entry = events.Entry(
        actor=row["created_by"],
        action="operation.failed",
        outcome=Outcome.FAILED,
        user_id=user_id,
        account_id=row["account_id"],
        connector_id=row["connector_id"],
        operation_id=row["id"],
        names={"user": name, "address": name},
        text={"code": "poison", "params": {}, "kind": row["kind"]},
    )
    events.append(session, row["tenant_id"], [entry], now)
