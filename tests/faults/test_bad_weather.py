"""Many people added, changed and deleted while the cloud misbehaves: everybody ends as promised, once, and nothing failed.

The real services, worker and connector against the sandbox in this process; time is driven, so that a storm of ten minutes
takes none. ``make test`` plays each weather with a few dozen people, ``make faults`` with a thousand.
"""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import Operation, Tenant
from provision.core.vocabulary import Approval, OperationState
from provision.house import House
from provision.sandbox import Fault, LostAnswer
from provision.services import connectors, users, worker
from tests import office as rooms
from tests.cast import Clock
from tests.faults import judging
from tests.faults.people import Office

SEED = 7
ITEMS = ("/v1.0/users", "/v1.0/users/*")
"""The single requests in a batch, creates first."""


def _each(kind: str, *, probability: float = 1.0, times: int | None = None, **details: Any) -> list[Fault]:
    """The same for creates, changes and deletions, each drawn on its own."""
    return [
        Fault(kind, method, path, times=times, probability=probability, seed=SEED + number, details=details)
        for number, (method, path) in enumerate((("POST", ITEMS[0]), ("PATCH", ITEMS[1]), ("DELETE", ITEMS[1])))
    ]


def _batches(kind: str, **more: Any) -> list[Fault]:
    return [Fault(kind, "POST", "/v1.0/$batch", **{"times": None, "seed": SEED, **more})]


@dataclass(frozen=True)
class Weather:
    """What goes wrong, for how long, and which faults must have struck for the run to be a proof."""

    faults: Sequence[Fault]
    knobs: dict[str, float] = field(default_factory=dict)
    lasts: timedelta | None = None
    proof: tuple[str, ...] = ()


WEATHERS = {
    "each is told to wait a while, half the time": Weather(
        _each("throttle", probability=0.5, retry_after=17), lasts=timedelta(minutes=10), proof=("throttle",)
    ),
    "half are told to wait and not for how long": Weather(
        _each("throttle", probability=0.5), lasts=timedelta(minutes=10), proof=("throttle",)
    ),
    "the service errs before it does anything": Weather(
        [
            one
            for status in (500, 502, 503, 504)
            for one in _each("status", probability=0.1, status=status, code="UnknownError")
        ],
        proof=("status",),
    ),
    "the request is lost on its way": Weather(_batches("drop_before", probability=0.5), proof=("drop_before",)),
    "answers are lost and the new are not visible yet": Weather(
        _batches("drop_after", probability=0.5),
        knobs={"lag_get": 95.0, "lag_list": 120.0, "lag_index": 120.0},
        proof=("drop_after",),
    ),
    "the token is refused every now and then": Weather(
        [Fault("expired_token", "*", "/v1.0/*", times=None, probability=0.02, seed=SEED)], proof=("expired_token",)
    ),
    "what comes back is no answer": Weather(
        [
            one
            for kind in ("html", "truncated", "empty", "content_type", "oversized")
            for one in _batches(kind, probability=0.1, times=None if kind != "oversized" else 1)
        ],
        proof=("html", "truncated", "empty", "content_type"),
    ),
}


@dataclass
class Trial:
    """One office in one weather."""

    house: House
    clock: Clock
    office: Office
    weather: Weather
    memory: worker.Memory = field(init=False)

    def __post_init__(self) -> None:
        self.memory = worker.Memory(clock=lambda: self.clock().timestamp())
        self.faults = self.house.sandbox().faults
        self.fired: Counter[str] = Counter()
        self.chance = random.Random(SEED).random

    def add(self, number: int) -> None:
        for _ in range(number):
            self.office._add(None)

    def change(self) -> None:
        for user_id in self.office.promises:
            self.office._edit(user_id)

    def delete(self, number: int) -> None:
        for user_id in list(self.office.promises)[:number]:
            self.office._move(users.Move.DELETE.value, user_id)

    def rest(self) -> None:
        """Carry everything out; the sky clears when the weather is over. The longer nothing is due, the longer it waits."""
        self._storm()
        began = self.clock()
        pause = 5
        for _ in range(20_000):
            done = worker.drain(self._ways(), self.office.app, memory=self.memory, width=1)
            if not self.office.waiting():
                break
            pause = 5 if done else min(2 * pause, 3600)
            self.clock.forward(seconds=pause)
            if self.clock() - began > (self.weather.lasts or timedelta(hours=2)):
                self._clear()
        else:
            raise AssertionError(f"it does not come to rest: {self.states()} at {self.clock()}")
        self._clear()

    def states(self) -> Counter[str]:
        with self.house.db.reading() as session:
            return Counter(one.state.value for one in session.exec(select(Operation)).all())

    def _storm(self) -> None:
        self.faults.clear()
        self.faults.add(*self.weather.faults)
        self.faults.turn(**self.weather.knobs)

    def _clear(self) -> None:
        self.fired += Counter(self.faults.fired())
        self.faults.clear()

    def _ways(self) -> Any:
        def sleep(seconds: float) -> None:
            self.clock.forward(seconds=max(seconds, 0.001))

        return replace(self.house.ways(), sleep=sleep, chance=self.chance)


