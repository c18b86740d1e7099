"""An app that is there already, by command: another name, other settings, another secret; or as it was, with a reason."""

import pytest
from sqlmodel import select

from provision.config import Settings
from provision.core.tables import Event
from provision.factory import open_house
from provision.sandbox import Sandbox
from tests.cli.conftest import Command

EDIT = ("app", "edit", "contoso", "M365")


def app(provision: Command) -> dict[str, object]:
    return next(row for row in provision("app", "list", "contoso", "--json").json)


def events() -> list[str]:
    at_home = open_house(Settings())
    with at_home.db.reading() as session:
        found = list(session.exec(select(Event.action).order_by(Event.id)))  # type: ignore[arg-type]
    at_home.db.close()
    return found


def test_an_app_is_renamed_and_stays_connected(connected: Command) -> None:
    assert connected(*EDIT, "--name", "Office", "--json").json["name"] == "Office"
    assert connected("app", "list", "contoso", "--json").json[0]["outside_id"]
    assert events()[-1] == "connector.saved"


def test_settings_of_the_kind_are_looked_at_before_they_are_kept(connected: Command) -> None:
    before = app(connected)
    refused = connected(*EDIT, "--set", "domain=elsewhere.invalid")
    assert refused.status == 1
    assert "elsewhere.invalid" in refused.err
    assert app(connected) == before
    assert connected(*EDIT, "--set", "cloud=moon").status == 1
    assert app(connected) == before


def test_a_new_secret_is_tried_before_the_old_one_goes(connected: Command, sandbox: Sandbox) -> None:
    refused = connected(*EDIT, "--secret-stdin", stdin="wrong-secret-value-41\n")
    assert refused.status == 1
    assert "wrong-secret-value-41" not in refused.err
    assert "connector.secret_set" not in events()
    right = sandbox.credentials()["client_secret"]
    assert connected(*EDIT, "--secret-stdin", stdin=f"{right}\n").status == 0
    assert connected(*EDIT, "--forget-secret").status == 0
    assert [action for action in events() if "secret" in action] == ["connector.secret_set", "connector.secret_removed"]


@pytest.mark.parametrize(
    "given", [(), ("--name", "New", "--forget-secret"), ("--set", "cloud"), ("--secret-stdin", "--forget-secret")]
)
def test_one_step_at_a_time(connected: Command, given: tuple[str, ...]) -> None:
    assert connected(*EDIT, *given, stdin="x\n").status == 2


def test_a_name_in_use_is_refused(connected: Command) -> None:
    connected("app", "add", "contoso", "csv", "--name", "HR")
    refused = connected("app", "edit", "contoso", "HR", "--name", "m365")
    assert (refused.status, "called" in refused.err) == (1, True)


def test_a_secret_for_an_app_that_takes_none_is_refused_and_not_kept(connected: Command) -> None:
    connected("app", "add", "contoso", "csv", "--name", "HR")
    refused = connected("app", "edit", "contoso", "HR", "--secret-stdin", stdin="quiet-secret-value-41\n")
    assert (refused.status, "proves itself in another way" in refused.err) == (1, True)
    assert "connector.secret_set" not in events()
