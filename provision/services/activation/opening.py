"""Whose link a token is, and what the page may show of them before anything is set.

Owns the look-up by token, which answers alike for unknown, used, expired and revoked links, except to the very hand that used
one a while ago; changes nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.choosing import Terms
from provision.core.logos import Logo
from provision.core.onboarding import OnboardingSettings, language_of
from provision.core.redeeming import KNOWN, UNSEEN
from provision.core.tables import Activation, Tenant, User
from provision.core.vocabulary import Lifecycle, Offer
from provision.db import for_update
from provision.services import links, logos, settings
from provision.services.reaching import Place, called, places

_HERE = (Lifecycle.ACTIVE, Lifecycle.STAGED)
_DOTS = "••••"


@dataclass(frozen=True, slots=True)
class Bearer:
    """What the page of a live link shows. ``masked``: enough to recognise oneself, too little to learn a name.

    ``contact``: where help is, empty when the tenant named nobody; ``apps``: what the password will be for; ``portal``:
    where to go with it.
    """

    organisation: str
    masked: str
    language: str
    offer: Offer
    expires_at: datetime
    terms: Terms
    contact: str
    apps: tuple[str, ...]
    portal: str
    logo: Logo | None = None


def look(session: Session, token: str, kinds: Mapping[Any, Any], now: datetime) -> Bearer | None:
    """What a link's page shows; None for every link that does not hold."""
    found = live(session, token, now)
    return _bearer(session, found, kinds) if found else None


def look_back(session: Session, token: str, hand: str, kinds: Mapping[Any, Any], now: datetime) -> Bearer | None:
    """The same of a link that this very hand has used a while ago; None for every other link."""
    found = used_by(session, token, hand, now)
    return _bearer(session, found, kinds) if found else None


def _bearer(session: Session, found: tuple[Activation, User, Tenant], kinds: Mapping[Any, Any]) -> Bearer:
    row, user, tenant = found
    chosen = settings.onboarding(session, row.tenant_id)
    _, there = places(session, row.tenant_id, row.user_id, kinds, Offer(row.offer), Lifecycle(user.lifecycle))
    return Bearer(
        organisation=chosen.organisation or tenant.name,
        masked=masked(user.email or user.display_name or ""),
        language=language_of(user.preferred_language, chosen.language),
        offer=Offer(row.offer),
        expires_at=row.expires_at,
        terms=terms(user, tenant, chosen, there, kinds),
        contact=chosen.reply_to,
        apps=called((place.connector for place in there), kinds),
        portal=next((url for place in there if (url := _portal(place, kinds))), ""),
        logo=logos.of(session, row.tenant_id),
    )


def live(session: Session, token: str, now: datetime, *, lock: bool = False) -> tuple[Activation, User, Tenant] | None:
    """The link of this token with its person, if it holds; ``lock`` for who is about to change it."""
    query = _of_token(token).where(links.live(links.ACTIVATIONS), col(Activation.expires_at) > now)
    found: tuple[Activation, User, Tenant] | None = session.exec(for_update(session, query) if lock else query).first()
    return found


def used_by(
    session: Session, token: str, hand: str, now: datetime, *, lock: bool = False
) -> tuple[Activation, User, Tenant] | None:
    """The link of this token, if this hand used it lately: for a pass not longer ago than it may have missed it."""
    asked = _of_token(token).where(
        sa.or_(
            sa.and_(col(Activation.offer) == Offer.PASSWORD, col(Activation.used_at) > now - KNOWN),
            sa.and_(col(Activation.offer) == Offer.PASS, col(Activation.used_at) > now - UNSEEN),
        )
    )
    found = session.exec(for_update(session, asked) if lock else asked).first()
    return found if found and _by(found[0], hand) else None


def reserved_by(session: Session, token: str, hand: str, now: datetime) -> bool:
    """Whether this hand is setting a password with the link at this moment."""
    found = session.exec(_of_token(token).where(col(Activation.reserved_until) > now)).first()
    return found is not None and _by(found[0], hand)


def newer(session: Session, row: Activation) -> bool:
    """Whether another link took the place of this one."""
    asked = select(Activation.id).where(Activation.tenant_id == row.tenant_id, Activation.user_id == row.user_id)
    return session.exec(asked.where(col(Activation.id) > row.id).limit(1)).first() is not None


def _by(row: Activation, hand: str) -> bool:
    return bool(hand) and hmac.compare_digest(str(row.tried.get("by", "")).encode(), hand.encode())


def _of_token(token: str) -> Any:
    if len(token) > links.LONGEST:
        token = ""
    return (
        select(Activation, User, Tenant)
        .join(User, sa.and_(col(User.id) == Activation.user_id, col(User.tenant_id) == Activation.tenant_id))
        .join(Tenant, col(Tenant.id) == Activation.tenant_id)
        .where(
            Activation.digest == links.digest_of(token),
            col(User.lifecycle).in_(_HERE),
            col(Tenant.archived_at).is_(None),
        )
    )


def terms(
    user: User, tenant: Tenant, chosen: OnboardingSettings, there: list[Place], kinds: Mapping[Any, Any]
) -> Terms:
    """What a password of this person must be."""
    texts = (
        user.given_name,
        user.surname,
        user.display_name,
        user.username,
        user.email,
        tenant.name,
        chosen.organisation,
    )
    words = {part for text in texts if text for part in _parts(text)}
    judges = {kinds[place.connector.kind].judged_by for place in there} - {""}
    return Terms(chosen.minimum_length, tuple(sorted(words)), frozenset(judges))


def _portal(place: Place, kinds: Mapping[Any, Any]) -> str:
    leads = kinds[place.connector.kind].portal
    return leads(place.connector.config) if leads else ""


def masked(name: str) -> str:
    """A sign-in name of which only beginnings are left: ``p••••.v••••@fjordvik.example``. Its length is not told."""
    local, at, domain = name.rpartition("@")
    if not at:
        return " ".join(f"{part[:1]}{_DOTS}" for part in name.split()[:4]) or _DOTS
    parts = ".".join(f"{part[:1]}{_DOTS}" for part in local.split(".")[:4] if part)
    return f"{parts or _DOTS}@{domain}"


def _parts(text: str) -> list[str]:
    """The words of a name or address: the local part whole and in pieces, the first label of the domain."""
    local, at, domain = text.rpartition("@")
    if at:
        return [local, *local.replace("-", ".").replace("_", ".").split("."), domain.partition(".")[0]]
    return text.replace("-", " ").split()
