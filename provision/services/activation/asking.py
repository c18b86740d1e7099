"""People who ask for a link themselves: in place of one that no longer holds, or because they forgot their password.

Owns whose asking is heard; tells nobody whether it was. What is sent follows the same rules as what operators send.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from provision.core.logos import Logo
from provision.core.tables import Activation, Tenant, User
from provision.core.vocabulary import Lifecycle, key
from provision.services import links, logos, settings
from provision.services.activation.issuing import issue
from provision.vault import Vault

ACTOR = "self-service"


def ask_again(session: Session, token: str, now: datetime, *, vault: Vault, kinds: Mapping[Any, Any]) -> None:
    """Send a new link to whom this one was for, if it only expired, or if the tenant lets people ask at any time."""
    if len(token) > links.LONGEST:
        return
    row = session.exec(select(Activation).where(Activation.digest == links.digest_of(token))).first()
    if row is None:
        return
    expired = row.used_at is None and row.revoked_at is None and row.expires_at <= now
    if expired or settings.onboarding(session, row.tenant_id).self_service:
        issue(session, row.tenant_id, [row.user_id], ACTOR, now, vault=vault, kinds=kinds, quiet=True)


@dataclass(frozen=True, slots=True)
class Serving:
    """An organisation that lets people ask for a link themselves."""

    tenant_id: int
    organisation: str
    logo: Logo | None


def serves(session: Session, slug: str) -> Serving | None:
    """This organisation, if it lets people ask for a link themselves."""
    tenant = session.exec(select(Tenant).where(Tenant.slug == slug, col(Tenant.archived_at).is_(None))).first()
    if tenant is None or tenant.id is None:
        return None
    chosen = settings.onboarding(session, tenant.id)
    if not chosen.self_service:
        return None
    return Serving(tenant.id, chosen.organisation or tenant.name, logos.of(session, tenant.id))


def ask(
    session: Session, tenant_id: int, address: str, now: datetime, *, vault: Vault, kinds: Mapping[Any, Any]
) -> None:
    """Send a link to whoever signs in by this address, if somebody does and it can help."""
    who = key(address.replace("\0", ""))[:320]
    mine = (User.tenant_id == tenant_id, User.email_key == who, col(User.lifecycle) != Lifecycle.LEFT)
    found = session.exec(select(User.id).where(*mine)).first() if who else None
    if found is not None:
        issue(session, tenant_id, [found], ACTOR, now, vault=vault, kinds=kinds, quiet=True)
