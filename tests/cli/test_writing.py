"""Changing people by command: here at once, there by the outbox, and what is said when nothing follows."""

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def writing(connected: Command) -> Command:
    """An app that may do everything, by itself, with everybody imported."""
    switched = connected(
        "app", "features", "contoso", "M365", "--create", "--edit", "--delete", "--approval", "automatic"
    )
    assert switched.status == 0, switched.err
    assert connected("app", "settings", "contoso", "M365", "--hold", "0").status == 0  # nobody here takes anything back
    assert connected("import", "contoso", "M365").status == 0
    return connected


ADD = (
    "user",
    "add",
    "contoso",
    "--username",
    "zoe",
    "--email",
    "zoe@fjordvik.example",
    "--first",
    "Zoë",
    "--last",
    "Ek",
)


def test_a_person_added_here_is_created_there_by_the_next_work(writing: Command) -> None:
    added = writing(*ADD, "--json").json
    assert [effect["kind"] for effect in added["effects"]] == ["create"]
    (operation,) = writing("operations", "contoso", "--json").json
    assert {"id", "app", "state", "asks", "kind", "account", "changes", "attempts", "error", "remedy", "due_at"} == set(
        operation
    )
    assert (operation["state"], operation["kind"]) == ("pending", "create")
    assert writing("work", "--until-idle", "--json").json["done"] == 1
    assert writing("operations", "contoso", "--json").json == []
    shown = writing("user", "show", "contoso", "zoe@fjordvik.example", "--json").json
    assert [account["situation"] for account in shown["accounts"]] == ["linked"]


def test_an_edit_a_delete_and_a_restore_follow_each_other(writing: Command) -> None:
    writing(*ADD)
    writing("work", "--until-idle")
    assert writing("user", "edit", "contoso", "zoe", "--set", "surname=Lind", "--json").json["changed"] == ["surname"]
    writing("work", "--until-idle")
    for verb in ("disable", "enable", "delete", "restore"):
        assert writing("user", verb, "contoso", "zoe@fjordvik.example").status == 0, verb
        told = writing("work", "--until-idle", "--json").json
        assert told.get("done") == 1, (verb, told)
    actions = [event["action"] for event in writing("user", "show", "contoso", "zoe", "--json").json["timeline"]]
    assert actions[:2] == ["account.restored", "user.restored"]


def test_a_switch_that_is_off_is_said_so(writing: Command) -> None:
    writing("app", "features", "contoso", "M365", "--no-create")
    added = writing(*ADD)
    assert added.status == 0
    assert "changed here only" in added.err
    assert writing("operations", "contoso", "--json").json == []


def test_what_is_reviewed_waits_for_approval_and_a_declined_one_is_called_off(writing: Command) -> None:
    writing("app", "features", "contoso", "M365", "--approval", "review")
    writing(*ADD)
    (operation,) = writing("operations", "contoso", "--json").json
    assert operation["asks"] == "review"
    assert "done" not in writing("work", "--until-idle", "--json").json
    (declined,) = writing("operations", "contoso", "decline", str(operation["id"]), "--json").json
    assert declined["state"] == "cancelled"
    writing("operations", "contoso", "retry", str(operation["id"]))
    waiting = [row["id"] for row in writing("operations", "contoso", "--json").json]
    writing("operations", "contoso", "approve", *map(str, waiting))
    assert writing("work", "--until-idle", "--json").json["done"] == 1


def test_some_of_what_is_reviewed_goes_and_the_rest_still_asks(writing: Command) -> None:
    writing("app", "features", "contoso", "M365", "--approval", "review")
    for name in ("zoe", "yan", "xia"):
        added = ("user", "add", "contoso", "--username", name, "--email", f"{name}@fjordvik.example")
        assert writing(*added, "--first", name, "--last", "Ek").status == 0
    waiting = {row["account"]: row["id"] for row in writing("operations", "contoso", "--json").json}
    assert len(waiting) == 3
    chosen = [str(number) for account, number in waiting.items() if "yan" not in account]
    approved = writing("operations", "contoso", "approve", *chosen, "--json").json
    assert [row["asks"] for row in approved] == [None, None]
    assert writing("work", "--until-idle", "--json").json["done"] == 2
    (left,) = writing("operations", "contoso", "--json").json
    assert (left["asks"], left["account"]) == ("review", "yan@fjordvik.example")
    assert writing("user", "show", "contoso", "xia", "--json").json["accounts"][0]["situation"] == "linked"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("user", "edit", "contoso", "zoe", "--set", "surname"), 2, "ATTRIBUTE=VALUE"),
        (("user", "edit", "contoso", "zoe", "--set", "shoe=43"), 2, "no attribute"),
        (("user", "delete", "contoso", "nobody"), 1, "Nobody here has this"),
        (("operations", "contoso", "approve"), 2, "by their ids"),
        (("operations", "contoso", "approve", "4711"), 1, ""),
        ((*ADD[:6], "zoe@elsewhere.example", *ADD[7:]), 1, "Choose a domain that takes it"),
    ],
)
def test_bad_input_says_what_to_do_and_changes_nothing(
    writing: Command, arguments: tuple[str, ...], status: int, words: str
) -> None:
    refused = writing(*arguments)
    assert refused.status == status
    assert words in refused.err
    assert writing("operations", "contoso", "--json").json == []


