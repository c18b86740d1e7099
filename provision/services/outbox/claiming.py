"""What may leave now: operations are claimed by a conditional change, planned again from the present, and marked as sent.

Owns the claim and the brake on what goes out; never sends anything and never waits.

    due → brake → candidates, nobody twice → plan again → nothing due, declined, asks again, or running
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import Session

from provision.core.planning import MARKED_IN, WHOLE, Plan, idle, judge_outgoing, sending, sent
from provision.core.ports import GROUP_NAME, Write
from provision.core.tables import Connector
from provision.core.vocabulary import (
    Approval,
    Asks,
    ConnectorState,
    OperationKind,
    OperationState,
    Outcome,
    Situation,
    key,
)
from provision.db import among, encoded, moment, unlocked, update_many
from provision.services import events
from provision.services.outbox.reckoning import (
    ACCOUNTS,
    IN_FLIGHT,
    OPERATIONS,
    UNFINISHED,
    App,
    Case,
    Row,
    accounts,
    reckon,
    stands,
)
from provision.services.present import linked

log = structlog.get_logger()
AT_ONCE = 20
LEASE = timedelta(minutes=5)
TAKING = (OperationKind.DISABLE.value, OperationKind.DELETE.value)
UNFIT = (ValueError, TypeError, ArithmeticError, RecursionError, LookupError)
"""What a value can do to a plan: our own fault, but one account's."""
_RUNNING = (
    "state", "kind", "changes", "fingerprint", "attempts", "fence", "lease_until", "sent_at", "error", "looks",
)  # fmt: skip


@dataclass(frozen=True)
class Claimed:
    """One operation on its way. ``fence`` guards its settlement: who comes with an older one has lost it."""

    operation: Row
    case: Case
    fence: int
    attempt: int
    sent_at: datetime

    @property
    def id(self) -> int:
        return int(self.operation["id"])

    @property
    def plan(self) -> Plan:
        return self.case.plan

    def write(self, app: App, reference: str, password: str | None) -> Write:
        """What is sent. ``password`` is used by a create only."""
        due = self.plan
        creates = due.kind is OperationKind.CREATE
        return Write(
            kind=due.kind or OperationKind.UPDATE,
            anchor=due.anchor,
            reference=reference,
            values=due.values,
            enabled=due.enabled,
            manager=due.manager,
            moves_manager=due.moves_manager,
            licences=due.licences,
            password=password if creates and not due.group else None,
            correlation=app.mark(self.case.account) if creates else None,
            despite_bin=due.despite_bin,
            group=due.group,
            members=due.members,
        )


@dataclass
class Claim:
    """What a claim brought: operations that run now, and what happened to those that do not."""

    running: list[Claimed] = field(default_factory=list)
    nothing: int = 0
    cancelled: int = 0
    asks: int = 0


def open_for(connector: Connector, now: datetime) -> int:
    """How many operations at once may go to this app now: none while it is paused or rests, one to try a quarantine."""
    rests = connector.rests_until is not None and now < connector.rests_until
    if connector.state == ConnectorState.PAUSED or rests:
        return 0
    return 1 if connector.state == ConnectorState.QUARANTINED else AT_ONCE


def claim(session: Session, app: App, now: datetime, limit: int = AT_ONCE) -> Claim:
    """Take up to ``limit`` due operations of one app, never two of one account; a person who waits comes first.

    What was in flight when a worker died goes alone. The transaction of the claim must be committed before anything is
    sent: then whoever finds the rows later knows that they may have been.
    """
    claim = Claim()
    _wake(session, app, now)
    claim.asks += _brake(session, app, now)
    alone = _alone(session, app, now)
    if alone is None:
        return claim
    while not claim.running:
        found = _candidates(session, app, now, 1 if alone else limit, alone=alone)
        if not found:
            return claim
        _take(session, app, found, now, claim)
    return claim


def _wake(session: Session, app: App, now: datetime) -> None:
    """Blocked ones that try again by themselves, such as those that wait for a seat."""
    due = OPERATIONS.c.lease_until <= now
    blocked = (stands(OPERATIONS.c.state, *UNFINISHED), stands(OPERATIONS.c.state, OperationState.BLOCKED))
    asleep = (OPERATIONS.c.connector_id == app.id, *blocked, due)
    awake = {"state": OperationState.PENDING.value, "lease_until": None, "due_at": now}
    session.execute(sa.update(OPERATIONS).where(*asleep).values(**awake))


def _due(app: App, now: datetime) -> tuple[Any, ...]:
    return (
        OPERATIONS.c.connector_id == app.id,
        stands(OPERATIONS.c.state, *UNFINISHED),
        stands(OPERATIONS.c.state, OperationState.PENDING),
        OPERATIONS.c.asks.is_(None),
        OPERATIONS.c.due_at <= now,
    )


