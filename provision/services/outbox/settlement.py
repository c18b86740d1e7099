"""One transaction that settles operations: what it needs, and every row that it writes.

Owns the writes to operations, accounts and apps that follow an answer; decides nothing about them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.planning import SENT_AS, Plan, answered, granted, sending, sent, settled_down
from provision.core.ports import ENABLED, GROUP_NAME, LICENCES, MANAGER, Appearance, Outcome, OutsideError, Record
from provision.core.tables import Connector
from provision.core.vocabulary import OperationKind, OperationState, Situation, key
from provision.core.vocabulary import Outcome as Ending
from provision.db import among, encoded, moment, update_many
from provision.services import connectors, events
from provision.services.outbox.claiming import Claimed
from provision.services.outbox.enqueueing import NOBODY_ASKED, Order, enqueue_accounts, waiting
from provision.services.outbox.gathering import of_people
from provision.services.outbox.reckoning import ACCOUNTS, OPERATIONS, USERS, WAITING, App, Row, accounts

UNTIL_SEATS = timedelta(minutes=10)
SUPERSEDED: Mapping[str, Any] = {"code": "superseded", "params": {}}
_CLOSED = ("state", "settled_at", "lease_until", "error", "alone", "deaths", "request_id")
_SEEN = (
    "anchor", "name", "enabled", "standing", "observed", "absorbed", "intent", "pushed", "given", "observed_hash",
    "observed_at", "situation", "removed",
)  # fmt: skip
Appear = Callable[[Mapping[str, Any]], Appearance]


@dataclass(frozen=True)
class Result:
    """One claimed operation with what became of it, and its account as it is now.

    ``ms``: how long the call took; None when nothing was sent, only looked up.
    """

    claimed: Claimed
    outcome: Outcome
    account: Row
    ms: int | None = None

    @property
    def plan(self) -> Plan:
        return self.claimed.plan

    @property
    def kind(self) -> OperationKind:
        return self.plan.kind or OperationKind.UPDATE

    @property
    def error(self) -> OutsideError:
        assert self.outcome.error is not None  # noqa: S101 - asked only where there is one
        return self.outcome.error

    @property
    def first(self) -> bool:
        """Whether no earlier attempt could have left something there."""
        return bool(self.account["sent_at"] == self.claimed.sent_at)


@dataclass
class Settlement:
    """One transaction's work: what it needs, what it has counted, what is to be written down at its end."""

    session: Session
    app: App
    order: Order
    appear: Appear
    chance: float
    counts: Counter[str] = field(default_factory=Counter)
    entries: list[events.Entry] = field(default_factory=list)
    behind: dict[int, Row] = field(default_factory=dict)
    holders: dict[str, list[Row]] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    made: set[int] = field(default_factory=set)
    late: list[Callable[[], None]] = field(default_factory=list)
    closed: list[tuple[Any, ...]] = field(default_factory=list)
    seen: list[tuple[Any, ...]] = field(default_factory=list)
    pushed: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.order.now

    def finish(self) -> Counter[str]:
        """Write what was kept for the end, let what is left of creates go on by itself, then the events."""
        update_many(self.session, OPERATIONS, _CLOSED, self.closed)
        update_many(self.session, ACCOUNTS, _SEEN, self.seen)
        update_many(self.session, ACCOUNTS, ("pushed",), [(encoded(told), one) for one, told in self.pushed.items()])
        self.closed, self.seen, self.pushed = [], [], {}
        again = self.again | set(self._reports())
        if self.app.groups:
            again |= set(of_people(self.session, self.app.id, self.made))
        if again:
            enqueue_accounts(self.session, self.app, again, self.order)
        for late in self.late:
            late()
        events.append(self.session, self.app.tenant_id, self.entries, self.now)
        return self.counts

    # -- Operations ------------------------------------------------------------------------------------------------------

    def change(self, operation_id: int, **values: Any) -> None:
        """Write some columns of an operation."""
        self.session.execute(sa.update(OPERATIONS).where(OPERATIONS.c.id == operation_id).values(**values))

    def close(
        self, one: Result, state: OperationState, error: Mapping[str, Any] | None = None, wakes: datetime | None = None
    ) -> None:
        """End an operation, or block it; ``wakes``: when it goes on by itself."""
        failure = one.outcome.error
        if state is OperationState.DONE:
            at = moment(self.session, self.now)
            self.closed.append((state.value, at, None, None, False, 0, one.outcome.request_id, one.claimed.id))
            return
        self.change(
            one.claimed.id,
            state=state.value,
            settled_at=None if state is OperationState.BLOCKED else self.now,
            lease_until=wakes,
            error=error,
            alone=False,
            deaths=0,
            request_id=one.outcome.request_id or (failure.request_id if failure else None),
        )

    def block(self, one: Result, error: OutsideError) -> None:
        """Only a person, or a seat, can help; a newer edit that waits already is that help."""
        self.forget_name(one)
        # What was tried again by itself and met the same is no news.
        if one.claimed.operation["error"] != told(error):
            self.tell(one, "operation.blocked", error)
        self.counts["blocked"] += 1
        if one.account["id"] in self.behind:
            self.close(one, OperationState.CANCELLED, SUPERSEDED)
        else:
            self.close(one, OperationState.BLOCKED, told(error), self.wakes(error))

    def wakes(self, error: OutsideError) -> datetime | None:
        """When something that is blocked goes on by itself: seats may be bought at any time."""
        return self.now + UNTIL_SEATS if error.code == "no_seat" else None

    # -- Accounts --------------------------------------------------------------------------------------------------------

    def write(self, account: Row, **values: Any) -> None:
        """Write some columns of an account."""
        self.session.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == account["id"]).values(**values))

    def bind(self, account: Row, record: Record) -> bool:
        """Make the anchor this account's own; False when it is another person's.

        An import may have seen the object first, as nobody's: that row gives way.
        """
        if account["anchor"] is not None:
            return bool(account["anchor"] == record.anchor)
        others = self.holders.get(record.anchor, ())
        if any(other["user_id"] is not None or other["group_id"] is not None for other in others):
            return False
        for other in others:
            self.session.execute(sa.delete(ACCOUNTS).where(ACCOUNTS.c.id == other["id"]))
        return True

    def see(self, one: Result, record: Record, intent: Mapping[str, Any]) -> None:
        """What is there now; and what we wrote is the base of the next merge, as if it had been taken over."""
        account = one.account
        observed = {**account["observed"], **record.values}
        look = self.appear(observed)
        fresh = account["anchor"] is None
        moved = {*one.plan.values, *([MANAGER] if one.plan.moves_manager else [])} - set(one.outcome.left)
        base = record.values if fresh else {name: observed.get(name) for name in moved}
        if ENABLED not in one.outcome.left and (fresh or one.plan.enabled is not None):
            base = {**base, ENABLED: look.enabled}
        standing, absorbed = {**account["standing"], **look.standing}, {**account["absorbed"], **base}
        carried = {} if LICENCES in one.outcome.left else one.plan.licences
        given = granted({} if one.kind is OperationKind.CREATE else account["given"], carried)
        told = [encoded(part) for part in (standing, observed, absorbed, intent, self.answered(one), given)]
        called = observed.get(GROUP_NAME) if account["group_id"] else look.name
        name, at = key(called) or account["name"], moment(self.session, self.now)
        situation = Situation.LINKED.value
        self.seen.append((record.anchor, name, look.enabled, *told, None, at, situation, None, account["id"]))

    def gone(self, one: Result, intent: Mapping[str, Any], *, removed: str) -> None:
        """It is there no more; ``removed`` as an import would say it."""
        account, deleted = one.account, one.kind is OperationKind.DELETE
        self.write(account, situation=Situation.GONE.value, removed=removed, intent=intent, stale=False)
        self.pushed[account["id"]] = self.answered(one) if deleted else settled_down(account["pushed"])

    def answered(self, one: Result) -> dict[str, Any]:
        """What is still unsure about an account after an answer."""
        if one.kind is OperationKind.CREATE:
            return dict(one.account["pushed"])
        before, left = one.claimed.case.account["pushed"], one.outcome.left
        doubtful = {name: bool(getattr(error, "sent", False)) for name, error in left.items()}
        return answered(one.account["pushed"], before, one.kind, one.plan.changes, doubtful, self.now)

    def not_there(self, one: Result) -> None:
        """What was sent certainly had no effect: only what was unsure before it is so still."""
        if one.kind is not OperationKind.CREATE:
            self.pushed[one.account["id"]] = one.claimed.case.account["pushed"]

    def overtaken(self, one: Result) -> None:
        """We were believed dead, and yet what we sent may have arrived after what was settled meanwhile: it is sent again."""
        if one.kind is not OperationKind.CREATE:
            self.pushed[one.account["id"]] = sending(one.account["pushed"], sent(one.kind, one.plan.changes))
            self.again.add(one.account["id"])

    def forget_name(self, one: Result, *, surely: bool = False) -> None:
        """The create certainly left nothing there, so nothing binds the next attempt to its name."""
        if one.kind is OperationKind.CREATE and (surely or one.first):
            kept = {name: value for name, value in one.account["intent"].items() if name not in SENT_AS}
            self.write(one.account, intent=kept)

    def _reports(self) -> list[int]:
        """The accounts of those who report to somebody who has an account from now on."""
        if not self.made:
            return []
        query = (
            sa.select(ACCOUNTS.c.id)
            .join(USERS, sa.and_(USERS.c.id == ACCOUNTS.c.user_id, USERS.c.tenant_id == ACCOUNTS.c.tenant_id))
            .where(
                ACCOUNTS.c.connector_id == self.app.id,
                among(self.session, USERS.c.manager_id, self.made),
                ACCOUNTS.c.anchor.is_not(None),
            )
        )
        return list(self.session.scalars(query))

    # -- The app ---------------------------------------------------------------------------------------------------------

    def connector(self) -> Connector:
        """The app's row."""
        query = select(Connector).where(Connector.tenant_id == self.app.tenant_id, Connector.id == self.app.id)
        return self.session.exec(query).one()

    def rest(self, seconds: float) -> None:
        """Let the whole app rest."""
        row = self.connector()
        until = self.now + timedelta(seconds=seconds)
        row.rests_until = max(until, row.rests_until or until)
        self.session.add(row)

    def quarantine(self, error: OutsideError) -> None:
        """Stop the app, and say so once; it is tried again ever more slowly."""
        row = self.connector()
        self.entries += connectors.stop(row, error, told(error), self.now)
        self.session.add(row)

    def recover(self) -> None:
        """The app was let in again: what waited goes on without anybody's click."""
        row = self.connector()
        self.entries += connectors.recover(row, self.now)
        self.session.add(row)

    # -- The log ---------------------------------------------------------------------------------------------------------

    def tell(self, one: Result, action: str, error: OutsideError | None = None, **more: Any) -> None:
        """Write down what became of one operation: before → after, how long it took, and the request's id."""
        text: dict[str, Any] = {"attempt": one.claimed.attempt, "kind": one.plan.kind, **more}
        request_id = one.outcome.request_id or (error.request_id if error else None)
        text |= ({"request_id": request_id} if request_id else {}) | (told(error) if error else {})
        if one.outcome.left:
            text["left"] = {name: told(why) for name, why in one.outcome.left.items()}
        self.entries.append(
            events.Entry(
                actor=one.claimed.operation["created_by"],
                action=action,
                outcome=Ending.DONE if error is None else Ending.FAILED,
                user_id=one.account["user_id"],
                account_id=one.account["id"],
                connector_id=self.app.id,
                operation_id=one.claimed.id,
                ms=one.ms,
                before={name: pair[0] for name, pair in one.plan.changes.items()},
                after={name: pair[1] for name, pair in one.plan.changes.items()},
                names={**one.claimed.case.names, "app": self.app.name},
                text=text,
            )
        )


