"""What operators do to people, and what of it reaches the app: adding, editing, moving, one or many."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from provision.core.tables import User
from provision.core.vocabulary import Lifecycle, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import mappings, users
from provision.services.errors import Conflict, Forbidden, Invalid, NotFound
from provision.services.users import foreseeing
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk

JANE = {"given_name": "Jane", "surname": "Doe", "username": "jane", "email": "jane@there.example"}


@pytest.fixture
def desk(house: House, cast: Cast, clock: Clock) -> Desk:
    return Desk(house, cast.contoso, clock)


def do(desk: Desk, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
    """One service in a transaction of its own."""
    with desk.house.db.writing() as session:
        return work(session, desk.tenant, *given, desk.order(), **more)


def person(desk: Desk, number: int) -> User:
    with desk.house.db.reading() as session:
        return session.exec(select(User).where(User.id == number)).one()


def refused(desk: Desk, **given: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        do(desk, users.add, {**JANE, **given})
    return raised.value.problems


def test_somebody_added_here_is_created_there(desk: Desk) -> None:
    saved = do(desk, users.add, JANE)
    assert [effect.kind for effect in saved.effects] == [OperationKind.CREATE]
    assert desk.drain()["done"] == 1
    there = desk.there.named("jane@there.example")
    assert there is not None
    assert (there["displayName"], there["mailNickname"], there["accountEnabled"]) == ("Jane Doe", "jane", True)
    assert [event.actor for event, _ in desk.told("account.created")] == ["ada"]


def test_without_create_somebody_is_added_here_only_and_it_is_said(desk: Desk) -> None:
    desk.switch(create=False)
    (effect,) = do(desk, users.add, JANE).effects
    assert (effect.app, effect.here_only) == ("Office 365", {"*": "create_off"})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"given_name": " "}, {"given_name": "required"}),
        ({"email": "jane"}, {"email": "email_malformed"}),
        ({"email": "jäne@there.example"}, {"email": "email_malformed"}),
        ({"email": "jane.@there.example"}, {"email": "email_malformed"}),
        ({"email": "jane@elsewhere.example"}, {"email": "domain_unverified"}),
        ({"employee_id": "12345678901234567"}, {"employee_id": "value_too_long"}),
        ({"surname": "Doe\nBcc: x"}, {"surname": "value_unfit"}),
        ({"usage_location": "Norway"}, {"usage_location": "country_unknown"}),
        ({"mobile": "abc"}, {"mobile": "phone_malformed"}),
        ({"mobile": "+4"}, {"mobile": "phone_malformed"}),
        ({"preferred_language": "klingon"}, {"preferred_language": "language_unknown"}),
        ({"nickname": "J"}, {"nickname": "attribute_unknown"}),
        ({"manager_id": 4711}, {"manager_id": "manager_unknown"}),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused_at_its_field(
    desk: Desk, given: dict[str, Any], problem: dict[str, str]
) -> None:
    assert refused(desk, **given) == problem
    assert desk.operations() == []


def test_a_language_is_kept_with_a_hyphen_and_a_phone_as_it_was_written(desk: Desk) -> None:
    saved = do(desk, users.add, {**JANE, "preferred_language": "nb_NO", "mobile": "+47 (22) 12-34.56 ext. 7"})
    jane = person(desk, saved.user_id)
    assert (jane.preferred_language, jane.mobile) == ("nb-NO", "+47 (22) 12-34.56 ext. 7")


def test_what_a_source_brought_stands_in_nobodys_way_until_it_is_touched(desk: Desk) -> None:
    jane = desk.present("jane")
    brought = {"mobile": "ask at the desk", "preferred_language": "klingon_KX"}
    desk.change(jane, **brought)
    do(desk, users.edit, jane, {**brought, "department": "Quay"})
    kept = person(desk, jane)
    assert (kept.department, kept.mobile, kept.preferred_language) == ("Quay", *brought.values())
    with pytest.raises(Invalid) as refused:
        do(desk, users.edit, jane, {**brought, "mobile": "ask there", "department": "Pier"})
    assert refused.value.problems == {"mobile": "phone_malformed"}
    assert person(desk, jane).department == "Quay"


def test_only_domains_that_take_the_address_are_offered_in_its_place(desk: Desk) -> None:
    names = {"there.example": {}, "sso.example": {"federated": True}, "odd.example": {"managed": False}}
    domains = [
        {"name": name, "federated": False, "verified": True, "managed": not more, **more}
        for name, more in names.items()
    ]
    desk.connector(facts={"domains": [*domains, {"name": "new.example", "federated": False, "verified": False}]})
    with desk.house.db.writing() as session, pytest.raises(Invalid) as refused:
        users.add(session, desk.tenant, {**JANE, "email": "jane@elsewhere.example"}, desk.order())
    assert refused.value.params["domains"] == "there.example"
    with desk.house.db.reading() as session:
        (fate,) = foreseeing.of_new(session, desk.tenant, desk.house.kinds, "jane@elsewhere.example")
        (unverified,) = foreseeing.of_new(session, desk.tenant, desk.house.kinds, "jane@new.example")
    assert fate.domains == ("there.example",)
    assert unverified.code == "domain_not_verified_there"


def test_names_with_quotes_and_markup_are_just_names(desk: Desk) -> None:
    saved = do(desk, users.add, {**JANE, "surname": 'O\'Brien <b>"x"</b>'})
    desk.drain()
    assert desk.there.named("jane@there.example")["surname"] == 'O\'Brien <b>"x"</b>'  # type: ignore[index]
    assert person(desk, saved.user_id).surname == 'O\'Brien <b>"x"</b>'


def test_an_address_in_use_here_is_refused_whatever_its_case(desk: Desk) -> None:
    do(desk, users.add, JANE)
    assert refused(desk, email="JANE@There.example") == {"email": "email_taken"}


def test_an_address_known_to_be_in_use_there_is_refused(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.change(jane, lifecycle=Lifecycle.LEFT)
    assert refused(desk) == {"email": "email_taken_there"}


def test_only_what_changed_is_sent(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.edit, jane, {"given_name": "Janet", "surname": "Here"})
    desk.drain()
    assert [dict(write.values) for write in desk.there.calls[-1]] == [{"givenName": "Janet"}]


def test_a_stale_form_shows_both_versions_and_saves_nothing(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.edit, jane, {"given_name": "Janet"}, version=1)
    with pytest.raises(users.Stale) as raised:
        do(desk, users.edit, jane, {"given_name": "Joan", "surname": "Here"}, version=1)
    assert (raised.value.version, raised.value.both) == (2, {"given_name": ("Janet", "Joan")})
    assert person(desk, jane).given_name == "Janet"


def test_a_stale_form_that_says_what_is_so_already_counts_as_saved(desk: Desk) -> None:
    jane = desk.present("jane")
    first = do(desk, users.edit, jane, {"surname": "Mate"}, version=1)
    again = do(desk, users.edit, jane, {"surname": "Mate"}, version=1)
    assert (again.version, again.changed, again.effects) == (first.version, ("surname",), ())
    assert len(desk.told("user.edited")) == 1
    with pytest.raises(users.Stale):
        do(desk, users.edit, jane, {"surname": "Mate", "title": "Cook"}, version=1)


def test_an_edit_that_changes_nothing_leaves_nothing_behind(desk: Desk) -> None:
    jane = desk.present("jane")
    saved = do(desk, users.edit, jane, {"given_name": "Jane"}, version=1)
    assert (saved.changed, saved.version, desk.operations()) == ((), 1, [])


def test_whoever_has_left_is_not_edited(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.delete, jane)
    with pytest.raises(Conflict, match="user_has_left"):
        do(desk, users.edit, jane, {"given_name": "Janet"})


def test_nobody_of_another_tenant_is_touched(desk: Desk, cast: Cast) -> None:
    jane = desk.present("jane")
    with pytest.raises(NotFound), desk.house.db.writing() as session:
        users.delete(session, cast.fabrikam, jane, desk.order())


def test_custom_attributes_are_kept_beside_the_others(desk: Desk, cast: Cast) -> None:
    with desk.house.db.writing() as session:
        mappings.add_attribute(session, cast.contoso, "Desk", "ada", desk.clock())
    jane = do(desk, users.add, {**JANE, "extra.desk": "4"}).user_id
    assert person(desk, jane).extra == {"desk": "4"}
    do(desk, users.edit, jane, {"extra.desk": None})
    assert person(desk, jane).extra == {}


def test_a_manager_follows_to_the_app_and_is_filled_in_when_their_account_appears(desk: Desk) -> None:
    boss = do(desk, users.add, {**JANE, "username": "boss", "email": "boss@there.example"}).user_id
    desk.switch(create=True)
    jane = do(desk, users.add, {**JANE, "manager_id": boss}).user_id
    desk.drain()
    desk.drain()
    assert desk.there.named("jane@there.example")["manager"] == desk.account(boss).anchor  # type: ignore[index]
    do(desk, users.edit, jane, {"manager_id": None})
    desk.drain()
    assert desk.there.named("jane@there.example")["manager"] is None  # type: ignore[index]


def test_nobody_reports_to_themselves_through_others(desk: Desk) -> None:
    boss, jane = desk.hire("boss"), desk.hire("jane")
    do(desk, users.edit, jane, {"manager_id": boss})
    for manager in (jane, boss):
        with pytest.raises(Invalid) as raised:
            do(desk, users.edit, boss, {"manager_id": manager})
        assert raised.value.problems == {"manager_id": "manager_circle"}


def test_disabling_and_enabling_follow_after_the_hold(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.disable, jane)
    assert person(desk, jane).lifecycle == Lifecycle.SUSPENDED
    desk.drain()
    assert desk.there.applied == []
    desk.clock.forward(seconds=10)
    desk.drain()
    assert desk.account(jane).enabled is False
    do(desk, users.enable, jane)
    desk.drain()
    assert desk.account(jane).enabled is True
    assert desk.account(jane).intent == {}


def test_an_account_disabled_there_is_not_enabled_by_an_unrelated_edit(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor or ""
    desk.there.edit(anchor, accountEnabled=False)
    do(desk, users.edit, jane, {"given_name": "Janet"})
    desk.drain()
    do(desk, users.edit, jane, {"given_name": "Joan"})
    desk.drain()
    assert desk.there.people[anchor]["accountEnabled"] is False


def test_delete_and_restore_go_through_the_recycle_bin(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor
    do(desk, users.delete, jane)
    desk.clock.forward(seconds=10)
    desk.drain()
    assert (list(desk.there.people), list(desk.there.bin)) == ([], [anchor])
    assert desk.account(jane).situation == Situation.GONE
    do(desk, users.restore, jane)
    desk.drain()
    assert (list(desk.there.people), list(desk.there.bin)) == ([anchor], [])
    account = desk.account(jane)
    assert (account.situation, account.anchor, account.intent) == (Situation.LINKED, anchor, {})


def test_who_is_held_back_before_they_are_back_comes_back_all_the_same(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor or ""
    for how in (users.Move.DELETE, users.Move.RESTORE, users.Move.DISABLE):
        with desk.house.db.writing() as session:
            users.move(session, desk.tenant, jane, how, desk.order(hold=False))
        if how is users.Move.DELETE:
            desk.drain()
            assert anchor in desk.there.bin
    desk.drain()
    assert desk.there.people[anchor]["accountEnabled"] is False


def test_a_restore_under_a_new_address_when_the_old_one_is_taken(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.delete, jane)
    desk.clock.forward(seconds=10)
    desk.drain()
    do(desk, users.add, JANE)
    with pytest.raises(Invalid) as raised:
        do(desk, users.restore, jane)
    assert raised.value.problems == {"email": "email_taken"}
    do(desk, users.restore, jane, email="jane2@there.example")
    desk.drain()
    assert desk.there.named("jane2@there.example") is not None


def test_a_deleted_twin_is_offered_and_nothing_is_created_beside_it_unasked(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.delete, jane)
    desk.clock.forward(seconds=10)
    desk.drain()
    twin = do(desk, users.add, JANE).user_id
    desk.drain()
    assert desk.only(twin).state == OperationState.BLOCKED
    assert (desk.only(twin).error or {})["code"] == "in_recycle_bin"
    desk.intend(twin, despite_bin=True)
    desk.enqueue(twin)
    desk.drain()
    assert desk.only(twin).state == OperationState.DONE
    assert desk.account(twin).intent == {}


def test_undo_within_the_hold_sends_nothing(desk: Desk) -> None:
    jane = desk.present("jane")
    do(desk, users.delete, jane)
    do(desk, users.restore, jane)
    desk.clock.forward(seconds=60)
    desk.drain()
    assert desk.there.applied == []
    assert desk.states() == {"cancelled": 1}


def test_only_an_owner_deletes_an_administrator(desk: Desk) -> None:
    jane = desk.present("jane")
    desk.connector(facts={"roles": {desk.account(jane).anchor: ["Global Administrator"]}})
    with pytest.raises(Forbidden, match="owner_needed"):
        do(desk, users.delete, jane, owner=False)
    do(desk, users.delete, jane, owner=True)
    desk.clock.forward(seconds=10)
    desk.drain()
    assert [kind for kind, _ in desk.there.applied] == [OperationKind.DELETE]


def test_somebody_synchronised_from_a_directory_is_read_only_but_for_what_it_lets(desk: Desk) -> None:
    jane = desk.present("jane")
    anchor = desk.account(jane).anchor or ""
    desk.there.edit(anchor, onPremisesSyncEnabled=True)
    do(desk, users.edit, jane, {"given_name": "Janet"})
    desk.drain()  # the write's answer tells that a directory owns it
    (effect,) = do(desk, users.edit, jane, {"given_name": "Joan"}).effects
    assert (effect.operation_id, effect.here_only) == (None, {"givenName": "set_by_directory_sync"})
    (effect,) = do(desk, users.delete, jane).effects
    assert effect.here_only == {"*": "set_by_directory_sync"}


def test_a_move_that_leads_nowhere_is_refused(desk: Desk) -> None:
    jane = desk.present("jane")
    for move in (users.enable, users.restore):
        with pytest.raises(Conflict, match="user_not_now"):
            do(desk, move, jane)


def test_many_are_shown_with_their_number_and_a_sample_before_they_are_moved(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(7)]
    do(desk, users.delete, everybody[6])
    with desk.house.db.writing() as session:
        shown = users.preview_many(session, desk.tenant, everybody, users.Move.DELETE)
    assert (shown.number, list(shown.sample)) == (6, [f"P{number} Here" for number in range(5)])
    assert shown.refused == {everybody[6]: "user_not_now"}
    do(desk, users.disable, everybody[0])
    do(desk, users.delete, everybody[1])
    with pytest.raises(Conflict, match="bulk_changed"):
        do(desk, users.move_many, everybody, users.Move.DELETE, token=shown.token)
    moved = do(desk, users.move_many, everybody, users.Move.DELETE)
    assert moved.moved == (everybody[0], *everybody[2:6])


def test_many_are_edited_at_once_but_never_in_what_tells_them_apart(desk: Desk) -> None:
    everybody = [desk.present(f"p{number}") for number in range(3)]
    with pytest.raises(Invalid) as raised:
        do(desk, users.edit_many, everybody, {"email": "x@there.example", "manager_id": everybody[0]})
    assert raised.value.problems == {"email": "one_person_only", "manager_id": "one_person_only"}
    do(desk, users.edit_many, everybody, {"surname": "There"})
    desk.drain()
    assert {values["surname"] for values in desk.there.people.values()} == {"There"}
    assert len(desk.there.calls) == 1
