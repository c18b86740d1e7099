"""Working without a server: what the browser asked for is carried out as well, and what waits is said."""

import datetime as dt
from typing import Any

import pytest
from sqlmodel import select

from provision.config import Settings
from provision.core.tables import Connector, Cycle
from provision.core.vocabulary import CycleState
from provision.factory import open_house
from provision.services import cycles
from tests.cli.conftest import Command


def asked(**options: Any) -> int:
    """An import as a click on Import asks for it; no server runs that could do it."""
    at_home = open_house(Settings())
    with at_home.db.writing() as session:
        app = session.exec(select(Connector).where(Connector.name == "M365")).one()
        number = cycles.request(session, app.tenant_id, app.id or 0, "ada", at_home.now(), **options).id or 0
    at_home.db.close()
    return number


def change(number: int, **values: Any) -> None:
    at_home = open_house(Settings())
    with at_home.db.writing() as session:
        row = session.get(Cycle, number)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
    at_home.db.close()


@pytest.mark.parametrize("more", [(), ("--until-idle",)])
def test_an_import_that_a_browser_asked_for_is_done(connected: Command, more: tuple[str, ...]) -> None:
    number = asked()
    (told,) = connected("work", *more, "--json").json["cycles"]
    assert (told["id"], told["app"], told["outcome"]) == (number, "M365", "done")
    people = connected("user", "list", "contoso", "--json").json
    assert told["created"] == len(people) > 30
    assert connected("work", "--json").json["cycles"] == []


def test_what_an_import_leaves_to_be_carried_out_is_carried_out_with_it(connected: Command) -> None:
    assert connected("import", "contoso", "M365").status == 0
    assert connected("app", "features", "contoso", "M365", "--create", "--approval", "automatic").status == 0
    added = ("--username", "zoe", "--email", "zoe@fjordvik.example", "--first", "Zoe", "--last", "Ek")
    assert connected("user", "add", "contoso", *added).status == 0
    asked(full=True)
    told = connected("work", "--until-idle", "--json").json
    assert (told["done"], [one["outcome"] for one in told["cycles"]]) == (1, ["done"])


def test_one_that_waits_is_said_with_when_it_goes_on(connected: Command) -> None:
    number = asked()
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    change(number, state=CycleState.RUNNING, options={"again_at": later.isoformat(), "tries": 8})
    told = connected("work", "--until-idle", "--json").json
    assert told["cycles"] == []
    assert told["waiting"] == [
        {"app": "M365", "why": "import", "number": 1, "until": later.isoformat().replace("+00:00", "Z")}
    ]
    assert "M365: 1 import until" in connected("work").err


def test_one_of_an_app_that_was_paused_meanwhile_ends_and_says_why(connected: Command) -> None:
    asked()
    assert connected("app", "pause", "contoso", "M365").status == 0
    ran = connected("work")
    assert ran.status == 0
    assert "M365: import stopped." in ran.err
