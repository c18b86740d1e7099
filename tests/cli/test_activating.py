"""Links by command: sent, taken back, and told where people stand."""

import pytest

from provision.sandbox import Sandbox
from tests.cli.conftest import Command


@pytest.fixture
def people(connected: Command, sandbox: Sandbox) -> Command:
    """Everybody imported, and an app that may set passwords."""
    sandbox.assign_role("User Administrator")
    assert connected("app", "check", "contoso", "M365").status == 0
    assert connected("import", "contoso", "M365").status == 0
    return connected


@pytest.fixture
def reachable(people: Command) -> str:
    """The address of somebody whom a link can help."""
    for person in people("user", "list", "contoso", "--json").json:
        edited = people("user", "edit", "contoso", str(person["id"]), "--set", "private_email=jane@home.example")
        found = people("activation", "status", "contoso", str(person["id"]), "--json").json
        if edited.status == 0 and found and found[0]["state"] == "not invited":
            return str(person["email"])
    raise AssertionError("nobody can be helped")


def test_a_link_is_sent_told_of_and_taken_back(people: Command, reachable: str) -> None:
    (sent,) = people("activation", "send", "contoso", reachable, "--json").json
    assert (sent["outcome"], sent["address"], sent["code"]) == ("queued", "jane@home.example", None)
    (told,) = people("activation", "status", "contoso", reachable, "--json").json
    assert (told["state"], told["activation_id"]) == ("queued", sent["activation_id"])
    assert people("activation", "revoke", "contoso", reachable, "--json").json == [
        {"user_id": sent["user_id"], "revoked": True}
    ]
    (told,) = people("activation", "status", "contoso", reachable, "--json").json
    assert told["state"] == "not invited"
    assert people("activation", "revoke", "contoso", reachable, "--json").json[0]["revoked"] is False


def test_who_cannot_be_helped_is_told_with_what_to_do_and_the_exit_status_says_so(people: Command) -> None:
    someone = people("user", "list", "contoso", "--json").json[0]["email"]
    refused = people("activation", "send", "contoso", someone, "--json")
    assert refused.status == 1
    assert refused.json[0]["outcome"] == "blocked"
    assert refused.json[0]["remedy"]


def test_everybody_who_was_not_invited_is_sent_a_link_at_once(people: Command, reachable: str) -> None:
    sent = people("activation", "send", "contoso", "--not-invited", "--json")
    assert sent.status == 0, sent.err
    assert reachable in {
        one["email"] for one in people("activation", "status", "contoso", "--state", "queued", "--json").json
    }
    assert people("activation", "send", "contoso", "--not-invited", "--json").json == []


def test_nobody_is_chosen_by_mistake(people: Command) -> None:
    assert people("activation", "send", "contoso").status == 1
    assert people("activation", "send", "contoso", "nobody@nowhere.example").status == 1
    assert people("activation", "revoke", "contoso").status == 2


def test_the_table_for_people_says_the_same(people: Command, reachable: str) -> None:
    people("activation", "send", "contoso", reachable)
    shown = people("activation", "status", "contoso", reachable)
    assert "queued" in shown.out
    assert "jane@home.example" in shown.out
