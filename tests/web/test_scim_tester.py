"""The standard's own examiner over real HTTP: every check a success, with and without data, with and without passwords."""

import threading
from collections.abc import Iterator

import httpx2
import pytest
from flask import Flask
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from werkzeug.serving import make_server

from provision.house import House
from tests.cast import Cast, Clock
from tests.processes import PATIENCE
from tests.web.scim import Pusher


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application, served on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("people", "passwords"), [(0, False), (30, False), (3, True)])
def test_every_check_of_the_examiner_succeeds(
    app: Flask, address: str, house: House, cast: Cast, clock: Clock, people: int, passwords: bool
) -> None:
    okta = Pusher(app, house, cast.contoso, clock, initial_secrets=passwords)
    for each in range(people):
        okta.hire(f"p{each}.x", title="Lead" if each % 2 else "")
    bearer = {"Authorization": f"Bearer {okta.token}"}
    with httpx2.Client(base_url=f"{address}/scim/v2", headers=bearer, trust_env=False, timeout=PATIENCE) as http:
        client = SyncSCIMClient(http)
        results = check_server(client)
    told = [(one.title, one.status.name, one.reason) for one in results if one.status is not Status.SUCCESS]
    assert told == []
    assert len(results) > 50
