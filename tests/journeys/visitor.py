"""A person at a browser, and somebody looking over their shoulder: whatever goes wrong on the way fails the journey.

Owns the browser context and the watch over it; knows addresses and words on the screen, never the product's code.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.journeys.product import APP, OWNER, PASSWORD, Product
from tests.processes import PATIENCE

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`))"""
IMPORT = re.compile(r"^Import( one| \d|$)")
SHOTS = os.environ.get("SHOTS", "")


class Visitor:
    """One browser context with its own cookies. ``page`` is the tab in front; ``clicks`` counts what the hand did."""

    def __init__(
        self, browser: Browser, product: Product, *, state: Any = None, script: bool = True, width: int = 1280
    ) -> None:
        self.product = product
        self.trouble: list[str] = []
        self.dialogs: list[str] = []
        self.clicks = 0
        self._allowed: set[int] = set()
        self.context: BrowserContext = browser.new_context(
            base_url=product.url,
            storage_state=state,
            java_script_enabled=script,
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
            locale="en-GB",
        )
        self.context.set_default_timeout(PATIENCE * 1000)
        if script:
            self.context.add_init_script(_VIOLATIONS)
        self._watch()
        self.page: Page = self.context.new_page()

    # -- What the hand does ------------------------------------------------------------------------------------------

    def open(self, path: str) -> Page:
        """Go to an address of the tenant: ``users``, ``apps/1``; or of the product when it begins with a slash."""
        self.page.goto(path if path.startswith("/") else f"{self.product.home}{path}")
        return self.page

    def click(self, what: Locator | str, role: Any = None) -> None:
        """Click a link, a button or whatever is given, and count it; a page that follows has come whole when it returns."""
        self.clicks += 1
        target = self.find(what, role) if isinstance(what, str) else what
        target.click()
        target.page.wait_for_load_state()

    def find(self, name: str, role: Any = None) -> Locator:
        """The link or button of exactly this name that can be seen."""
        if role:
            return self.page.get_by_role(role, name=name, exact=True).first
        either = self.page.get_by_role("button", name=name, exact=True).or_(
            self.page.get_by_role("link", name=name, exact=True)
        )
        return either.first

    def says(self, text: str | re.Pattern[str]) -> None:
        """The page in front shows this text, now or in a moment."""
        expect(self.page.locator("body")).to_contain_text(text)

    def navigation(self, name: str) -> Locator:
        """An entry of the left side navigation."""
        return self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True)

    # -- Deeds that many journeys begin with -----------------------------------------------------------------------------

    def set_password(self) -> None:
        """Open the printed one-time link, choose a password, and be signed in; afterwards the link is spent."""
        self.product.claimed = True
        self.page.goto(self.product.link)
        self.page.get_by_label("New password", exact=True).fill(PASSWORD)
        self.page.get_by_label("Once more", exact=True).fill(PASSWORD)
        self.click("Set password and sign in")
        expect(self.page).to_have_url(self.product.home)

    def sign_in(self, email: str = OWNER, password: str = PASSWORD) -> None:
        """Sign in by the form."""
        self.page.goto("/signin")
        self.page.get_by_label("Email", exact=True).fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.click("Sign in", "button")
        expect(self.page.get_by_role("navigation", name="Main")).to_be_visible()

    def open_app(self) -> None:
        """Apps, then the app of the sandbox tenant."""
        self.click(self.navigation("Apps"))
        self.click(APP, "link")

    def go_to_microsoft(self) -> Page:
        """Click Grant Administrator Consent on the app's page and return the window that opens."""
        with self.context.expect_page() as opened:
            self.click("Grant Administrator Consent")
        window = opened.value
        expect(window.get_by_role("heading", name="Permissions requested")).to_be_visible()
        return window

    def grant_consent(self) -> None:
        """From the app's page: accept as the first administrator offered, close the window, see it granted."""
        window = self.go_to_microsoft()
        self.click(window.get_by_role("button", name="Accept"))
        expect(window.get_by_text("Consent is granted").first).to_be_visible()
        window.close()
        self.page.reload()
        expect(self.page.locator("#consent")).to_contain_text("Granted")

    def switch(self, **features: bool) -> None:
        """On Provisioning: turn switches and save."""
        for name, wanted in features.items():
            box = self.page.get_by_role("switch", name=f"{name.capitalize()} User")
            if box.is_checked() != wanted:
                self.click(box)
        self.click("Save")
        self.says("Saved.")

    def import_all(self) -> None:
        """On Import Users: click Import and wait for the counts."""
        self.click(self.page.get_by_role("button", name=IMPORT))
        expect(self.page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
        self.page.wait_for_load_state()

    def counted(self, word: str) -> int:
        """The number that stands over a word in a strip of counts."""
        cell = self.page.locator(".strip li", has=self.page.get_by_text(word, exact=True)).first
        return int(re.sub(r"\D", "", cell.locator("b").inner_text()))

    # -- The watch -------------------------------------------------------------------------------------------------------

    @contextmanager
    def refusal(self, *statuses: int) -> Iterator[None]:
        """Inside, answers with these statuses are what the journey is about."""
        self._allowed |= set(statuses)
        yield
        self._allowed -= set(statuses)

    def blame(self, text: str) -> None:
        self.trouble.append(text)

    def leave(self) -> list[str]:
        """Close the browser and return what went wrong on the way."""
        self.context.close()
        return self.trouble

    def _watch(self) -> None:
        self.context.on("console", self._heard)
        self.context.on("weberror", lambda error: self.blame(f"error in the page: {error.error}"))
        self.context.on("request", self._left)
        self.context.on("response", self._answered)
        self.context.on("requestfailed", self._failed)
        self.context.on("dialog", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type != "error" or any(f"status of {status} " in message.text for status in self._allowed):
            return
        if message.text.startswith(("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError")):
            return  # htmx's echo of a request that ``_failed`` judges itself: a following page may cut one short
        self.blame(f"console: {message.text} ({message.location.get('url', '')})")

    def _left(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.product.url).netloc:
            self.blame(f"went to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._allowed:
            self.blame(f"{response.status} for {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a following page or a download cuts short
            self.blame(f"{request.failure} for {request.method} {request.url}")

    def _asked(self, dialog: Any) -> None:
        self.blame(f"a script opened a dialog: {dialog.message}")
        dialog.dismiss()


# -- Looking at a page ---------------------------------------------------------------------------------------------------


def dress(page: Page, theme: str, width: int, height: int = 900) -> None:
    """Show the page in a theme and a width."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("theme => { document.documentElement.dataset.bsTheme = theme }", theme)


def barriers(page: Page) -> list[str]:
    """What axe holds against the page as it stands, one line per rule and place."""
    found = Axe().run(page, options={"runOnly": _RULES, "resultTypes": ["violations"]})
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]} ({node['failureSummary']})"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """What sticks out of the window sideways, if the page can be scrolled that way."""
    found: list[str] = page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          return [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > wide + 1)
            .map((one) => one.outerHTML.slice(0, 120)).slice(0, 6);
        }"""
    )
    return found


def shoot(page: Page, name: str) -> None:
    """With SHOTS=folder: photograph the page in both themes, wide and narrow."""
    if not SHOTS:
        return
    size = page.viewport_size
    Path(SHOTS).mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        for width in (1440, 360):
            dress(page, theme, width)
            tall = min(page.evaluate("document.documentElement.scrollHeight"), 1500 if width > 700 else 2000)
            dress(page, theme, width, tall)
            page.screenshot(path=Path(SHOTS) / f"{name}-{theme}-{width}.png")
    page.evaluate("delete document.documentElement.dataset.bsTheme")
    if size:
        page.set_viewport_size(size)
