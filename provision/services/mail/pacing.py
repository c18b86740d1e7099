"""How many mails with a link a tenant sends within an hour: what goes beyond waits its turn, and goes on by itself.

Owns that one limit. It counts what left, so that nothing has to be remembered; mails without a link are none of its affair.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.vocabulary import MailState, MailTemplate
from provision.services import settings
from provision.services.mail.queueing import MAILS, QUEUED

WITH_LINK = (MailTemplate.ACTIVATION, MailTemplate.REMINDER)
CODE = "mail_paced"
_HOUR = timedelta(hours=1)
_LOOK_AGAIN = timedelta(minutes=1)
_LINKED = MAILS.c.template.in_([one.value for one in WITH_LINK])


@dataclass(frozen=True, slots=True)
class Paced:
    """Mails that wait for the next hour: how many, the limit, and when the first of them leave."""

    number: int
    limit: int
    until: datetime


def left(session: Session, due: Any, now: datetime) -> dict[int, int]:
    """How many mails with a link each tenant may still send now; those of whoever may send none are put off.

    ``due``: the conditions on what is to leave. Put off to when the oldest that left is an hour ago, but a minute at least.
    """
    tenants = list(session.scalars(sa.select(MAILS.c.tenant_id).where(*due, _LINKED).distinct()))
    found = {}
    for tenant_id in tenants:
        limit = settings.onboarding(session, tenant_id).mails_per_hour
        gone, first = _lately(session, tenant_id, now)
        found[tenant_id] = limit - gone
        if gone >= limit and first is not None:
            put_off = {"due_at": max(first + _HOUR, now + _LOOK_AGAIN), "error": {"code": CODE, "params": {"n": limit}}}
            mine = (MAILS.c.tenant_id == tenant_id, *due, _LINKED)
            session.execute(sa.update(MAILS).where(*mine).values(**put_off))
    return found


def paced(session: Session, tenant_id: int) -> Paced | None:
    """What of this tenant waits for the next hour; None when nothing does."""
    query = sa.select(sa.func.count(), sa.func.min(MAILS.c.due_at)).where(*_waiting(tenant_id))
    number, until = session.execute(query).one()
    return Paced(number, settings.onboarding(session, tenant_id).mails_per_hour, until) if number else None


def look_anew(session: Session, tenant_id: int, now: datetime) -> None:
    """Let what waits for the next hour be looked at now, since the limit may be another."""
    session.execute(sa.update(MAILS).where(*_waiting(tenant_id)).values(due_at=now))


def _waiting(tenant_id: int) -> tuple[Any, ...]:
    return (MAILS.c.tenant_id == tenant_id, QUEUED, MAILS.c.error["code"].as_string() == CODE)


def _lately(session: Session, tenant_id: int, now: datetime) -> tuple[int, datetime | None]:
    query = sa.select(sa.func.count(), sa.func.min(MAILS.c.settled_at)).where(
        MAILS.c.tenant_id == tenant_id,
        MAILS.c.state == MailState.SENT.value,
        MAILS.c.settled_at > now - _HOUR,
        _LINKED,
    )
    row = session.execute(query).one()
    return row[0], row[1]
