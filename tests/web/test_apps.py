"""Apps: adding one, connecting it by consent, and what is said when the outside refuses. On the real sandbox."""

import re
from html import unescape
from io import BytesIO

import pytest

from provision.core.tables import Connector
from provision.house import House
from provision.services import connectors
from tests import office
from tests.cast import Browser, Cast

NEW = {"kind": "microsoft365", "app_name": "Office 365", "domain": office.DOMAIN, "cloud": "sandbox"}
BACK = "/connect/microsoft365/callback"
NOBODY = "99999999-2222-4333-8444-555555555555"


@pytest.fixture
def o365(house: House, cast: Cast) -> int:
    return office.added(house, cast.contoso)


def _rows(house: House, cast: Cast) -> list[Connector]:
    with house.db.reading() as session:
        return connectors.of(session, cast.contoso)


def _state(browser: Browser, app: int) -> str:
    """Begin a consent as the button does, and take the state from where the browser is sent."""
    page = browser.post(f"/t/contoso/apps/{app}/consent")
    assert page.status_code == 200, page.text
    return str(re.search(r"state=([\w-]+)", unescape(page.text))[1])  # type: ignore[index]


# -- The list and a new app --------------------------------------------------------------------------------------------------


def test_A_2_the_empty_list_leads_to_adding_office_365(ada: Browser) -> None:
    shown = ada.get("/t/contoso/apps")
    assert "No app yet" in shown.text
    assert "Add Office 365 / Azure AD" in shown.text


def test_A_2_an_existing_app_is_listed_and_can_be_edited(ada: Browser, o365: int) -> None:
    shown = ada.get("/t/contoso/apps")
    assert "Not connected yet" in shown.text
    assert f"/t/contoso/apps/{o365}" in shown.text


def test_A_3_a_new_app_says_which_step_may_be_skipped(ada: Browser) -> None:
    shown = unescape(ada.get("/t/contoso/apps/new?kind=microsoft365").text)
    assert "You may skip “Configure Microsoft Online Services”" in shown
    assert "until all users are imported from Office 365" in shown


def test_A_4_the_form_is_drawn_from_the_settings_of_the_kind(ada: Browser, house: House) -> None:
    shown = unescape(ada.get("/t/contoso/apps/new?kind=microsoft365").text)
    for name, field in house.kinds["microsoft365"].config.model_fields.items():
        assert f'name="{name}"' in shown
        assert str(field.title) in shown
    assert "Like acme.com or acme.onmicrosoft.com" in shown


def test_adding_an_app_reads_nothing_and_opens_its_page(ada: Browser, house: House, cast: Cast) -> None:
    answer = ada.post("/t/contoso/apps", NEW)
    (row,) = _rows(house, cast)
    assert (answer.status_code, answer.location) == (303, f"/t/contoso/apps/{row.id}")
    assert not any(row.features.values())


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("nobody.example", "No tenant in this cloud has the domain nobody.example"),
        ("not a domain", "That is not a domain name"),
        ("https://acme.com/", "That is a web address"),
        ("jane@acme.com", "That is an e-mail address"),
        ("", "domain"),
    ],
)
def test_A_4_a_domain_that_is_wrong_or_unknown_is_refused_with_the_reason(
    ada: Browser, house: House, cast: Cast, domain: str, says: str
) -> None:
    answer = ada.post("/t/contoso/apps", {**NEW, "domain": domain})
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert "Traceback" not in answer.text
    assert _rows(house, cast) == []


def test_markup_in_a_name_is_shown_as_text(ada: Browser) -> None:
    answer = ada.post("/t/contoso/apps", {**NEW, "app_name": "<script>alert(1)</script>"})
    shown = ada.get(answer.location)
    assert "<script>alert(1)" not in shown.text
    assert "&lt;script&gt;alert(1)" in shown.text


# -- One app -----------------------------------------------------------------------------------------------------------------


