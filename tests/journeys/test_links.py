"""From the mail to the password: links followed in a browser, and the new password tried where it counts."""

import json
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlmodel import col, select

from provision.core.tables import User
from provision.core.vocabulary import Lifecycle
from provision.sandbox.faults import Fault
from provision.services import activation
from tests import canary
from tests.journeys.mailbox import awaited, link_in, mails, text_of
from tests.journeys.product import APP, TENANT, Product
from tests.journeys.visitor import Visitor, barriers, dress, overflow, shoot

pytestmark = pytest.mark.journey
Visit = Callable[..., Visitor]
GOOD = "Loud-River-52-Ladder"


@pytest.fixture(scope="module")
def ready(product: Product, imported: Any) -> Product:
    """Everybody is here, and the app may set passwords."""
    product.sandbox.assign_role("User Administrator")
    product.command("app", "check", TENANT, APP)
    return product


@pytest.fixture(scope="module")
def people(ready: Product) -> Iterator[dict[str, str]]:
    """One person after the other whom a link can help, each with a private address."""
    house = ready.house
    with house.db.writing() as session:
        found = session.exec(select(User).where(User.lifecycle == Lifecycle.ACTIVE).order_by(col(User.id))).all()
        for row in found:
            row.private_email = f"person{row.id}@home.example"
            session.add(row)
        session.flush()
        tenant_id = found[0].tenant_id
        standing = activation.why_blocked(session, tenant_id, [row.id or 0 for row in found], house.kinds)
    helped = [row for row in found if standing[row.id or 0].code is None]
    return iter([{"id": str(row.id), "email": str(row.email), "private": str(row.private_email)} for row in helped])


def send(product: Product, person: dict[str, str], number: int = 1) -> str:
    """The link out of the mail that the person got."""
    product.command("activation", "send", TENANT, person["id"])
    return link_in(awaited(product, person["private"], number))


def fill(visitor: Visitor, password: str, again: str | None = None) -> None:
    visitor.page.get_by_label("New password", exact=True).fill(password)
    visitor.page.get_by_label("Once more", exact=True).fill(password if again is None else again)


def test_a_person_follows_the_link_and_the_password_works_at_microsoft(
    ready: Product, people: Iterator[dict[str, str]], visit: Visit
) -> None:
    person = next(people)
    link = send(ready, person)
    visitor = visit()
    page = visitor.page
    page.goto(link)
    expect(page).to_have_url(f"{ready.url}/activate")
    assert link.rpartition("/")[2] not in page.content()
    assert page.evaluate("document.referrer") == ""
    fill(visitor, "short")
    expect(page.locator("#rules .yes")).to_have_count(3)
    with visitor.refusal(422):
        visitor.click("Set password")
        visitor.says("It needs 15 characters or more.")
    fill(visitor, "Nordlysfestivalen-24")
    expect(page.locator("#rules .no")).to_have_count(0)
    with visitor.refusal(422):
        visitor.click("Set password")
        visitor.says("Microsoft refused the password")
    visitor.click(page.locator(".show").first)
    expect(page.get_by_label("New password", exact=True)).to_have_attribute("type", "text")
    fill(visitor, GOOD)
    visitor.click("Set password")
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()
    visitor.click("Go to Microsoft 365")
    page.get_by_label("Address", exact=True).fill(person["email"])
    page.get_by_label("Password or Temporary Access Pass").fill(GOOD)
    visitor.click("Sign in", "button")
    visitor.says(f"Signed in as {person['email']}.")
    told = json.loads(ready.command("activation", "status", TENANT, person["id"], "--json"))
    assert told[0]["state"] == "password set"
    assert GOOD not in text_of(awaited(ready, person["private"], 2)), "the confirmation names no password"
    with visitor.refusal(404):
        page.goto(link)
        visitor.says("This link no longer works")


def test_the_whole_way_works_without_javascript_and_after_twenty_scanners(
    ready: Product, people: Iterator[dict[str, str]], visit: Visit
) -> None:
    person = next(people)
    link = send(ready, person)
    for method in ("GET", "HEAD"):
        for _ in range(20):
            scanner = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with scanner.open(urllib.request.Request(link, method=method)) as answer:
                assert (answer.status, answer.url) == (200, f"{ready.url}/activate")
    visitor = visit(script=False)
    visitor.page.goto(link)
    with visitor.refusal(422):
        fill(visitor, GOOD, "something else")
        visitor.click("Set password")
        visitor.says("Enter the same password twice.")
    fill(visitor, GOOD)
    visitor.click("Set password")
    visitor.says("Your password is set")


