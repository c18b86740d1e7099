"""OAuth client credentials: a token is issued for a client's secret, used, renewed when it is refused, and never told."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from provision.connectors import KINDS, Secret, World
from provision.connectors.scim import Scim
from provision.core.ports import OutsideError, Throttled, Unauthorised, Unreachable
from provision.core.vocabulary import Kind
from tests.connectors.scim.test_peers import HERE, carried, record
from tests.fakes.scim import TOKEN, Issuer, ScimServer, new

SECRET = "p:&ss w/rd+%"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def target(there: ScimServer, issuer: Issuer, seconds: list[float] | None = None, **more: Any) -> Scim:
    given = {"auth": "client_credentials", "token_url": issuer.url, "client_id": "acme:hr", **more}
    config = KINDS[Kind.SCIM].config.model_validate({"base_url": there.url, **given})
    world = World(clouds={}, reach=HERE, sleep=lambda _: None, clock=lambda: seconds[0] if seconds else 0.0)
    built = KINDS[Kind.SCIM].build(config, Secret(client_secret=SECRET), None, world)
    assert isinstance(built, Scim)
    return built


def test_one_token_serves_many_calls_and_the_secret_goes_to_the_issuer_alone(there: ScimServer, issuer: Issuer) -> None:
    one = target(there, issuer, oauth_scope="scim.write")
    for word in ("nora", "ola"):
        record(carried(one, new(word))[0])
    ((told, form),) = issuer.asked
    assert base64.b64decode(told.removeprefix("Basic ")).decode() == "acme%3Ahr:p%3A%26ss%20w%2Frd%2B%25"
    assert form == "grant_type=client_credentials&scope=scim.write"
    assert len(there.people()) == 2


def test_a_token_is_not_used_in_its_last_minute(there: ScimServer, issuer: Issuer) -> None:
    seconds = [0.0]
    one = target(there, issuer, seconds)
    issuer.lives = 300
    one.check()
    seconds[0] = 239.0
    one.check()
    assert len(issuer.asked) == 1
    seconds[0] = 241.0
    one.check()
    assert len(issuer.asked) == 2


def test_a_token_that_is_refused_is_renewed_once_and_nothing_is_made_twice(there: ScimServer, issuer: Issuer) -> None:
    issuer.token = "withdrawn"
    one = target(there, issuer, discovery="raw")
    with pytest.raises(Unauthorised):
        one.check()
    assert len(issuer.asked) == 2
    issuer.token = TOKEN
    record(carried(one, new())[0])
    assert (len(issuer.asked), len(there.people())) == (3, 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (("401 Unauthorized", [("Content-Type", "application/json")], b'{"error": "invalid_client"}'), Unauthorised),
        (("400 Bad Request", [("Content-Type", "application/json")], b'{"error": "invalid_scope"}'), Unauthorised),
        (("200 OK", [("Content-Type", "text/html")], b"<html>Sign in</html>"), Unreachable),
        (("200 OK", [("Content-Type", "application/json")], b'{"token_type": "Bearer"}'), Unreachable),
        (("200 OK", [("Content-Type", "application/json")], b'{"access_token": "a\\nb"}'), Unreachable),
        (("302 Found", [("Location", "http://127.0.0.1:1/")], b""), OutsideError),
    ],
    ids=["client", "scope", "page", "none", "unfit", "elsewhere"],
)
def test_without_a_token_nothing_is_sent_and_nothing_secret_is_told(
    there: ScimServer, issuer: Issuer, answer: Any, error: type[OutsideError]
) -> None:
    issuer.answers = [answer] * 9
    (outcome,) = carried(target(there, issuer, discovery="raw"), new())
    assert isinstance(outcome.error, error)
    assert SECRET not in repr((outcome.error, outcome.error.params))
    assert there.calls == []


def test_an_issuer_that_asks_to_wait_lets_the_app_rest(there: ScimServer, issuer: Issuer) -> None:
    issuer.answers = [("429 Too Many", [("Retry-After", "30")], b"")] * 9
    (outcome,) = carried(target(there, issuer, discovery="raw"), new())
    assert isinstance(outcome.error, Throttled)
    assert there.calls == []
