"""How many mails with a link leave within an hour: never more than the tenant chose, and the others by themselves later."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from provision.core.onboarding import OnboardingSettings
from provision.core.tables import Mail
from provision.core.vocabulary import MailTemplate
from provision.house import House
from provision.services import mail
from provision.services import settings as chosen
from provision.services.mail import Asked, Post
from tests import populate
from tests.cast import Browser, Cast, Clock
from tests.fakes.postoffice import PostOffice
from tests.services.test_activation import FACTS
from tests.services.test_mail import invited, office, post

__all__ = ["office", "post"]


@pytest.fixture
def place(house: House, cast: Cast, clock: Clock) -> Any:
    with house.db.writing() as session:
        chosen.save_onboarding(session, cast.contoso, OnboardingSettings(mails_per_hour=2), "ada", clock())
        return populate.app(session, cast.contoso, clock(), facts=FACTS, outside_id="there")


def waiting(house: House) -> list[Mail]:
    with house.db.reading() as session:
        return list(session.exec(select(Mail).where(Mail.state == "queued").order_by(col(Mail.id))).all())


def test_what_goes_beyond_the_hour_waits_and_goes_on_by_itself(
    house: House, cast: Cast, place: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, place, clock, "ann", "bea", "cem", "dov", "eva")
    first = clock()
    assert mail.deliver(post) == {"sent": 2}
    clock.forward(minutes=20)
    assert mail.deliver(post) == {}
    assert {row.due_at for row in waiting(house)} == {first + timedelta(hours=1)}
    assert {(row.attempts, (row.error or {})["code"]) for row in waiting(house)} == {(0, "mail_paced")}
    clock.forward(minutes=39)
    assert mail.deliver(post) == {}
    clock.forward(minutes=1)
    assert mail.deliver(post) == {"sent": 2}
    clock.forward(minutes=60)
    assert mail.deliver(post) == {"sent": 1}
    assert waiting(house) == []
    assert len(office.box) == len({taken.recipient for taken in office.box}) == 5


def test_mails_without_a_link_and_of_others_do_not_wait(
    house: House, cast: Cast, place: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, place, clock, "ann", "bea", "cem")
    mail.deliver(post)
    with house.db.writing() as session:
        for tenant_id in (cast.contoso, cast.fabrikam):
            asked = Asked(f"test{tenant_id}@home.example", "en")
            mail.enqueue(session, tenant_id, MailTemplate.TEST, asked, clock())
    assert mail.deliver(post) == {"sent": 2}
    assert len(waiting(house)) == 1


def test_a_higher_number_counts_at_once(
    house: House, cast: Cast, place: Any, clock: Clock, post: Post, ada: Browser
) -> None:
    invited(house, cast, place, clock, "ann", "bea", "cem")
    mail.deliver(post)
    mail.deliver(post)
    form = {"recipient": "private", "language": "en", "link_hours": 72, "minimum_length": 15, "mails_per_hour": 3}
    assert ada.post("/t/contoso/settings", form).status_code == 303
    assert mail.deliver(post) == {"sent": 1}


def test_the_page_says_how_many_wait_and_until_when(
    house: House, cast: Cast, place: Any, clock: Clock, post: Post, ada: Browser
) -> None:
    invited(house, cast, place, clock, "ann", "bea", "cem")
    assert "wait their turn" not in ada.get("/t/contoso/onboarding").text
    mail.deliver(post)
    mail.deliver(post)
    page = ada.get("/t/contoso/onboarding").text
    assert "One mail waits its turn." in page
    assert "At most 2 leave within an hour." in page
    assert "The hour is full." in ada.get("/t/contoso/settings/mails").text