def begin(
    session: Session,
    app: App,
    account_ids: Sequence[int],
    anchors: Collection[str],
    appear: Appear,
    order: Order,
    chance: float,
) -> tuple[Settlement, dict[int, Row]]:
    """Lock the accounts, see what waits behind them, and who holds the anchors that are about to be theirs."""
    rows = accounts(session, app, among(session, ACCOUNTS.c.id, set(account_ids)), lock=True)
    behind = waiting(session, [row["id"] for row in rows], WAITING)
    work = Settlement(session, app, order, appear, chance, behind=behind)
    known = {row["anchor"] for row in rows}
    strange = set(anchors) - known
    if strange:
        for other in accounts(session, app, among(session, ACCOUNTS.c.anchor, strange), lock=True):
            work.holders.setdefault(other["anchor"], []).append(other)
    return work, {row["id"]: row for row in rows}


def order_of(now: datetime, kinds: Mapping[Any, Any]) -> Order:
    """How what is left behind is enqueued."""
    return Order("outbox", now, kinds, priority=NOBODY_ASKED, hold=False)


def told(error: OutsideError) -> dict[str, Any]:
    """An error as a row keeps it: a code and what fills its blanks."""
    given = {name: value for name, value in error.params.items() if value is not None}
    plain = {
        name: value if isinstance(value, str | int | float | bool) else str(value) for name, value in given.items()
    }
    return {"code": error.code, "params": plain}


def held(session: Session, claimed: Sequence[Claimed], state: OperationState) -> set[int]:
    """The ids of those that are still ours to settle: in this state, and under our fence."""
    ids = [one.id for one in claimed]
    query = sa.select(OPERATIONS.c.id, OPERATIONS.c.fence).where(
        among(session, OPERATIONS.c.id, ids), OPERATIONS.c.state == state.value
    )
    fences = {row.id: row.fence for row in session.execute(query)}
    return {one.id for one in claimed if fences.get(one.id) == one.fence}
