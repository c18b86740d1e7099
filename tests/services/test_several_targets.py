"""Several targets at once: the sandbox of Microsoft 365 beside a real SCIM server, through the real outbox and worker."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import col, select

from provision.connectors import World
from provision.connectors.scim import build
from provision.connectors.scim.config import ScimConfig
from provision.core.ports import Outcome, Source, Unreachable
from provision.core.tables import Account, Connector, Operation
from provision.core.vocabulary import ConnectorState, Kind, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import connectors, outbox, users, worker
from provision.services.cycles import Ways
from tests import office, second
from tests.cast import Cast, Clock
from tests.fakes.scim import ScimServer
from tests.processes import PATIENCE

ALL = ("import", "create", "edit", "delete")


class Hub:
    """One tenant with Office 365 and a SCIM application, everything on and sent at once."""

    def __init__(self, house: House, tenant: int, clock: Clock, there: ScimServer) -> None:
        self.house, self.tenant, self.clock, self.there = house, tenant, clock, there
        house.sandbox().faults.turn(lag_get=0, lag_list=0, lag_index=0)
        self.office = office.connected(house, tenant, on=ALL)
        self.scim = second.connected(house, tenant, there.url, on=ALL)
        with house.db.writing() as session:
            for row in connectors.of(session, tenant):
                row.approval = "automatic"
                row.scope = {**row.scope, "hold_seconds": 0}
                session.add(row)

    def ways(self, **changes: Any) -> Ways:
        def sleep(seconds: float) -> None:
            self.clock.forward(seconds=max(seconds, 0.001))

        return replace(self.house.ways(), connect=self.connect, sleep=sleep, chance=lambda: 0.5, **changes)

    def connect(self, row: Connector) -> Source:
        if row.kind != Kind.SCIM:
            return self.house.connect(row)
        return second.port(self.house, row, self.clock)

    def order(self) -> outbox.Order:
        return outbox.Order("ada", self.clock(), self.house.kinds)

    def hire(self, name: str, **values: Any) -> int:
        given = {
            "username": name, "email": f"{name}@{office.DOMAIN}", "given_name": name.title(), "surname": "Here",
            "display_name": f"{name.title()} Here", **values,
        }  # fmt: skip
        with self.house.db.writing() as session:
            done = users.add(session, self.tenant, given, self.order())
        return done.user_id

    def work(self, times: int = 6) -> None:
        memory = worker.Memory(clock=lambda: self.clock().timestamp())
        for _ in range(times):
            with self.house.db.reading() as session:
                due = worker.due_connectors(session, self.clock())
            for number in due:
                memory.of(number).bucket.take(-100.0)
                worker.drain(self.ways(), number, memory=memory, width=1)
            self.clock.forward(seconds=61)

    def accounts(self, user_id: int) -> dict[int, Account]:
        with self.house.db.reading() as session:
            rows = session.exec(select(Account).where(Account.user_id == user_id)).all()
        return {row.connector_id: row for row in rows}

    def operations(self, app: int) -> list[Operation]:
        query = select(Operation).where(Operation.connector_id == app).order_by(col(Operation.id))
        with self.house.db.reading() as session:
            return list(session.exec(query).all())


@pytest.fixture
def there() -> Iterator[ScimServer]:
    server = ScimServer()
    yield server
    server.close()


@pytest.fixture
def hub(house: House, cast: Cast, clock: Clock, there: ScimServer) -> Hub:
    return Hub(house, cast.contoso, clock, there)


def test_one_edit_leaves_one_operation_for_every_linked_target(hub: Hub) -> None:
    jane = hub.hire("jane")
    assert [(one.kind, one.state) for app in (hub.office, hub.scim) for one in hub.operations(app)] == [
        (OperationKind.CREATE, OperationState.PENDING)
    ] * 2
    hub.work()
    both = hub.accounts(jane)
    assert {app: row.situation for app, row in both.items()} == dict.fromkeys((hub.office, hub.scim), Situation.LINKED)
    (row,) = hub.there.named(f"jane@{office.DOMAIN}")
    assert row["externalId"] == both[hub.scim].correlation
    assert (row["name"], row["active"]) == ({"givenName": "Jane", "familyName": "Here"}, True)


def test_a_change_follows_in_both_and_a_leaver_loses_both(hub: Hub) -> None:
    jane = hub.hire("jane")
    hub.work()
    with hub.house.db.writing() as session:
        users.edit(session, hub.tenant, jane, {"given_name": "Janine", "title": "Mate"}, hub.order())
    hub.work()
    (row,) = hub.there.named(f"jane@{office.DOMAIN}")
    assert (row["name"]["givenName"], row["title"]) == ("Janine", "Mate")
    with hub.house.db.writing() as session:
        users.move(session, hub.tenant, jane, users.Move.DISABLE, hub.order())
    hub.work()
    assert hub.there.named(f"jane@{office.DOMAIN}")[0]["active"] is False
    assert {row.enabled for row in hub.accounts(jane).values()} == {False}
    with hub.house.db.writing() as session:
        users.move(session, hub.tenant, jane, users.Move.DELETE, hub.order())
    hub.work()
    assert hub.there.people() == {}
    both = hub.accounts(jane)
    assert {row.situation for row in both.values()} == {Situation.GONE}
    assert (both[hub.office].removed, both[hub.scim].removed) == ("restorable", "purged")


@pytest.mark.parametrize(
    ("what", "details"),
    [("drop_after", {}), ("status_after", {"status": 504}), ("html_after", {}), ("drop_before", {}), ("garbage", {}),
     ("status", {"status": 503}), ("status", {"status": 429, "after": 5}), ("wrong_id", {})],
    ids=str,
)  # fmt: skip
def test_whatever_becomes_of_the_answer_there_is_one_account_there(
    hub: Hub, what: str, details: dict[str, Any]
) -> None:
    hub.there.strike(what, "POST", "/Users", **details)
    jane = hub.hire("jane")
    hub.work(12)
    assert hub.there.struck == [what]
    assert len(hub.there.named(f"jane@{office.DOMAIN}")) == 1
    account = hub.accounts(jane)[hub.scim]
    if what != "wrong_id":  # an id that nobody has there: told apart at the next comparison, never created again
        assert account.anchor == hub.there.named(f"jane@{office.DOMAIN}")[0]["id"]
    assert hub.there.sent("POST") <= 2


def test_many_people_and_many_lost_answers_end_with_everybody_there_once(hub: Hub) -> None:
    for skip in range(0, 30, 3):
        what = ("drop_after", "drop_before", "status_after")[skip % 2 + (skip % 9 == 0)]
        hub.there.strike(what, "POST", "/Users", skip=skip // 3, **({"status": 502} if what == "status_after" else {}))
    hired = [hub.hire(f"p{number:02}") for number in range(30)]
    hub.work(30)
    names = Counter(row["userName"] for row in hub.there.people().values())
    assert names == Counter(f"p{number:02}@{office.DOMAIN}" for number in range(30))
    assert len(hub.there.struck) == 10
    assert {one.state for one in hub.operations(hub.scim)} == {OperationState.DONE}
    assert len(hired) == 30


# -- Side by side ----------------------------------------------------------------------------------------------------------


def test_a_target_that_hangs_holds_up_nobody_else(hub: Hub) -> None:
    """Counted in calls: while the first call of one app has not come back, the other app is done."""
    arrived, may_go = threading.Event(), threading.Event()

    def wait_there(method: str, _path: str) -> None:
        if method == "POST":
            arrived.set()
            may_go.wait(PATIENCE)

    hub.there.witness = wait_there
    hub.hire("jane")
    memory = worker.Memory(clock=lambda: hub.clock().timestamp())
    for app in (hub.office, hub.scim):
        memory.of(app).bucket.take(-100.0)
    lanes = worker.Lanes(hub.ways(), memory)
    lanes.tend()
    assert arrived.wait(PATIENCE)
    while not all(one.state == OperationState.DONE for one in hub.operations(hub.office)):
        assert lanes.busy
        threading.Event().wait(0.05)
    assert [one.state for one in hub.operations(hub.scim)] == [OperationState.RUNNING]
    assert hub.there.sent("POST") == 1
    may_go.set()
    assert lanes.close()["done"] == 2
    assert [one.state for one in hub.operations(hub.scim)] == [OperationState.DONE]


def test_a_lane_that_breaks_is_opened_again_at_the_next_tending(hub: Hub) -> None:
    hub.hire("jane")
    calls: list[int] = []

    def carry(_ways: Ways, number: int, _memory: worker.Memory) -> Counter[str]:
        calls.append(number)
        if number == hub.scim:
            raise RuntimeError("broke")
        return Counter(done=1)

    lanes = worker.Lanes(hub.ways(), carry=carry)
    for _ in range(2):
        lanes.tend()
        assert lanes.close()["done"]
    assert sorted(calls) == sorted([hub.office, hub.scim] * 2)


def test_a_target_that_is_down_is_knocked_at_a_few_times_and_then_rests(hub: Hub) -> None:
    for number in range(40):
        hub.hire(f"p{number:02}")
    calls: list[int] = []

    class Down:
        def __init__(self, port: Any) -> None:
            self._port = port

        def __getattr__(self, name: str) -> Any:
            return getattr(self._port, name)

        def carry(self, writes: Any) -> list[Outcome]:
            calls.append(len(writes))
            return [Outcome(error=Unreachable("host_unreachable", sent=False, host="x"))] * len(writes)

    down: list[bool] = [True]
    memory = worker.Memory(clock=lambda: hub.clock().timestamp())

    def connect(row: Connector) -> Any:
        return Down(hub.connect(row)) if down and row.kind == Kind.SCIM else hub.connect(row)

    ways = replace(hub.ways(), connect=connect)
    for _ in range(10):
        memory.of(hub.scim).bucket.take(-100.0)
        worker.drain(ways, hub.scim, memory=memory, width=1)
        hub.clock.forward(seconds=20)
    assert calls[0] == 20
    assert set(calls[1:]) == {1}
    assert len(calls) <= 5
    assert max(one.attempts for one in hub.operations(hub.scim)) <= 3
    down.clear()
    memory.of(hub.scim).port = None
    for _ in range(20):
        memory.of(hub.scim).bucket.take(-100.0)
        worker.drain(ways, hub.scim, memory=memory, width=1)
        hub.clock.forward(seconds=61)
    assert {one.state for one in hub.operations(hub.scim)} == {OperationState.DONE}
    assert len(hub.there.people()) == 40


def test_one_operation_that_never_gets_an_answer_opens_no_breaker() -> None:
    breaker = worker.Breaker()
    lost = Unreachable("timed_out", sent=True)
    assert [breaker.rest([(1, lost)]) for _ in range(50)] == [None] * 50


def test_one_answer_that_many_operations_lack_opens_no_breaker() -> None:
    breaker = worker.Breaker()
    batches = [Unreachable("connection_lost", sent=True, request_id=f"batch {number}") for number in range(3)]
    rests = [breaker.rest((number, lost) for number in range(20)) for lost in batches]
    assert rests == [None, None, 30]


def test_a_breaker_rests_longer_each_time_and_closes_with_the_first_answer() -> None:
    breaker = worker.Breaker()
    down = Unreachable("host_unreachable", sent=False)
    assert breaker.rest((number, down) for number in range(10)) == 30
    assert [breaker.rest([(11, down)]) for _ in range(6)] == [60, 120, 240, 480, 600, 600]
    assert breaker.rest([(11, None)]) is None
    assert not breaker.tries


def test_refused_credentials_of_one_target_stop_that_one_alone(hub: Hub) -> None:
    hub.there.strike("status", "*", "/Users*", status=401, times=999)
    hub.hire("jane")
    hub.work()
    with hub.house.db.reading() as session:
        states = {row.id: row.state for row in connectors.of(session, hub.tenant)}
    assert states == {hub.office: ConnectorState.ACTIVE, hub.scim: ConnectorState.QUARANTINED}
    assert [one.state for one in hub.operations(hub.office)] == [OperationState.DONE]


def test_every_kind_goes_at_its_own_pace(hub: Hub) -> None:
    memory = worker.Memory(clock=lambda: hub.clock().timestamp())
    with hub.house.db.reading() as session:
        rows = connectors.of(session, hub.tenant)
    for row in rows:
        memory.port(hub.ways(), row)
    hub.clock.forward(seconds=1)
    found = {row.kind: memory.of(row.id or 0).bucket.tokens() for row in rows}
    assert found == {kind: hub.house.kinds[kind].pace.rate for kind in (Kind.MICROSOFT365, Kind.SCIM)}


def test_a_connector_is_built_without_a_call(there: ScimServer) -> None:
    build(ScimConfig(base_url=there.url), None, None, World(clouds={}))
    assert there.calls == []


# -- Whom an app is for ------------------------------------------------------------------------------------------------------

DECK = [{"attribute": "department", "operator": "is", "value": "Deck"}]


def ruled(hub: Hub, rule: list[dict[str, str]], **more: Any) -> None:
    with hub.house.db.writing() as session:
        connectors.settle(session, hub.tenant, hub.scim, {"rule": rule, **more}, "ada", hub.clock())


def edit(hub: Hub, user_id: int, **values: Any) -> None:
    with hub.house.db.writing() as session:
        users.edit(session, hub.tenant, user_id, values, hub.order())


def there_is(hub: Hub, name: str) -> bool | None:
    """Whether somebody is active there; None when they have no account."""
    found = hub.there.named(f"{name}@{office.DOMAIN}")
    return found[0]["active"] if found else None


def test_only_whom_an_app_is_for_get_an_account_there(hub: Hub) -> None:
    ruled(hub, DECK)
    jane, olaf = hub.hire("jane", department="deck"), hub.hire("olaf", department="Galley")
    hub.work()
    assert (there_is(hub, "jane"), there_is(hub, "olaf")) == (True, None)
    assert set(hub.accounts(jane)) == {hub.office, hub.scim}
    assert set(hub.accounts(olaf)) == {hub.office}


def test_whoever_leaves_the_rule_is_switched_off_there_alone_and_on_again_when_they_come_back(hub: Hub) -> None:
    ruled(hub, DECK)
    jane = hub.hire("jane", department="Deck")
    hub.work()
    edit(hub, jane, department="Galley")
    hub.work()
    assert there_is(hub, "jane") is False
    assert hub.accounts(jane)[hub.office].enabled is not False
    edit(hub, jane, title="Cook")
    hub.work()
    assert there_is(hub, "jane") is False
    assert "title" not in hub.there.named(f"jane@{office.DOMAIN}")[0]
    edit(hub, jane, department="Deck")
    hub.work()
    assert there_is(hub, "jane") is True
    assert hub.accounts(jane)[hub.scim].intent == {}


@pytest.mark.parametrize(("when_left", "stays"), [("delete", None), ("nothing", True)])
def test_what_leaving_the_rule_means_is_the_apps_leaver_rule(hub: Hub, when_left: str, stays: bool | None) -> None:
    ruled(hub, DECK, when_left=when_left)
    jane = hub.hire("jane", department="Deck")
    hub.work()
    edit(hub, jane, department="Galley")
    hub.work()
    assert there_is(hub, "jane") is stays


def test_a_new_rule_says_who_would_come_and_go_and_sends_nothing_by_itself(hub: Hub) -> None:
    for number in range(3):
        hub.hire(f"deck{number}", department="Deck")
        hub.hire(f"galley{number}", department="Galley")
    hub.work()
    assert len(hub.there.people()) == 6
    before = len(hub.there.calls)
    with hub.house.db.reading() as session:
        row = connectors.get(session, hub.tenant, hub.scim)
        would = outbox.would_move(session, row, hub.house.kinds, ())
        assert would.number == 0
    ruled(hub, DECK)
    hub.work()
    assert len(hub.there.calls) == before
    with hub.house.db.reading() as session:
        row = connectors.get(session, hub.tenant, hub.scim)
        would = outbox.would_move(session, row, hub.house.kinds)
    assert {kind: len(ids) for kind, ids in would.people.items()} == {OperationKind.DISABLE: 3}
    assert would.sample[OperationKind.DISABLE][0][1] == "Galley0 Here"
    with hub.house.db.writing() as session:
        row = connectors.get(session, hub.tenant, hub.scim)
        assert len(outbox.plan_these(session, row, hub.house.kinds, hub.order())) == 3
    waiting = [one for one in hub.operations(hub.scim) if one.state == OperationState.PENDING]
    assert {(one.kind, one.asks) for one in waiting} == {(OperationKind.DISABLE, "review")}
    with hub.house.db.writing() as session:
        outbox.approve(session, hub.tenant, {one.id or 0: one.fingerprint for one in waiting}, "ada", hub.clock())
    hub.work()
    assert (
        sorted(there_is(hub, f"{word}{n}") for word in ("deck", "galley") for n in range(3)) == [False] * 3 + [True] * 3
    )


def test_a_rule_that_takes_too_many_away_is_held_by_the_brake(hub: Hub) -> None:
    hired = [hub.hire(f"p{number:02}", department="Deck") for number in range(12)]
    hub.work(10)
    ruled(hub, [{"attribute": "department", "operator": "is", "value": "Bridge"}])
    with hub.house.db.writing() as session:
        outbox.enqueue(session, hub.tenant, hired, hub.order())
    hub.work()
    assert {one.asks for one in hub.operations(hub.scim) if one.state == OperationState.PENDING} == {"brake"}
    assert all(row["active"] for row in hub.there.people().values())


def test_a_suspended_person_who_is_outside_stays_off_and_a_deleted_one_is_deleted(hub: Hub) -> None:
    ruled(hub, DECK)
    jane = hub.hire("jane", department="Deck")
    hub.work()
    edit(hub, jane, department="Galley")
    hub.work()
    with hub.house.db.writing() as session:
        users.move(session, hub.tenant, jane, users.Move.DELETE, hub.order())
    hub.work()
    assert there_is(hub, "jane") is None
