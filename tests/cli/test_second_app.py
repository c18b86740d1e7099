"""A second application beside Office 365, by command line alone; people are added here, or pushed in over HTTP."""

import threading
from collections.abc import Callable, Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx2
import pytest

from provision.factory import create_app
from tests.cli.conftest import Command
from tests.fakes.scim import TOKEN, USER, ScimServer
from tests.processes import PATIENCE


@pytest.fixture
def hub(connected: Command, there: ScimServer) -> Command:
    """Office 365 and a SCIM application, everything on and sent at once."""
    added = connected(
        "app", "add", "contoso", "scim", "--name", "Payroll", "--set", f"base_url={there.url}", "--secret-stdin",
        "--json", stdin=f"{TOKEN}\n",
    )  # fmt: skip
    assert added.status == 0, added.err
    for app in ("M365", "Payroll"):
        switched = connected(
            "app", "features", "contoso", app, "--import", "--create", "--edit", "--delete", "--approval", "automatic"
        )
        assert switched.status == 0, switched.err
        assert (
            connected("app", "settings", "contoso", app, "--hold", "0").status == 0
        )  # nobody here takes anything back
    return connected


def test_an_app_is_added_connected_and_shows_no_secret(hub: Command, there: ScimServer) -> None:
    rows = {row["name"]: row for row in hub("app", "list", "contoso", "--json").json}
    assert rows["Payroll"]["kind"] == "scim"
    assert TOKEN not in hub("app", "list", "contoso", "--json").out
    told = hub("app", "check", "contoso", "Payroll", "--json").json
    assert {line["name"]: line["state"] for line in told["permissions"]}["Small changes"] == "granted"
    assert there.url.removeprefix("http://") in told["name"]


def test_a_wrong_token_adds_nothing(connected: Command, there: ScimServer) -> None:
    ran = connected(
        "app", "add", "contoso", "scim", "--name", "Payroll", "--set", f"base_url={there.url}", "--secret-stdin",
        stdin="wrong\n",
    )  # fmt: skip
    assert ran.status == 1
    assert "token is wrong" in ran.err
    assert [row["name"] for row in connected("app", "list", "contoso", "--json").json] == ["M365"]


