"""The daily comparison: a full walk that takes nothing over, and remembers what differs from what the mapping owns."""

from datetime import timedelta

import sqlalchemy as sa
from sqlmodel import select

from provision.core.tables import Connector, Cycle, Operation
from provision.core.vocabulary import CycleKind, DriftChoice, Lifecycle, Owner
from provision.scheduler import mark_comparisons_due
from provision.services import cycles, drift
from tests.cast import Cast, Clock
from tests.services.drift.conftest import DriftDesk


def test_what_somebody_changed_there_is_listed_per_person_and_attribute(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse", department="North")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    row = desk.compare()
    assert (row.kind, row.counts["drifted"]) == (CycleKind.INITIAL, 1)
    (item,) = desk.items()
    assert (item.user, item.attribute, item.ours, item.theirs) == ("Kim Here", "jobTitle", "Nurse", "Lead Nurse")
    assert (item.label, item.accepts, item.bars, item.over) == ("Job Title", "title", {}, False)


def test_a_comparison_changes_nobody_here_and_sends_nothing(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse", givenName="Kimberly")
    desk.there.add("newcomer")
    desk.compare()
    assert (desk.value(kim, "title"), desk.value(kim, "given_name")) == ("Nurse", "Kim")
    assert desk.operations() == []
    assert desk.there.calls == []


def test_when_nothing_drifted_no_row_is_written(desk: DriftDesk) -> None:
    for name in ("kim", "lee", "max"):
        desk.present(name, title="Nurse")
    desk.compare()
    desk.clock.forward(minutes=1)
    with desk.watched() as met:
        desk.run(compare=True)
    assert {name: number for name, number in met.items() if name.islower()} == {}
    assert desk.drifts() == {}


def test_the_same_drift_seen_twice_is_written_once_and_told_once(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    desk.clock.forward(minutes=1)
    with desk.watched() as met:
        desk.run(compare=True)
    assert met["drift_choices"] == 0
    ((event, detail),) = desk.told("account.drifted")
    assert (event.user_id, event.actor) == (kim, "ada")
    assert (detail.before, detail.after) == ({"jobTitle": "Nurse"}, {"jobTitle": "Lead Nurse"})
    assert desk.chain_breaks_at() is None


def test_what_is_put_right_there_by_its_own_is_forgotten(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    desk.elsewhere(kim, jobTitle="Nurse")
    desk.compare()
    assert desk.drifts() == {}


def test_a_walk_over_changes_sees_new_drift_and_what_is_over(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.compare()
    desk.clock.forward(minutes=5)
    desk.there.edit(desk.account(kim).anchor or "", jobTitle="Lead Nurse")
    assert desk.run().kind == CycleKind.INCREMENTAL
    assert desk.drifts() == {"jobTitle": DriftChoice.OPEN}
    desk.clock.forward(minutes=5)
    desk.there.edit(desk.account(kim).anchor or "", jobTitle="Nurse")
    desk.run()
    assert desk.drifts() == {}


def test_what_comes_in_with_the_next_import_is_no_drift(desk: DriftDesk) -> None:
    kim = desk.present("kim")
    desk.elsewhere(kim, surname="Elsewhere")
    desk.compare()
    assert desk.drifts() == {}
    desk.clock.forward(minutes=5)
    desk.run()
    assert desk.value(kim, "surname") == "Elsewhere"


def test_a_change_on_its_way_there_is_no_drift(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.change(kim, title="Matron")
    desk.enqueue(kim)
    desk.compare()
    assert desk.drifts() == {}


def test_what_only_flows_out_is_read_and_compared_too(desk: DriftDesk) -> None:
    desk.map("company", "companyName", direction="out")
    kim = desk.present("kim", company="Contoso")
    desk.compare()
    desk.elsewhere(kim, companyName="Somewhere")
    desk.compare()
    (item,) = desk.items()
    assert (item.attribute, item.accepts, item.bars) == ("companyName", None, {"accept": "drift_flows_out_only"})
    assert "companyName" in desk.there.asked[-1][2]


def test_what_never_agreed_is_still_to_be_sent_and_no_drift(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.switch(edit=False)
    desk.change(kim, title="Matron")
    desk.compare()
    assert desk.drifts() == {}
    desk.switch(edit=True)
    (effect,) = desk.enqueue(kim)
    assert dict(effect.changes or {}) == {"jobTitle": ["Nurse", "Matron"]}


def test_an_import_between_the_change_and_the_comparison_hides_nothing(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.compare()
    desk.clock.forward(minutes=5)
    desk.there.edit(desk.account(kim).anchor or "", jobTitle="Lead Nurse", surname="Elsewhere")
    desk.run()
    assert desk.value(kim, "surname") == "Elsewhere"
    desk.clock.forward(minutes=5)
    desk.there.edit(desk.account(kim).anchor or "", surname="Again")
    desk.run()
    assert desk.drifts() == {"jobTitle": DriftChoice.OPEN}


def test_what_is_theirs_by_the_mapping_is_never_listed(desk: DriftDesk) -> None:
    kim = desk.present("kim", company="Contoso")
    desk.map("company", "companyName", owner=Owner.THEIRS)
    desk.elsewhere(kim, companyName="Somewhere")
    desk.compare()
    assert desk.drifts() == {}


def test_nobody_who_left_is_listed(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    desk.change(kim, lifecycle=Lifecycle.LEFT)
    desk.compare()
    assert desk.drifts() == {}


def test_a_page_of_people_costs_the_same_statements_as_one_person(desk: DriftDesk) -> None:
    desk.elsewhere(desk.present("kim", title="Nurse"), jobTitle="Lead")
    with desk.watched() as one:
        desk.compare()
    people = [desk.present(f"p{number}", title="Nurse") for number in range(12)]
    for person in people:
        desk.elsewhere(person, jobTitle="Lead")
    desk.compare()
    for person in people:
        desk.elsewhere(person, jobTitle="Matron")
    with desk.watched() as many:
        desk.compare()
    assert len(desk.items()) == 13
    assert many["SELECT"] <= one["SELECT"] + 3


def test_drift_that_waits_for_a_choice_is_not_overwritten_by_another_edit(desk: DriftDesk) -> None:
    kim = desk.present("kim", title="Nurse", department="North")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    desk.change(kim, department="South")
    (effect,) = desk.enqueue(kim)
    assert dict(effect.changes or {}) == {"department": ["North", "South"]}
    assert dict(effect.here_only or {}) == {"jobTitle": "drift_open"}
    desk.drain()
    seen = desk.there.people[desk.account(kim).anchor or ""]
    assert (seen["department"], seen["jobTitle"]) == ("South", "Lead Nurse")


def test_a_comparison_that_was_killed_goes_on_and_ends_alike(desk: DriftDesk) -> None:
    people = [desk.present(f"p{number}", title="Nurse") for number in range(6)]
    desk.there.page_size = 2
    for person in people:
        desk.elsewhere(person, jobTitle="Lead")
    with desk.house.db.writing() as session:
        number = cycles.request(session, desk.tenant, desk.app, "ada", desk.clock(), compare=True).id or 0
    cuts = iter([False] * 4 + [True])
    cycles.run(desk.ways(cut=lambda: next(cuts, False)), number)
    cycles.run(desk.ways(), number)
    assert len(desk.items()) == 6
    assert len(desk.told("account.drifted")) == 6


def test_an_app_without_import_is_not_compared(desk: DriftDesk) -> None:
    desk.present("kim")
    desk.compare()
    desk.switch(**{"import": False})
    desk.clock.forward(days=2)
    with desk.house.db.reading() as session:
        assert cycles.comparison_due(session, desk.clock()) == []


# -- The timer ---------------------------------------------------------------------------------------------------------


def _asked(desk: DriftDesk) -> int:
    mark_comparisons_due(desk.house)
    query = sa.select(sa.func.count()).select_from(Cycle).where(Cycle.state == "requested")  # type: ignore[arg-type]
    with desk.house.db.reading() as session:
        return session.execute(query).scalar_one()


def test_the_first_comparison_comes_a_day_after_the_first_import(desk: DriftDesk) -> None:
    desk.present("kim")
    assert _asked(desk) == 0
    desk.run()
    desk.clock.forward(hours=23)
    assert _asked(desk) == 0
    desk.clock.forward(hours=1)
    assert _asked(desk) == 1
    assert _asked(desk) == 1


def test_two_timers_that_both_saw_a_comparison_due_ask_once(desk: DriftDesk) -> None:
    desk.present("kim")
    desk.compare()
    desk.clock.forward(days=1)
    with desk.house.db.writing() as session:
        assert cycles.request_due(session, desk.tenant, desk.app, desk.clock(), compare=True) is not None
    cycles.run_requested(desk.ways())
    with desk.house.db.writing() as session:
        assert cycles.request_due(session, desk.tenant, desk.app, desk.clock(), compare=True) is None


def test_days_of_downtime_are_caught_up_once(desk: DriftDesk) -> None:
    desk.present("kim")
    desk.compare()
    desk.clock.forward(days=3)
    assert _asked(desk) == 1
    cycles.run_requested(desk.ways())
    assert _asked(desk) == 0
    with desk.house.db.reading() as session:
        connector = session.exec(select(Connector).where(Connector.id == desk.app)).one()
        assert cycles.next_comparison(session, connector) == desk.clock() + timedelta(days=1)


def test_another_tenant_sees_none_of_it(desk: DriftDesk, cast: Cast) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    with desk.house.db.reading() as session:
        kinds = desk.house.kinds
        assert drift.listed(session, cast.fabrikam, kinds, DriftChoice.OPEN) == []
        assert drift.listed(session, cast.fabrikam, kinds, DriftChoice.OPEN, app_id=desk.app) == []
        assert drift.of_person(session, cast.fabrikam, kinds, kim) == []
        assert drift.whole(session, cast.fabrikam, DriftChoice.OPEN) == {}
        assert drift.open_by_app(session, cast.fabrikam) == {}
        assert set(drift.counts(session, cast.fabrikam).values()) == {0}


def test_no_operation_is_left_by_comparing(desk: DriftDesk, clock: Clock) -> None:
    kim = desk.present("kim", title="Nurse")
    desk.elsewhere(kim, jobTitle="Lead Nurse")
    desk.compare()
    with desk.house.db.reading() as session:
        assert session.exec(select(Operation)).all() == []
