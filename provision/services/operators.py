"""Operators: who may sign in, with which role in which tenant, and what signing in leaves behind.

Owns operators, grants, invitations, sessions and the counting of refused sign-ins; knows no request and no cookie.

A password is checked with no transaction open: argon2id takes tens of milliseconds by design, and SQLite has one writer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import Session, col, select

from provision.core import passwords
from provision.core.tables import Grant, Invitation, Operator, SignInAttempt, SignInSession, Tenant
from provision.core.vocabulary import Outcome, Role, key
from provision.db import Database
from provision.services import events
from provision.services.errors import Conflict, Invalid, NotFound

MINIMUM = passwords.MINIMUM
INVITATION_LASTS = timedelta(minutes=30)
_FORGET_AFTER = timedelta(days=1)
_PER_MINUTE = 10
_RANK = {Role.AUDITOR: 1, Role.OPERATOR: 2, Role.OWNER: 3}

# OWASP's second configuration of argon2id (46 MiB) with one pass more; two at once at most, so that a flood of sign-ins
# cannot take the memory of the machine.
_hasher = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
_places = BoundedSemaphore(2)
_NOBODY = "$argon2id$v=19$m=47104,t=2,p=1$"


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant that an operator may enter, and as what."""

    id: int
    slug: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Person:
    """An operator as pages show one."""

    id: int
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A session that holds: whose it is and where it may go. ``places`` is sorted by name."""

    session_id: int
    operator: Person
    seen_at: datetime
    places: tuple[Place, ...]

    def place(self, slug: str) -> Place | None:
        """The tenant of this name, if this operator may enter it."""
        return next((place for place in self.places if place.slug == slug), None)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lives without use, and at all."""

    idle: timedelta
    absolute: timedelta


# -- Sessions ------------------------------------------------------------------------------------------------------------


def standing(session: Session, token: str, now: datetime, limits: Limits) -> Standing | None:
    """Whom a session's token belongs to, or None when it is unknown, ended, too old, or its operator is disabled."""
    query = (
        select(SignInSession, Operator)
        .join(Operator, col(Operator.id) == col(SignInSession.operator_id))
        .where(
            SignInSession.digest == _digest(token),
            col(SignInSession.ended_at).is_(None),
            col(Operator.disabled_at).is_(None),
            SignInSession.seen_at > now - limits.idle,
            SignInSession.created_at > now - limits.absolute,
        )
    )
    found = session.exec(query).first()
    if found is None:
        return None
    row, operator = found
    return Standing(
        _id(row), Person(_id(operator), operator.email, operator.name), row.seen_at, places(session, _id(operator))
    )


def touch(session: Session, session_id: int, now: datetime) -> None:
    """The session is in use. The caller writes this at most once a minute."""
    session.execute(sa.update(SignInSession).where(col(SignInSession.id) == session_id).values(seen_at=now))


def end(session: Session, session_id: int, now: datetime) -> None:
    """Sign one browser out, on the server."""
    row = session.get(SignInSession, session_id)
    if row is not None and row.ended_at is None:
        row.ended_at = now
        session.add(row)
        _write_down(session, row.operator_id, "operator.signed_out", Outcome.DONE, now)


def end_all(session: Session, operator_id: int, now: datetime) -> None:
    """Sign an operator out everywhere: after a change of password, role or state."""
    session.execute(
        sa.update(SignInSession)
        .where(col(SignInSession.operator_id) == operator_id, col(SignInSession.ended_at).is_(None))
        .values(ended_at=now)
    )


def places(session: Session, operator_id: int) -> tuple[Place, ...]:
    """The tenants an operator may enter. A grant without a tenant counts for all; of two roles the higher holds."""
    query = (
        select(Tenant.id, Tenant.slug, Tenant.name, Grant.role)
        .join(Grant, sa.or_(col(Grant.tenant_id) == col(Tenant.id), col(Grant.tenant_id).is_(None)))
        .where(Grant.operator_id == operator_id, col(Tenant.archived_at).is_(None))
        .order_by(col(Tenant.name), col(Tenant.id))
    )
    best: dict[int, Place] = {}
    for number, slug, name, word in session.exec(query):
        place = Place(number or 0, slug, name, Role(word))
        if place.id not in best or _RANK[place.role] > _RANK[best[place.id].role]:
            best[place.id] = place
    return tuple(best.values())


# -- Signing in ----------------------------------------------------------------------------------------------------------


