"""The ``provision`` command: its results for scripts, its one line for refusals, its exit statuses."""

import csv
import io
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from provision.sandbox import Sandbox
from tests.cli.conftest import Command


def test_an_import_prints_the_cycle_with_its_counts(connected: Command) -> None:
    told = connected("import", "contoso", "M365", "--json").json
    assert (told["kind"], told["outcome"], told["seen"], told["created"]) == ("initial", "done", 40, 40)
    assert told["suspended"] > 0
    assert {"linked", "updated", "unchanged", "disputed", "failed", "pages"} <= set(told)
    assert told["ended_at"].endswith("Z")


def test_a_second_import_reads_only_what_changed(connected: Command) -> None:
    connected("import", "contoso", "microsoft365")
    told = connected("import", "contoso", "M365", "--json").json
    assert (told["kind"], told["seen"], told["created"], told["updated"]) == ("incremental", 0, 0, 0)


def test_a_preview_takes_nobody_over(connected: Command) -> None:
    told = connected("import", "contoso", "M365", "--preview", "--json").json
    assert told["preview"]["new"] == 40
    assert connected("user", "list", "contoso", "--json").json == []


def test_people_are_listed_searched_and_shown_by_column_names(connected: Command) -> None:
    connected("import", "contoso", "M365")
    everyone = connected("user", "list", "contoso", "--json").json
    assert len(everyone) == 40
    someone = next(user for user in everyone if user["given_name"])
    found = connected("user", "list", "contoso", "--search", someone["email"], "--json").json
    assert [user["id"] for user in found] == [someone["id"]]
    shown = connected("user", "show", "contoso", someone["email"], "--json").json
    assert shown["surname"] == someone["surname"]
    assert [account["situation"] for account in shown["accounts"]] == ["linked"]
    assert shown["timeline"][-1]["action"] == "user.created"


def test_the_report_comes_as_table_csv_and_json(connected: Command) -> None:
    connected("import", "contoso", "M365")
    rows = connected("report", "contoso", "--format", "json").json
    assert len(rows) == len(list(csv.DictReader(io.StringIO(connected("report", "contoso", "--format", "csv").out))))
    assert "user" in connected("report", "contoso").out
    assert len(rows) >= 40
    connected(
        "user", "add", "contoso", "--username", "x", "--email", "x@fjordvik.example", "--first", "=1", "--last", "X"
    )
    written = connected("report", "contoso", "--format", "csv").out
    assert ",'=1 X," in written  # no cell runs in a spreadsheet, whichever way it was written
    assert not written.startswith("\ufeff")
    assert connected("report", "contoso", "--until", "2001-01-01", "--since", "2000-01-01", "--json").json == []


def test_lists_are_arrays_and_hold_no_secret(connected: Command) -> None:
    assert [tenant["slug"] for tenant in connected("tenant", "list", "--json").json] == ["contoso"]
    (app,) = connected("app", "list", "contoso", "--json").json
    assert app["features"] == {"import": True, "create": False, "edit": False, "delete": False}
    assert "secret" not in app


def test_switches_and_review_are_set_by_name(connected: Command) -> None:
    app = connected(
        "app", "features", "contoso", "M365", "--edit", "--no-import", "--approval", "automatic", "--json"
    ).json
    assert (app["features"]["edit"], app["features"]["import"], app["approval"]) == (True, False, "automatic")
    refused = connected("import", "contoso", "M365")
    assert (refused.status, refused.out) == (1, "")
    assert "Import User is off for M365" in refused.err


def test_a_switch_is_refused_while_the_app_is_not_connected(provision: Command, sandbox: Sandbox) -> None:
    sandbox.revoke_consent()
    provision("tenant", "add", "contoso", "--name", "Contoso")
    provision(
        "app", "add", "contoso", "microsoft365", "--name", "M365", "--domain", "fjordvik.example", "--cloud", "sandbox"
    )
    refused = provision("app", "features", "contoso", "M365", "--import")
    assert refused.status == 1
    assert len(refused.err.strip().splitlines()) == 1
    (app,) = provision("app", "list", "contoso", "--json").json
    assert not any(app["features"].values())


