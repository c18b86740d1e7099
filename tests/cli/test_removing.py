"""Removing an app by command: said first, done with --yes, and refused while something is under way."""

from tests.cli.conftest import Command


def test_without_yes_only_what_would_be_forgotten_is_said(connected: Command) -> None:
    assert connected("import", "contoso", "M365").status == 0
    asked = connected("app", "remove", "contoso", "M365")
    assert asked.status == 1
    assert "Nothing was removed" in asked.err
    assert "people here, the report" in asked.err
    assert len(connected("app", "list", "contoso", "--json").json) == 1


def test_with_yes_it_goes_people_and_report_stay_and_it_may_come_back(connected: Command) -> None:
    assert connected("import", "contoso", "M365").status == 0
    people = connected("user", "list", "contoso", "--json").json
    removed = connected("app", "remove", "contoso", "M365", "--yes", "--json")
    assert (removed.status, removed.json["removed"], removed.json["people"]) == (0, True, len(people))
    assert connected("app", "list", "contoso", "--json").json == []
    assert connected("user", "list", "contoso", "--json").json == people
    told = connected("report", "contoso", "--app", "M365", "--json").json
    assert {row["application"] for row in told} == {"M365"}
    assert connected("import", "contoso", "M365").status == 1
    again = (
        "app",
        "add",
        "contoso",
        "microsoft365",
        "--name",
        "M365",
        "--domain",
        "fjordvik.example",
        "--cloud",
        "sandbox",
    )
    assert connected(*again).status == 0
    assert connected("app", "features", "contoso", "M365", "--import").status == 0
    matched = connected("import", "contoso", "M365", "--json").json
    assert (matched["linked"], matched["created"]) == (len(people), 0)


def test_what_waits_is_cancelled_only_when_that_is_asked_for(connected: Command) -> None:
    assert connected("import", "contoso", "M365").status == 0
    assert connected("app", "features", "contoso", "M365", "--create").status == 0
    added = ("--username", "zoe", "--email", "zoe@fjordvik.example", "--first", "Zoe", "--last", "Ek")
    assert connected("user", "add", "contoso", *added).status == 0
    refused = connected("app", "remove", "contoso", "M365", "--yes")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "Waiting to be sent to M365: 1." in refused.err
    assert connected("app", "remove", "contoso", "M365", "--yes", "--cancel-open").status == 0
    assert connected("user", "show", "contoso", "zoe", "--json").json["accounts"] == []
