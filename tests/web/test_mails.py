"""The list of mails, the test mail, and the files that stand in for a mail server."""

from collections.abc import Callable

import pytest
from sqlmodel import select

from provision.core.tables import Mail
from provision.core.vocabulary import MailState, MailTemplate
from provision.house import House
from provision.services import mail
from provision.services.mail import Asked
from tests.cast import Browser, Cast, Clock

LIST = "/t/contoso/settings/mails"


def test_a_test_mail_is_asked_for_and_can_be_read_where_no_server_is_set(
    house: House, ada: Browser, cast: Cast
) -> None:
    assert ada.post(LIST, {"to": "ada@contoso.example"}).status_code == 303
    assert "Mail queued" in ada.get(LIST).text
    assert mail.deliver(house.post()) == {"sent": 1}
    assert "Read<" in ada.get(LIST).text
    with house.db.reading() as session:
        number = session.exec(select(Mail.id)).one()
    text = ada.get(f"{LIST}/{number}").text
    assert "The mail settings of Contoso work" in text
    assert "Contoso &lt;provision@localhost&gt;" in text


@pytest.mark.parametrize("to", ["", "nobody", "a@b.example\r\nBcc: c@d.example", "x" * 500])
def test_a_test_mail_to_no_address_is_refused(house: House, ada: Browser, to: str) -> None:
    assert ada.post(LIST, {"to": to}).status_code == 303
    with house.db.reading() as session:
        assert session.exec(select(Mail)).all() == []


def test_only_an_owner_reads_what_lies_here(
    house: House, enter: Callable[[int], Browser], cast: Cast, clock: Clock
) -> None:
    with house.db.writing() as session:
        number = mail.enqueue(session, cast.contoso, MailTemplate.TEST, Asked("a@b.example", "en"), clock())
    mail.deliver(house.post())
    for who, status in ((cast.ada, 200), (cast.ben, 403), (cast.dee, 403)):
        assert enter(who).get(f"{LIST}/{number}").status_code == status
    assert enter(cast.cy).get(f"/t/fabrikam/settings/mails/{number}").status_code == 404


def test_what_came_back_is_shown_with_what_the_server_said(
    house: House, ada: Browser, cast: Cast, clock: Clock
) -> None:
    with house.db.writing() as session:
        number = mail.enqueue(session, cast.contoso, MailTemplate.TEST, Asked("a@b.example", "en"), clock())
        row = session.get(Mail, number)
        assert row is not None
        said = {"host": "mail.example", "status": 550, "said": "<b>no such user</b>"}
        row.state, row.error = MailState.BOUNCED, {"code": "mail_recipient_refused", "params": said}
    text = ada.get(f"{LIST}?state=bounced").text
    assert "mail.example answered 550: &lt;b&gt;no such user&lt;/b&gt;" in text


def test_an_address_that_means_nothing_shows_the_whole_list(ada: Browser) -> None:
    assert ada.get(f"{LIST}?state=nonsense&before=x").status_code == 200
