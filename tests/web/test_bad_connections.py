"""All that can be wrong with an app, on its pages: a sentence of what happened, one of what to do, the status that fits, and
everything as it was. Each is tried on the real sandbox; what people type wrong about people is in ``test_bad_input``."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from provision.config import Settings
from provision.core.ports import Refused
from provision.core.remedies import explain
from provision.core.tables import Account, Mapping, Operation, User
from provision.factory import create_app, open_house
from provision.house import House
from provision.sandbox import PERMISSIONS, Fault
from provision.sandbox.graph.records import update_user
from provision.sandbox.store import body_of
from provision.services import connectors, operators
from tests import office
from tests.cast import Browser, Cast, Clock
from tests.web.mapping_form import drawn, posted, put

APPS = "/t/contoso/apps"
BACK = "/connect/microsoft365/callback"
NEW = {"kind": "microsoft365", "app_name": "Office 365", "domain": office.DOMAIN, "cloud": "sandbox"}
NOBODY = "99999999-2222-4333-8444-555555555555"


@pytest.fixture
def kept(house: House, cast: Cast) -> Callable[[], Any]:
    """All that must be as it was: people, accounts, mappings, operations, and what the apps are."""

    def _kept() -> Any:
        with house.db.reading() as session:
            rows = [
                [tuple(row) for row in session.execute(sa.select(table).order_by(table.c.id))]
                for table in (model.__table__ for model in (User, Account, Mapping, Operation))  # type: ignore[attr-defined]
            ]
            apps = connectors.of(session, cast.contoso)
            return rows, [
                (row.name, row.config, row.secret, row.outside_id, row.features, row.state, row.watermark)
                for row in apps
            ]

    return _kept


def told(page: str, code: str, **params: Any) -> None:
    """The page has both sentences of this remedy, and nothing that only a programmer reads."""
    remedy, words = explain(code, params), unescape(page)
    assert remedy.what in words
    assert remedy.do in words
    assert "Traceback" not in words
    assert "Error(" not in words


def _signed_in(house: House, operator: int, clock: Clock) -> Browser:
    """A browser in another house on the same database."""
    with house.db.writing() as session:
        token = operators.start(session, operator, bytes(32), clock())
    return Browser(create_app(house=house)).sign_in(token)


# -- While an app is added: nothing is stored --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "what", "do"),
    [
        ("not a domain", "That is not a domain name", "Enter one that your tenant has verified"),
        ("https://acme.com/", "That is a web address", "acme.com"),
        ("jane@acme.com", "That is an e-mail address", "acme.com"),
    ],
)
def test_a_malformed_domain(ada: Browser, kept: Callable[[], Any], domain: str, what: str, do: str) -> None:
    before = kept()
    answer = ada.post(APPS, {**NEW, "domain": domain})
    assert answer.status_code == 422
    said = unescape(answer.text[answer.text.index('id="f-domain-err"') :])
    assert what in said
    assert do in said
    assert kept() == before


def test_an_unknown_domain(ada: Browser, kept: Callable[[], Any]) -> None:
    before = kept()
    answer = ada.post(APPS, {**NEW, "domain": "nobody.example"})
    assert answer.status_code == 422
    told(answer.text, "tenant_unknown", domain="nobody.example")
    assert kept() == before


def test_a_tenant_in_another_cloud(house: House, cast: Cast, clock: Clock, kept: Callable[[], Any]) -> None:
    """The sandbox is one cloud, so the port says here what Microsoft would; how it finds out is tested beside it."""

    class Abroad:
        def locate(self) -> str:
            raise Refused("tenant_in_another_cloud", domain="acme.example", cloud="usgov")

        def consent_url(self, redirect_uri: str, state: str) -> str:
            raise AssertionError("nobody is sent to give a consent that cannot hold")

    before = kept()
    away = replace(house, connect=lambda _row: Abroad())  # type: ignore[arg-type, return-value]
    answer = _signed_in(away, cast.ada, clock).post(APPS, {**NEW, "domain": "acme.example"})
    assert answer.status_code == 422
    told(answer.text, "tenant_in_another_cloud", domain="acme.example", cloud="usgov")
    assert 'id="f-domain-err"' in answer.text
    assert kept() == before


def test_an_unreachable_login_host(
    house: House, settings: Settings, cast: Cast, clock: Clock, kept: Callable[[], Any]
) -> None:
    nowhere = settings.changed(custom_login_url="https://127.0.0.1:1", custom_graph_url="https://127.0.0.1:1")
    before, away = kept(), open_house(nowhere, now=clock)
    try:
        answer = _signed_in(away, cast.ada, clock).post(APPS, {**NEW, "cloud": "custom"})
    finally:
        away.db.close()
    assert answer.status_code == 502
    told(answer.text, "host_unreachable", host="127.0.0.1")
    assert kept() == before


def test_html_instead_of_json(ada: Browser, house: House, kept: Callable[[], Any]) -> None:
    before = kept()
    house.sandbox().faults.add(Fault("html", path="/*/openid-configuration", times=None))
    answer = ada.post(APPS, NEW)
    assert answer.status_code == 502
    assert "no answer that makes sense" in unescape(answer.text)
    assert explain("unexpected_reply", {"reason": ""}).do in unescape(answer.text)
    assert kept() == before


# -- A credential: the one that worked stays ---------------------------------------------------------------------------


def test_a_wrong_secret(ada: Browser, house: House, cast: Cast, kept: Callable[[], Any]) -> None:
    known = house.sandbox().credentials()
    app = office.added(house, cast.contoso, client_id=known["client_id"])
    ada.post(f"{APPS}/{app}/secret", {"credential_text": known["client_secret"]})
    house.sandbox().grant_consent()
    ada.post(f"{APPS}/{app}/check")
    before = kept()
    answer = ada.post(f"{APPS}/{app}/secret", {"credential_text": "quite-another-secret"})
    assert answer.status_code == 422
    told(answer.text, "secret_wrong")
    assert 'id="f-credential_text-err"' in answer.text
    assert kept() == before


def test_an_expired_secret(ada: Browser, house: House, cast: Cast, kept: Callable[[], Any]) -> None:
    app = office.imported(house, cast.contoso)
    before = kept()
    house.sandbox().expire_secrets()
    answer = ada.post(f"{APPS}/{app}/check", follow_redirects=True)
    told(answer.text, "secret_expired")
    assert kept() == before


def test_a_certificate_without_its_key(ada: Browser, house: House, cast: Cast, kept: Callable[[], Any]) -> None:
    app = office.added(house, cast.contoso, client_id=NOBODY, credential="certificate")
    before = kept()
    answer = ada.post(f"{APPS}/{app}/secret", {"credential_text": office.pem(key=False).decode()})
    assert answer.status_code == 422
    told(answer.text, "certificate_without_key")
    assert kept() == before


# -- Consent: nothing is connected -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"error": "consent_required", "error_description": "AADSTS65004: declined"}, 403, "consent_declined"),
        ({"tenant": NOBODY}, 409, "consent_other_organisation"),
        ({"state": "forged"}, 400, "consent_forged"),
    ],
    ids=["declined", "for_another_tenant", "forged"],
)
def test_a_consent_that_is_none(
    ada: Browser, house: House, cast: Cast, kept: Callable[[], Any], change: dict[str, str], status: int, code: str
) -> None:
    app = office.added(house, cast.contoso)
    page = unescape(ada.post(f"{APPS}/{app}/consent").text)
    state = str(re.search(r"state=([\w-]+)", page)[1])  # type: ignore[index]
    house.sandbox().grant_consent()
    before = kept()
    good = {"admin_consent": "True", "tenant": house.sandbox().credentials()["tenant"], "state": state}
    answer = ada.get(BACK, query_string={**good, **change})
    assert answer.status_code == status
    assert explain(code, {}).title in unescape(answer.text)
    assert "What you do" in answer.text
    assert kept() == before


def test_a_replayed_callback(ada: Browser, house: House, cast: Cast, kept: Callable[[], Any]) -> None:
    app = office.added(house, cast.contoso)
    page = unescape(ada.post(f"{APPS}/{app}/consent").text)
    state = str(re.search(r"state=([\w-]+)", page)[1])  # type: ignore[index]
    house.sandbox().grant_consent()
    good = {"admin_consent": "True", "tenant": house.sandbox().credentials()["tenant"], "state": state}
    assert ada.get(BACK, query_string=good).status_code == 303
    before = kept()
    answer = ada.get(BACK, query_string=good)
    assert answer.status_code == 400
    told(answer.text, "consent_forged")
    assert kept() == before


# -- An import: nobody is lost, and what is hostile stays text ---------------------------------------------------------


def test_a_missing_permission(ada: Browser, house: House, cast: Cast, kept: Callable[[], Any]) -> None:
    app = office.imported(house, cast.contoso)
    before = kept()
    house.sandbox().grant_consent([name for name in PERMISSIONS if not name.startswith("User.Read")])
    house.sandbox().expire_tokens()
    office.run(house, cast.contoso, app)
    answer = ada.get(f"/t/contoso/imports?app={app}")
    told(answer.text, "permission_missing", permission="User.Read.All")
    assert kept() == before


def test_a_directory_value_with_markup_and_a_newline(ada: Browser, house: House, cast: Cast) -> None:
    app, hostile = office.connected(house, cast.contoso, on=("import",)), "<img src=x onerror=alert(1)>\nNext: line"
    sandbox = house.sandbox()
    with sandbox.store.writing() as db:
        old = body_of(db.execute("SELECT body FROM users ORDER BY seq LIMIT 1 OFFSET 3").fetchone())
        update_user(db, old, {**old, "displayName": hostile, "surname": hostile}, sandbox.cloud.moment())
    office.run(house, cast.contoso, app)
    listed = ada.get("/t/contoso/users?q=onerror")
    assert listed.status_code == 200
    assert "<img src=x" not in listed.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in listed.text
    written = ada.get("/t/contoso/reports.csv?who=onerror").text
    assert all(line.startswith(("time,", "\ufefftime,", "2026-")) for line in written.split("\r\n") if line)


# -- A mapping: the rows stay ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "kind", "ours", "says"),
    [
        ("jobTitle", "expression", "lower(", "It ends where something is still missing"),
        ("mail", "expression", "lower(email)", "mail cannot be written"),
    ],
    ids=["an_expression_that_does_not_compile", "a_row_onto_a_read_only_property"],
)
def test_a_mapping_that_cannot_work(
    ada: Browser, house: House, cast: Cast, kept: Callable[[], Any], theirs: str, kind: str, ours: str, says: str
) -> None:
    office.imported(house, cast.contoso)
    before = kept()
    form = drawn(ada.get("/t/contoso/provisioning").text)
    form["do"] = "add"
    form = drawn(posted(ada, form).text)
    for name, value in (("theirs", theirs), ("shown", kind), ("ours", ours), ("direction", "out")):
        put(form, name, -1, value)
    form["do"] = "save"
    answer = posted(ada, form)
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert kept() == before
