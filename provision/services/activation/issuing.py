"""Issuing links, many at a time, and taking them back: rows, events and mails in the caller's transaction.

Owns how activations come to be; never speaks to the outside. A newer link ends the older one.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.onboarding import OnboardingSettings, language_of
from provision.core.reaching import Standing
from provision.core.tables import User
from provision.core.vocabulary import Ended, MailTemplate, Outcome
from provision.db import among, encoded, for_update, insert_many, moment, reserve
from provision.services import events, links, mail, settings
from provision.services.links import ACTIVATIONS
from provision.services.reaching import Reached, offered, reach
from provision.services.users.finding import shown
from provision.vault import Vault

PER_HOUR, PER_DAY = 3, 5
"""Mails that one person gets at most, whoever asks for them."""
_COLUMNS = (
    "id", "tenant_id", "user_id", "offer", "digest", "nonce", "key_id", "hours", "created_at", "created_by", "expires_at",
    "outcomes", "tried", "recipient", "sent_to", "sent_for",
)  # fmt: skip


class Sending(StrEnum):
    """What became of one person's link. *waits*: its mail leaves once their account is there."""

    QUEUED = "queued"
    WAITS = "waits"
    BLOCKED = "blocked"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class Issued:
    """One person's result. ``code`` with ``params`` says why nothing was sent."""

    user_id: int
    name: str
    outcome: Sending
    activation_id: int | None = None
    address: str | None = None
    code: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def why_blocked(
    session: Session, tenant_id: int, user_ids: Collection[int], kinds: Mapping[Any, Any]
) -> dict[int, Standing]:
    """What a link could do for each of these people: ``code`` says why nothing, ``waits`` that it is too early."""
    found = reach(session, tenant_id, user_ids, kinds, settings.onboarding(session, tenant_id))
    return {number: one.standing for number, one in found.items()}


def issue(  # noqa: PLR0913
    session: Session,
    tenant_id: int,
    user_ids: Collection[int],
    actor: str,
    now: datetime,
    *,
    vault: Vault,
    kinds: Mapping[Any, Any],
    token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    template: MailTemplate = MailTemplate.ACTIVATION,
    quiet: bool = False,
) -> list[Issued]:
    """Send these people a link each, if that can help them; one result for each, in order of their numbers.

    Their older links end. Nobody gets more than three in an hour and five in a day. Who is not of this tenant is left out.
    ``quiet``: refusals are not written down, since anybody could fill the log by asking.
    """
    session.flush()
    chosen = settings.onboarding(session, tenant_id)
    _lock(session, tenant_id, user_ids)
    found = reach(session, tenant_id, user_ids, kinds, chosen)
    limited = _limited(session, tenant_id, found, now)
    results = [_refused(one, limited) for one in found.values()]
    going = [found[one.user_id] for one in results if one.outcome in (Sending.QUEUED, Sending.WAITS)]
    links.kill(session, tenant_id, [one.user["id"] for one in going], now, why=Ended.REPLACED)
    numbers = _write(session, vault, tenant_id, going, chosen, actor, now, token_bytes)
    mail.enqueue_many(session, tenant_id, template, [_asked(one, numbers, chosen) for one in going], now)
    made = [_numbered(one, numbers) for one in results]
    told = [one for one in made if one.code is None or not quiet]
    events.append(session, tenant_id, [_told(found[one.user_id], one, actor) for one in told], now)
    return made


def revoke(session: Session, tenant_id: int, user_ids: Collection[int], actor: str, now: datetime) -> list[int]:
    """End the live links of these people; return whose there were."""
    mine = (ACTIVATIONS.c.tenant_id == tenant_id, among(session, ACTIVATIONS.c.user_id, set(user_ids)))
    query = sa.select(ACTIVATIONS.c.user_id).where(*mine, links.live(ACTIVATIONS)).order_by(ACTIVATIONS.c.id)
    held = list(session.scalars(for_update(session, query)))
    links.kill(session, tenant_id, held, now, why=Ended.REVOKED)
    people = session.exec(select(User).where(User.tenant_id == tenant_id, among(session, col(User.id), held))).all()
    told = [
        events.Entry(actor, "activation.revoked", user_id=one.id, names=names_of(one.model_dump())) for one in people
    ]
    events.append(session, tenant_id, told, now)
    return held


