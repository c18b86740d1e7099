"""What a link needs of Microsoft besides setting a password: passes, the end of sessions, and when a password changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connectors.microsoft365.clouds import PORTALS, portal
from provision.core.ports import Expelling, Missing, OutsideError, Passing, Refused, Remembering, Unreachable
from tests.fakes.grounds import SandboxGround, connector

GOOD = "Loud-River-52-Ladder"


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[SandboxGround]:
    ground = SandboxGround(tmp_path, tls=False)
    ground.empower()
    yield ground
    ground.close()


def test_a_tenant_offers_all_three(ground: SandboxGround) -> None:
    target = connector(ground)
    assert isinstance(target, Remembering)
    assert isinstance(target, Passing)
    assert isinstance(target, Expelling)


def test_the_mark_moves_with_the_password_and_with_nothing_else(ground: SandboxGround) -> None:
    target, anchor = connector(ground), ground.plain()[0]
    before = target.password_mark(anchor)
    ground.edit(anchor, jobTitle="Bosun")
    assert target.password_mark(anchor) == before
    target.set_password(anchor, GOOD)
    assert target.password_mark(anchor) != before


def test_the_mark_is_asked_for_once(ground: SandboxGround) -> None:
    target, anchor = connector(ground), ground.plain()[0]
    target.password_mark(anchor)
    ground.strike("status", "GET", f"/users/{anchor}", status=503, code="x", message="away")
    with pytest.raises(Unreachable):
        target.password_mark(anchor)
    assert target.password_mark(anchor)


def test_a_pass_is_handed_out_and_the_next_one_is_another(ground: SandboxGround) -> None:
    target, anchor = connector(ground), ground.plain()[0]
    first, second = (target.access_pass(anchor, 60) for _ in range(2))
    assert first != second
    assert len(second) >= 8


def test_a_policy_without_passes_says_so(ground: SandboxGround) -> None:
    ground.sandbox.faults.turn(pass_policy=0)
    with pytest.raises(Refused) as raised:
        connector(ground).access_pass(ground.plain()[0], 60)
    assert raised.value.code == "passes_off"


def test_a_lifetime_outside_the_policy_says_so(ground: SandboxGround) -> None:
    with pytest.raises(Refused) as raised:
        connector(ground).access_pass(ground.plain()[0], 5)
    assert raised.value.code == "pass_lifetime"


def test_passes_need_a_right_of_their_own(ground: SandboxGround) -> None:
    anchor = ground.plain()[0]
    ground.sandbox.grant_consent(["User.Read.All", "Organization.Read.All"])
    ground.sandbox.expire_tokens()
    with pytest.raises(OutsideError) as raised:
        connector(ground).access_pass(anchor, 60)
    assert (raised.value.code, raised.value.params["permission"]) == (
        "permission_missing",
        "UserAuthMethod-TAP.ReadWrite.All",
    )


def test_sessions_end(ground: SandboxGround) -> None:
    target, anchor = connector(ground), ground.plain()[0]
    before = ground.person(anchor)
    target.end_sessions(anchor)
    after = ground.person(anchor)
    assert before is not None
    assert after is not None
    assert after["signInSessionsValidFromDateTime"] != before.get("signInSessionsValidFromDateTime")


@pytest.mark.parametrize("anchor", ["../me", "00000000-0000-4000-8000-000000000000", ""])
def test_nobody_is_nobody(ground: SandboxGround, anchor: str) -> None:
    target = connector(ground)
    for ask in (target.password_mark, target.end_sessions, lambda who: target.access_pass(who, 60)):
        with pytest.raises(Missing):
            ask(anchor)


def test_people_are_only_led_to_their_own_cloud() -> None:
    assert portal({"cloud": "china"}) == PORTALS["china"]
    assert portal({}) == PORTALS["global"]
    assert portal({"cloud": "custom"}) == ""
    assert portal({"cloud": "https://evil.example"}) == ""
    assert all(url.startswith(("https://", "/sandbox/")) for url in PORTALS.values())
