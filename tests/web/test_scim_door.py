"""The door of /scim/v2: a token, https, a pace, a scope, bounds; and every refusal in SCIM's own shape."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlmodel import select
from werkzeug.test import TestResponse

from provision.core.tables import Token
from provision.core.vocabulary import ConnectorState, TokenScope
from provision.house import House
from provision.services import tokens
from provision.web import scim_entry
from tests.cast import Browser, Cast, Clock
from tests.web.scim import BULK, GROUP, MEDIA, PATCH, USER, Pusher


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


def refused(answer: TestResponse, status: int) -> str:
    """The refusal's sentence, once it has SCIM's shape."""
    assert answer.status_code == status, answer.text
    assert answer.content_type.startswith("application/scim+json")
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert answer.json["status"] == str(status)
    return str(answer.json["detail"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer prov_nonsense", "Basic YWRhOmFkYQ==", "Bearer \u00e9"])
def test_without_a_valid_token_nobody_comes_in(okta: Pusher, header: str) -> None:
    for path in ("/Users", "/ServiceProviderConfig", "/nowhere"):
        answer = okta.get(path, headers={"Authorization": header})
        refused(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_and_a_revoked_token_open_nothing_from_the_next_request_on(
    okta: Pusher, house: House, clock: Clock
) -> None:
    assert okta.get("/Users").status_code == 200
    with house.db.writing() as session:
        row = session.exec(select(Token)).one()
        tokens.revoke(session, okta.tenant, okta.connector, row.id or 0, "ada", clock())
    refused(okta.get("/Users"), 401)
    okta.token = okta.issue(days=1)
    clock.forward(days=1)
    refused(okta.get("/Users"), 401)


def test_a_signed_in_browser_is_nobody_here(ada: Browser, okta: Pusher) -> None:
    assert ada.get("/scim/v2/Users").status_code == 401


def test_a_token_opens_nothing_of_the_console(okta: Pusher) -> None:
    answer = okta.http.get("/t/contoso/users", headers={"Authorization": f"Bearer {okta.token}"})
    assert answer.status_code == 303


def test_a_token_that_only_reads_changes_nothing(okta: Pusher) -> None:
    number = okta.hire("jane.doe")
    okta.token = okta.issue(TokenScope.READ)
    assert okta.get(f"/Users/{number}").status_code == 200
    assert (
        okta.post("/Users/.search", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}).status_code
        == 200
    )
    body = {"schemas": [USER], "userName": "x@there.example"}
    refused(okta.post("/Users", body), 403)
    refused(okta.ask("PUT", f"/Users/{number}", body), 403)
    refused(okta.patch(f"/Users/{number}", {"op": "remove", "path": "title"}), 403)
    refused(okta.ask("DELETE", f"/Users/{number}"), 403)
    sent = okta.post("/Bulk", {"schemas": [BULK], "Operations": [{"method": "DELETE", "path": f"/Users/{number}"}]})
    assert [one["status"] for one in sent.json["Operations"]] == ["403"]


def test_more_than_the_pace_is_told_to_wait(app: Flask, okta: Pusher) -> None:
    at = 0.0
    app.extensions[scim_entry.LIMITS] = scim_entry.Limits(rate=25, burst=3, clock=lambda: at)
    assert [okta.get("/Users").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = okta.get("/Users")
    refused(answer, 429)
    assert answer.headers["Retry-After"] == "1"
    at += 0.04
    assert okta.get("/Users").status_code == 200


def test_use_is_noted_once_a_minute(okta: Pusher, house: House, clock: Clock) -> None:
    def used() -> Any:
        with house.db.reading() as session:
            return session.exec(select(Token.used_at)).one()

    first = clock()
    okta.get("/Users")
    clock.forward(seconds=59)
    okta.get("/Users")
    assert used() == first
    clock.forward(seconds=1)
    okta.get("/Users")
    assert used() == clock()


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "status"),
    [
        ("127.0.0.1", None, 0, 200),
        ("10.0.0.7", None, 0, 403),
        ("10.0.0.7", "https", 0, 403),
        ("10.0.0.7", "https", 1, 200),
        ("127.0.0.1", "http", 1, 403),
        ("127.0.0.1", "http", 0, 200),
    ],
)
def test_plain_http_is_taken_from_this_machine_only(
    okta: Pusher, house: House, remote: str, forwarded: str | None, proxies: int, status: int
) -> None:
    object.__setattr__(house, "settings", house.settings.model_copy(update={"trusted_proxies": proxies}))
    headers = {"X-Forwarded-Proto": forwarded} if forwarded else {}
    answer = okta.get("/Users", headers=headers, environ_base={"REMOTE_ADDR": remote})
    assert answer.status_code == status


def test_while_the_app_is_paused_the_client_is_told_to_come_back(okta: Pusher) -> None:
    okta.connected(state=ConnectorState.PAUSED)
    answer = okta.post("/Users", {"schemas": [USER], "userName": "x@there.example"})
    refused(answer, 503)
    assert answer.headers["Retry-After"] == "60"


def test_no_other_site_and_no_other_host_gets_an_answer(okta: Pusher) -> None:
    refused(okta.get("/Users", headers={"Host": "evil.example"}), 400)
    refused(okta.post("/Users", {}, headers={"Origin": "https://evil.example"}), 403)
    answer = okta.get("/Users", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


# -- Bounds ----------------------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (json.dumps({"schemas": [USER]}).encode(), 400),
        (json.dumps({"schemas": ["urn:unknown"], "userName": "x"}).encode(), 400),
        (json.dumps({"schemas": [USER], "userName": "  "}).encode(), 400),
        (json.dumps({"schemas": [USER], "userName": "a\0b"}).encode(), 400),
        (b'{"schemas":["%s"],"userName":"\\ud800"}' % USER.encode(), 400),
        (json.dumps({"schemas": [USER], "userName": "x", "deep": nested(30)}).encode(), 400),
        (b"[" * 100_000, 400),
        (b"x" * (1024 * 1024 + 1), 413),
    ],
)
def test_a_body_that_cannot_be_meant_is_refused(okta: Pusher, body: bytes, status: int) -> None:
    refused(okta.ask("POST", "/Users", data=body, headers={"Content-Type": MEDIA}), status)


def test_a_form_or_a_page_is_no_resource(okta: Pusher) -> None:
    refused(okta.ask("POST", "/Users", data=b"<a/>", headers={"Content-Type": "text/html"}), 415)


def test_a_thousand_and_one_operations_are_too_many(okta: Pusher) -> None:
    number = okta.hire("jane.doe")
    many = [{"op": "replace", "path": "title", "value": str(each)} for each in range(1001)]
    refused(okta.patch(f"/Users/{number}", *many), 413)
    assert okta.patch(f"/Users/{number}", *many[:1000]).status_code == 204
    bulk = [{"method": "DELETE", "path": f"/Users/{each}"} for each in range(1001)]
    refused(okta.post("/Bulk", {"schemas": [BULK], "Operations": bulk}), 413)


@pytest.mark.parametrize(
    "asked",
    [
        "userName eq",
        'userName eq "x" and',
        "(" * 6 + 'userName eq "x"' + ")" * 6,
        "(" * 1000,
        'userName eq "' + "x" * 2048 + '"',
        'password eq "x"',
        'emails[value eq "x"',
        'nobody.knows eq "this"',
        'addresses.locality eq "x"',
        'userName eq "a\0b"',
        'userName eq "\\u0000"',
        "userName gt 7",
        'active gt "x"',
        'meta.created gt "yesterday"',
        "';DROP TABLE accounts;--",
        "not",
    ],
)
def test_a_filter_out_of_bounds_or_reason_is_refused(okta: Pusher, asked: str) -> None:
    okta.hire("jane.doe")
    assert refused(okta.get("/Users", query_string={"filter": asked}), 400)


def test_a_quotation_mark_or_a_bracket_inside_a_text_is_text(okta: Pusher) -> None:
    okta.hire("jane.doe", title='(((((((("[x]"')
    found = okta.get("/Users", query_string={"filter": 'title eq "((((((((\\"[x]\\""'}).json
    assert found["totalResults"] == 1


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "id", "value": "7"},
        {"op": "explode", "path": "title"},
        {"op": "replace", "path": "emails[", "value": "x"},
        {"op": "remove"},
        {"op": "replace", "path": "userName", "value": {"a": 1}},
        "text",
        None,
    ],
)
def test_a_patch_that_makes_no_sense_is_refused_and_changes_nothing(okta: Pusher, operation: Any) -> None:
    number = okta.hire("jane.doe")
    before = okta.get(f"/Users/{number}").json
    assert okta.patch(f"/Users/{number}", operation).status_code == 400
    assert okta.get(f"/Users/{number}").json == before


def test_a_patch_whose_last_operation_fails_changes_nothing(okta: Pusher) -> None:
    number = okta.hire("jane.doe")
    answer = okta.patch(
        f"/Users/{number}",
        {"op": "replace", "path": "title", "value": "Lead"},
        {"op": "replace", "path": 'emails[value co "x"].type', "value": "x"},
    )
    assert answer.status_code == 400
    assert "title" not in okta.get(f"/Users/{number}").json


@pytest.mark.parametrize("number", ["0", "-1", "999999", "1e3", "9" * 30, "%00", "..", "\u0661", "01"])
def test_an_id_of_nobody_is_not_found(okta: Pusher, number: str) -> None:
    okta.hire("jane.doe")
    refused(okta.get(f"/Users/{number}"), 404)
    refused(okta.ask("DELETE", f"/Users/{number}"), 404)


def test_what_is_not_there_and_what_is_not_done_has_its_own_status(okta: Pusher) -> None:
    refused(okta.get("/Nobodies"), 404)
    refused(okta.get("/Me"), 501)
    answer = okta.ask("DELETE", "/Users")
    refused(answer, 405)
    assert "POST" in answer.headers["Allow"]
    refused(okta.get("/Users?cursor=nonsense"), 400)


@pytest.mark.parametrize("query", ["count=-1", "count=0", "startIndex=-5", "startIndex=999999999", "count=10000"])
def test_a_page_beyond_the_end_or_too_long_is_bounded(okta: Pusher, query: str) -> None:
    okta.hire("jane.doe")
    answer = okta.get(f"/Users?{query}")
    assert answer.status_code == 200
    assert answer.json["totalResults"] == 1


def test_what_a_client_may_not_set_is_left_out(okta: Pusher) -> None:
    meta = {"created": "2001-01-01T00:00:00Z", "version": "x"}
    number = okta.hire(
        "jane.doe", id="7", meta=meta, roles=[{"value": "owner"}], groups=[{"value": "1"}], lifecycle="left"
    )
    shown = okta.get(f"/Users/{number}").json
    assert shown["id"] == number
    assert not shown["meta"]["created"].startswith("2001")
    assert not {"roles", "groups", "lifecycle"} & shown.keys()


def test_markup_and_line_breaks_come_back_as_they_came(okta: Pusher, ada: Browser) -> None:
    evil = "<script>alert(1)</script>\r\n=cmd|' /C calc'!A1\u202e"
    number = okta.hire("jane.doe", displayName=evil)
    assert okta.get(f"/Users/{number}").json["displayName"] == evil
    person = okta.person(number)
    assert "<script>alert" not in ada.get(f"/t/contoso/users/{person.id}").text
    group = okta.post("/Groups", {"schemas": [GROUP], "displayName": "a\u202eb"})
    refused(group, 400)


def test_a_fault_of_ours_is_told_in_scims_shape_without_its_cause(
    app: Flask, okta: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    app.testing = False
    monkeypatch.setattr("provision.services.scim.searching.search", broken)
    detail = refused(okta.get("/Users"), 500)
    assert "secret" not in detail


def test_the_token_is_never_logged(okta: Pusher, capfd: pytest.CaptureFixture[str]) -> None:
    okta.hire("jane.doe")
    okta.get("/Users?filter=" + 'userName eq "jane.doe@there.example"')
    out, err = capfd.readouterr()
    assert okta.token not in out + err
    assert "jane" not in out + err


def test_patch_schemas_are_needed(okta: Pusher) -> None:
    number = okta.hire("jane.doe")
    assert okta.ask("PATCH", f"/Users/{number}", {"Operations": []}).status_code == 400
    assert okta.ask("PATCH", f"/Users/{number}", {"schemas": [PATCH]}).status_code == 400