def test_an_address_inside_is_refused_unless_the_installation_allows_it(
    connected: Command, there: ScimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISION_PRIVATE_NETWORKS", "")
    ran = connected(
        "app", "add", "contoso", "scim", "--name", "Payroll", "--set", f"base_url={there.url}", "--secret-stdin",
        stdin=f"{TOKEN}\n",
    )  # fmt: skip
    assert ran.status == 1
    assert "internal network" in ran.err
    assert there.calls == []


def test_somebody_created_here_goes_to_both_is_changed_and_switched_off_in_both(
    hub: Command, there: ScimServer
) -> None:
    address = "nora@fjordvik.example"
    added = hub(
        "user", "add", "contoso", "--username", "nora", "--email", address, "--first", "Nora", "--last", "Newcomer",
        "--set", "department=Deck", "--json",
    )  # fmt: skip
    assert added.status == 0, added.err
    assert hub("work", "--until-idle", "--json").json["done"] == 2
    (row,) = there.named(address)
    assert row["name"] == {"givenName": "Nora", "familyName": "Newcomer"}
    hub("user", "edit", "contoso", "nora", "--set", "given_name=Eleonora")
    assert hub("work", "--until-idle", "--json").json["done"] == 2
    assert there.named(address)[0]["name"]["givenName"] == "Eleonora"
    hub("user", "disable", "contoso", "nora")
    hub("work", "--until-idle")
    assert there.named(address)[0]["active"] is False
    shown = hub("user", "show", "contoso", "nora", "--json").json
    assert [(account["enabled"], account["situation"]) for account in shown["accounts"]] == [(False, "linked")] * 2
    report = hub("report", "contoso", "--user", address, "--json").json
    assert {line["application"] for line in report if line["application"]} == {"M365", "Payroll"}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def push(hub: Command) -> Iterator[Callable[..., httpx2.Response]]:
    """A client at ``/scim/v2`` over HTTP, with the token that the command printed; nothing else runs beside it."""
    assert hub("app", "add", "contoso", "scim_source", "--name", "HR").status == 0
    assert hub("app", "features", "contoso", "HR", "--import").status == 0
    made = hub("app", "token", "contoso", "HR", "--json").json
    app = create_app()
    server = make_server("127.0.0.1", 0, app, server_class=_Threads, handler_class=_Quiet)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    headers = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/scim+json"}
    base = f"http://127.0.0.1:{server.server_port}/scim/v2"
    with httpx2.Client(base_url=base, headers=headers, trust_env=False, timeout=PATIENCE) as client:
        yield client.request
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["provision"].db.close()


def test_somebody_pushed_in_is_created_changed_and_switched_off_in_both(
    hub: Command, there: ScimServer, push: Callable[..., httpx2.Response]
) -> None:
    address = "nora@fjordvik.example"
    body = {"schemas": [USER], "userName": address, "name": {"givenName": "Nora", "familyName": "Newcomer"}}
    answer = push("POST", "/Users", json={**body, "displayName": "Nora Newcomer", "active": True})
    assert answer.status_code == 201, answer.text
    anchor = answer.json()["id"]
    assert [row["kind"] for row in hub("operations", "contoso", "--json").json] == ["create", "create"]
    assert hub("work", "--until-idle", "--json").json["done"] == 2
    assert [row["active"] for row in there.named(address)] == [True]
    _patch(push, anchor, "name.familyName", "Changed")
    assert hub("work", "--until-idle", "--json").json["done"] == 2
    assert there.named(address)[0]["name"]["familyName"] == "Changed"
    _patch(push, anchor, "active", "False")
    assert hub("import", "contoso", "HR", "--json").json["counts"]["suspended"] == 1
    assert _left(hub) == [("M365", "disable", None), ("Payroll", "disable", None)]
    there.strike("status", "PATCH", "/Users/*", status=503)
    hub("work")
    assert _left(hub) == [("Payroll", "disable", "app_busy")]
    assert hub("work", "--until-idle", "--json").json["done"] == 1
    assert there.named(address)[0]["active"] is False
    shown = hub("user", "show", "contoso", "nora", "--json").json
    assert shown["lifecycle"] == "suspended"
    by_app = {account["app"]: account["enabled"] for account in shown["accounts"]}
    assert by_app == {"M365": False, "Payroll": False, "HR": False}
    assert hub("operations", "contoso", "--json").json == []


def _left(hub: Command) -> list[tuple[str, str, str | None]]:
    """What is not done, by app."""
    rows = hub("operations", "contoso", "--json").json
    return sorted((row["app"], row["kind"], row["error"]) for row in rows)


def _patch(push: Callable[..., httpx2.Response], anchor: str, path: str, value: Any) -> None:
    operation = {"op": "Replace", "path": path, "value": value}
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
    answer = push("PATCH", f"/Users/{anchor}", json=body)
    assert answer.status_code == 204, answer.text


def test_whom_an_app_is_for_is_said_previewed_and_planned(hub: Command, there: ScimServer) -> None:
    for name, place in (("nora", "Deck"), ("olaf", "Galley")):
        hub(
            "user", "add", "contoso", "--username", name, "--email", f"{name}@fjordvik.example", "--first", name,
            "--last", "Here", "--set", f"department={place}",
        )  # fmt: skip
    hub("work", "--until-idle")
    assert len(there.people()) == 2
    where = ("app", "scope", "contoso", "Payroll", "--where", "department", "is", "deck")
    assert hub(*where, "--preview", "--json").json["would"] == {"disable": 1}
    assert hub("app", "scope", "contoso", "Payroll", "--json").json["rule"] == []
    told = hub(*where, "--plan", "--json").json
    assert (told["planned"], told["would"]) == (1, {"disable": 1})
    hub("work", "--until-idle")
    assert {row["active"] for row in there.people().values()} == {True}
    refused = hub("app", "scope", "contoso", "Payroll", "--where", "shoe", "is", "42")
    assert refused.status == 1
    assert "no attribute shoe" in refused.err


def test_another_server_is_shown_the_token_only_if_it_is_entered_again(hub: Command, there: ScimServer) -> None:
    elsewhere = there.url.replace("127.0.0.1", "localhost")
    before, calls = hub("app", "list", "contoso", "--json").json, len(there.calls)
    refused = hub("app", "edit", "contoso", "Payroll", "--set", f"base_url={elsewhere}")
    assert (refused.status, "shown to another server" in refused.err, "--secret-stdin" in refused.err) == (
        1,
        True,
        True,
    )
    assert (hub("app", "list", "contoso", "--json").json, len(there.calls)) == (before, calls)
    edit = ("app", "edit", "contoso", "Payroll", "--set", f"base_url={elsewhere}", "--secret-stdin", "--json")
    assert hub(*edit, stdin="wrong\n").status == 1
    assert hub("app", "list", "contoso", "--json").json == before
    assert hub(*edit, stdin=f"{TOKEN}\n").json["config"]["base_url"] == elsewhere
