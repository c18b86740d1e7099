"""A link and the addresses of its person: what changes while it is under way, and who may end up holding it."""

from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.onboarding import OnboardingSettings, Recipient
from provision.core.tables import Activation, Event, Mail, User
from provision.core.vocabulary import Ended, Invited, MailState
from provision.house import House
from provision.services import activation, links, mail, users
from provision.services import settings as chosen
from provision.services.activation import Wanted
from provision.services.mail import Post
from tests import office as offices
from tests.cast import Cast, Clock
from tests.fakes.postoffice import PostOffice
from tests.services.test_activation import somebody
from tests.services.test_mail import HOME, app, invited, office, post

__all__ = ["app", "office", "post"]
NEW = "jane.new@home.example"


def edit(house: House, cast: Cast, person: int, **values: Any) -> None:
    with house.db.writing() as session:
        users.edit(session, cast.contoso, person, values, offices.order(house))


def row(house: House, number: int) -> Activation:
    with house.db.reading() as session:
        found = session.get(Activation, number)
    assert found is not None
    return found


def who(house: House, number: int) -> int:
    return row(house, number).user_id


@pytest.mark.parametrize(
    "changed", [{"private_email": NEW}, {"email": "jane.new@contoso.example"}, {"private_email": ""}]
)
def test_a_link_that_has_left_ends_when_an_address_changes(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, changed: dict[str, Any]
) -> None:
    number, other = invited(house, cast, app, clock, "jane", "joan")
    mail.deliver(post)
    edit(house, cast, who(house, number), **changed)
    assert row(house, number).revoked_at == clock()
    assert row(house, other).revoked_at is None
    with house.db.reading() as session:
        told = session.exec(select(Event).where(Event.action == "activation.ended")).one()
        found = activation.status(session, cast.contoso, Wanted(), house.kinds, clock())
    assert (told.user_id, told.actor) == (who(house, number), "address changed")
    line = next(one for one in found.lines if one.user_id == who(house, number))
    if changed == {"private_email": ""}:
        assert (line.state, line.code, line.ended_for) == (Invited.BLOCKED, "activation_no_address", None)
    else:
        assert (line.state, line.ended_for, line.ended_at) == (Invited.NOT_INVITED, Ended.ADDRESS, clock())


@pytest.mark.parametrize(
    "changed", [{"given_name": "Janet"}, {"private_email": HOME.upper()}, {"department": "North"}, {"username": "jj"}]
)
def test_it_lives_when_something_else_changes(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, changed: dict[str, Any]
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    mail.deliver(post)
    edit(house, cast, who(house, number), **changed)
    assert row(house, number).revoked_at is None


def test_a_mail_that_nobody_has_tried_goes_to_the_new_address_and_nowhere_else(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    edit(house, cast, who(house, number), private_email=NEW)
    mail.deliver(post)
    assert [taken.recipient for taken in office.box] == [NEW]
    assert row(house, number).sent_to == NEW
    edit(house, cast, who(house, number), private_email=HOME)
    assert row(house, number).revoked_at == clock()


def test_a_reminder_that_waits_is_called_off_with_its_link(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    mail.deliver(post)
    with house.db.writing() as session:
        first = session.exec(select(Mail)).one()
        asked = mail.Asked(first.address, "en", user_id=first.user_id, activation_id=number)
        mail.enqueue(session, cast.contoso, first.template, asked, clock())
    edit(house, cast, who(house, number), private_email=NEW)
    mail.deliver(post)
    assert len(office.box) == 1
    with house.db.reading() as session:
        states = session.exec(select(Mail.state).order_by(col(Mail.id))).all()
    assert states == [MailState.SENT, MailState.CANCELLED]


def test_a_link_at_a_manager_ends_with_their_address_and_with_another_manager(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post
) -> None:
    with house.db.writing() as session:
        chosen.save_onboarding(session, cast.contoso, OnboardingSettings(recipient=Recipient.MANAGER), "ada", clock())
        boss, next_one = (somebody(session, app, clock, name) for name in ("boss", "next"))
        people = [somebody(session, app, clock, name, manager_id=boss) for name in ("jane", "joan")]
        issued = activation.issue(session, cast.contoso, people, "ada", clock(), vault=house.vault, kinds=house.kinds)
    jane, joan = (one.activation_id or 0 for one in issued)
    mail.deliver(post)
    edit(house, cast, people[0], private_email=NEW)
    assert row(house, jane).revoked_at is None
    edit(house, cast, people[0], manager_id=next_one)
    assert (row(house, jane).revoked_at, row(house, joan).revoked_at) == (clock(), None)
    edit(house, cast, boss, email="boss.new@contoso.example")
    assert row(house, joan).revoked_at == clock()


def test_a_link_from_before_anybody_knew_where_it_went_is_left_alone(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    with house.db.writing() as session:
        session.exec(links.ACTIVATIONS.update().values(sent_to="", sent_for="", recipient=""))  # type: ignore[call-overload]
    mail.deliver(post)
    edit(house, cast, who(house, number), private_email=NEW)
    assert row(house, number).revoked_at is None


def test_a_password_set_by_a_link_at_the_manager_is_confirmed_to_its_person(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    with house.db.writing() as session:
        chosen.save_onboarding(session, cast.contoso, OnboardingSettings(recipient=Recipient.MANAGER), "ada", clock())
        boss = somebody(session, app, clock, "boss")
        jane = somebody(session, app, clock, "jane", manager_id=boss, private_email=None)
        (one,) = activation.issue(session, cast.contoso, [jane], "ada", clock(), vault=house.vault, kinds=house.kinds)
        person = session.get(User, jane)
        assert person is not None
        mail.confirm(session, cast.contoso, person, one.activation_id or 0, ["Office 365"], clock())
    mail.deliver(post)
    assert len(office.box) == 2
    (confirmation,) = office.for_whom("jane@contoso.example")
    assert "/activate/" not in confirmation.text
