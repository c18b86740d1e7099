"""People arrive, stay as they are, change, and are told apart by how they arrived."""

from sqlmodel import select

from provision.core.tables import Account, Mapping
from provision.core.vocabulary import CycleKind, CycleState, Direction, Owner, Situation
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk, app_of

PERSONAL = ("users", "accounts", "mappings", "operations")


def test_a_first_import_creates_everybody(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    cycle = desk.run()
    assert (cycle.state, cycle.kind) == (CycleState.DONE, CycleKind.INITIAL)
    assert cycle.counts["seen"] == cycle.counts["created"] == len(desk.people()) == 10
    assert cycle.counts["pages"] == 3
    person = desk.person("person003")
    assert (person.given_name, person.surname, person.username) == ("Person003", "There", "person003")
    assert person.origins["email"][0] == desk.app


def test_every_count_has_a_number(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    counts = desk.run().counts
    names = {"seen", "created", "linked", "updated", "unchanged", "suspended", "disputed", "failed", "gone", "pages"}
    assert names <= set(counts)
    assert all(isinstance(value, int) for value in counts.values())


def test_everybody_who_arrives_gets_an_event_with_name_and_address(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    ((event, detail),) = desk.told("user.created")
    assert event.user_id == desk.person("ann").id
    assert event.account_id == desk.accounts()["ann"].id
    assert detail.names == {"user": "Ann There", "address": "ann@there.example", "app": "Office 365"}
    assert detail.after["given_name"] == "Ann"
    assert desk.chain_breaks_at() is None


def test_a_second_import_asks_only_for_what_changed(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    first = desk.run()
    second = desk.run()
    assert second.kind == CycleKind.INCREMENTAL
    assert directory.asked[1][0] == first.watermark_after
    assert second.counts["seen"] == 0


def test_an_unchanged_full_run_writes_nobody(desk: Desk, directory: Directory) -> None:
    directory.add_many(10)
    desk.run()
    before = desk.actions()
    with desk.written() as rows:
        cycle = desk.run(full=True)
    assert cycle.counts["unchanged"] == cycle.counts["seen"] == 10
    assert not any(rows[table] for table in PERSONAL)
    assert desk.actions() - before == {"cycle.started": 1, "cycle.done": 1}


def test_an_unchanged_run_over_open_questions_writes_nobody_either(desk: Desk, directory: Directory) -> None:
    desk.hire("ann@there.example", employee_id="7")
    directory.add_many(6)
    directory.add("jan", employeeId="7")
    directory.add("jan-admin", employeeId="7")
    directory.add("guest", userType="Guest")
    desk.change_connector(scope={"guests": "leave"})
    desk.run()
    assert desk.situations()["jan"] == Situation.DISPUTED
    for options in ({"full": True}, {}, {"preview": True}, {"full": True}):
        with desk.written() as rows:
            desk.run(**options)
        assert not any(rows[table] for table in PERSONAL), options


def test_an_unchanged_run_over_somebody_edited_here_writes_nobody(desk: Desk, directory: Directory) -> None:
    directory.add_many(6)
    desk.run()
    desk.change_person("person003", surname="Ours")
    for options in ({}, {"full": True}):
        with desk.written() as rows:
            desk.run(**options)
        assert not any(rows[table] for table in PERSONAL), options
    assert desk.person("person003").surname == "Ours"


def test_ten_changes_write_those_ten(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(40)
    desk.run()
    for anchor in anchors[5:15]:
        directory.edit(anchor, surname="Married")
    with desk.written() as rows:
        cycle = desk.run()
    assert cycle.counts["updated"] == rows["users"] == rows["accounts"] == 10
    assert desk.person("person005").surname == "Married"
    assert len(desk.told("user.updated")) == 10


def test_a_change_that_nothing_maps_touches_the_account_alone(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    directory.edit("ann", accountEnabled=False)
    with desk.written() as rows:
        cycle = desk.run()
    assert (rows["users"], rows["accounts"]) == (0, 1)
    assert cycle.counts["unchanged"] == 1
    assert desk.accounts()["ann"].enabled is False


def test_whoever_is_disabled_there_begins_suspended(desk: Desk, directory: Directory) -> None:
    directory.add("ann", accountEnabled=False)
    directory.add("ben")
    cycle = desk.run()
    assert desk.person("ann").lifecycle == "suspended"
    assert desk.person("ben").lifecycle == "active"
    assert cycle.counts["suspended"] == 1


def test_disabling_somebody_later_does_not_move_them(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    directory.edit("ann", accountEnabled=False)
    desk.run()
    assert desk.person("ann").lifecycle == "active"


def test_guests_are_imported_unless_the_app_leaves_them(desk: Desk, directory: Directory) -> None:
    directory.add("gus", userType="Guest")
    desk.run()
    assert "gus@there.example" in desk.people()


def test_guests_that_are_left_alone_are_no_news(desk: Desk, directory: Directory) -> None:
    desk.change_connector(scope={"guests": "leave"})
    directory.add("gus", userType="Guest")
    directory.add("ann")
    preview = desk.run(preview=True)
    assert preview.counts["left_alone"] == 1
    assert (desk.counts().new, desk.counts().same) == (1, 1)
    assert desk.run().counts["created"] == 1
    assert set(desk.people()) == {"ann@there.example"}


def test_a_preview_observes_and_takes_nobody_over(desk: Desk, directory: Directory) -> None:
    directory.add_many(6)
    with desk.written() as rows:
        cycle = desk.run(preview=True)
    assert rows["users"] == 0
    assert rows["accounts"] == 6
    assert (cycle.counts["seen"], cycle.counts["created"]) == (6, 0)
    assert desk.counts().new == desk.counts().certain == 6


def test_an_import_after_a_preview_takes_over_what_was_seen(desk: Desk, directory: Directory) -> None:
    directory.add_many(6)
    desk.run(preview=True)
    cycle = desk.run()
    assert (cycle.kind, cycle.counts["seen"], cycle.counts["created"]) == (CycleKind.INCREMENTAL, 0, 6)
    assert desk.counts().same == 6


def test_only_the_chosen_are_taken_over(desk: Desk, directory: Directory) -> None:
    directory.add_many(6)
    desk.run(preview=True)
    chosen = [desk.accounts()[anchor].id or 0 for anchor in ("person001", "person004")]
    cycle = desk.run(chosen=chosen)
    assert cycle.counts["created"] == 2
    assert set(desk.people()) == {"person001@there.example", "person004@there.example"}
    assert desk.counts().new == 4


def test_a_preview_of_linked_people_shows_changes_and_leaves_them(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    directory.edit("person001", surname="Married")
    with desk.written() as rows:
        desk.run(preview=True)
    assert (rows["users"], rows["accounts"]) == (0, 1)
    assert desk.rows()["person001"].changes == {"surname": ("There", "Married")}
    assert desk.person("person001").surname == "There"
    assert desk.run().counts["updated"] == 1


def test_a_new_mapping_judges_everybody_again(desk: Desk, directory: Directory) -> None:
    directory.add("ann", department="Sea")
    desk.run()
    with desk.house.db.writing() as session:
        session.add(
            Mapping(tenant_id=desk.tenant, connector_id=desk.app, ours="department", theirs="department", position=9)
        )
    desk.change_connector(mapping_version=2)
    cycle = desk.run()
    assert cycle.counts["updated"] == 1
    assert desk.person("ann").department == "Sea"
    assert desk.run().counts["updated"] == 0


def test_a_mapping_saved_while_a_walk_is_under_way_reads_everybody_again(desk: Desk, directory: Directory) -> None:
    directory.add_many(6)
    directory.trouble[1].append(lambda: desk.change_connector(mapping_version=2, watermark=None))
    assert desk.run().state == CycleState.DONE
    assert desk.connector().watermark is None
    assert desk.run().kind == CycleKind.INITIAL


def test_a_person_who_left_is_neither_brought_back_nor_doubled(desk: Desk, directory: Directory) -> None:
    directory.add("ann")
    desk.run()
    desk.change_person("ann", lifecycle="left")
    directory.edit("ann", surname="Married")
    desk.run()
    assert desk.person("ann").lifecycle == "left"
    assert len(desk.people()) == 1


def test_two_apps_share_people_and_the_first_one_wins(desk: Desk, directory: Directory) -> None:
    directory.add("ann", surname="First")
    desk.run()
    behind = Desk(
        desk.house, desk.tenant, app_of(desk.house, desk.tenant, desk.clock, "Second"), Directory(), desk.clock
    )
    with desk.house.db.writing() as session:
        for row in session.exec(select(Mapping).where(Mapping.connector_id == behind.app)):
            row.owner, row.direction = Owner.THEIRS, Direction.IN
    behind.directory.add("a1", userPrincipalName="ann@there.example", surname="Second")
    cycle = behind.run()
    assert cycle.counts["linked"] == 1
    assert desk.person("ann").surname == "First"
    assert len(desk.people()) == 1
    directory.edit("ann", surname="Third")
    desk.run()
    assert desk.person("ann").surname == "Third"


def test_another_tenant_sees_and_loses_nothing(desk: Desk, directory: Directory, cast) -> None:  # type: ignore[no-untyped-def]
    other = Desk(desk.house, cast.fabrikam, app_of(desk.house, cast.fabrikam, desk.clock), Directory(), desk.clock)
    directory.add("ann")
    other.directory.add("ann", userPrincipalName="ann@there.example")
    desk.run()
    assert other.run().counts["created"] == 1
    with desk.house.db.reading() as session:
        tenants = {row.tenant_id for row in session.exec(select(Account)).all()}
    assert tenants == {cast.contoso, cast.fabrikam}
