"""The logo of an organisation: kept in the database, so that every process serves the same, and served by its digest.

Owns its row; whether a file can be a logo is core's to judge.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from provision.core.logos import Logo, Unfit, judge
from provision.core.tables import Tenant, TenantLogo
from provision.core.vocabulary import PictureKind
from provision.services import events
from provision.services.errors import Invalid

_PLAIN = (TenantLogo.kind, TenantLogo.width, TenantLogo.height, TenantLogo.digest, TenantLogo.in_mails)


def of(session: Session, tenant_id: int) -> Logo | None:
    """What a tenant's logo is, without its bytes; None when there is none."""
    row = session.exec(select(*_PLAIN).where(TenantLogo.tenant_id == tenant_id)).first()  # type: ignore[call-overload]
    return Logo(PictureKind(row[0]), *row[1:]) if row else None


def content(session: Session, tenant_id: int) -> bytes | None:
    """The bytes of a tenant's logo."""
    return session.exec(select(TenantLogo.content).where(TenantLogo.tenant_id == tenant_id)).first()


def served(session: Session, digest: str) -> tuple[PictureKind, bytes] | None:
    """A logo by its digest, whoever's it is; nobody learns from it whose."""
    query = select(TenantLogo.kind, TenantLogo.content).join(Tenant, col(Tenant.id) == TenantLogo.tenant_id)
    found = session.exec(query.where(TenantLogo.digest == digest, col(Tenant.archived_at).is_(None))).first()
    return (PictureKind(found[0]), found[1]) if found else None


def keep(session: Session, tenant_id: int, content: bytes, actor: str, now: datetime, *, in_mails: bool = True) -> Logo:
    """Take a file as the logo, in place of the one before. Raises Invalid with what is wrong with it."""
    try:
        logo = replace(judge(content), in_mails=in_mails)
    except Unfit as unfit:
        raise Invalid({"logo": unfit.code}, **unfit.params) from unfit
    before, row = of(session, tenant_id), _row(session, tenant_id)
    if logo == before:
        return logo
    kept: dict[str, Any] = {
        "kind": logo.kind,
        "width": logo.width,
        "height": logo.height,
        "digest": logo.digest,
        "in_mails": in_mails,
    }
    row = row or TenantLogo(tenant_id=tenant_id, content=content, saved_at=now, **kept)
    session.add(row.sqlmodel_update({**kept, "content": content, "saved_at": now}))
    session.flush()
    _tell(session, tenant_id, before, logo, actor, now)
    return logo


def show_in_mails(session: Session, tenant_id: int, yes: bool, actor: str, now: datetime) -> None:
    """Let mails carry the logo, or not. Raises Invalid when there is none."""
    before, row = of(session, tenant_id), _row(session, tenant_id)
    if before is None or row is None:
        raise Invalid({"logo": "logo_missing"})
    if before.in_mails != yes:
        row.in_mails = yes
        session.add(row)
        session.flush()
        _tell(session, tenant_id, before, replace(before, in_mails=yes), actor, now)


def remove(session: Session, tenant_id: int, actor: str, now: datetime) -> bool:
    """Show the name alone again; False when there was no logo."""
    before, row = of(session, tenant_id), _row(session, tenant_id)
    if before is None or row is None:
        return False
    session.delete(row)
    session.flush()
    _tell(session, tenant_id, before, None, actor, now)
    return True


def _row(session: Session, tenant_id: int) -> TenantLogo | None:
    return session.exec(select(TenantLogo).where(TenantLogo.tenant_id == tenant_id)).first()


def _tell(session: Session, tenant_id: int, before: Logo | None, after: Logo | None, actor: str, now: datetime) -> None:
    told = events.Entry(actor=actor, action="settings.saved", before=_said(before), after=_said(after))
    events.append(session, tenant_id, [told], now)


def _said(logo: Logo | None) -> dict[str, str]:
    where = "everywhere" if logo and logo.in_mails else "on pages"
    shown = f"{logo.kind.upper()}, {logo.width} × {logo.height}, {where}, {logo.digest[:12]}" if logo else ""
    return {"logo": shown}
