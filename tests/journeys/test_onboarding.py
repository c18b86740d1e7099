"""The guide's password chapter in a browser: people picked on Onboarding Status, mails read from a real mail server, links
followed, and the new password tried where it counts.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from tests import canary, pictures
from tests.fakes.postoffice import Manners, PostOffice, Taken, always
from tests.journeys.conftest import PEOPLE
from tests.journeys.product import APP, TENANT, Product
from tests.journeys.test_looks import inspect
from tests.journeys.visitor import Visitor, barriers, shoot
from tests.processes import PATIENCE

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
SEND = "Send Activation Mail with Password Reset Link"
GOOD = "Loud-River-52-Ladder"


@pytest.fixture(scope="module")
def office() -> Iterator[PostOffice]:
    with PostOffice() as office:
        yield office


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, office: PostOffice) -> Iterator[Product]:
    """The product with a mail server set."""
    settings = {"PROVISION_SMTP_URL": office.url, "PROVISION_MAIL_FROM": "provision@fjordvik.example"}
    product = Product(tmp_path_factory.mktemp("product"), PEOPLE, **settings).start()
    yield product
    ended = product.stop()
    assert "Traceback" not in product.printed
    assert ended == 0


@pytest.fixture(scope="module")
def ready(product: Product, imported: Any) -> Any:
    """The owner's cookies, once everybody is here with a private address and the app may set passwords."""
    product.sandbox.assign_role("User Administrator")
    product.command("app", "check", TENANT, APP)
    with product.house.db.writing() as session:
        session.execute(sa.text("UPDATE users SET private_email = 'p' || id || '@home.example'"))
    return imported


def rows(visitor: Visitor) -> Any:
    return visitor.page.locator("table.tbl tbody tr")


def tick(visitor: Visitor, *numbers: int) -> list[str]:
    """Tick the first rows that can be ticked; return their names."""
    free = visitor.page.locator("tbody tr:has([data-tick])")
    for number in numbers:
        visitor.click(free.nth(number).locator("[data-tick]"))
    return [free.nth(number).locator(".who a").inner_text() for number in numbers]


def apply(visitor: Visitor) -> None:
    visitor.page.get_by_label("Select Action", exact=True).select_option(label=SEND)
    visitor.click("Apply", "button")


def awaited(office: PostOffice, recipient: str, number: int = 1) -> Taken:
    deadline = time.monotonic() + PATIENCE
    while len(office.for_whom(recipient)) < number:
        assert time.monotonic() < deadline, f"no mail {number} for {recipient}"
        time.sleep(0.05)
    return office.for_whom(recipient)[number - 1]


def link_in(mail: Taken) -> str:
    return next(line.strip() for line in mail.text.splitlines() if "/activate/" in line)


def test_W_4_people_are_picked_and_each_ones_mail_is_told(
    product: Product, office: PostOffice, ready: Any, visit: Visit
) -> None:
    visitor = visit(ready)
    visitor.open("users")
    visitor.click(visitor.page.get_by_role("navigation", name="Users").get_by_role("link", name="Onboarding Status"))
    expect(visitor.page.locator(".funnel")).to_contain_text("Everyone")
    names = tick(visitor, 0, 1)
    visitor.says("2 selected")
    apply(visitor)
    expect(visitor.page.get_by_role("heading", name="Activation mails")).to_be_visible()
    for name in names:
        expect(visitor.page.get_by_role("row", name=name)).to_contain_text("Sent")
    inspect(visitor.page, "onboarding-sent")
    visitor.open("onboarding?state=sent")
    for name in names:
        expect(visitor.page.get_by_role("row", name=name)).to_contain_text("Link works until")
    assert len(office.box) == 2


def test_W_5_the_link_in_the_mail_opens_the_page_that_sets_a_password(
    office: PostOffice, ready: Any, visit: Visit
) -> None:
    visitor = visit()
    visitor.page.goto(link_in(office.box[0]))
    expect(visitor.page.get_by_role("heading", name="Set your password")).to_be_visible()


