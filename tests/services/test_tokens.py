"""Tokens of clients that push to us: made twice at most, shown once, kept as digests, ended at once."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import Connector, EventDetail, Token
from provision.core.vocabulary import TokenScope
from provision.house import House
from provision.services import connectors, tokens
from provision.services.errors import Conflict, Invalid, NotFound
from tests.cast import Cast, Clock

Issue = Callable[..., tuple[Token, str]]


@pytest.fixture
def app(house: House, cast: Cast, clock: Clock) -> int:
    with house.db.writing() as session:
        at = (session, house.vault, cast.contoso, house.kinds)
        return connectors.add(*at, "scim_source", "Okta", {}, None, "ada", clock()).id or 0


@pytest.fixture
def issue(house: House, cast: Cast, clock: Clock, app: int) -> Issue:
    def _issue(**given: Any) -> tuple[Token, str]:
        bytes_of = iter(range(1, 200))
        wanted = {"scope": TokenScope.WRITE, "days": 180, "token_bytes": lambda n: bytes([next(bytes_of)] * n), **given}
        with house.db.writing() as session:
            return tokens.issue(session, cast.contoso, app, actor="ada", now=clock(), **wanted)

    return _issue


def whom(house: House, text: str, clock: Clock) -> tokens.Bearer | None:
    with house.db.reading() as session:
        return tokens.bearer(session, text, clock())


def test_a_token_lets_its_app_in_and_is_kept_as_a_digest_only(
    house: House, cast: Cast, clock: Clock, app: int, issue: Issue
) -> None:
    row, text = issue(scope=TokenScope.READ)
    assert text.startswith("prov_")
    assert len(text) == 48
    assert row.digest == hashlib.sha256(text.encode()).digest()
    found = whom(house, text, clock)
    assert found is not None
    assert (found.tenant_id, found.connector_id, found.scope) == (cast.contoso, app, TokenScope.READ)
    with house.db.reading() as session:
        told = repr([one.model_dump() for one in session.exec(select(EventDetail)).all()])
        assert text not in told
        assert row.hint in told


@pytest.mark.parametrize("text", ["", "prov_", "prov_" + "x" * 43, "x" * 5000, "prov_\u00e9", "Bearer prov_"])
def test_what_is_no_token_lets_nobody_in(house: House, clock: Clock, issue: Issue, text: str) -> None:
    issue()
    assert whom(house, text, clock) is None


def test_an_expired_one_lets_nobody_in(house: House, clock: Clock, issue: Issue) -> None:
    _, text = issue(days=1)
    clock.forward(hours=24)
    assert whom(house, text, clock) is None


def test_a_revoked_one_lets_nobody_in_from_the_next_request_on(
    house: House, cast: Cast, clock: Clock, app: int, issue: Issue
) -> None:
    row, text = issue()
    with house.db.writing() as session:
        tokens.revoke(session, cast.contoso, app, row.id or 0, "ada", clock())
    assert whom(house, text, clock) is None


def test_two_are_valid_while_a_client_changes_over_and_a_third_is_refused(clock: Clock, issue: Issue) -> None:
    issue(days=2)
    issue(days=30, token_bytes=lambda n: b"b" * n)
    with pytest.raises(Conflict) as raised:
        issue(token_bytes=lambda n: b"c" * n)
    assert raised.value.code == "token_two_already"
    clock.forward(days=3)
    issue(token_bytes=lambda n: b"d" * n)


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_a_life_of_no_day_or_more_than_a_year_is_refused(issue: Issue, days: int) -> None:
    with pytest.raises(Invalid):
        issue(days=days)


def test_an_app_that_is_asked_by_us_has_no_tokens(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        at = (session, house.vault, cast.contoso, house.kinds)
        row = connectors.add(*at, "microsoft365", "365", {"domain": "acme.com"}, None, "ada", clock())
        given = {"scope": TokenScope.WRITE, "days": 1, "actor": "ada", "now": clock(), "token_bytes": bytes}
        with pytest.raises(Conflict):
            tokens.issue(session, cast.contoso, row.id or 0, **given)  # type: ignore[arg-type]


def test_nobody_revokes_what_belongs_elsewhere(house: House, cast: Cast, clock: Clock, app: int, issue: Issue) -> None:
    row, text = issue()
    with house.db.writing() as session, pytest.raises(NotFound):
        tokens.revoke(session, cast.fabrikam, app, row.id or 0, "cy", clock())
    assert whom(house, text, clock) is not None


def test_use_is_noted_once_a_minute_at_most(house: House, clock: Clock, issue: Issue) -> None:
    row, text = issue()
    with house.db.writing() as session:
        tokens.touch(session, row.id or 0, clock())
    for seconds, stale in ((59, False), (1, True)):
        clock.forward(seconds=seconds)
        found = whom(house, text, clock)
        assert found is not None
        assert found.stale is stale


def test_one_word_says_how_a_token_stands(clock: Clock, issue: Issue) -> None:
    row, _ = issue(days=40)
    assert tokens.state(row, clock()) == "valid"
    assert tokens.state(row, clock() + timedelta(days=11)) == "expiring"
    assert tokens.state(row, clock() + timedelta(days=40)) == "expired"


def test_an_app_that_pushes_is_connected_once_it_was_looked_at(
    house: House, cast: Cast, clock: Clock, app: int
) -> None:
    found = connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", clock)
    assert found.outside_id.startswith("scim:")
    with house.db.reading() as session:
        row = session.exec(select(Connector).where(Connector.id == app)).one()
        assert connectors.connected(row)
    assert (
        connectors.check(house.db.writing, house.connect, cast.contoso, app, "ada", clock).outside_id == row.outside_id
    )
