"""What owners are told by mail without asking."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.ports import Unauthorised
from provision.core.tables import Connector, Mail
from provision.core.vocabulary import MailTemplate
from provision.house import House
from provision.services import connectors, events, mail, notices
from tests import populate
from tests.cast import Cast, Clock


@pytest.fixture
def app(house: House, cast: Cast, clock: Clock) -> int:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock()).id or 0


def change(house: House, app: int, **values: Any) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, app)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def tell(house: House, cast: Cast, clock: Clock) -> int:
    return notices.tell_owners(house.db.writing, cast.contoso, clock(), "https://here.example")


def stop(house: House, cast: Cast, clock: Clock, app: int) -> None:
    with house.db.writing() as session:
        row = connectors.get(session, cast.contoso, app)
        events.append(session, cast.contoso, connectors.stop(row, Unauthorised("secret_expired"), {}, clock()), clock())


def recover(house: House, cast: Cast, clock: Clock, app: int) -> None:
    with house.db.writing() as session:
        row = connectors.get(session, cast.contoso, app)
        events.append(session, cast.contoso, connectors.recover(row, clock()), clock())


def mails(house: House) -> list[Mail]:
    with house.db.reading() as session:
        return list(session.exec(select(Mail).order_by(col(Mail.id))).all())


def test_owners_hear_once_that_an_app_was_stopped_and_again_when_it_happens_again(
    house: House, cast: Cast, clock: Clock, app: int
) -> None:
    assert tell(house, cast, clock) == 0
    stop(house, cast, clock, app)
    assert [tell(house, cast, clock) for _ in range(3)] == [1, 0, 0]
    recover(house, cast, clock, app)
    clock.forward(hours=2)
    assert [tell(house, cast, clock) for _ in range(3)] == [1, 0, 0]
    stop(house, cast, clock, app)
    assert tell(house, cast, clock) == 1
    assert [(row.address, row.template) for row in mails(house)] == [
        ("ada@contoso.example", MailTemplate.QUARANTINE),
        ("ada@contoso.example", MailTemplate.RECOVERED),
        ("ada@contoso.example", MailTemplate.QUARANTINE),
    ]


def test_an_app_that_is_let_in_and_refused_again_at_once_is_told_of_once(
    house: House, cast: Cast, clock: Clock, app: int
) -> None:
    stop(house, cast, clock, app)
    tell(house, cast, clock)
    for _ in range(5):
        clock.forward(hours=4)
        recover(house, cast, clock, app)
        clock.forward(minutes=2)
        assert tell(house, cast, clock) == 0
        stop(house, cast, clock, app)
        assert tell(house, cast, clock) == 0
    assert len(mails(house)) == 1


def test_an_app_that_was_resumed_by_hand_tells_nobody_that_it_goes_on(
    house: House, cast: Cast, clock: Clock, app: int
) -> None:
    stop(house, cast, clock, app)
    tell(house, cast, clock)
    with house.db.writing() as session:
        connectors.resume(session, cast.contoso, app, "ada", clock())
    clock.forward(hours=1)
    assert tell(house, cast, clock) == 0


def test_the_mail_leads_to_the_page_that_helps(house: House, cast: Cast, clock: Clock, app: int) -> None:
    stop(house, cast, clock, app)
    tell(house, cast, clock)
    mail.deliver(house.post())
    kept = house.mailer.kept(mails(house)[0].message_id)
    assert kept is not None
    assert f"https://here.example/t/contoso/apps/{app}".encode() in kept


def test_an_expiring_secret_is_told_thirty_fourteen_seven_and_one_day_before(
    house: House, cast: Cast, clock: Clock, app: int
) -> None:
    change(house, app, facts={"secret_expires_at": (clock() + timedelta(days=40)).isoformat()})
    told = []
    for day in range(42):
        if tell(house, cast, clock):
            told.append(40 - day)
        clock.forward(days=1)
    assert told == [30, 14, 7, 1]


@pytest.mark.parametrize(
    "facts", [{}, {"secret_expires_at": None}, {"secret_expires_at": "soon"}, {"secret_expires_at": 7}]
)
def test_what_is_no_time_is_no_news(house: House, cast: Cast, clock: Clock, app: int, facts: dict[str, Any]) -> None:
    change(house, app, facts=facts)
    assert tell(house, cast, clock) == 0