def test_pausing_stops_an_import_and_resuming_lets_it_go_on(connected: Command) -> None:
    connected("app", "pause", "contoso", "M365")
    assert connected("import", "contoso", "M365").status == 1
    connected("app", "resume", "contoso", "M365")
    assert connected("import", "contoso", "M365").status == 0


def test_a_check_names_what_is_missing(connected: Command, sandbox: Sandbox) -> None:
    sandbox.grant_consent(["User.Read.All", "Organization.Read.All", "Domain.Read.All"])
    found = connected("app", "check", "contoso", "M365", "--json").json
    states = {permission["name"]: permission["state"] for permission in found["permissions"]}
    assert states["Domain.Read.All"] == "granted"
    assert "missing" in states.values()
    assert found["facts"]["domains"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tenant", "add", "Con toso!", "--name", "X"), "small letters, digits and dashes"),
        (("import", "nowhere", "M365"), "no organisation of this name"),
        (("app", "check", "contoso", "Other"), "no app of this name"),
        (("user", "show", "contoso", "nobody@example.com"), "Nobody here has this"),
        (("app", "add", "contoso", "microsoft365", "--name", "Two", "--domain", "https://x.example/a"), "web address"),
        (("app", "add", "contoso", "microsoft365", "--name", "Two", "--domain", "no such"), "not a domain name"),
        (("app", "add", "contoso", "telepathy", "--name", "Two"), "kind"),
    ],
)
def test_a_refusal_is_one_line_and_status_one(connected: Command, arguments: tuple[str, ...], words: str) -> None:
    refused = connected(*arguments)
    assert (refused.status, refused.out) == (1, "")
    assert words in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("arguments", [("import",), ("app", "features", "contoso"), ("nothing",), ("user", "list")])
def test_wrong_usage_is_status_two(provision: Command, arguments: tuple[str, ...]) -> None:
    assert provision(*arguments).status == 2


def test_an_operator_gets_a_one_time_link_or_a_password_from_standard_input(provision: Command) -> None:
    provision("tenant", "add", "contoso", "--name", "Contoso")
    link = provision("operator", "add", "ada@contoso.example", "--role", "owner", "--json").json["link"]
    assert "/first/" in link
    ben = ("operator", "add", "ben@contoso.example", "--role", "auditor", "--tenant", "contoso", "--password-stdin")
    assert provision(*ben, stdin="short\n").status == 1
    assert provision(*ben, stdin="seven green herons wade\n").status == 0


def test_the_doctor_looks_over_everything(connected: Command) -> None:
    found = {row["check"]: row["state"] for row in connected("doctor", "--json").json}
    assert found["schema"] == found["log of contoso"] == "good"
    assert found["app contoso/M365"] in ("good", "warn")


def test_a_certificate_without_its_key_is_refused_at_the_door(connected: Command, tmp_path: Path) -> None:
    pem = tmp_path / "half.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    refused = connected(
        "app",
        "add",
        "contoso",
        "microsoft365",
        "--name",
        "C",
        "--domain",
        "fjordvik.example",
        "--certificate",
        str(pem),
    )
    assert refused.status == 1
    assert [app["name"] for app in connected("app", "list", "contoso", "--json").json] == ["M365"]


def test_a_demo_on_a_port_that_is_taken_is_refused_before_anything_is_done(provision: Command, data_dir: Path) -> None:
    before = sorted(data_dir.iterdir())
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = provision("demo", "--port", str(other.getsockname()[1]))
    assert (refused.status, refused.out) == (1, "")
    assert "listens on port" in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert sorted(data_dir.iterdir()) == before


def test_a_database_without_tables_says_what_to_run(data_dir: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from provision.factory import main; main(['tenant', 'list'])"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr.strip() == "The database does not answer. If it is new, run: provision migrate"
