"""A page of what one client brought: filtered, sorted and paged by the database, by index or by cursor.

Owns the one query behind every listing; its number of statements does not depend on how many people there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from scim2_models import InvalidCursorException, Resource, ResponseParameters, SearchRequest
from sqlalchemy.util import LRUCache
from sqlmodel import Session

from provision.core.tables import Account
from provision.db import binary, for_update, once
from provision.services.present import LISTED, NO_GROUP
from provision.services.scim import filters

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
READ = tuple(ACCOUNTS.c[name] for name in ("id", "user_id", "group_id", "name", "observed"))
_LISTED = {
    "User": sa.and_(NO_GROUP, LISTED),
    "Group": sa.and_(ACCOUNTS.c.group_id.is_not(None), LISTED),
}
"""Word for word as the partial index has it: SQLite uses one only then."""

LONG, MOST_SHAPES = 160, 100
SHAPES: Any = LRUCache(MOST_SHAPES)
"""How filters were asked, as statements: so many, and half as many before the oldest go."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of rows, how many there are in all, and where the pages beside it begin."""

    rows: Sequence[Any]
    total: int
    next: Any = None
    previous: Any = None


@dataclass(frozen=True, slots=True)
class _Order:
    """By what rows are sorted: a value that may be missing, then the id."""

    value: Any
    kind: str
    descending: bool

    def terms(self, *, back: bool) -> list[Any]:
        """The order of a page; ``back``: the other way round, for the page before."""
        parts = [ACCOUNTS.c.id] if self.value is None else [self.value.is_(None), self.value, ACCOUNTS.c.id]
        return [part.desc() if self.descending != back else part.asc() for part in parts]

    def beyond(self, place: "_Place", *, back: bool) -> Any:
        """The rows behind a place in this order."""
        later = self.descending == back
        past_id = ACCOUNTS.c.id > place.id if later else ACCOUNTS.c.id < place.id
        if self.value is None:
            return past_id
        missing = self.value.is_(None)
        if place.missing:
            tied = sa.and_(missing, past_id)
            return tied if later else sa.or_(tied, sa.not_(missing))
        further = self.value > place.value if later else self.value < place.value
        here = sa.or_(sa.func.coalesce(further, sa.false()), sa.and_(self.value == place.value, past_id))
        return sa.or_(here, missing) if later else here


@dataclass(frozen=True, slots=True)
class _Place:
    missing: bool
    value: Any
    id: int


def number_of(text: str) -> int:
    """The account that an id names; 0 for what is no id of ours."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 and text == str(int(text)) else 0


def one(session: Session, connector_id: int, kind: str, number: int, *, lock: bool) -> Any:
    """One of what a client brought and has not deleted, by its number; ``lock`` keeps it until the transaction ends."""
    query = _ONE[kind, lock](session)
    return session.execute(query, {"connector": connector_id, "number": number}).mappings().first()


def named(session: Session, connector_id: int, name: str) -> set[int]:
    """Who of a client's people bears a name."""
    return set(session.scalars(_bearers(session), {"connector": connector_id, "name": name}))


def _by_number(kind: str, *, lock: bool) -> Callable[[Session], Any]:
    @once
    def build(session: Session) -> Any:
        query = sa.select(*READ).where(_THEIRS, _LISTED[kind], ACCOUNTS.c.id == sa.bindparam("number"))
        return for_update(session, query) if lock else query

    return build


_THEIRS = ACCOUNTS.c.connector_id == sa.bindparam("connector")
_ONE = {(kind, lock): _by_number(kind, lock=lock) for kind in _LISTED for lock in (False, True)}


@once
def _bearers(_session: Session) -> Any:
    wanted = ACCOUNTS.c.name == sa.bindparam("name")
    return sa.select(ACCOUNTS.c.id).where(_THEIRS, _LISTED["User"], wanted)


def left_out(asked: ResponseParameters[Any] | SearchRequest[Any] | None) -> frozenset[str]:
    """Which of the lists that cost a query of their own nobody wants to see."""
    if asked is None:
        return frozenset()
    lists = ("members", "groups")
    if asked.attributes:
        wanted = [str(path).casefold() for path in asked.attributes]
        return frozenset(name for name in lists if not any(name in path for path in wanted))
    refused = {str(path).casefold().rpartition(":")[2] for path in asked.excluded_attributes or ()}
    return frozenset(name for name in lists if name in refused)


