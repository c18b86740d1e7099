"""Whom an account belongs to: found by rule, doubted, or decided by a person."""

import pytest

from provision.core.vocabulary import Decision, Situation
from provision.services.errors import Conflict, NotFound, ServiceError
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk


def reason(desk: Desk, anchor: str) -> str:
    return str(desk.accounts()[anchor].verdict["reason"])


def test_the_same_address_links_whatever_its_case(desk: Desk, directory: Directory) -> None:
    number = desk.hire("Ann@There.example", given_name="Ann")
    directory.add("ann", userPrincipalName="ann@there.EXAMPLE")
    cycle = desk.run()
    assert (cycle.counts["linked"], cycle.counts["created"]) == (1, 0)
    assert desk.accounts()["ann"].user_id == number
    assert len(desk.told("account.linked")) == 1


def test_adopting_fills_what_is_empty_here_and_keeps_what_is_not(desk: Desk, directory: Directory) -> None:
    desk.hire("ann@there.example", given_name="Annie")
    directory.add("ann")
    desk.run()
    person = desk.person("ann")
    assert (person.given_name, person.surname) == ("Annie", "There")
    ((_, detail),) = desk.told("user.updated")
    assert detail.text["kept"] == {"given_name": ["Annie", "Ann"]}


def test_the_employee_id_is_asked_after_the_address(desk: Desk, directory: Directory) -> None:
    number = desk.hire("ann@old.example", employee_id="7")
    directory.add("ann", employeeId="7")
    desk.run()
    assert desk.accounts()["ann"].user_id == number
    assert desk.accounts()["ann"].verdict["rule"] == ["employee_id", "employeeId"]


def test_an_empty_value_matches_nobody(desk: Desk, directory: Directory) -> None:
    desk.hire(None, username="nameless", employee_id="")
    directory.add("ann", employeeId="")
    assert desk.run().counts["created"] == 1


def test_several_who_fit_are_a_question(desk: Desk, directory: Directory) -> None:
    desk.hire("a@here.example", employee_id="7")
    desk.hire("b@here.example", employee_id="7")
    directory.add("ann", employeeId="7")
    cycle = desk.run()
    assert (cycle.counts["disputed"], cycle.counts["created"], cycle.counts["linked"]) == (1, 0, 0)
    assert reason(desk, "ann") == "several"
    assert len(desk.rows()["ann"].candidates) == 2


def test_a_rule_that_finds_somebody_else_is_a_question(desk: Desk, directory: Directory) -> None:
    desk.hire("ann@there.example")
    desk.hire("b@here.example", employee_id="7")
    directory.add("ann", employeeId="7")
    desk.run()
    assert reason(desk, "ann") == "contradiction"


def test_somebody_who_has_an_account_here_is_taken(desk: Desk, directory: Directory) -> None:
    desk.hire("ann@there.example", employee_id="7")
    directory.add("ann", employeeId="7")
    desk.run()
    directory.add("ann-admin", employeeId="7")
    desk.run()
    assert desk.situations() == {"ann": Situation.LINKED, "ann-admin": Situation.DISPUTED}
    assert reason(desk, "ann-admin") == "taken"


@pytest.mark.parametrize("between", [0, 20])
def test_the_first_of_two_rivals_is_nobody_on_one_page_or_pages_apart(
    desk: Desk, directory: Directory, between: int
) -> None:
    desk.hire("ann@here.example", employee_id="7")
    directory.add("ann-admin", employeeId="7")
    directory.add_many(between)
    directory.add("ann", employeeId="7")
    cycle = desk.run()
    assert (cycle.counts["linked"], cycle.counts["disputed"]) == (0, 2)
    assert {reason(desk, anchor) for anchor in ("ann", "ann-admin")} == {"rivals"}
    assert len(desk.told("account.disputed")) == 2


def test_a_rival_who_goes_leaves_the_other_certain(desk: Desk, directory: Directory) -> None:
    number = desk.hire("ann@here.example", employee_id="7")
    directory.add("ann-admin", employeeId="7")
    directory.add("ann", employeeId="7")
    desk.run()
    directory.remove("ann-admin")
    desk.run()
    assert desk.accounts()["ann"].user_id == number


def test_a_decision_beats_a_rival(desk: Desk, directory: Directory) -> None:
    number = desk.hire("ann@here.example", employee_id="7")
    directory.add("ann-admin", employeeId="7")
    directory.add("ann", employeeId="7")
    desk.run(preview=True)
    desk.decide("ann", Decision.EXISTING, number)
    desk.run()
    assert desk.accounts()["ann"].user_id == number
    assert (desk.situations()["ann-admin"], reason(desk, "ann-admin")) == (Situation.DISPUTED, "taken")


