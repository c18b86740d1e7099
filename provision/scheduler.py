"""What happens without anybody clicking: timers that mark work due, and the one leader that carries it out.

Owns the table of timers and the leader's loop; everything it starts is a service. Never started by ``create_app``.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from provision import memory
from provision.house import LEADER, House
from provision.services import activation, connectors, cycles, following, mail, notices, settings, tenants, worker
from provision.services.errors import ServiceError

log = structlog.get_logger()
AT_ONCE = 3
"""Timers that may run at the same time. They are short, but for one that asks apps outside; each thread costs memory."""


@dataclass(frozen=True)
class Timer:
    """One row of the timetable."""

    name: str
    seconds: int
    run: Callable[[House], None]


def mark_imports_due(house: House) -> None:
    """Ask for the import of every app whose time has come."""
    with house.db.reading() as session:
        waiting = [(row.tenant_id, row.id) for row in cycles.due(session, house.now()) if row.id is not None]
    for tenant_id, connector_id in waiting:
        try:
            with house.db.writing() as session:
                cycles.request_due(session, tenant_id, connector_id, house.now())
        except ServiceError as refused:
            # Switched off or paused between the two transactions: the next tick sees it so.
            log.info("scheduled import refused", connector=connector_id, code=refused.code)


def mark_comparisons_due(house: House) -> None:
    """Ask for the daily comparison of every app whose time has come; where a cycle is under way, a later tick asks."""
    with house.db.reading() as session:
        waiting = [(row.tenant_id, row.id) for row in cycles.comparison_due(session, house.now()) if row.id is not None]
    for tenant_id, connector_id in waiting:
        try:
            with house.db.writing() as session:
                cycles.request_due(session, tenant_id, connector_id, house.now(), compare=True)
        except ServiceError as refused:
            log.info("comparison refused", connector=connector_id, code=refused.code)


def try_what_is_stopped(house: House) -> None:
    """Look whether an app in quarantine lets us in again. Where something waits to be sent, the worker tries with that."""
    now = house.now()
    with house.db.reading() as session:
        sending = set(worker.due_connectors(session, now))
        stopped = [(row.tenant_id, row.id) for row in connectors.due_again(session, now) if row.id not in sending]
    for tenant_id, number in stopped:
        try:
            connectors.try_again(house.db.writing, house.connect, tenant_id, number or 0, house.now)
        except ServiceError as refused:
            log.info("a stopped app stays so", connector=number, code=refused.code)


def settle_lapsed_links(house: House) -> None:
    """Look up what became of passwords whose setting was cut short."""
    activation.lapsed(house.ways())


def invite_created(house: House) -> None:
    """Links that follow a create by themselves, where a tenant chose that."""
    for number in _tenants(house, "automatic"):
        following.invite_created(house.db.writing, number, house.now(), vault=house.vault, kinds=house.kinds)


def remind(house: House) -> None:
    """Reminders of links that nobody used, where a tenant chose that."""
    for number in _tenants(house, "reminders"):
        following.remind(house.db.writing, number, house.now(), vault=house.vault, kinds=house.kinds)


def tell_owners(house: House) -> None:
    """Mails about what stopped or is about to."""
    with house.db.reading() as session:
        numbers = [row.id or 0 for row in tenants.of_all(session)]
    for number in numbers:
        notices.tell_owners(house.db.writing, number, house.now(), house.settings.public_url)


def _tenants(house: House, wish: str) -> list[int]:
    """The tenants that chose something, so that nothing is written for the others."""
    with house.db.reading() as session:
        numbers = [row.id or 0 for row in tenants.of_all(session)]
        return [number for number in numbers if getattr(settings.onboarding(session, number), wish)]


def give_memory_back(_house: House) -> None:
    """What an import or a rush once needed is the machine's again."""
    memory.give_back()


TIMETABLE = (
    Timer("mark imports due", 15, mark_imports_due),
    Timer("mark comparisons due", 60, mark_comparisons_due),
    Timer("try what is stopped", 60, try_what_is_stopped),
    Timer("settle lapsed links", 30, settle_lapsed_links),
    Timer("invite who was created", 15, invite_created),
    Timer("remind", 300, remind),
    Timer("tell owners", 60, tell_owners),
    Timer("give memory back", 60, give_memory_back),
)


def rest(took: float) -> float:
    """Seconds until cycles are looked for again, after that many with them.

    A client that switches people off asks for a cycle with each of them, and one for many costs what one for one does: the
    busier the last round, the more are gathered for the next, which still begins within a second.
    """
    return min(0.8, max(0.3, 4 * took))


class Running:
    """The timers and the leader of one process. A second process waits here until the first one is gone."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(AT_ONCE)}, timezone="UTC")
        self._leader = threading.Thread(target=self._lead, name="leader", daemon=True)

    def start(self) -> "Running":
        """Begin; returns at once."""
        for timer in TIMETABLE:
            self._scheduler.add_job(
                self._tick,
                "interval",
                args=[timer],
                seconds=timer.seconds,
                id=timer.name,
                max_instances=1,
                coalesce=True,
            )
        self._scheduler.start()
        self._leader.start()
        return self

    def stop(self, patience: float = 25.0) -> None:
        """End within ``patience`` seconds; what is cut short goes on from its last commit at the next start."""
        self._stop.set()
        self._scheduler.shutdown(wait=False)
        self._leader.join(patience)

    def _tick(self, timer: Timer) -> None:
        try:
            timer.run(self._house)
        except Exception:
            log.exception("timer failed", timer=timer.name)

    def _lead(self) -> None:
        while not self._stop.is_set():
            with self._house.db.leading(LEADER) as leads:
                if leads:
                    beside = [
                        threading.Thread(target=work, name=name, daemon=True)
                        for name, work in (("carrier", self._carry), ("postman", self._post))
                    ]
                    for each in beside:
                        each.start()
                    self._read()
                    for each in beside:
                        each.join()
            self._stop.wait(1.0)

    def _read(self) -> None:
        """Cycles: what comes in."""
        while not self._stop.is_set():
            began = time.monotonic()
            self._try(lambda: cycles.run_requested(self._house.ways(cut=self._stop.is_set)))
            self._stop.wait(rest(time.monotonic() - began))

    def _carry(self) -> None:
        """Operations: what goes out. Beside the cycles, so that nobody waits for a long import."""
        ways = self._house.ways(cut=self._stop.is_set)
        lanes = worker.Lanes(ways)
        while not self._stop.is_set() and not self._try(lambda: worker.recover(ways)):
            pass
        while not self._stop.is_set():
            self._try(lanes.tend)
            self._stop.wait(0.3)
        lanes.close()

    def _post(self) -> None:
        """Mails. On a thread of their own: a mail server that stalls holds up nobody's account."""
        post = self._house.post(cut=self._stop.is_set)
        while not self._stop.is_set() and not self._try(lambda: mail.recover(post)):
            pass
        while not self._stop.is_set():
            self._try(lambda: mail.deliver(post))
            self._stop.wait(0.5)

    def _try(self, step: Callable[[], object]) -> bool:
        """The loop outlives whatever one step does to it: rows say how far it got, and it is tried again."""
        try:
            step()
        except Exception:
            log.exception("the leader stumbled")
            self._stop.wait(5.0)
            return False
        return True
