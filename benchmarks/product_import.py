"""The product's own road: ``product_import.py URL CA FOLDER CASE``, from the requested cycle to the watermark.

CASE is *first* (an empty installation), *again* (everything is read once more and nobody changed) or *delta* (only what
changed is read); the last two expect the folder that *first* left behind. Everything is as in an installation: SQLite with
synchronous=FULL, accounts, people, their events and the chain, positions committed with the pages.
"""

import logging
import sys
from pathlib import Path

import structlog
from fake_graph import TENANT
from measured import measure
from sqlmodel import select

from provision.config import Settings
from provision.core.tables import Connector, Cycle
from provision.factory import open_house
from provision.house import House
from provision.services import connectors, cycles, tenants

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def prepared(url: str, ca: str, folder: Path) -> House:
    settings = Settings(
        _env_file=None, data_dir=folder, custom_login_url=url, custom_graph_url=url, custom_ca_bundle=Path(ca)
    )  # type: ignore[call-arg]
    house = open_house(settings)
    if (folder / "provision.db").stat().st_size if (folder / "provision.db").exists() else 0:
        return house
    house.db.migrate()
    with house.db.writing() as session:
        tenant = tenants.add(session, "contoso", "Contoso", "benchmark", house.now())
        row = connectors.add(
            session, house.vault, tenant.id or 0, house.kinds, "microsoft365", "M365",
            {"domain": TENANT, "cloud": "custom", "client_id": TENANT}, b'{"client_secret": "benchmark"}', "benchmark",
            house.now(),
        )  # fmt: skip
        row.features = {**row.features, "import": True}
        row.outside_id = TENANT
    return house


def main() -> None:
    url, ca, folder, case = sys.argv[1:5]
    house = prepared(url, ca, Path(folder))
    with house.db.writing() as session:
        row = session.exec(select(Connector)).one()
        asked = cycles.request(
            session, row.tenant_id, row.id or 0, "benchmark", house.now(), full=case == "again", preview=False
        )

    def run() -> int:
        cycles.run(house.ways(), asked.id or 0)
        with house.db.reading() as session:
            cycle = session.exec(select(Cycle).where(Cycle.id == asked.id)).one()
        if cycle.state != "done":
            raise SystemExit(f"{cycle.state}: {cycle.error} {cycle.held}")
        return int(cycle.counts["seen"])

    measure(run)


if __name__ == "__main__":
    main()
