"""What every answer carries, how parts and errors are answered, and where a browser is never sent."""

import re

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from provision.config import Settings
from provision.core.ports import Throttled, Unreachable
from provision.factory import create_app
from provision.house import House
from provision.services.errors import Conflict, Invalid, NotFound, ServiceError
from provision.web import defence, guard, page
from tests.cast import Browser, Cast

EVERYWHERE = ("/signin", "/t/contoso/users", "/static/app.css", "/nothing", "/healthz", "/t/contoso/users.csv")


@pytest.mark.parametrize("url", EVERYWHERE)
def test_every_answer_carries_the_policy(ada: Browser, url: str) -> None:
    headers = ada.get(url).headers
    for name, value in defence.HEADERS.items():
        assert headers[name] == value
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_an_unchanged_file_and_a_refused_method_carry_it_too(browser: Browser) -> None:
    tag = browser.get("/static/app.css").headers["ETag"]
    unchanged, refused = browser.get("/static/app.css", headers={"If-None-Match": tag}), browser.client.put("/signin")
    assert (unchanged.status_code, refused.status_code) == (304, 405)
    for answer in (unchanged, refused):
        assert answer.headers["Content-Security-Policy"] == defence.CSP


@pytest.mark.parametrize("url", ["/t/contoso/users", "/signin", "/t/contoso/users.csv", "/t/contoso/nothing"])
def test_pages_are_never_stored(ada: Browser, url: str) -> None:
    assert ada.get(url).headers["Cache-Control"] == "no-store"


def test_files_of_the_console_may_be_kept(browser: Browser) -> None:
    assert "max-age=3600" in browser.get("/static/app.css").headers["Cache-Control"]


def test_over_https_the_cookie_is_bound_to_the_host_and_the_browser_told_to_stay(
    settings: Settings, house: House
) -> None:
    secure = settings.changed(public_url="https://provision.example.com")
    app = create_app(house=House(**{**vars_of(house), "settings": secure}))
    answer = app.test_client().get("/signin", base_url="https://provision.example.com")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in cookie
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_on_loopback_the_cookie_needs_no_https(browser: Browser) -> None:
    answer = browser.get("/signin")
    assert answer.headers["Set-Cookie"].startswith("session=")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example:8000", "[2001:db8::1]"]
)
def test_another_host_is_refused(browser: Browser, host: str) -> None:
    answer = browser.get("/signin", headers={"Host": host})
    assert answer.status_code == 400
    assert host not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:9999", "[::1]:8000"])
