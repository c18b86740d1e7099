"""Edits here, edits there, imports, faults, deaths and restarts in any order: nothing lost, nothing doubled, all explained.

The machine plays an operator, somebody else's tool over there, the weather and the kernel. After every step it checks what
must always hold:

    I1  what was accepted has ended or is seen to wait        I5  nobody is taken away but by somebody's decision here
    I2  nobody of ours is there twice                         I6  the watermark is never ahead of what was kept
    I3  nothing is written without its intent in the rows     I7  the chain of the log holds
    I4  an anchor never changes                               I8  no first password in any byte of the database

I3 and I5 are looked at in the middle of each write. At the end the weather clears, and everything has to come to rest.
"""

import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlmodel import col, select

from provision.config import Settings
from provision.core.ports import Refused, Throttled, Unauthorised, Write
from provision.core.tables import Account, Operation, Tenant, User
from provision.core.vocabulary import UNFINISHED_CYCLES, Approval, Lifecycle, OperationKind, OperationState, Situation
from provision.db import Database
from provision.factory import open_house
from provision.services import cycles, outbox, users
from provision.services.errors import ServiceError
from tests.cast import Clock
from tests.fakes.target import Death
from tests.services.outgoing import Desk

NAMES = ("ann", "bob", "cat")
MISFORTUNES = (
    "lost before", "lost after", "unsent", "die before", "die after", Throttled(30.0), Refused("value_refused"),
    Unauthorised("token_refused"),
)  # fmt: skip
POINTS = ("after_claim", "after_send", "after_settle", "after_look")
_templates: list[Path] = []


def template() -> Path:
    """A migrated database, made once."""
    if not _templates:
        folder = Path(tempfile.mkdtemp())
        database = Database(f"sqlite:///{folder / 'provision.db'}", lock_dir=folder)
        database.migrate()
        database.close()
        _templates.append(folder / "provision.db")
    return _templates[0]


