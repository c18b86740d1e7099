"""A thousand activation mails against a mail server in a bad mood, and what that costs the way to Microsoft 365.

For the first thirty minutes (of a clock that this program drives) the real mail server greylists, stalls, hangs up after
the content and sends everybody away for a while; some addresses it refuses for good. Everything must end delivered once,
under one Message-ID where an answer was lost, or listed as bounced. Meanwhile the carrier writes to the sandbox's Graph on
the real clock below its quota; writes are counted with and without the mails beside it.

    python benchmarks/mail.py --mails 1000 --seconds 20
"""

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))

from provision.config import Settings
from provision.core.smtp import read_server
from provision.core.tables import Mail
from provision.core.vocabulary import MailState
from provision.factory import open_house
from provision.house import House
from provision.mailer import SmtpMailer
from provision.sandbox import Sandbox
from provision.services import activation, connectors, mail, tenants, users, worker
from provision.services.outbox import Order
from tests import office as places
from tests import populate
from tests.fakes.postoffice import PostOffice, moody
from tests.services.test_activation import FACTS, somebody

BAD = timedelta(minutes=30)
_MAILS: sa.Table = Mail.__table__  # type: ignore[attr-defined]


@dataclass
class Clock:
    """The mails' clock, moved by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def run(folder: Path, number: int, seconds: float) -> dict[str, Any]:
    settings = Settings(_env_file=None, data_dir=folder / "data")  # type: ignore[call-arg]
    house = open_house(settings)
    house.db.migrate()
    Sandbox(settings.data_dir / "sandbox.db", users=700, now=house.now).close()
    editing = _editing_tenant(house)
    mailing = _mailing_tenant(house, number)
    with PostOffice() as post_office, _carrying(house):
        clock = Clock(house.now())
        began = clock.now

        def bad() -> bool:
            return clock.now - began < BAD

        for each in range(number):
            post_office.manners[f"p{each}@home.example"] = moody(each, bad)
        server = read_server(post_office.url)
        assert server is not None
        post = replace(house.post(), mailer=SmtpMailer("provision@contoso.example", server, answer=0.3), now=clock)
        alone = _writes(house, editing, seconds)
        sent = threading.Event()
        told: dict[str, Any] = {}
        thread = threading.Thread(target=lambda: (told.update(_deliver_all(house, post, clock)), sent.set()))
        thread.start()
        beside = _writes(house, editing, seconds)
        overlapped = not sent.is_set() or told["seconds"] >= seconds * 0.5
        thread.join()
        alone_again = _writes(house, editing, seconds)
    ends = _ends(house, mailing)
    copies = Counter(taken.message["Message-ID"] for taken in post_office.box)
    people = Counter(recipient for recipient in {(t.recipient, t.message["Message-ID"]) for t in post_office.box})
    house.db.close()
    return {
        "mails": number,
        "ends": ends,
        "arrived twice": sum(count > 1 for count in copies.values()),
        "of them after a lost answer": sum(n % 10 == 5 for n in range(number)),
        "more than one Message-ID for somebody": sum(count > 1 for count in people.values()),
        "driven hours": round(told["hours"], 1),
        "seconds": round(told["seconds"], 1),
        "writes alone": (alone, alone_again),
        "writes beside": beside,
        "beside / alone": round(beside / max(1, (alone + alone_again) / 2), 3),
        "overlapped": overlapped,
    }


def _editing_tenant(house: House) -> int:
    """A tenant whose people are edited and carried to the sandbox."""
    now = house.now()
    with house.db.writing() as session:
        tenant = tenants.add(session, "editing", "Editing", "bench", now).id or 0
    app = places.connected(house, tenant, on=("import", "edit"))
    with house.db.writing() as session:
        connectors.features(session, tenant, app, {}, "automatic", "bench", now)
    places.run(house, tenant, app)
    return tenant


def _mailing_tenant(house: House, number: int) -> int:
    """A tenant whose people wait for their mails."""
    now = house.now()
    clock: Any = house.now
    with house.db.writing() as session:
        tenant = tenants.add(session, "mailing", "Mailing", "bench", now).id or 0
        app = populate.app(session, tenant, now, facts=FACTS, outside_id="there")
        people = [somebody(session, app, clock, f"p{each}") for each in range(number)]
        activation.issue(session, tenant, people, "bench", now, vault=house.vault, kinds=house.kinds)
    return tenant


@contextmanager
def _carrying(house: House) -> Iterator[None]:
    """The carrier, as the leader runs it."""
    stop = threading.Event()
    lanes = worker.Lanes(house.ways(cut=stop.is_set))

    def carry() -> None:
        while not stop.wait(0.3):
            lanes.tend()

    thread = threading.Thread(target=carry)
    thread.start()
    yield
    stop.set()
    thread.join()
    lanes.close()


def _writes(house: House, tenant: int, seconds: float) -> int:
    """Edit everybody, and count what has reached Graph after so many seconds."""
    with house.db.writing() as session:
        ids = list(session.scalars(sa.text("SELECT id FROM users WHERE tenant_id = :t"), {"t": tenant}))
        order = Order("bench", house.now(), house.kinds)
        users.edit_many(session, tenant, ids, {"given_name": f"Name {time.monotonic_ns() % 10**6}"}, order)
    before = _done(house, tenant)
    time.sleep(seconds)
    return _done(house, tenant) - before


def _done(house: House, tenant: int) -> int:
    query = sa.text("SELECT count(*) FROM operations WHERE tenant_id = :t AND state = 'done'")
    with house.db.reading() as session:
        return int(session.scalar(query, {"t": tenant}) or 0)


def _deliver_all(house: House, post: mail.Post, clock: Clock) -> dict[str, Any]:
    """Deliver what is due, move the clock by a minute, and so on until nothing waits."""
    began, worked = clock.now, time.monotonic()
    waiting = sa.select(sa.func.count()).select_from(_MAILS).where(_MAILS.c.state == MailState.QUEUED.value)
    while clock.now - began < timedelta(days=4):
        while mail.deliver(post):
            pass
        with house.db.reading() as session:
            if not session.scalar(waiting):
                break
        clock.now += timedelta(minutes=1)
    return {"hours": (clock.now - began) / timedelta(hours=1), "seconds": time.monotonic() - worked}


def _ends(house: House, tenant: int) -> dict[str, int]:
    query = sa.select(_MAILS.c.state, sa.func.count()).where(_MAILS.c.tenant_id == tenant).group_by(_MAILS.c.state)
    with house.db.reading() as session:
        return {row.state.value: row[1] for row in session.execute(query)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.mails, asked.seconds)
    print(f"{datetime.now(UTC):%Y-%m-%d}")
    for name, value in found.items():
        print(f"{name:40} {value}")


if __name__ == "__main__":
    main()
