"""What a rule about whom an app is for would do to real people, before it is saved and before anything is planned.

Owns the counting; never enqueues by itself: saving a rule sends nothing, and *plan these* asks for review.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.scoping import Condition, Scope
from provision.core.vocabulary import Lifecycle, OperationKind, WhenLeft
from provision.db import among
from provision.services.outbox.enqueueing import Effect, Order, enqueue, enqueue_groups, within_scope
from provision.services.outbox.gathering import every
from provision.services.outbox.reckoning import ACCOUNTS, USERS, App, Case, accounts, app_of, blank, blank_group, reckon

MOVES = (OperationKind.CREATE, OperationKind.ENABLE, OperationKind.DISABLE, OperationKind.DELETE)
SAMPLE = 5
_CHUNK = 500


@dataclass
class WouldMove:
    """By kind of change, whose account it would meet: ids of people, and the first few by name."""

    people: dict[OperationKind, list[int]] = field(default_factory=dict)
    groups: list[int] = field(default_factory=list)
    sample: dict[OperationKind, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return sum(len(ids) for ids in self.people.values()) + len(self.groups)

    def add(self, kind: OperationKind, case: Case) -> None:
        number = case.account["user_id"]
        self.people.setdefault(kind, []).append(number)
        names = self.sample.setdefault(kind, [])
        if len(names) < SAMPLE:
            names.append((number, str(case.names["user"])))


def would_move(
    session: Session,
    connector: Any,
    kinds: Mapping[Any, Any],
    rule: Sequence[Condition] | None = None,
    when_left: WhenLeft | None = None,
) -> WouldMove:
    """What bringing everybody in line with a rule means now: whose accounts come, go and come back. None: as it is kept."""
    app = app_of(session, connector, kinds)
    app = replace(
        app,
        meant=app.meant if rule is None else Scope(tuple(rule)),
        rules=replace(app.rules, when_left=when_left or app.rules.when_left),
    )
    found = WouldMove()
    for rows in _everybody(session, app):
        for case in reckon(session, app, rows):
            judged = within_scope(app, case)
            kind = judged.plan.kind
            if kind in MOVES and judged.plan.fingerprint != case.account["declined"]:
                found.add(kind, judged)
    if app.groups:
        found.groups = _groups(session, app)
    return found


def plan_these(session: Session, connector: Any, kinds: Mapping[Any, Any], order: Order) -> list[Effect]:
    """Enqueue what the kept rule asks for; each of it waits for review, whatever the app says."""
    found = would_move(session, connector, kinds)
    ids = [number for numbers in found.people.values() for number in numbers]
    asked = replace(order, review=True)
    effects = enqueue(session, connector.tenant_id, ids, asked, connector_id=connector.id) if ids else []
    return effects + enqueue_groups(session, connector.tenant_id, found.groups, asked, connector_id=connector.id)


def _groups(session: Session, app: App) -> list[int]:
    """The groups that are not in that app as they are here."""
    found = []
    ids = every(session, app.tenant_id)
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        rows = accounts(session, app, among(session, ACCOUNTS.c.group_id, some))
        known = {row["group_id"] for row in rows}
        cases = reckon(session, app, [*rows, *(blank_group(number) for number in some if number not in known)])
        due = (case for case in cases if case.plan.kind and case.plan.fingerprint != case.account["declined"])
        found += [case.account["group_id"] for case in due]
    return found


def _everybody(session: Session, app: App) -> Iterator[list[Any]]:
    """Everybody who has not left, by their account there, or by a blank for those who have none, some at a time."""
    query = sa.select(USERS.c.id).where(USERS.c.tenant_id == app.tenant_id, USERS.c.lifecycle != Lifecycle.LEFT.value)
    ids = list(session.scalars(query.order_by(USERS.c.id)))
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        rows = accounts(session, app, among(session, ACCOUNTS.c.user_id, some))
        known = {row["user_id"] for row in rows}
        yield [*rows, *(blank(number) for number in some if number not in known)]
