"""The hub on a person's page: which app feeds which value, and which holds which account in what state."""

from collections.abc import Iterator
from html import unescape

import pytest

from provision.house import House
from provision.services import connectors, outbox, users, worker
from tests import office, second
from tests.cast import Browser, Cast, Clock
from tests.fakes.scim import ScimServer


@pytest.fixture
def there() -> Iterator[ScimServer]:
    server = ScimServer()
    yield server
    server.close()


@pytest.fixture
def both(house: House, cast: Cast, there: ScimServer) -> tuple[int, int]:
    """Office 365 with its people imported, and a SCIM application into which people are created."""
    app = office.imported(house, cast.contoso)
    other = second.connected(house, cast.contoso, there.url, on=("create", "edit", "delete"))
    with house.db.writing() as session:
        connectors.features(session, cast.contoso, other, {}, "automatic", "ada", house.now())
    return app, other


def _someone(house: House, cast: Cast) -> int:
    with house.db.reading() as session:
        rows = users.search(session, cast.contoso, users.Query(limit=50)).rows
    return next(row.id for row in rows if row.lifecycle == "active")


def _hub(browser: Browser, user: int) -> str:
    shown = unescape(browser.get(f"/t/contoso/users/{user}").text)
    return shown.partition('id="hub"')[2].partition("</section>")[0]


def test_with_one_app_there_is_no_hub(ada: Browser, house: House, cast: Cast) -> None:
    office.imported(house, cast.contoso)
    assert _hub(ada, _someone(house, cast)) == ""


def test_the_hub_tells_which_source_feeds_which_value(
    ada: Browser, house: House, cast: Cast, both: tuple[int, int]
) -> None:
    shown = _hub(ada, _someone(house, cast))
    office_row = next(row for row in shown.split("<tr>") if "Office 365" in row)
    assert "Linked" in office_row
    assert "Last Name" in office_row
    payroll_row = next(row for row in shown.split("<tr>") if "Payroll" in row)
    assert "nothing" in payroll_row
    assert len(both) == 2


def test_what_became_of_every_target_stands_on_one_line(
    ada: Browser, house: House, cast: Cast, clock: Clock, both: tuple[int, int], there: ScimServer
) -> None:
    someone = _someone(house, cast)
    with house.db.writing() as session:
        outbox.enqueue(session, cast.contoso, [someone], outbox.Order("ada", house.now(), house.kinds))
    waiting = next(row for row in _hub(ada, someone).split("<tr>") if "Payroll" in row)
    assert "Queued, not sent yet" in waiting
    memory = worker.Memory(clock=lambda: clock().timestamp())
    memory.of(both[1]).bucket.take(-10.0)
    ways = house.ways()
    object.__setattr__(ways, "connect", lambda row: second.port(house, row, clock))
    worker.drain(ways, both[1], memory=memory, width=1)
    done = next(row for row in _hub(ada, someone).split("<tr>") if "Payroll" in row)
    assert "Created in Payroll" in done
    assert "sign-in allowed" in done
    assert len(there.people()) == 1


def test_whom_an_app_is_not_for_is_told_so(ada: Browser, house: House, cast: Cast, both: tuple[int, int]) -> None:
    rule = {"rule": [{"attribute": "department", "operator": "is", "value": "Nowhere <b>"}]}
    with house.db.writing() as session:
        connectors.settle(session, cast.contoso, both[1], rule, "ada", house.now())
    row = next(row for row in _hub(ada, _someone(house, cast)).split("<tr>") if "Payroll" in row)
    assert "The app is not for this person" in row