def test_W_5_the_page_shows_the_logo_that_an_owner_uploaded(
    office: PostOffice, ready: Any, visit: Visit, folder: Path
) -> None:
    (folder / "logo.png").write_bytes(pictures.png(400, 80))
    owner = visit(ready)
    owner.open("settings").get_by_label("Picture").set_input_files(folder / "logo.png")
    owner.click("Save the logo", "button")
    expect(owner.page.get_by_alt_text("The logo as it is shown now")).to_be_visible()
    visitor = visit()
    visitor.page.goto(link_in(office.box[0]))
    logo = visitor.page.get_by_alt_text("Fjordvik")
    expect(logo).to_be_visible()
    assert logo.evaluate("each => each.naturalWidth") == 400
    assert barriers(visitor.page) == []


def looks_after(page: Page, *events: str) -> list[str]:
    """The looks at a form that such events make: a request of the page's own goes last, after all timers they set going."""
    looks: list[str] = []
    page.on("request", lambda request: looks.append(request.url) if request.url.endswith("/look") else None)
    with page.expect_request("**/healthz"):
        page.evaluate(
            "(events) => new Promise((done) => { const form = document.querySelector('form[data-look]');"
            " for (const each of events) form.dispatchEvent(new Event(each, { cancelable: true }));"
            " setTimeout(() => fetch('/healthz').then(done, done), 1000); })",
            list(events),
        )
    page.evaluate("() => dispatchEvent(new Event('pageshow'))")  # as if nothing had been sent
    return looks


def test_W_6_the_new_password_works_at_microsoft_and_the_console_says_so(
    product: Product, office: PostOffice, ready: Any, visit: Visit
) -> None:
    owner = visit(ready)
    owner.open("onboarding?state=not+invited")
    row = owner.page.locator("tbody tr:has([data-tick])").first
    name, address = row.locator(".who a").inner_text(), row.locator(".who small").inner_text()
    to = row.locator("td.c-2").inner_text()
    tick(owner, 0)
    apply(owner)
    mail = awaited(office, to)
    visitor = visit()
    page = visitor.page
    page.goto(link_in(mail))
    expect(page.get_by_role("heading", name="Set your password")).to_be_visible()
    page.get_by_label("New password", exact=True).fill(GOOD)
    page.get_by_label("Once more", exact=True).fill(GOOD)
    looks_after(page)  # what was typed is looked at
    assert len(looks_after(page, "input")) == 1
    assert looks_after(page, "input", "submit") == [], "what is on its way is not looked at any more"
    visitor.click("Set password")
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()
    visitor.click("Go to Microsoft 365")
    page.get_by_label("Address", exact=True).fill(address)
    page.get_by_label("Password or Temporary Access Pass").fill(GOOD)
    visitor.click("Sign in", "button")
    visitor.says(f"Signed in as {address}.")
    confirmation = awaited(office, to, 2)
    assert GOOD not in confirmation.raw.decode()
    assert "/activate/" not in confirmation.text
    owner.open("onboarding?state=password+set")
    expect(owner.page.get_by_role("row", name=name)).to_contain_text("Password set")
    for secret in (GOOD, link_in(mail).rpartition("/")[2]):
        assert canary.in_files(product.folder, secret) == [], "the mail has left, and nothing of it stays"


def test_W_7_a_link_that_was_replaced_or_revoked_is_over_and_a_new_one_is_a_click_away(
    product: Product, office: PostOffice, ready: Any, visit: Visit
) -> None:
    owner = visit(ready)
    owner.open("onboarding?state=not+invited")
    row = owner.page.locator("tbody tr:has([data-tick])").nth(2)
    name, to = row.locator(".who a").inner_text(), row.locator("td.c-2").inner_text()
    tick(owner, 2)
    apply(owner)
    first = link_in(awaited(office, to))
    owner.open(f"onboarding?q={name.split()[0]}")
    owner.click(owner.page.get_by_label(f"Actions for {name}"))
    owner.click(owner.page.get_by_role("button", name="Send again").locator("visible=true"))
    second = link_in(awaited(office, to, 2))
    visitor = visit()
    with visitor.refusal(404):
        visitor.page.goto(first)
        visitor.says("This link no longer works")
    visitor.page.goto(second)
    expect(visitor.page.get_by_role("heading", name="Set your password")).to_be_visible()
    owner.open(f"onboarding?q={name.split()[0]}")
    owner.click(owner.page.get_by_label(f"Actions for {name}"))
    owner.click(owner.page.get_by_role("button", name="Revoke link").locator("visible=true"))
    owner.says("One link was revoked.")
    with visitor.refusal(404):
        visitor.page.goto(second)
        visitor.says("This link no longer works")


