"""How every page looks in its states: free of barriers in both themes and widths, and never wider than a phone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.visitor import Visitor, shoot

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("looks")]
Visit = Callable[..., Visitor]


def test_walk(visit: Visit, owner: Any) -> None:
    v = visit()
    v.open("/signin"); shoot(v.page, "signin")
    v = visit(owner)
    for name, path in (("home-unconnected", ""), ("apps", "apps"), ("users-empty", "users"), ("app-unconnected", "apps/1"), ("app-new", "apps/new"), ("provisioning-unconnected", "provisioning"), ("imports-off", "imports"), ("report-empty", "reports?app=1")):
        v.open(path); shoot(v.page, name)
    v.open("apps/1"); v.grant_consent(); v.page.wait_for_timeout(500); shoot(v.page, "app")
    v.open("provisioning"); v.switch(**{"import": True}); v.page.wait_for_timeout(1000); shoot(v.page, "provisioning")
    v.open("imports"); shoot(v.page, "imports-empty"); v.click("Preview"); v.says("What an import would do"); shoot(v.page, "imports-preview")
    v.import_all(); shoot(v.page, "imports-done")
    for name, path in (("home", ""), ("users", "users"), ("person", "users/3"), ("report", "reports")):
        v.open(path); shoot(v.page, name)
    v.open("reports"); v.page.locator("table.rep tbody tr a").first.click(); v.page.wait_for_selector("aside.drawer"); shoot(v.page, "report-drawer")