class Machine(RuleBasedStateMachine):
    """One tenant, one app, a few people with the same few names."""

    mark: str | None = "extensionAttribute15"

    @initialize(
        lag=st.sampled_from([0.0, 0.0, 40.0, 900.0]),
        hold=st.sampled_from([0, 10]),
        approval=st.sampled_from([Approval.AUTOMATIC, Approval.AUTOMATIC, Approval.REVIEW]),
        floor=st.sampled_from([1000, 1000, 1]),
    )
    def open(self, lag: float, hold: int, approval: Approval, floor: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(template(), self.folder / "provision.db")
        self.clock = Clock(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
        given = {"data_dir": self.folder, "database_url": f"sqlite:///{self.folder / 'provision.db'}"}
        self.house = open_house(Settings(_env_file=None, **given), now=self.clock)  # type: ignore[call-arg]
        with self.house.db.writing() as session:
            tenant = Tenant(slug="contoso", name="Contoso", created_at=self.clock())
            session.add(tenant)
            session.flush()
            number = tenant.id or 0
        self.desk = Desk(self.house, number, self.clock, approval=approval)
        self.desk.scope(correlation=self.mark, limit_floor=floor, hold_seconds=hold)
        self.there = self.desk.there
        self.there.lag = lag
        self.there.witness = self.witness
        self.anchors: dict[tuple[int, int], str] = {}
        self.numbers = itertools.count(1)
        self.passwords: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.comes_to_rest()
            self.house.db.close()
            shutil.rmtree(self.folder)

    # -- What people do here -----------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES))
    def add(self, name: str) -> None:
        given = {"given_name": name.title(), "surname": "Here", "username": name, "email": f"{name}@there.example"}
        self.serve(users.add, given)

    @rule(which=st.integers(0, 5), name=st.sampled_from(["Kim", "Lee", "Max"]))
    def rename(self, which: int, name: str) -> None:
        self.upon(which, users.edit, {"given_name": name})

    @rule(which=st.integers(0, 5), name=st.sampled_from(NAMES))
    def readdress(self, which: int, name: str) -> None:
        self.upon(which, users.edit, {"email": f"{name}@there.example"})

    @rule(which=st.integers(0, 5), how=st.sampled_from(users.Move))
    def move(self, which: int, how: users.Move) -> None:
        self.upon(which, users.move, how)

    @rule(which=st.integers(0, 5))
    def retry(self, which: int) -> None:
        ended = [one.id for one in self.desk.operations() if one.state in ("failed", "blocked", "cancelled")]
        if ended:
            self.serve(outbox.retry, [ended[which % len(ended)]])

    @rule(which=st.integers(0, 5), yes=st.booleans())
    def answer(self, which: int, yes: bool) -> None:
        """Whatever asks, of a review or of the brake, gets an answer."""
        asking = [one for one in self.desk.operations() if one.asks is not None and one.state == "pending"]
        if not asking:
            return
        one = asking[which % len(asking)]
        with self.house.db.writing() as session:
            if yes:
                shown = {one.id or 0: one.fingerprint}
                outbox.approve(session, self.desk.tenant, shown, "ada", self.clock())
            else:
                outbox.decline(session, self.desk.tenant, [one.id or 0], "ada", self.clock())

    # -- What happens there ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.there.people)
    @rule(which=st.integers(0, 5), name=st.sampled_from(["Una", "Vic"]))
    def edited_there(self, which: int, name: str) -> None:
        self.there.edit(self.one_there(which), givenName=name)

    @precondition(lambda self: self.there.people)
    @rule(which=st.integers(0, 5))
    def deleted_there(self, which: int) -> None:
        anchor = self.one_there(which)
        self.there.bin[anchor] = self.there.people[anchor]
        self.there.remove(anchor)

    @rule(name=st.sampled_from(NAMES))
    def added_there(self, name: str) -> None:
        if self.there.named(f"{name}@there.example") is None:
            anchor = f"foreign{next(self.numbers)}"
            self.there.add(
                anchor, userPrincipalName=f"{name}@there.example", displayName="Somebody Else",
                createdDateTime="2020-01-01T00:00:00Z",
            )  # fmt: skip

    # -- What goes wrong, and time -----------------------------------------------------------------------------------

    @rule(what=st.lists(st.sampled_from([*MISFORTUNES, None]), min_size=1, max_size=3))
    def misfortune(self, what: list[Any]) -> None:
        self.there.befall(*what)

    @rule(seconds=st.sampled_from([3, 11, 61, 1200]))
    def time_passes(self, seconds: int) -> None:
        self.clock.forward(seconds=seconds)

    @rule(point=st.sampled_from([*POINTS, None, None, None]))
    def work(self, point: str | None) -> None:
        """The worker's turn; it may die at a named point, or in the middle of a call."""

        def at(here: str) -> None:
            if here == point:
                raise Death

        try:
            self.desk.drain(at=at)
        except Death:
            self.desk.recover()

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(MISFORTUNES), seconds=st.sampled_from([3, 61]))
    def add_in_bad_weather(self, name: str, what: Any, seconds: int) -> None:
        """The likeliest way to trouble, told as one step so that it happens often."""
        self.there.misfortunes.clear()
        self.there.befall(what)
        self.add(name)
        self.work(None)
        self.clock.forward(seconds=seconds)
        self.work(None)

    @rule(which=st.integers(0, 5), how=st.sampled_from(users.Move), what=st.sampled_from([*MISFORTUNES, None]))
    def move_in_bad_weather(self, which: int, how: users.Move, what: Any) -> None:
        self.there.misfortunes.clear()
        self.there.befall(what)
        self.move(which, how)
        self.clock.forward(seconds=11)
        self.work(None)

    @rule(full=st.booleans(), dies=st.booleans())
    def imported(self, full: bool, dies: bool) -> None:
        """An import from request to end; the process may die while a page is fetched, and the next one goes on."""
        if dies:
            self.there.trouble[self.there.told].append(_die)
        try:
            with self.house.db.writing() as session:
                cycles.request(session, self.desk.tenant, self.desk.app, "schedule", self.clock(), full=full)
        except ServiceError:
            return  # in quarantine
        for _ in range(30):
            try:
                cycles.run_requested(self.desk.ways())
            except Death:
                continue
            with self.house.db.reading() as session:
                newest = cycles.latest(session, self.desk.tenant, self.desk.app)
            if newest is None or newest.state not in UNFINISHED_CYCLES:
                return
            self.clock.forward(seconds=30)

    # -- What always holds -------------------------------------------------------------------------------------------

    def witness(self, writes: Sequence[Write]) -> None:
        """Every write has its intent in the rows, and takes away only what somebody here decided."""
        with self.house.db.reading() as session:
            running = session.exec(select(Operation).where(Operation.state == OperationState.RUNNING)).all()
            assert len(running) == len(writes)
            assert Counter(one.kind for one in running) == Counter(write.kind for write in writes)
            for write in writes:
                if write.kind in (OperationKind.DELETE, OperationKind.DISABLE):
                    person = session.exec(
                        select(User)
                        .join(Account, col(Account.user_id) == User.id)
                        .where(Account.anchor == write.anchor)
                    ).one()
                    assert person.lifecycle in (Lifecycle.LEFT, Lifecycle.SUSPENDED)
        self.passwords.update(write.password for write in writes if write.password)

    @invariant()
    def one_waits_and_one_is_in_flight_at_most(self) -> None:
        if not hasattr(self, "desk"):
            return
        waiting: Counter[int] = Counter()
        flying: Counter[int] = Counter()
        for operation in self.desk.operations():
            waiting[operation.account_id] += operation.state in ("pending", "blocked")
            flying[operation.account_id] += operation.state in ("running", "unknown")
            assert operation.state != OperationState.RUNNING, "nobody works now"
        assert max(waiting.values(), default=0) <= 1
        assert max(flying.values(), default=0) <= 1

    @invariant()
    def nobody_is_made_twice(self) -> None:
        if hasattr(self, "desk"):
            assert max(self.there.marks.values(), default=0) <= 1

    @invariant()
    def the_log_holds_and_keeps_no_password(self) -> None:
        if hasattr(self, "desk"):
            assert self.desk.chain_breaks_at() is None
            self.no_password_is_kept()

    @invariant()
    def the_watermark_is_never_ahead_of_what_was_kept(self) -> None:
        """Whoever was told up to the watermark, and has not changed since, is kept as they are there."""
        watermark = self.desk.connector().watermark if hasattr(self, "desk") else None
        if watermark is None:
            return
        told, later = self.there.told_up_to(watermark)
        with self.house.db.reading() as session:
            rows = session.exec(select(Account).where(col(Account.anchor).is_not(None))).all()
        kept = {row.anchor: row.observed for row in rows}
        for anchor in (told - later) & self.there.people.keys():
            assert kept[anchor]["userPrincipalName"] == self.there.people[anchor]["userPrincipalName"]

    @invariant()
    def an_anchor_never_changes(self) -> None:
        """Of somebody's account: a row that was nobody's may give way to theirs, and SQLite then gives its number again."""
        if not hasattr(self, "desk"):
            return
        ours = select(Account).where(col(Account.anchor).is_not(None), col(Account.user_id).is_not(None))
        with self.house.db.reading() as session:
            for account in session.exec(ours).all():
                whose = (account.id or 0, account.user_id or 0)
                assert self.anchors.setdefault(whose, account.anchor or "") == account.anchor

    def comes_to_rest(self) -> None:
        """The weather clears: what is not blocked or asking ends, nothing made by us is without an owner, all is told."""
        self.there.misfortunes.clear()
        for _ in range(60):
            self.desk.drain()
            left = [one for one in self.desk.operations() if one.state in ("pending", "running", "unknown")]
            if not [one for one in left if one.asks is None]:
                break
            self.clock.forward(minutes=61)
        else:
            raise AssertionError([(one.kind, one.state, one.error, one.due_at) for one in left])
        self.one_waits_and_one_is_in_flight_at_most()
        self.nobody_is_made_twice()
        with self.house.db.reading() as session:
            bound = set(session.exec(select(Account.anchor).where(col(Account.anchor).is_not(None))).all())
            owned = session.exec(select(Account.anchor).where(col(Account.user_id).is_not(None))).all()
            assert len(owned) == len([one for one in owned if one is None]) + len({one for one in owned if one})
        # Whoever was thrown away there before we could look is a twin in the bin, which a person is asked about.
        ours = {anchor for anchor in self.there.people if anchor.startswith("made")}
        assert ours <= bound
        assert self.desk.chain_breaks_at() is None
        self.linked_accounts_are_in_line()
        self.house.db.engine.dispose()
        self.no_password_is_kept()

    def no_password_is_kept(self) -> None:
        """In no byte of the database or of what it has not written back yet."""
        if self.passwords:
            stored = b"".join(path.read_bytes() for path in self.folder.glob("provision.db*"))
            assert not [one for one in self.passwords if one.encode() in stored]

    def linked_accounts_are_in_line(self) -> None:
        """Whatever differs is said: blocked, failed, declined, or moved there only."""
        with self.house.db.writing() as session:
            rows = session.exec(
                select(Account).where(Account.situation == Situation.LINKED, col(Account.user_id).is_not(None))
            ).all()
            told = set(session.exec(sa.select(Operation.account_id).where(Operation.state != "done")).scalars().all())
            people = [row.user_id for row in rows if row.user_id and row.id not in told and not row.stale]
            effects = outbox.enqueue(session, self.desk.tenant, people, self.desk.order())
            assert [effect for effect in effects if effect.operation_id is not None] == []

    # -- How ---------------------------------------------------------------------------------------------------------

    def serve(self, work: Any, *given: Any) -> None:
        try:
            with self.house.db.writing() as session:
                work(session, self.desk.tenant, *given, self.desk.order())
        except ServiceError:
            pass  # a refusal is an answer, too

    def upon(self, which: int, work: Any, *given: Any) -> None:
        with self.house.db.reading() as session:
            ids = session.exec(select(User.id).order_by(col(User.id))).all()
        if ids:
            self.serve(work, ids[which % len(ids)], *given)

    def one_there(self, which: int) -> str:
        everybody = sorted(self.there.people)
        return everybody[which % len(everybody)]


def _die() -> None:
    raise Death


class Unmarked(Machine):
    """The same without a correlation value: what is ours is known by evidence alone."""

    mark = None


SHORT = settings(
    max_examples=12, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip
LONG = settings(
    max_examples=1000, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
"""Two thousand runs in all, half of them of each kind, so that two processes can share them."""

TestMarked = Machine.TestCase
TestMarked.settings = SHORT
TestUnmarked = Unmarked.TestCase
TestUnmarked.settings = SHORT


@pytest.mark.faults
class TestLong(Machine.TestCase):  # type: ignore[misc, name-defined]
    settings = LONG


@pytest.mark.faults
class TestLongUnmarked(Unmarked.TestCase):  # type: ignore[misc, name-defined]
    settings = LONG
