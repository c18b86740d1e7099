"""Who holds a directory role, by themselves or through a group."""

from pathlib import Path
from typing import Any

import pytest

from provision.connectors.microsoft365 import roles
from provision.core.ports import OutsideError
from tests.connectors.microsoft365.test_carry_bin import graph
from tests.connectors.microsoft365.test_graph import HOME
from tests.fakes.grounds import SandboxGround, connector

USER = {"@odata.type": "#microsoft.graph.user"}
GROUP = {"@odata.type": "#microsoft.graph.group"}
PAGES: dict[str, Any] = {
    "/directoryRoles": {
        "value": [
            {"id": "r1", "displayName": "Global Administrator"},
            {"id": "r2", "displayName": "User Administrator"},
        ]
    },
    "/directoryRoles/r1/members": {
        "value": [{**USER, "id": "ada"}],
        "@odata.nextLink": f"{HOME}/v1.0/directoryRoles/r1/members?$skiptoken=2",
    },
    "/directoryRoles/r1/members?$skiptoken=2": {"value": [{**USER, "id": "ben"}]},
    "/directoryRoles/r2/members": {"value": [{**USER, "id": "ada"}, {**GROUP, "id": "desk"}]},
    "/groups/desk/transitiveMembers": {"value": [{**USER, "id": "cy"}]},
}


def test_holders_are_told_by_all_their_roles_over_pages_and_through_groups() -> None:
    client, asked = graph(lambda method, url, body: (200, PAGES[url]))
    assert roles.holders(client, "r") == {
        "ada": ["Global Administrator", "User Administrator"],
        "ben": ["Global Administrator"],
        "cy": ["User Administrator"],
        "desk": ["User Administrator"],
    }
    assert {method for method, _ in asked} == {"GET"}


@pytest.mark.parametrize("broken", [url for url in PAGES if url != "/directoryRoles"])
@pytest.mark.parametrize(
    "reply", [(403, {}), (500, None), (200, {"value": None}), (200, []), (200, {"value": [1]})], ids=str
)
def test_holders_are_told_all_or_not_at_all(broken: str, reply: tuple[int, Any]) -> None:
    client, _ = graph(lambda method, url, body: reply if url == broken else (200, PAGES[url]))
    with pytest.raises(OutsideError) as raised:
        roles.holders(client, "r")
    assert not getattr(raised.value, "sent", False) or "?" in broken


def test_the_check_tells_who_holds_a_role(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    found = connector(ground).check().facts["roles"]
    assert found[ground.administrator()] == ["Global Administrator"]
    assert not found.keys() & set(ground.plain())
    ground.close()


def test_without_the_right_the_check_does_not_know(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.sandbox.grant_consent(("User.Read.All", "Organization.Read.All"))
    assert connector(ground).check().facts["roles"] is None
    ground.close()
