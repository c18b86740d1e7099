"""An Office 365 app on the real sandbox, at the stage a test needs: added, connected, or with people imported."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from provision.core.ports import Check, Source
from provision.core.tables import Connector
from provision.house import House
from provision.services import connectors, cycles

DOMAIN = "fjordvik.example"


def added(house: House, tenant_id: int, *, name: str = "Office 365", **config: Any) -> int:
    """An app that was never connected."""
    given = {"domain": DOMAIN, "cloud": "sandbox", **config}
    with house.db.writing() as session:
        row = connectors.add(
            session, house.vault, tenant_id, house.kinds, "microsoft365", name, given, None, "ada", house.now()
        )
    return row.id or 0


def connected(house: House, tenant_id: int, *, on: tuple[str, ...] = (), name: str = "Office 365") -> int:
    """An app whose consent works, with some switches on."""
    app = added(house, tenant_id, name=name)
    house.sandbox().grant_consent()
    connectors.check(house.db.writing, house.connect, tenant_id, app, "ada", house.now)
    if on:
        with house.db.writing() as session:
            connectors.features(session, tenant_id, app, dict.fromkeys(on, True), None, "ada", house.now())
    return app


def imported(house: House, tenant_id: int) -> int:
    """An app whose people are here."""
    app = connected(house, tenant_id, on=("import",))
    run(house, tenant_id, app)
    return app


def run(house: House, tenant_id: int, app: int, **options: Any) -> None:
    """Ask for a cycle and carry it out, as the leader does."""
    with house.db.writing() as session:
        cycles.request(session, tenant_id, app, "ada", house.now(), **options)
    cycles.run_requested(house.ways())


def of(house: House, tenant_id: int, app: int) -> Connector:
    """The app's row as it is now."""
    with house.db.reading() as session:
        row = connectors.get(session, tenant_id, app)
        session.expunge(row)
    return row


class Elsewhere:
    """The same app, as it would be if its credentials led to another organisation."""

    def __init__(self, port: Source) -> None:
        self._port = port

    def check(self) -> Check:
        return replace(self._port.check(), outside_id="00000000-0000-4000-8000-000000000000", name="Somebody else")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def leading_elsewhere(connect: Callable[[Connector], Source]) -> Callable[[Connector], Any]:
    """A way out that ends at another organisation."""
    return lambda row: Elsewhere(connect(row))
