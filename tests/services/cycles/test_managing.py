"""Whom people report to, read from an app: by id, at the end of a walk, merged like everything else and braked."""

import uuid
from typing import Any

import sqlalchemy as sa
from sqlmodel import select

from provision.core.ports import MANAGER, Write
from provision.core.tables import Account, User
from provision.core.vocabulary import CycleState, OperationKind
from provision.house import House
from tests import office
from tests.cast import Cast
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk


def boss_of(desk: Desk, anchor: str) -> str | None:
    """The address of somebody's manager here."""
    people = {row.id: row.email for row in desk.people().values()}
    number = desk.person(anchor).manager_id
    return people[number] if number else None


def company(directory: Directory, reports: int = 3) -> None:
    """The reports come before their boss, pages apart."""
    for number in range(reports):
        directory.add(f"r{number}", **{MANAGER: "boss"})
    directory.add("boss", **{MANAGER: None})


def test_a_manager_who_comes_pages_later_than_the_report_is_found(desk: Desk, directory: Directory) -> None:
    directory.page_size = 1
    company(directory)
    desk.run()
    assert {boss_of(desk, f"r{number}") for number in range(3)} == {"boss@there.example"}
    assert boss_of(desk, "boss") is None


def test_the_app_is_asked_for_managers(desk: Desk, directory: Directory) -> None:
    desk.run()
    assert MANAGER in directory.asked[0][2]


def test_who_is_added_with_a_manager_is_not_counted_as_changed_too(desk: Desk, directory: Directory) -> None:
    company(directory)
    counts = desk.run().counts
    assert counts["created"] == counts["seen"]
    assert counts["updated"] == 0


def test_a_second_run_writes_no_row_of_anybody(desk: Desk, directory: Directory) -> None:
    company(directory)
    desk.run()
    for full in (False, True):
        with desk.written() as rows:
            desk.run(full=full)
        assert (rows["users"], rows["accounts"]) == (0, 0)


def test_a_manager_who_changed_there_changes_here_and_is_told(desk: Desk, directory: Directory) -> None:
    company(directory)
    directory.add("other", **{MANAGER: None})
    desk.run()
    directory.edit("r0", **{MANAGER: "other"})
    desk.clock.forward(minutes=5)
    cycle = desk.run()
    assert boss_of(desk, "r0") == "other@there.example"
    assert cycle.counts["updated"] == 1
    told = [detail for _, detail in desk.told("user.updated") if "manager_id" in detail.after]
    assert told[-1].after == {"manager_id": desk.person("other").id}


def test_a_manager_who_arrives_a_run_later_is_filled_in_then(desk: Desk, directory: Directory) -> None:
    directory.add("r0", **{MANAGER: "boss"})
    desk.run()
    assert boss_of(desk, "r0") is None
    directory.add("boss", **{MANAGER: None})
    desk.run()
    assert boss_of(desk, "r0") == "boss@there.example"


def test_an_edit_here_meanwhile_is_ours_and_the_other_one_is_told(desk: Desk, directory: Directory) -> None:
    company(directory)
    directory.add("other", **{MANAGER: None})
    directory.add("third", **{MANAGER: None})
    desk.run()
    desk.change_person("r0", manager_id=desk.person("other").id)
    directory.edit("r0", **{MANAGER: "third"})
    desk.run()
    assert boss_of(desk, "r0") == "other@there.example"
    kept = [detail.text["kept"] for _, detail in desk.told("user.kept")]
    assert kept == [{"manager_id": [desk.person("other").id, desk.person("third").id]}]


def test_somebody_here_before_keeps_the_manager_they_have(desk: Desk, directory: Directory) -> None:
    boss = desk.hire("chief@here.example")
    desk.hire("r0@there.example", manager_id=boss)
    company(directory, 1)
    desk.run()
    assert boss_of(desk, "r0") == "chief@here.example"


def test_one_that_went_empty_there_goes_empty_here(desk: Desk, directory: Directory) -> None:
    company(directory)
    desk.run()
    directory.edit("r0", **{MANAGER: None})
    assert desk.run().state == CycleState.DONE
    assert boss_of(desk, "r0") is None
    with desk.written() as rows:
        desk.run(full=True)
    assert rows["users"] == 0


def test_when_all_of_them_go_empty_the_brake_asks_and_nobody_is_changed(desk: Desk, directory: Directory) -> None:
    company(directory, 30)
    desk.run()
    for number in range(30):
        directory.edit(f"r{number}", **{MANAGER: None})
    cycle = desk.run()
    assert cycle.state == CycleState.HELD
    assert boss_of(desk, "r0") == "boss@there.example"
    desk.release(cycle, allow=True)
    assert boss_of(desk, "r0") is None


def test_a_preview_moves_nobody(desk: Desk, directory: Directory) -> None:
    company(directory)
    desk.run(preview=True)
    with desk.house.db.reading() as session:
        assert session.scalar(select(sa.func.count()).select_from(User)) == 0


def test_a_circle_of_one_and_a_stranger_are_left_alone(desk: Desk, directory: Directory) -> None:
    directory.add("self", **{MANAGER: "self"})
    directory.add("lost", **{MANAGER: "nobody-here"})
    desk.run()
    assert (boss_of(desk, "self"), boss_of(desk, "lost")) == (None, None)


def test_what_is_no_id_costs_nobody_anything(desk: Desk, directory: Directory) -> None:
    strange: list[Any] = ["", "x" * 5000, "'; DROP TABLE users; --", "\u202e", 7]
    for number, value in enumerate(strange):
        directory.add(f"r{number}", **{MANAGER: value})
    assert desk.run().counts["failed"] == 0
    assert len(desk.people()) == len(strange)


def test_the_managers_of_a_real_tenant_come_along_and_a_change_there_follows(house: House, cast: Cast) -> None:
    app = office.imported(house, cast.contoso)
    with house.sandbox().store.reading() as db:
        there = dict(db.execute("SELECT id, manager FROM managers").fetchall())
    assert there
    here = bosses(house)
    assert here == {report: boss for report, boss in there.items() if report in here or boss in here}
    report, other = next(iter(there)), next(one for one in there if one != next(iter(there)))
    port: Any = house.connect(office.of(house, cast.contoso, app))
    (moved,) = port.carry([Write(OperationKind.UPDATE, report, str(uuid.uuid4()), manager=other, moves_manager=True)])
    assert moved.error is None
    office.run(house, cast.contoso, app)
    assert bosses(house)[report] == other
    (cleared,) = port.carry([Write(OperationKind.UPDATE, report, str(uuid.uuid4()), manager=None, moves_manager=True)])
    assert cleared.error is None
    office.run(house, cast.contoso, app)
    assert report not in bosses(house)


def bosses(house: House) -> dict[str, str]:
    """Whose account reports to whose, as people here have it."""
    with house.db.reading() as session:
        anchors = {row.user_id: row.anchor or "" for row in session.exec(select(Account)).all() if row.user_id}
        people = session.exec(select(User)).all()
    return {anchors[row.id]: anchors[row.manager_id] for row in people if row.manager_id and row.id in anchors}
