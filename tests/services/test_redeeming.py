"""From a link to a password that Microsoft 365 knows: every way this can go, on the real sandbox."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.ports import OutsideError, Refused, Unreachable
from provision.core.redeeming import Answer
from provision.core.tables import Account, Activation, Connector, Event, Operation, User
from provision.core.vocabulary import Kind, Lifecycle, OperationKind, OperationState, Situation
from provision.house import House
from provision.services import activation, outbox, users
from provision.services.outbox.claiming import claim
from tests.cast import Cast, Clock
from tests.lobby import GOOD, OTHER, Lobby, race


@pytest.fixture
def lobby(house: House, cast: Cast, clock: Clock) -> Lobby:
    return Lobby(house, cast.contoso, clock)


BANNED_THERE = "Nordlysfestivalen-24"
"""On the tenant's own list of banned words, which only the tenant knows."""


def told(lobby: Lobby) -> list[str]:
    with lobby.house.db.reading() as session:
        return list(session.exec(select(Event.action).where(Event.actor == "activation link").order_by(Event.id)).all())


def test_the_password_is_the_microsoft_365_password_from_that_moment(lobby: Lobby) -> None:
    user, token = lobby.hire()
    assert not lobby.signs_in(user, GOOD)
    result = lobby.redeem(token)
    assert (result.answer, result.code) == (Answer.DONE, None)
    assert lobby.signs_in(user, GOOD)
    row = lobby.row(user)
    assert row.used_at == lobby.clock()
    assert (row.reserved_until, lobby.account(user).busy_until) == (None, None)
    assert told(lobby) == ["activation.redeemed"]


def test_a_link_is_good_for_one_password(lobby: Lobby) -> None:
    user, token = lobby.hire()
    lobby.redeem(token)
    again = lobby.redeem(token, OTHER)
    assert (again.over, again.code) == (True, "activation_over")
    assert lobby.signs_in(user, GOOD)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 43, "x" * 5_000, "\ud800", "%00", "'; DROP TABLE activations"])
def test_an_unknown_link_is_over_like_any_other(lobby: Lobby, token: str) -> None:
    assert lobby.redeem(token).over


def test_used_expired_revoked_and_unknown_links_answer_alike(lobby: Lobby) -> None:
    used, expired, revoked = (lobby.hire(number) for number in range(3))
    lobby.redeem(used[1])
    with lobby.house.db.writing() as session:
        activation.revoke(session, lobby.tenant, [revoked[0].id or 0], "ada", lobby.clock())
    lobby.clock.forward(hours=73)
    answers = {lobby.redeem(token) for token in (used[1], expired[1], revoked[1], "unknown")}
    assert answers == {lobby.redeem("another")}


@pytest.mark.parametrize(
    ("password", "again", "code"),
    [
        ("Loud-River", None, "chosen_short"),
        ("Aa1-" * 2_500, None, "password_long"),
        (GOOD, "Loud-River-52-Laddre", "password_differs"),
        ("Loud-River-52\n-Ladder", None, "chosen_signs"),
        ("Loud-River-52-🦊-Ladder", None, "chosen_signs"),
        ("Password-Password-1", None, "chosen_common"),
        ("loud river ladder field", None, "chosen_classes"),
    ],
)
def test_a_password_that_breaks_a_rule_is_sent_nowhere_and_the_link_lives(
    lobby: Lobby, password: str, again: str | None, code: str
) -> None:
    _, token = lobby.hire()
    lobby.strike("status", "/v1.0/users/*", times=None, status=500, code="x", message="nobody may call")
    refused = lobby.redeem(token, password, again)
    assert (refused.answer, refused.code) == (Answer.WEAK, code)
    lobby.sandbox.faults.clear()
    assert lobby.redeem(token).answer is Answer.DONE


def test_a_password_with_the_persons_own_name_is_refused(lobby: Lobby) -> None:
    _, token = lobby.hire(given_name="Margarethe")
    assert lobby.redeem(token, "margarethe-Runs-52-miles").code == "chosen_name"


