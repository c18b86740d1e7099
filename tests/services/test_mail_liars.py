"""Mail servers that lie, stall or listen in: each has its sentence, the mail and its link wait unharmed, and nothing that
must stay secret is said or kept.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from provision.core.remedies import explain
from provision.core.tables import Activation
from provision.core.vocabulary import MailState, MailTemplate
from provision.house import House
from provision.services import activation, mail
from provision.services.mail import Asked
from tests.cast import Cast, Clock
from tests.fakes.postoffice import SILENCE, Manners, PostOffice, always, one_liner
from tests.services.test_mail import HOME, app, invited, rows, to

__all__ = ["app"]
HELLO = (b"220 hi\r\n", b"250 hi\r\n")
TAKES = (*HELLO, b"250 ok\r\n", b"250 ok\r\n")


LIARS: dict[str, tuple[tuple[bytes, ...], str, MailState]] = {
    "never speaks": ((), "mail_server_silent", MailState.QUEUED),
    "speaks something else": ((b"SSH-2.0-OpenSSH_9.6\r\n",), "mail_answer_unreadable", MailState.QUEUED),
    "speaks noise": ((b"\x00\xff\xfe" * 99 + b"\r\n",), "mail_answer_unreadable", MailState.QUEUED),
    "never ends its line": ((b"220 " + b"x" * 100_000,), "mail_server_refuses", MailState.QUEUED),
    "greets and is gone": (HELLO[:1], "mail_server_away", MailState.QUEUED),
    "refuses the word DATA": ((*TAKES, b"550 5.7.1 no\r\n"), "mail_content_refused", MailState.BOUNCED),
    "takes DATA, refuses it": ((*TAKES, b"354 go\r\n", b"550 no\r\n"), "mail_content_refused", MailState.BOUNCED),
    "is gone before the content": ((*TAKES, b"354 go\r\n"), "mail_connection_lost", MailState.QUEUED),
    "answers noise to DATA": ((*TAKES, b"\xff\xff\xff\r\n"), "mail_answer_unreadable", MailState.QUEUED),
    "answers noise to it": ((*TAKES, b"354 go\r\n", b"\x00\r\n"), "mail_answer_unreadable", MailState.QUEUED),
}


@pytest.mark.parametrize(("says", "code", "state"), LIARS.values(), ids=list(LIARS))
def test_a_server_that_lies_has_a_sentence_and_the_link_still_reaches_its_person(
    house: House, cast: Cast, app: Any, clock: Clock, says: tuple[bytes, ...], code: str, state: MailState
) -> None:
    (number,) = invited(house, cast, app, clock, "jane")
    with one_liner(*says) as url:
        mail.deliver(to(url, house) if says else to(url, house, connect=SILENCE))
    (row,) = rows(house)
    assert row.error is not None
    assert (row.error["code"], row.state) == (code, state)
    told = explain(row.error["code"], row.error["params"])
    assert "{" not in told.title + told.what + told.do
    with house.db.reading() as session:
        link = session.get(Activation, number)
        assert link is not None
        assert (link.sent_at, link.used_at, link.revoked_at) == (None, None, None)
    if state is MailState.BOUNCED:
        with house.db.writing() as session:
            activation.issue(
                session, cast.contoso, [link.user_id], "ada", clock(), vault=house.vault, kinds=house.kinds
            )
    clock.forward(minutes=2)
    with PostOffice() as honest:
        mail.deliver(to(honest.url, house))
    assert [taken.recipient for taken in honest.box] == [HOME]


def test_a_server_that_says_yes_and_drops_the_mail_is_believed_and_another_mail_can_be_asked_for(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    """Nobody can tell from here; so *sent* says no more than that a server took it, and sending again is always there."""
    invited(house, cast, app, clock, "jane")
    with one_liner(*TAKES, b"354 go\r\n", b"250 taken\r\n") as url:
        assert mail.deliver(to(url, house)) == {"sent": 1}
    with house.db.writing() as session:
        person = session.exec(select(Activation.user_id)).one()
        (again,) = activation.issue(
            session, cast.contoso, [person], "ada", clock(), vault=house.vault, kinds=house.kinds
        )
    assert again.outcome is activation.Sending.QUEUED
    with PostOffice() as honest:
        assert mail.deliver(to(honest.url, house)) == {"sent": 1}
    assert len(honest.box) == 1


@pytest.mark.parametrize("answer", [b"454 not now\r\n", b"220 go\r\n250 injected\r\n250 ok\r\n", b"500 what\r\n"])
def test_where_encryption_is_stripped_no_address_no_password_and_no_link_is_said(
    house: House, cast: Cast, app: Any, clock: Clock, answer: bytes
) -> None:
    invited(house, cast, app, clock, "jane")
    heard: list[bytes] = []
    with one_liner(HELLO[0], b"250-hi\r\n250 STARTTLS\r\n", answer, heard=heard) as url:
        mail.deliver(to(url.replace("//", "//user:secret@").removesuffix("?tls=off"), house, answer=SILENCE))
    (row,) = rows(house)
    assert row.error is not None
    assert row.error["code"] in ("mail_server_refuses", "mail_server_silent", "mail_not_trusted")
    assert row.state is MailState.QUEUED
    said = b"".join(heard)
    assert said.startswith(b"ehlo")
    assert b"secret" not in said
    assert b"AUTH" not in said
    assert HOME.encode() not in said


def test_a_certificate_for_another_name_is_not_trusted_and_nothing_is_said(
    house: House, cast: Cast, app: Any, clock: Clock, tmp_path: Path
) -> None:
    invited(house, cast, app, clock, "jane")
    with PostOffice(tls="starttls", folder=tmp_path) as office:
        mail.deliver(to(office.url.replace("localhost", "127.0.0.1"), house))
        (row,) = rows(house)
        assert row.error is not None
        assert (row.error["code"], row.state) == ("mail_not_trusted", MailState.QUEUED)
        assert (office.box, dict(office.tries)) == ([], {})


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_a_link_that_a_server_quotes_in_its_refusal_is_kept_nowhere(
    house: House, cast: Cast, app: Any, clock: Clock, where: str
) -> None:
    """Filters that refuse a mail for an address in it name that address, and what they say is shown to operators."""
    (number,) = invited(house, cast, app, clock, "jane")
    with house.db.reading() as session:
        link = activation.link(session, house.vault, house.settings.public_url, number)
    with PostOffice() as office:
        office.manners[HOME] = replace(
            Manners(), **{where: always(f"554 5.7.1 The address {link} is listed at x.example")}
        )
        mail.deliver(to(office.url, house))
    (row,) = rows(house)
    assert row.error is not None
    assert "is listed at x.example" in row.error["params"]["said"]
    with house.db.reading() as session:
        held = [
            repr(session.execute(sa.text(f"SELECT * FROM {table}")).all()) for table in ("mails", "events", "settings")
        ]
    token = link.rpartition("/")[2]
    assert not any(token in one for one in held)


@pytest.mark.parametrize(
    "address",
    ["a@b.example\r\nBcc: c@d.example", "a@b.example\nRCPT TO:<c@d.example>", "a@b.example\x01", "\r\n.\r\n@x"],
)
def test_an_address_that_holds_a_line_break_bounces_with_a_sentence_before_any_server_is_spoken_to(
    house: House, cast: Cast, clock: Clock, address: str
) -> None:
    with house.db.writing() as session:
        mail.enqueue(session, cast.contoso, MailTemplate.TEST, Asked(address, "en"), clock())
    with PostOffice() as office:
        mail.deliver(to(office.url, house))
        assert (office.connections, office.box) == (0, [])
    (row,) = rows(house)
    assert row.error is not None
    assert (row.state, row.error["code"]) == (MailState.BOUNCED, "mail_address_unfit")
