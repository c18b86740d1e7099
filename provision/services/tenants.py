"""Organisations: adding them, finding them by the name their addresses carry. Never touches what is inside one."""

import re
from datetime import datetime

from sqlmodel import Session, col, select

from provision.core.tables import Tenant
from provision.db import for_update
from provision.services import events
from provision.services.errors import Conflict, Invalid, NotFound

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def add(session: Session, slug: str, name: str, actor: str, now: datetime) -> Tenant:
    """Add an organisation. ``slug`` stands in every address of it: small letters, digits and dashes."""
    slug, name = slug.strip().lower(), name.strip()
    if not _SLUG.fullmatch(slug):
        raise Invalid({"slug": "slug_malformed"}, slug=slug)
    if not name:
        raise Invalid({"name": "required"})
    if session.exec(select(Tenant).where(Tenant.slug == slug)).first():
        raise Conflict("tenant_exists", slug=slug)
    tenant = Tenant(slug=slug, name=name, created_at=now)
    session.add(tenant)
    session.flush()
    told = events.Entry(actor=actor, action="tenant.added", after={"slug": slug, "name": name})
    events.append(session, tenant.id or 0, [told], now)
    return tenant


def by_slug(session: Session, slug: str) -> Tenant:
    """The organisation whose addresses carry this name. Raises NotFound."""
    tenant = session.exec(select(Tenant).where(Tenant.slug == slug, col(Tenant.archived_at).is_(None))).first()
    if tenant is None:
        raise NotFound("tenant_not_found", slug=slug)
    return tenant


def by_id(session: Session, tenant_id: int) -> Tenant:
    """One organisation by its number. Raises NotFound."""
    row = session.get(Tenant, tenant_id)
    if row is None:
        raise NotFound("tenant_not_found", slug=str(tenant_id))
    return row


def locked(session: Session, tenant_id: int) -> Tenant:
    """The organisation's row, which no other process holds meanwhile: what is done by itself is done by one at a time."""
    found: Tenant = session.exec(for_update(session, select(Tenant).where(Tenant.id == tenant_id))).one()
    return found


def of_all(session: Session) -> list[Tenant]:
    """Every organisation, by name."""
    return list(session.exec(select(Tenant).where(col(Tenant.archived_at).is_(None)).order_by(Tenant.name)).all())
