"""A password that a client sends stands nowhere afterwards: in no file of the database, no log, no answer."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import SQLModel

from provision.house import House
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import BULK, PATCH, USER, Pusher

CANARY = "Zq7-canary-Horse-7431"


def traces(house: House) -> list[str]:
    """Where the canary stands: any row of any table, and on SQLite any byte of its files, the write-ahead log among them."""
    found = []
    with house.db.engine.connect() as connection:
        for table in SQLModel.metadata.sorted_tables:
            if CANARY in repr(connection.execute(sa.select(table)).all()):
                found.append(table.name)
    files: list[Path] = []
    if house.db.is_sqlite:
        place = Path(house.db.url.database or "")
        files = [one for one in place.parent.iterdir() if one.name.startswith(place.name)]
        assert len(files) > 1  # the write-ahead log is there
    return found + [one.name for one in files if CANARY.encode() in one.read_bytes()]


def sent(client: Pusher, number: str) -> list[Any]:
    """A password in every body that can carry one."""
    whole = {"schemas": [USER], "userName": "x@there.example", "displayName": "X", "password": CANARY}
    again = {**whole, "userName": "jane.doe@there.example"}
    patches: list[dict[str, Any]] = [
        {"op": "replace", "path": "password", "value": CANARY},
        {"op": "add", "path": f"{USER}:password", "value": CANARY},
        {"op": "replace", "value": {"password": CANARY, "title": "Lead"}},
    ]
    bulk = [{"method": "POST", "path": "/Users", "bulkId": "a", "data": {**whole, "userName": "y@there.example"}}]
    return [
        client.post("/Users", whole),
        client.ask("PUT", f"/Users/{number}", again),
        *(client.ask("PATCH", f"/Users/{number}", {"schemas": [PATCH], "Operations": [one]}) for one in patches),
        client.post("/Bulk", {"schemas": [BULK], "Operations": bulk}),
        client.get("/Users", query_string={"filter": f'password eq "{CANARY}"'}),
    ]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_password_is_found_nowhere_afterwards(
    app: Flask, house: House, cast: Cast, clock: Clock, capfd: Any, allowed: bool
) -> None:
    desk = Desk(house, cast.contoso, clock)
    client = Pusher(app, house, cast.contoso, clock, initial_secrets=allowed)
    number = client.hire("jane.doe")
    desk.drain()
    own = house.connect
    object.__setattr__(house, "connect", lambda row: desk.there if row.id == desk.app else own(row))
    told = sent(client, number)
    taken = [201, 200, 204, 204, 204] if allowed else [400] * 5
    assert [answer.status_code for answer in told] == [*taken, 400, 400]
    assert CANARY not in "".join(answer.text for answer in told)
    assert set(desk.there.passwords.values()) == ({CANARY} if allowed else set())
    desk.drain()
    assert traces(house) == []
    out, err = capfd.readouterr()
    assert CANARY not in out + err