def test_microsofts_own_refusal_is_told_and_the_link_lives(lobby: Lobby) -> None:
    user, token = lobby.hire()
    refused = lobby.redeem(token, BANNED_THERE)
    assert (refused.answer, refused.code) == (Answer.WEAK, "password_weak")
    assert lobby.row(user).used_at is None
    assert lobby.redeem(token).answer is Answer.DONE
    assert told(lobby) == ["activation.failed", "activation.redeemed"]


def test_a_hundred_failures_of_graph_cost_no_link(lobby: Lobby) -> None:
    user, token = lobby.hire()
    lobby.choose(link_hours=168)
    for _ in range(100):
        lobby.sandbox.faults.clear()
        lobby.strike("status", "/v1.0/users/*", times=None, status=503, code="serviceNotAvailable", message="away")
        assert lobby.redeem(token).code == "activation_later"
        lobby.sandbox.faults.clear()
        lobby.clock.forward(minutes=3)
    assert lobby.redeem(token).answer is Answer.DONE
    assert lobby.signs_in(user, GOOD)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_lost_answer_is_looked_up_before_anything_is_sent_again(lobby: Lobby, kind: str) -> None:
    user, token = lobby.hire()
    lobby.strike(kind, "/v1.0/users/*", method="PATCH")
    assert lobby.redeem(token).code == "activation_doubt"
    assert lobby.redeem(token, OTHER).code == "activation_busy"
    lobby.clock.forward(minutes=3)
    later = lobby.redeem(token, OTHER)
    if kind == "drop_after":
        assert later.code == "activation_already"
        assert lobby.signs_in(user, GOOD)
        assert lobby.redeem(token, OTHER).over
    else:
        assert later.answer is Answer.DONE
        assert lobby.signs_in(user, OTHER)


def test_while_a_lost_answer_is_in_doubt_no_newer_link_overtakes_it(lobby: Lobby) -> None:
    """What was sent may still be on its way there; whoever came next would be told that theirs counts."""
    user, token = lobby.hire()
    lobby.strike("drop_before", "/v1.0/users/*", method="PATCH")
    assert lobby.redeem(token).code == "activation_doubt"
    newer = lobby.invite(user.id or 0)
    assert lobby.redeem(newer, OTHER).code == "activation_busy"
    lobby.clock.forward(minutes=2)
    assert lobby.redeem(newer, OTHER).answer is Answer.DONE
    assert lobby.redeem(token).over


class _Killed(BaseException):
    """The process ends here; nobody catches it."""


@pytest.mark.parametrize("where", ["before", "after"])
def test_after_a_death_the_reservation_lapses_within_two_minutes_and_a_look_decides(lobby: Lobby, where: str) -> None:
    user, token = lobby.hire()

    def connect(row: Connector) -> Any:
        return _Mortal(lobby.house.connect(row), where)

    with pytest.raises(_Killed):
        lobby.redeem(token, connect=connect)
    assert lobby.redeem(token, OTHER).code == "activation_busy"
    lobby.clock.forward(minutes=2)
    assert activation.lapsed(lobby.ways()) == [lobby.row(user).id]
    spent = lobby.row(user).used_at is not None
    assert spent == (where == "after")
    assert lobby.redeem(token, OTHER).over == spent
    assert lobby.signs_in(user, GOOD if spent else OTHER)


def test_a_reservation_stays_in_doubt_while_nobody_can_look(lobby: Lobby) -> None:
    user, token = lobby.hire()
    lobby.strike("drop_after", "/v1.0/users/*", method="PATCH")
    lobby.redeem(token)
    lobby.clock.forward(minutes=3)
    lobby.strike("status", "/v1.0/users/*", times=None, status=503, code="x", message="away")
    assert lobby.redeem(token, OTHER).code == "activation_later"
    activation.lapsed(lobby.ways())
    assert lobby.row(user).used_at is None
    lobby.sandbox.faults.clear()
    assert activation.lapsed(lobby.ways()) == [lobby.row(user).id]
    assert lobby.row(user).used_at == lobby.clock()


