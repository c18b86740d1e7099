"""Whether the time of an answer tells anything about a link: GET for unknown, expired and valid ones, over real HTTP.

``activation.py [--tries 200]``. Prints the medians of the page itself (behind the redirect) and their distance from the
slowest, once as served and once without the floor, so that it shows what the floor hides. The three kinds take turns, so
that other work on the machine meets all of them alike.
"""

import argparse
import http.client
import itertools
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlmodel import select
from werkzeug.serving import make_server

from provision.config import Settings
from provision.core.tables import Activation, User
from provision.core.vocabulary import Lifecycle
from provision.factory import create_app, open_house
from provision.house import House
from provision.services import activation, connectors, cycles, tenants

PER_ADDRESS = 40
"""Requests from one loopback address, below the limit of a network."""


def prepare(house: House) -> dict[str, str]:
    """One tenant on the sandbox, and a token of each kind."""
    now = house.now
    house.db.migrate()
    house.sandbox().grant_consent()
    house.sandbox().assign_role("User Administrator")
    with house.db.writing() as session:
        tenant = tenants.add(session, "contoso", "Contoso", "benchmark", now()).id or 0
        config = {"domain": "fjordvik.example", "cloud": "sandbox"}
        given = (
            session,
            house.vault,
            tenant,
            house.kinds,
            "microsoft365",
            "Office 365",
            config,
            None,
            "benchmark",
            now(),
        )
        app = connectors.add(*given).id or 0
    connectors.check(house.db.writing, house.connect, tenant, app, "benchmark", now)
    with house.db.writing() as session:
        connectors.features(session, tenant, app, {"import": True}, None, "benchmark", now())
    with house.db.writing() as session:
        cycles.request(session, tenant, app, "benchmark", now())
    cycles.run_requested(house.ways())
    with house.db.writing() as session:
        session.execute(sa.update(User).values(private_email="somebody@home.example"))
        people = session.exec(select(User.id).where(User.lifecycle == Lifecycle.ACTIVE)).all()
        standing = activation.why_blocked(session, tenant, [number for number in people if number], house.kinds)
        helped = [number for number, one in standing.items() if one.code is None][:2]
        vault, kinds = house.vault, house.kinds
        issued = activation.issue(session, tenant, helped, "benchmark", now(), vault=vault, kinds=kinds)
        links = [activation.link(session, vault, "", one.activation_id or 0).rpartition("/")[2] for one in issued]
        past = now() - timedelta(days=1)
        session.execute(sa.update(Activation).where(Activation.id == issued[1].activation_id).values(expires_at=past))
    return {"unknown": "x" * 43, "valid": links[0], "expired": links[1]}


def addresses() -> Iterator[str]:
    """One loopback address after the other, each for as long as its limit lasts."""
    for number in itertools.count():
        yield from [f"127.0.{number // 250}.{number % 250 + 2}"] * PER_ADDRESS


def ask(port: int, token: str, address: str) -> tuple[int, float]:
    """Status and seconds of the page behind a link's redirect."""
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=(address, 0))
    connection.request("GET", f"/activate/{token}")
    arrived = connection.getresponse()
    arrived.read()
    cookie = (arrived.getheader("Set-Cookie") or "").partition(";")[0]
    began = time.perf_counter()
    connection.request("GET", "/activate", headers={"Cookie": cookie})
    page = connection.getresponse()
    page.read()
    seconds = time.perf_counter() - began
    connection.close()
    return page.status, seconds


def measure(port: int, tokens: dict[str, str], tries: int, source: Iterator[str]) -> dict[str, float]:
    """Medians in milliseconds by kind."""
    wanted = {"unknown": 404, "valid": 200, "expired": 404}
    times: dict[str, list[float]] = {kind: [] for kind in tokens}
    for _ in range(tries):
        for kind, token in tokens.items():
            status, seconds = ask(port, token, next(source))
            assert status == wanted[kind], (kind, status)
            times[kind].append(seconds * 1000)
    return {kind: statistics.median(found) for kind, found in times.items()}


def tell(name: str, medians: dict[str, float]) -> None:
    slowest = max(medians.values())
    told = "  ".join(f"{kind} {value:7.2f} ms ({value / slowest - 1:+.1%})" for kind, value in medians.items())
    print(f"{name:<14} {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--tries", type=int, default=200)
    tries = parser.parse_args().tries
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder) / "data")  # type: ignore[call-arg]
        house = open_house(settings, now=lambda: datetime.now(UTC))
        tokens = prepare(house)
        app = create_app(house=house)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = addresses()
        tell("as served", measure(server.server_port, tokens, tries, source))
        app.config["ACTIVATION_FLOOR"] = 0.0
        tell("without floor", measure(server.server_port, tokens, tries, source))
        server.shutdown()
        house.db.close()


if __name__ == "__main__":
    main()