def test_on_loopback_its_names_are_one(browser: Browser, host: str) -> None:
    assert browser.get("/signin", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_post_from_another_site_is_refused(ada: Browser, site: str) -> None:
    assert ada.post("/signout", headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_an_older_browser_is_judged_by_its_origin(ada: Browser, origin: str) -> None:
    assert ada.post("/signout", headers={"Origin": origin}).status_code == 403


def test_a_post_of_our_own_form_is_taken(ada: Browser) -> None:
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert ada.post("/signout", headers=ours).status_code == 303


def test_a_post_without_a_token_or_with_another_sessions_is_refused(ada: Browser, app: Flask) -> None:
    assert ada.client.post("/signout").status_code == 403
    assert ada.client.post("/signout", data={"csrf_token": "x"}).status_code == 403
    other = Browser(app)
    with other.client.session_transaction() as session:
        session["csrf_token"] = "1" * 40
    assert ada.client.post("/signout", data={"csrf_token": other.token()}).status_code == 403


def test_htmx_gets_the_part_and_everybody_else_the_page(ada: Browser) -> None:
    part = ada.get("/t/contoso/users", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert 'id="rows"' in part.text
    for more in (
        {},
        {"HX-Request": "true", "HX-Boosted": "true"},
        {"HX-Request": "true", "HX-History-Restore-Request": "true"},
    ):
        assert "<html" in ada.get("/t/contoso/users", headers=more).text
    assert "HX-Request" in part.headers["Vary"]


def test_after_a_post_htmx_is_told_where_to_go(ada: Browser) -> None:
    answer = ada.post("/signout", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/signin")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "evil", "", None,
        " /users", "/users /", "http:evil.example", "/%09/\x7f",
        "data:text/html,x", "/\r\nSet-Cookie:x", "\x00/", "/ /evil.example", "mailto:a@b.example",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(url: str | None) -> None:
    assert page.local(url, "/home") == "/home"


@pytest.mark.parametrize("url", ["/", "/t/contoso/users", "/t/contoso/users?q=a%20b&sort=-name", "/t/x/reports#top"])
def test_paths_of_our_own_are_kept(url: str) -> None:
    assert page.local(url, "/home") == url


@pytest.fixture
def faulty(house: House, cast: Cast) -> Browser:
    """An application with one more page, which raises whatever it is asked to."""
    app = create_app(house=house)
    errors: dict[str, Exception] = {
        "conflict": Conflict("user_not_unique", people="<b>two</b>"),
        "notfound": NotFound("user_not_found"),
        "invalid": Invalid({"email": "operator_email"}),
        "service": ServiceError("no_such_code_at_all"),
        "busy": OperationalError("SELECT 'secret value'", {}, Exception("database is locked")),
        "throttled": Throttled(12),
        "unreachable": Unreachable("timed_out", sent=True, host="graph.example"),
        "fault": ZeroDivisionError("a secret value"),
    }

    @guard.public
    def _raise(what: str) -> str:
        raise errors[what]

    app.add_url_rule("/raise/<what>", "raise", _raise)
    return Browser(app)


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("conflict", 409), ("notfound", 404), ("invalid", 422), ("service", 422), ("busy", 503), ("throttled", 503),
        ("unreachable", 502), ("fault", 500),
    ],
)  # fmt: skip
def test_every_error_becomes_one_page_with_a_number_and_no_stack(faulty: Browser, what: str, status: int) -> None:
    answer = faulty.get(f"/raise/{what}")
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"] in answer.text
    assert "What happened" in answer.text
    for leak in ("Traceback", "secret value", "SELECT", "ZeroDivision", "<b>two</b>", ".py"):
        assert leak not in answer.text
    assert answer.headers["Content-Security-Policy"] == defence.CSP


def test_an_unknown_code_is_told_honestly(faulty: Browser) -> None:
    assert "no_such_code_at_all" in faulty.get("/raise/service").text


def test_a_busy_database_says_when_to_come_again(faulty: Browser) -> None:
    assert faulty.get("/raise/busy").headers["Retry-After"] == "5"


def test_htmx_puts_an_error_where_a_page_belongs(faulty: Browser) -> None:
    assert faulty.get("/raise/conflict", headers={"HX-Request": "true"}).headers["HX-Retarget"] == "body"


def test_a_body_that_is_too_large_is_refused(browser: Browser) -> None:
    answer = browser.client.post("/signin", data={"email": "x" * 1_100_000})
    assert answer.status_code == 413


def test_a_wrong_method_names_the_right_ones(browser: Browser) -> None:
    answer = browser.client.delete("/t/contoso/users")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("number", ["9223372036854775808", "99999999999999999999999", "-1", "1.5", "x"])
def test_a_number_that_fits_no_row_names_nothing(ada: Browser, number: str) -> None:
    assert ada.get(f"/t/contoso/users/{number}").status_code == 404


def test_machines_are_told_that_all_is_well(browser: Browser) -> None:
    assert browser.get("/healthz", headers={"Host": "10.0.0.7"}).text == "ok\n"
    assert browser.get("/readyz").text == "ready\n"
    browser.get("/nothing-of-that-name")
    metrics = browser.get("/metrics").text
    assert 'provision_answers_total{method="GET",status="200"} 2' in metrics
    assert re.search(r"^provision_info\{version=\"[\d.]+\"\} 1$", metrics, re.MULTILINE)


def test_the_theme_is_remembered_and_only_the_two_are(browser: Browser) -> None:
    assert "theme=dark" in browser.post("/theme", {"theme": "dark", "next": "/signin"}).headers["Set-Cookie"]
    assert 'data-bs-theme="dark"' in browser.get("/signin").text
    answer = browser.post("/theme", {"theme": '"><script>', "next": "//evil.example"})
    assert answer.location == "/"
    assert "data-bs-theme" not in browser.get("/signin").text


def test_the_log_names_the_rule_and_never_the_address(
    house: House, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    browser.get("/first/0123456789abcdef-the-token")
    browser.get("/signin?next=/t/contoso/users?q=somebody")
    said = capsys.readouterr()
    assert "/first/<token>" in said.out + said.err
    for secret in ("the-token", "somebody"):
        assert secret not in said.out + said.err


def vars_of(house: House) -> dict[str, object]:
    return {name: getattr(house, name) for name in House.__dataclass_fields__}
