"""Administrator consent: the browser goes out with a one-time state and comes back with claims that prove nothing.

Owns the rows of ``flows`` and what an app notes about its consent; never believes the address bar: the organisation named
there is compared with the one that the configured name belongs to, and with the one that a fresh token can read.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.ports import Consenting, OutsideError, Refused, Unauthorised
from provision.core.tables import Connector, ConsentFlow
from provision.core.vocabulary import Outcome
from provision.services import events
from provision.services.connectors.checks import (
    STATUS,
    Connect,
    Writing,
    plain,
    remember_check,
    remember_trouble,
    unchanged,
)
from provision.services.connectors.rows import get, notes, with_notes
from provision.services.errors import Conflict, ServiceError

LIFETIME = timedelta(minutes=10)
PATIENCE = timedelta(minutes=10)
"""How long we ask again by ourselves until the grant has reached every corner of the outside system."""

NOT_YET = frozenset({"consent_not_replicated", "consent_missing", "permission_missing"})
"""What a system answers that does not know of the grant yet: no such application, or a token without rights."""


_BY_CODE = {
    "consent_declined": 403,
    "consent_needs_administrator": 403,
    "consent_other_organisation": 409,
    "tenant_differs": 409,
}


class Forged(ServiceError):
    """A return that nobody here began, or that was used, or is too old, or belongs to someone else."""

    status = 400


@dataclass(frozen=True, slots=True)
class Consent:
    """How a consent ended for an app: *granted*; *waiting* until it has spread there; *refused* because of ``code``."""

    tenant_id: int
    connector_id: int
    state: Literal["granted", "waiting", "refused"]
    code: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


def begin_consent(
    session: Session,
    tenant_id: int,
    connector_id: int,
    operator_id: int,
    now: datetime,
    token_bytes: Callable[[int], bytes],
) -> str:
    """Make the state for one trip: 256 random bits, good for ten minutes, once, for this operator and this app."""
    get(session, tenant_id, connector_id, keep=True)
    stale = sa.delete(ConsentFlow).where(col(ConsentFlow.expires_at) < now - timedelta(days=1))
    session.execute(stale)
    state = base64.urlsafe_b64encode(token_bytes(32)).rstrip(b"=").decode()
    session.add(
        ConsentFlow(
            tenant_id=tenant_id,
            digest=_digest(state),
            connector_id=connector_id,
            operator_id=operator_id,
            expires_at=now + LIFETIME,
        )
    )
    session.flush()
    return state


def finish_consent(
    writing: Writing,
    connect: Connect,
    kinds: Mapping[str, Any],
    params: Mapping[str, str],
    operator_id: int,
    actor: str,
    now: Callable[[], datetime],
) -> Consent:
    """Judge what the browser brought back. The state is spent whatever follows. Raises Forged.

    ``error`` is read before ``admin_consent``, which Microsoft's newer endpoint sets even on a refusal:
    https://learn.microsoft.com/entra/identity-platform/v2-admin-consent.
    """
    with writing() as session:
        flow = _spend(session, params.get("state", ""), now())
    if flow is None or flow.operator_id != operator_id or flow.expires_at <= now():
        raise Forged("consent_forged")
    with writing() as session:
        row = get(session, flow.tenant_id, flow.connector_id)
    try:
        said = _read(kinds[row.kind].read_consent, connect(row), params)
    except OutsideError as error:
        return _refuse(writing, row, error, actor, now())
    return _prove(writing, connect, row, said, actor, now)


def look_again(
    writing: Writing, connect: Connect, tenant_id: int, connector_id: int, now: Callable[[], datetime]
) -> Consent:
    """Ask once more whether a grant has spread. Asks nothing when no consent waits."""
    with writing() as session:
        row = get(session, tenant_id, connector_id)
    waiting = notes(row).get("consent", {})
    if waiting.get("state") != "waiting":
        return Consent(tenant_id, connector_id, "granted" if waiting else "refused")
    return _prove(writing, connect, row, waiting["tenant"], waiting["by"], now)


def waits(connector: Connector, now: datetime) -> bool:
    """Whether a grant is still spreading and worth asking about."""
    consent = notes(connector).get("consent", {})
    return consent.get("state") == "waiting" and now - datetime.fromisoformat(consent["at"]) < PATIENCE


def _spend(session: Session, state: str, now: datetime) -> ConsentFlow | None:
    digest = _digest(state)
    spent = sa.update(ConsentFlow).where(col(ConsentFlow.digest) == digest, col(ConsentFlow.used_at).is_(None))
    if session.execute(spent.values(used_at=now)).rowcount != 1:  # type: ignore[attr-defined]
        return None
    return session.exec(select(ConsentFlow).where(ConsentFlow.digest == digest)).one()


def _read(read: Callable[[Mapping[str, str]], str] | None, port: object, params: Mapping[str, str]) -> str:
    """The organisation that was said to have agreed, when it is the one that was asked. Raises Refused, Unreachable."""
    if read is None or not isinstance(port, Consenting):
        raise Refused("consent_not_used")
    said = read(params)
    if said.casefold() != port.locate().casefold():
        raise Refused("consent_other_organisation")
    return said


def _prove(
    writing: Writing, connect: Connect, row: Connector, said: str, actor: str, now: Callable[[], datetime]
) -> Consent:
    assert row.id is not None  # noqa: S101 - it was read from the table
    try:
        found = connect(row).check()
        if found.outside_id.casefold() != said.casefold():
            raise Refused("consent_other_organisation")
        with writing() as session:
            kept = unchanged(session, row)
            kept.facts = with_notes(kept, consent=_told("granted", said, actor, now()), refused_consent=None)
            remember_check(session, kept, found, actor, now(), action="connector.consented")
    except (Refused, Unauthorised) as error:
        if error.code not in NOT_YET:
            return _refuse(writing, row, error, actor, now(), trouble=True)
        return _wait(writing, row, said, actor, now())
    except OutsideError as error:
        return _refuse(writing, row, error, actor, now(), trouble=True)
    except Conflict as conflict:
        return _refuse(writing, row, Refused(conflict.code, **conflict.params), actor, now(), status=409)
    return Consent(row.tenant_id, row.id, "granted")


def _wait(writing: Writing, row: Connector, said: str, actor: str, now: datetime) -> Consent:
    assert row.id is not None  # noqa: S101 - as above
    with writing() as session:
        kept = get(session, row.tenant_id, row.id, lock=True)
        if notes(kept).get("consent", {}).get("state") != "waiting":
            kept.facts = with_notes(kept, consent=_told("waiting", said, actor, now), refused_consent=None)
            session.add(kept)
            session.flush()
            _say(session, kept, actor, "connector.consent_waits", Outcome.HELD, {}, now)
    return Consent(row.tenant_id, row.id, "waiting")


def _refuse(
    writing: Writing,
    row: Connector,
    error: OutsideError,
    actor: str,
    now: datetime,
    *,
    trouble: bool = False,
    status: int | None = None,
) -> Consent:
    assert row.id is not None  # noqa: S101 - as above
    told = {"code": error.code, "params": plain(error.params), "at": now.isoformat(), "by": actor}
    with writing() as session:
        kept = get(session, row.tenant_id, row.id, lock=True)
        waiting = notes(kept).get("consent", {}).get("state") == "waiting"
        changes = {"refused_consent": told, **({"consent": None} if waiting else {})}
        kept.facts = with_notes(kept, **changes)
        session.add(kept)
        session.flush()
        if trouble:
            remember_trouble(session, kept, error, actor, now)
        _say(session, kept, actor, "connector.consent_refused", Outcome.REFUSED, told, now)
    status = status or _BY_CODE.get(error.code) or STATUS.get(type(error), 422)
    return Consent(row.tenant_id, row.id, "refused", error.code, plain(error.params), status)


def _told(state: str, said: str, actor: str, now: datetime) -> dict[str, str]:
    return {"state": state, "tenant": said, "by": actor, "at": now.isoformat()}


def _say(
    session: Session, row: Connector, actor: str, action: str, outcome: Outcome, text: Mapping[str, Any], now: datetime
) -> None:
    said = events.Entry(actor, action, outcome=outcome, connector_id=row.id, names={"app": row.name}, text=text)
    events.append(session, row.tenant_id, [said], now)


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