def _brake(session: Session, app: App, now: datetime) -> int:
    """Hold every due disable and delete when they are too many; what somebody allowed by name goes on."""
    allowed = OPERATIONS.c.approved_fingerprint == OPERATIONS.c.fingerprint
    due_to_go = (*_due(app, now), OPERATIONS.c.kind.in_(TAKING))
    taking = (*due_to_go, sa.func.coalesce(sa.not_(allowed), sa.true()))
    count = sa.select(sa.func.count()).select_from(OPERATIONS)
    due = session.scalar(count.where(*taking)) or 0
    if not due:
        return 0
    verdict = judge_outgoing(
        due=session.scalar(count.where(*due_to_go)) or 0,
        recent_24h=_lately(session, app, now),
        linked=linked(session, app.id),
        brake=app.brake,
    )
    if not verdict.held:
        return 0
    session.execute(sa.update(OPERATIONS).where(*taking).values(asks=Asks.BRAKE.value))
    reason = verdict.reasons[0]
    told = events.Entry(
        actor="brake",
        action="operations.held",
        outcome=Outcome.HELD,
        connector_id=app.id,
        names={"app": app.name},
        text={"due": due, "count": reason.count, "limit": reason.limit},
    )
    events.append(session, app.tenant_id, [told], now)
    return due


def _lately(session: Session, app: App, now: datetime) -> int:
    """Disables and deletes of the last 24 hours, those under way included."""
    kinds = OPERATIONS.c.kind.in_([sa.literal_column(f"'{kind}'") for kind in TAKING])
    own = (OPERATIONS.c.connector_id == app.id, kinds)
    done = sa.and_(
        OPERATIONS.c.state == sa.literal_column(f"'{OperationState.DONE.value}'"),
        OPERATIONS.c.settled_at > now - timedelta(hours=24),
        OPERATIONS.c.sent_at.is_not(None),
    )
    query = sa.select(sa.func.count()).select_from(OPERATIONS)
    finished = session.scalar(query.where(*own, done)) or 0
    return finished + (
        session.scalar(
            query.where(*own, stands(OPERATIONS.c.state, *UNFINISHED), stands(OPERATIONS.c.state, *IN_FLIGHT))
        )
        or 0
    )


def _alone(session: Session, app: App, now: datetime) -> bool | None:
    """Whether something must go alone now; None when it must wait, or others must wait for it."""
    running = (stands(OPERATIONS.c.state, *IN_FLIGHT), stands(OPERATIONS.c.state, OperationState.RUNNING))
    flying = sa.select(OPERATIONS.c.alone).where(*running)
    lonely = list(session.scalars(flying))
    if any(lonely):
        return None
    suspects = sa.select(OPERATIONS.c.id).where(*_due(app, now), OPERATIONS.c.alone)
    if session.scalar(suspects.limit(1)) is None:
        return False
    return None if lonely else True


def _candidates(session: Session, app: App, now: datetime, limit: int, *, alone: bool) -> list[Row]:
    other = OPERATIONS.alias()
    flying = sa.exists().where(other.c.account_id == OPERATIONS.c.account_id, stands(other.c.state, *IN_FLIGHT))
    # The account's row is what everybody locks first who plans for it, so it is locked here too.
    query = sa.select(OPERATIONS).join(ACCOUNTS, ACCOUNTS.c.id == OPERATIONS.c.account_id)
    # While somebody sets the password of an account, nothing else is sent about it.
    free = sa.or_(ACCOUNTS.c.busy_until.is_(None), ACCOUNTS.c.busy_until <= now)
    query = query.where(*_due(app, now), sa.not_(flying), free)
    if alone:
        query = query.where(OPERATIONS.c.alone)
    # Who was there at the most deaths goes last, so that chance does not look like poison.
    order = (OPERATIONS.c.deaths, OPERATIONS.c.priority, OPERATIONS.c.due_at, OPERATIONS.c.id)
    query = query.order_by(*order).limit(limit)
    return [dict(row) for row in session.execute(unlocked(session, query)).mappings()]


def _take(session: Session, app: App, found: Sequence[Row], now: datetime, claim: Claim) -> None:
    rows = accounts(session, app, among(session, ACCOUNTS.c.id, [one["account_id"] for one in found]))
    cases = _reckoned(session, app, rows)
    for operation in found:
        case = cases.get(operation["account_id"])
        if case is None:
            _unfit(session, app, operation, now)
            claim.cancelled += 1
        elif (ended := _needless(case)) is not None:
            _end(session, operation, case, ended, now)
            claim.nothing += ended["state"] == OperationState.DONE.value
            claim.cancelled += ended["state"] == OperationState.CANCELLED.value
        elif _asks_again(app, operation, case.plan):
            _change(session, operation, case.plan, asks=Asks.REVIEW.value, approved_fingerprint=None)
            claim.asks += 1
        elif case.plan.takes_away and operation["kind"] not in TAKING:
            # Nobody foresaw it: the brake counts it first, at the next claim.
            _change(session, operation, case.plan)
        else:
            sent = Claimed(operation, case, operation["fence"] + 1, operation["attempts"] + 1, now)
            claim.running.append(sent)
    _mark(session, app, claim.running, now)