def test_an_expired_link_brings_a_new_one_from_its_own_page(
    ready: Product, people: Iterator[dict[str, str]], visit: Visit
) -> None:
    person = next(people)
    link = send(ready, person)
    _expire(ready, person["id"])
    visitor = visit()
    with visitor.refusal(404):
        visitor.page.goto(link)
        visitor.click("Send me a new link")
    visitor.says("Look into your mail")
    fresh = link_in(awaited(ready, person["private"], 2))
    assert fresh != link
    visitor.page.goto(fresh)
    expect(visitor.page.get_by_role("heading", name="Set your password")).to_be_visible()


def test_microsoft_being_away_costs_no_link(ready: Product, people: Iterator[dict[str, str]], visit: Visit) -> None:
    person = next(people)
    visitor = visit()
    visitor.page.goto(send(ready, person))
    away = {"status": 503, "code": "serviceNotAvailable", "message": "away"}
    ready.sandbox.faults.add(Fault("status", path="/v1.0/users/*", times=None, details=away))
    fill(visitor, GOOD)
    with visitor.refusal(503):
        visitor.click("Set password")
        visitor.says("Try again in a few minutes")
    ready.sandbox.faults.clear()
    fill(visitor, GOOD)
    visitor.click("Set password")
    visitor.says("Your password is set")


def test_the_pages_look_well_in_both_themes_and_on_a_phone(
    ready: Product, people: Iterator[dict[str, str]], visit: Visit
) -> None:
    link = send(ready, next(people))
    visitor = visit()
    page = visitor.page

    def inspect(name: str) -> None:
        for theme in ("light", "dark"):
            for width in (1280, 360, 320):
                dress(page, theme, width)
                assert barriers(page) == [], (name, theme, width)
                assert overflow(page) == [], (name, theme, width)
        shoot(page, f"link-{name}")

    page.goto(link)
    inspect("form")
    with visitor.refusal(422):
        fill(visitor, "password")
        visitor.click("Set password")
        inspect("refused")
    fill(visitor, GOOD)
    visitor.click("Set password")
    expect(page.get_by_role("heading", name="Your password is set")).to_be_visible()
    inspect("done")
    with visitor.refusal(404):
        page.goto(link)
        inspect("over")


def test_a_password_and_its_link_are_nowhere_afterwards(
    ready: Product, people: Iterator[dict[str, str]], visit: Visit
) -> None:
    """Not in the database, its log of changes, the output, a mail, a backup or the process list, whatever went wrong
    meanwhile: refused here, refused by Microsoft, away, lost on the way back, and a failure in the middle of the road.
    """
    word, unlucky = "Zqxvkbirdx", "Nordlysfestivalen-24"
    good = f"Loud-{word}-52-Ladder"
    person = next(people)
    visitor = visit()
    link = send(ready, person)
    visitor.page.goto(link)
    with visitor.refusal(422, 500, 503):
        attempt(visitor, word, "Error:")
        attempt(visitor, unlucky, "Error:")
        away = Fault("status", path="/v1.0/users/*", details={"status": 503, "code": "x", "message": "away"})
        ready.sandbox.faults.add(away)
        attempt(visitor, good, "Try again in a few minutes")
        before = _config(ready, '{"cloud": 7}')  # what no page lets anybody save: the road breaks in the middle
        attempt(visitor, good, "What happened")
        _config(ready, before)
        visitor.page.goto(link)
        ready.sandbox.faults.add(Fault("drop_after", "PATCH", "/v1.0/users/*"))
        attempt(visitor, good, "We do not know yet")
    with (
        sqlite3.connect(ready.folder / "data" / "provision.db") as there,
        sqlite3.connect(ready.folder / "backup.db") as kept,
    ):
        there.backup(kept)
    assert {".eml", ".db", ".db-wal"} <= {f".{path.name.partition('.')[2]}" for path in ready.folder.rglob("*.*")}
    for secret in (word, unlucky):
        assert canary.in_files(ready.folder, secret) == []
        assert canary.in_processes(secret) == []
    token = link.rpartition("/")[2]
    assert canary.in_processes(token) == []
    assert {Path(path).suffix for path in canary.in_files(ready.folder, token)} == {".eml"}, "only in its mail"


def attempt(visitor: Visitor, password: str, said: str) -> None:
    fill(visitor, password)
    visitor.click("Set password")
    visitor.says(said)


def _expire(product: Product, user_id: str) -> None:
    with sqlite3.connect(product.folder / "data" / "provision.db", timeout=10) as db:
        db.execute("UPDATE activations SET expires_at = '2020-01-01 00:00:00' WHERE user_id = ?", (user_id,))


def _config(product: Product, config: str) -> str:
    with sqlite3.connect(product.folder / "data" / "provision.db", timeout=10) as db:
        (before,) = db.execute("SELECT config FROM connectors WHERE id = 1").fetchone()
        db.execute("UPDATE connectors SET config = ? WHERE id = 1", (config,))
    return str(before)


def test_nobody_gets_a_mail_who_did_not_ask(ready: Product) -> None:
    assert mails(ready, "nobody@home.example") == []
