"""A page that stays open while the server goes away: what gets no answer is said, and an answer ends that."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
PARTS = re.compile(r"/users\?")


@pytest.mark.parametrize("status", [0, 502])
def test_what_gets_no_answer_from_here_is_said_once_and_the_page_stays(
    imported: Any, visit: Visit, status: int
) -> None:
    visitor = visit(imported)
    page = visitor.open("users")
    rows = page.get_by_role("table", name=re.compile("People")).locator("tbody tr")
    shown = rows.count()
    lost = page.get_by_role("status").get_by_text("Connection lost. Nothing on this page has changed; try again.")

    def gone(route: Route) -> None:
        route.fulfill(status=status, body="") if status else route.abort("connectionrefused")

    page.route(PARTS, gone)
    search = page.get_by_role("searchbox", name="Name, address, username or employee id")
    for words in ("nobody-of", "nobody-of-this"):
        with page.expect_event("requestfinished" if status else "requestfailed"):
            search.press_sequentially(words)
        expect(lost).to_have_count(1)
    expect(lost).to_be_visible()
    assert rows.count() == shown
    if not status:
        inspect(page, "connection-lost")
    page.unroute(PARTS, gone)
    search.fill("nobody-of-this-name")
    search.press("End")
    expect(lost).to_have_count(0)
    assert all("ERR_CONNECTION_REFUSED" in one or "502" in one for one in visitor.trouble), visitor.trouble
    visitor.trouble.clear()
