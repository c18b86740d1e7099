"""Who is here: search, filters, order and pages of people. Reads only, and only within one tenant.

Pages are found by key, not counted off (no OFFSET), so the last page of a hundred thousand costs what the first does.
"""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, select

from provision.core.ports import LICENCES
from provision.core.tables import Account, Connector, User
from provision.core.vocabulary import Lifecycle, Situation, key
from provision.services.errors import Conflict, NotFound, ServiceError

_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]

SORTS = {"name": "name_key", "email": "email_key", "changed": "changed_at"}
"""What people may be sorted by → the column; a leading ``-`` turns the order round."""

PROBLEMS = (Situation.DISPUTED, Situation.GONE)
_COUNTED = 1000
_WORDS = 6


class Standing(StrEnum):
    """What sets an account apart, as a filter."""

    GUEST = "guest"
    SYNCED = "synced"
    DISABLED = "disabled"
    UNLICENSED = "unlicensed"


class BadCursor(ServiceError):
    """The place to continue from is not one of ours."""

    status = 400


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the list. ``after`` and ``before`` are cursors of an earlier answer; at most one is set."""

    text: str = ""
    lifecycle: Lifecycle | None = None
    app: int | None = None
    standing: Standing | None = None
    problem: Situation | None = None
    sort: str = "name"
    after: str | None = None
    before: str | None = None
    limit: int = 50

    @property
    def filtered(self) -> bool:
        """Whether fewer than all are asked for."""
        return bool(self.text.strip() or self.lifecycle or self.app or self.standing or self.problem)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in a row of the list."""

    app: str
    situation: Situation
    enabled: bool | None
    standing: dict[str, Any]
    unlicensed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One person in the list."""

    id: int
    name: str
    email: str | None
    username: str | None
    employee_id: str | None
    department: str | None
    title: str | None
    lifecycle: Lifecycle
    source: str
    changed_at: datetime
    accounts: tuple[AccountRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """How many; ``more`` says that counting stopped there."""

    n: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, with the cursors of its neighbours (None: there is none) and how many there are altogether."""

    rows: tuple[Row, ...]
    before: str | None
    after: str | None
    count: Count = field(default_factory=lambda: Count(0))


def search(session: Session, tenant_id: int, query: Query) -> Slice:
    """One page of people: the page, its accounts and, unless it is the only one, how many there are. Raises BadCursor."""
    column, backwards = _order(query.sort)
    turned = query.before is not None
    descending = backwards != turned
    where = [*conditions(tenant_id, query)]
    if cursor := query.before if turned else query.after:
        where.append(_beyond(column, _read_cursor(cursor, column), descending=descending))
    order = [column.desc(), _USERS.c.id.desc()] if descending else [column.asc(), _USERS.c.id.asc()]
    found = _whole(session, where, order, query.limit + 1)
    beyond, page = len(found) > query.limit, found[: query.limit]
    page = page[::-1] if turned else page
    earlier, later = (beyond, True) if turned else (query.after is not None, beyond)
    return Slice(
        rows=_rows(session, tenant_id, page),
        before=_cursor(page[0], column) if page and earlier else None,
        after=_cursor(page[-1], column) if page and later else None,
        count=Count(len(page)) if not (query.after or query.before or beyond) else _count(session, tenant_id, query),
    )


def find(session: Session, tenant_id: int, text: str) -> User:
    """The person whom a username, an address or a number names, as on a command line.

    An address beats a username, a username beats a number; people who left are found only when nobody else fits.
    Raises NotFound, and Conflict when a username is shared.
    """
    text = text.replace("\0", "").strip()
    tries: list[Any] = [
        _USERS.c.email_key == key(text),
        sa.func.lower(_USERS.c.username) == text.lower(),
    ]
    if text.isascii() and text.isdigit() and len(text) < 19:
        tries.append(_USERS.c.id == int(text))
    for left in (False, True):
        state = _USERS.c.lifecycle == Lifecycle.LEFT.value if left else _USERS.c.lifecycle != Lifecycle.LEFT.value
        for condition in tries if text else []:
            query = select(User).where(_USERS.c.tenant_id == tenant_id, state, condition).limit(5)
            people = session.exec(query).all()
            if len(people) > 1:
                raise Conflict("user_not_unique", people=", ".join(f"{p.email or '-'} ({p.id})" for p in people))
            if people:
                return people[0]
    raise NotFound("user_not_found", text=text)


def shown(row: Any) -> str:
    """The name that people read: display name, else first and last name, else address, username or number."""
    full = " ".join(part for part in (row["given_name"], row["surname"]) if part)
    return row["display_name"] or full or row["email"] or row["username"] or f"#{row['id']}"


# -- Below: how ------------------------------------------------------------------------------------------------------------


def conditions(tenant_id: int, query: Query) -> Iterator[sa.ColumnElement[bool]]:
    """What the query means for rows of ``users``; its order and its place are left out."""
    yield _USERS.c.tenant_id == tenant_id
    if query.lifecycle:
        yield _USERS.c.lifecycle == query.lifecycle.value
    for word in query.text.replace("\0", " ").split()[:_WORDS]:
        yield _holds(word)
    wanted = list(_of_accounts(query))
    if wanted:
        theirs = (_ACCOUNTS.c.tenant_id == tenant_id, _ACCOUNTS.c.user_id.is_not(None))
        yield _USERS.c.id.in_(sa.select(_ACCOUNTS.c.user_id).where(*theirs, *wanted))


