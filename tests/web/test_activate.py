"""The page of a link, asked as browsers, scanners and other people's sites ask."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import SQLModel
from werkzeug.test import TestResponse

from provision.core.onboarding import LANGUAGES
from provision.core.tables import Activation, User
from provision.core.vocabulary import Kind
from provision.factory import create_app
from provision.house import House
from provision.services import activation
from tests import populate
from tests.cast import Browser, Cast, Clock
from tests.lobby import GOOD, OTHER, Lobby


@pytest.fixture
def lobby(house: House, cast: Cast, clock: Clock) -> Lobby:
    return Lobby(house, cast.contoso, clock)


@pytest.fixture
def app(house: House) -> Flask:
    app = create_app(house=house)
    app.testing = True
    app.config["ACTIVATION_FLOOR"] = 0.0
    return app


class Visitor(Browser):
    """Somebody who followed a link and is not signed in anywhere."""

    def follow(self, token: str, **more: Any) -> TestResponse:
        arrived = self.get(f"/activate/{token}")
        assert (arrived.status_code, arrived.location) == (303, "/activate")
        return self.get("/activate", **more)

    def set(self, password: str = GOOD, again: str | None = None, **more: Any) -> TestResponse:
        page = self.get("/activate").text
        form = {"proof": proof_in(page), "password": password, "again": password if again is None else again}
        return self.client.post("/activate", data=form, **more)


def proof_in(page: str) -> str:
    found = re.search(r'name="proof" value="([0-9a-f]+)"', page)
    return found[1] if found else ""


@pytest.fixture
def visit(app: Flask) -> Callable[[], Visitor]:
    return lambda: Visitor(app)


def test_the_token_leaves_the_address_at_once(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    _, token = lobby.hire()
    arrived = visit().get(f"/activate/{token}")
    assert (arrived.status_code, arrived.location) == (303, "/activate")
    assert token not in arrived.text
    (cookie,) = arrived.headers.getlist("Set-Cookie")
    assert cookie.startswith("act=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"} <= set(cookie.split("; "))


def test_over_https_the_cookie_is_bound_to_this_host(lobby: Lobby, house: House) -> None:
    _, token = lobby.hire()
    secure = house.settings.changed(public_url="https://provision.example")
    object.__setattr__(house, "settings", secure)
    client = create_app(house=house).test_client()
    arrived = client.get(f"https://provision.example/activate/{token}")
    (cookie,) = arrived.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-act=")
    assert "Secure" in cookie
    page = client.get("https://provision.example/activate")
    form = {"proof": proof_in(page.text), "password": GOOD, "again": GOOD}
    sent = {"Origin": "null", "Host": "provision.example"}
    done = client.post("https://provision.example/activate", data=form, headers=sent)
    assert (done.status_code, done.location) == (303, "/activate/done")
    assert [forgets(answer) for answer in (arrived, done)] == [False, True]


def test_over_https_a_browser_that_was_shown_a_pass_forgets_the_link(lobby: Lobby, house: House) -> None:
    lobby.choose(access_pass=True)
    _, token = lobby.hire()
    object.__setattr__(house, "settings", house.settings.changed(public_url="https://provision.example"))
    client = create_app(house=house).test_client()
    client.get(f"https://provision.example/activate/{token}")
    page = client.get("https://provision.example/activate")
    shown = client.post("https://provision.example/activate/handed", data={"proof": proof_in(page.text)})
    assert shown.status_code == 200
    assert forgets(shown)


def forgets(answer: Any) -> bool:
    """Whether a browser forgets the link by it: over https only what is Secure may touch this cookie."""
    told = [set(one.split("; ")) for one in answer.headers.getlist("Set-Cookie") if one.startswith("__Host-act=")]
    return any({"__Host-act=", "Max-Age=0", "Secure", "Path=/"} <= one for one in told)


def test_the_page_shows_whose_link_it_is_and_masks_them(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire(email="priya.venkataraman@fjordvik.example")
    page = visit().follow(token)
    assert page.status_code == 200
    assert "p••••.v••••@fjordvik.example" in page.text
    assert "Contoso" in page.text
    for secret in (token, "venkataraman", str(user.display_name), str(user.private_email)):
        assert secret not in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_only_another_application_takes_the_password_nobody_reads_of_microsoft(
    house: House, cast: Cast, clock: Clock, visit: Callable[[], Visitor], language: str
) -> None:
    taking = {"kind": Kind.SCIM, "config": {"base_url": "https://payroll.example/scim", "passwords": True}}
    with house.db.writing() as session:
        app = populate.app(session, cast.contoso, clock(), "Payroll", **taking)
        jane = populate.person(
            session, cast.contoso, clock(), "Jane", private_email="j@home.example", preferred_language=language
        )
        populate.account(session, app, jane, clock(), anchor="2819")
        (made,) = activation.issue(
            session, cast.contoso, [jane.id or 0], "ada", clock(), vault=house.vault, kinds=house.kinds
        )
        token = activation.link(session, house.vault, "", made.activation_id or 0).removeprefix("/activate/")
    page = visit().follow(token)
    assert page.status_code == 200
    assert f'<html lang="{language}' in page.text
    assert "Payroll" in page.text
    assert "Microsoft" not in page.text


def test_a_whole_way_from_the_mail_to_the_password(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    done = visitor.set()
    assert (done.status_code, done.location) == (303, "/activate/done")
    page = visitor.get("/activate/done")
    assert "Your password is set" in page.text
    assert 'href="/sandbox/signin"' in page.text
    assert lobby.signs_in(user, GOOD)
    assert visitor.get("/activate").status_code == 404, "the browser has forgotten the link"


def twin(app: Flask, visitor: Visitor) -> Visitor:
    """The same browser, sending once more what it had before the first answer came."""
    other = Visitor(app)
    cookie = visitor.client.get_cookie("act")
    assert cookie is not None
    other.client.set_cookie("act", cookie.value)
    return other


def test_a_form_that_a_browser_sends_twice_ends_on_the_page_that_says_so(
    lobby: Lobby, app: Flask, visit: Callable[[], Visitor]
) -> None:
    user, token = lobby.hire()
    visitor = visit()
    form = {"proof": proof_in(visitor.follow(token).text), "password": GOOD, "again": GOOD}
    second, stranger = twin(app, visitor), visit()
    strange = {"proof": proof_in(stranger.follow(token).text), "password": OTHER, "again": OTHER}
    assert visitor.client.post("/activate", data=form).location == "/activate/done"
    answer = second.client.post("/activate", data={**form, "password": OTHER, "again": OTHER})
    assert (answer.status_code, answer.location) == (303, "/activate/done")
    page = second.get("/activate/done").text
    assert "Your password is set" in page
    assert "the password that came first is set" in page
    assert 'href="/sandbox/signin"' in page
    assert lobby.signs_in(user, GOOD)
    assert stranger.client.post("/activate", data=strange).status_code == 404, "to another browser it is over"


def test_who_lost_the_answer_and_comes_back_reads_that_the_password_is_set(
    lobby: Lobby, app: Flask, visit: Callable[[], Visitor]
) -> None:
    _, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    lost = twin(app, visitor)
    visitor.set()
    assert lost.get("/activate").location == "/activate/done"
    assert "You can sign in with it from now on." in lost.get("/activate/done").text
    assert visit().follow(token).status_code == 404
    assert lost.client.get_cookie("act") is None, "the browser has forgotten the link"


SCANNERS: dict[str, dict[str, str]] = {
    "plain": {},
    "prerender": {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "older prefetch": {"Purpose": "prefetch", "X-Moz": "prefetch"},
    "mail gateway": {"User-Agent": "Mozilla/5.0 (compatible; link scanner)", "Accept": "*/*", "Range": "bytes=0-1023"},
    "says it posts": {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST", "Content-Length": "0"},
    "revalidates": {"If-None-Match": "*", "If-Modified-Since": "Mon, 23 Nov 2026 09:00:00 GMT"},
}
"""What opens links before people do: browsers that fetch ahead, and programs that look into mails."""


@pytest.mark.parametrize("headers", SCANNERS.values(), ids=list(SCANNERS))
def test_twenty_gets_and_heads_change_nothing_and_then_the_link_works(
    lobby: Lobby, visit: Callable[[], Visitor], house: House, headers: dict[str, str]
) -> None:
    user, token = lobby.hire()

    def dump() -> dict[str, list[Any]]:
        with house.db.reading() as session:
            return {name: list(session.execute(table.select())) for name, table in SQLModel.metadata.tables.items()}

    before, seen = dump(), set[tuple[str, int, int]]()
    for number in range(20):
        scanner = visit()
        here = {"headers": headers, "environ_overrides": {"REMOTE_ADDR": f"198.51.100.{number}"}}
        for method in ("get", "head", "options"):
            ask = getattr(scanner.client, method)
            seen.add((method, ask(f"/activate/{token}", **here).status_code, ask("/activate", **here).status_code))
        lobby.clock.forward(seconds=1)
    assert seen == {("get", 303, 200), ("head", 303, 200), ("options", 200, 200)}
    assert dump() == before
    person = visit()
    person.follow(token)
    assert person.set().location == "/activate/done"
    assert lobby.signs_in(user, GOOD)


def test_unknown_used_expired_and_revoked_links_get_one_page(
    lobby: Lobby, visit: Callable[[], Visitor], house: House
) -> None:
    used, expired, revoked = (lobby.hire(number) for number in range(3))
    person = visit()
    person.follow(used[1])
    person.set()
    with house.db.writing() as session:
        past = lobby.clock() - timedelta(seconds=1)
        session.execute(sa.update(Activation).where(Activation.user_id == expired[0].id).values(expires_at=past))  # type: ignore[arg-type]
        session.execute(sa.update(Activation).where(Activation.user_id == revoked[0].id).values(revoked_at=past))  # type: ignore[arg-type]
    pages = set()
    for token in (used[1], expired[1], revoked[1], "x" * 43, "short"):
        page = visit().follow(token)
        assert page.status_code == 404
        pages.add(re.sub(r'value="[0-9a-f]{64}"', "", page.text))
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        ("short", None, "It needs 15 characters or more."),
        ("", None, "It needs 15 characters or more."),
        ("x" * 10_000, None, "A password has at most 256 characters."),
        (GOOD, "something else", "Enter the same password twice."),
        ("Loud-River-52\n-Ladder", None, "Microsoft takes the letters A to Z"),
        ("Loud-River-52-🦊-Ladder", None, "Microsoft takes the letters A to Z"),
        ("Password-Password-1", None, "common words"),
        ("loud river ladder field", None, "three of these"),
        ("Nordlysfestivalen-24", None, "Microsoft refused the password"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_the_link_lives(
    lobby: Lobby, visit: Callable[[], Visitor], password: str, again: str | None, said: str
) -> None:
    _, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    refused = visitor.set(password, again)
    assert refused.status_code == 422
    assert said in refused.text
    field = "again" if again else "password"
    assert f'id="f-{field}-err"' in refused.text
    assert 'aria-invalid="true"' in refused.text
    assert "<title>Error: Set your password" in refused.text
    assert len(password) < 6 or password not in refused.text
    assert visitor.set().location == "/activate/done"


def test_the_persons_own_name_is_refused(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    _, token = lobby.hire(surname="Thorvaldsen")
    visitor = visit()
    visitor.follow(token)
    assert "must not hold your name" in visitor.set("thorvaldsen-Runs-52-miles").text


def test_graph_being_away_says_so_and_the_link_lives(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    _, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    lobby.strike("status", "/v1.0/users/*", times=None, status=503, code="x", message="away")
    away = visitor.set()
    assert away.status_code == 503
    assert "Try again in a few minutes" in away.text
    lobby.sandbox.faults.clear()
    assert visitor.set().location == "/activate/done"


def test_typing_is_judged_and_nothing_is_sent_or_written(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire()
    visitor = visit()
    page = visitor.follow(token)
    before = lobby.row(user)
    form = {"proof": proof_in(page.text), "password": GOOD, "again": ""}
    part = visitor.client.post("/activate/look", data=form, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert part.text.strip().startswith('<div id="rules">')
    assert part.text.count('class="yes"') == 5
    assert "<meter" in part.text
    assert GOOD not in part.text
    assert lobby.row(user) == before


def test_another_site_cannot_post_for_the_person(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    user, token = lobby.hire()
    visitor = visit()
    page = visitor.follow(token)
    form = {"password": GOOD, "again": GOOD}
    good = {**form, "proof": proof_in(page.text)}
    tries = [
        visitor.client.post("/activate", data=form),
        visitor.client.post("/activate", data={**form, "proof": "0" * 64}),
        visitor.client.post("/activate", data={**form, "proof": "ä"}),
        visitor.client.post("/activate", data=good, headers={"Sec-Fetch-Site": "cross-site"}),
        visitor.client.post("/activate", data=good, headers={"Sec-Fetch-Site": "same-site"}),
        visitor.client.post("/activate", data=good, headers={"Origin": "https://evil.example"}),
        visit().client.post("/activate", data=good),
    ]
    assert [answer.status_code for answer in tries] == [403] * 7
    assert lobby.row(user).used_at is None
    other = visit()
    other.follow(lobby.hire(1)[1])
    assert other.client.post("/activate", data=good).status_code == 403, "another link's form"


def test_the_form_works_without_a_referrer(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    """What no-referrer makes of a form: older browsers then send Origin: null and nothing else."""
    _, token = lobby.hire()
    visitor = visit()
    visitor.follow(token)
    assert visitor.set(headers={"Origin": "null"}).location == "/activate/done"


def test_the_answers_keep_the_link_to_themselves(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    _, token = lobby.hire()
    visitor = visit()
    for page in (visitor.get(f"/activate/{token}"), visitor.get("/activate"), visit().get("/activate")):
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert not re.search(r'(src|href)="https?://', page.text)


@pytest.mark.parametrize(
    ("language", "heading"),
    [
        ("en", "Set your password"),
        ("de-AT", "Legen Sie Ihr Passwort fest"),
        ("fr", "Définissez votre mot de passe"),
        ("es", "Establezca su contraseña"),
        ("pt-BR", "Defina a sua senha"),
        ("hi", "अपना पासवर्ड सेट करें"),
        ("sv", "Set your password"),
    ],
)
def test_the_page_speaks_the_persons_language(
    lobby: Lobby, visit: Callable[[], Visitor], language: str, heading: str
) -> None:
    _, token = lobby.hire(preferred_language=language)
    visitor = visit()
    page = visitor.follow(token, headers={"Accept-Language": "en"})
    assert f"<h1>{heading}</h1>" in page.text
    assert visitor.set("short").status_code == 422
    assert visitor.set().location == "/activate/done"
    spoken = "en" if language == "sv" else language[:2]
    assert f'lang="{spoken}' in visitor.get("/activate/done").text


def test_the_page_of_a_dead_link_speaks_the_browsers_language(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    lobby.hire(preferred_language="de")
    page = visit().follow("unknown", headers={"Accept-Language": "fr-CH, en;q=0.5"})
    assert 'lang="fr"' in page.text
    assert "Ce lien ne fonctionne plus" in page.text


def test_a_new_link_can_be_asked_for_and_the_answer_tells_nothing(
    lobby: Lobby, visit: Callable[[], Visitor], house: House
) -> None:
    user, token = lobby.hire()
    lobby.clock.forward(hours=73)
    answers = set()
    for each in (token, "unknown"):
        visitor = visit()
        page = visitor.follow(each)
        asked = visitor.client.post("/activate/again", data={"proof": proof_in(page.text)})
        answers.add((asked.status_code, asked.location, visitor.get("/activate/asked").text))
    assert len(answers) == 1
    fresh = lobby.row(user)
    assert (fresh.created_by, fresh.created_at, fresh.used_at) == ("self-service", lobby.clock(), None)


def test_a_used_link_brings_a_new_one_only_where_people_may_ask_themselves(
    lobby: Lobby, visit: Callable[[], Visitor]
) -> None:
    user, token = lobby.hire()
    lobby.redeem(token)
    used = lobby.row(user).id
    visitor = visit()
    page = visitor.follow(token)
    form = {"proof": proof_in(page.text)}
    visitor.client.post("/activate/again", data=form)
    assert lobby.row(user).id == used
    lobby.choose(self_service=True)
    visitor.client.post("/activate/again", data=form)
    assert lobby.row(user).id != used


def test_a_pass_is_shown_once(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    lobby.choose(access_pass=True)
    _, token = lobby.hire()
    visitor = visit()
    page = visitor.follow(token)
    assert "Get your access pass" in page.text
    assert 'type="password"' not in page.text
    shown = visitor.client.post("/activate/handed", data={"proof": proof_in(page.text)})
    found = re.search(r"<code>(.+?)</code>", shown.text)
    assert found is not None
    assert shown.headers["Cache-Control"] == "no-store"
    assert visitor.follow(token).status_code == 404


def test_a_pass_that_was_clicked_for_twice_is_shown_in_the_answer_that_the_browser_shows(
    lobby: Lobby, app: Flask, visit: Callable[[], Visitor]
) -> None:
    lobby.choose(access_pass=True)
    _, token = lobby.hire()
    visitor = visit()
    form = {"proof": proof_in(visitor.follow(token).text)}
    second = twin(app, visitor)
    first = re.search(r"<code>(.+?)</code>", visitor.client.post("/activate/handed", data=form).text)
    assert "Show my pass" in second.get("/activate").text, "who reloads may ask for it, and nothing is spent by looking"
    last = re.search(r"<code>(.+?)</code>", second.client.post("/activate/handed", data=form).text)
    assert first is not None
    assert last is not None
    assert first[1] != last[1]


def test_too_many_posts_from_one_address_have_to_wait(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    visitor = visit()
    page = visitor.follow("unknown")
    form = {"proof": proof_in(page.text), "password": GOOD, "again": GOOD}
    found = [visitor.client.post("/activate", data=form).status_code for _ in range(12)]
    assert found == [404] * 10 + [429] * 2
    last = visitor.client.post("/activate", data=form)
    assert last.headers["Retry-After"] == "60"


def test_nobody_escapes_a_limit_by_naming_another_address(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    visitor = visit()
    form = {"proof": proof_in(visitor.follow("unknown").text), "password": GOOD, "again": GOOD}
    found = []
    for number in range(11):
        named = {"X-Forwarded-For": f"198.51.100.{number}"}
        found.append(visitor.client.post("/activate", data=form, headers=named).status_code)
    assert found[-1] == 429


def test_behind_a_trusted_proxy_everybody_counts_alone(lobby: Lobby, house: House) -> None:
    object.__setattr__(house, "settings", house.settings.changed(trusted_proxies=1))
    app = create_app(house=house)
    app.config["ACTIVATION_FLOOR"] = 0.0
    visitor = Visitor(app)
    form = {"proof": proof_in(visitor.follow("unknown").text), "password": GOOD, "again": GOOD}
    for number in range(11):
        named = {"X-Forwarded-For": f"198.51.100.{number}"}
        assert visitor.client.post("/activate", data=form, headers=named).status_code == 404


def test_hostile_values_are_text(lobby: Lobby, visit: Callable[[], Visitor], house: House) -> None:
    evil = '"><img src=x onerror=alert(1)>{{7*7919}}'
    lobby.choose(organisation=evil)
    with house.db.writing() as session:
        session.execute(sa.update(User).values(display_name=evil))
    _, token = lobby.hire()
    page = visit().follow(token)
    assert "<img" not in page.text
    assert "55433" not in re.sub(r'value="[0-9a-f]{64}"', "", page.text)


def test_the_page_is_light(lobby: Lobby, visit: Callable[[], Visitor]) -> None:
    """All that a phone loads for it, uncompressed."""
    _, token = lobby.hire()
    visitor = visit()
    page = visitor.follow(token)
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    assert len(files) == 3
    assert len(page.data) + sum(len(visitor.get(file).data) for file in files) < 30_000


# -- People ask themselves ----------------------------------------------------------------------------------------------


def test_where_people_may_not_ask_themselves_there_is_no_page(lobby: Lobby, browser: Browser) -> None:
    assert browser.get("/password/contoso").status_code == 404
    assert browser.get("/password/nobody").status_code == 404
    assert browser.post("/password/contoso", {"address": "x"}).status_code == 404


def test_asking_sends_a_link_to_who_is_there_and_tells_everybody_the_same(lobby: Lobby, browser: Browser) -> None:
    lobby.choose(self_service=True)
    user = lobby.person()
    answers = set()
    for address in (str(user.email).upper(), "nobody@fjordvik.example", "", "x" * 5_000, "a\0b", "🦊"):
        asked = browser.post("/password/contoso", {"address": address})
        if "\0" in address:
            assert asked.status_code == 400
            continue
        answers.add((asked.status_code, asked.location, browser.get(asked.location).text))
    assert len(answers) == 1
    assert lobby.row(user).created_by == "self-service"
