"""Signing in and out as a browser sees it."""

import re
import secrets

import pytest
import sqlalchemy as sa

from provision.core.vocabulary import Role
from provision.house import House
from provision.services import operators
from tests.cast import Browser, Cast, Clock

PASSWORD = "seven herons cross the ford"


@pytest.fixture
def gil(house: House, cast: Cast, clock: Clock) -> str:
    with house.db.writing() as session:
        operators.add(session, "gil@contoso.example", Role.OWNER, cast.contoso, PASSWORD, clock())
    return "gil@contoso.example"


def test_A_1_signing_in_opens_the_console_with_its_navigation(browser: Browser, gil: str) -> None:
    page = browser.get("/signin?next=/t/contoso/users")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    form = {"csrf_token": token[1], "email": gil, "password": PASSWORD, "next": "/t/contoso/users"}
    answer = browser.client.post("/signin", data=form)
    assert (answer.status_code, answer.location) == (303, "/t/contoso/users")
    console = browser.get("/").location
    assert console == "/t/contoso/"
    navigation = browser.get(console).text.split('<nav aria-label="Main">')[1].split("</nav>")[0]
    for word in ("Apps", "Provisioning", "Users", "User List", "Reports", "Provisioning Report", "Import Users"):
        assert word in navigation


@pytest.mark.parametrize(
    "form",
    [
        {"email": "gil@contoso.example", "password": "wrong"},
        {"email": "nobody@contoso.example", "password": PASSWORD},
        {"email": "ada@contoso.example", "password": PASSWORD},
        {"email": "gil@contoso.example", "password": "x" * 4000},
        {"email": "gil@contoso.example'--", "password": PASSWORD},
    ],
)
def test_every_refusal_has_one_status_and_one_sentence(browser: Browser, gil: str, form: dict[str, str]) -> None:
    answer = browser.post("/signin", form)
    assert answer.status_code == 422
    assert "The email address and password do not fit, or there were too many tries just now." in answer.text
    assert PASSWORD not in answer.text


def test_being_made_to_wait_looks_like_any_refusal(browser: Browser, gil: str) -> None:
    told = {browser.post("/signin", {"email": gil, "password": "wrong"}).status_code for _ in range(3)}
    waiting = browser.post("/signin", {"email": gil, "password": PASSWORD})
    assert told | {waiting.status_code} == {422}
    assert "do not fit" in waiting.text


def test_an_empty_form_says_what_is_missing(browser: Browser, gil: str) -> None:
    answer = browser.post("/signin", {"email": "", "password": ""})
    assert answer.status_code == 422
    assert answer.text.count("Fill this in.") == 2


def test_what_was_typed_as_address_comes_back_and_is_harmless(browser: Browser, gil: str) -> None:
    answer = browser.post("/signin", {"email": '"><script>alert(1)</script>', "password": "x"})
    assert "<script>alert(1)" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_the_session_has_a_new_id_and_the_form_a_new_token_after_signing_in(browser: Browser, gil: str) -> None:
    with browser.client.session_transaction() as session:
        session["id"] = fixed = secrets.token_hex(32)
        session["csrf_token"] = "2" * 40
    browser.post("/signin", {"email": gil, "password": PASSWORD})
    with browser.client.session_transaction() as session:
        assert session["id"] != fixed
        assert session.get("csrf_token") != "2" * 40


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(browser: Browser, gil: str, target: str) -> None:
    assert browser.post("/signin", {"email": gil, "password": PASSWORD, "next": target}).location == "/"


def test_who_is_signed_in_does_not_see_the_form(ada: Browser) -> None:
    assert ada.get("/signin?next=/t/contoso/reports").location == "/t/contoso/reports"


def test_signing_out_ends_the_session_and_says_so(ada: Browser) -> None:
    answer = ada.post("/signout")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "You are signed out." in ada.get(answer.location).text
    assert ada.get("/t/contoso/users").status_code == 303
    assert ada.post("/signout").status_code == 303


def test_signing_out_needs_a_post(ada: Browser) -> None:
    assert ada.get("/signout").status_code == 405


@pytest.fixture
def link(house: House, cast: Cast, clock: Clock) -> str:
    with house.db.writing() as session:
        return operators.invite(session, cast.ada, secrets.token_bytes(32), clock())


def test_the_first_owners_link_leaves_the_address_and_sets_the_password(browser: Browser, link: str) -> None:
    answer = browser.get(f"/first/{link}")
    assert (answer.status_code, answer.location) == (303, "/first")
    page = browser.get("/first")
    assert "ada@contoso.example" in page.text
    assert link not in page.text
    done = browser.post("/first", {"password": PASSWORD, "again": PASSWORD})
    assert (done.status_code, done.location) == (303, "/")
    assert browser.get("/t/contoso/users").status_code == 200


def test_opening_the_link_twenty_times_spends_nothing(browser: Browser, link: str) -> None:
    for _ in range(20):
        browser.get(f"/first/{link}")
        browser.client.head(f"/first/{link}")
        browser.get("/first")
    assert browser.post("/first", {"password": PASSWORD, "again": PASSWORD}).status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("short", "short", "at least 15 characters"),
        ("passwordpassword", "passwordpassword", "common words"),
        (PASSWORD, "something else", "is not what was entered first"),
        ("", "", "Fill this in."),
        ("contoso-ada-contoso", "contoso-ada-contoso", "common words"),
    ],
)
def test_a_password_that_is_not_taken_says_why_at_its_field(
    browser: Browser, link: str, password: str, again: str, sentence: str
) -> None:
    browser.get(f"/first/{link}")
    answer = browser.post("/first", {"password": password, "again": again})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize("token", ["nonsense", "0" * 64, "%00", "<b>"])
def test_a_link_of_nobodys_making_says_so(browser: Browser, cast: Cast, token: str) -> None:
    browser.get(f"/first/{token}")
    answer = browser.get("/first")
    assert answer.status_code == 404
    assert "This link does not work" in answer.text


def test_without_a_link_there_is_no_page(browser: Browser) -> None:
    assert browser.get("/first").status_code == 404
    assert browser.post("/first", {"password": PASSWORD, "again": PASSWORD}).status_code == 404


def test_an_operator_without_any_tenant_is_told(house: House, browser: Browser, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        session.execute(sa.text("DELETE FROM grants"))
        token = operators.start(session, cast.ada, secrets.token_bytes(32), clock())
    page = browser.sign_in(token).get("/")
    assert page.status_code == 200
    assert "You have no organisation yet" in page.text


@pytest.mark.parametrize("field", ["email", "password", "next", "other"])
def test_a_form_that_no_browser_sends_is_refused_in_words(browser: Browser, gil: str, field: str) -> None:
    answer = browser.post("/signin", {"email": gil, "password": PASSWORD, field: "a\x00b"})
    assert answer.status_code == 400
    assert "What you do" in answer.text
