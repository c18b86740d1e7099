"""What must be so when everything has come to rest: nothing lost, nothing doubled, every operation settled, the log whole.

Owns the comparison of three books: what was promised to people, the rows here, and the directory over there.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlmodel import Session, col, select

from provision.core.tables import Account, Cycle, Event, Operation, Tenant, User
from provision.core.vocabulary import CycleState, OperationKind, OperationState, Situation
from provision.services import events
from tests.faults.people import Office, Promise

MARK = "extensionAttribute15"
THERE = {"given_name": "givenName", "surname": "surname", "display_name": "displayName", "username": "mailNickname",
         "email": "userPrincipalName"}  # fmt: skip
_SETTLED = (OperationState.DONE, OperationState.FAILED, OperationState.CANCELLED)
_TOLD = {
    OperationKind.CREATE: ("account.created", "account.adopted"),
    OperationKind.UPDATE: ("account.updated",),
    OperationKind.DISABLE: ("account.disabled",),
    OperationKind.ENABLE: ("account.enabled",),
    OperationKind.DELETE: ("account.deleted",),
    OperationKind.RESTORE: ("account.restored",),
}


class Directory:
    """The cloud's own book, read where it keeps it."""

    def __init__(self, file: Path) -> None:
        with sqlite3.connect(file) as db:
            rows = db.execute("SELECT id, deleted_at, body FROM users").fetchall()
            told = db.execute("SELECT id, count(*) FROM changes WHERE kind = 'user' AND what = 'new' GROUP BY id")
            self.births = dict(told.fetchall())
        self.people = {number: msgspec.json.decode(body) for number, _, body in rows}
        self.deleted = {number for number, at, _ in rows if at is not None}
        self.marks = Counter(mark for body in self.people.values() if (mark := _mark(body)))


def faults(office: Office, directory: Directory) -> list[str]:
    """Everything that is not as it must be, in words; empty when all is well."""
    with office.house.db.reading() as session:
        return [*_people(session, office, directory), *_doubles(session, directory), *_operations(session),
                *_log(session), *_cycles(session)]  # fmt: skip


def outcomes(office: Office) -> Counter[str]:
    """How the operations ended."""
    with office.house.db.reading() as session:
        return Counter(one.state.value for one in session.exec(select(Operation)).all())


def adopted(office: Office) -> int:
    """How many creates were found there after their answer was lost."""
    with office.house.db.reading() as session:
        return len(session.exec(select(Event.id).where(Event.action == "account.adopted")).all())


def _people(session: Session, office: Office, directory: Directory) -> Iterator[str]:
    """Lost: what was promised is not so, here or there."""
    rows = {row.id: row for row in session.exec(select(User)).all()}
    accounts = {row.user_id: row for row in session.exec(select(Account)).all() if row.user_id}
    for number, promise in office.promises.items():
        yield from _here(rows[number], promise)
        yield from _there(number, promise, accounts.get(number), directory)


def _here(row: User, promise: Promise) -> Iterator[str]:
    if row.lifecycle != promise.lifecycle:
        yield f"{row.username} is {row.lifecycle} here and was promised to be {promise.lifecycle}"
    for name, value in promise.values.items():
        if getattr(row, name) != value:
            yield f"{row.username}: {name} is {getattr(row, name)!r} here and was promised to be {value!r}"


def _there(number: int, promise: Promise, account: Account | None, directory: Directory) -> Iterator[str]:
    who = promise.values["username"]
    anchor = account.anchor if account else None
    if anchor is None:
        # Whoever left, or was held back, before the create went out is nowhere there.
        if promise.lifecycle == "active":
            yield f"{who} was never created there"
        return
    body, gone = directory.people.get(anchor), anchor in directory.deleted
    if body is None or gone != (promise.lifecycle == "left"):
        yield f"{who} is {promise.lifecycle} and {'in the bin' if gone else 'not in the bin'} there"
        return
    if gone:
        return
    if body["accountEnabled"] != (promise.lifecycle == "active"):
        yield f"{who} is {promise.lifecycle} and accountEnabled is {body['accountEnabled']} there"
    for name, outside in THERE.items():
        if body.get(outside) != promise.values[name]:
            yield f"{who}: {outside} is {body.get(outside)!r} there and was promised to be {promise.values[name]!r}"


def _doubles(session: Session, directory: Directory) -> Iterator[str]:
    """Doubled: two for one, or one that nobody here knows of."""
    yield from (f"{mark} was created {times} times" for mark, times in directory.marks.items() if times > 1)
    yield from (f"{number} was born {times} times" for number, times in directory.births.items() if times > 1)
    ours = session.exec(select(Account).where(col(Account.anchor).is_not(None))).all()
    bound = {row.correlation: row.anchor for row in ours if row.correlation}
    for number, body in directory.people.items():
        mark = _mark(body)
        if mark and bound.get(mark) != number:
            yield f"{number} carries the mark {mark} of an account that is bound to {bound.get(mark)}"
    owners = Counter(row.user_id for row in ours if row.user_id)
    yield from (f"person {number} has {times} accounts" for number, times in owners.items() if times > 1)


def _operations(session: Session) -> Iterator[str]:
    """Settled, each once, and told once."""
    told = Counter(
        (event.operation_id, event.action)
        for event in session.exec(select(Event).where(col(Event.operation_id).is_not(None))).all()
        if event.action.startswith("account.")
    )
    for one in session.exec(select(Operation)).all():
        if one.state not in _SETTLED:
            yield f"operation {one.id} ({one.kind}) is {one.state}: {one.error}"
        times = sum(told[one.id, action] for action in _TOLD[one.kind])
        sent = one.sent_at is not None
        if one.state == OperationState.DONE and times != sent:
            yield f"operation {one.id} ({one.kind}) is done and was told {times} times"


def _log(session: Session) -> Iterator[str]:
    for tenant in session.exec(select(Tenant.id)).all():
        broken = events.verify(session, tenant or 0)
        if broken is not None:
            yield f"the log's chain breaks at entry {broken}"


def _cycles(session: Session) -> Iterator[str]:
    for cycle in session.exec(select(Cycle).where(Cycle.state == CycleState.FAILED)).all():
        yield f"cycle {cycle.id} failed: {cycle.error}"
    lost = select(Account).where(Account.situation == Situation.DISPUTED)
    yield from (f"account {row.name} is disputed: {row.verdict}" for row in session.exec(lost).all())


def _mark(body: dict[str, Any]) -> str | None:
    return (body.get("onPremisesExtensionAttributes") or {}).get(MARK) or body.get(MARK)
