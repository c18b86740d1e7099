"""Journeys: the real product in a process of its own, a real Chromium, and one product per file of journeys."""

import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.journeys.product import Product
from tests.journeys.visitor import Visitor
from tests.processes import PATIENCE

_FLAGS = [
    "--no-sandbox",  # as root, as on most build machines
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
]
PEOPLE = 60
LAST_WORDS = 80
expect.set_options(timeout=PATIENCE * 1000)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A journey that fails tells what the product had to say, too."""
    report = yield
    product = getattr(item, "funcargs", {}).get("product")
    if report.failed and isinstance(product, Product):
        report.sections.append(("The product's last words", "\n".join(product.printed.splitlines()[-LAST_WORDS:])))
    return report


def start(playwright: Playwright) -> Browser:
    """The system's Chromium, or Playwright's own where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return playwright.chromium.launch(executable_path=found, args=_FLAGS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = start(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """``provision demo``, fresh for each file of journeys; it must end in order and without a stack trace in its log."""
    product = Product(tmp_path_factory.mktemp("product"), PEOPLE).start()
    yield product
    ended = product.stop()
    assert "Traceback" not in product.printed, product.printed[product.printed.index("Traceback") - 500 :]
    assert ended == 0


@pytest.fixture(scope="module")
def owner(chromium: Browser, product: Product) -> Any:
    """The cookies of the demo's owner, signed in by the printed link unless a journey did that before."""
    visitor = Visitor(chromium, product)
    visitor.sign_in() if product.claimed else visitor.set_password()
    state = visitor.context.storage_state()
    assert visitor.leave() == []
    return state


@pytest.fixture(scope="module")
def connected(chromium: Browser, product: Product, owner: Any) -> Any:
    """The owner's cookies, after consent was granted in the browser."""
    visitor = Visitor(chromium, product, state=owner)
    visitor.open("")
    visitor.open_app()
    visitor.grant_consent()
    assert visitor.leave() == []
    return owner


@pytest.fixture(scope="module")
def importing(chromium: Browser, product: Product, connected: Any) -> Any:
    """The owner's cookies, after Import User was switched on."""
    visitor = Visitor(chromium, product, state=connected)
    visitor.open("provisioning")
    visitor.switch(**{"import": True})
    assert visitor.leave() == []
    return connected


@pytest.fixture(scope="module")
def imported(chromium: Browser, product: Product, importing: Any) -> Any:
    """The owner's cookies, after the first import."""
    visitor = Visitor(chromium, product, state=importing)
    visitor.open("imports")
    visitor.import_all()
    assert visitor.leave() == []
    return importing


@pytest.fixture
def visit(chromium: Browser, product: Product) -> Iterator[Callable[..., Visitor]]:
    """Sit down at a browser: ``visit(owner)`` with those cookies, ``visit()`` as a stranger."""
    visitors: list[Visitor] = []

    def _visit(state: Any = None, **more: Any) -> Visitor:
        visitors.append(Visitor(chromium, product, state=state, **more))
        return visitors[-1]

    yield _visit
    assert [line for visitor in visitors for line in visitor.leave()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a journey puts what it downloads."""
    return tmp_path
