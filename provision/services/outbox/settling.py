"""What became of the operations that were sent: state, what was observed, and the event, in one transaction.

Owns the answer to every outcome; never sends anything, and settles nothing whose fence has moved on.
"""

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlmodel import Session

from provision.core.planning import settled as still_intended
from provision.core.ports import Outcome, OutsideError, Refused
from provision.core.retry import Act, Decision, decide
from provision.core.vocabulary import OperationKind, OperationState
from provision.services.outbox.claiming import Claimed
from provision.services.outbox.enqueueing import enqueue_accounts
from provision.services.outbox.reckoning import App
from provision.services.outbox.settlement import SUPERSEDED, Appear, Result, Settlement, begin, held, order_of, told

log = structlog.get_logger()
STILL_COPYING: Mapping[str, Any] = {"code": "still_copying", "params": {}}
_DONE = {
    OperationKind.CREATE: "account.created",
    OperationKind.UPDATE: "account.updated",
    OperationKind.DISABLE: "account.disabled",
    OperationKind.ENABLE: "account.enabled",
    OperationKind.DELETE: "account.deleted",
    OperationKind.RESTORE: "account.restored",
}


def settle(
    session: Session,
    app: App,
    results: Sequence[tuple[Claimed, Outcome]],
    *,
    appear: Appear,
    now: datetime,
    kinds: Mapping[Any, Any],
    ms: int,
    chance: float,
) -> Counter[str]:
    """Settle what was claimed. Counts done, failed, blocked, retried, rested, unknown, gone, superseded, left and lost.

    *lost*: somebody else has taken the operation over meanwhile, because we were believed dead; what we know is dropped.
    """
    ids = [claimed.operation["account_id"] for claimed, _ in results]
    anchors = [outcome.record.anchor for _, outcome in results if outcome.record is not None]
    work, accounts = begin(session, app, ids, anchors, appear, order_of(now, kinds), chance)
    ours = held(session, [claimed for claimed, _ in results], OperationState.RUNNING)
    for claimed, outcome in results:
        one = Result(claimed, outcome, accounts[claimed.operation["account_id"]], ms)
        if claimed.id not in ours:
            work.counts["lost"] += 1
            if outcome.error is None or getattr(outcome.error, "sent", False):
                work.overtaken(one)
            log.warning("settlement came too late", operation=claimed.id, fence=claimed.fence)
            continue
        if outcome.error is None:
            done(work, one, _DONE[one.kind])
        else:
            _not_done(work, one)
    if work.counts["done"]:
        work.recover()
    return work.finish()


def done(work: Settlement, one: Result, action: str) -> None:
    """It is there as planned, but perhaps for what is left."""
    account, record = one.account, one.outcome.record
    intent = still_intended(account["intent"], one.plan, one.outcome.left)
    if one.kind is OperationKind.DELETE:
        work.gone(one, intent, removed=work.app.deleted)
    elif record is None or not work.bind(account, record):
        work.block(one, Refused("linked_elsewhere"))
        return
    else:
        work.see(one, record, intent)
    work.close(one, OperationState.DONE)
    work.tell(one, action)
    work.counts["done"] += 1
    if one.kind in (OperationKind.CREATE, OperationKind.RESTORE):
        # Whoever reports to them can be told so from now on, and what was edited meanwhile follows.
        if account["user_id"] is not None:
            work.made.add(account["user_id"])
        if not one.outcome.left:
            work.again.add(account["id"])
    if one.outcome.left and account["id"] not in work.behind:
        work.late.append(functools.partial(_leave_behind, work, one))


def back(work: Settlement, one: Result, decision: Decision, why: Mapping[str, Any] | None = None) -> None:
    """Back among those that wait; if a newer edit waits there already, that carries everything.

    ``why``: what is said of it instead of the error itself.
    """
    survived = {"alone": False, "deaths": 0} if one.ms is not None else {}
    if not getattr(one.error, "sent", False):
        work.forget_name(one)
    due_at = work.now + timedelta(seconds=decision.after or 0.0)
    attempts = one.claimed.attempt if decision.counts else one.claimed.attempt - 1
    behind = work.behind.get(one.account["id"])
    if behind is not None:
        work.close(one, OperationState.CANCELLED, SUPERSEDED)
        work.change(behind["id"], due_at=max(behind["due_at"], due_at), attempts=attempts)
        work.counts["superseded"] += 1
        return
    work.change(
        one.claimed.id,
        state=OperationState.PENDING.value,
        due_at=due_at,
        attempts=attempts,
        lease_until=None,
        error=why or told(one.error),
        request_id=one.error.request_id,
        **survived,
    )
    work.counts["rested" if decision.act is Act.REST else "retried"] += 1


