"""The tokens on an app's page: shown once to the owner who makes one, to nobody again, and gone when revoked."""

import re

import pytest
from sqlmodel import select

from provision.core.tables import Token
from provision.house import House
from provision.services import connectors, tokens
from tests.cast import Browser, Cast, Clock


@pytest.fixture
def app_id(house: House, cast: Cast, clock: Clock) -> int:
    with house.db.writing() as session:
        at = (session, house.vault, cast.contoso, house.kinds)
        return connectors.add(*at, "scim_source", "Okta", {}, None, "ada", clock()).id or 0


def kept(house: House) -> list[Token]:
    with house.db.reading() as session:
        return list(session.exec(select(Token)))


def test_the_page_says_where_the_client_goes_and_offers_a_token(ada: Browser, app_id: int) -> None:
    text = ada.get(f"/t/contoso/apps/{app_id}").text
    assert "http://127.0.0.1:8000/scim/v2" in text
    assert "Make a token" in text


def test_a_token_is_shown_in_the_answer_and_never_again(ada: Browser, house: House, clock: Clock, app_id: int) -> None:
    answer = ada.post(f"/t/contoso/apps/{app_id}/tokens", {"scope": "write", "days": "30"})
    (text,) = re.findall(r"prov_[\w-]{43}", answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    assert text not in str(answer.headers)
    with house.db.reading() as session:
        assert tokens.bearer(session, text, clock()) is not None
    again = ada.get(f"/t/contoso/apps/{app_id}").text
    assert text not in again
    assert text[:9] in again


def test_a_life_that_does_not_fit_is_said_at_its_field(ada: Browser, house: House, app_id: int) -> None:
    for days in ("0", "366", "soon"):
        answer = ada.post(f"/t/contoso/apps/{app_id}/tokens", {"scope": "write", "days": days})
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
    assert kept(house) == []


def test_revoking_is_said_and_lets_nobody_in(ada: Browser, house: House, app_id: int) -> None:
    ada.post(f"/t/contoso/apps/{app_id}/tokens", {"scope": "read", "days": "30"})
    (row,) = kept(house)
    answer = ada.post(f"/t/contoso/apps/{app_id}/tokens/{row.id}/revoke", follow_redirects=True)
    assert "is revoked" in answer.text
    (row,) = kept(house)
    assert row.revoked_at is not None


def test_a_third_token_is_refused_with_what_to_do(ada: Browser, house: House, app_id: int) -> None:
    for _ in range(2):
        ada.post(f"/t/contoso/apps/{app_id}/tokens", {"scope": "write", "days": "30"})
    answer = ada.post(f"/t/contoso/apps/{app_id}/tokens", {"scope": "write", "days": "30"})
    assert answer.status_code == 409
    assert "Revoke the one that is no longer used" in answer.text
    assert len(kept(house)) == 2
