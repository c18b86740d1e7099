"""How far a tenant's people have come, and what one sending led to. Reads only: links, mails and the log as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Activation, Event, EventDetail, Mail, User
from provision.core.vocabulary import Lifecycle, MailState, MailTemplate

_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_LINKS: sa.Table = Activation.__table__  # type: ignore[attr-defined]
_MAILS: sa.Table = Mail.__table__  # type: ignore[attr-defined]
_EVENTS: sa.Table = Event.__table__  # type: ignore[attr-defined]
_DETAILS: sa.Table = EventDetail.__table__  # type: ignore[attr-defined]
_TOLD = ("activation.issued", "activation.refused")


@dataclass(frozen=True, slots=True)
class Funnel:
    """People who have not left, and how many of them ever got so far. Who came further is counted before, too."""

    everyone: int
    sent: int
    opened: int
    done: int

    @property
    def steps(self) -> tuple[int, int, int, int]:
        """The same in order."""
        return self.everyone, self.sent, self.opened, self.done


@dataclass(frozen=True, slots=True)
class Result:
    """What a sending led to for one person: the state of the mail, or a remedy's code and blanks of why there is none."""

    user_id: int
    name: str
    address: str
    state: MailState | None
    to: str
    waits: bool
    code: str | None
    params: Mapping[str, Any]


def funnel(session: Session, tenant_id: int) -> Funnel:
    """Counted from the links that there are, not from the people."""
    here = (_USERS.c.tenant_id == tenant_id, _USERS.c.lifecycle != Lifecycle.LEFT.value)
    everyone = session.execute(sa.select(sa.func.count()).select_from(_USERS).where(*here)).scalar_one()
    used, opened, sent = (_LINKS.c[name].is_not(None) for name in ("used_at", "opened_at", "sent_at"))
    reached = (sa.or_(sent, opened, used), sa.or_(opened, used), used)
    people = [sa.func.count(sa.distinct(sa.case((condition, _LINKS.c.user_id)))) for condition in reached]
    joined = _LINKS.join(_USERS, sa.and_(_USERS.c.id == _LINKS.c.user_id, _USERS.c.tenant_id == _LINKS.c.tenant_id))
    row = session.execute(sa.select(*people).select_from(joined).where(*here)).one()
    return Funnel(everyone, *row)


def results(session: Session, tenant_id: int, actor: str, at: datetime) -> list[Result]:
    """What became of one person after the other when this operator sent links at that moment, with the mails as of now."""
    query = (
        sa.select(_EVENTS.c.user_id, _EVENTS.c.action, _DETAILS.c.names, _DETAILS.c.text)
        .outerjoin(_DETAILS, _DETAILS.c.event_id == _EVENTS.c.id)
        .where(
            _EVENTS.c.tenant_id == tenant_id, _EVENTS.c.at == at, _EVENTS.c.actor == actor, _EVENTS.c.action.in_(_TOLD)
        )
        .order_by(_EVENTS.c.id)
    )
    told = list(session.execute(query))
    mails = _mails(session, tenant_id, at) if told else {}
    return [_result(row, mails.get(row.user_id)) for row in told]


def _mails(session: Session, tenant_id: int, at: datetime) -> dict[int, Any]:
    link = (MailTemplate.ACTIVATION.value, MailTemplate.REMINDER.value)
    query = sa.select(_MAILS.c.user_id, _MAILS.c.state, _MAILS.c.address, _MAILS.c.error).where(
        _MAILS.c.tenant_id == tenant_id, _MAILS.c.created_at == at, _MAILS.c.template.in_(link)
    )
    return {row.user_id: row for row in session.execute(query)}


def _result(row: Any, mail: Any) -> Result:
    names, text = row.names or {}, row.text or {}
    error = (text.get("error") or {}) if row.action == "activation.refused" else ((mail and mail.error) or {})
    return Result(
        user_id=row.user_id,
        name=str(names.get("user") or ""),
        address=str(names.get("address") or ""),
        state=MailState(mail.state) if mail else None,
        to=mail.address if mail else "",
        waits=bool(text.get("waits")),
        code=error.get("code"),
        params=error.get("params") or {},
    )
