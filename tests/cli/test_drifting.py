"""Drift by command: a script compares, lists and chooses."""

import pytest
from sqlmodel import select

from provision.core.tables import Connector, Mapping
from provision.factory import doors
from provision.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.fakes import elsewhere


@pytest.fixture
def drifted(connected: Command, sandbox: Sandbox) -> str:
    """Somebody whose last name was changed here, where nothing was sent, and there."""
    assert connected("import", "contoso", "M365").status == 0
    who = connected("user", "list", "contoso", "--json").json[0]["email"]
    assert connected("user", "edit", "contoso", who, "--set", "surname=Ours").status == 0
    switched = connected("app", "features", "contoso", "M365", "--edit", "--approval", "automatic")
    assert switched.status == 0, switched.err
    elsewhere.change(sandbox, who, surname="Elsewhere")
    compared = connected("import", "contoso", "M365", "--compare", "--json")
    assert compared.status == 0, compared.err
    assert compared.json["options"]["compare"] is True
    return who


def test_a_value_is_listed_and_pushed_back(connected: Command, drifted: str) -> None:
    (row,) = connected("drift", "contoso", "--json").json
    assert (row["attribute"], row["ours"], row["theirs"], row["over"]) == ("surname", "Ours", "Elsewhere", False)
    chosen = connected("drift", "contoso", "push", str(row["id"]), "--json").json
    assert (chosen["done"], len(chosen["operations"])) == (1, 1)
    assert connected("work", "--until-idle", "--json").json["done"] == 1
    assert connected("drift", "contoso", "--json").json == []


def test_a_licence_that_somebody_took_away_is_listed_and_pushed_back(connected: Command, sandbox: Sandbox) -> None:
    flow = "f30db892-07e9-47e9-837c-80727f46fd3d"
    assert connected("import", "contoso", "M365").status == 0
    connected("app", "features", "contoso", "M365", "--edit", "--approval", "automatic")
    house = doors().open_house()
    with house.db.writing() as session:
        app = session.exec(select(Connector)).one()
        row = Mapping(tenant_id=app.tenant_id, connector_id=app.id or 0, ours="usage_location", theirs="usageLocation")
        session.add(row)
    house.db.close()
    assert connected("import", "contoso", "M365", "--full").status == 0
    who = next(
        one["email"] for one in connected("user", "list", "contoso", "--json").json
        if connected("licence", "contoso", "M365", "add", flow, one["email"]).status == 0
    )  # fmt: skip
    assert connected("work", "--until-idle", "--json").json["done"] == 1
    elsewhere.unlicense(sandbox, who, flow)
    assert connected("import", "contoso", "M365", "--compare").status == 0
    (row,) = connected("drift", "contoso", "--json").json
    assert (row["attribute"], row["ours"], row["theirs"]) == (f"licences.{flow}", "given", "not given")
    assert len(connected("drift", "contoso", "push", str(row["id"]), "--json").json["operations"]) == 1
    assert connected("work", "--until-idle", "--json").json["done"] == 1
    assert connected("drift", "contoso", "--json").json == []


def test_a_value_is_accepted(connected: Command, drifted: str) -> None:
    (row,) = connected("drift", "contoso", "--app", "M365", "--json").json
    assert connected("drift", "contoso", "accept", str(row["id"])).status == 0
    assert connected("user", "show", "contoso", drifted, "--json").json["surname"] == "Elsewhere"


def test_what_is_left_alone_has_a_list_of_its_own(connected: Command, drifted: str) -> None:
    (row,) = connected("drift", "contoso", "--json").json
    assert connected("drift", "contoso", "leave", str(row["id"])).status == 0
    assert connected("drift", "contoso", "--json").json == []
    assert [one["id"] for one in connected("drift", "contoso", "--alone", "--json").json] == [row["id"]]


def test_an_id_that_is_not_there_is_refused_in_one_line(connected: Command, drifted: str) -> None:
    refused = connected("drift", "contoso", "push", "999")
    assert refused.status == 1
    assert refused.err.count("\n") == 1


def test_an_answer_without_ids_is_a_wrong_use(connected: Command, drifted: str) -> None:
    assert connected("drift", "contoso", "push").status == 2