def test_of_ten_at_the_same_time_exactly_one_sets_its_password(lobby: Lobby) -> None:
    for number in range(3):
        user, token = lobby.hire(number)
        results = race(lobby, token, [f"Loud-River-{n}2-Ladder" for n in range(10)])
        accepted = [password for password, result in results if result.answer is Answer.DONE]
        assert len(accepted) == 1
        assert lobby.signs_in(user, accepted[0])
        assert all(result.over or result.code in LOST for _, result in results if result.answer is not Answer.DONE)


@pytest.mark.parametrize("minutes", [1.5, 3])
def test_who_was_held_up_before_sending_sends_nothing_any_more(lobby: Lobby, minutes: float) -> None:
    """A process that sleeps between reserving and sending: by then another try may have set the password."""
    user, token = lobby.hire()
    later: list[activation.Redeemed] = []

    @contextmanager
    def writing() -> Iterator[Session]:
        with lobby.house.db.writing() as session:
            yield session
        if not later and lobby.row(user).reserved_until is not None:
            lobby.clock.forward(minutes=minutes)
            later.append(lobby.redeem(token, OTHER))

    slow = lobby.redeem(token, GOOD, writing=writing)
    assert slow.answer is not Answer.DONE
    assert not lobby.signs_in(user, GOOD)
    accepted = later[0].answer is Answer.DONE
    assert accepted == (minutes > 2), "until two minutes are over the link is the first one's"
    assert lobby.signs_in(user, OTHER) == accepted
    assert lobby.redeem(token, OTHER).over == accepted


class Clicks:
    """A form that comes once more just as the first try sets its password, which goes on when that one waits for it."""

    def __init__(self, lobby: Lobby, token: str, password: str, hand: str = "h1") -> None:
        self.lobby, self.given = lobby, (token, password, hand)
        self.answers: list[activation.Redeemed] = []
        self.waits, self.over = threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []

    def connect(self, row: Connector) -> Any:
        return _Slow(self.lobby.house.connect(row), self)

    def click(self) -> None:
        if not self.threads:
            self.threads.append(threading.Thread(target=self._again))
            self.threads[0].start()
            assert self.waits.wait(60)

    def end(self) -> list[str | None]:
        self.over.set()
        self.threads[0].join()
        return [one.code for one in self.answers]

    def _sleep(self, _seconds: float) -> None:
        self.waits.set()
        assert self.over.wait(60)

    def _again(self) -> None:
        token, password, hand = self.given
        if password:
            self.answers.append(self.lobby.redeem(token, password, hand=hand, sleep=self._sleep))
        else:
            self.answers.append(activation.hand_pass(self.lobby.ways(sleep=self._sleep), token, hand=hand))
        self.waits.set()


class _Slow:
    def __init__(self, port: Any, clicks: Clicks) -> None:
        self._port, self._clicks = port, clicks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def set_password(self, anchor: str, password: str) -> None:
        self._clicks.click()
        self._port.set_password(anchor, password)

    def access_pass(self, anchor: str, minutes: int) -> Any:
        self._clicks.click()
        return self._port.access_pass(anchor, minutes)


@pytest.mark.parametrize("password", [GOOD, OTHER])
def test_a_form_that_comes_twice_waits_for_the_first_which_is_the_one_that_counts(lobby: Lobby, password: str) -> None:
    """Without JavaScript nothing keeps a browser from sending twice; it shows the second answer alone."""
    user, token = lobby.hire()
    clicks = Clicks(lobby, token, password)
    assert lobby.redeem(token, GOOD, hand="h1", connect=clicks.connect).answer is Answer.DONE
    assert clicks.end() == ["activation_twice"]
    assert clicks.answers[0].answer is Answer.BEFORE
    assert lobby.signs_in(user, GOOD)
    assert told(lobby) == ["activation.redeemed"]