def names_of(person: Mapping[str, Any]) -> dict[str, Any]:
    """What the log calls a person."""
    return {"user": shown(person), "address": person["email"] or "", "username": person["username"] or ""}


def _lock(session: Session, tenant_id: int, user_ids: Collection[int]) -> None:
    """Two who issue for the same person at once come one after the other, so the later link is the live one."""
    mine = (col(User.tenant_id) == tenant_id, among(session, col(User.id), set(user_ids)))
    session.execute(for_update(session, sa.select(col(User.id)).where(*mine).order_by(col(User.id))))


def _limited(session: Session, tenant_id: int, user_ids: Collection[int], now: datetime) -> set[int]:
    mine = (ACTIVATIONS.c.tenant_id == tenant_id, among(session, ACTIVATIONS.c.user_id, set(user_ids)))
    query = sa.select(ACTIVATIONS.c.user_id, ACTIVATIONS.c.created_at)
    rows = session.execute(query.where(*mine, ACTIVATIONS.c.created_at > now - timedelta(days=1))).all()
    lately = Counter(who for who, at in rows if at > now - timedelta(hours=1))
    today = Counter(who for who, _ in rows)
    return {who for who in today if lately[who] >= PER_HOUR or today[who] >= PER_DAY}


def _refused(one: Reached, limited: Collection[int]) -> Issued:
    number, name, standing = one.user["id"], shown(one.user), one.standing
    if standing.code is not None:
        return Issued(number, name, Sending.BLOCKED, code=standing.code, params=standing.params)
    if number in limited:
        return Issued(number, name, Sending.LIMITED, code="activation_limited")
    return Issued(number, name, Sending.WAITS if standing.waits else Sending.QUEUED, address=one.address)


def _asked(one: Reached, numbers: Mapping[int, int], chosen: OnboardingSettings) -> mail.Asked:
    language = language_of(one.user["preferred_language"], chosen.language)
    return mail.Asked(one.address or "", language, user_id=one.user["id"], activation_id=numbers[one.user["id"]])


def _numbered(one: Issued, numbers: Mapping[int, int]) -> Issued:
    number = numbers.get(one.user_id)
    return Issued(one.user_id, one.name, one.outcome, number, one.address, one.code, one.params)


def _write(
    session: Session,
    vault: Vault,
    tenant_id: int,
    going: Sequence[Reached],
    chosen: OnboardingSettings,
    actor: str,
    now: datetime,
    token_bytes: Callable[[int], bytes],
) -> dict[int, int]:
    """The rows, in one statement; return them by person."""
    rows, numbers = [], {}
    at, until = moment(session, now), moment(session, now + timedelta(hours=chosen.link_hours))
    key_id, offer, nothing = vault.newest, offered(chosen).value, encoded({})
    for number, one in zip(reserve(session, ACTIVATIONS, len(going)) if going else (), going, strict=True):
        user_id, nonce = one.user["id"], token_bytes(32)
        digest = links.digest_of(links.derive(vault, number, nonce, key_id))
        fixed = (offer, digest, nonce, key_id, chosen.link_hours, at, actor, until, nothing, nothing)
        whither = (chosen.recipient.value, one.address or "", one.user["email"] or "")
        rows.append((number, tenant_id, user_id, *fixed, *whither))
        numbers[user_id] = number
    insert_many(session, ACTIVATIONS, _COLUMNS, rows)
    return numbers


def _told(person: Reached, one: Issued, actor: str) -> events.Entry:
    refused = one.code is not None
    said: dict[str, Any] = {"error": {"code": one.code, "params": dict(one.params)}} if refused else {}
    return events.Entry(
        actor,
        "activation.refused" if refused else "activation.issued",
        Outcome.REFUSED if refused else Outcome.DONE,
        user_id=one.user_id,
        names=names_of(person.user),
        text={**said, "waits": one.outcome is Sending.WAITS},
    )
