"""What a person chooses about drift: accept in, push back, leave alone, ask again."""

from datetime import timedelta
from typing import Any

import pytest

from provision.core.vocabulary import Approval, DriftChoice, OperationState, Situation
from provision.services import drift, outbox
from provision.services.errors import Conflict, NotFound, ServiceError
from tests.cast import Cast
from tests.services.drift.conftest import DriftDesk


@pytest.fixture
def kim(desk: DriftDesk) -> int:
    """Kim, whose job title and department were changed there."""
    number = desk.present("kim", title="Nurse", department="North")
    desk.elsewhere(number, jobTitle="Lead Nurse", department="South")
    desk.compare()
    return number


def _item(desk: DriftDesk, attribute: str) -> drift.Item:
    return next(item for item in desk.items() if item.attribute == attribute)


def _there(desk: DriftDesk, user_id: int) -> dict[str, Any]:
    return desk.there.people[desk.account(user_id).anchor or ""]


# -- Push back ---------------------------------------------------------------------------------------------------------


def test_pushing_back_puts_ours_there_through_the_outbox(desk: DriftDesk, kim: int) -> None:
    chosen = desk.choose("push", _item(desk, "jobTitle"))
    assert chosen.done == 1
    assert desk.only(kim).changes == {"jobTitle": ["Lead Nurse", "Nurse"]}
    desk.drain()
    assert (_there(desk, kim)["jobTitle"], _there(desk, kim)["department"]) == ("Nurse", "South")
    assert list(desk.drifts()) == ["department"]


def test_pushing_back_asks_first_in_review_mode(desk: DriftDesk, kim: int) -> None:
    desk.connector(approval=Approval.REVIEW)
    desk.choose("push", _item(desk, "jobTitle"))
    assert desk.only(kim).asks == "review"
    desk.drain()
    assert _there(desk, kim)["jobTitle"] == "Lead Nurse"


def test_pushing_back_is_refused_while_edit_user_is_off(desk: DriftDesk, kim: int) -> None:
    desk.switch(edit=False)
    with pytest.raises(ServiceError) as refused:
        desk.choose("push", _item(desk, "jobTitle"))
    assert refused.value.code == "edit_off"
    assert set(desk.drifts().values()) == {DriftChoice.OPEN}


def test_what_was_declined_once_may_be_pushed_back_by_choice(desk: DriftDesk, kim: int) -> None:
    desk.connector(approval=Approval.REVIEW)
    desk.choose("push", _item(desk, "jobTitle"))
    with desk.house.db.writing() as session:
        outbox.decline(session, desk.tenant, [desk.only(kim).id or 0], "ada", desk.clock())
    desk.compare()
    desk.choose("push", _item(desk, "jobTitle"))
    assert desk.only(kim).state == OperationState.PENDING


def test_pushing_back_is_told(desk: DriftDesk, kim: int) -> None:
    desk.choose("push", _item(desk, "jobTitle"))
    ((event, detail),) = desk.told("account.pushed_back")
    assert (event.actor, event.user_id) == ("ada", kim)
    assert (detail.before, detail.after) == ({"jobTitle": "Lead Nurse"}, {"jobTitle": "Nurse"})


# -- Accept in -----------------------------------------------------------------------------------------------------------


def test_accepting_takes_theirs_over_as_an_import_does(desk: DriftDesk, kim: int) -> None:
    before = desk.value(kim, "version")
    assert desk.choose("accept", _item(desk, "jobTitle")).done == 1
    assert (desk.value(kim, "title"), desk.value(kim, "department")) == ("Lead Nurse", "North")
    assert desk.value(kim, "origins")["title"][0] == desk.app
    assert desk.value(kim, "version") == before + 1
    ((event, detail),) = desk.told("user.updated")
    assert (event.actor, detail.before, detail.after) == ("ada", {"title": "Nurse"}, {"title": "Lead Nurse"})
    assert list(desk.drifts()) == ["department"]
    assert desk.chain_breaks_at() is None


def test_accepting_sends_nothing_to_the_app_it_came_from(desk: DriftDesk, kim: int) -> None:
    desk.choose("accept")
    desk.drain()
    assert desk.writes() == {}
    desk.compare()
    assert desk.drifts() == {}


def test_accepting_takes_over_nothing_that_was_not_chosen(desk: DriftDesk, kim: int) -> None:
    desk.elsewhere(kim, surname="Elsewhere")
    desk.compare()
    desk.choose("accept", _item(desk, "jobTitle"))
    assert desk.value(kim, "surname") == "Here"
    desk.clock.forward(minutes=5)
    desk.run()
    assert desk.value(kim, "surname") == "Elsewhere"


def test_accepting_an_empty_value_empties_ours(desk: DriftDesk, kim: int) -> None:
    desk.elsewhere(kim, jobTitle=None)
    desk.compare()
    desk.choose("accept", _item(desk, "jobTitle"))
    assert desk.value(kim, "title") is None


def test_what_nobody_is_without_cannot_be_accepted_empty(desk: DriftDesk) -> None:
    kim = desk.present("kim")
    desk.change(kim, given_name="Kimberly")
    desk.elsewhere(kim, givenName=None)
    desk.compare()
    desk.clock.forward(minutes=1)
    desk.run()
    (item,) = desk.items()
    assert item.bars == {"accept": "drift_cannot_be_empty"}
    with pytest.raises(ServiceError) as refused:
        desk.choose("accept", item)
    assert refused.value.code == "drift_cannot_be_empty"