def test_W_8_who_cannot_be_invited_is_named_with_the_reason_before_the_click(ready: Any, visit: Visit) -> None:
    visitor = visit(ready)
    visitor.open("onboarding?state=blocked")
    expect(visitor.page.locator("tbody input[type=checkbox]:enabled")).to_have_count(0)
    assert rows(visitor).count() > 0
    for row in rows(visitor).all():
        assert re.search(r"Cannot be invited.+\.", row.inner_text(), re.DOTALL)
    inspect(visitor.page, "onboarding-blocked")


def test_everybody_not_invited_is_invited_in_four_clicks_and_a_bounce_is_seen(
    product: Product, office: PostOffice, ready: Any, visit: Visit
) -> None:
    visitor = visit(ready)
    visitor.open("onboarding?state=not+invited")
    last = visitor.page.locator("tbody tr:has([data-tick])").last
    name, to = last.locator(".who a").inner_text(), last.locator("td.c-2").inner_text()
    office.manners[to] = Manners(rcpt=always("550 5.1.1 No such mailbox"))
    visitor.open("")
    visitor.clicks = 0
    visitor.click(visitor.navigation("Onboarding Status"))
    visitor.click("Send to all not invited")
    inspect(visitor.page, "onboarding-ask")
    visitor.click(visitor.page.get_by_role("button", name=re.compile(r"^Send \d+ mails$")))
    assert visitor.clicks <= 4
    expect(visitor.page.get_by_role("row", name=name)).to_contain_text("Bounced")
    expect(visitor.page.get_by_role("row", name=name)).to_contain_text("The address was refused")
    visitor.open("settings/mails?state=bounced")
    visitor.says("No such mailbox")


def test_the_pages_look_well_in_both_themes_and_on_a_phone(ready: Any, visit: Visit) -> None:
    visitor = visit(ready)
    for name, path in (
        ("onboarding-list", "onboarding"),
        ("onboarding-preview", "onboarding/preview"),
        ("settings-onboarding", "settings"),
        ("settings-letter", "settings/letters/activation/en"),
        ("settings-mails", "settings/mails"),
        ("home-funnel", ""),
    ):
        inspect(visitor.open(path), name)


def test_words_are_changed_under_a_live_preview_and_taken_back(ready: Any, visit: Visit) -> None:
    visitor = visit(ready)
    page = visitor.open("settings/letters/activation/en")
    page.get_by_label("Subject", exact=True).fill("Welcome to the harbour, {name}")
    expect(page.locator("#draft")).to_contain_text("Welcome to the harbour, Ingrid Solberg")
    visitor.click("Save", "button")
    visitor.says("The next mail says this.")
    with visitor.refusal(422):
        page.get_by_label("Text", exact=True).fill("There is no link")
        visitor.click("Save", "button")
        visitor.says("mail would lead nowhere")
    inspect(page, "settings-letter-error")
    visitor.open("settings/letters/activation/en")
    visitor.click("Back to the built-in words")
    visitor.says("The built-in words are back.")


def test_a_test_mail_arrives(office: PostOffice, ready: Any, visit: Visit) -> None:
    visitor = visit(ready)
    page = visitor.open("settings/mails")
    page.get_by_label("Send a test mail to").fill("somebody@home.example")
    visitor.click("Send test mail")
    assert "The mail settings of Fjordvik work" in awaited(office, "somebody@home.example").text


def test_sending_works_without_javascript(office: PostOffice, ready: Any, visit: Visit) -> None:
    visitor = visit(ready, script=False)
    visitor.open("onboarding?state=sent")
    row = visitor.page.locator("tbody tr:has([data-tick])").first
    to = row.locator("td.c-2").inner_text()
    before = len(office.for_whom(to))
    row.locator("[data-tick]").check()
    apply(visitor)
    visitor.says("Activation mails")
    awaited(office, to, before + 1)


def test_a_mail_reads_well_on_a_phone(office: PostOffice, ready: Any, visit: Visit) -> None:
    """As a mail program shows it: the HTML alone, without any style sheet or image of ours."""
    mail = next(one for one in office.box if "/activate/" in one.text)
    visitor = visit(width=360)
    visitor.page.set_content(mail.html)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
    button = visitor.page.get_by_role("link", name="Set your password")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    shoot(visitor.page, "letter")