def _whole(session: Session, where: Sequence[Any], order: Sequence[Any], limit: int) -> list[Any]:
    """The first rows in order. Their numbers are found first, so that an index is searched and not the people."""
    numbers = sa.select(_USERS.c.id).where(*where).order_by(*order).limit(limit)
    return list(session.execute(sa.select(_USERS).where(_USERS.c.id.in_(numbers)).order_by(*order)).mappings())


def _holds(word: str) -> sa.ColumnElement[bool]:
    """Each word must occur somewhere: in the name, the address, the username or the employee id."""
    plain, folded = word.lower(), key(word)
    return sa.or_(
        _USERS.c.name_key.contains(folded, autoescape=True),
        _USERS.c.email_key.contains(folded, autoescape=True),
        sa.func.lower(_USERS.c.username).contains(plain, autoescape=True),
        sa.func.lower(_USERS.c.employee_id).contains(plain, autoescape=True),
    )


def _of_accounts(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    if query.app is not None:
        yield _ACCOUNTS.c.connector_id == query.app
    if query.standing is Standing.DISABLED:
        yield _ACCOUNTS.c.enabled.is_(False)
    elif query.standing is Standing.UNLICENSED:
        # Created, and a licence is still to come: it waits for a seat, a country, or its turn.
        yield _ACCOUNTS.c.anchor.is_not(None)
        yield _ACCOUNTS.c.intent[LICENCES].as_string().is_not(None)
    elif query.standing is not None:
        yield _ACCOUNTS.c.standing[query.standing.value].as_boolean().is_(True)
    if query.problem is not None:
        yield _ACCOUNTS.c.situation == query.problem.value


def _order(sort: str) -> tuple[sa.Column[Any], bool]:
    name = sort.removeprefix("-")
    return _USERS.c[SORTS.get(name, SORTS["name"])], sort.startswith("-")


def _beyond(column: sa.Column[Any], place: tuple[Any, int], *, descending: bool) -> sa.ColumnElement[bool]:
    value, number = place
    if descending:
        return sa.or_(column < value, sa.and_(column == value, _USERS.c.id < number))
    return sa.or_(column > value, sa.and_(column == value, _USERS.c.id > number))


def _cursor(row: Any, column: sa.Column[Any]) -> str:
    value = row[column.name]
    told = [value.isoformat() if isinstance(value, datetime) else value, row["id"]]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _read_cursor(text: str, column: sa.Column[Any]) -> tuple[Any, int]:
    """A cursor comes back from a browser: it is read as strictly as any other input."""
    try:
        told = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        value, number = told
        if not isinstance(value, str) or "\0" in value or type(number) is not int or abs(number) >= 2**63:
            raise BadCursor("bad_request")
        value.encode()  # a lone surrogate is no text
        return (datetime.fromisoformat(value).astimezone(UTC) if column.name == "changed_at" else value), number
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise BadCursor("bad_request") from error


def _rows(session: Session, tenant_id: int, page: Sequence[Any]) -> tuple[Row, ...]:
    accounts = _accounts(session, tenant_id, [row["id"] for row in page])
    return tuple(replace(_row(row), **_seen(accounts.get(row["id"], ()), row)) for row in page)


def _row(row: Any) -> Row:
    return Row(
        id=row["id"],
        name=shown(row),
        email=row["email"],
        username=row["username"],
        employee_id=row["employee_id"],
        department=row["department"],
        title=row["title"],
        lifecycle=Lifecycle(row["lifecycle"]),
        source="",
        changed_at=row["changed_at"],
    )


def _seen(accounts: Sequence[tuple[int, AccountRow]], row: Any) -> dict[str, Any]:
    """The accounts of a row, and the app that most of its values came from (empty: added here)."""
    given = [origin[0] for origin in row["origins"].values() if isinstance(origin, list) and origin]
    names = {number: account.app for number, account in accounts}
    most = max(set(given), key=lambda number: (given.count(number), -number), default=None)
    return {"accounts": tuple(account for _, account in accounts), "source": names.get(most, "") if most else ""}


def _accounts(session: Session, tenant_id: int, people: Sequence[int]) -> dict[int, list[tuple[int, AccountRow]]]:
    found: dict[int, list[tuple[int, AccountRow]]] = defaultdict(list)
    if not people:
        return found
    query = (
        sa.select(
            _ACCOUNTS.c.user_id,
            _CONNECTORS.c.id,
            _CONNECTORS.c.name,
            _ACCOUNTS.c.situation,
            _ACCOUNTS.c.enabled,
            _ACCOUNTS.c.standing,
            _ACCOUNTS.c.anchor.is_not(None),
            _ACCOUNTS.c.intent,
        )
        .join(_CONNECTORS, _CONNECTORS.c.id == _ACCOUNTS.c.connector_id)
        .where(_ACCOUNTS.c.tenant_id == tenant_id, _ACCOUNTS.c.user_id.in_(people))
        .order_by(_CONNECTORS.c.position, _CONNECTORS.c.id)
    )
    for person, number, app, situation, enabled, standing, exists, intent in session.execute(query):
        waits = exists and any((intent.get(LICENCES) or {}).values())
        found[person].append((number, AccountRow(app, Situation(situation), enabled, standing, waits)))
    return found


def _count(session: Session, tenant_id: int, query: Query) -> Count:
    """All of a tenant are counted from an index; filtered people at most to a thousand."""
    if not query.filtered:
        everybody = sa.select(sa.func.count()).select_from(_USERS).where(_USERS.c.tenant_id == tenant_id)
        return Count(session.execute(everybody).scalar_one())
    some = sa.select(_USERS.c.id).where(*conditions(tenant_id, query)).limit(_COUNTED + 1).subquery()
    number = session.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    return Count(min(number, _COUNTED), number > _COUNTED)
