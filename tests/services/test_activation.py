"""Issuing links, taking them back, and where people stand."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from provision.core.onboarding import OnboardingSettings, Recipient
from provision.core.tables import Account, Activation, Event, Operation
from provision.core.vocabulary import Invited, Lifecycle, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import activation, links, outbox, users
from provision.services import settings as chosen
from provision.services.activation import Issued, Sending, Wanted
from provision.services.errors import NotFound
from provision.services.reaching import USERS, helpless, reach
from tests import populate
from tests.cast import Cast, Clock

RIGHTS = ("User-PasswordProfile.ReadWrite.All", "User Administrator")
FACTS: dict[str, Any] = {
    "domains": [{"name": "contoso.example", "federated": False}, {"name": "fed.example", "federated": True}],
    "roles": {"boss": ["Global Administrator"]},
    "permissions": ["User-PasswordProfile.ReadWrite.All"],
    "rights": [{"name": name, "state": "granted"} for name in RIGHTS],
}


@pytest.fixture
def app(session: Session, cast: Cast, clock: Clock) -> Any:
    return populate.app(session, cast.contoso, clock(), facts=FACTS, outside_id="there")


def somebody(session: Session, app: Any, clock: Clock, name: str, **values: Any) -> int:
    """A person with a private address and an ordinary account."""
    there = values.pop("there", {})
    person = {"email": f"{name}@contoso.example", "private_email": f"{name}@home.example", "username": name, **values}
    row = populate.person(session, app.tenant_id, clock(), name.title(), **person)
    populate.account(session, app, row, clock(), **{"anchor": f"id-{name}", **there})
    return row.id or 0


def issue(session: Session, house: House, cast: Cast, clock: Clock, *people: int) -> list[Issued]:
    return activation.issue(session, cast.contoso, people, "ada", clock(), vault=house.vault, kinds=house.kinds)


def test_a_link_is_issued_and_only_its_digest_is_kept(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane")
    (result,) = issue(session, house, cast, clock, jane)
    assert (result.outcome, result.address) == (Sending.QUEUED, "jane@home.example")
    address = activation.link(session, house.vault, "https://here.example", result.activation_id or 0)
    token = address.removeprefix("https://here.example/activate/")
    assert len(token) == 43
    row = session.get(Activation, result.activation_id)
    assert row is not None
    assert row.digest == links.digest_of(token)
    kept = repr({name: getattr(row, name) for name in Activation.model_fields})
    assert token not in kept


def test_the_same_link_is_derived_again_at_every_sending(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    (result,) = issue(session, house, cast, clock, somebody(session, app, clock, "jane"))
    first, second = (activation.link(session, house.vault, "https://h", result.activation_id or 0) for _ in range(2))
    assert first == second


def test_a_newer_link_ends_the_older_one(session: Session, house: House, cast: Cast, app: Any, clock: Clock) -> None:
    jane = somebody(session, app, clock, "jane")
    (older,) = issue(session, house, cast, clock, jane)
    (newer,) = issue(session, house, cast, clock, jane)
    with pytest.raises(NotFound):
        activation.link(session, house.vault, "https://h", older.activation_id or 0)
    assert activation.link(session, house.vault, "https://h", newer.activation_id or 0)


def test_nobody_gets_more_than_three_links_an_hour_and_five_a_day(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane")
    found = []
    for _ in range(8):
        found.append(issue(session, house, cast, clock, jane)[0].outcome)
        clock.forward(minutes=15)
    assert found[:4] == [Sending.QUEUED] * 3 + [Sending.LIMITED]
    assert found.count(Sending.QUEUED) == 5
    clock.forward(hours=24)
    assert issue(session, house, cast, clock, jane)[0].outcome is Sending.QUEUED


def test_who_cannot_be_helped_gets_no_link_and_a_reason(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    people = {
        somebody(session, app, clock, "fed", email="fed@fed.example"): "password_federated",
        somebody(session, app, clock, "syn", there={"standing": {"synced": True}}): "password_synced",
        somebody(session, app, clock, "boss", there={"anchor": "boss"}): "password_holds_role",
        somebody(session, app, clock, "nix", private_email=None): "activation_no_address",
        somebody(session, app, clock, "off", lifecycle=Lifecycle.SUSPENDED): "activation_suspended",
        somebody(session, app, clock, "out", lifecycle=Lifecycle.LEFT): "activation_left",
        somebody(session, app, clock, "gone", there={"situation": Situation.GONE}): "activation_no_account",
    }
    results = issue(session, house, cast, clock, *people)
    assert {one.user_id: one.code for one in results} == people
    assert {one.outcome for one in results} == {Sending.BLOCKED}
    assert session.scalar(sa.select(sa.func.count()).select_from(Activation)) == 0


def test_a_right_that_the_app_lacks_is_told_when_sending(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane")
    app.facts = {**FACTS, "rights": [{"name": "User Administrator", "state": "missing"}]}
    session.add(app)
    (result,) = issue(session, house, cast, clock, jane)
    assert (result.code, result.params["right"]) == ("activation_right_missing", "User Administrator")


def test_the_mail_of_somebody_whose_account_is_being_made_waits(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane", there={"anchor": None, "situation": Situation.ABSENT, "enabled": None})
    _operate(session, app, clock, jane)
    (result,) = issue(session, house, cast, clock, jane)
    assert result.outcome is Sending.WAITS
    assert not _may_leave(session, house, result)
    account = session.exec(select(Account).where(Account.user_id == jane)).one()
    account.anchor, account.situation = "made", Situation.LINKED
    session.add(account)
    session.flush()
    assert _may_leave(session, house, result)


def test_a_mail_whose_link_was_revoked_may_not_leave(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane")
    (result,) = issue(session, house, cast, clock, jane)
    assert activation.revoke(session, cast.contoso, [jane], "ada", clock()) == [jane]
    assert not _may_leave(session, house, result)
    assert activation.revoke(session, cast.contoso, [jane], "ada", clock()) == []


def test_the_hours_of_a_link_count_from_its_first_sending(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    (result,) = issue(session, house, cast, clock, somebody(session, app, clock, "jane"))
    first = clock.forward(hours=5)
    links.sent(session, result.activation_id or 0, first)
    links.sent(session, result.activation_id or 0, clock.forward(hours=5))
    row = session.get(Activation, result.activation_id)
    assert row is not None
    assert (row.sent_at, row.expires_at) == (first, first + timedelta(hours=72))


@pytest.mark.parametrize("how", [users.Move.DISABLE, users.Move.DELETE])
def test_disabling_or_deleting_a_person_ends_their_link_in_the_same_transaction(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock, how: users.Move
) -> None:
    jane = somebody(session, app, clock, "jane")
    (result,) = issue(session, house, cast, clock, jane)
    users.move(session, cast.contoso, jane, how, outbox.Order("ada", clock(), house.kinds))
    row = session.get(Activation, result.activation_id)
    assert row is not None
    session.refresh(row)
    assert row.revoked_at == clock()


def test_somebody_elses_person_is_left_out(session: Session, house: House, cast: Cast, app: Any, clock: Clock) -> None:
    jane = somebody(session, app, clock, "jane")
    found = activation.issue(session, cast.fabrikam, [jane], "cy", clock(), vault=house.vault, kinds=house.kinds)
    assert found == []
    issue(session, house, cast, clock, jane)
    assert activation.revoke(session, cast.fabrikam, [jane], "cy", clock()) == []


def test_a_row_cannot_point_at_another_tenants_person(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    (result,) = issue(session, house, cast, clock, somebody(session, app, clock, "jane"))
    with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
        session.execute(
            sa.update(Activation).where(col(Activation.id) == result.activation_id).values(tenant_id=cast.fabrikam)
        )


def test_every_person_gets_an_event(session: Session, house: House, cast: Cast, app: Any, clock: Clock) -> None:
    jane, nix = somebody(session, app, clock, "jane"), somebody(session, app, clock, "nix", private_email=None)
    issue(session, house, cast, clock, jane, nix)
    query = select(Event.action, Event.user_id).where(col(Event.action).startswith("activation."))
    assert sorted(session.exec(query).all()) == [("activation.issued", jane), ("activation.refused", nix)]


def test_many_are_issued_in_a_handful_of_statements(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    few = [somebody(session, app, clock, f"few{number}") for number in range(2)]
    many = [somebody(session, app, clock, f"many{number}") for number in range(40)]
    with _counted(session) as small:
        issue(session, house, cast, clock, *few)
    with _counted(session) as large:
        issue(session, house, cast, clock, *many)
    assert large.number == small.number


# -- Where people stand ------------------------------------------------------------------------------------------------


def test_a_person_walks_from_not_invited_to_password_set(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    jane = somebody(session, app, clock, "jane")
    seen = [_state(session, house, cast, clock, jane)]
    (result,) = issue(session, house, cast, clock, jane)
    row = session.get(Activation, result.activation_id)
    assert row is not None
    seen.append(_state(session, house, cast, clock, jane))
    links.sent(session, row.id or 0, clock())
    seen.append(_state(session, house, cast, clock, jane))
    for column in ("opened_at", "used_at"):
        setattr(row, column, clock())
        session.add(row)
        session.flush()
        seen.append(_state(session, house, cast, clock, jane))
    assert seen == [Invited.NOT_INVITED, Invited.QUEUED, Invited.SENT, Invited.OPENED, Invited.PASSWORD_SET]


def test_a_sent_link_expires_and_an_unsent_one_does_not(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    sent, waiting = somebody(session, app, clock, "sent"), somebody(session, app, clock, "waiting")
    results = issue(session, house, cast, clock, sent, waiting)
    links.sent(session, results[0].activation_id or 0, clock())
    clock.forward(hours=73)
    assert _state(session, house, cast, clock, sent) is Invited.EXPIRED
    assert _state(session, house, cast, clock, waiting) is Invited.QUEUED


def test_a_bounced_and_a_revoked_link_are_told(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    back, revoked = somebody(session, app, clock, "back"), somebody(session, app, clock, "revoked")
    results = issue(session, house, cast, clock, back, revoked)
    links.sent(session, results[0].activation_id or 0, clock())
    links.bounced(session, results[0].activation_id or 0, clock())
    activation.revoke(session, cast.contoso, [revoked], "ada", clock())
    assert _state(session, house, cast, clock, back) is Invited.BOUNCED
    assert _state(session, house, cast, clock, revoked) is Invited.NOT_INVITED


def test_counts_pages_and_the_whole_list_agree(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    people = [somebody(session, app, clock, f"p{number:02}") for number in range(7)]
    somebody(session, app, clock, "gone", lifecycle=Lifecycle.LEFT)
    issue(session, house, cast, clock, *people[:3])
    whole = activation.status(session, cast.contoso, Wanted(limit=3), house.kinds, clock())
    assert {state: number for state, number in whole.counts.items() if number} == {
        Invited.QUEUED: 3,
        Invited.NOT_INVITED: 4,
    }
    walked, after = [], None
    while True:
        page = activation.status(session, cast.contoso, Wanted(limit=3, after=after), house.kinds, clock())
        walked += [line.user_id for line in page.lines]
        if page.after is None:
            break
        after = page.after
    assert walked == people == activation.matching(session, cast.contoso, Wanted(), house.kinds, clock())
    back = activation.status(session, cast.contoso, Wanted(limit=3, before=page.before), house.kinds, clock())
    assert [line.user_id for line in back.lines] == people[3:6]
    wanted = Wanted(state=Invited.NOT_INVITED, text="p05")
    assert activation.matching(session, cast.contoso, wanted, house.kinds, clock()) == [people[5]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_the_list_counts_as_blocked_exactly_whom_the_judgement_blocks(
    session: Session, house: House, cast: Cast, app: Any, clock: Clock, data: st.DataObject
) -> None:
    maybe = st.booleans()
    app.facts = {
        **FACTS,
        "roles": data.draw(st.sampled_from([None, {}, {"boss": ["Helpdesk"], "plain": []}])),
        "rights": data.draw(st.sampled_from([[], [{"name": RIGHTS[0], "state": "missing"}]])),
    }
    app.scope = {"break_glass": data.draw(st.sampled_from([[], ["Kept@contoso.example"]]))}
    app.state = data.draw(st.sampled_from(["active", "paused", "quarantined"]))
    session.add(app)
    name = data.draw(st.sampled_from(["plain", "kept", "x"])) + data.draw(
        st.sampled_from(["@contoso.example", "@fed.example"])
    )
    standing = {word: True for word in ("guest", "synced", "licensed") if data.draw(maybe)}
    there: dict[str, Any] = {
        "anchor": data.draw(st.sampled_from([None, "boss", "plain"])),
        "situation": data.draw(st.sampled_from([Situation.LINKED, Situation.GONE, Situation.ABSENT])),
        "enabled": data.draw(st.sampled_from([None, True, False])),
        "standing": standing,
        "intent": data.draw(st.sampled_from([{}, {"protected": True}, {"enabled": True}])),
    }
    private = data.draw(st.sampled_from([None, "", "a@home.example"]))
    lifecycle = data.draw(st.sampled_from(list(Lifecycle)))
    with session.begin_nested() as nested:
        boss = populate.person(
            session, cast.contoso, clock(), "Boss", email=data.draw(st.sampled_from([None, "b@c.d"]))
        )
        given_values = {"email": name, "private_email": private, "lifecycle": lifecycle}
        manager = boss.id if data.draw(maybe) else None
        person = populate.person(session, cast.contoso, clock(), "Somebody", manager_id=manager, **given_values)
        populate.account(session, app, person, clock(), **there)
        if data.draw(maybe):
            _operate(session, app, clock, person.id or 0)
        terms = OnboardingSettings(recipient=data.draw(st.sampled_from(list(Recipient))), access_pass=data.draw(maybe))
        judged = reach(session, cast.contoso, [person.id or 0], house.kinds, terms)[person.id or 0].standing.code
        query = sa.select(helpless(session, cast.contoso, house.kinds, terms)).where(USERS.c.id == person.id)
        counted = bool(session.scalar(query.select_from(USERS)))
        nested.rollback()
    assert counted == (judged is not None)


def _state(session: Session, house: House, cast: Cast, clock: Clock, user_id: int) -> Invited:
    page = activation.status(session, cast.contoso, Wanted(), house.kinds, clock())
    (line,) = [line for line in page.lines if line.user_id == user_id]
    assert page.counts[line.state] >= 1
    return line.state


def _operate(session: Session, app: Any, clock: Clock, user_id: int) -> None:
    account = session.exec(select(Account).where(Account.user_id == user_id)).one()
    given: dict[str, Any] = {"kind": OperationKind.CREATE, "state": OperationState.PENDING, "created_by": "ada"}
    at = {"due_at": clock(), "created_at": clock()}
    session.add(Operation(tenant_id=app.tenant_id, connector_id=app.id, account_id=account.id, **given, **at))
    session.flush()


def _may_leave(session: Session, house: House, result: Issued) -> bool:
    number = sa.literal(result.activation_id, sa.BigInteger)
    return bool(session.scalar(sa.select(links.may_leave(house.kinds, number))))


class _counted:  # noqa: N801 - reads as a sentence
    """The number of statements sent within the block."""

    def __init__(self, session: Session) -> None:
        self._engine, self.number, self._seen = session.get_bind(), 0, Counter[str]()

    def __enter__(self) -> "_counted":
        sa.event.listen(self._engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self._engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.number += 1


def test_the_tenants_settings_are_heeded(session: Session, house: House, cast: Cast, app: Any, clock: Clock) -> None:
    terms = OnboardingSettings(recipient=Recipient.MANAGER, link_hours=5)
    chosen.save_onboarding(session, cast.contoso, terms, "ada", clock())
    boss = somebody(session, app, clock, "boss")
    jane = somebody(session, app, clock, "jane", manager_id=boss)
    (result,) = issue(session, house, cast, clock, jane)
    row = session.get(Activation, result.activation_id)
    assert row is not None
    assert (result.address, row.hours) == ("boss@contoso.example", 5)
