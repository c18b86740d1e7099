"""The pictures of the README, taken of the running product: ``python -m tests.journeys.pictures FOLDER``.

Not a test: it walks the demo as a newcomer does, leaves something to look at, and writes PNG files, light and dark.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.journeys.conftest import start
from tests.journeys.product import TENANT, Product
from tests.journeys.visitor import Visitor

WIDTH, HEIGHT = 1280, 760
NEW = (
    "--first",
    "Ingrid",
    "--last",
    "Solheim",
    "--username",
    "ingrid.solheim",
    "--email",
    "ingrid.solheim@fjordvik.example",
)


def main(folder: Path) -> None:
    """Start the demo, walk it, take the pictures, stop it."""
    folder.mkdir(parents=True, exist_ok=True)
    product = Product(Path(tempfile.mkdtemp()), 120).start()
    try:
        with sync_playwright() as playwright:
            browser = start(playwright)
            visitor = Visitor(browser, product, width=WIDTH)
            visitor.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            _walk(visitor, folder)
            browser.close()
    finally:
        product.stop()


def _walk(visitor: Visitor, folder: Path) -> None:
    visitor.set_password()
    visitor.open_app()
    visitor.grant_consent()
    visitor.open("provisioning")
    visitor.switch(**{"import": True, "create": True, "edit": True, "delete": True})
    visitor.open("imports")
    visitor.import_all()
    visitor.product.command("user", "add", TENANT, *NEW)
    visitor.product.command("user", "edit", TENANT, "eirik.myrvag", "--set", "surname=Myrvåg Dahl")
    visitor.product.command("user", "disable", TENANT, "grazyna.chrzaszcz")
    visitor.product.command("user", "delete", TENANT, "uwe.strauss")
    visitor.open("queue")
    visitor.says("Approve all 4 changes")
    _take(visitor, folder, "review")


def _take(visitor: Visitor, folder: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        visitor.page.screenshot(path=folder / f"{name}-{scheme}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