def test_one_that_comes_when_all_is_over_hears_the_same_if_its_hand_set_it(lobby: Lobby) -> None:
    user, token = lobby.hire()
    assert lobby.redeem(token, GOOD, hand="h1").answer is Answer.DONE
    assert lobby.redeem(token, OTHER, hand="h1").code == "activation_twice"
    assert lobby.redeem(token, OTHER, hand="h2").over
    assert lobby.redeem(token, OTHER).over
    assert lobby.signs_in(user, GOOD)
    lobby.clock.forward(hours=2)
    assert lobby.redeem(token, OTHER, hand="h1").over, "used long ago, it answers like any other"


def test_another_hand_is_not_kept_waiting(lobby: Lobby) -> None:
    _, token = lobby.hire()
    clicks = Clicks(lobby, token, OTHER, hand="h2")
    assert lobby.redeem(token, GOOD, hand="h1", connect=clicks.connect).answer is Answer.DONE
    assert clicks.end() == ["activation_busy"]


def test_where_the_first_was_refused_the_second_is_told_at_the_field_as_well(lobby: Lobby) -> None:
    _, token = lobby.hire()
    clicks = Clicks(lobby, token, BANNED_THERE)
    assert lobby.redeem(token, BANNED_THERE, hand="h1", connect=clicks.connect).code == "password_weak"
    assert clicks.end() == ["password_weak"]
    assert lobby.redeem(token, GOOD, hand="h1").answer is Answer.DONE


def test_nobody_waits_longer_than_a_page_may_take(lobby: Lobby) -> None:
    """A lost answer keeps the link reserved for two minutes, and no thread is held up so long."""
    _, token = lobby.hire()
    slept: list[float] = []
    lobby.strike("drop_before", "/v1.0/users/*", method="PATCH")
    assert lobby.redeem(token, hand="h1").code == "activation_doubt"
    assert lobby.redeem(token, hand="h1", sleep=slept.append).code == "activation_busy"
    assert 0 < sum(slept) <= 20


def test_a_link_that_was_revoked_while_its_form_was_open_is_over_for_that_hand_too(lobby: Lobby) -> None:
    user, token = lobby.hire()
    assert lobby.redeem(token, "short", hand="h1").code == "chosen_short"
    newer = lobby.invite(user.id or 0)
    assert lobby.redeem(token, hand="h1").over
    assert lobby.redeem(newer, hand="h1").answer is Answer.DONE
    assert lobby.redeem(token, hand="h1").over


LOST = ("activation_busy", "activation_tries", "activation_over")


def test_five_posts_in_ten_minutes_are_enough(lobby: Lobby) -> None:
    _, token = lobby.hire()
    for _ in range(5):
        assert lobby.redeem(token, "short").code == "chosen_short"
    assert lobby.redeem(token).code == "activation_tries"
    lobby.clock.forward(minutes=11)
    assert lobby.redeem(token).answer is Answer.DONE


def test_nothing_is_set_while_something_about_the_account_is_on_its_way(lobby: Lobby) -> None:
    user, token = lobby.hire()
    _operate(lobby, user, OperationState.RUNNING)
    assert lobby.redeem(token).code == "activation_busy"
    with lobby.house.db.writing() as session:
        session.execute(sa.update(Operation).values(state=OperationState.DONE))
    assert lobby.redeem(token).answer is Answer.DONE


def test_nothing_is_sent_about_an_account_while_its_password_is_being_set(lobby: Lobby) -> None:
    user, token = lobby.hire()
    _operate(lobby, user, OperationState.PENDING)
    claimed: list[int] = []

    def connect(row: Connector) -> Any:
        return _Watched(lobby.house.connect(row), lambda: claimed.append(_claimable(lobby)))

    lobby.redeem(token, connect=connect)
    assert claimed == [0]
    assert _claimable(lobby) == 1


@pytest.mark.parametrize("change", ["disabled", "deleted"])
def test_the_link_of_somebody_who_was_disabled_or_deleted_is_over(lobby: Lobby, change: str) -> None:
    user, token = lobby.hire()
    how = users.Move.DISABLE if change == "disabled" else users.Move.DELETE
    with lobby.house.db.writing() as session:
        users.move(session, lobby.tenant, user.id or 0, how, outbox.Order("ada", lobby.clock(), lobby.house.kinds))
    assert lobby.redeem(token).over


