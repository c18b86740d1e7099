"""Whom a link can help, judged by named situations."""

import pytest

from provision.core.onboarding import Recipient
from provision.core.protection import Protection
from provision.core.reaching import Door, address_of, judge, lacking
from provision.core.vocabulary import Lifecycle, Offer, Situation


def door(**changes: object) -> Door:
    given = {"situation": Situation.LINKED, "exists": True, "enabled": True, "protection": Protection(), **changes}
    return Door(app="Office 365", **given)  # type: ignore[arg-type]


def code(
    *doors: Door, lifecycle: Lifecycle = Lifecycle.ACTIVE, addressed: bool = True, offer: Offer = Offer.PASSWORD
) -> str | None:
    return judge(lifecycle, doors, addressed=addressed, offer=offer).code


def test_somebody_with_an_ordinary_account_and_an_address_is_helped() -> None:
    assert judge(Lifecycle.ACTIVE, [door()], addressed=True).code is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"protection": Protection(federated=True)}, "password_federated"),
        ({"protection": Protection(synced=True)}, "password_synced"),
        ({"protection": Protection(why="holds_role", roles=("Global Administrator",))}, "password_holds_role"),
        ({"protection": Protection(why="break_glass")}, "password_break_glass"),
        ({"guest": True}, "activation_guest"),
        ({"stopped": True}, "app_quarantined"),
        ({"lacks": "User Administrator"}, "activation_right_missing"),
        ({"enabled": False}, "activation_disabled_there"),
        ({"situation": Situation.GONE}, "activation_no_account"),
        ({"situation": Situation.ABSENT, "exists": False}, "activation_no_account"),
    ],
)
def test_what_stands_against_a_password_is_told_before_anything_is_sent(
    changes: dict[str, object], expected: str
) -> None:
    assert code(door(**changes)) == expected


def test_without_any_account_there_is_nothing_to_set() -> None:
    assert code() == "activation_no_account"


def test_an_account_under_way_lets_the_mail_wait() -> None:
    found = judge(
        Lifecycle.ACTIVE, [door(situation=Situation.ABSENT, exists=False, enabled=None, coming=True)], addressed=True
    )
    assert (found.code, found.waits) == (None, True)


def test_one_account_that_takes_a_password_is_enough() -> None:
    assert code(door(protection=Protection(federated=True)), door()) is None


def test_who_left_or_is_suspended_gets_no_link_whatever_their_accounts() -> None:
    assert code(door(), lifecycle=Lifecycle.LEFT) == "activation_left"
    assert code(door(), lifecycle=Lifecycle.SUSPENDED) == "activation_suspended"


def test_an_address_is_needed_only_where_a_link_would_help() -> None:
    assert code(door(), addressed=False) == "activation_no_address"
    assert code(door(protection=Protection(synced=True)), addressed=False) == "password_synced"


def test_a_pass_helps_synced_people_too_and_federated_ones_never() -> None:
    assert code(door(protection=Protection(synced=True)), offer=Offer.PASS) is None
    assert code(door(protection=Protection(federated=True)), offer=Offer.PASS) == "password_federated"


def test_a_right_is_lacking_when_a_check_missed_it_and_not_when_nobody_could_tell() -> None:
    rights = [{"name": "A", "state": "granted"}, {"name": "B", "state": "missing"}, {"name": "C", "state": "unused"}]
    assert lacking(rights, ["A", "B"], known=True) == "B"
    assert lacking(rights, ["A"], known=True) == ""
    assert lacking(rights, ["C"], known=True) == "C"
    assert lacking(rights, ["C", "D"], known=False) == ""


def test_mail_goes_where_the_tenant_chose_and_nowhere_else() -> None:
    given = {"private": "home@mail.example", "manager": "boss@here.example", "primary": "me@here.example"}
    assert address_of(Recipient.PRIVATE, **given, mailbox=True) == "home@mail.example"
    assert address_of(Recipient.MANAGER, **given, mailbox=True) == "boss@here.example"
    assert address_of(Recipient.PRIMARY, **given, mailbox=True) == "me@here.example"
    assert address_of(Recipient.PRIMARY, **given, mailbox=False) is None
    assert address_of(Recipient.PRIVATE, **{**given, "private": ""}, mailbox=True) is None
