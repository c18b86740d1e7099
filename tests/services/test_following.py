"""What follows by itself: links after creates, reminders of links not used."""

from collections import Counter
from typing import Any

import pytest
from sqlmodel import Session, col, select

from provision.core.onboarding import OnboardingSettings
from provision.core.tables import Account, Activation, Connector, Mail, Operation
from provision.core.vocabulary import MailTemplate, OperationKind, OperationState
from provision.house import House
from provision.services import activation, following, mail
from provision.services import settings as chosen
from tests import populate
from tests.cast import Cast, Clock
from tests.services.test_activation import FACTS, somebody


@pytest.fixture
def app(house: House, cast: Cast, clock: Clock) -> Any:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock(), facts=FACTS, outside_id="there")


def choose(house: House, cast: Cast, clock: Clock, **values: Any) -> None:
    with house.db.writing() as session:
        chosen.save_onboarding(session, cast.contoso, OnboardingSettings(**values), "ada", clock())


def created(house: House, app: Any, clock: Clock, name: str, **values: Any) -> int:
    """Somebody whose account a create has just made."""
    with house.db.writing() as session:
        number = somebody(session, app, clock, name, **values)
        account = session.exec(select(Account).where(Account.user_id == number)).one()
        session.add(
            Operation(
                tenant_id=app.tenant_id, connector_id=app.id, account_id=account.id or 0, kind=OperationKind.CREATE,
                state=OperationState.DONE, due_at=clock(), created_by="ada", created_at=clock(), settled_at=clock(),
            )
        )  # fmt: skip
        return number


def follow(house: House, cast: Cast, clock: Clock, step: Any) -> int:
    number: int = step(house.db.writing, cast.contoso, clock(), vault=house.vault, kinds=house.kinds)
    return number


def mails(house: House) -> list[Mail]:
    with house.db.reading() as session:
        return list(session.exec(select(Mail).order_by(col(Mail.id))).all())


def test_whoever_is_created_after_it_was_switched_on_gets_a_link_once(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    created(house, app, clock, "early")
    clock.forward(minutes=1)
    choose(house, cast, clock, automatic=True)
    clock.forward(minutes=1)
    created(house, app, clock, "jane")
    assert [follow(house, cast, clock, following.invite_created) for _ in range(3)] == [1, 0, 0]
    assert [row.address for row in mails(house)] == ["jane@home.example"]


def test_nobody_is_invited_where_it_is_off(house: House, cast: Cast, app: Any, clock: Clock) -> None:
    created(house, app, clock, "jane")
    assert follow(house, cast, clock, following.invite_created) == 0
    choose(house, cast, clock, automatic=True)
    choose(house, cast, clock, automatic=False)
    created(house, app, clock, "joan")
    assert follow(house, cast, clock, following.invite_created) == 0


def test_who_cannot_be_helped_is_left_alone_without_filling_the_log(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    choose(house, cast, clock, automatic=True)
    created(house, app, clock, "nix", private_email=None)
    created(house, app, clock, "fed", email="fed@fed.example")
    for _ in range(3):
        assert follow(house, cast, clock, following.invite_created) == 0
    assert mails(house) == []


def invited(session: Session, house: House, cast: Cast, app: Any, clock: Clock, *names: str) -> list[int]:
    people = [somebody(session, app, clock, name) for name in names]
    activation.issue(session, cast.contoso, people, "ada", clock(), vault=house.vault, kinds=house.kinds)
    return people


def test_an_unused_link_is_reminded_of_while_it_works_and_then_replaced_so_many_times(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    choose(house, cast, clock, reminders=2, reminder_days=2)
    with house.db.writing() as session:
        invited(session, house, cast, app, clock, "jane")
    mail.deliver(house.post())
    for _ in range(12):
        clock.forward(days=1)
        follow(house, cast, clock, following.remind)
        mail.deliver(house.post())
    told = mails(house)
    assert [row.template for row in told] == [MailTemplate.ACTIVATION, MailTemplate.REMINDER, MailTemplate.REMINDER]
    assert told[0].activation_id == told[1].activation_id, "it still worked after two days"
    assert told[1].activation_id != told[2].activation_id, "it had expired after four"


def federate(house: House, app: Any, domain: str) -> None:
    with house.db.writing() as session:
        row = session.get(Connector, app.id)
        assert row is not None
        row.facts = {**row.facts, "domains": [{"name": domain, "federated": True}]}
        session.add(row)


def test_whose_domain_is_federated_since_the_mail_is_not_reminded_and_hears_of_no_new_link(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    choose(house, cast, clock, reminders=3, reminder_days=1, self_service=True)
    with house.db.writing() as session:
        invited(session, house, cast, app, clock, "jane")
    mail.deliver(house.post())
    federate(house, app, "contoso.example")
    for _ in range(6):  # while the link works, and after it has expired
        clock.forward(days=1)
        assert follow(house, cast, clock, following.remind) == 0
        with house.db.writing() as session:
            activation.ask(session, cast.contoso, "jane@contoso.example", clock(), vault=house.vault, kinds=house.kinds)
    assert [row.template for row in mails(house)] == [MailTemplate.ACTIVATION]


def test_who_has_used_the_link_or_whose_mail_bounced_is_not_reminded(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    choose(house, cast, clock, reminders=3, reminder_days=1)
    with house.db.writing() as session:
        invited(session, house, cast, app, clock, "jane", "joan", "jill")
    mail.deliver(house.post())
    with house.db.writing() as session:
        used, bounced, _ = session.exec(select(Activation).order_by(col(Activation.id))).all()
        used.used_at, bounced.bounced_at = clock(), clock()
    clock.forward(days=1)
    assert follow(house, cast, clock, following.remind) == 1
    assert follow(house, cast, clock, following.remind) == 0, "its reminder is on its way"
    assert Counter(row.template for row in mails(house)) == {MailTemplate.ACTIVATION: 3, MailTemplate.REMINDER: 1}
