"""What owners are told by mail without asking: an app was stopped or goes on, a secret expires soon, seats lack. Once each.

Owns whom and when; the words are letters. What needs a person stands on Home as well.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.retry import SAME_STOP
from provision.core.tables import Connector, Grant, Mail, Operator
from provision.core.vocabulary import ConnectorState, MailTemplate, Outcome, Role
from provision.services import events, licences, mail, settings
from provision.services.mail import Asked
from provision.services.tenants import locked

Writing = Callable[[], AbstractContextManager[Session]]
BEFORE = (1, 7, 14, 30)
"""Days before a secret's end at which owners hear of it."""
_TEMPLATES = (MailTemplate.QUARANTINE, MailTemplate.RECOVERED, MailTemplate.SECRET, MailTemplate.SEATS)
_SURE, _NEWS = timedelta(seconds=SAME_STOP), timedelta(days=1)
_LATELY = 500


def tell_owners(writing: Writing, tenant_id: int, now: datetime, public_url: str) -> int:
    """Ask for the mails that are due to this tenant's owners; return how many."""
    with writing() as session:
        console = f"{public_url}/t/{locked(session, tenant_id).slug}"
        rows = session.exec(select(Connector).where(Connector.tenant_id == tenant_id)).all()
        news = [one for row in rows for one in _news(row, now, f"{console}/apps/{row.id}")]
        news += _lacking(session, tenant_id, rows, now, console)
        if not news:
            return 0
        told, owners = _told(session, tenant_id), _owners(session, tenant_id)
        language = settings.onboarding(session, tenant_id).language
        asked = 0
        for template, params in news:
            # Whoever was not told that it stopped is not told that it goes on.
            unasked = template is MailTemplate.RECOVERED and params["about"].removeprefix("end of ") not in told
            if params["about"] not in told and not unasked:
                letters = [Asked(address, language, params=params) for address in owners]
                asked += len(mail.enqueue_many(session, tenant_id, template, letters, now))
        return asked


def _stop(row: Connector) -> str:
    return f"stop {row.id} {row.stopped_at.isoformat() if row.stopped_at else ''}"


def _news(row: Connector, now: datetime, page: str) -> Iterator[tuple[MailTemplate, dict[str, Any]]]:
    """What there is to tell of one app, with a key by which it is told once."""
    if row.state == ConnectorState.QUARANTINED:
        yield MailTemplate.QUARANTINE, {"app": row.name, "page": page, "about": _stop(row)}
    elif row.state == ConnectorState.ACTIVE and row.recovered_at and _SURE <= now - row.recovered_at <= _NEWS:
        yield MailTemplate.RECOVERED, {"app": row.name, "page": page, "about": f"end of {_stop(row)}"}
    expires = _moment(row.facts.get("secret_expires_at"))
    if expires is not None and expires > now:
        near = next((days for days in BEFORE if expires - now <= timedelta(days=days)), None)
        if near is not None:
            about = f"secret {row.id} {expires.isoformat()} {near}"
            yield MailTemplate.SECRET, {"app": row.name, "page": page, "until": expires.isoformat(), "about": about}


def _lacking(
    session: Session, tenant_id: int, rows: Sequence[Connector], now: datetime, console: str
) -> Iterator[tuple[MailTemplate, dict[str, Any]]]:
    """The licences that people wait for: one piece of news for all of them, until nobody waits any more.

    While seats are being asked for, nothing is told and nothing is over: nobody knows yet how many go without.
    """
    short = licences.short(session, tenant_id)
    entries: list[events.Entry] = []
    for row in rows:
        number, lacking = row.id or 0, {one.sku: one for one in short if one.app_id == row.id}
        for sku in sorted({*lacking, *row.shortages}):
            one, since = lacking.get(sku), row.shortages.get(sku)
            if (one is None) != (since is None) and not licences.undecided(session, number, sku, now):
                since = now.isoformat() if one else None
                kept = {name: moment for name, moment in row.shortages.items() if name != sku}
                row.shortages = {**kept, sku: since} if since else kept
                session.add(row)
                entries.append(_entry(row, sku, one))
            if one and since:
                query = urlencode({"show": "blocked", "app": number, "licence": sku})
                yield (
                    MailTemplate.SEATS,
                    {"app": row.name, "licence": one.name, "waiting": str(one.people), "page": f"{console}/queue?{query}",
                     "about": f"seats {number} {sku} {since}"},
                )  # fmt: skip
    events.append(session, tenant_id, entries, now)


def _entry(row: Connector, sku: str, one: licences.Shortage | None) -> events.Entry:
    text = {"sku": sku} | ({"licence": one.name, "people": one.people} if one else {})
    action, outcome = ("licence.short", Outcome.HELD) if one else ("licence.served", Outcome.DONE)
    return events.Entry("outbox", action, outcome=outcome, connector_id=row.id, names={"app": row.name}, text=text)


def _told(session: Session, tenant_id: int) -> set[str]:
    query = select(Mail.params).where(Mail.tenant_id == tenant_id, col(Mail.template).in_(_TEMPLATES))
    found = session.exec(query.order_by(col(Mail.id).desc()).limit(_LATELY)).all()
    return {str(params.get("about")) for params in found}


def _owners(session: Session, tenant_id: int) -> list[str]:
    query = (
        select(Operator.email)
        .join(Grant, col(Grant.operator_id) == col(Operator.id))
        .where(
            Grant.role == Role.OWNER,
            col(Operator.disabled_at).is_(None),
            sa.or_(col(Grant.tenant_id).is_(None), col(Grant.tenant_id) == tenant_id),
        )
        .distinct()
        .order_by(Operator.email)
    )
    return list(session.exec(query).all())


def _moment(text: Any) -> datetime | None:
    """A time in the facts, which came from outside."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
