"""The link of an activation: how its secret half is derived, what of it is kept, and when it may leave or is over.

Owns the one place where a link's token exists; never stores or logs it. Knows neither mails nor passwords.

The token is HMAC-SHA256(key, number ‖ nonce ‖ key id), 256 bits, derived again at every sending. The row keeps its SHA-256.
"""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Account, Activation, Connector
from provision.core.vocabulary import Ended, Situation
from provision.db import among
from provision.services.errors import NotFound
from provision.vault import Vault

ACTIVATIONS: sa.Table = Activation.__table__  # type: ignore[attr-defined]
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]

PURPOSE = "activation"
PATH = "/activate/"
LONGEST = 64
"""Characters; what is longer is no token of ours."""


def derive(vault: Vault, number: int, nonce: bytes, key_id: str) -> str:
    """The token of one activation. Raises VaultError when its key has left the ring."""
    said = number.to_bytes(8, "big") + nonce + key_id.encode()
    secret = hmac.digest(vault.derived(PURPOSE, key_id), said, "sha256")
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def digest_of(token: str) -> bytes:
    """What a row keeps of a token: with 256 random bits one quick hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def link(session: Session, vault: Vault, public_url: str, activation_id: int) -> str:
    """The address that goes into the mail. Raises NotFound when the activation is over, VaultError without its key."""
    row = session.get(Activation, activation_id)
    if row is None or row.id is None or row.used_at is not None or row.revoked_at is not None:
        raise NotFound("activation_over")
    return f"{public_url}{PATH}{derive(vault, row.id, row.nonce, row.key_id)}"


def may_leave(kinds: Mapping[Any, Any], activation_id: Any) -> Any:
    """The condition that the mail of an activation may leave now: the link lives, and the person's account is there.

    ``activation_id`` is the mail's column; a mail without an activation may always leave.
    """
    row = ACTIVATIONS.alias()
    taking = [sa.and_(_CONNECTORS.c.kind == kind.value, *_chosen(spec)) for kind, spec in kinds.items() if spec.takes]
    there = (
        sa.select(_ACCOUNTS.c.id)
        .join(_CONNECTORS, _CONNECTORS.c.id == _ACCOUNTS.c.connector_id)
        .where(
            _ACCOUNTS.c.tenant_id == row.c.tenant_id,
            _ACCOUNTS.c.user_id == row.c.user_id,
            _ACCOUNTS.c.anchor.is_not(None),
            _ACCOUNTS.c.situation == Situation.LINKED.value,
            sa.or_(sa.false(), *taking),
        )
    )
    ready = sa.select(row.c.id).where(row.c.id == activation_id, live(row), sa.exists(there))
    return sa.or_(activation_id.is_(None), sa.exists(ready))


def _chosen(spec: Any) -> list[Any]:
    """What an app's own settings must say before it takes passwords."""
    return [_CONNECTORS.c.config[spec.takes_if].as_boolean().is_(True)] if spec.takes_if else []


def over(activation_id: Any) -> Any:
    """The condition that a mail's activation was used or revoked, so that the mail is to be called off."""
    row = ACTIVATIONS.alias()
    return sa.exists(sa.select(row.c.id).where(row.c.id == activation_id, sa.not_(live(row))))


def live(row: Any) -> Any:
    """The condition that a link was neither used nor revoked; it may have expired."""
    return sa.and_(row.c.used_at.is_(None), row.c.revoked_at.is_(None))


def sent(session: Session, activation_id: int, now: datetime) -> None:
    """Its mail was taken by a server. From the first time on the link's hours are counted."""
    row = session.get(Activation, activation_id)
    if row is not None and row.sent_at is None:
        row.sent_at, row.expires_at = now, now + timedelta(hours=row.hours)
        session.add(row)
        session.flush()


def bounced(session: Session, activation_id: int, now: datetime) -> None:
    """Its mail was refused for good, or came back."""
    session.execute(sa.update(ACTIVATIONS).where(ACTIVATIONS.c.id == activation_id).values(bounced_at=now))


def kill(session: Session, tenant_id: int, user_ids: Collection[int], now: datetime, *, why: Ended) -> None:
    """End every link of these people at once."""
    if user_ids:
        mine = (ACTIVATIONS.c.tenant_id == tenant_id, among(session, ACTIVATIONS.c.user_id, set(user_ids)))
        session.execute(
            sa.update(ACTIVATIONS).where(*mine, live(ACTIVATIONS)).values(revoked_at=now, ended_for=why.value)
        )
