"""Mails: asked for in a transaction, handed over to real servers of every temper, settled one by one."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.letters import Letter
from provision.core.onboarding import LANGUAGES, OnboardingSettings
from provision.core.post import LADDER, Envelope
from provision.core.smtp import read_server
from provision.core.tables import Activation, Event, Mail, User
from provision.core.vocabulary import Kind, MailState, MailTemplate, Situation
from provision.house import House
from provision.mailer import SmtpMailer
from provision.services import activation, links, mail
from provision.services import settings as chosen
from provision.services.errors import NotFound
from provision.services.mail import Asked, Post
from provision.services.mail.writing import Desk, write
from tests import populate
from tests.cast import Cast, Clock
from tests.fakes.postoffice import SILENCE, Manners, PostOffice, always, first
from tests.processes import PATIENCE
from tests.services.test_activation import FACTS, somebody

HOME = "jane@home.example"
TAKERS: dict[str, dict[str, Any]] = {
    "Microsoft 365": {"facts": FACTS, "outside_id": "there"},
    "Payroll": {"kind": Kind.SCIM, "config": {"base_url": "https://payroll.example/scim", "passwords": True}},
}
"""What the apps are called by people → how they stand in the database."""


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as office:
        yield office


@pytest.fixture
def post(house: House, office: PostOffice) -> Post:
    return to(office.url, house)


def to(url: str, house: House, **limits: float) -> Post:
    server = read_server(url)
    assert server is not None
    mailer = SmtpMailer("provision@contoso.example", server, **{"connect": PATIENCE, "answer": PATIENCE, **limits})
    return replace(house.post(), mailer=mailer, chance=lambda: 0.5)


@pytest.fixture
def app(house: House, cast: Cast, clock: Clock) -> Any:
    with house.db.writing() as session:
        return populate.app(session, cast.contoso, clock(), facts=FACTS, outside_id="there")


def invited(house: House, cast: Cast, app: Any, clock: Clock, *names: str, **values: Any) -> list[int]:
    """People with a link each whose mail waits; return the activations."""
    with house.db.writing() as session:
        people = [somebody(session, app, clock, name, **values) for name in names]
        made = activation.issue(session, cast.contoso, people, "ada", clock(), vault=house.vault, kinds=house.kinds)
        return [one.activation_id or 0 for one in made]


def rows(house: House) -> list[Mail]:
    with house.db.reading() as session:
        return list(session.exec(select(Mail).order_by(col(Mail.id))).all())


def states(house: House) -> Counter[str]:
    return Counter(row.state.value for row in rows(house))


def drive(post: Post, clock: Clock, *, hours: float, every: float = 0.25) -> None:
    """Let time pass, delivering every few minutes, as the leader does every second."""
    end = clock() + timedelta(hours=hours)
    while clock() < end:
        while mail.deliver(post):
            pass
        clock.forward(hours=every)


def test_an_activation_mail_carries_a_link_that_works_and_no_row_holds_it(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    assert mail.deliver(post) == {"sent": 1}
    (taken,) = office.for_whom(HOME)
    link = next(line for line in taken.text.splitlines() if line.startswith("http"))
    token = link.removeprefix(f"{house.settings.public_url}/activate/")
    assert f'href="{link}"' in taken.html
    with house.db.reading() as session:
        row = session.get(Activation, number)
        assert row is not None
        assert row.digest == links.digest_of(token)
        assert (row.sent_at, row.expires_at) == (clock(), clock() + timedelta(hours=72))
        assert token not in repr(session.execute(sa.select(Mail.__table__)).all())  # type: ignore[attr-defined]
        assert session.exec(select(Event).where(Event.action == "mail.sent")).one().user_id == row.user_id


def test_a_link_that_was_revoked_or_replaced_is_not_sent_any_more(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")
    with house.db.writing() as session:
        person = session.exec(select(Activation)).one().user_id
        activation.revoke(session, cast.contoso, [person], "ada", clock())
    mail.deliver(post)
    assert (office.box, states(house)) == ([], {"cancelled": 1})


def test_a_mail_waits_until_its_account_is_there(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")
    with house.db.writing() as session:
        session.execute(sa.text("UPDATE accounts SET situation = 'absent'"))
    mail.deliver(post)
    assert (office.box, rows(house)[0].attempts) == ([], 0)
    with house.db.writing() as session:
        session.execute(sa.text("UPDATE accounts SET situation = :linked"), {"linked": Situation.LINKED.value})
    clock.forward(seconds=20)
    mail.deliver(post)
    assert len(office.box) == 1


def test_a_greylisted_mail_comes_back_later_as_the_same_mail(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")
    office.manners[HOME] = Manners(rcpt=first(2, "450 4.2.0 greylisted"))
    assert mail.deliver(post) == {"tried again": 1}
    (row,) = rows(house)
    assert (row.state, row.attempts, row.due_at) == (MailState.QUEUED, 1, clock() + LADDER[0])
    assert row.error is not None
    assert row.error["code"] == "mail_not_now"
    clock.forward(seconds=30)
    assert mail.deliver(post) == {}
    clock.forward(seconds=31)
    mail.deliver(post)
    assert rows(house)[0].due_at == clock() + LADDER[1]
    clock.forward(minutes=6)
    assert mail.deliver(post) == {"sent": 1}
    assert len(office.box) == 1


def test_a_refused_address_is_a_bounce_that_the_activation_knows(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane", "joan")
    office.manners[HOME] = Manners(rcpt=always("550 5.1.1 No such person here"))
    assert mail.deliver(post) == {"bounced": 1, "sent": 1}
    with house.db.reading() as session:
        bounced = session.exec(select(Activation).where(col(Activation.bounced_at).is_not(None))).one()
        assert bounced.sent_at is None
        assert session.exec(select(Event).where(Event.action == "mail.bounced")).one().user_id == bounced.user_id
    (error,) = [row.error for row in rows(house) if row.error]
    assert error["params"] == {"host": "localhost", "status": 550, "said": "5.1.1 No such person here"}


def test_a_mail_that_is_put_off_for_days_fails_in_the_end(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")
    office.manners[HOME] = Manners(rcpt=always("450 later"))
    drive(post, clock, hours=72)
    assert (states(house), office.tries[HOME]) == ({"failed": 1}, len(LADDER) + 1)
    with house.db.reading() as session:
        assert session.exec(select(Activation)).one().bounced_at is not None


def test_a_server_that_is_away_makes_all_wait_and_costs_nobody_a_try(
    house: House, cast: Cast, app: Any, clock: Clock, office: PostOffice, post: Post
) -> None:
    invited(house, cast, app, clock, "jane", "joan", "jill")
    away = to("smtp://127.0.0.1:1?tls=off", house)
    assert mail.deliver(away)["tried again"] >= 1
    assert mail.deliver(away) == {}, "it rests"
    with house.db.reading() as session:
        told = mail.trouble(session)
    assert told is not None
    assert told["code"] == "mail_server_away"
    assert {(row.state, row.attempts, row.taken_at) for row in rows(house)} == {(MailState.QUEUED, 0, None)}
    clock.forward(minutes=1)
    mail.deliver(away)
    clock.forward(minutes=1)
    assert mail.deliver(away) == {}, "it rests longer the second time"
    clock.forward(minutes=1)
    assert mail.deliver(post) == {"sent": 3}
    with house.db.reading() as session:
        assert mail.trouble(session) is None


def test_one_mail_on_which_the_server_stalls_holds_up_nobody(
    house: House, cast: Cast, app: Any, clock: Clock, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane", "joan", "jill")
    office.manners[HOME] = Manners(stall=always("rcpt"))
    assert mail.deliver(to(office.url, house, answer=SILENCE)) == {"sent": 2, "tried again": 1}


def test_only_a_lost_answer_to_the_content_sends_a_mail_twice_and_then_it_is_the_same_one(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")
    office.manners[HOME] = Manners(hang_up=first(1, "data", then=""))
    assert mail.deliver(post) == {"tried again": 1}
    clock.forward(minutes=2)
    assert mail.deliver(post) == {"sent": 1}
    one, two = office.for_whom(HOME)
    assert one.message["Message-ID"] == two.message["Message-ID"]
    assert one.text == two.text.replace(two.text, one.text)
    assert _link_of(one.text) == _link_of(two.text)


def _link_of(text: str) -> str:
    return next(line.strip() for line in text.splitlines() if line.startswith("http"))


class _Killed(BaseException):
    """kill -9, as far as Python can play it: nothing after it runs."""


def test_killed_between_handing_over_and_settling_the_next_leader_sends_the_same_mail(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    invited(house, cast, app, clock, "jane")

    class Dying:
        sender, keeps = post.mailer.sender, False

        @contextmanager
        def open(self) -> Iterator[Any]:
            with post.mailer.open() as way:
                self.way = way
                yield self

        def send(self, envelope: Envelope, letter: Letter) -> None:
            self.way.send(envelope, letter)
            raise _Killed

        def kept(self, _id: str) -> None:
            return None

    with pytest.raises(_Killed):
        mail.deliver(replace(post, mailer=Dying(), lanes=1))
    assert mail.deliver(post) == {}, "it is still taken"
    assert mail.recover(post) == 1
    assert mail.deliver(post) == {"sent": 1}
    one, two = office.for_whom(HOME)
    assert (one.message["Message-ID"], _link_of(one.text)) == (two.message["Message-ID"], _link_of(two.text))


def test_no_transaction_is_open_while_a_server_is_spoken_to(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post
) -> None:
    invited(house, cast, app, clock, "jane")
    wrote = []

    class Watching:
        sender, keeps = post.mailer.sender, False

        @contextmanager
        def open(self) -> Iterator[Any]:
            with post.mailer.open() as way:
                self.way = way
                yield self

        def send(self, envelope: Envelope, letter: Letter) -> None:
            with house.db.writing() as session:
                wrote.append(session.execute(sa.text("UPDATE tenants SET name = name")))
            self.way.send(envelope, letter)

        def kept(self, _id: str) -> None:
            return None

    assert mail.deliver(replace(post, mailer=Watching())) == {"sent": 1}
    assert len(wrote) == 1


def test_called_off_while_it_is_handed_over_it_counts_as_sent_if_it_was(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")

    def interrupt(_attempt: int) -> str:
        with house.db.writing() as session:
            assert mail.cancel(session, number, clock()) == 1
        return "250 OK"

    office.manners[HOME] = Manners(rcpt=interrupt)
    mail.deliver(post)
    assert states(house) == {"sent": 1}


def test_called_off_while_it_is_put_off_it_stays_called_off(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")

    def interrupt(_attempt: int) -> str:
        with house.db.writing() as session:
            mail.cancel(session, number, clock())
        return "450 later"

    office.manners[HOME] = Manners(rcpt=interrupt)
    mail.deliver(post)
    assert states(house) == {"cancelled": 1}


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a@b.example\r\nBcc: c@d.example", "a b@c.example", "a@b.example,c@d.example", "@", "x" * 300],
)
def test_an_address_that_is_none_bounces_and_nothing_is_said_to_any_server(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice, address: str
) -> None:
    with house.db.writing() as session:
        mail.enqueue(session, cast.contoso, MailTemplate.TEST, Asked(address, "en"), clock())
    mail.deliver(post)
    assert (states(house), office.box) == ({"bounced": 1}, [])
    (row,) = rows(house)
    assert row.error is not None
    assert row.error["code"] == "mail_address_unfit"


def test_a_letter_speaks_the_language_and_the_name_that_the_row_and_the_tenant_chose(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    with house.db.writing() as session:
        settings = OnboardingSettings(
            organisation="Contoso GmbH", sender="IT von Contoso", reply_to="it@contoso.example"
        )
        chosen.save_onboarding(session, cast.contoso, settings, "ada", clock())
        mail.enqueue(session, cast.contoso, MailTemplate.TEST, Asked(HOME, "de"), clock())
    mail.deliver(post)
    message = office.box[0].message
    assert message["Subject"] == "Testnachricht von provision für Contoso GmbH"
    assert message["From"] == "IT von Contoso <provision@contoso.example>"
    assert (message["Reply-To"], message["Content-Language"]) == ("it@contoso.example", "de")
    assert "Montag, 23. November, 09:30 UTC" in office.box[0].text


def test_hostile_values_stay_values(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    with house.db.writing() as session:
        person = populate.hostile(session, cast.contoso, clock())
        asked = Asked(HOME, "en", user_id=person.id)
        mail.enqueue(session, cast.contoso, MailTemplate.CONFIRMATION, asked, clock())
    mail.deliver(post)
    (taken,) = office.box
    assert "<img" not in taken.html
    assert "&lt;img" in taken.html
    assert "{{7*7}}" in taken.html


def test_a_mail_cannot_be_about_another_tenants_person(house: House, cast: Cast, app: Any, clock: Clock) -> None:
    with house.db.writing() as session:
        number = somebody(session, app, clock, "jane")
    with pytest.raises(sa.exc.IntegrityError), house.db.writing() as session:
        mail.enqueue(session, cast.fabrikam, MailTemplate.TEST, Asked(HOME, "en", user_id=number), clock())


def test_a_tenants_mails_are_listed_newest_first_and_nobody_elses(house: House, cast: Cast, clock: Clock) -> None:
    with house.db.writing() as session:
        asked = [Asked(f"p{n}@home.example", "en") for n in range(5)]
        numbers = mail.enqueue_many(session, cast.contoso, MailTemplate.TEST, asked, clock())
        mail.enqueue(session, cast.fabrikam, MailTemplate.TEST, Asked("cy@home.example", "en"), clock())
    with house.db.reading() as session:
        page = mail.listed(session, cast.contoso, limit=3)
        rest = mail.listed(session, cast.contoso, before=page.older, limit=3)
        assert [row.id for row in (*page.rows, *rest.rows)] == numbers[::-1]
        assert rest.older is None
        assert mail.counted(session, cast.contoso)[MailState.QUEUED] == 5
        with pytest.raises(NotFound):
            mail.one(session, cast.fabrikam, numbers[0])


def test_a_letter_that_cannot_be_written_holds_up_nobody(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    with house.db.writing() as session:
        bad = Asked(HOME, "en", params={"time": "no time at all"})
        mail.enqueue_many(session, cast.contoso, MailTemplate.TEST, [bad, Asked("b@home.example", "en")], clock())
    assert mail.deliver(post) == {"tried again": 1, "sent": 1}
    assert [taken.recipient for taken in office.box] == ["b@home.example"]


@pytest.fixture
def stop() -> Callable[[], bool]:
    return lambda: True


def test_told_to_stop_it_gives_back_what_it_has_not_tried(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice, stop: Callable[[], bool]
) -> None:
    invited(house, cast, app, clock, "jane", "joan")
    mail.deliver(replace(post, cut=stop))
    assert office.box == []
    assert {(row.attempts, row.taken_at) for row in rows(house)} == {(0, None)}
    assert mail.deliver(post) == {"sent": 2}


def test_a_confirmation_goes_where_the_link_went_and_opens_nothing(
    house: House, cast: Cast, app: Any, clock: Clock, post: Post, office: PostOffice
) -> None:
    (number,) = invited(house, cast, app, clock, "jane", preferred_language="de-AT")
    mail.deliver(post)
    with house.db.writing() as session:
        row = session.get(Activation, number)
        assert row is not None
        person = session.get(User, row.user_id)
        assert person is not None
        mail.confirm(session, cast.contoso, person, number, ["Payroll"], clock())
    mail.deliver(post)
    first, confirmation = office.for_whom(HOME)
    assert (first.message["Content-Language"], confirmation.message["Content-Language"]) == ("de", "de")
    assert "http" not in confirmation.text
    assert "jane@contoso.example" in confirmation.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("which", [("Payroll",), ("Microsoft 365",), ("Microsoft 365", "Payroll")])
def test_a_letter_names_the_apps_that_take_the_password(
    house: House, cast: Cast, clock: Clock, post: Post, office: PostOffice, language: str, which: tuple[str, ...]
) -> None:
    with house.db.writing() as session:
        jane = populate.person(session, cast.contoso, clock(), "Jane", private_email=HOME, preferred_language=language)
        for name in which:
            taker = populate.app(session, cast.contoso, clock(), name, **TAKERS[name])
            populate.account(session, taker, jane, clock(), anchor=f"id-{name}")
        given = {"vault": house.vault, "kinds": house.kinds}
        (made,) = activation.issue(session, cast.contoso, [jane.id or 0], "ada", clock(), **given)
    mail.deliver(post)
    with house.db.writing() as session:
        activation.issue(session, cast.contoso, [jane.id or 0], "ada", clock(), template=MailTemplate.REMINDER, **given)
    mail.deliver(post)
    with house.db.writing() as session:
        mail.confirm(session, cast.contoso, jane, made.activation_id or 0, which, clock())
    mail.deliver(post)
    letters = office.for_whom(HOME)
    assert len(letters) == 3
    for one in letters:
        told = f"{one.message['Subject']} {one.text}"
        assert {name for name in TAKERS if name in told} == set(which)
    first, again, _ = letters
    assert all(name in str(one.message["Subject"]) for one in (first, again) for name in which)


def test_a_letter_whose_account_is_not_to_be_had_any_more_names_what_the_tenant_has(
    house: House, cast: Cast, clock: Clock, post: Post, office: PostOffice
) -> None:
    with house.db.writing() as session:
        taker = populate.app(session, cast.contoso, clock(), "Payroll", **TAKERS["Payroll"])
    (number,) = invited(house, cast, taker, clock, "jane")
    with house.db.writing() as session:
        row = session.exec(select(Mail).where(Mail.activation_id == number)).one()
        session.execute(sa.text("UPDATE accounts SET enabled = false"))
        desk = Desk(session, post.stationery, clock())
        assert "Payroll" in write(desk, row)[1].subject


def test_a_preview_names_the_apps_that_this_tenant_has(house: House, cast: Cast, clock: Clock, post: Post) -> None:
    def shown() -> str:
        with house.db.reading() as session:
            at = (post.stationery, cast.contoso, MailTemplate.ACTIVATION, "en", clock())
            return mail.preview(session, *at).subject

    assert shown() == "Contoso: set your password for Microsoft 365"  # nothing is connected yet
    with house.db.writing() as session:
        populate.app(session, cast.contoso, clock(), "Payroll", **TAKERS["Payroll"])
        populate.app(session, cast.fabrikam, clock(), "Theirs", **TAKERS["Payroll"])
    assert shown() == "Contoso: set your password for Payroll"