def test_the_bin_lists_who_can_come_back_and_restores_them_under_another_address(writing: Command) -> None:
    writing(*ADD)
    writing("work", "--until-idle")
    writing("user", "delete", "contoso", "zoe")
    writing("work", "--until-idle")
    (lying,) = writing("bin", "contoso", "M365", "--search", "zoe", "--json").json
    assert (lying["address"], lying["lifecycle"]) == ("zoe@fjordvik.example", "left")
    assert lying["days"] in (29, 30)
    assert writing("bin", "contoso", "M365").status == 0
    restored = writing("user", "restore", "contoso", "zoe", "--email", "zoe.ek@fjordvik.example", "--json")
    assert restored.json["email"] == "zoe.ek@fjordvik.example"
    assert writing("work", "--until-idle", "--json").json["done"] == 1
    assert writing("bin", "contoso", "M365", "--restore", lying["anchor"]).status == 1


def test_an_account_is_protected_and_let_go_by_command(writing: Command) -> None:
    writing(*ADD)
    writing("work", "--until-idle")
    protected = writing("user", "protect", "contoso", "zoe", "--json").json
    assert (protected["protected"], protected["app"]) == ("protected_by_hand", "M365")
    assert writing("user", "protect", "contoso", "zoe", "--emergency", "--json").json["protected"] == "break_glass"
    assert writing("user", "unprotect", "contoso", "zoe", "--json").json["protected"] is None
    refused = writing("user", "resolve", "contoso", "zoe", "restore")
    assert refused.status == 1
    assert "no longer" in refused.err or "under way" in refused.err


def test_a_twin_in_the_recycle_bin_is_restored_by_command(writing: Command) -> None:
    writing(*ADD)
    writing("work", "--until-idle")
    writing("user", "delete", "contoso", "zoe")
    writing("work", "--until-idle")
    writing(*ADD)
    assert writing("work", "--until-idle", "--json").json["blocked"] == 1
    (operation,) = writing("operations", "contoso", "--json").json
    assert operation["error"] == "in_recycle_bin"
    writing("user", "resolve", "contoso", "zoe", "restore")
    assert writing("work", "--until-idle", "--json").json["done"] >= 1
    assert writing("bin", "contoso", "M365", "--search", "zoe", "--json").json == []


def test_licences_are_listed_given_and_taken_by_command(writing: Command) -> None:
    seats = writing("licence", "contoso", "M365", "--json").json
    free = next(one for one in seats if one["left"] > 1)
    assert writing("licence", "contoso", "M365").status == 0
    writing(*ADD, "--set", "usage_location=NO")
    writing("work", "--until-idle")
    unmapped = writing("licence", "contoso", "M365", "add", free["part"], "zoe")
    assert unmapped.status == 1
    assert "usage location" in unmapped.err
    assert writing("licence", "contoso", "M365", "add").status == 2
    assert writing("licence", "contoso", "M365", "add", "NO_SUCH_PART", "zoe").status == 1
    assert writing("licence", "contoso", "M365", "remove", free["part"], "zoe", "--json").json["refused"] == []


def test_a_person_is_traced_step_by_step_and_brought_in_line_by_command(writing: Command) -> None:
    writing(*ADD)
    (waiting,) = writing("user", "trace", "contoso", "zoe", "--json").json
    assert [step["step"] for step in waiting["steps"]] == ["scope", "match", "mapping", "sent", "answer"]
    assert waiting["moving"]
    (done,) = writing("user", "trace", "contoso", "zoe", "--now", "--json").json
    assert (done["moving"], done["steps"][-1]["says"]) == (False, "Done. The app confirmed it.")
    assert writing("user", "trace", "contoso", "zoe").status == 0
    assert writing("user", "trace", "contoso", "nobody").status == 1