Prepare = Callable[[Weather], Trial]


@pytest.fixture
def prepare(house: House, clock: Clock) -> Prepare:
    """An office whose app goes by itself, marks whom it creates, and lets go without a hold."""

    def _prepare(weather: Weather) -> Trial:
        with house.db.writing() as session:
            tenant = Tenant(slug="contoso", name="Contoso", created_at=clock())
            session.add(tenant)
            session.flush()
            number = tenant.id or 0
        app = rooms.connected(house, number, on=("create", "edit", "delete"))
        with house.db.writing() as session:
            connectors.get(session, number, app).approval = Approval.AUTOMATIC
        office = Office(house, rooms.DOMAIN, random.Random(SEED))
        office.settings(correlation=judging.MARK, limit_floor=10**6, hold_seconds=0)
        return Trial(house, clock, office, weather)

    return _prepare


def _survives(trial: Trial, number: int) -> None:
    directory = trial.house.settings.data_dir / "sandbox.db"
    trial.add(number)
    trial.rest()
    trial.change()
    trial.rest()
    trial.delete(number // 5)
    trial.rest()
    assert judging.faults(trial.office, judging.Directory(directory)) == []
    assert set(trial.states()) == {OperationState.DONE.value}
    for kind in trial.weather.proof:
        assert trial.fired[kind], kind


@pytest.mark.parametrize("name", WEATHERS)
def test_everybody_ends_as_promised_and_once(prepare: Prepare, name: str) -> None:
    _survives(prepare(WEATHERS[name]), 24)


@pytest.mark.faults
@pytest.mark.parametrize("name", WEATHERS)
def test_a_thousand_end_as_promised_and_once(prepare: Prepare, name: str) -> None:
    _survives(prepare(WEATHERS[name]), 1000)


class Tap:
    """Between the product and the cloud: notes each call, and can lose the first answer to every create."""

    def __init__(self, trial: Trial, *, losing: bool = False) -> None:
        self._inner, self._now, self._losing = trial.house.sandbox().wsgi, trial.clock, losing
        self.lost: set[str] = set()
        self.early: list[float] = []
        self.tokens = 0
        self._until = 0.0
        trial.house.sandbox().wsgi = self  # type: ignore[method-assign]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        now, path = self._now().timestamp(), environ["PATH_INFO"]
        self.tokens += path.endswith("/oauth2/v2.0/token")
        if path.startswith("/v1.0/") and now < self._until - 0.5:
            self.early.append(now)

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            wait = dict(headers).get("Retry-After")
            if wait is not None:
                self._until = max(self._until, now + float(wait))
            return start_response(status, headers, *more)

        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = self._inner({**environ, "wsgi.input": io.BytesIO(body)}, started)
        if self._losing and path.endswith("/$batch") and self._loses(json.loads(body)["requests"]):
            raise LostAnswer(applied=True)
        return answer

    def _loses(self, requests: list[dict[str, Any]]) -> bool:
        new = {one["body"]["mailNickname"] for one in requests if one["method"] == "POST" and one["url"] == "/users"}
        new -= self.lost
        self.lost |= new
        return bool(new)


def _loses_every_first_answer(trial: Trial, number: int) -> None:
    tap = Tap(trial, losing=True)
    _survives(trial, number)
    assert len(tap.lost) == number
    assert judging.adopted(trial.office) == number


def test_who_was_created_without_an_answer_is_found_and_taken_over(prepare: Prepare) -> None:
    _loses_every_first_answer(prepare(Weather([])), 24)


@pytest.mark.faults
def test_a_thousand_created_without_an_answer_are_found_and_taken_over(prepare: Prepare) -> None:
    _loses_every_first_answer(prepare(Weather([])), 1000)


@pytest.mark.parametrize("wait", [1, 30, 120])
def test_nobody_knocks_before_the_time_that_was_named(prepare: Prepare, wait: int) -> None:
    trial = prepare(Weather(_batches("throttle", times=5, details={"retry_after": wait}), proof=("throttle",)))
    tap = Tap(trial)
    _survives(trial, 20)
    assert tap.early == []


def test_a_refused_token_is_fetched_anew_once(prepare: Prepare) -> None:
    trial = prepare(WEATHERS["the token is refused every now and then"])
    tap = Tap(trial)
    _survives(trial, 24)
    assert tap.tokens <= trial.fired["expired_token"] + 1


def test_refusals_without_a_time_cost_few_calls(prepare: Prepare) -> None:
    """Somebody who waits longer each time is refused fewer than three times for each change."""
    trial = prepare(WEATHERS["half are told to wait and not for how long"])
    _survives(trial, 24)
    assert trial.fired["throttle"] <= 3 * trial.states()["done"]
