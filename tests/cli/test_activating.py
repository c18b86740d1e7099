"""Links by command: sent, taken back, and told where people stand."""

from pathlib import Path

import pytest

from provision.sandbox import Sandbox
from tests import pictures
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
    assert (told["state"], told["ended_for"]) == ("not invited", "link_ended_revoked")
    assert told["ended_at"].startswith("20")
    assert "An administrator ended it." in people("activation", "status", "contoso", reachable).out
    assert people("activation", "revoke", "contoso", reachable, "--json").json[0]["revoked"] is False


def test_who_cannot_be_helped_is_told_with_what_to_do_and_the_exit_status_says_so(people: Command) -> None:
    someone = people("user", "list", "contoso", "--json").json[0]["email"]
    refused = people("activation", "send", "contoso", someone, "--json")
    assert refused.status == 1
    assert refused.json[0]["outcome"] == "blocked"
    assert refused.json[0]["remedy"]


def test_whose_password_is_kept_elsewhere_is_known_before_sending_and_refused_when_it_is_tried(people: Command) -> None:
    found = people("user", "list", "contoso", "--search", "skerry.example", "--json").json
    someone = next(one["email"] for one in found if one["email"].endswith("@skerry.example"))
    (told,) = people("activation", "status", "contoso", someone, "--json").json
    assert (told["state"], told["code"]) == ("blocked", "password_federated")
    refused = people("activation", "send", "contoso", someone, "--json")
    assert (refused.status, refused.json[0]["code"]) == (1, "password_federated")


def test_everybody_who_was_not_invited_is_sent_a_link_at_once(people: Command, reachable: str) -> None:
    sent = people("activation", "send", "contoso", "--not-invited", "--json")
    assert sent.status == 0, sent.err
    assert reachable in {
        one["email"] for one in people("activation", "status", "contoso", "--state", "queued", "--json").json
    }
    assert people("activation", "send", "contoso", "--not-invited", "--json").json == []


def test_nobody_is_chosen_by_mistake(people: Command) -> None:
    assert people("activation", "send", "contoso").status == 2
    assert people("activation", "send", "contoso", "nobody@nowhere.example").status == 1
    assert people("activation", "revoke", "contoso").status == 2


def test_the_table_for_people_says_the_same(people: Command, reachable: str) -> None:
    people("activation", "send", "contoso", reachable)
    shown = people("activation", "status", "contoso", reachable)
    assert "queued" in shown.out
    assert "jane@home.example" in shown.out


def test_settings_are_told_and_chosen_and_what_cannot_be_is_refused_whole(connected: Command) -> None:
    told = connected("activation", "settings", "contoso", "--json").json
    assert (told["link_hours"], told["recipient"], told["automatic"]) == (72, "private", False)
    chosen = ("--set", "link_hours=24", "--set", "recipient=manager", "--set", "automatic=yes", "--set", "sign_out=1")
    told = connected("activation", "settings", "contoso", *chosen, "--json").json
    assert (told["link_hours"], told["recipient"], told["automatic"], told["sign_out"]) == (24, "manager", True, True)
    for wrong, said in (
        ("link_hours=169", "168"),
        ("link_hours=0", "1"),
        ("recipient=everybody", "manager"),
        ("reminders=6", "5"),
        ("automatic=perhaps", "Choose one of: yes, no."),
        ("reply_to=nobody", "An address looks like name@domain"),
        ("colour=red", "there are organisation, sender"),
    ):
        refused = connected("activation", "settings", "contoso", "--set", "minimum_length=20", "--set", wrong)
        assert (refused.status, said in refused.err, refused.err.count("\n")) == (1, True, 1), refused.err
    assert connected("activation", "settings", "contoso", "--set", "automatic").status == 2
    assert connected("activation", "settings", "contoso", "--json").json == told


def test_a_logo_is_taken_told_of_left_out_of_mails_and_removed(connected: Command, tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(pictures.png(400, 80))
    told = connected("activation", "logo", "contoso", "--file", str(file), "--json").json
    assert (told["kind"], told["width"], told["height"], told["in_mails"]) == ("png", 400, 80, True)
    assert connected("activation", "logo", "contoso", "--not-in-mails", "--json").json == {**told, "in_mails": False}
    file.write_bytes(pictures.SVG)
    refused = connected("activation", "logo", "contoso", "--file", str(file))
    assert refused.status == 1
    assert "SVG" in refused.err
    assert connected("activation", "logo", "contoso", "--remove", "--json").json is None
    assert connected("activation", "logo", "contoso", "--not-in-mails").status == 1


def test_why_somebody_protected_cannot_be_invited_is_told_in_words_about_passwords(
    people: Command, reachable: str
) -> None:
    assert people("user", "protect", "contoso", reachable).status == 0
    (told,) = people("activation", "status", "contoso", reachable, "--json").json
    assert (told["state"], told["code"]) == ("blocked", "password_protected")
    assert "password" in told["remedy"]
    assert told["remedy"].split(".", maxsplit=1)[0] in people("activation", "status", "contoso", reachable).out


@pytest.mark.parametrize("more", [(), ("--until-idle",)])
def test_mails_that_wait_leave_when_work_is_done_without_a_server(
    people: Command, reachable: str, more: tuple[str, ...]
) -> None:
    assert people("activation", "send", "contoso", reachable).status == 0
    told = people("work", *more, "--json").json
    assert told["mails"] == {"sent": 1, "waiting": 0}
    assert people("work", "--json").json["mails"] == {"waiting": 0}
