"""Where people stand on the way to a password: the rows of Onboarding Status, and how many there are of each kind.

Owns reading it; changes nothing. Pages are found by key, not counted off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.reaching import Standing, stops
from provision.core.tables import Activation
from provision.core.vocabulary import ConnectorState, Invited, Lifecycle
from provision.db import among
from provision.services import settings
from provision.services.links import ACTIVATIONS
from provision.services.reaching import USERS, helpless, offered, reach, taking
from provision.services.users.finding import Query, conditions, shown

AWAY = (Invited.NOT_INVITED, Invited.QUEUED, Invited.BOUNCED, Invited.EXPIRED)
"""Who stands here and cannot be helped is *blocked*: nothing that is under way would help them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the list. ``after``: the person it goes on behind, ``before``: the one it ends in front of."""

    state: Invited | None = None
    text: str = ""
    after: int | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One person. ``at``: since when; ``address``: where a mail would go; ``code`` with ``params``: why they are blocked.

    ``ended_for``: why the link that somebody without one had before was ended (a remedy code), at ``ended_at``.
    """

    user_id: int
    name: str
    email: str | None
    state: Invited
    at: datetime | None
    address: str | None
    activation_id: int | None
    expires_at: datetime | None
    outcomes: Mapping[str, Any]
    waits: bool = False
    code: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    ended_for: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Onboarding:
    """One page of people, the number of all that fit the search by state, and the neighbours of the page."""

    lines: tuple[Line, ...]
    counts: Mapping[Invited, int]
    before: int | None
    after: int | None

    @property
    def total(self) -> int:
        """Everybody whom the search found."""
        return sum(self.counts.values())


def status(session: Session, tenant_id: int, wanted: Wanted, kinds: Mapping[Any, Any], now: datetime) -> Onboarding:
    """One page of Onboarding Status. Who has left is not listed."""
    chosen = settings.onboarding(session, tenant_id)
    state, source = _state(session, tenant_id, kinds, chosen, now)
    where = [*_where(tenant_id, wanted)]
    told = dict.fromkeys(Invited, 0)
    for word, number in session.execute(
        sa.select(state, sa.func.count()).select_from(source).where(*where).group_by(state)
    ):
        told[Invited(word)] = number
    if wanted.state is not None:
        where.append(state == wanted.state.value)
    turned = wanted.before is not None
    if (place := wanted.before if turned else wanted.after) is not None:
        where.append(_beyond(tenant_id, place, turned=turned))
    order = (USERS.c.name_key.desc(), USERS.c.id.desc()) if turned else (USERS.c.name_key, USERS.c.id)
    query = sa.select(USERS.c.id, state.label("state"), *_LATEST).select_from(source).where(*where)
    rows = list(session.execute(query.order_by(*order).limit(wanted.limit + 1)).mappings())
    more, rows = len(rows) > wanted.limit, rows[: wanted.limit]
    rows = rows[::-1] if turned else rows
    earlier, later = (more, True) if turned else (wanted.after is not None, more)
    lines = _lines(session, tenant_id, rows, kinds, chosen)
    return Onboarding(
        lines=lines,
        counts=told,
        before=lines[0].user_id if lines and earlier else None,
        after=lines[-1].user_id if lines and later else None,
    )


def obstacles(session: Session, tenant_id: int, kinds: Mapping[Any, Any]) -> list[tuple[int, Standing]]:
    """What keeps a whole app from setting anything: it is said once, and not beside each of its people."""
    found = []
    for app in taking(session, tenant_id, kinds, offered(settings.onboarding(session, tenant_id))):
        why = stops(app.row.name, stopped=app.row.state == ConnectorState.QUARANTINED, lacks=app.lacks)
        if why is not None:
            found.append((app.row.id or 0, why))
    return found


def matching(session: Session, tenant_id: int, wanted: Wanted, kinds: Mapping[Any, Any], now: datetime) -> list[int]:
    """Everybody whom the filter finds, whatever the page: for *select all that match*."""
    state, source = _state(session, tenant_id, kinds, settings.onboarding(session, tenant_id), now)
    query = sa.select(USERS.c.id).select_from(source).where(*_where(tenant_id, wanted))
    if wanted.state is not None:
        query = query.where(state == wanted.state.value)
    return list(session.scalars(query.order_by(USERS.c.name_key, USERS.c.id)))


_LAST: Any = ACTIVATIONS.alias("latest")
_LATEST = tuple(
    _LAST.c[name].label(f"latest_{name}")
    for name in ("id", "created_at", "sent_at", "bounced_at", "opened_at", "used_at", "expires_at", "outcomes")
)
_SINCE: Mapping[Invited, str] = {
    Invited.QUEUED: "created_at",
    Invited.SENT: "sent_at",
    Invited.OPENED: "opened_at",
    Invited.PASSWORD_SET: "used_at",
    Invited.BOUNCED: "bounced_at",
    Invited.EXPIRED: "expires_at",
}


