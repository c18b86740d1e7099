"""A second application beside Office 365: any that speaks SCIM, at the stage a test needs."""

from dataclasses import replace
from typing import Any

from provision.connectors import Reach, Secret, World, networks
from provision.connectors.scim import Scim, build
from provision.connectors.scim.config import ScimConfig
from provision.core.tables import Connector
from provision.house import House
from provision.services import connectors
from tests.cast import Clock
from tests.fakes.scim import TOKEN

HERE = ("127.0.0.0/8",)


def port(house: House, row: Connector, clock: Clock | None = None) -> Scim:
    """The app's way out, on this machine; its patience moves the test's clock instead of waiting."""
    sealed = connectors.open_secret(house.vault, row)
    secret = Secret.from_json(sealed.decode()) if sealed else None
    world = World(clouds={}, now=house.now, reach=Reach(networks(HERE)))
    if clock is not None:
        world = replace(world, sleep=lambda seconds: clock.forward(seconds=seconds) and None)
    return build(ScimConfig.model_validate(row.config), secret, row.outside_id, world)


def connected(
    house: House, tenant_id: int, url: str, *, on: tuple[str, ...] = (), name: str = "Payroll", **config: Any
) -> int:
    """An app whose token works, with some switches on."""
    sealed = house.read_secret(TOKEN)
    with house.db.writing() as session:
        row = connectors.add(
            session, house.vault, tenant_id, house.kinds, "scim", name, {"base_url": url, **config}, sealed, "ada",
            house.now(),
        )  # fmt: skip
    app = row.id or 0
    connectors.check(house.db.writing, lambda each: port(house, each), tenant_id, app, "ada", house.now)
    if on:
        with house.db.writing() as session:
            connectors.features(session, tenant_id, app, dict.fromkeys(on, True), None, "ada", house.now())
    return app
