"""Why something happened to a person in an app, or why nothing did: the five steps, told from what is known here.

Owns the telling; asks nobody outside, plans as the worker would, and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.mapping import clean
from provision.core.planning import WHOLE, Plan
from provision.core.steps import Step, refused
from provision.core.tables import Account, Operation, User
from provision.core.vocabulary import (
    USER_ATTRIBUTES,
    Asks,
    ConnectorState,
    Lifecycle,
    MappingKind,
    OperationState,
    Situation,
)
from provision.services import mappings, outbox
from provision.services.errors import NotFound
from provision.services.outbox import App, Case, Row
from provision.services.users.finding import shown

_OPEN = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN, OperationState.BLOCKED)
_STOPPED = {ConnectorState.PAUSED: "app_paused", ConnectorState.QUARANTINED: "app_quarantined"}


@dataclass(frozen=True, slots=True)
class Trace:
    """One app's five steps for one person. ``account_id`` is None while there is no account; ``moving``: not settled yet."""

    app_id: int
    app: str
    account_id: int | None
    steps: tuple[Step, ...]
    moving: bool


def trace(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_id: int, *, app_id: int | None = None
) -> list[Trace]:
    """What holds for one person in every app that can be written to, or in one. Raises NotFound."""
    user = session.exec(select(User).where(User.tenant_id == tenant_id, User.id == user_id)).first()
    if user is None:
        raise NotFound("user_not_found")
    found = []
    for app in outbox.apps(session, tenant_id, kinds, app_id):
        rows = outbox.accounts(session, app, sa.column("user_id") == user_id)
        (case,) = outbox.reckon(session, app, rows or [outbox.blank(user_id)])
        found.append(_told(session, app, user, outbox.within_scope(app, case)))
    return found


def _told(session: Session, app: App, user: User, case: Case) -> Trace:
    number = case.account["id"]
    open_ = _operation(session, number, *_OPEN)
    steps = (
        _scope(app, user, case),
        _match(session, app, case.account),
        _mapping(session, app, case),
        _sent(app, case, open_),
        _answer(session, number, open_),
    )
    moving = open_ is not None and open_.asks is None and open_.state != OperationState.BLOCKED
    return Trace(app.id, app.name, number, steps, moving)


def _scope(app: App, user: User, case: Case) -> Step:
    blanks = {"user": shown(user.model_dump()), "lifecycle": user.lifecycle.value, "app": app.name}
    code = _STOPPED.get(app.state) or case.plan.here_only.get(WHOLE)
    if code:
        return refused("scope", "no", "scope.no", code, blanks)
    left = user.lifecycle == Lifecycle.LEFT
    if case.account["anchor"] is None and user.lifecycle != Lifecycle.ACTIVE:
        return Step("scope", "no", "scope.nobody_left" if left else "scope.nobody", blanks)
    return Step("scope", "yes", "scope.left" if left else "scope.yes", blanks)


def _match(session: Session, app: App, account: Row) -> Step:
    situation = Situation(account["situation"])
    if account["id"] is None or situation is Situation.ABSENT:
        return Step("match", "nothing", "match.none" if account["id"] is None else "match.absent")
    if situation is Situation.GONE:
        return Step("match", "no", "match.gone")
    verdict = session.exec(select(Account.verdict).where(Account.id == account["id"])).one() or {}
    if verdict.get("rule"):
        ours, theirs = verdict["rule"]
        labels = {one.name: one.label for one in app.schema}
        return Step(
            "match", "yes", "match.exact",
            {"ours": USER_ATTRIBUTES.get(ours, ours.removeprefix(mappings.EXTRA)), "theirs": labels.get(theirs) or theirs},
        )  # fmt: skip
    told = {"created": "match.created", "decided": "match.decided", "linked": "match.linked"}
    return Step("match", "yes", told.get(verdict.get("reason", ""), "match.ours"))