def test_two_newcomers_with_one_address_are_both_asked_about(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    directory.add("ann2", userPrincipalName="ANN@there.example")
    cycle = desk.run()
    assert (cycle.counts["disputed"], cycle.counts["created"]) == (2, 0)
    assert reason(desk, "ann") == "clash"


def test_an_address_that_is_somebody_elses_waits_and_comes_when_it_is_free(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    directory.add("ben")
    desk.run()
    directory.edit("ben", userPrincipalName="ann@there.example", surname="Moved")
    desk.run()
    assert desk.situations()["ben"] == Situation.DISPUTED
    assert desk.accounts()["ben"].user_id == desk.person("ben").id
    directory.edit("ann", userPrincipalName="ann.new@there.example")
    desk.run()
    assert desk.situations()["ben"] == Situation.LINKED
    assert desk.person("ann").surname == "Moved"
    assert len(desk.people()) == 2


def test_new_adds_a_person_although_somebody_fits(desk: Desk, directory: Directory) -> None:
    desk.hire("ann@here.example", employee_id="7")
    directory.add("ann", employeeId="7")
    desk.run(preview=True)
    desk.decide("ann", Decision.NEW)
    assert (desk.counts().new, desk.counts().exact) == (1, 0)
    assert desk.run().counts["created"] == 1
    assert len(desk.people()) == 2


def test_existing_links_to_whom_a_person_chose(desk: Desk, directory: Directory) -> None:
    number = desk.hire("somebody@here.example")
    directory.add("ann")
    desk.run(preview=True)
    desk.decide("ann", Decision.EXISTING, number)
    assert desk.rows()["ann"].what == "exact"
    cycle = desk.run()
    assert (cycle.counts["linked"], cycle.counts["created"]) == (1, 0)
    assert desk.accounts()["ann"].user_id == number


def test_a_choice_is_dropped_when_that_person_left_meanwhile(desk: Desk, directory: Directory) -> None:
    number = desk.hire("ben@there.example")
    directory.add("ann")
    desk.run(preview=True)
    desk.decide("ann", Decision.EXISTING, number)
    desk.change_person("ben", lifecycle="left")
    desk.run()
    assert desk.accounts()["ann"].user_id == desk.person("ann").id != number


def test_ignored_stays_ignored_through_changes_and_returns(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    directory.add("ben")
    desk.run(preview=True)
    desk.decide("ann", Decision.IGNORE)
    assert (desk.counts().ignored, desk.counts().new) == (1, 1)
    assert desk.run().counts["created"] == 1
    directory.edit("ann", surname="Changed")
    desk.run()
    assert desk.situations()["ann"] == Situation.IGNORED
    values = directory.people["ann"]
    directory.remove("ann")
    desk.run()
    assert desk.situations()["ann"] == Situation.GONE
    directory.add("ann", **values)
    desk.run()
    assert desk.situations()["ann"] == Situation.IGNORED
    assert set(desk.people()) == {"ben@there.example"}


def test_exact_takes_an_ignored_account_back_into_the_rules(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run(preview=True)
    desk.decide("ann", Decision.IGNORE)
    desk.run()
    desk.decide("ann", Decision.EXACT)
    assert desk.counts().new == 1
    assert desk.run().counts["created"] == 1


def test_a_guest_left_alone_comes_in_when_somebody_says_so(desk: Desk, directory: Directory) -> None:
    desk.change_connector(scope={"guests": "leave"})
    directory.add("gus", userType="Guest")
    desk.run()
    desk.decide("gus", Decision.NEW)
    assert desk.run().counts["created"] == 1


def test_nothing_can_be_decided_about_somebodys_account(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    directory.add("ben")
    desk.run()
    with pytest.raises(Conflict, match="account_linked"):
        desk.decide("ann", Decision.IGNORE)
    directory.edit("ben", userPrincipalName="ann@there.example")
    desk.run()
    with pytest.raises(Conflict, match="account_linked"):
        desk.decide("ben", Decision.NEW)


def test_a_choice_must_name_somebody_free(desk: Desk, directory: Directory) -> None:
    gone = desk.hire("ben@there.example", lifecycle="left")
    directory.add("ann")
    desk.run()
    directory.add("new")
    desk.run(preview=True)
    with pytest.raises(ServiceError, match="choose_person"):
        desk.decide("new", Decision.EXISTING)
    with pytest.raises(NotFound, match="user_not_found"):
        desk.decide("new", Decision.EXISTING, gone)
    with pytest.raises(Conflict, match="person_has_account"):
        desk.decide("new", Decision.EXISTING, desk.person("ann").id)


def test_preview_rows_and_counts_tell_the_same(desk: Desk, directory: Directory) -> None:
    desk.hire("exact@there.example")
    desk.hire("a@here.example", employee_id="7")
    desk.hire("b@here.example", employee_id="7")
    directory.add("same")
    directory.add("changed")
    directory.add("gone")
    desk.run()
    for anchor in ("new", "exact", "ignored"):
        directory.add(anchor)
    directory.add("disputed", employeeId="7")
    directory.edit("changed", surname="Married")
    directory.remove("gone")
    desk.run(preview=True)
    desk.decide("ignored", Decision.IGNORE)
    counts = desk.counts()
    for name in ("new", "exact", "changed", "gone", "disputed", "ignored", "same"):
        assert set(desk.rows(name)) == {name}
        assert getattr(counts, name) == 1
        assert desk.rows(name)[name].what == name
    assert len(desk.rows()) == counts.different == 5


def test_a_preview_shows_the_value_that_would_become_empty(desk: Desk, directory: Directory) -> None:
    directory.add("ann", surname="Example")
    desk.run()
    directory.edit("ann", surname=None)
    desk.run(preview=True)
    row = desk.rows()["ann"]
    assert (row.changes, row.empties) == ({"surname": ("Example", None)}, ["surname"])
