"""The logo of an organisation: uploaded, refused, shown on public pages, served to be kept, carried by mails, removed."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlmodel import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from provision.core.logos import LARGEST, Logo
from provision.core.onboarding import OnboardingSettings
from provision.core.tables import Event
from provision.house import House
from provision.services import logos, settings
from tests import pictures
from tests.cast import Browser, Cast, Clock
from tests.lobby import Lobby

PAGE = "/t/contoso/settings"
PICTURE = pictures.png(400, 80)


def upload(browser: Browser, content: bytes = PICTURE, name: str = "logo.png", **more: Any) -> TestResponse:
    sent = FileStorage(io.BytesIO(content), name, content_type="image/png")
    given = {"csrf_token": browser.token(), "do": "keep", "in_mails": "on", "logo": sent, **more}
    boundary, body = encode_multipart({name: value for name, value in given.items() if value is not None})
    return browser.client.post(f"{PAGE}/logo", data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def kept(house: House, tenant_id: int) -> Logo | None:
    with house.db.reading() as session:
        return logos.of(session, tenant_id)


@pytest.fixture
def logo(house: House, cast: Cast, clock: Clock) -> Logo:
    with house.db.writing() as session:
        return logos.keep(session, cast.contoso, PICTURE, "ada", clock())


def test_a_picture_is_taken_and_shown_on_the_settings_page(house: House, cast: Cast, ada: Browser) -> None:
    assert upload(ada).status_code == 303
    found = kept(house, cast.contoso)
    assert found is not None
    assert (found.kind, found.width, found.height, found.in_mails) == ("png", 400, 80, True)
    page = ada.get(PAGE).text
    assert f'src="/logo/{found.digest}" width="200" height="40"' in page
    assert "PNG, 400 × 80 pixels" in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Choose a picture first."),
        (pictures.SVG, "A drawing (SVG) can carry a program"),
        (pictures.png() + b"\0" * LARGEST, "A logo takes up to 100 kB"),
        (pictures.png()[:-9], "begins like a picture, but is not whole"),
        (pictures.gif(3000, 40), "It is 3000 × 40 pixels; each side may be 16 to 2000."),
    ],
)
def test_what_cannot_be_a_logo_is_said_at_its_field_and_the_one_before_stays(
    house: House, cast: Cast, ada: Browser, logo: Logo, content: bytes, said: str
) -> None:
    answer = upload(ada, content, logo=FileStorage(io.BytesIO(content), "x.png") if content else None, in_mails="on")
    if not content:
        with house.db.writing() as session:
            logos.remove(session, cast.contoso, "ada", house.now())
        answer = upload(ada, logo=None)
    assert answer.status_code == 422
    assert said in answer.text
    assert kept(house, cast.contoso) == (logo if content else None)


def test_its_bytes_say_what_it_is_and_not_its_name(house: House, cast: Cast, ada: Browser) -> None:
    assert upload(ada, pictures.gif(), "logo.svg").status_code == 303
    found = kept(house, cast.contoso)
    assert found is not None
    assert ada.get(f"/logo/{found.digest}").headers["Content-Type"] == "image/gif"


def test_everybody_gets_it_by_its_digest_and_may_keep_it(browser: Browser, logo: Logo) -> None:
    answer = browser.get(f"/logo/{logo.digest}")
    assert (answer.status_code, answer.data) == (200, PICTURE)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("digest", ["0" * 64, "1", "x" * 64, "%27 OR 1=1"])
def test_what_is_no_digest_of_a_logo_is_not_there(browser: Browser, logo: Logo, digest: str) -> None:
    answer = browser.get(f"/logo/{digest}")
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_one_before_is_gone_after_another_took_its_place(browser: Browser, ada: Browser, logo: Logo) -> None:
    upload(ada, pictures.jpeg())
    assert browser.get(f"/logo/{logo.digest}").status_code == 404


def test_it_can_be_left_out_of_mails_without_a_new_upload(house: House, cast: Cast, ada: Browser, logo: Logo) -> None:
    assert upload(ada, logo=None, in_mails=None).status_code == 303
    found = kept(house, cast.contoso)
    assert (found and found.digest, found and found.in_mails) == (logo.digest, False)


def test_it_can_be_removed_and_is_written_down(house: House, cast: Cast, ada: Browser, logo: Logo) -> None:
    assert ada.post(f"{PAGE}/logo", {"do": "remove"}).status_code == 303
    assert kept(house, cast.contoso) is None
    with house.db.reading() as session:
        told = session.exec(select(Event.action).where(Event.tenant_id == cast.contoso)).all()
    assert told.count("settings.saved") == 2


def test_another_organisation_keeps_its_own(house: House, cast: Cast, ada: Browser, clock: Clock, logo: Logo) -> None:
    with house.db.writing() as session:
        theirs = logos.keep(session, cast.fabrikam, pictures.gif(), "cy", clock())
    ada.post(f"{PAGE}/logo", {"do": "remove"})
    assert (kept(house, cast.contoso), kept(house, cast.fabrikam)) == (None, theirs)
    assert ada.post("/t/fabrikam/settings/logo", {"do": "remove"}).status_code == 404
    assert kept(house, cast.fabrikam) == theirs


def test_only_an_owner_changes_it(enter: Callable[[int], Browser], cast: Cast, house: House, logo: Logo) -> None:
    ben = enter(cast.ben)
    assert "Remove the logo" not in ben.get(PAGE).text
    assert ben.post(f"{PAGE}/logo", {"do": "remove"}).status_code == 403
    assert kept(house, cast.contoso) == logo


def test_the_pages_of_a_link_show_it(app: Flask, house: House, cast: Cast, clock: Clock, logo: Logo) -> None:
    app.config["ACTIVATION_FLOOR"] = 0.0
    _, token = Lobby(house, cast.contoso, clock).hire()
    visitor = Browser(app)
    visitor.get(f"/activate/{token}")
    page = visitor.get("/activate").text
    assert f'<img class="seal" src="/logo/{logo.digest}" width="200" height="40" alt="Contoso">' in page
    assert logo.digest not in Browser(app).get("/activate").text


def test_the_page_to_ask_for_a_link_shows_it(app: Flask, house: House, cast: Cast, clock: Clock, logo: Logo) -> None:
    with house.db.writing() as session:
        settings.save_onboarding(session, cast.contoso, OnboardingSettings(self_service=True), "ada", clock())
    assert f'src="/logo/{logo.digest}"' in Browser(app).get("/password/contoso").text


def test_the_settings_page_names_the_address_where_people_ask(house: House, ada: Browser, cast: Cast) -> None:
    address = f"{house.settings.public_url}/password/contoso"
    assert address not in ada.get(PAGE).text
    with house.db.writing() as session:
        settings.save_onboarding(session, cast.contoso, OnboardingSettings(self_service=True), "ada", house.now())
    assert f'<a href="{address}">{address}</a>' in ada.get(PAGE).text


def test_a_square_one_stands_beside_the_name(house: House, cast: Cast, ada: Browser) -> None:
    upload(ada, pictures.png(64, 64))
    assert ada.get("/t/contoso/onboarding/preview").text.count("/logo/") == 1
    assert '<img class="l-logo"' in ada.get("/t/contoso/onboarding/preview").text