def _reckoned(session: Session, app: App, rows: Sequence[Row]) -> dict[int, Case]:
    """Plans by account; one that cannot be planned costs itself and nobody else."""
    try:
        return {case.account["id"]: case for case in reckon(session, app, rows)}
    except UNFIT:
        if len(rows) == 1:
            log.exception("a plan broke", account=rows[0]["id"])
            return {}
    middle = len(rows) // 2
    return _reckoned(session, app, rows[:middle]) | _reckoned(session, app, rows[middle:])


def _unfit(session: Session, app: App, operation: Row, now: datetime) -> None:
    ended = _ended(OperationState.FAILED, "internal")
    session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation["id"]).values(**ended, settled_at=now))
    row = next(iter(accounts(session, app, ACCOUNTS.c.id == operation["account_id"])))
    told = events.Entry(
        operation["created_by"],
        "operation.failed",
        outcome=Outcome.FAILED,
        user_id=row["user_id"],
        account_id=row["id"],
        connector_id=app.id,
        operation_id=operation["id"],
        names={"user": row["name"], "address": row["name"], "app": app.name},
        text={**ended["error"], "kind": operation["kind"]},
    )
    events.append(session, app.tenant_id, [told], now)


def _needless(case: Case) -> dict[str, Any] | None:
    """How it ends when nothing is to be sent after all."""
    if case.plan.kind is not None:
        declined = case.plan.fingerprint == case.account["declined"]
        return _ended(OperationState.CANCELLED, "declined_before") if declined else None
    kept = case.plan.here_only
    if not kept:
        return _ended(OperationState.DONE, None)
    attribute, code = next(iter(kept.items()))
    return _ended(OperationState.CANCELLED, code, **({} if attribute == WHOLE else {"attribute": attribute}))


def _ended(state: OperationState, code: str | None, **params: Any) -> dict[str, Any]:
    return {"state": state.value, "error": None if code is None else {"code": code, "params": params}}


def _end(session: Session, operation: Row, case: Case, ended: Mapping[str, Any], now: datetime) -> None:
    row = sa.update(OPERATIONS).where(OPERATIONS.c.id == operation["id"])
    session.execute(row.values(**ended, settled_at=now, asks=None, changes={}, sent_at=None))
    gone = case.account["situation"] == Situation.GONE
    kept = idle(case.account["intent"], case.account["enabled"], gone=gone)
    if kept != case.account["intent"]:
        session.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == case.account["id"]).values(intent=kept))


def _asks_again(app: App, operation: Row, due: Plan) -> bool:
    """Whether what would be sent is not what somebody approved."""
    approved = operation["approved_fingerprint"]
    needed = app.approval is Approval.REVIEW or approved is not None
    return needed and approved != due.fingerprint


def _change(session: Session, operation: Row, due: Plan, **more: Any) -> None:
    told = {"kind": due.kind, "changes": due.changes, "fingerprint": due.fingerprint, **more}
    session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation["id"]).values(**told))


def _mark(session: Session, app: App, running: Sequence[Claimed], now: datetime) -> None:
    """The intent to send, durably, before anything is sent."""
    at, until = moment(session, now), moment(session, now + LEASE)
    rows = [
        (OperationState.RUNNING.value, one.plan.kind, encoded(one.plan.changes), one.plan.fingerprint, one.attempt,
         one.fence, until, at, None, 0, one.id)
        for one in running
    ]  # fmt: skip
    update_many(session, OPERATIONS, _RUNNING, rows)
    made = [one for one in running if one.plan.kind is OperationKind.CREATE]
    update_many(session, ACCOUNTS, ("name", "intent", "sent_at"), [_sent(session, app, one, now) for one in made])
    rest = [one for one in running if one.plan.kind is not OperationKind.CREATE]
    update_many(session, ACCOUNTS, ("pushed",), [_pushed(one) for one in rest])


def _sent(session: Session, app: App, one: Claimed, now: datetime) -> tuple[Any, ...]:
    """Under which name and mark it goes out: whatever is edited or set meanwhile, nobody is sent under others."""
    account = one.case.account
    earlier = account["sent_at"] if "sent" in account["intent"] else None
    group = one.plan.group
    told = {name: value for name, value in one.plan.values.items() if group or name in app.evidence}
    called = told.get(GROUP_NAME if group else app.rules.sign_in)
    marked = account["intent"].get(MARKED_IN, app.correlation)
    name, intent = key(called) or account["name"], {**account["intent"], "sent": told, MARKED_IN: marked}
    return name, encoded(intent), moment(session, earlier or now), account["id"]


def _pushed(one: Claimed) -> tuple[Any, ...]:
    """Until an answer comes, nobody knows whether it is there: it is sent again whatever is seen there."""
    account, values = one.case.account, sent(one.plan.kind, one.plan.changes)
    return encoded(sending(account["pushed"], values)), account["id"]