def test_P_1_and_P_2_the_page_shows_seats_domains_and_directory_sync(ada: Browser, house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    shown = unescape(ada.get(f"/t/contoso/apps/{app}").text)
    assert "Microsoft 365 Business Premium" in shown
    assert re.search(r"\d+ free", shown)
    assert "No free seat" in shown
    assert re.search(r"Directory sync is on for \d+ people", shown)
    assert "skerry.example is federated" in shown


def test_the_permission_doctor_says_what_fails_without_each(ada: Browser, house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    shown = unescape(ada.get(f"/t/contoso/apps/{app}").text)
    for right in office.of(house, cast.contoso, app).facts["rights"]:
        assert right["why"] in shown
        assert right["state"] == "granted" or right["without"] in shown


def test_checking_again_connects_when_consent_is_there(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    house.sandbox().grant_consent()
    answer = ada.post(f"/t/contoso/apps/{o365}/check", follow_redirects=True)
    assert "Connected to Fjordvik Shipping AS" in answer.text
    assert connectors.connected(office.of(house, cast.contoso, o365))


def test_an_expired_secret_is_explained_and_stops_nothing_else(ada: Browser, house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso, on=("import",))
    house.sandbox().expire_secrets()
    answer = ada.post(f"/t/contoso/apps/{app}/check", follow_redirects=True)
    assert "Make a new client secret in Entra" in answer.text
    assert "What we found in your tenant" in answer.text
    assert office.of(house, cast.contoso, app).features["import"]


def test_A_8_saving_keeps_the_name(ada: Browser, house: House, cast: Cast, o365: int) -> None:
    answer = ada.post(f"/t/contoso/apps/{o365}", {"app_name": "M365", "domain": office.DOMAIN, "cloud": "sandbox"})
    assert (answer.status_code, office.of(house, cast.contoso, o365).name) == (303, "M365")


def test_saving_an_unknown_domain_changes_nothing(ada: Browser, house: House, cast: Cast) -> None:
    app = office.connected(house, cast.contoso)
    before = office.of(house, cast.contoso, app)
    answer = ada.post(f"/t/contoso/apps/{app}", {"app_name": "M365", "domain": "nobody.example", "cloud": "sandbox"})
    assert answer.status_code == 422
    assert 'value="nobody.example"' in answer.text
    assert office.of(house, cast.contoso, app) == before


@pytest.mark.parametrize(("act", "state"), [("pause", "paused"), ("resume", "active")])
def test_an_app_is_paused_and_resumed(ada: Browser, house: House, cast: Cast, o365: int, act: str, state: str) -> None:
    ada.post(f"/t/contoso/apps/{o365}/{act}")
    assert office.of(house, cast.contoso, o365).state == state


# -- Secrets -----------------------------------------------------------------------------------------------------------------


def test_a_secret_is_write_only(ada: Browser, house: House, cast: Cast) -> None:
    app = office.added(house, cast.contoso, client_id=NOBODY)
    answer = ada.post(f"/t/contoso/apps/{app}/secret", {"credential_text": "hunter2~hunter2"}, follow_redirects=True)
    shown = unescape(ada.get(f"/t/contoso/apps/{app}").text)
    assert "hunter2" not in answer.text + shown
    assert "It cannot be shown again" in shown
    assert connectors.notes(office.of(house, cast.contoso, app))["secret"]["fingerprint"] in shown


@pytest.mark.parametrize("way", ["upload", "paste"])
def test_a_certificate_is_uploaded_or_pasted(ada: Browser, house: House, cast: Cast, way: str) -> None:
    app = office.added(house, cast.contoso, client_id=NOBODY, credential="certificate")
    pem = office.pem()
    form = {"file": (BytesIO(pem), "a.pem")} if way == "upload" else {"credential_text": pem.decode()}
    assert ada.post(f"/t/contoso/apps/{app}/secret", form, content_type="multipart/form-data").status_code == 303
    sealed = connectors.open_secret(house.vault, office.of(house, cast.contoso, app))
    assert b"BEGIN CERTIFICATE" in (sealed or b"")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (office.pem(key=False).decode(), "private key"),
        ("nonsense", "no certificate that can be read"),
        ("", "no certificate that can be read"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused_at_its_field(
    ada: Browser, house: House, cast: Cast, text: str, says: str
) -> None:
    app = office.added(house, cast.contoso, client_id=NOBODY, credential="certificate")
    answer = ada.post(f"/t/contoso/apps/{app}/secret", {"credential_text": text})
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert office.of(house, cast.contoso, app).secret is None


# -- Consent -----------------------------------------------------------------------------------------------------------------


def test_A_5_the_button_leads_to_microsofts_page_in_its_own_window(ada: Browser, house: House, o365: int) -> None:
    assert 'target="_blank"' in ada.get(f"/t/contoso/apps/{o365}").text
    out = ada.post(f"/t/contoso/apps/{o365}/consent")
    url = unescape(str(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', out.text)[1]))  # type: ignore[index]
    assert "/adminconsent?" in url
    there = ada.get(url)
    assert there.status_code == 200
    assert "Accept" in there.text


def test_A_6_the_federated_domain_note_is_shown_on_the_way_out(ada: Browser, o365: int) -> None:
    for page in (ada.get(f"/t/contoso/apps/{o365}"), ada.post(f"/t/contoso/apps/{o365}/consent")):
        assert "Global Admin on" in page.text
        assert "onmicrosoft.com" in page.text


def test_beginning_a_consent_needs_a_post(ada: Browser, o365: int) -> None:
    assert ada.get(f"/t/contoso/apps/{o365}/consent").status_code == 405


def test_A_7_after_accepting_the_page_says_who_when_and_which_tenant(ada: Browser, house: House, o365: int) -> None:
    state, tenant = _state(ada, o365), house.sandbox().credentials()["tenant"]
    house.sandbox().grant_consent()
    answer = ada.get(BACK, query_string={"admin_consent": "True", "tenant": tenant, "state": state})
    assert (answer.status_code, answer.location) == (303, f"/t/contoso/apps/{o365}")
    shown = unescape(ada.get(answer.location).text)
    assert "Granted in the window that ada@contoso.example opened" in shown
    assert tenant in shown
    assert "matches fjordvik.example" in shown


def test_A_7_the_page_left_open_shows_the_whole_of_it_when_one_comes_back_to_it(
    ada: Browser, house: House, cast: Cast, o365: int
) -> None:
    here = unescape(str(re.search(r'id="consent" hx-get="([^"]+)"', ada.get(f"/t/contoso/apps/{o365}").text)[1]))  # type: ignore[index]
    part = ada.get(here, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<li id="consent"')  # nothing has happened yet
    house.sandbox().grant_consent()
    connectors.check(house.db.writing, house.connect, cast.contoso, o365, "ada", house.now)
    anew = ada.get(here, headers={"HX-Request": "true"})
    assert (anew.status_code, anew.headers["HX-Redirect"]) == (204, f"/t/contoso/apps/{o365}")
    assert ada.get(here).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"error": "access_denied"}, 403, "Consent was declined"),
        ({"error": "consent_required", "error_description": "AADSTS90094: <b>no</b>"}, 403, "Only an administrator"),
        ({"tenant": NOBODY}, 409, "Another tenant consented"),
        ({"tenant": "../../etc"}, 422, "That was no answer to our question"),
        ({"admin_consent": "False"}, 422, "That was no answer to our question"),
    ],
)
def test_A_7_a_refusal_is_explained_and_changes_nothing(
    ada: Browser, house: House, cast: Cast, o365: int, change: dict[str, str], status: int, says: str
) -> None:
    state = _state(ada, o365)
    house.sandbox().grant_consent()
    good = {"admin_consent": "True", "tenant": house.sandbox().credentials()["tenant"], "state": state}
    answer = ada.get(BACK, query_string={**good, **change})
    assert answer.status_code == status
    assert says in unescape(answer.text)
    assert "<b>no</b>" not in answer.text
    assert office.of(house, cast.contoso, o365).outside_id is None
    assert ada.get(BACK, query_string=good).status_code == 400


@pytest.mark.parametrize("state", ["", "forged", "A" * 43])
def test_a_forged_return_is_one_sentence(ada: Browser, house: House, state: str) -> None:
    answer = ada.get(BACK, query_string={"admin_consent": "True", "tenant": NOBODY, "state": state})
    assert answer.status_code == 400
    assert "not begun here" in answer.text
    assert "Traceback" not in answer.text


def test_a_return_in_somebody_elses_browser_is_refused(
    enter, ada: Browser, house: House, cast: Cast, o365: int
) -> None:
    state, tenant = _state(ada, o365), house.sandbox().credentials()["tenant"]
    house.sandbox().grant_consent()
    good = {"admin_consent": "True", "tenant": tenant, "state": state}
    assert enter(cast.cy).get(BACK, query_string=good).status_code == 400
    assert office.of(house, cast.contoso, o365).outside_id is None


def test_a_return_without_a_session_asks_to_sign_in(browser: Browser) -> None:
    answer = browser.get(BACK, query_string={"state": "x"})
    assert answer.status_code == 303
    assert "/signin" in answer.location


def test_while_the_consent_spreads_the_page_asks_again_by_itself(
    ada: Browser, house: House, cast: Cast, clock, o365: int
) -> None:
    state, tenant = _state(ada, o365), house.sandbox().credentials()["tenant"]
    house.sandbox().faults.turn(consent_delay=30.0)
    house.sandbox().grant_consent()
    ada.get(BACK, query_string={"admin_consent": "True", "tenant": tenant, "state": state})
    shown = ada.get(f"/t/contoso/apps/{o365}").text
    assert "every 2s" in shown
    assert "Ask now" in shown
    part = ada.post(f"/t/contoso/apps/{o365}/consent/look", headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<li id="consent"')
    assert "every 2s" in part.text
    clock.forward(seconds=31)
    last = ada.post(f"/t/contoso/apps/{o365}/consent/look", headers={"HX-Request": "true"})
    assert (last.status_code, last.headers["HX-Redirect"]) == (204, f"/t/contoso/apps/{o365}")
    assert "every 2s" not in ada.get(f"/t/contoso/apps/{o365}").text


# -- Whose app it is ---------------------------------------------------------------------------------------------------------


def test_cy_sees_nothing_of_it(enter, cast: Cast, o365: int) -> None:
    cy = enter(cast.cy)
    assert cy.get(f"/t/contoso/apps/{o365}").status_code == 404
    assert cy.get(f"/t/fabrikam/apps/{o365}").status_code == 404
    assert cy.post(f"/t/fabrikam/apps/{o365}/pause").status_code == 404


def test_an_auditor_reads_and_an_operator_checks_but_neither_changes(enter, cast: Cast, o365: int) -> None:
    dee, ben = enter(cast.dee), enter(cast.ben)
    assert dee.get(f"/t/contoso/apps/{o365}").status_code == 200
    assert dee.post(f"/t/contoso/apps/{o365}/check").status_code == 403
    assert ben.post(f"/t/contoso/apps/{o365}/check").status_code == 303
    for path in ("", "/secret", "/secret/remove", "/consent", "/pause", "/resume"):
        assert ben.post(f"/t/contoso/apps/{o365}{path}").status_code == 403


# -- Several kinds ----------------------------------------------------------------------------------------------------------


def test_a_new_app_begins_with_the_choice_of_its_kind(ada: Browser, house: House) -> None:
    shown = unescape(ada.get("/t/contoso/apps/new").text)
    for kind, spec in house.kinds.items():
        assert f"kind={kind}" in shown
        assert spec.label in shown
        assert spec.about in shown


def test_a_kind_that_does_not_consent_shows_no_notes_of_one_that_does(ada: Browser, house: House) -> None:
    shown = unescape(ada.get("/t/contoso/apps/new?kind=scim").text)
    for name, field in house.kinds["scim"].config.model_fields.items():
        assert f'name="{name}"' in shown
        assert str(field.title) in shown
    assert 'name="credential_text" type="password"' in shown
    for word in ("Microsoft", "Office 365", "Global Admin", "federat", "licence", "onsent"):
        assert word not in shown.partition("<main")[2], word


SCIM = {"kind": "scim", "app_name": "Payroll", "base_url": "https://nowhere.invalid/scim/v2"}


def test_the_secret_of_a_new_app_is_sealed_and_never_shown(ada: Browser, house: House, cast: Cast) -> None:
    answer = ada.post("/t/contoso/apps", {**SCIM, "credential_text": "Quiet-Token-41"})
    assert answer.status_code == 303
    (row,) = _rows(house, cast)
    assert "Quiet" not in repr(row.config)
    assert connectors.open_secret(house.vault, row)
    shown = unescape(ada.get(answer.location).text)
    assert "Quiet-Token" not in shown
    assert "Test Connection" in shown
    assert "nowhere.invalid cannot be reached" in shown


def test_a_new_app_without_its_secret_is_refused_at_the_field(ada: Browser, house: House, cast: Cast) -> None:
    answer = ada.post("/t/contoso/apps", {**SCIM, "credential_text": " "})
    assert answer.status_code == 422
    assert 'id="f-credential_text-err"' in answer.text
    assert _rows(house, cast) == []


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "https://127.0.0.1:1/", "https://[::1]:1"])
def test_an_app_that_leads_inside_is_told_so_and_connects_to_nothing(ada: Browser, url: str) -> None:
    answer = ada.post("/t/contoso/apps", {**SCIM, "base_url": url, "credential_text": "x"})
    assert "is not a public address" in unescape(ada.get(answer.location).text)


def test_a_base_url_that_is_none_is_refused_at_its_field(ada: Browser) -> None:
    answer = ada.post("/t/contoso/apps", {**SCIM, "base_url": "<b>not</b>", "credential_text": "x"})
    assert answer.status_code == 422
    assert 'id="f-base_url-err"' in answer.text
    assert "<b>not" not in answer.text


def test_another_server_asks_for_the_secret_at_its_field_and_takes_it_there(
    ada: Browser, house: House, cast: Cast
) -> None:
    page = ada.post("/t/contoso/apps", {**SCIM, "credential_text": "Quiet-Token-41"}).location
    assert "secret_again" not in ada.get(page).text
    moved = {**SCIM, "base_url": "https://elsewhere.invalid/scim/v2"}
    answer = ada.post(page, moved)
    assert answer.status_code == 422
    shown = unescape(answer.text)
    assert 'id="f-secret_again-err"' in shown
    assert 'value="https://elsewhere.invalid/scim/v2"' in shown
    assert "shown to another server, https://elsewhere.invalid." in shown
    assert _rows(house, cast)[0].config["base_url"] == SCIM["base_url"]
    assert 'id="f-secret_again-err"' in ada.post(page, {**moved, "secret_again": "two words"}).text
    assert ada.post(page, {**moved, "secret_again": "Loud-Token-42"}).status_code == 303
    (row,) = _rows(house, cast)
    assert row.config["base_url"] == moved["base_url"]
    assert "Loud-Token-42" in str(connectors.open_secret(house.vault, row))


def test_pages_of_no_kind_in_particular_speak_of_none(ada: Browser) -> None:
    for path in ("", "/bin"):
        shown = unescape(ada.get(f"/t/contoso{path}").text).partition("<main")[2]
        assert "365" not in shown, path
    shown = unescape(ada.get("/t/contoso/apps").text).partition("<main")[2]
    assert "Connect an application: its people can then be imported here." in shown
