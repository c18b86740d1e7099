"""What follows by itself, where a tenant chose it: a link after a create has settled, and reminders of links not used.

Owns whom it finds; issues through ``activation`` and writes mails through ``mail``. Each step is safe to run twice.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.following import reminds
from provision.core.onboarding import OnboardingSettings, language_of
from provision.core.tables import Account, Activation, Connector, Mail, Operation, User
from provision.core.vocabulary import Lifecycle, MailState, MailTemplate, OperationKind, OperationState
from provision.db import among
from provision.services import activation, mail, settings
from provision.services.outbox.reckoning import stands
from provision.services.tenants import locked
from provision.vault import Vault

Writing = Callable[[], AbstractContextManager[Session]]
AT_ONCE = 200
ACTOR = "automatic"
_LATELY = timedelta(days=1)
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_LINKS: sa.Table = Activation.__table__  # type: ignore[attr-defined]
_MAILS: sa.Table = Mail.__table__  # type: ignore[attr-defined]
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One link that was not used, and where its mail went."""

    id: int
    user_id: int
    expires_at: datetime
    language: str | None
    address: str


def invite_created(writing: Writing, tenant_id: int, now: datetime, *, vault: Vault, kinds: Mapping[Any, Any]) -> int:
    """Send a link to whoever was created in an app since the tenant switched this on and never had one; return how many.

    Who cannot be helped stays on Onboarding Status with the reason and is not written down again and again.
    """
    with writing() as session:
        locked(session, tenant_id)
        since = settings.automatic_since(session, tenant_id)
        if since is None:
            return 0
        people = _created(session, tenant_id, max(since, now - _LATELY))
        standing = activation.why_blocked(session, tenant_id, people, kinds)
        able = [number for number in people if number in standing and standing[number].code is None]
        if not able:
            return 0
        issued = activation.issue(session, tenant_id, able, ACTOR, now, vault=vault, kinds=kinds)
    return sum(one.activation_id is not None for one in issued)


def remind(writing: Writing, tenant_id: int, now: datetime, *, vault: Vault, kinds: Mapping[Any, Any]) -> int:
    """Remind whoever has a link and has not used it; return how many.

    The same link goes out again while it works; one that has expired is replaced.
    """
    with writing() as session:
        locked(session, tenant_id)
        chosen = settings.onboarding(session, tenant_id)
        if not chosen.reminders:
            return 0
        waiting = _unused(session, tenant_id)
        sent = _sent(session, tenant_id, list(waiting))
        due = {
            user_id: waiting[user_id]
            for user_id, mails in sent.items()
            if reminds(mails, now, reminders=chosen.reminders, days=chosen.reminder_days)
        }
        # Whom no link helps any more, since their domain is federated by now for example, is not told to use one.
        standing = activation.why_blocked(session, tenant_id, list(due), kinds)
        due = {number: row for number, row in due.items() if number in standing and standing[number].code is None}
        alive = [row for row in due.values() if row.expires_at > now]
        dead = [row.user_id for row in due.values() if row.expires_at <= now]
        mail.enqueue_many(session, tenant_id, MailTemplate.REMINDER, [_asked(row, chosen) for row in alive], now)
        if dead:
            activation.issue(
                session,
                tenant_id,
                dead,
                ACTOR,
                now,
                vault=vault,
                kinds=kinds,
                template=MailTemplate.REMINDER,
                quiet=True,
            )
    return len(due)


def _created(session: Session, tenant_id: int, since: datetime) -> list[int]:
    """Whose account a create has made lately, and who never had a link."""
    had = sa.exists().where(_LINKS.c.tenant_id == tenant_id, _LINKS.c.user_id == _ACCOUNTS.c.user_id)
    own = sa.select(_CONNECTORS.c.id).where(_CONNECTORS.c.tenant_id == tenant_id)
    query = (
        sa.select(_ACCOUNTS.c.user_id)
        .join(_OPERATIONS, _OPERATIONS.c.account_id == _ACCOUNTS.c.id)
        .where(
            _OPERATIONS.c.connector_id.in_(own),
            _OPERATIONS.c.kind == OperationKind.CREATE.value,
            stands(_OPERATIONS.c.state, OperationState.DONE, OperationState.FAILED),  # the words of an index
            stands(_OPERATIONS.c.state, OperationState.DONE),
            _OPERATIONS.c.settled_at >= since,
            _ACCOUNTS.c.user_id.is_not(None),
            sa.not_(had),
        )
        .distinct()
        .order_by(_ACCOUNTS.c.user_id)
        .limit(AT_ONCE)
    )
    return list(session.scalars(query))


def _unused(session: Session, tenant_id: int) -> dict[int, Any]:
    """People who still work here, with a link whose mail arrived and that nobody used; by person."""
    query = (
        sa.select(_LINKS.c.id, _LINKS.c.user_id, _LINKS.c.expires_at, _USERS.c.preferred_language)
        .join(_USERS, sa.and_(_USERS.c.id == _LINKS.c.user_id, _USERS.c.tenant_id == _LINKS.c.tenant_id))
        .where(
            _LINKS.c.tenant_id == tenant_id,
            _LINKS.c.used_at.is_(None),
            _LINKS.c.revoked_at.is_(None),
            _LINKS.c.sent_at.is_not(None),
            _LINKS.c.bounced_at.is_(None),
            _USERS.c.lifecycle.in_([Lifecycle.ACTIVE.value, Lifecycle.STAGED.value]),
        )
    )
    found = list(session.execute(query))
    addresses = _addresses(session, tenant_id, [row.id for row in found])
    return {
        row.user_id: _Waiting(row.id, row.user_id, row.expires_at, row.preferred_language, addresses[row.id])
        for row in found
        if row.id in addresses
    }


def _addresses(session: Session, tenant_id: int, links: list[int]) -> dict[int, str]:
    query = sa.select(_MAILS.c.activation_id, _MAILS.c.address).where(
        _MAILS.c.tenant_id == tenant_id, among(session, _MAILS.c.activation_id, links)
    )
    return {row.activation_id: row.address for row in session.execute(query.order_by(_MAILS.c.id))}


def _sent(session: Session, tenant_id: int, people: list[int]) -> dict[int, list[tuple[MailTemplate, datetime]]]:
    """The mails with a link that each of these people got or will get, oldest first."""
    kinds = (MailTemplate.ACTIVATION.value, MailTemplate.REMINDER.value)
    states = (MailState.SENT.value, MailState.QUEUED.value)
    query = (
        sa.select(_MAILS.c.user_id, _MAILS.c.template, sa.func.coalesce(_MAILS.c.settled_at, _MAILS.c.created_at))
        .where(
            _MAILS.c.tenant_id == tenant_id,
            among(session, _MAILS.c.user_id, people),
            _MAILS.c.template.in_(kinds),
            _MAILS.c.state.in_(states),
        )
        .order_by(_MAILS.c.id)
    )
    found: dict[int, list[tuple[MailTemplate, datetime]]] = defaultdict(list)
    for user_id, template, at in session.execute(query):
        found[user_id].append((MailTemplate(template), at))
    return found


def _asked(row: _Waiting, chosen: OnboardingSettings) -> mail.Asked:
    language = language_of(row.language, chosen.language)
    return mail.Asked(row.address, language, user_id=row.user_id, activation_id=row.id)
