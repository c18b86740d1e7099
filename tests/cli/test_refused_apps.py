"""What cannot be an app, a token or a file, by command: one sentence, status one, and nothing is there afterwards."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command

ADDRESS = "base_url=https://payroll.invalid/scim/v2"
SECRET = "Quiet-Token-41\n"
SCIM = ("app", "add", "contoso", "scim", "--name", "Payroll")
SOURCE = ("app", "add", "contoso", "scim_source", "--name")
CSV = ("app", "add", "contoso", "csv", "--name", "File")


@pytest.fixture
def office(connected: Command) -> Command:
    """A tenant with Office 365 and a client that pushes."""
    assert connected(*SOURCE, "HR").status == 0
    return connected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (SCIM, "base_url: This field is empty."),
        ((*SCIM, "--set", "base_url=ftp://payroll"), "An address looks like https://"),
        ((*SCIM, "--set", "base_url=https://u:p@payroll.invalid"), "Leave name and password out"),
        ((*SCIM, "--set", "base_url=https://payroll.invalid/v2?tenant=1"), "no ? and no #"),
        ((*SCIM, "--set", f"base_url=https://payroll.invalid/{'x' * 600}"), "At most 500 characters"),
        ((*SCIM, "--set", ADDRESS, "--set", "colour=red"), "base_url, auth, token_url"),
        ((*SCIM, "--set", ADDRESS, "--domain", "acme.example"), "no setting of this name"),
        ((*SCIM, "--set", ADDRESS, "--set", "auth=magic"), "'bearer' or 'client_credentials'"),
        ((*SCIM, "--set", ADDRESS, "--set", "passwords=perhaps"), "Choose one of: true, false"),
        ((*SCIM, "--set", ADDRESS, "--set", "auth=client_credentials"), "token URL and the client ID"),
        ((*SCIM, "--set", ADDRESS, "--set", "users_path=/../admin"), "A path looks like /Users"),
        ((*SCIM, "--set", ADDRESS), "neither a token nor a client secret"),
        ((*SCIM, "--set", ADDRESS, "--secret-stdin"), "No connection to payroll.invalid"),
        ((*SCIM, "--set", "base_url=https://127.0.0.1/scim", "--secret-stdin"), "internal network"),
        ((*SCIM, "--set", "base_url=https://169.254.169.254/scim", "--secret-stdin"), "internal network"),
        ((*SOURCE, ""), "one to 80 characters"),
        ((*SOURCE, "HR"), "called HR already"),
        ((*SOURCE, "Second", "--secret-stdin"), "no secret was kept"),
        ((*SOURCE, "Second", "--set", "initial_secrets=maybe"), "Choose one of: true, false"),
        ((*CSV, "--secret-stdin"), "no secret was kept"),
        ((*CSV, "--set", "watched=../../etc/passwd"), "not in its folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_app_leaves_none(office: Command, arguments: tuple[str, ...], words: str) -> None:
    refused = office(*arguments, stdin=SECRET)
    assert (refused.status, refused.out) == (1, ""), refused.err
    assert words in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert SECRET.strip() not in refused.err
    assert [row["name"] for row in office("app", "list", "contoso", "--json").json] == ["M365", "HR"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("contoso", "M365"), "asked by us"),
        (("contoso", "Nobody"), "no app of this name"),
        (("nowhere", "HR"), "no organisation of this name"),
        (("contoso", "HR", "--days", "0"), "between one day and 365 days"),
        (("contoso", "HR", "--days", "100000"), "between one day and 365 days"),
        (("contoso", "HR", "--revoke", "999"), "no token of that number"),
    ],
)
def test_what_cannot_be_a_token_makes_and_revokes_none(office: Command, arguments: tuple[str, ...], words: str) -> None:
    made = office("app", "token", "contoso", "HR", "--json").json
    refused = office("app", "token", *arguments)
    assert (refused.status, refused.out) == (1, "")
    assert words in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    rows = office("app", "token", "contoso", "HR", "--list", "--json").json
    assert [(row["id"], row["state"]) for row in rows] == [(made["id"], "valid")]
    assert made["token"] not in str(rows)


def test_a_third_token_is_refused_while_two_are_valid(office: Command) -> None:
    for _ in range(2):
        assert office("app", "token", "contoso", "HR").status == 0
    refused = office("app", "token", "contoso", "HR")
    assert (refused.status, refused.out) == (1, "")
    assert "Revoke the one" in refused.err


def test_a_source_takes_no_switch_and_no_rule_of_a_target(office: Command) -> None:
    for words in (("features", "contoso", "HR", "--create"), ("features", "contoso", "HR", "--import", "--delete"),
                  ("scope", "contoso", "HR", "--where", "department", "is", "Deck")):  # fmt: skip
        refused = office("app", *words)
        assert refused.status == 1
        assert "HR is a source" in refused.err or "it is a source" in refused.err
    (row,) = (row for row in office("app", "list", "contoso", "--json").json if row["name"] == "HR")
    assert not any(row["features"].values())


@pytest.mark.parametrize(
    ("app", "content", "words"),
    [
        ("HR", b"First name,Email\nAda,ada@there.example\n", "no file at all"),
        ("M365", b"First name,Email\nAda,ada@there.example\n", "no file at all"),
        ("File", b"", "no row in it"),
        ("File", b"name\nAda\n", "Choose what stands between the cells"),
        ("File", b"\0\1\2\0\3", ""),
        ("File", b"Email,Email\na@b.example,c@d.example\n", ""),
        ("Nobody", b"First name,Email\nAda,ada@there.example\n", "no app of this name"),
    ],
)
def test_a_file_that_cannot_be_read_brings_nobody(
    office: Command, tmp_path: Path, app: str, content: bytes, words: str
) -> None:
    assert office(*CSV).status == 0
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    refused = office("import", "contoso", app, "--file", str(file))
    assert (refused.status, refused.out) == (1, ""), refused.err
    assert words in refused.err
    assert len(refused.err.strip().splitlines()) == 1
    assert office("user", "list", "contoso", "--json").json == []
