"""The product's own road out: ``product_write.py CASE TOLD FOLDER NUMBER``; TOLD is what a server said about itself, as JSON.

CASE is *burst* (creates that have piled up, with a full bucket), *steady* (updates at the pace of the real bucket, which
begins empty), *rows* (claim and complete alone: a way out that answers at once) or *answer* (single edits in front of a
server that has nothing else to do: from the commit until it has settled what Graph answered). Everything is as in an
installation: SQLite with synchronous=FULL, operations, accounts, events and their chain.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import select

from provision.config import Settings
from provision.core.ports import Outcome, Record, Write
from provision.core.tables import Connector, Operation, Tenant, User
from provision.core.vocabulary import Approval, key
from provision.factory import open_house
from provision.house import House
from provision.services import connectors, outbox, tenants, users, worker

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
DOMAIN = {
    "burst": "contoso.example",
    "rows": "contoso.example",
    "steady": "fjordvik.example",
    "answer": "fjordvik.example",
}


def prepared(told: dict[str, str], folder: Path, domain: str) -> House:
    """An installation with one app, everything on."""
    settings = Settings(
        _env_file=None, data_dir=folder, custom_login_url=told["url"], custom_graph_url=told["url"],
        custom_ca_bundle=Path(told["ca"]),
    )  # type: ignore[call-arg]  # fmt: skip
    house = open_house(settings)
    house.db.migrate()
    with house.db.writing() as session:
        tenant = tenants.add(session, "contoso", "Contoso", "benchmark", house.now())
        config = {"domain": domain, "cloud": "custom", "client_id": told.get("client_id", told["tenant"])}
        secret = json.dumps({"client_secret": told.get("client_secret", "benchmark")}).encode()
        row = connectors.add(
            session, house.vault, tenant.id or 0, house.kinds, "microsoft365", "M365", config, secret, "benchmark",
            house.now(),
        )  # fmt: skip
        row.features = dict.fromkeys(row.features, True)
        row.approval, row.outside_id = Approval.AUTOMATIC, told["tenant"]
        row.facts = {"domains": [{"name": domain, "federated": False}], "roles": {}}
    return house


def hire(house: House, number: int, domain: str) -> list[int]:
    """People here, and an operation for each."""
    now = house.now()
    with house.db.writing() as session:
        tenant = session.exec(select(Tenant.id)).one() or 0
        rows = [
            User(
                tenant_id=tenant, username=f"p{which}", email=f"p{which}@{domain}", email_key=key(f"p{which}@{domain}"),
                given_name="Person", surname=str(which), display_name=f"Person {which}", name_key=f"person {which}",
                created_at=now, changed_at=now,
            )
            for which in range(number)
        ]  # fmt: skip
        session.add_all(rows)
        session.flush()
        return [row.id or 0 for row in rows]


def enqueue(house: House, ids: Sequence[int]) -> None:
    with house.db.writing() as session:
        tenant = session.exec(select(Tenant.id)).one() or 0
        outbox.enqueue(session, tenant, ids, outbox.Order("benchmark", house.now(), house.kinds, hold=False))


def rename(house: House, ids: Sequence[int]) -> None:
    with house.db.writing() as session:
        for row in session.exec(select(User).where(User.id.in_(ids))).all():  # type: ignore[union-attr]
            row.given_name = "Renamed"
            session.add(row)
    enqueue(house, ids)


class AtOnce:
    """A way out that has carried out everything before it is asked."""

    def __init__(self, port: Any) -> None:
        self.appearance = port.appearance

    def carry(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return [Outcome(Record(write.anchor or f"a-{write.reference}", dict(write.values))) for write in writes]


def drained(house: House, memory: worker.Memory, number: int, **more: Any) -> dict[str, Any]:
    """Carry everything out, and tell how long that took."""
    with house.db.reading() as session:
        app = session.exec(select(Connector.id)).one() or 0
    began, counts = time.perf_counter(), worker.drain(house.ways(), app, memory=memory, until_idle=True, **more)
    seconds = time.perf_counter() - began
    if counts["done"] != number:
        raise SystemExit(f"not everything was carried out: {dict(counts)}")
    return {"number": number, "seconds": seconds, "counts": {name: n for name, n in counts.items() if n}}


def answered(house: House, told: dict[str, str], ids: Sequence[int]) -> dict[str, Any]:
    """Edit one person after the other in front of a server, each when the one before has its answer."""
    environment = {
        **os.environ, "PROVISION_DATA_DIR": str(house.settings.data_dir), "PROVISION_CUSTOM_LOGIN_URL": told["url"],
        "PROVISION_CUSTOM_GRAPH_URL": told["url"], "PROVISION_CUSTOM_CA_BUNDLE": told["ca"],
        "PROVISION_LOG_LEVEL": "error",
    }  # fmt: skip
    words = [sys.executable, "-c", "from provision.factory import main; main()", "serve", "--port", "18943"]
    server = subprocess.Popen(words, env=environment, cwd=Path(__file__).parent)
    waits = []
    try:
        for turn, number in enumerate(ids):
            with house.db.writing() as session:
                tenant = session.exec(select(Tenant.id)).one() or 0
                order = outbox.Order("benchmark", house.now(), house.kinds)
                saved = users.edit(session, tenant, number, {"given_name": f"Turn {turn}"}, order)
            committed = house.now()
            operation = _settled(house, saved.effects[0].operation_id or 0)
            if turn:  # the first one waits for the server to come up
                waits.append((operation - committed).total_seconds())
    finally:
        server.terminate()
        server.wait()
    waits.sort()
    return {
        "number": len(waits),
        "median": waits[len(waits) // 2],
        "p95": waits[int(len(waits) * 0.95)],
        "most": waits[-1],
    }


def _settled(house: House, number: int) -> datetime:
    while True:
        with house.db.reading() as session:
            row = session.exec(select(Operation).where(Operation.id == number)).one()
        if row.settled_at is not None:
            return row.settled_at
        time.sleep(0.02)


def main() -> None:
    case, told, folder, number = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    house = prepared(told, folder, DOMAIN[case])
    memory = worker.Memory()
    ids = hire(house, number, DOMAIN[case])
    enqueue(house, ids)
    with house.db.reading() as session:
        app = session.exec(select(Connector.id)).one() or 0
    memory.of(app).bucket.take(-3_000.0)
    if case == "rows":
        house = replace(house, connect=lambda _, real=house.connect: AtOnce(real(_)))  # type: ignore[misc]
        memory.of(app).bucket.take(-1e9)
        memory.of(app).bucket.keep(1e9, 1e9)
    result = drained(house, memory, number)
    if case == "answer":
        result = answered(house, told, ids)
    if case == "steady":
        rename(house, ids)
        result = drained(house, worker.Memory(), number)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