def test_what_only_flows_out_is_left_out_of_many_and_counted(desk: DriftDesk, kim: int) -> None:
    desk.map("company", "companyName", direction="out")
    desk.change(kim, company="Contoso")
    desk.enqueue(kim)
    desk.drain()
    desk.elsewhere(kim, companyName="Somewhere")
    desk.compare()
    chosen = desk.choose("accept")
    assert (chosen.done, chosen.left) == (2, 1)
    assert list(desk.drifts()) == ["companyName"]


def test_an_address_that_is_somebody_elses_here_is_disputed_and_nobody_is_changed(desk: DriftDesk) -> None:
    desk.hire("lee")
    kim = desk.present("kim")
    desk.change(kim, email="kimberly@there.example")
    desk.elsewhere(kim, userPrincipalName="lee@there.example")
    desk.clock.forward(minutes=1)
    desk.compare()
    desk.run()
    (item,) = [item for item in desk.items() if item.attribute == "userPrincipalName"]
    chosen = desk.choose("accept", item)
    assert (chosen.done, chosen.disputed) == (0, 1)
    assert desk.value(kim, "email") == "kimberly@there.example"
    assert desk.account(kim).situation == Situation.DISPUTED


# -- Leave alone, ask again ------------------------------------------------------------------------------------------------


def test_left_alone_is_remembered_and_no_longer_asked(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave", _item(desk, "jobTitle"))
    desk.compare()
    assert desk.drifts() == {"jobTitle": DriftChoice.ALONE, "department": DriftChoice.OPEN}
    (item,) = desk.items(DriftChoice.ALONE)
    assert (item.chosen_by, item.theirs) == ("ada", "Lead Nurse")
    assert len(desk.told("account.left_alone")) == 1


def test_left_alone_is_never_pushed_by_another_edit(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave")
    desk.change(kim, given_name="Kimberly")
    desk.enqueue(kim)
    desk.drain()
    assert (_there(desk, kim)["givenName"], _there(desk, kim)["jobTitle"]) == ("Kimberly", "Lead Nurse")


def test_another_value_there_asks_again(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave")
    desk.elsewhere(kim, jobTitle="Matron")
    desk.compare()
    assert desk.drifts() == {"jobTitle": DriftChoice.OPEN, "department": DriftChoice.ALONE}


def test_a_new_value_of_ours_is_sent_although_the_old_one_was_left_alone(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave")
    desk.change(kim, title="Matron")
    desk.enqueue(kim)
    desk.drain()
    assert _there(desk, kim)["jobTitle"] == "Matron"
    desk.compare()
    assert desk.drifts() == {"department": DriftChoice.ALONE}


def test_what_was_left_alone_may_be_asked_again(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave")
    desk.choose("watch", *desk.items(DriftChoice.ALONE))
    assert set(desk.drifts().values()) == {DriftChoice.OPEN}


# -- What is not what was shown --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", list(drift.Answer))
def test_a_value_that_changed_since_it_was_shown_is_not_answered(desk: DriftDesk, kim: int, answer: str) -> None:
    shown = _item(desk, "jobTitle")
    desk.elsewhere(kim, jobTitle="Matron")
    desk.compare()
    with pytest.raises(Conflict) as changed:
        desk.choose(answer, shown)
    assert changed.value.code == "drift_changed"
    assert desk.operations() == []


def test_a_second_click_on_the_same_choice_does_nothing_more(desk: DriftDesk, kim: int) -> None:
    item = _item(desk, "jobTitle")
    desk.choose("push", item)
    with pytest.raises(NotFound):
        desk.choose("push", item)
    assert len(desk.operations(kim)) == 1


@pytest.mark.parametrize("answer", list(drift.Answer))
def test_what_is_in_line_again_is_dropped_whatever_was_chosen(desk: DriftDesk, kim: int, answer: str) -> None:
    item = _item(desk, "jobTitle")
    desk.change(kim, title="Lead Nurse")
    assert desk.choose(answer, item).done == 0
    assert "jobTitle" not in desk.drifts()
    assert desk.operations() == []


def test_another_tenant_cannot_choose(desk: DriftDesk, kim: int, cast: Cast) -> None:
    item = _item(desk, "jobTitle")
    with pytest.raises(NotFound), desk.house.db.writing() as session:
        drift.choose(session, cast.fabrikam, drift.Answer.PUSH, {item.id: None}, desk.order())
    assert desk.operations() == []


def test_hostile_values_are_told_as_they_are(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle='"><img src=x onerror=alert(1)>\n=cmd()')
    desk.compare()
    (item,) = desk.items()
    assert item.theirs == '"><img src=x onerror=alert(1)> =cmd()'
    desk.choose("accept", item)
    assert desk.value(kim, "title") == item.theirs
    assert desk.chain_breaks_at() is None


def test_choices_survive_their_moment(desk: DriftDesk, kim: int) -> None:
    desk.choose("leave")
    before = desk.items(DriftChoice.ALONE)
    desk.clock.forward(days=2)
    desk.compare()
    after = desk.items(DriftChoice.ALONE)
    assert [item.chosen_at for item in after] == [item.chosen_at for item in before]
    assert before[0].chosen_at == desk.clock() - timedelta(days=2, minutes=1)
