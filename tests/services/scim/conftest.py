"""A client that pushes, with the real database behind it, and an app that people go on to."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import Account, Connector
from provision.house import House
from provision.services import connectors, scim
from provision.services.cycles import Client
from tests.cast import Cast, Clock

Open = Callable[..., scim.Accounts]


@pytest.fixture
def okta(house: House, cast: Cast, clock: Clock) -> int:
    """A client of Contoso whose people are taken over."""
    with house.db.writing() as session:
        row = connectors.add(
            session, house.vault, cast.contoso, house.kinds, "scim_source", "Okta", {}, None, "ada", clock()
        )
        row.outside_id, row.facts_at, row.features = "scim:okta", clock(), {**row.features, "import": True}
        return row.id or 0


@pytest.fixture
def accounts(house: House, cast: Cast, clock: Clock, okta: int) -> Open:
    """The client's storage, as one request sees it."""

    def _open(connector_id: int = okta, tenant_id: int = 0, **more: Any) -> scim.Accounts:
        with house.db.reading() as session:
            row = session.exec(select(Connector).where(Connector.id == connector_id)).one()
        client = Client(
            tenant_id or cast.contoso,
            connector_id,
            "scim",
            more.pop("takes_over", True),
            house.kinds,
            partial(house.connect, row),
        )
        doors = scim.Doors(house.db.reading, house.db.writing, clock)
        return scim.Accounts(doors, client, scim.served(), writes=more.pop("writes", True))

    return _open


@pytest.fixture
def rows(house: House) -> Callable[[], list[Account]]:
    def _rows() -> list[Account]:
        with house.db.reading() as session:
            return list(session.exec(select(Account).order_by(Account.id)))  # type: ignore[arg-type]

    return _rows
