"""Pages of an import that break off, and places to go on from that are forgotten: the end is that of an undisturbed import.

The real connector and the real engine over the sandbox in process; a transport between them cuts what it is told to cut.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from provision.core.tables import Tenant
from provision.core.vocabulary import CycleKind, CycleState, WhenGone
from provision.house import House
from provision.sandbox import Fault
from tests.cast import Clock
from tests.fakes.grounds import SandboxGround, connector
from tests.services.cycles.conftest import Desk, app_of

ROWS = 200
DELTA = "/v1.0/users/delta"
FORMS = {
    "410 with a link": Fault("gone", path=DELTA),
    "410 without one": Fault("status", path=DELTA, details={"status": 410, "code": "syncStateInvalid"}),
    "400": Fault("stale_token", path=DELTA, details={"status": 400}),
    "404": Fault("stale_token", path=DELTA, details={"status": 404}),
}


class Cut(httpx2.BaseTransport):
    """The way to Graph, on which the next page of people ends after ``at`` bytes: cut short, or with a reset."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self.at: int | None = None
        self.reset = False
        self.longest = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.inner.handle_request(request)
        if "/users/delta" not in request.url.path:
            return answer
        body = answer.read()
        self.longest = max(self.longest, len(body))
        if self.at is None:
            return httpx2.Response(answer.status_code, headers=answer.headers, content=body)
        at, self.at = self.at, None
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-length"]
        return httpx2.Response(answer.status_code, headers=headers, stream=Broken(body[:at], reset=self.reset))


class Broken(httpx2.SyncByteStream):
    """As many bytes as came, and then nothing, or a reset."""

    def __init__(self, body: bytes, *, reset: bool) -> None:
        self.body, self.reset = body, reset

    def __iter__(self) -> Iterator[bytes]:
        yield self.body
        if self.reset:
            raise httpx2.ReadError("connection reset by peer")


class Outside:
    """A tenant of so many people, told in pages of so many, and fresh installations of ours that read it."""

    def __init__(self, folder: Path, house: House, clock: Clock, people: int, page: int) -> None:
        self.ground = SandboxGround(folder, tls=False, users=people, page=page)
        self.way = Cut(httpx2.WSGITransport(app=self.ground.sandbox.wsgi))
        self.port: Any = connector(self.ground, transport=lambda _: self.way)
        self.house, self.clock, self.numbers = house, clock, 0

    def desk(self) -> Desk:
        """A tenant of ours that has read nobody yet, and lets whoever vanishes there leave here."""
        self.numbers += 1
        with self.house.db.writing() as session:
            tenant = Tenant(slug=f"t{self.numbers}", name="T", created_at=self.clock())
            session.add(tenant)
            session.flush()
            number = tenant.id or 0
        made = Desk(self.house, number, app_of(self.house, number, self.clock), self.port, self.clock)
        made.change_connector(when_gone=WhenGone.LEAVE)
        return made


@pytest.fixture
def opened(tmp_path: Path, house: House, clock: Clock) -> Iterator[Callable[..., Outside]]:
    made: list[Outside] = []

    def _open(people: int, page: int) -> Outside:
        made.append(Outside(tmp_path, house, clock, people, page))
        return made[-1]

    yield _open
    for one in made:
        one.ground.close()


def cut_and_compare(outside: Outside, every: int, start: int) -> int:
    """Import once for every place at which the first page may end, and compare with an import that nobody disturbed."""
    clean = outside.desk()
    clean.run()
    truth, longest = clean.state(), outside.way.longest
    places = range(start, longest, every)
    for number, at in enumerate(places):
        desk = outside.desk()
        outside.way.at, outside.way.reset = at, number % 2 == 0
        cycle = desk.run()
        assert outside.way.at is None
        assert cycle.state == CycleState.DONE, at
        assert desk.state() == truth, at
    return len(places)


def test_a_page_cut_short_or_reset_anywhere_ends_like_one_that_came_whole(opened: Callable[..., Outside]) -> None:
    assert cut_and_compare(opened(20, 15), 1999, 1) >= 3


@pytest.mark.faults
def test_a_page_of_two_hundred_cut_at_every_64th_byte_ends_like_one_that_came_whole(
    opened: Callable[..., Outside], counted: Callable[[str], None]
) -> None:
    outside = opened(ROWS + 30, ROWS)
    places = cut_and_compare(outside, 64, 64)
    counted(f"a page of {ROWS} people cut at {places} places: {places} equal")
    assert places > 500


def forget_and_compare(outside: Outside, form: str, changed: int) -> None:
    """Let Microsoft forget our place, in this form, after some people were changed there: all are read, nobody leaves."""
    desk = outside.desk()
    desk.run()
    before = len(desk.people())
    for number, anchor in enumerate(outside.ground.plain()[:changed]):
        outside.ground.edit(anchor, department=f"Deck {form} {number}", displayName=f"New {form} {number}")
    outside.ground.add(displayName=f"Arrived {form}")
    outside.ground.sandbox.faults.add(FORMS[form])
    cycle = desk.run()
    assert outside.ground.sandbox.faults.fired()[FORMS[form].kind] == 1
    assert (cycle.state, cycle.kind) == (CycleState.DONE, CycleKind.INITIAL)
    assert (cycle.counts["gone"], cycle.counts["suspended"], len(desk.people())) == (0, 0, before + 1)
    clean = outside.desk()
    clean.run()
    assert desk.state() == clean.state()


@pytest.mark.parametrize("form", FORMS)
def test_a_forgotten_place_is_a_full_walk_that_takes_nobody_away(opened: Callable[..., Outside], form: str) -> None:
    forget_and_compare(opened(20, 9), form, 3)


@pytest.mark.faults
@pytest.mark.parametrize("form", FORMS)
def test_a_forgotten_place_among_a_hundred_thousand_takes_nobody_away(
    opened: Callable[..., Outside], form: str, counted: Callable[[str], None]
) -> None:
    people = int(os.environ.get("FAULTS_PEOPLE", "100000"))
    forget_and_compare(opened(people, 999), form, 10)
    counted(f"{form}: {people} people read again, 0 taken away, equal to a first import")