def _state(session: Session, tenant_id: int, kinds: Mapping[Any, Any], chosen: Any, now: datetime) -> tuple[Any, Any]:
    """Where a person stands, as an expression, and the tables it reads: people beside their latest link that counts."""
    newest = (
        sa.select(sa.func.max(ACTIVATIONS.c.id))
        .where(
            ACTIVATIONS.c.tenant_id == USERS.c.tenant_id,
            ACTIVATIONS.c.user_id == USERS.c.id,
            sa.or_(ACTIVATIONS.c.revoked_at.is_(None), ACTIVATIONS.c.used_at.is_not(None)),
        )
        .scalar_subquery()
    )
    source = USERS.outerjoin(_LAST, sa.and_(_LAST.c.id == newest, _LAST.c.tenant_id == tenant_id))
    known = {name: _LAST.c[name].is_not(None) for name in ("id", "sent_at", "bounced_at", "opened_at", "used_at")}
    stage = sa.case(
        (known["used_at"], Invited.PASSWORD_SET.value),
        (known["bounced_at"], Invited.BOUNCED.value),
        (sa.and_(known["sent_at"], _LAST.c.expires_at <= now), Invited.EXPIRED.value),
        (known["opened_at"], Invited.OPENED.value),
        (known["sent_at"], Invited.SENT.value),
        (known["id"], Invited.QUEUED.value),
        else_=Invited.NOT_INVITED.value,
    )
    stuck = sa.and_(stage.in_([one.value for one in AWAY]), helpless(session, tenant_id, kinds, chosen))
    return sa.case((stuck, Invited.BLOCKED.value), else_=stage), source


def _where(tenant_id: int, wanted: Wanted) -> list[Any]:
    return [*conditions(tenant_id, Query(text=wanted.text)), USERS.c.lifecycle != Lifecycle.LEFT.value]


def _beyond(tenant_id: int, place: int, *, turned: bool) -> Any:
    """Behind (or in front of) a person in the order of names; one who is no longer there leads back to the beginning."""
    other = USERS.alias()
    found = sa.select(other.c.name_key).where(other.c.tenant_id == tenant_id, other.c.id == place)
    name = sa.func.coalesce(found.scalar_subquery(), "")
    if turned:
        return sa.or_(USERS.c.name_key < name, sa.and_(USERS.c.name_key == name, USERS.c.id < place))
    return sa.or_(USERS.c.name_key > name, sa.and_(USERS.c.name_key == name, USERS.c.id > place))


def _lines(
    session: Session, tenant_id: int, rows: Sequence[Any], kinds: Mapping[Any, Any], chosen: Any
) -> tuple[Line, ...]:
    found = reach(session, tenant_id, [row["id"] for row in rows], kinds, chosen)
    bare = [row["id"] for row in rows if row["state"] == Invited.NOT_INVITED]
    ended = _ended(session, tenant_id, bare) if bare else {}
    return tuple(_line(row, found[row["id"]], ended.get(row["id"])) for row in rows)


def _ended(session: Session, tenant_id: int, people: Sequence[int]) -> dict[int, Any]:
    """The last link of each of these, if it was ended for a reason that is known."""
    mine = (ACTIVATIONS.c.tenant_id == tenant_id, among(session, ACTIVATIONS.c.user_id, people))
    newest = sa.select(sa.func.max(ACTIVATIONS.c.id)).where(*mine).group_by(ACTIVATIONS.c.user_id)
    query = sa.select(*(ACTIVATIONS.c[name] for name in ("user_id", "ended_for", "revoked_at")))
    found = session.execute(query.where(*mine, ACTIVATIONS.c.id.in_(newest), ACTIVATIONS.c.ended_for != ""))
    return {row.user_id: row for row in found}


def _line(row: Any, person: Any, ended: Any) -> Line:
    state, since = Invited(row["state"]), _SINCE.get(Invited(row["state"]))
    blocked = state is Invited.BLOCKED
    return Line(
        user_id=row["id"],
        name=shown(person.user),
        email=person.user["email"],
        state=state,
        at=row[f"latest_{since}"] if since else None,
        address=person.address,
        activation_id=row["latest_id"],
        expires_at=row["latest_expires_at"],
        outcomes=row["latest_outcomes"] or {},
        waits=person.standing.waits,
        code=person.standing.code if blocked else None,
        params=person.standing.params if blocked else {},
        ended_for=ended.ended_for if ended else None,
        ended_at=ended.revoked_at if ended else None,
    )


def latest(session: Session, tenant_id: int, user_id: int) -> Activation | None:
    """The newest link of one person, whatever became of it."""
    query = sa.select(Activation).where(ACTIVATIONS.c.tenant_id == tenant_id, ACTIVATIONS.c.user_id == user_id)
    return session.scalars(query.order_by(ACTIVATIONS.c.id.desc()).limit(1)).first()
