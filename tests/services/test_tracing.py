"""Why something happened to a person in an app, or why nothing did: five steps, from what is known here."""

from typing import Any

import pytest

from provision.core.ports import Refused
from provision.core.steps import SAID, Step
from provision.core.vocabulary import Approval, ConnectorState, Lifecycle
from provision.house import House
from provision.services import outbox, users
from provision.services.errors import NotFound
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def steps(desk: Desk, number: int) -> dict[str, Step]:
    with desk.house.db.reading() as session:
        (found,) = users.trace(session, desk.tenant, desk.house.kinds, number)
    return {step.about: step for step in found.steps}


def said(desk: Desk, number: int) -> dict[str, str]:
    return {about: step.said for about, step in steps(desk, number).items()}


def test_somebody_in_line_is_told_so_with_every_step(desk: Desk) -> None:
    jane = desk.present("jane")
    assert said(desk, jane) == {
        "scope": "scope.yes", "match": "match.ours", "mapping": "mapping.rows", "sent": "sent.nothing",
        "answer": "answer.none",
    }  # fmt: skip


def test_an_edit_is_followed_from_waiting_to_confirmed(desk: Desk) -> None:
    jane = desk.present("jane")
    with desk.house.db.writing() as session:
        users.edit(session, desk.tenant, jane, {"surname": "Dahl"}, desk.order())
    waiting = steps(desk, jane)["sent"]
    assert waiting.said == "sent.waiting"
    assert waiting.pairs == (("Last Name", "Here", "Dahl"),)
    desk.drain()
    told = steps(desk, jane)
    assert (told["sent"].said, told["answer"].said) == ("sent.nothing", "answer.done")
    assert told["answer"].proof


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"features": {"create": True}}, "edit_off"),
        ({"state": ConnectorState.PAUSED}, "app_paused"),
        ({"state": ConnectorState.QUARANTINED}, "app_quarantined"),
    ],
)
def test_what_keeps_a_change_from_going_is_named(desk: Desk, change: dict[str, Any], code: str) -> None:
    jane = desk.present("jane")
    desk.change(jane, surname="Dahl")
    desk.connector(**change)
    scope = steps(desk, jane)["scope"]
    assert (scope.verdict, scope.remedy and scope.remedy.code) == ("no", code)


def test_somebody_without_an_account_is_told_why_none_is_made(desk: Desk) -> None:
    jane = desk.hire("jane")
    assert said(desk, jane)["sent"] == "sent.unplanned"
    desk.switch(create=False)
    told = steps(desk, jane)
    assert told["scope"].remedy is not None
    assert told["scope"].remedy.code == "create_off"
    assert told["match"].said == "match.none"
    desk.change(jane, lifecycle=Lifecycle.STAGED)
    assert said(desk, jane)["scope"] == "scope.nobody"


def test_a_strange_domain_is_named(desk: Desk) -> None:
    jane = desk.hire("jane", email="jane@elsewhere.example")
    scope = steps(desk, jane)["scope"]
    assert scope.remedy is not None
    assert scope.remedy.code == "domain_unverified"


def test_what_waits_for_a_person_and_what_was_declined_is_told(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(approval=Approval.REVIEW)
    desk.change(jane, surname="Dahl")
    desk.enqueue(jane)
    assert said(desk, jane)["sent"] == "sent.review"
    with desk.house.db.writing() as session:
        outbox.decline(session, desk.tenant, [desk.only(jane).id or 0], "ada", desk.clock())
    assert said(desk, jane)["sent"] == "sent.declined"


def test_a_refusal_comes_back_with_what_helps_and_the_request_that_met_it(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.there.befall(Refused("sign_in_name_refused", request_id="r-1"))
    desk.change(jane, surname="Dahl")
    desk.enqueue(jane)
    desk.drain()
    answer = steps(desk, jane)["answer"]
    assert (answer.verdict, answer.said, answer.proof) == ("no", "answer.failed", "r-1")
    assert answer.remedy is not None
    assert answer.remedy.code == "sign_in_name_refused"


def test_a_read_only_value_of_a_synced_person_is_told_as_such(desk: Desk) -> None:
    jane = desk.present("jane")
    with desk.house.db.writing() as session:
        account = desk.account(jane)
        account.standing = {"synced": True}
        session.add(account)
    desk.change(jane, surname="Dahl")
    sent = steps(desk, jane)["sent"]
    assert (sent.said, sent.remedy and sent.remedy.code) == ("sent.here", "set_by_directory_sync")


def test_looking_changes_nothing(desk: Desk) -> None:
    jane = desk.hire("jane")
    steps(desk, jane)
    assert desk.operations() == []


def test_another_tenants_person_is_not_there(desk: Desk, cast: Cast) -> None:
    jane = desk.present("jane")
    with desk.house.db.reading() as session, pytest.raises(NotFound):
        users.trace(session, cast.fabrikam, desk.house.kinds, jane)


def test_every_sentence_is_filled_by_its_blanks() -> None:
    blanks = dict.fromkeys(("user", "lifecycle", "app", "why", "do", "ours", "theirs", "n", "differ", "at"), "x")
    for key in SAID:
        assert "%(" not in Step("scope", "yes", key, blanks).sentence
