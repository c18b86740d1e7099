"""Who gets in, for how long, and how refusals look."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.tables import Event, Invitation, Operator, SignInAttempt, SignInSession
from provision.core.vocabulary import Role
from provision.house import House
from provision.services import operators
from provision.services.errors import Conflict, Invalid, NotFound
from tests.cast import Cast, Clock

PASSWORD = "seven herons cross the ford"
LIMITS = operators.Limits(idle=timedelta(minutes=30), absolute=timedelta(hours=12))


@pytest.fixture
def gil(house: House, cast: Cast, clock: Clock) -> str:
    """An operator with a password; returns the address."""
    with house.db.writing() as session:
        operators.add(session, "Gil@Contoso.example", Role.OPERATOR, cast.contoso, PASSWORD, clock())
    return "gil@contoso.example"


def _sign_in(house: House, clock: Clock, email: str, password: str, address: str = "192.0.2.7") -> str | None:
    return operators.sign_in(house.db, email, password, address, clock(), secrets.token_bytes(32))


def _standing(house: House, token: str, clock: Clock) -> operators.Standing | None:
    with house.db.reading() as session:
        return operators.standing(session, token, clock(), LIMITS)


def test_the_right_password_begins_a_session_whatever_the_case_of_the_address(
    house: House, clock: Clock, gil: str
) -> None:
    token = _sign_in(house, clock, gil.upper(), PASSWORD)
    assert token is not None
    standing = _standing(house, token, clock)
    assert standing is not None
    assert standing.operator.email == "Gil@Contoso.example"
    assert [(place.slug, place.role) for place in standing.places] == [("contoso", Role.OPERATOR)]


@pytest.mark.parametrize(
    "email", ["gil@contoso.example", "nobody@contoso.example", "ada@contoso.example", "", "x" * 5000]
)
def test_a_wrong_password_an_unknown_address_and_one_without_a_password_are_refused_alike(
    house: House, clock: Clock, gil: str, email: str
) -> None:
    assert _sign_in(house, clock, email, "not the password at all") is None


def test_a_disabled_operator_is_refused_and_signed_out(house: House, clock: Clock, gil: str) -> None:
    token = _sign_in(house, clock, gil, PASSWORD)
    with house.db.writing() as session:
        session.execute(sa.update(Operator).where(Operator.email_key == gil).values(disabled_at=clock()))
    assert token is not None
    assert _standing(house, token, clock) is None
    assert _sign_in(house, clock, gil, PASSWORD) is None


def test_only_digests_of_tokens_and_hashes_of_passwords_are_kept(house: House, clock: Clock, gil: str) -> None:
    token = _sign_in(house, clock, gil, PASSWORD)
    assert token is not None
    stored = b"".join(path.read_bytes() for path in house.settings.data_dir.glob("provision.db*"))
    assert PASSWORD.encode() not in stored
    assert token.encode() not in stored
    with house.db.reading() as session:
        kept = session.exec(select(Operator.password_hash).where(Operator.email_key == gil)).one()
    assert kept is not None
    assert kept.startswith("$argon2id$v=19$m=47104,t=2,p=1$")


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (2, 0), (3, 1), (4, 2), (8, 32), (12, 512), (13, 900), (90, 900)]
)
def test_the_delay_doubles_up_to_a_quarter_of_an_hour(failures: int, seconds: int) -> None:
    assert operators.wait_after(failures) == timedelta(seconds=seconds)


def test_after_three_failures_even_the_right_password_waits_but_only_there(
    house: House, clock: Clock, gil: str
) -> None:
    for _ in range(3):
        assert _sign_in(house, clock, gil, "wrong") is None
    assert _sign_in(house, clock, gil, PASSWORD) is None
    assert _sign_in(house, clock, gil, PASSWORD, address="198.51.100.9") is not None
    clock.forward(seconds=2)
    assert _sign_in(house, clock, gil, PASSWORD) is not None


def test_a_neighbour_in_the_same_network_shares_the_delay(house: House, clock: Clock, gil: str) -> None:
    for last in range(3):
        _sign_in(house, clock, gil, "wrong", address=f"192.0.2.{last}")
    assert _sign_in(house, clock, gil, PASSWORD, address="192.0.2.200") is None


def test_what_is_tried_while_waiting_is_not_counted(house: House, clock: Clock, gil: str) -> None:
    for _ in range(9):
        _sign_in(house, clock, gil, "wrong")
    with house.db.reading() as session:
        assert session.execute(sa.select(sa.func.count()).select_from(SignInAttempt)).scalar_one() == 3


def test_one_network_cannot_try_many_addresses_in_a_minute(house: House, clock: Clock, gil: str) -> None:
    for number in range(10):
        _sign_in(house, clock, f"guess{number}@contoso.example", "wrong")
    assert _sign_in(house, clock, gil, PASSWORD) is None
    clock.forward(minutes=2)
    assert _sign_in(house, clock, gil, PASSWORD) is not None


def test_a_success_forgets_the_failures_before_it(house: House, clock: Clock, gil: str) -> None:
    _sign_in(house, clock, gil, "wrong")
    _sign_in(house, clock, gil, PASSWORD)
    with house.db.reading() as session:
        assert session.exec(select(SignInAttempt)).all() == []


def test_signing_in_and_being_refused_are_written_down(house: House, clock: Clock, gil: str) -> None:
    _sign_in(house, clock, gil, "wrong")
    _sign_in(house, clock, gil, PASSWORD)
    with house.db.reading() as session:
        actions = [event.action for event in session.exec(select(Event).order_by(sa.asc(Event.id)))]  # type: ignore[arg-type]
    assert actions[-2:] == ["operator.refused", "operator.signed_in"]


@pytest.fixture
def token(house: House, cast: Cast, clock: Clock) -> str:
    with house.db.writing() as session:
        return operators.start(session, cast.ada, secrets.token_bytes(32), clock())


def test_a_session_ends_after_half_an_hour_without_use(house: House, clock: Clock, token: str) -> None:
    clock.forward(minutes=29)
    assert _standing(house, token, clock) is not None
    clock.forward(minutes=2)
    assert _standing(house, token, clock) is None


def test_a_session_in_use_still_ends_after_twelve_hours(house: House, clock: Clock, token: str) -> None:
    for _ in range(35):
        clock.forward(minutes=20)
        standing = _standing(house, token, clock)
        assert standing is not None
        with house.db.writing() as session:
            operators.touch(session, standing.session_id, clock())
    clock.forward(minutes=25)
    assert _standing(house, token, clock) is None


def test_ending_one_session_leaves_the_other_and_ending_all_leaves_none(
    house: House, cast: Cast, clock: Clock, token: str
) -> None:
    with house.db.writing() as session:
        other = operators.start(session, cast.ada, secrets.token_bytes(32), clock())
    standing = _standing(house, token, clock)
    assert standing is not None
    with house.db.writing() as session:
        operators.end(session, standing.session_id, clock())
    assert _standing(house, token, clock) is None
    assert _standing(house, other, clock) is not None
    with house.db.writing() as session:
        operators.end_all(session, cast.ada, clock())
    assert _standing(house, other, clock) is None


def test_of_two_roles_the_higher_holds_and_a_grant_everywhere_opens_every_tenant(
    session: Session, cast: Cast, clock: Clock
) -> None:
    operators.add(session, "ben@contoso.example", Role.AUDITOR, None, None, clock())
    places = operators.places(session, cast.ben)
    assert [(place.slug, place.role) for place in places] == [("contoso", Role.OPERATOR), ("fabrikam", Role.AUDITOR)]


@pytest.mark.parametrize(
    "email", ["", "ada", "@contoso.example", "ada@", "ada@contoso", "a b@contoso.example", "a@b." + "x" * 400]
)
def test_an_operator_needs_an_address(session: Session, cast: Cast, clock: Clock, email: str) -> None:
    with pytest.raises(Invalid) as refused:
        operators.add(session, email, Role.OWNER, cast.contoso, None, clock())
    assert refused.value.problems == {"email": "operator_email"}


def test_an_operator_cannot_be_added_to_a_tenant_that_is_not_there(session: Session, cast: Cast, clock: Clock) -> None:
    with pytest.raises(NotFound):
        operators.add(session, "new@contoso.example", Role.OWNER, 99_999, None, clock())


def test_adding_an_operator_again_changes_the_role_and_ends_the_sessions(
    house: House, cast: Cast, clock: Clock, token: str
) -> None:
    with house.db.writing() as session:
        operators.add(session, "ADA@contoso.example", Role.AUDITOR, cast.contoso, None, clock())
    assert _standing(house, token, clock) is None
    with house.db.reading() as session:
        assert operators.places(session, cast.ada)[0].role is Role.AUDITOR


@pytest.mark.parametrize("password", ["ada@contoso.example", "contoso-contoso-1", "short one"])
def test_a_password_made_of_the_own_name_or_too_short_is_refused(
    session: Session, cast: Cast, clock: Clock, password: str
) -> None:
    with pytest.raises(Invalid) as refused:
        operators.add(session, "ada@contoso.example", Role.OWNER, cast.contoso, password, clock())
    assert set(refused.value.problems) == {"password"}


def _invite(house: House, cast: Cast, clock: Clock) -> str:
    with house.db.writing() as session:
        return operators.invite(session, cast.ada, secrets.token_bytes(32), clock())


def test_a_link_sets_the_password_once_and_signs_in(house: House, cast: Cast, clock: Clock) -> None:
    link = _invite(house, cast, clock)
    with house.db.reading() as session:
        assert operators.invited(session, link, clock()) == "ada@contoso.example"
    token = operators.accept(house.db, link, PASSWORD, clock(), secrets.token_bytes(32))
    assert _standing(house, token, clock) is not None
    assert _sign_in(house, clock, "ada@contoso.example", PASSWORD) is not None
    with pytest.raises(NotFound):
        operators.accept(house.db, link, PASSWORD, clock(), secrets.token_bytes(32))


def test_setting_a_password_ends_every_session_that_was_begun_before(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        before = operators.start(session, cast.ada, secrets.token_bytes(32), clock())
    assert _standing(house, before, clock) is not None
    operators.accept(house.db, _invite(house, cast, clock), PASSWORD, clock(), secrets.token_bytes(32))
    assert _standing(house, before, clock) is None


def test_a_refused_password_leaves_the_link_alive(house: House, cast: Cast, clock: Clock) -> None:
    link = _invite(house, cast, clock)
    with pytest.raises(Invalid):
        operators.accept(house.db, link, "passwordpassword", clock(), secrets.token_bytes(32))
    assert operators.accept(house.db, link, PASSWORD, clock(), secrets.token_bytes(32))


def test_a_link_dies_after_half_an_hour_and_when_a_newer_one_is_made(house: House, cast: Cast, clock: Clock) -> None:
    first, second = _invite(house, cast, clock), _invite(house, cast, clock)
    with house.db.reading() as session, pytest.raises(NotFound):
        operators.invited(session, first, clock())
    clock.forward(minutes=31)
    with house.db.reading() as session, pytest.raises(NotFound):
        operators.invited(session, second, clock())


def test_of_those_who_use_a_link_at_the_same_moment_one_wins(house: House, cast: Cast, clock: Clock) -> None:
    link, start = _invite(house, cast, clock), Barrier(4)

    def _use(number: int) -> str | None:
        start.wait()
        try:
            return operators.accept(house.db, link, f"{PASSWORD} {number}", clock(), secrets.token_bytes(32))
        except (Conflict, NotFound):
            return None

    with ThreadPoolExecutor(4) as threads:
        tokens = list(threads.map(_use, range(4)))
    winners = [number for number, token in enumerate(tokens) if token]
    assert len(winners) == 1
    assert _sign_in(house, clock, "ada@contoso.example", f"{PASSWORD} {winners[0]}") is not None


def test_the_links_token_is_not_kept(house: House, cast: Cast, clock: Clock) -> None:
    link = _invite(house, cast, clock)
    with house.db.reading() as session:
        assert link.encode() not in session.exec(select(Invitation.digest)).one()
        assert session.exec(select(SignInSession)).all() == []
