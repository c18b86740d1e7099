"""Many mails against a server in a bad mood for half an hour: in the end each was delivered, once, or is listed as bounced.

The clock is driven; the server is real. With ``MAILS`` the long run takes another number than a thousand.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from provision.core.letters import Letter
from provision.core.post import Envelope, NotSent, Trouble, Way
from provision.core.smtp import read_server
from provision.core.tables import Activation, Mail
from provision.core.vocabulary import MailState
from provision.house import House
from provision.mailer import SmtpMailer
from provision.services import mail
from tests.cast import Cast, Clock
from tests.fakes.postoffice import PostOffice, moody
from tests.services.test_mail import app, invited, rows

__all__ = ["app"]


def test_fifty_mails_through_a_bad_half_hour_are_delivered_once_or_listed_as_bounced(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    endure(house, cast, app, clock, 50)


@pytest.mark.faults
def test_a_thousand_mails_through_a_bad_half_hour_are_delivered_once_or_listed_as_bounced(
    house: House, cast: Cast, app: Any, clock: Clock
) -> None:
    endure(house, cast, app, clock, int(os.environ.get("MAILS", "1000")))


class Noting:
    """A mailer that notes of which mails nobody knows whether they were taken: only those may arrive twice."""

    keeps = False

    def __init__(self, mailer: SmtpMailer) -> None:
        self._mailer, self.sender, self.doubted = mailer, mailer.sender, set[str]()

    @contextmanager
    def open(self) -> Iterator[Way]:
        with self._mailer.open() as way:
            yield _NotingWay(self, way)

    def kept(self, message_id: str) -> bytes | None:
        return self._mailer.kept(message_id)


class _NotingWay:
    def __init__(self, notes: Noting, way: Way) -> None:
        self._notes, self._way = notes, way

    def send(self, envelope: Envelope, letter: Letter) -> None:
        try:
            self._way.send(envelope, letter)
        except NotSent as error:
            if error.trouble is Trouble.DOUBT:
                self._notes.doubted.add(envelope.recipient)
            raise


def endure(house: House, cast: Cast, app: Any, clock: Clock, number: int) -> None:
    """Send so many through half an hour in which most are put off, and count where each of them is in the end."""
    invited(house, cast, app, clock, *(f"p{each}" for each in range(number)))
    began = clock()
    everybody = {f"p{each}@home.example": each for each in range(number)}
    with PostOffice() as office:
        for address, each in everybody.items():
            office.manners[address] = moody(each, lambda: clock() - began < timedelta(minutes=30))
        server = read_server(office.url)
        assert server is not None
        noting = Noting(SmtpMailer("provision@contoso.example", server, connect=10.0, answer=0.25))
        post = replace(house.post(), mailer=noting, chance=lambda: 0.5)
        while any(row.state is MailState.QUEUED for row in rows(house)):
            while mail.deliver(post):
                pass
            clock.forward(minutes=1)
            assert clock() - began < timedelta(days=3)
    refused = {address for address, each in everybody.items() if each % 10 == 0}
    ends = {row.address: row.state for row in rows(house)}
    assert ends == {a: MailState.BOUNCED if a in refused else MailState.SENT for a in everybody}
    came = defaultdict[str, list[str]](list)
    for taken in office.box:
        came[taken.recipient].append(str(taken.message["Message-ID"]))
    assert came.keys() == everybody.keys() - refused
    assert all(len(set(ids)) == 1 for ids in came.values()), "whoever got it twice got the same one"
    twice = {address for address, ids in came.items() if len(ids) > 1}
    assert twice, "answers were lost after the content was taken"
    assert twice <= noting.doubted
    _links_know(house, refused)


def _links_know(house: House, refused: set[str]) -> None:
    """What became of the mail is told at the link: sent once, or bounced."""
    query = select(Mail.address, Activation.sent_at, Activation.bounced_at).join(
        Activation, sa.and_(Mail.activation_id == Activation.id, Mail.tenant_id == Activation.tenant_id)
    )
    with house.db.reading() as session:
        for address, sent_at, bounced_at in session.exec(query).all():
            assert (sent_at is None, bounced_at is None) == (address in refused, address not in refused), address
