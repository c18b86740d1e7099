"""Who may enter: marks on routes, sessions in browsers, tenants in addresses."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask, g
from sqlmodel import select
from werkzeug.test import TestResponse

from provision.core.tables import SignInSession
from provision.core.vocabulary import Role
from provision.house import House
from provision.services import operators
from provision.services.errors import NotFound
from provision.web import guard
from tests.cast import Browser, Cast, Clock

Enter = Callable[[int], Browser]


def test_every_route_says_whom_it_admits(app: Flask) -> None:
    guard.verify(app)


def test_an_application_with_an_unmarked_route_does_not_start(app: Flask) -> None:
    app.add_url_rule("/open", "open", lambda: "")
    with pytest.raises(RuntimeError, match="open says to nobody"):
        guard.verify(app)


def test_a_role_without_a_tenant_in_the_address_does_not_start(app: Flask) -> None:
    app.add_url_rule("/role", "role", guard.may(Role.OWNER)(lambda: ""))
    with pytest.raises(RuntimeError, match="names no tenant"):
        guard.verify(app)


def test_an_unmarked_route_is_closed_even_so(app: Flask, enter: Enter, cast: Cast) -> None:
    app.add_url_rule("/open", "open", lambda: "let in")
    app.add_url_rule("/role", "role", guard.may(Role.AUDITOR)(lambda: "let in"))
    browser = enter(cast.ada)
    assert browser.get("/open").status_code == 403
    assert browser.get("/role").status_code == 403


def test_who_is_not_signed_in_is_sent_to_the_form_and_back(browser: Browser, cast: Cast) -> None:
    answer = browser.get("/t/contoso/users?q=ann&sort=-name")
    assert answer.status_code == 303
    assert answer.location == "/signin?next=/t/contoso/users?q%3Dann%26sort%3D-name"
    assert "no-store" in answer.headers["Cache-Control"]


def test_htmx_is_sent_there_whole(browser: Browser, cast: Cast) -> None:
    answer = browser.get("/t/contoso/users", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/signin")


def test_someone_elses_tenant_and_one_that_is_not_there_look_the_same(enter: Enter, cast: Cast) -> None:
    browser = enter(cast.cy)
    theirs, nobodys = browser.get("/t/contoso/users"), browser.get("/t/nowhere/users")
    assert theirs.status_code == nobodys.status_code == 404

    def _told(answer: TestResponse, slug: str) -> str:
        return answer.text.replace(answer.headers["X-Request-Id"], "#").replace(slug, "#")

    assert _told(theirs, "contoso") == _told(nobodys, "nowhere")
    assert "Contoso" not in theirs.text


def test_the_tenant_menu_names_only_ones_own(enter: Enter, cast: Cast) -> None:
    assert "Fabrikam" not in enter(cast.ada).get("/t/contoso/users").text


def test_a_forged_and_an_ended_session_admit_nobody(app: Flask, enter: Enter, cast: Cast) -> None:
    assert Browser(app).sign_in(secrets.token_hex(32)).get("/t/contoso/users").status_code == 303
    browser = enter(cast.ada)
    with browser.client.session_transaction() as session:
        stolen = session["id"]
    assert browser.post("/signout").status_code == 303
    assert Browser(app).sign_in(stolen).get("/t/contoso/users").status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "....", "eyJpZCI6MX0.x.y", "%00" * 10])
def test_a_cookie_of_nobodys_making_is_no_cookie(browser: Browser, cast: Cast, cookie: str) -> None:
    browser.client.set_cookie("session", cookie)
    assert browser.get("/t/contoso/users").status_code == 303


def test_a_session_that_holds_no_text_is_no_session(browser: Browser, cast: Cast) -> None:
    with browser.client.session_transaction() as session:
        session["id"] = ["a", 1]
    assert browser.get("/t/contoso/users").status_code == 303


def test_being_seen_is_written_at_most_once_a_minute(house: House, enter: Enter, cast: Cast, clock: Clock) -> None:
    browser = enter(cast.ada)
    began = clock()

    def _seen_after(seconds: float) -> datetime:
        clock.forward(seconds=seconds)
        browser.get("/t/contoso/users")
        with house.db.reading() as session:
            return session.exec(select(SignInSession.seen_at)).one()

    assert _seen_after(30) == began
    assert _seen_after(31) == clock()


def test_a_page_of_someone_who_idled_too_long_asks_to_sign_in(enter: Enter, cast: Cast, clock: Clock) -> None:
    browser = enter(cast.ada)
    clock.forward(minutes=31)
    assert browser.get("/t/contoso/users").status_code == 303


def test_an_archived_tenant_is_not_there(house: House, enter: Enter, cast: Cast, clock: Clock) -> None:
    browser = enter(cast.ada)
    with house.db.writing() as session:
        session.execute(sa.text("UPDATE tenants SET archived_at = :now WHERE slug = 'contoso'"), {"now": str(clock())})
    assert browser.get("/t/contoso/users").status_code == 404


def test_a_callback_steps_into_its_tenant_only_for_those_who_may(
    app: Flask, house: House, cast: Cast, clock: Clock
) -> None:
    with house.db.writing() as session:
        token = operators.start(session, cast.ben, secrets.token_bytes(32), clock())
    with app.test_request_context("/"), house.db.reading() as session:
        day = timedelta(days=1)
        g.standing = operators.standing(session, token, clock(), operators.Limits(day, day))
        guard.enter(cast.contoso, Role.OPERATOR)
        assert (g.tenant.slug, g.role) == ("contoso", Role.OPERATOR)
        with pytest.raises(NotFound):
            guard.enter(cast.fabrikam)
