"""How Microsoft 365 is searched: by whom, by what, and what of it needs eventual consistency."""

from pathlib import Path

import pytest

from provision.core.ports import Target
from tests.fakes.grounds import MAPPED, Ground, SandboxGround, UnrulyGround, connector
from tests.fakes.misdeeds import exercise


def test_the_connector_fits_the_port(ground: Ground) -> None:
    assert isinstance(connector(ground), Target)


@pytest.mark.parametrize(
    "key",
    [
        {"anchor": "00000000-0000-4000-8000-000000000000"},
        {"anchor": "../organization"},
        {"anchor": ""},
        {"userPrincipalName": "nobody@nowhere.example"},
        {"userPrincipalName": "o'brien@nowhere.example' or startswith(userPrincipalName,'a') or 'x' eq '"},
        {"employeeId": "A&$top=1#%26"},
        {"employeeId": ""},
    ],
    ids=str,
)
def test_nobody_is_found_where_nobody_is(ground: Ground, key: dict[str, str]) -> None:
    ground.clock.sleep(200)
    assert connector(ground).find(MAPPED, **key) is None


def test_a_name_with_an_apostrophe_finds_its_owner(ground: Ground) -> None:
    anchor = ground.add(givenName="Niamh", surname="O'Brien", employeeId="O'B+1 & co")
    ground.clock.sleep(200)
    found = connector(ground).find(MAPPED, employeeId="O'B+1 & co")
    assert found is not None
    assert found.anchor == anchor


def test_a_newcomer_who_is_not_visible_yet_is_not_found_and_then_is(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.sandbox.faults.turn(lag_get=120, lag_list=120)
    anchor = ground.add(givenName="New", surname="Comer")
    target = connector(ground)
    assert target.find(MAPPED, anchor=anchor) is None
    ground.clock.sleep(121)
    assert target.find(MAPPED, anchor=anchor) is not None
    ground.close()


def test_a_create_whose_answer_gets_lost_is_sent_once_and_found_later(tmp_path: Path) -> None:
    ground = UnrulyGround(tmp_path)
    exercise(ground)
    assert ground.fake.deeds["lost_answer"] == 1
    assert ground.fake.deeds["late_404"] == 1