def test_a_person_whose_lifecycle_moved_otherwise_has_no_link_either(lobby: Lobby) -> None:
    user, token = lobby.hire()
    with lobby.house.db.writing() as session:
        session.execute(sa.update(User).where(User.id == user.id).values(lifecycle=Lifecycle.SUSPENDED))  # type: ignore[arg-type]
    assert lobby.redeem(token).over


@pytest.mark.parametrize(
    ("standing", "facts"),
    [
        ({"synced": True}, {}),
        ({"guest": True}, {}),
        ({}, {"domains": [{"name": "fjordvik.example", "federated": True}]}),
    ],
)
def test_what_became_impossible_after_the_mail_is_told_and_changes_nothing(
    lobby: Lobby, standing: dict[str, Any], facts: dict[str, Any]
) -> None:
    user, token = lobby.hire()
    with lobby.house.db.writing() as session:
        session.execute(sa.update(Account).where(Account.user_id == user.id).values(standing=standing))  # type: ignore[arg-type]
        app = session.get(Connector, lobby.app)
        assert app is not None
        app.facts = {**app.facts, **facts}
        session.add(app)
    assert lobby.redeem(token).code == "activation_ask"
    assert lobby.row(user).used_at is None
    assert told(lobby) == ["activation.failed"]


def test_a_right_taken_away_after_the_mail_leads_to_the_administrator(lobby: Lobby) -> None:
    user, token = lobby.hire()
    lobby.sandbox.unassign_role("User Administrator")
    lobby.sandbox.expire_tokens()
    assert lobby.redeem(token).code == "activation_ask"
    row = lobby.row(user)
    assert row.used_at is None
    assert row.outcomes[str(lobby.app)]["code"] == "role_missing"


def test_sessions_end_where_the_tenant_wants_it(lobby: Lobby) -> None:
    quiet, strict = lobby.hire(0), lobby.hire(1)
    lobby.redeem(quiet[1])
    lobby.choose(sign_out=True)
    lobby.redeem(strict[1])
    assert "sessions" not in lobby.row(quiet[0]).outcomes[str(lobby.app)]
    assert lobby.row(strict[0]).outcomes[str(lobby.app)]["sessions"] == "ended"


def test_a_password_counts_even_if_the_sessions_could_not_be_ended(lobby: Lobby) -> None:
    lobby.choose(sign_out=True)
    user, token = lobby.hire()
    lobby.strike(
        "status", "/v1.0/users/*/revokeSignInSessions", status=403, code="Authorization_RequestDenied", message=""
    )
    assert lobby.redeem(token).answer is Answer.DONE
    assert lobby.row(user).outcomes[str(lobby.app)]["sessions"] != "ended"


def test_a_pass_is_handed_out_once_instead_of_a_password(lobby: Lobby) -> None:
    lobby.choose(access_pass=True)
    user, token = lobby.hire()
    assert lobby.redeem(token).over, "a link for a pass sets no password"
    handed = activation.hand_pass(lobby.ways(), token)
    assert handed.answer is Answer.DONE
    assert handed.handed is not None
    assert handed.handed not in repr(handed)
    assert handed.handed not in repr(lobby.row(user))
    assert activation.hand_pass(lobby.ways(), token).over


def test_who_clicks_twice_for_a_pass_is_shown_one_that_works_each_time(lobby: Lobby) -> None:
    """Without JavaScript nothing keeps a browser from sending twice; it shows the second answer alone."""
    lobby.choose(access_pass=True)
    user, token = lobby.hire()
    clicks = Clicks(lobby, token, "", hand="h1")
    first = activation.hand_pass(lobby.ways(connect=clicks.connect), token, hand="h1")
    assert clicks.end() == [None]
    (second,) = clicks.answers
    assert (first.answer, second.answer) == (Answer.DONE, Answer.DONE)
    assert second.handed not in (None, first.handed)
    assert lobby.row(user).used_at is not None
    assert told(lobby) == ["activation.redeemed", "activation.redeemed"]
    assert activation.hand_pass(lobby.ways(), token, hand="h2").over, "to another browser it is over"
    assert activation.hand_pass(lobby.ways(), token).over


