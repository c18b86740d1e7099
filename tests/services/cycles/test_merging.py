"""Both sides move: who wins, value by value, and what an emptied value waits for."""

import pytest
from sqlmodel import select

from provision.core.tables import Activation, Mapping
from tests import populate
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk


def test_what_moved_only_there_flows_in(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    directory.edit("ann", surname="Married")
    desk.run()
    assert desk.person("ann").surname == "Married"


@pytest.mark.parametrize(
    ("moved", "ends"), [({"userPrincipalName": "ann.new@there.example"}, True), ({"surname": "Married"}, False)]
)
def test_an_address_that_moved_there_ends_the_link_that_went_to_the_one_before(
    desk: Desk, directory: Directory, moved: dict[str, str], ends: bool
) -> None:
    directory.add("ann")
    desk.run()
    with desk.house.db.writing() as session:
        populate.link(session, desk.person("ann"), desk.clock())
    directory.edit("ann", **moved)
    desk.run()
    with desk.house.db.reading() as session:
        assert (session.exec(select(Activation.revoked_at)).one() is not None) == ends
    assert desk.actions()["activation.ended"] == ends
    assert desk.chain_breaks_at() is None


def test_what_moved_only_here_stays(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    desk.change_person("ann", surname="Here")
    directory.edit("ann", givenName="Anna")
    desk.run()
    assert (desk.person("ann").surname, desk.person("ann").given_name) == ("Here", "Anna")


def test_where_both_moved_ours_is_kept_and_theirs_is_told_once(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    desk.change_person("ann", surname="Here")
    directory.edit("ann", surname="Elsewhere")
    desk.run()
    desk.run(full=True)
    assert desk.person("ann").surname == "Here"
    assert desk.told("user.updated") == []
    ((_, detail),) = desk.told("user.kept")
    assert detail.text["kept"] == {"surname": ["Here", "Elsewhere"]}


def test_a_value_that_goes_empty_there_goes_empty_here_at_the_end(desk: Desk, directory: Directory) -> None:
    directory.add_many(12)
    desk.run()
    directory.edit("person003", surname=None)
    cycle = desk.run()
    assert cycle.counts["updated"] == 1
    assert desk.person("person003").surname is None
    ((_, detail),) = desk.told("user.updated")
    assert (detail.before, detail.after) == ({"surname": "There"}, {"surname": None})


def test_a_value_that_is_back_before_the_end_was_never_empty(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(20)
    desk.run()
    for anchor in anchors:
        directory.edit(anchor, surname=None)
    held = desk.run()
    assert held.state == "held"
    for anchor in anchors:
        directory.edit(anchor, surname="Back")
    cycle = desk.run()
    assert cycle.state == "done"
    assert {person.surname for person in desk.people().values()} == {"Back"}


def test_an_edit_here_while_the_brake_waits_is_not_emptied_by_allow(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(20)
    desk.run()
    for anchor in anchors:
        directory.edit(anchor, surname=None)
    held = desk.run()
    desk.change_person("person003", surname="Edited")
    desk.release(held, allow=True)
    assert desk.person("person003").surname == "Edited"
    assert desk.person("person004").surname is None


def test_a_value_emptied_and_rejected_is_asked_about_again(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(20)
    desk.run()
    for anchor in anchors:
        directory.edit(anchor, surname=None)
    desk.release(desk.run(), allow=False)
    again = desk.run()
    assert again.state == "held"
    assert {person.surname for person in desk.people().values()} == {"There"}
    for anchor in anchors:
        directory.edit(anchor, surname="There")
    assert desk.run().state == "done"
    assert {person.surname for person in desk.people().values()} == {"There"}


def test_while_one_value_waits_the_others_flow_twice(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(20)
    desk.run()
    for anchor in anchors:
        directory.edit(anchor, surname=None, givenName="Once")
    assert desk.run().state == "held"
    directory.edit("person003", givenName="Twice")
    desk.run()
    assert desk.person("person003").given_name == "Twice"
    assert desk.person("person003").surname == "There"


def test_people_can_be_told_apart_by_an_attribute_of_ones_own(desk: Desk, directory: Directory) -> None:
    number = desk.hire("x@here.example", extra={"badge": "B-7"})
    with desk.house.db.writing() as session:
        session.add(
            Mapping(
                tenant_id=desk.tenant, connector_id=desk.app, ours="extra.badge", theirs="employeeType", position=9,
                matching_priority=5,
            )
        )  # fmt: skip
    directory.add("ann", employeeType="B-7")
    directory.add("ben", employeeType="B-8")
    desk.run()
    assert desk.accounts()["ann"].user_id == number
    assert desk.person("ben").extra == {"badge": "B-8"}