def search(
    session: Session,
    connector_id: int,
    models: Mapping[str, type[Resource[Any]]],
    asked: SearchRequest[Any],
    position: Any,
) -> Found:
    """A page. Raises InvalidFilter, InvalidPath, InvalidCursor."""
    wanted = [sa.and_(_LISTED[kind], filters.condition(session, model, asked.filter)) for kind, model in models.items()]
    where = (ACCOUNTS.c.connector_id == connector_id, wanted[0] if len(wanted) == 1 else sa.or_(*wanted))
    kept = _kept(asked)
    if asked.count == 0:
        return Found((), _total(session, where, kept))
    order = _order(session, models, asked)
    query = sa.select(*READ, *(() if order.value is None else (order.value.label("sorted_by"),))).where(*where)
    if asked.cursor is None:
        first = asked.start_index_0 or 0
        query = query.order_by(*order.terms(back=False)).offset(first).limit(asked.count)
        rows = session.execute(query, execution_options=kept).mappings().all()
        # What a filter leaves is mostly one or nobody: a first page that is not full says by itself how many there are.
        few = asked.filter is not None and not first and (asked.count is None or len(rows) < asked.count)
        return Found(rows, len(rows) if few else _total(session, where, kept))
    return _by_cursor(session, query, order, asked.count, position, _total(session, where, kept), kept)


def _total(session: Session, where: Sequence[Any], kept: Mapping[str, Any]) -> int:
    query = sa.select(sa.func.count()).select_from(ACCOUNTS).where(*where)
    return session.scalar(query, execution_options=kept) or 0


def _kept(asked: SearchRequest[Any]) -> dict[str, Any]:
    """Where a statement is kept once it is compiled: of a filter apart from all others, and of a long one nowhere.

    A client may ask in any shape it likes, and would otherwise fill the memory and drive out what everybody needs.
    """
    return {"compiled_cache": None if len(str(asked.filter or "")) > LONG else SHAPES}


def _by_cursor(
    session: Session,
    query: Any,
    order: _Order,
    count: int | None,
    position: Any,
    total: int,
    kept: Mapping[str, Any],
) -> Found:
    place, back = _read(position)
    if place is not None:
        query = query.where(order.beyond(place, back=back))
    query = query.order_by(*order.terms(back=back))
    most = None if count is None else count + 1
    rows = list(session.execute(query.limit(most), execution_options=kept).mappings())
    more = count is not None and len(rows) > count
    rows = rows[:count] if more else rows
    if back:
        rows.reverse()
    if not rows:
        return Found((), total)
    ahead = more if not back else True
    behind = more if back else place is not None
    return Found(
        rows,
        total,
        _position("next", rows[-1], order) if ahead else None,
        _position("previous", rows[0], order) if behind else None,
    )


def _order(session: Session, models: Mapping[str, type[Resource[Any]]], asked: SearchRequest[Any]) -> _Order:
    descending = asked.sort_by is not None and asked.sort_order == SearchRequest.SortOrder.descending
    if asked.sort_by is None:
        return _Order(None, "", descending)
    places = [place for model in models.values() if (place := filters.sort_place(model, asked.sort_by)) is not None]
    if not places:
        return _Order(None, "", descending)
    place = places[0]
    value = binary(session, place.read) if place.kind != "flag" else place.read
    return _Order(value, place.kind, descending)


def _position(direction: str, row: Any, order: _Order) -> dict[str, Any]:
    value = row["sorted_by"] if order.value is not None else None
    return {"d": direction, "m": value is None, "k": value, "i": row["id"]}


def _read(position: Any) -> tuple[_Place | None, bool]:
    if position is None:
        return None, False
    try:
        place = _Place(bool(position["m"]), position["k"], int(position["i"]))
        direction = position["d"]
    except (TypeError, KeyError, ValueError):
        raise InvalidCursorException from None
    if direction not in ("next", "previous"):
        raise InvalidCursorException
    return place, direction == "previous"
