"""The SCIM server at size: a name found, a page listed, and people arriving while Microsoft 365 drains.

    python benchmarks/scim.py [--people 50000]

Prints milliseconds at the database and ratios between a small and a large directory; nothing is asserted here.
"""

import argparse
import logging
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlmodel import select

from provision.config import Settings
from provision.core.tables import Account, Connector, Operation, Tenant, User
from provision.core.vocabulary import TokenScope
from provision.factory import create_app, open_house
from provision.house import House
from provision.services import connectors, events, tokens
from provision.services.scim import bodies
from provision.web import scim_entry

SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
SMALL, ARRIVING = 500, 250
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def main() -> None:
    """Ask a small and a large directory in turn, so that a machine that is faster at times is so for both."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=50_000)
    sizes = (SMALL, asked.parse_args().people)
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Asked(Path(folder) / str(people), people) for people in sizes)
        for name, times in QUESTIONS.items():
            small, large = medians([one.deeds[name] for one in (few, many)], times)
            print(
                f"{name:<34} {small:8.2f} ms at {sizes[0]}  {large:8.2f} ms at {sizes[1]}  ratio {large / small:5.2f}"
            )
        for one in (few, many):
            one.judge()


QUESTIONS = {
    "userName eq at the database": 100,
    "GET /Users?filter=userName eq": 100,
    "GET /Users?filter=externalId eq": 100,
    "GET /Users, a page of 100": 100,
    "GET /Users, the last page of 100": 100,
    "POST /Users": ARRIVING,
}
"""What is asked, and how often."""


class Asked:
    """One directory of that many people, and the questions it is asked."""

    def __init__(self, folder: Path, people: int) -> None:
        self.people = people
        self.house = open_house(Settings(_env_file=None, data_dir=folder))  # type: ignore[call-arg]
        self.house.db.migrate()
        self.connector, token = prepare(self.house, people)
        app = create_app(house=self.house)
        app.extensions[scim_entry.LIMITS] = scim_entry.Limits(rate=1e9, burst=1e9)
        self.http = app.test_client()
        self.bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        middle = people // 2
        self.deeds: dict[str, Callable[[], None]] = {
            "userName eq at the database": lambda: self.named(f"p{middle}@x.example"),
            "GET /Users?filter=userName eq": lambda: self.ask(f'/Users?filter=userName eq "p{middle}@x.example"'),
            "GET /Users?filter=externalId eq": lambda: self.ask(f'/Users?filter=externalId eq "e{middle}"'),
            "GET /Users, a page of 100": lambda: self.ask("/Users?count=100"),
            "GET /Users, the last page of 100": lambda: self.ask(f"/Users?count=100&startIndex={people - 99}"),
            "POST /Users": self.push,
        }
        self.pushed = 0

    def ask(self, path: str, method: str = "GET", **more: Any) -> None:
        answer = self.http.open(f"/scim/v2{path}", method=method, headers=self.bearer, buffered=True, **more)
        assert answer.status_code < 300, answer.text

    def named(self, name: str) -> None:
        with self.house.db.reading() as session:
            query = select(Account.id).where(Account.connector_id == self.connector, Account.name == name)
            assert session.exec(query).one()

    def push(self) -> None:
        name = f"new{self.pushed}"
        self.pushed += 1
        whole = {"givenName": name, "familyName": "Bench"}
        body = {"schemas": [SCHEMA], "userName": f"{name}@x.example", "displayName": name, "name": whole}
        self.ask("/Users", "POST", json=body)

    def judge(self) -> None:
        """Nobody of those pushed is lost, and the log is whole."""
        with self.house.db.reading() as session:
            here = session.scalar(sa.select(sa.func.count()).select_from(User)) or 0
            waiting = session.scalar(sa.select(sa.func.count()).select_from(Operation)) or 0
            assert events.verify(session, 1) is None
        assert here == self.people + self.pushed == self.people + waiting, (here, waiting)
        self.house.db.close()


def medians(deeds: Sequence[Callable[[], None]], times: int) -> list[float]:
    """How long each takes, usually, in milliseconds."""
    taken: list[list[float]] = [[] for _ in deeds]
    for _ in range(times):
        for deed, found in zip(deeds, taken, strict=True):
            began = time.perf_counter()
            deed()
            found.append((time.perf_counter() - began) * 1000)
    return [statistics.median(found) for found in taken]


def prepare(house: House, people: int) -> tuple[int, str]:
    """A tenant with Office 365, a SCIM client, and that many people whom the client brought."""
    now = house.now()
    with house.db.writing() as session:
        session.add(Tenant(slug="bench", name="Bench", created_at=now))
        session.flush()
        at = (session, house.vault, 1, house.kinds)
        target = connectors.add(*at, "microsoft365", "365", {"domain": "x.example"}, None, "bench", now)
        target.features = dict.fromkeys(("import", "create", "edit", "delete"), True)
        row = connectors.add(*at, "scim_source", "Client", {}, None, "bench", now)
        row.features, row.outside_id, row.facts_at = {**row.features, "import": True}, "scim:bench", now
        given: dict[str, Any] = {"scope": TokenScope.WRITE, "days": 1, "actor": "bench", "now": now}
        _, token = tokens.issue(session, 1, row.id or 0, **given, token_bytes=secrets.token_bytes)
        number = row.id or 0
        for first in range(0, people, 5000):
            batch = range(first + 1, min(first + 5000, people) + 1)
            session.execute(sa.insert(User), [person(each, now) for each in batch])
            session.execute(sa.insert(Account), [account(each, number, now) for each in batch])
    with house.db.reading() as session:
        assert session.exec(select(Connector.id).where(Connector.id == number)).one()
    return number, token


def person(number: int, now: Any) -> dict[str, Any]:
    """One person who is here already."""
    name = f"p{number}@x.example"
    return {
        "id": number, "tenant_id": 1, "lifecycle": "active", "username": f"p{number}", "email": name, "email_key": name,
        "name_key": name, "extra": {}, "origins": {}, "version": 1, "created_at": now, "changed_at": now,
    }  # fmt: skip


def account(number: int, connector: int, now: Any) -> dict[str, Any]:
    """Their account, as a push leaves it."""
    name = f"p{number}@x.example"
    body = {
        "userName": name,
        "externalId": f"e{number}",
        "displayName": f"Person {number}",
        "title": "Clerk",
        "active": True,
    }
    observed = bodies.observed_of(body, {}, now)
    return {
        "id": number, "tenant_id": 1, "connector_id": connector, "user_id": number, "anchor": str(number), "name": name,
        "situation": "linked", "enabled": True, "observed": observed, "absorbed": {}, "verdict": {}, "standing": {},
        "intent": {}, "stale": False, "observed_at": now, "external_id": f"e{number}",
    }  # fmt: skip


if __name__ == "__main__":
    main()
