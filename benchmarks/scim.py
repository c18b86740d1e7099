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
from collections.abc import Callable
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
    """Measure once small, once large."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=50_000)
    people = asked.parse_args().people
    told = {number: measure(number) for number in (SMALL, people)}
    for name in told[SMALL]:
        few, many = (told[number][name] for number in (SMALL, people))
        print(f"{name:<34} {few:8.2f} ms at {SMALL}  {many:8.2f} ms at {people}  ratio {many / few:5.2f}")


def measure(people: int) -> dict[str, float]:
    """Medians of some repetitions, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder))  # type: ignore[call-arg]
        house = open_house(settings)
        house.db.migrate()
        connector, token = prepare(house, people)
        app = create_app(house=house)
        app.extensions[scim_entry.LIMITS] = scim_entry.Limits(rate=1e9, burst=1e9)
        http = app.test_client()
        bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}

        def ask(path: str, method: str = "GET", **more: Any) -> None:
            answer = http.open(f"/scim/v2{path}", method=method, headers=bearer, buffered=True, **more)
            assert answer.status_code < 300, answer.text

        def named() -> None:
            with house.db.reading() as session:
                query = select(Account.id).where(
                    Account.connector_id == connector, Account.name == f"p{people // 2}@x.example"
                )
                assert session.exec(query).one()

        told = {
            "userName eq at the database": median(named),
            "GET /Users?filter=userName eq": median(
                lambda: ask(f'/Users?filter=userName eq "p{people // 2}@x.example"')
            ),
            "GET /Users?filter=externalId eq": median(lambda: ask(f'/Users?filter=externalId eq "e{people // 2}"')),
            "GET /Users, a page of 100": median(lambda: ask("/Users?count=100")),
            "GET /Users, the last page of 100": median(lambda: ask(f"/Users?count=100&startIndex={people - 99}")),
        }
        numbers = iter(range(ARRIVING))

        def push() -> None:
            name = f"new{next(numbers)}"
            whole = {"givenName": name, "familyName": "Bench"}
            body = {"schemas": [SCHEMA], "userName": f"{name}@x.example", "displayName": name, "name": whole}
            ask("/Users", "POST", json=body)

        told["POST /Users"] = median(push, ARRIVING)
        with house.db.reading() as session:
            here = session.scalar(sa.select(sa.func.count()).select_from(User)) or 0
            waiting = session.scalar(sa.select(sa.func.count()).select_from(Operation)) or 0
            assert events.verify(session, 1) is None
        assert here == people + ARRIVING == people + waiting, (here, waiting)
        house.db.close()
        return told


def median(deed: Callable[[], None], times: int = 30) -> float:
    """How long it takes, usually."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        deed()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


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