def _mapping(session: Session, app: App, case: Case) -> Step:
    """Each row that leads there: what it is called there, what is there, and what ours makes of it."""
    rows = [row for row in mappings.rows(session, app.tenant_id, app.id) if row.flows_out]
    if not rows:
        return Step("mapping", "no", "mapping.none")
    labels = {one.name: one.label for one in app.schema}
    observed = case.account["observed"] or {}
    pairs = tuple(
        (
            f"{labels.get(row.theirs) or row.theirs} ← {_source(row)}",
            clean(observed.get(row.theirs)),
            case.plan.values.get(row.theirs, clean(observed.get(row.theirs))),
        )
        for row in rows
    )
    differ = sum(1 for row in rows if row.theirs in case.plan.values)
    return Step("mapping", "yes", "mapping.rows", {"n": len(rows), "differ": differ}, pairs)


def _source(row: Any) -> str:
    if row.kind is MappingKind.ATTRIBUTE:
        return USER_ATTRIBUTES.get(row.ours) or str(row.ours).removeprefix(mappings.EXTRA)
    return str(row.ours) if row.kind is MappingKind.EXPRESSION else f"“{row.ours}”"


def _sent(app: App, case: Case, operation: Operation | None) -> Step:
    pairs = _pairs(app, case.plan)
    if operation is not None:
        said, verdict = _on_its_way(operation)
        return Step("sent", verdict, said, {"at": f"{operation.due_at:%Y-%m-%d %H:%M:%S} UTC"}, pairs)
    if case.plan.here_only.get(WHOLE):
        return Step("sent", "nothing", "sent.barred")
    if case.plan.kind is not None:
        declined = case.plan.fingerprint == case.account["declined"]
        return Step("sent", "nothing", "sent.declined" if declined else "sent.unplanned", pairs=pairs)
    if case.plan.here_only:
        names = tuple((_label(app, name), None, None) for name in case.plan.here_only)
        step = refused(
            "sent", "nothing", "sent.here", next(iter(case.plan.here_only.values())), {"attribute": names[0][0]}
        )
        return Step("sent", "nothing", "sent.here", step.blanks, remedy=step.remedy)
    return Step("sent", "nothing", "sent.nothing")


def _on_its_way(operation: Operation) -> tuple[str, Any]:
    if operation.asks is not None:
        return ("sent.brake" if operation.asks == Asks.BRAKE else "sent.review"), "waits"
    told = {
        OperationState.RUNNING: ("sent.running", "waits"),
        OperationState.UNKNOWN: ("sent.checking", "waits"),
        OperationState.BLOCKED: ("sent.done", "yes"),
    }
    return told.get(operation.state, ("sent.waiting", "waits"))


def _answer(session: Session, account_id: int | None, open_: Operation | None) -> Step:
    last = open_ if open_ is not None and open_.error else _operation(session, account_id, *_ENDED)
    if last is None:
        return Step("answer", "nothing", "answer.none")
    proof = last.request_id or ""
    if last.error:
        waits = last.state in _OPEN
        step = refused(
            "answer", "waits" if waits else "no", "answer.waits" if waits else "answer.failed",
            str(last.error.get("code", "")), last.error.get("params") or {},
        )  # fmt: skip
        return Step(step.about, step.verdict, step.said, step.blanks, remedy=step.remedy, proof=proof)
    return Step("answer", "yes", "answer.done", proof=proof)


_ENDED = (OperationState.DONE, OperationState.FAILED)


def _operation(session: Session, account_id: int | None, *states: OperationState) -> Operation | None:
    query = select(Operation).where(Operation.account_id == (account_id or 0), col(Operation.state).in_(states))
    found: Operation | None = session.exec(query.order_by(col(Operation.id).desc())).first()
    return found


def _pairs(app: App, plan: Plan) -> tuple[tuple[str, Any, Any], ...]:
    return tuple((_label(app, name), was, becomes) for name, (was, becomes) in plan.changes.items())


def _label(app: App, name: str) -> str:
    return next((one.label for one in app.schema if one.name == name and one.label), name)
