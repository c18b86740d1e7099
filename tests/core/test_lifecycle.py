"""Lifecycle moves, and what an import and a vanished account make of a person."""

import pytest

from provision.core.lifecycle import MOVES, after_import, may_become, when_gone
from provision.core.vocabulary import Lifecycle, WhenGone

STAGED, ACTIVE, SUSPENDED, LEFT = Lifecycle


@pytest.mark.parametrize(
    ("now", "then", "allowed"),
    [
        (STAGED, ACTIVE, True),
        (STAGED, SUSPENDED, True),
        (STAGED, LEFT, True),
        (ACTIVE, STAGED, False),
        (ACTIVE, SUSPENDED, True),
        (ACTIVE, LEFT, True),
        (SUSPENDED, STAGED, False),
        (SUSPENDED, ACTIVE, True),
        (SUSPENDED, LEFT, True),
        (LEFT, STAGED, True),
        (LEFT, ACTIVE, True),
        (LEFT, SUSPENDED, True),
    ],
)
def test_a_move_is_allowed_or_not(now: Lifecycle, then: Lifecycle, allowed: bool) -> None:
    assert may_become(now, then) is allowed


@pytest.mark.parametrize("standing", list(Lifecycle))
def test_staying_is_no_move_and_every_standing_has_a_way_on(standing: Lifecycle) -> None:
    assert not may_become(standing, standing)
    assert MOVES[standing]


@pytest.mark.parametrize(("enabled", "begins"), [(True, ACTIVE), (None, ACTIVE), (False, SUSPENDED)])
def test_only_an_account_disabled_there_begins_suspended(enabled: bool | None, begins: Lifecycle) -> None:
    assert after_import(enabled) is begins


@pytest.mark.parametrize(
    ("setting", "now", "then"),
    [
        *((WhenGone.KEEP, standing, None) for standing in Lifecycle),
        (WhenGone.SUSPEND, STAGED, SUSPENDED),
        (WhenGone.SUSPEND, ACTIVE, SUSPENDED),
        (WhenGone.SUSPEND, SUSPENDED, None),
        (WhenGone.SUSPEND, LEFT, None),
        (WhenGone.LEAVE, STAGED, LEFT),
        (WhenGone.LEAVE, ACTIVE, LEFT),
        (WhenGone.LEAVE, SUSPENDED, LEFT),
        (WhenGone.LEAVE, LEFT, None),
    ],
)
def test_the_setting_decides_about_a_vanished_person(setting: WhenGone, now: Lifecycle, then: Lifecycle | None) -> None:
    assert when_gone(setting, now) is then
    assert then is None or may_become(now, then)
