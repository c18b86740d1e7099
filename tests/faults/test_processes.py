"""Real servers that share an installation, stand still, or are told to end: one leads, none doubles, none leaves a doubt.

Every test begins and ends with everything at rest, so that they may share one installation.
"""

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from provision.core.tables import Cycle
from provision.core.vocabulary import CycleState
from tests.faults.lane import Server
from tests.faults.site import Site, site
from tests.faults.watched import PLACES, STANDSTILL

SEED = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(10**6)))
SETTLING = PLACES.index("unsettled: before anything is written")
EVERY = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, migrated: str) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site"), migrated, SEED) as made:
        yield made


def lead_in_turn(place: Site, many: int, kills: int) -> tuple[list[float], list[Cycle]]:
    """Several servers, an import by the timetable, and so many times the death of the one that leads.

    Returns how long each time nobody led, and the imports there were.
    """
    before = max((cycle.id or 0 for cycle in place.cycles()), default=0)
    pauses = []
    with ExitStack() as stack:
        servers = [stack.enter_context(place.server()) for _ in range(many)]
        for server in servers:
            server.start()
        place.until(lambda: all(server.slot or server.appeared() for server in servers), *servers)
        place.every(EVERY)
        for _ in range(kills):
            leader = _leader(place, servers)
            place.edits(3)
            time.sleep(place.chance.uniform(0.0, 3.0))
            leader.kill(everything=True)
            died = time.monotonic()
            place.until(leader.died, leader)
            leader.forget()
            _leader(place, servers)
            pauses.append(time.monotonic() - died)
            place.until(leader.gone, leader)
            leader.start()
            place.until(leader.appeared, leader)
        enough = max(2, kills)
        place.until(lambda: len(place.imports(before)) >= enough, *servers)
        place.every(None)
        place.until(place.rests, *servers)
        assert [server.stop() for server in servers] == [0] * many
    return pauses, place.imports(before)


def _leader(place: Site, servers: list[Server]) -> Server:
    place.until(lambda: any(server.leads for server in servers), *servers)
    (leader,) = [server for server in servers if server.leads]
    return leader


def told(many: int, pauses: list[float], runs: list[Cycle]) -> str:
    gaps = [(two.requested_at - one.requested_at).total_seconds() / 60 for one, two in itertools.pairwise(runs)]
    return (
        f"seed {SEED}: {many} servers, {len(pauses)} leaders killed; the next one led after {max(pauses):.1f} s at most, "
        f"{sorted(pauses)[len(pauses) // 2]:.1f} s in the middle; {len(runs)} scheduled imports, due every {EVERY} minutes "
        f"of a driven clock, {min(gaps):.1f} to {max(gaps):.1f} minutes apart"
    )


def judge_turns(place: Site, many: int, kills: int) -> str:
    pauses, runs = lead_in_turn(place, many, kills)
    said = told(many, pauses, runs)
    assert {run.requested_by for run in runs} == {"schedule"}, said
    assert {run.state for run in runs} == {CycleState.DONE}, said
    for one, two in itertools.pairwise(runs):
        assert (two.requested_at - one.requested_at).total_seconds() >= EVERY * 60, said
    assert place.faults() == [], said
    return said


def test_of_several_servers_one_leads_and_a_timetable_is_kept_once(place: Site) -> None:
    judge_turns(place, 2, 1)


@pytest.mark.faults
def test_fifty_leaders_of_four_servers_are_killed_and_every_scheduled_import_runs_once(
    place: Site, counted: Callable[[str], None]
) -> None:
    said = judge_turns(place, 4, 50)
    counted(said)


def _led(place: Site) -> bool:
    """Whether another one could lead; not while a server stands still with the database in its hand."""
    try:
        place.lead()
    except sa.exc.OperationalError:
        return False
    return True


def stand_still(place: Site, stops: int) -> int:
    """So many times a server stands still between the answer and its settlement, while another one leads; then it wakes.

    Returns how many results came too late.
    """
    late = 0
    with place.server() as server:
        server.start()
        place.until(server.appeared, server)
        while late < stops:
            # Aimed first, and edited for as long as it takes: a quick server has carried out the edits before the next line
            # here runs, and then nothing would bring it to that place any more.
            server.aim.at(SETTLING | STANDSTILL)
            place.until(lambda: server.stopped() or place.goes_on(), server)
            assert server.slot is not None
            settled = server.slot.read()["settled"]
            led = _led(place)
            before = place.operations()
            if not server.wake():
                # On a machine that is slower than its parent's patience, it never came to be late.
                server.forget()
                place.until(server.appeared, server)
                continue
            if not led:
                continue
            place.until(lambda settled=settled: server.slot and server.slot.read()["settled"] > settled, server)
            # What a late answer may have changed there is looked after by an operation of its own.
            kept = place.operations()[: len(before)]
            assert kept == before, f"seed {SEED}: a late result was written over what was there"
            late += 1
        place.until(place.rests, server)
        assert server.stop() == 0
    # A second call may have come back too late while it ended: what looks after it is the next leader's.
    place.lead()
    return late


def test_a_server_that_wakes_with_an_old_lease_writes_over_nothing(place: Site) -> None:
    stand_still(place, 3)
    assert place.faults() == [], f"seed {SEED}"


@pytest.mark.faults
def test_a_hundred_times_a_server_wakes_with_an_old_lease(place: Site, counted: Callable[[str], None]) -> None:
    late = stand_still(place, 100)
    counted(f"seed {SEED}: {late} results came too late, 0 written over, 0 doubled")
    assert place.faults() == [], f"seed {SEED}"


def tell_to_end(place: Site, times: int) -> None:
    """So many times SIGTERM in the middle of the work: the server ends in order and leaves no outcome open."""
    for number in range(times):
        with place.server() as server:
            place.edits(25)
            server.start()
            place.until(server.appeared, server)
            place.until(lambda: server.slot and server.slot.read()["first_carry"], server)
            time.sleep(place.chance.uniform(0.0, 0.4))
            assert server.stop() == 0, (SEED, number, server.said()[-2000:])
        assert place.open() == {"running": 0, "unknown": 0}, (SEED, number)
    place.lead()
    assert place.faults() == [], f"seed {SEED}"


def test_a_server_told_to_end_settles_what_is_under_way(place: Site) -> None:
    tell_to_end(place, 2)


@pytest.mark.faults
def test_two_hundred_servers_told_to_end_leave_no_outcome_open(place: Site, counted: Callable[[str], None]) -> None:
    tell_to_end(place, 200)
    counted(f"seed {SEED}: 200 times SIGTERM, 200 times exit 0, 0 operations unknown")
