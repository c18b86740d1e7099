"""What an import would take away: applied at the end, or held whole until somebody answers."""

import pytest
from sqlmodel import select

from provision.core.tables import Activation
from provision.core.vocabulary import CycleState, Decision, Situation
from provision.services import connectors, cycles
from provision.services.errors import Conflict
from tests import populate
from tests.fakes.directory import Directory
from tests.services.cycles.conftest import Desk


@pytest.fixture
def staffed(desk: Desk, directory: Directory) -> list[str]:
    """Forty people, imported."""
    anchors = directory.add_many(40)
    desk.run()
    return anchors


def test_an_account_that_vanished_is_gone_and_its_person_stays(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    directory.remove("person001")
    cycle = desk.run()
    assert cycle.counts["gone"] == 1
    assert desk.situations()["person001"] == Situation.GONE
    assert desk.person("person001").lifecycle == "active"
    ((event, detail),) = desk.told("account.gone")
    assert (event.user_id, detail.text) == (desk.person("person001").id, {"removed": "restorable"})


@pytest.mark.parametrize(("setting", "lifecycle"), [("suspend", "suspended"), ("leave", "left"), ("keep", "active")])
def test_the_app_says_what_becomes_of_a_person_whose_account_vanished(
    desk: Desk, directory: Directory, setting: str, lifecycle: str
) -> None:
    directory.add_many(3)
    desk.run()
    desk.change_connector(when_gone=setting)
    directory.remove("person001")
    desk.run()
    assert desk.person("person001").lifecycle == lifecycle


@pytest.mark.parametrize(("setting", "ends"), [("suspend", True), ("leave", True), ("keep", False)])
def test_who_is_suspended_or_leaves_by_an_import_loses_their_link(
    desk: Desk, directory: Directory, setting: str, ends: bool
) -> None:
    directory.add_many(3)
    desk.run()
    desk.change_connector(when_gone=setting)
    person = desk.person("person001")
    with desk.house.db.writing() as session:
        populate.link(session, person, desk.house.now())
    directory.remove("person001")
    desk.run()
    with desk.house.db.reading() as session:
        assert (session.exec(select(Activation.revoked_at)).one() is not None) == ends


def test_a_full_walk_notices_who_is_not_there_without_being_told(
    desk: Desk, directory: Directory, staffed: list[str]
) -> None:
    directory.lose("person007")
    assert desk.run().counts["gone"] == 0
    cycle = desk.run(full=True)
    assert cycle.counts["gone"] == 1
    ((_, detail),) = desk.told("account.gone")
    assert detail.text == {"removed": "absent"}


def test_a_restored_account_is_its_persons_again(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    number = desk.person("person001").id
    directory.remove("person001")
    desk.run()
    directory.add("person001", surname="Returned")
    desk.run()
    assert desk.situations()["person001"] == Situation.LINKED
    assert desk.accounts()["person001"].user_id == number
    assert desk.person("person001").surname == "Returned"
    assert len(desk.told("account.returned")) == 1


def test_an_account_restored_before_a_preview_is_told_of_once(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    directory.remove("person001")
    desk.run()
    directory.add("person001")
    desk.run(preview=True)
    desk.run()
    assert desk.situations()["person001"] == Situation.LINKED
    assert len(desk.told("account.returned")) == 1


def test_somebody_made_anew_there_is_a_question_and_never_a_double(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    number = desk.person("person001").id or 0
    directory.remove("person001", how="purged")
    desk.run()
    directory.add("other-id", userPrincipalName="person001@there.example")
    cycle = desk.run()
    assert (cycle.counts["disputed"], cycle.counts["created"]) == (1, 0)
    assert len(desk.people()) == 3
    desk.decide("other-id", Decision.EXISTING, number)
    assert desk.run().counts["linked"] == 1
    assert desk.accounts()["other-id"].user_id == number
    assert desk.accounts()["person001"].user_id is None


def test_a_few_may_go_a_few_more_ask(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:5])
    assert desk.run().state == CycleState.DONE
    directory.remove(*staffed[5:10])
    held = desk.run()
    assert held.state == CycleState.HELD
    assert held.held is not None
    assert held.held["reasons"] == [{"code": "leaving", "count": 10, "limit": 5, "attribute": None}]
    assert held.held["accounts"] == 5
    assert sum(word == Situation.GONE for word in desk.situations().values()) == 5


@pytest.mark.parametrize(
    ("given", "most"), [({"import_limit_floor": 7}, 7), ({"import_limit_floor": 0, "import_limit_share": 5}, 2)]
)
def test_the_limits_on_what_imports_take_away_are_the_apps_own(
    desk: Desk, directory: Directory, staffed: list[str], given: dict[str, int], most: int
) -> None:
    with desk.house.db.writing() as session:
        connectors.settle(session, desk.tenant, desk.app, {**given, "limit_floor": 1000}, "ada", desk.house.now())
    directory.remove(*staffed[:most])
    assert desk.run().state == CycleState.DONE
    directory.remove(staffed[most])
    assert desk.run().state == CycleState.HELD


def test_a_slow_leak_is_caught_within_a_day_and_forgotten_after_it(
    desk: Desk, directory: Directory, staffed: list[str]
) -> None:
    for hour in range(5):
        directory.remove(staffed[hour])
        assert desk.run().state == CycleState.DONE
        desk.clock.forward(hours=1)
    directory.remove(staffed[5])
    assert desk.run().state == CycleState.HELD
    desk.clock.forward(hours=24)
    assert desk.run().state == CycleState.DONE


def test_an_empty_source_takes_nobody_away(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.lose(*staffed)
    with desk.written() as rows:
        cycle = desk.run(full=True)
    assert cycle.state == CycleState.HELD
    assert cycle.held is not None
    assert [reason["code"] for reason in cycle.held["reasons"]] == ["leaving", "empty"]
    assert rows["users"] == 0
    assert set(desk.situations().values()) == {Situation.LINKED}


def test_a_truncated_source_is_noticed_even_where_nobody_is_linked(desk: Desk, directory: Directory) -> None:
    anchors = directory.add_many(20)
    desk.run(preview=True)
    directory.lose(*anchors[:10])
    cycle = desk.run(full=True)
    assert cycle.held is not None
    assert cycle.held["reasons"] == [{"code": "shrunk", "count": 10, "limit": 4, "attribute": None}]
    assert len(desk.people()) == 10


def test_additions_go_on_while_departures_wait(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    directory.add("newcomer")
    directory.edit(staffed[30], surname="Married")
    cycle = desk.run()
    assert cycle.state == CycleState.HELD
    assert (cycle.counts["created"], cycle.counts["updated"]) == (1, 1)


def test_an_attribute_that_empties_for_many_is_held(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    for anchor in staffed[:6]:
        directory.edit(anchor, surname=None)
    cycle = desk.run()
    assert cycle.held is not None
    assert cycle.held["reasons"] == [{"code": "wiped", "count": 6, "limit": 5, "attribute": "surname"}]
    assert desk.person("person000").surname == "There"


def test_allow_applies_the_list_and_moves_the_watermark(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    held = desk.run()
    before = desk.connector().watermark
    done = desk.release(held, allow=True)
    assert (done.state, done.counts["gone"]) == (CycleState.DONE, 20)
    assert desk.connector().watermark == held.watermark_after != before
    assert {event.actor for event, _ in desk.told("account.gone")} == {"ben"}
    assert desk.chain_breaks_at() is None


def test_reject_drops_the_list_and_the_next_import_reads_everything(
    desk: Desk, directory: Directory, staffed: list[str]
) -> None:
    directory.remove(*staffed[:20])
    values = [(anchor, {}) for anchor in staffed[:20]]
    stopped = desk.release(desk.run(), allow=False)
    assert stopped.state == CycleState.STOPPED
    assert set(desk.situations().values()) == {Situation.LINKED}
    for anchor, given in values:
        directory.add(anchor, **given)
    again = desk.run()
    assert (again.kind, again.state, again.counts["unchanged"]) == ("initial", CycleState.DONE, 40)


def test_after_reject_the_brake_asks_again_as_long_as_they_are_missing(
    desk: Desk, directory: Directory, staffed: list[str]
) -> None:
    directory.remove(*staffed[:20])
    desk.release(desk.run(), allow=False)
    assert desk.run().state == CycleState.HELD


def test_a_list_is_answered_once(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    held = desk.run()
    desk.release(held, allow=True)
    with pytest.raises(Conflict, match="held_answered"):
        desk.release(held, allow=True)


def test_a_later_preview_leaves_the_question_open(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    held = desk.run()
    desk.run(preview=True)
    moved = desk.connector().watermark
    with desk.house.db.reading() as session:
        standing = cycles.held(session, desk.tenant, desk.app)
    assert standing is not None
    assert standing.id == held.id
    assert desk.release(held, allow=True).counts["gone"] == 20
    assert desk.connector().watermark == moved


def test_a_later_run_held_with_the_same_list_is_what_gets_answered(
    desk: Desk, directory: Directory, staffed: list[str]
) -> None:
    directory.remove(*staffed[:20])
    first = desk.run()
    second = desk.run()
    assert desk.release(first, allow=True).id == second.id


def test_a_list_that_changed_is_not_allowed_unseen(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    held = desk.run()
    directory.remove(staffed[20])
    desk.run(preview=True)
    with pytest.raises(Conflict, match="held_changed"):
        desk.release(held, allow=True)
    with pytest.raises(Conflict, match="held_changed"):
        desk.release(held, allow=False)


def test_nothing_is_answered_while_a_cycle_is_under_way(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:20])
    held = desk.run()
    desk.ask(preview=True)
    with pytest.raises(Conflict, match="cycle_under_way"):
        desk.release(held, allow=True)


def test_the_held_list_names_who_would_go(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(*staffed[:19])
    directory.edit(staffed[19], surname=None)
    held = desk.run()
    with desk.house.db.reading() as session:
        everyone = cycles.leaving(session, held, desk.house.kinds)
        some = cycles.leaving(session, held, desk.house.kinds, limit=3)
    assert len(everyone) == 20
    assert len(some) == 3
    assert everyone[0].name == "person000@there.example"
    assert everyone[-1].empties == ("surname",)


def test_a_preview_and_chosen_rows_take_nobody_away(desk: Desk, directory: Directory, staffed: list[str]) -> None:
    directory.remove(staffed[0])
    directory.edit(staffed[1], surname="Married")
    desk.run(preview=True)
    assert desk.counts().gone == 1
    desk.run(chosen=[desk.accounts()[staffed[1]].id or 0])
    assert desk.person(staffed[1]).surname == "Married"
    assert desk.situations()[staffed[0]] == Situation.LINKED
    assert desk.run().counts["gone"] == 1


def test_an_account_that_is_purged_after_it_went_is_remembered_so(desk: Desk, directory: Directory) -> None:
    directory.add_many(3)
    desk.run()
    directory.remove("person001")
    desk.run()
    directory._log.append(("person001", "purged"))
    desk.run()
    assert desk.accounts()["person001"].removed == "purged"
    assert len(desk.told("account.gone")) == 1