def sign_in(db: Database, email: str, password: str, address: str, now: datetime, token_bytes: bytes) -> str | None:
    """Check a password and begin a session; return its token, or None for every kind of refusal alike.

    An unknown address, a wrong password, a disabled operator and too many tries take the same road and the same time.
    ``address`` is the browser's; its network (IPv4 /24, IPv6 /64) is what is counted, so that nobody can lock an operator
    out from elsewhere. ``token_bytes`` are 32 random bytes.
    """
    who, network = key(email.replace("\0", ""))[:320], passwords.network(address)
    with db.reading() as reading:
        operator = reading.exec(select(Operator).where(Operator.email_key == who)).first()
        usable = operator is not None and operator.disabled_at is None and not _must_wait(reading, who, network, now)
        kept = operator.password_hash if operator and usable else None
        operator_id = operator.id if operator else None
    proven = _proves(kept, password)
    fresh = _hash(password) if proven and kept and _hasher.check_needs_rehash(kept) else None
    with db.writing() as writing:
        if not proven or operator_id is None:
            _refuse(writing, operator_id, who, network, now)
            return None
        if fresh:
            writing.execute(sa.update(Operator).where(col(Operator.id) == operator_id).values(password_hash=fresh))
        writing.execute(
            sa.delete(SignInAttempt).where(col(SignInAttempt.email_key) == who, col(SignInAttempt.address) == network)
        )
        return start(writing, operator_id, token_bytes, now)


def start(session: Session, operator_id: int, token_bytes: bytes, now: datetime) -> str:
    """Begin a session and return its token, of which only the digest stays."""
    token = token_bytes.hex()
    session.add(SignInSession(digest=_digest(token), operator_id=operator_id, created_at=now, seen_at=now))
    _write_down(session, operator_id, "operator.signed_in", Outcome.DONE, now)
    return token


def wait_after(failures: int) -> timedelta:
    """How long after the latest of so many refusals in a row no password is looked at: 1 s, doubling, at most 15 min."""
    return timedelta(seconds=min(900, 2 ** (failures - 3))) if failures >= 3 else timedelta(0)


# -- Operators and their first password ------------------------------------------------------------------------------------


def add(
    session: Session, email: str, role: Role, tenant_id: int | None, password: str | None, now: datetime
) -> Operator:
    """Make an operator, or give one that exists this role there; set the password if one is given.

    Raises Invalid for an address or password that cannot be taken.
    """
    email, email_key = email.strip(), key(email)
    problems = {} if _looks_like_address(email) else {"email": "operator_email"}
    if password is not None and (problem := passwords.judge(password, about=_about(email, tenant_id, session))):
        problems["password"] = problem
    if problems:
        raise Invalid(problems, minimum=passwords.MINIMUM)
    operator = session.exec(select(Operator).where(Operator.email_key == email_key)).first()
    if operator is None:
        operator = Operator(email=email, email_key=email_key, name=email.split("@")[0], created_at=now)
    if password is not None:
        operator.password_hash = _hash(password)
    session.add(operator)
    session.flush()
    _grant(session, _id(operator), role, tenant_id)
    end_all(session, _id(operator), now)
    after = {"role": role.value, "password": "set" if password is not None else "unchanged"}
    _write_down(session, _id(operator), "operator.added", Outcome.DONE, now, actor="command line", after=after)
    return operator


def by_email(session: Session, email: str) -> Operator | None:
    """The operator with this address."""
    return session.exec(select(Operator).where(Operator.email_key == key(email))).first()


def invite(session: Session, operator_id: int, token_bytes: bytes, now: datetime) -> str:
    """Make a one-time link's token, good for half an hour. An earlier one of the same operator stops working."""
    session.execute(
        sa.update(Invitation)
        .where(col(Invitation.operator_id) == operator_id, col(Invitation.used_at).is_(None))
        .values(used_at=now)
    )
    token = token_bytes.hex()
    session.add(Invitation(digest=_digest(token), operator_id=operator_id, expires_at=now + INVITATION_LASTS))
    session.flush()
    return token


def invited(session: Session, token: str, now: datetime) -> str:
    """The address a link is for. Raises NotFound, alike for unknown, used and expired links."""
    return _invitation(session, token, now)[1].email


