"""Every route tried by everybody, against the one table in docs/security.md."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlmodel import SQLModel
from werkzeug.routing import Rule

from provision.core.vocabulary import Role
from provision.house import House
from provision.web import guard
from tests.cast import Browser, Cast

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
RANK = {Role.AUDITOR.value: 1, Role.OPERATOR.value: 2, Role.OWNER.value: 3}
LEAVING = ("signin.signout",)
OWN_PROOF = "activate."
"""A room whose forms carry a proof of their own: what is refused there says nothing of roles."""

Table = dict[tuple[str, str], str]
Enter = Callable[[int], Browser]


@pytest.fixture(scope="module")
def table() -> Table:
    """(method, address) → from whom on."""
    lines = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \| ([a-z ]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {(method, address): admitted for method, address, admitted in lines}


def _routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            yield from ((method, rule) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))


def _pages(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Without what machines open with a token."""
    for method, rule in _routes(app):
        asked = guard.admission(app, rule.endpoint)
        if asked is None or not asked.bearer:
            yield method, rule


def _address(app: Flask, rule: Rule, tenant: str = "contoso") -> str:
    values = {name: tenant if name == "tenant" else "nonsense" for name in rule.arguments}
    for name in re.findall(r"<int:(\w+)>", rule.rule):
        values[name] = "999"
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule.rule)


def _ask(browser: Browser, method: str, address: str) -> int:
    answer = browser.get(address) if method == "GET" else browser.post(address, buffered=True)
    sent_away = answer.status_code == 303 and answer.location.startswith("/signin")
    return 401 if sent_away else answer.status_code


def test_the_table_and_the_application_name_the_same_routes_alike(app: Flask, table: Table) -> None:
    told = {}
    for method, rule in _routes(app):
        asked = guard.admission(app, rule.endpoint)
        assert asked is not None
        told[method, rule.rule] = (
            asked.minimum.value
            if asked.minimum
            else "bearer token"
            if asked.bearer
            else "signed in"
            if asked.signed_in
            else "everybody"
        )
    assert told == table


def test_only_reading_and_posting_exist(app: Flask) -> None:
    assert {method for method, _ in _pages(app)} == {"GET", "POST"}


def test_what_a_token_opens_is_closed_to_every_browser(app: Flask, enter: Enter, cast: Cast) -> None:
    browser = enter(cast.ada)
    for method, rule in _routes(app):
        if rule not in [each for _, each in _pages(app)]:
            answer = browser.client.open(_address(app, rule), method=method, buffered=True)
            assert (answer.status_code, answer.content_type) == (401, "application/scim+json"), rule


def test_who_is_not_signed_in_reads_and_does_nothing(app: Flask, browser: Browser, cast: Cast, table: Table) -> None:
    for method, rule in _pages(app):
        status = _ask(browser, method, _address(app, rule))
        assert (status == 401) == (table[method, rule.rule] != "everybody" or rule.endpoint in LEAVING), rule


@pytest.mark.parametrize(("who", "role"), [("ada", "owner"), ("ben", "operator"), ("dee", "auditor")])
def test_every_role_may_exactly_what_the_table_says(
    app: Flask, enter: Enter, cast: Cast, table: Table, who: str, role: str
) -> None:
    browser = enter(getattr(cast, who))
    for method, rule in _pages(app):
        if rule.endpoint in LEAVING or (method == "POST" and rule.endpoint.startswith(OWN_PROOF)):
            continue
        needed = table[method, rule.rule]
        status = _ask(browser, method, _address(app, rule))
        assert (status == 403) == (needed in RANK and RANK[role] < RANK[needed]), (rule, status)
        assert status != 401, rule
        assert status < 500, (rule, status)


def test_an_owner_from_elsewhere_finds_nothing_here(app: Flask, enter: Enter, cast: Cast) -> None:
    browser = enter(cast.cy)
    for method, rule in _pages(app):
        if "tenant" in rule.arguments:
            assert _ask(browser, method, _address(app, rule)) == 404, rule
            assert _ask(browser, method, _address(app, rule, "fabrikam")) not in (401, 403), rule


def test_no_post_is_taken_without_the_forms_token(app: Flask, ada: Browser) -> None:
    for method, rule in _pages(app):
        if method == "POST":
            assert ada.client.post(_address(app, rule)).status_code == 403, rule


def test_reading_every_page_writes_nothing(app: Flask, house: House, ada: Browser) -> None:
    def _dump() -> dict[str, list[object]]:
        with house.db.reading() as session:
            return {
                name: list(session.execute(table.select()).all()) for name, table in SQLModel.metadata.tables.items()
            }

    before = _dump()
    for method, rule in _pages(app):
        if method == "GET":
            address = _address(app, rule)
            ada.get(address)
            ada.client.head(address)
    assert _dump() == before