def test_a_pass_may_be_had_again_for_a_moment_only_and_not_beside_a_newer_link(lobby: Lobby) -> None:
    lobby.choose(access_pass=True)
    (_, token), (other, replaced) = lobby.hire(0), lobby.hire(1)
    for each in (token, replaced):
        assert activation.hand_pass(lobby.ways(), each, hand="h1").handed
    lobby.invite(other.id or 0)
    assert activation.hand_pass(lobby.ways(), replaced, hand="h1").over
    lobby.clock.forward(minutes=3)
    assert activation.hand_pass(lobby.ways(), token, hand="h1").over


def test_a_pass_that_cannot_be_had_again_now_can_be_had_later(lobby: Lobby) -> None:
    lobby.choose(access_pass=True)
    _, token = lobby.hire()
    assert activation.hand_pass(lobby.ways(), token, hand="h1").handed
    lobby.sandbox.faults.turn(pass_policy=0)
    assert activation.hand_pass(lobby.ways(), token, hand="h1").code == "activation_ask"
    lobby.sandbox.faults.turn(pass_policy=1)
    assert activation.hand_pass(lobby.ways(), token, hand="h1").handed


def test_a_tenant_that_allows_no_passes_costs_no_link(lobby: Lobby) -> None:
    lobby.choose(access_pass=True)
    user, token = lobby.hire()
    lobby.sandbox.faults.turn(pass_policy=0)
    assert activation.hand_pass(lobby.ways(), token).code == "activation_ask"
    assert lobby.row(user).outcomes[str(lobby.app)]["code"] == "passes_off"
    lobby.sandbox.faults.turn(pass_policy=1)
    assert activation.hand_pass(lobby.ways(), token).answer is Answer.DONE


def test_the_page_of_a_link_shows_enough_to_recognise_oneself_and_no_more(lobby: Lobby) -> None:
    _, token = lobby.hire(email="priya.venkataraman@fjordvik.example", preferred_language="de-AT")
    with lobby.house.db.reading() as session:
        bearer = activation.look(session, token, lobby.house.kinds, lobby.clock())
        assert activation.look(session, "unknown", lobby.house.kinds, lobby.clock()) is None
    assert bearer is not None
    assert bearer.masked == "p••••.v••••@fjordvik.example"
    assert (bearer.organisation, bearer.language, bearer.apps) == ("Contoso", "de", ("Microsoft 365",))
    assert bearer.terms.judged_by == frozenset({"microsoft"})


def test_looking_at_a_link_changes_nothing(lobby: Lobby) -> None:
    user, token = lobby.hire()
    before = lobby.row(user)
    with lobby.house.db.reading() as session:
        for _ in range(20):
            activation.look(session, token, lobby.house.kinds, lobby.clock())
    assert lobby.row(user) == before


def _operate(lobby: Lobby, user: User, state: OperationState) -> None:
    account = lobby.account(user)
    given: dict[str, Any] = {
        "kind": OperationKind.UPDATE,
        "state": state,
        "created_by": "ada",
        "tenant_id": lobby.tenant,
    }
    at = {"due_at": lobby.clock(), "created_at": lobby.clock()}
    with lobby.house.db.writing() as session:
        session.add(Operation(connector_id=lobby.app, account_id=account.id or 0, **given, **at))


def _claimable(lobby: Lobby) -> int:
    """How many operations would be taken now; they are left as they are."""
    with lobby.house.db.reading() as session:
        app = session.get(Connector, lobby.app)
        assert app is not None
        taken = claim(session, outbox.app_of(session, app, lobby.house.kinds), lobby.clock())
        session.rollback()
    return len(taken.running) + taken.nothing + taken.cancelled + taken.asks


class _Watched:
    """A port that calls ``then`` at the very moment a password goes out."""

    def __init__(self, port: Any, then: Any) -> None:
        self._port, self._then = port, then

    def set_password(self, anchor: str, password: str) -> None:
        self._then()
        self._port.set_password(anchor, password)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _Mortal(_Watched):
    """A port whose process dies just before or just after the password went out."""

    def __init__(self, port: Any, where: str) -> None:
        super().__init__(port, None)
        self._where = where

    def set_password(self, anchor: str, password: str) -> None:
        if self._where == "after":
            self._port.set_password(anchor, password)
        raise _Killed