def accept(db: Database, token: str, password: str, now: datetime, token_bytes: bytes) -> str:
    """Set the first password by a link and begin a session; return the session's token. The link is spent only then.

    Raises NotFound for a link that does not hold, Invalid for a password that is not taken, Conflict when someone else
    spent the link meanwhile.
    """
    with db.reading() as reading:
        invitation, operator = _invitation(reading, token, now)
        about = _about(operator.email, None, reading)
        number, operator_id = _id(invitation), _id(operator)
    if problem := passwords.judge(password, about=about):
        raise Invalid({"password": problem}, minimum=passwords.MINIMUM)
    fresh = _hash(password)
    with db.writing() as writing:
        spent: Any = writing.execute(
            sa.update(Invitation)
            .where(col(Invitation.id) == number, col(Invitation.used_at).is_(None))
            .values(used_at=now)
        )
        if spent.rowcount != 1:
            raise Conflict("invitation_over")
        writing.execute(sa.update(Operator).where(col(Operator.id) == operator_id).values(password_hash=fresh))
        end_all(writing, operator_id, now)
        return start(writing, operator_id, token_bytes, now)


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _digest(token: str) -> bytes:
    """A token has 256 random bits, so one quick hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def _id(row: Operator | SignInSession | Invitation) -> int:
    if row.id is None:
        raise RuntimeError("this row has not been written yet")
    return row.id


def _hash(password: str) -> str:
    with _places:
        return _hasher.hash(password)


def _proves(kept: str | None, password: str) -> bool:
    """Compare with what is kept. Nobody's password costs as much as somebody's."""
    if len(password) > passwords.MAXIMUM:
        password = ""
    with _places:
        try:
            return _hasher.verify(kept or _somebody_else(), password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def _somebody_else() -> str:
    return _NOBODY + "c29tZWJvZHkgZWxzZXMg$" + "A" * 43


def _must_wait(session: Session, who: str, network: str, now: datetime) -> bool:
    mine = sa.and_(col(SignInAttempt.email_key) == who, col(SignInAttempt.address) == network)
    failures, latest = session.execute(
        sa.select(sa.func.count(), sa.func.max(SignInAttempt.at)).where(
            mine, col(SignInAttempt.at) > now - _FORGET_AFTER
        )
    ).one()
    recent = session.execute(
        sa.select(sa.func.count())
        .select_from(SignInAttempt)
        .where(col(SignInAttempt.address) == network, col(SignInAttempt.at) > now - timedelta(minutes=1))
    ).scalar_one()
    return recent >= _PER_MINUTE or bool(failures and latest + wait_after(failures) > now)


def _refuse(session: Session, operator_id: int | None, who: str, network: str, now: datetime) -> None:
    """Count it. What is tried while waiting is not counted: it was not looked at, and patience must be rewarded."""
    if _must_wait(session, who, network, now):
        return
    session.execute(sa.delete(SignInAttempt).where(col(SignInAttempt.at) < now - _FORGET_AFTER))
    session.add(SignInAttempt(email_key=who, address=network, at=now))
    if operator_id is not None:
        _write_down(session, operator_id, "operator.refused", Outcome.REFUSED, now)


def _write_down(
    session: Session,
    operator_id: int,
    action: str,
    outcome: Outcome,
    now: datetime,
    *,
    actor: str = "",
    after: Any = None,
) -> None:
    """Into the log of every tenant the operator may enter."""
    operator = session.get(Operator, operator_id)
    address = operator.email if operator else ""
    entry = events.Entry(
        actor=actor or address, action=action, outcome=outcome, after=after or {}, names={"operator": address}
    )
    session.flush()
    for place in places(session, operator_id):
        events.append(session, place.id, [entry], now)


def _grant(session: Session, operator_id: int, role: Role, tenant_id: int | None) -> None:
    query = select(Grant).where(Grant.operator_id == operator_id, col(Grant.tenant_id) == tenant_id)
    if tenant_id is None:
        query = select(Grant).where(Grant.operator_id == operator_id, col(Grant.tenant_id).is_(None))
    elif session.get(Tenant, tenant_id) is None:
        raise NotFound("tenant_not_found")
    grant = session.exec(query).first() or Grant(operator_id=operator_id, tenant_id=tenant_id, role=role)
    grant.role = role
    session.add(grant)
    session.flush()


def _invitation(session: Session, token: str, now: datetime) -> tuple[Invitation, Operator]:
    query = (
        select(Invitation, Operator)
        .join(Operator, col(Operator.id) == col(Invitation.operator_id))
        .where(
            Invitation.digest == _digest(token),
            col(Invitation.used_at).is_(None),
            Invitation.expires_at > now,
            col(Operator.disabled_at).is_(None),
        )
    )
    found = session.exec(query).first()
    if found is None:
        raise NotFound("invitation_over")
    return found


def _about(email: str, tenant_id: int | None, session: Session) -> Sequence[str]:
    """Words that a password must not be made of: the operator's own and the organisation's."""
    tenant = session.get(Tenant, tenant_id) if tenant_id else None
    return [*email.replace("@", ".").split("."), *(tenant.name.split() if tenant else []), "provision"]


def _looks_like_address(email: str) -> bool:
    local, _, domain = email.rpartition("@")
    return bool(local and "." in domain.strip(".") and not any(sign.isspace() for sign in email)) and len(email) <= 320