def _not_done(work: Settlement, one: Result) -> None:
    if not getattr(one.error, "sent", False):
        work.not_there(one)
    since = one.account["sent_at"]
    age = None if since is None else (work.now - since).total_seconds()
    decision = decide(one.error, one.kind, one.claimed.attempt, age, chance=work.chance)
    if decision.act is Act.GONE and one.kind is OperationKind.DELETE:
        _already_gone(work, one)
        return
    _FOLLOWING[decision.act](work, one, decision)


def _already_gone(work: Settlement, one: Result) -> None:
    """Somebody else deleted it first: what was wanted is so."""
    work.gone(one, still_intended(one.account["intent"], one.plan), removed=work.app.deleted)
    work.close(one, OperationState.DONE)
    work.tell(one, "account.deleted", already=True)
    work.counts["done"] += 1


def _look_up(work: Settlement, one: Result, decision: Decision) -> None:
    """It may be there: from now on it is looked for, and not sent again before that."""
    work.change(
        one.claimed.id,
        state=OperationState.UNKNOWN.value,
        due_at=work.now + timedelta(seconds=decision.after or 0.0),
        looks=0,
        lease_until=None,
        alone=False,
        deaths=0,
        error=told(one.error),
        request_id=one.error.request_id,
    )
    work.counts["unknown"] += 1


def _taken(work: Settlement, one: Result, decision: Decision) -> None:
    """Who has the name is looked up; any other value that belongs to somebody else is for a person to change."""
    attribute = one.error.params.get("attribute")
    if attribute and attribute != work.app.rules.sign_in:
        work.block(one, one.error)
    else:
        _look_up(work, one, decision)


def _wait(work: Settlement, one: Result, decision: Decision) -> None:
    back(work, one, decision, STILL_COPYING)


def _rest(work: Settlement, one: Result, decision: Decision) -> None:
    work.rest(decision.after or 0.0)
    back(work, one, Decision(Act.REST, 0.0, counts=False))


def _quarantine(work: Settlement, one: Result, _: Decision) -> None:
    work.quarantine(one.error)
    back(work, one, Decision(Act.RETRY, 0.0, counts=False))


def _fail(work: Settlement, one: Result, _: Decision) -> None:
    work.forget_name(one)
    work.close(one, OperationState.FAILED, told(one.error))
    work.tell(one, "operation.failed", one.error)
    work.counts["failed"] += 1


def _block(work: Settlement, one: Result, _: Decision) -> None:
    work.block(one, one.error)


def _gone(work: Settlement, one: Result, _: Decision) -> None:
    """It is no longer there: a person decides, nothing is made again by itself."""
    restoring = one.kind is OperationKind.RESTORE
    intent = {name: value for name, value in one.account["intent"].items() if name != "restore"}
    work.gone(one, intent, removed="purged" if restoring else work.app.deleted)
    why: OutsideError = Refused("restore_too_late" if restoring else "account_gone", request_id=one.error.request_id)
    work.close(one, OperationState.FAILED, told(why))
    work.tell(one, "account.gone", why)
    work.counts["gone"] += 1


_FOLLOWING: Mapping[Act, Callable[[Settlement, Result, Decision], None]] = {
    Act.RETRY: back,
    Act.WAIT: _wait,
    Act.REST: _rest,
    Act.LOOK_UP: _look_up,
    Act.LINK_OR_DISPUTE: _taken,
    Act.GONE: _gone,
    Act.FAIL: _fail,
    Act.BLOCK: _block,
    Act.QUARANTINE: _quarantine,
}


def _leave_behind(work: Settlement, one: Result) -> None:
    """What did not follow is an operation of its own, blocked or tried again, and never a reason to undo the rest."""
    number = one.account["id"]
    effects = enqueue_accounts(work.session, work.app, [number], work.order)
    operation = next((effect.operation_id for effect in effects if effect.operation_id), None)
    if operation is None:
        return
    error = next(iter(one.outcome.left.values()))
    decision = decide(error, OperationKind.UPDATE, one.claimed.attempt, 0.0, chance=work.chance)
    values: dict[str, Any] = {"error": told(error), "created_by": one.claimed.operation["created_by"]}
    if one.claimed.operation["approved_fingerprint"] is not None:
        values |= {"asks": None, "approved_fingerprint": effects[0].fingerprint}
    if decision.act in (Act.BLOCK, Act.FAIL):
        values |= {"state": OperationState.BLOCKED.value, "lease_until": work.wakes(error), "asks": None}
    else:
        values |= {"due_at": work.now + timedelta(seconds=decision.after or 1.0), "attempts": one.claimed.attempt}
    work.change(operation, **values)
    work.counts["left"] += 1
