"""What clients that push to us sign in with: issued, shown once, used, revoked. Only digests are kept.

Owns the rows of ``tokens``; knows nothing of what a client then asks.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import Connector, CustomAttribute, Token
from provision.core.vocabulary import Kind, TokenScope
from provision.db import for_update, gathered, once
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
    """Who a token lets in: one app of one tenant, to read or to write.

    ``app``: the row of it that a connection is made from; ``attributes``: name and label of what the tenant added to people.
    """

    token_id: int
    tenant_id: int
    connector_id: int
    scope: TokenScope
    stale: bool
    app: Any
    attributes: tuple[tuple[str, str], ...]


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


def valid(token: Any, now: datetime) -> bool:
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
    row = session.execute(_by_digest(session), {"digest": digest}).first()
    if row is None or not hmac.compare_digest(row.digest, digest) or not valid(row, now):
        return None
    stale = row.used_at is None or now - row.used_at >= TOUCH_AFTER
    own = tuple(sorted((name, label) for name, label in row.added))
    return Bearer(row.token_id, row.tenant_id, row.id, row.scope, stale, row, own)


@once
def _by_digest(session: Session) -> Any:
    """All that a request must know before anything else, in one statement: every one of them begins with it."""
    added = sa.select(gathered(session, _ADDED.c.name, _ADDED.c.label)).where(_ADDED.c.tenant_id == _TOKENS.c.tenant_id)
    return (
        sa.select(
            _TOKENS.c.id.label("token_id"),
            *(_TOKENS.c[name] for name in ("digest", "scope", "expires_at", "used_at", "revoked_at")),
            *(_CONNECTORS.c[name] for name in _APP),
            added.scalar_subquery().label("added"),
        )
        .join_from(_TOKENS, _CONNECTORS, _CONNECTORS.c.id == _TOKENS.c.connector_id)
        .where(_TOKENS.c.digest == sa.bindparam("digest"), _CONNECTORS.c.tenant_id == _TOKENS.c.tenant_id)
    )


_APP = ("id", "tenant_id", "kind", "name", "state", "features", "config", "secret", "outside_id")
_TOKENS: sa.Table = Token.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_ADDED: sa.Table = CustomAttribute.__table__  # type: ignore[attr-defined]


def touch(session: Session, token_id: int, now: datetime) -> None:
    """Note that a token was used, if it is still there; called once a minute at most."""
    session.execute(sa.update(Token).where(col(Token.id) == token_id).values(used_at=now))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _tell(session: Session, row: Token, app: Connector, action: str, actor: str, now: datetime) -> None:
    told = {"hint": row.hint, "scope": str(row.scope), "expires_at": row.expires_at.isoformat(timespec="seconds")}
    entry = events.Entry(actor, action, connector_id=row.connector_id, after=told, names={"app": app.name})
    events.append(session, row.tenant_id, [entry], now)