def test_an_activation_row_holds_no_password(lobby: Lobby) -> None:
    _, token = lobby.hire()
    lobby.redeem(token)
    with lobby.house.db.reading() as session:
        rows = session.exec(select(Activation)).all()
        assert GOOD not in repr([row.model_dump() for row in rows])


# -- Several apps ------------------------------------------------------------------------------------------------------


class _Second:
    """Another application that takes passwords, or refuses them as told."""

    def __init__(self, error: OutsideError | None = None) -> None:
        self.error, self.taken = error, dict[str, str]()

    def set_password(self, anchor: str, password: str) -> None:
        if self.error is not None:
            raise self.error
        self.taken[anchor] = password


@pytest.fixture
def second(lobby: Lobby) -> Callable[..., tuple[User, str, Any]]:
    """A person with a link and an account in a second app; that app's port stands in for the network."""

    def make(error: OutsideError | None = None) -> tuple[User, str, Any]:
        user, port = lobby.person(), _Second(error)
        with lobby.house.db.writing() as session:
            config = {"base_url": "https://app.example/scim/v2", "passwords": True}
            given = {"kind": Kind.SCIM, "name": "Wiki", "position": -1, "config": config, "facts": {}}
            app = Connector(tenant_id=lobby.tenant, created_at=lobby.clock(), facts_at=lobby.clock(), **given)
            session.add(app)
            session.flush()
            held = {"user_id": user.id, "anchor": "w1", "name": "w", "situation": Situation.LINKED, "enabled": True}
            session.add(Account(tenant_id=lobby.tenant, connector_id=app.id or 0, **held))
            number = app.id

        def connect(row: Connector) -> Any:
            return port if row.id == number else lobby.house.connect(row)

        return user, lobby.invite(user.id or 0), (port, connect)

    return make


def test_the_password_goes_to_every_app_and_each_has_its_outcome(lobby: Lobby, second: Any) -> None:
    user, token, (port, connect) = second()
    assert lobby.redeem(token, connect=connect).answer is Answer.DONE
    assert port.taken == {"w1": GOOD}
    assert lobby.signs_in(user, GOOD)
    assert [one["answer"] for one in lobby.row(user).outcomes.values()] == ["done", "done"]


def test_an_app_that_refuses_for_good_costs_the_others_nothing_and_is_named(lobby: Lobby, second: Any) -> None:
    user, token, (_, connect) = second(Refused("passwords_not_kept_there"))
    result = lobby.redeem(token, connect=connect)
    assert (result.answer, result.partly) == (Answer.DONE, ("Wiki",))
    assert lobby.row(user).used_at is not None


def test_an_app_that_does_not_answer_leaves_the_link_alive_for_all_of_them(lobby: Lobby, second: Any) -> None:
    user, token, (port, connect) = second(Unreachable("host_unreachable", sent=False))
    assert lobby.redeem(token, connect=connect).code == "activation_later"
    port.error = None
    assert lobby.redeem(token, OTHER, connect=connect).answer is Answer.DONE
    assert port.taken == {"w1": OTHER}
    assert lobby.signs_in(user, OTHER)


def test_what_microsoft_refuses_is_set_nowhere_else(lobby: Lobby, second: Any) -> None:
    _, token, (port, connect) = second()
    assert lobby.redeem(token, BANNED_THERE, connect=connect).code == "password_weak"
    assert port.taken == {}


def test_an_app_that_keeps_no_passwords_is_not_asked(lobby: Lobby, second: Any) -> None:
    _, token, (port, connect) = second()
    with lobby.house.db.writing() as session:
        session.execute(sa.update(Connector).where(col(Connector.name) == "Wiki").values(config={"passwords": False}))
    assert lobby.redeem(token, connect=connect).answer is Answer.DONE
    assert port.taken == {}
