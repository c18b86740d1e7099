"""What every target promises beyond a source: the reading half."""

from pathlib import Path

import pytest

from provision.core.ports import Refused, Target, Throttled, Unauthorised, Unreachable
from tests.fakes.grounds import MAPPED, Ground, SandboxGround, UnrulyGround, connector
from tests.fakes.misdeeds import exercise


def test_the_connector_fits_the_port(ground: Ground) -> None:
    assert isinstance(connector(ground), Target)


def test_a_person_is_found_by_their_anchor(ground: Ground) -> None:
    ground.clock.sleep(200)
    anchor, values = next(iter(ground.truth().items()))
    found = connector(ground).find(MAPPED, anchor=anchor)
    assert found is not None
    assert (found.anchor, found.values) == (anchor, values)


def test_a_person_is_found_by_a_unique_attribute(ground: Ground) -> None:
    ground.clock.sleep(200)
    for anchor, values in list(ground.truth().items())[:5]:
        found = connector(ground).find(MAPPED, userPrincipalName=values["userPrincipalName"])
        assert found is not None
        assert (found.anchor, found.values) == (anchor, values)


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


def test_the_first_of_several_is_nobody(ground: Ground) -> None:
    for name in ("One", "Two"):
        ground.add(givenName=name, surname="Twin", employeeId="4711")
    ground.clock.sleep(200)
    with pytest.raises(Refused) as raised:
        connector(ground).find(MAPPED, employeeId="4711")
    assert (raised.value.code, raised.value.params["attribute"]) == ("found_several", "employeeId")


def test_what_cannot_be_searched_is_refused_before_a_call(ground: Ground) -> None:
    with pytest.raises(Refused) as raised:
        connector(ground, transport=None, login_url="https://127.0.0.1:1").find(MAPPED, aboutMe="x")
    assert raised.value.code == "not_findable"


@pytest.mark.parametrize("key", [{}, {"anchor": "a", "mail": "b"}, {"mail": "a", "employeeId": "b"}], ids=str)
def test_exactly_one_key_is_asked_for(ground: Ground, key: dict[str, str]) -> None:
    with pytest.raises(TypeError):
        connector(ground).find(MAPPED, **key)


def test_a_removed_person_is_not_found(ground: Ground) -> None:
    ground.clock.sleep(200)
    anchor = ground.plain()[0]
    ground.remove(anchor)
    assert connector(ground).find(MAPPED, anchor=anchor) is None


def test_a_request_to_wait_carries_its_time(ground: Ground) -> None:
    ground.befall("throttle", retry_after=5)
    with pytest.raises(Throttled) as raised:
        connector(ground).find(MAPPED, userPrincipalName="x@y.example")
    assert raised.value.after == 5


def test_a_wrong_secret_is_unauthorised(ground: Ground) -> None:
    with pytest.raises(Unauthorised):
        connector(ground, secret="not~the~secret").find(MAPPED, anchor="00000000-0000-4000-8000-000000000000")


def test_html_is_unreachable_and_not_nobody(ground: Ground) -> None:
    ground.befall("html")
    with pytest.raises(Unreachable) as raised:
        connector(ground).find(MAPPED, userPrincipalName="x@y.example")
    assert raised.value.code == "unexpected_reply"


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
