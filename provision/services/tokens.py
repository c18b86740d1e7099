"""What clients that push to us sign in with: issued, shown once, used, revoked. Only digests are kept.

Owns the rows of ``tokens``; knows nothing of what a client then asks.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Connector, Token
from provision.core.vocabulary import Kind, TokenScope
from provision.db import for_update
from provision.services import connectors, events
from provision.services.errors import Conflict, Invalid, NotFound

PREFIX = "prov_"
"""By which a secret scanner recognises one that was published by mistake."""
AT_ONCE = 2
"""Valid at the same time: the old one and its successor, while a client moves from one to the other."""
LONGEST_DAYS = 365
TOUCH_AFTER = timedelta(minutes=1)
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token lets in: one app of one tenant, to read or to write."""

    token_id: int
    tenant_id: int
    connector_id: int
    scope: TokenScope
    stale: bool
    app: Connector


def issue(
    session: Session,
    tenant_id: int,
    connector_id: int,
    *,
    scope: TokenScope,
    days: int,
    actor: str,
    now: datetime,
    token_bytes: Callable[[int], bytes],
) -> tuple[Token, str]:
    """Make a token, and return it once in words; nobody can read it again.

    Raises Invalid (a life of no day or more than a year), Conflict (two are valid already, or the app pulls).
    """
    app = connectors.get(session, tenant_id, connector_id, lock=True)
    if app.kind != Kind.SCIM_SOURCE:
        raise Conflict("token_not_used", app=app.name)
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid({"days": "token_life_unfit"}, limit=LONGEST_DAYS)
    if sum(1 for one in of(session, tenant_id, connector_id) if valid(one, now)) >= AT_ONCE:
        raise Conflict("token_two_already", app=app.name)
    text = PREFIX + base64.urlsafe_b64encode(token_bytes(32)).decode().rstrip("=")
    row = Token(
        tenant_id=tenant_id,
        connector_id=connector_id,
        digest=_digest(text),
        hint=text[: len(PREFIX) + 4],
        scope=scope,
        created_by=actor,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    _tell(session, row, app, "token.issued", actor, now)
    return row, text


def revoke(session: Session, tenant_id: int, connector_id: int, token_id: int, actor: str, now: datetime) -> Token:
    """From the next request on, nobody comes in with it. Revoking twice changes nothing. Raises NotFound."""
    app = connectors.get(session, tenant_id, connector_id)
    query = select(Token).where(Token.tenant_id == tenant_id, Token.connector_id == connector_id, Token.id == token_id)
    row: Token | None = session.exec(for_update(session, query)).first()
    if row is None:
        raise NotFound("no_such_token")
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        session.flush()
        _tell(session, row, app, "token.revoked", actor, now)
    return row


def of(session: Session, tenant_id: int, connector_id: int) -> list[Token]:
    """The tokens of an app, newest first."""
    query = select(Token).where(Token.tenant_id == tenant_id, Token.connector_id == connector_id)
    return list(session.exec(query.order_by(col(Token.id).desc())))


def valid(token: Token, now: datetime) -> bool:
    """Whether it still lets anybody in."""
    return token.revoked_at is None and now < token.expires_at


def state(token: Token, now: datetime) -> str:
    """One word for it: revoked, expired, expiring within a month, or valid."""
    if token.revoked_at is not None:
        return "revoked"
    if now >= token.expires_at:
        return "expired"
    return "expiring" if token.expires_at - now <= SOON else "valid"


def bearer(session: Session, text: str, now: datetime) -> Bearer | None:
    """Whom a token lets in; None for one that is unknown, expired or revoked, without saying which.

    The digest is looked up by its index, then compared in constant time; an attacker who learns about digests learns
    nothing about tokens of 256 bits.
    """
    if not text.startswith(PREFIX) or len(text) > 200 or not text.isascii():
        return None
    digest = _digest(text)
    found = session.exec(_BY_DIGEST, params={"digest": digest}).first()
    if found is None:
        return None
    row, app = found
    if not hmac.compare_digest(row.digest, digest) or not valid(row, now):
        return None
    stale = row.used_at is None or now - row.used_at >= TOUCH_AFTER
    return Bearer(row.id or 0, row.tenant_id, row.connector_id, TokenScope(row.scope), stale, app)


_BY_DIGEST = (
    select(Token, Connector)
    .join(Connector, col(Connector.id) == col(Token.connector_id))
    .where(col(Token.digest) == sa.bindparam("digest"), Connector.tenant_id == Token.tenant_id)
)


def touch(session: Session, token_id: int, now: datetime) -> None:
    """Note that a token was used, if it is still there; called once a minute at most."""
    session.execute(sa.update(Token).where(col(Token.id) == token_id).values(used_at=now))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _tell(session: Session, row: Token, app: Connector, action: str, actor: str, now: datetime) -> None:
    told = {"hint": row.hint, "scope": str(row.scope), "expires_at": row.expires_at.isoformat(timespec="seconds")}
    entry = events.Entry(actor, action, connector_id=row.connector_id, after=told, names={"app": app.name})
    events.append(session, row.tenant_id, [entry], now)
