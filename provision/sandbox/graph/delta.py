"""Owns delta: rounds of pages over everybody, then over what changed since a token.
Never forgets a change: the log is kept whole, only tokens grow too old.

A token carries the round's selection, the change number it started from and the one it ends at, so a round sees one
stretch of the log however long its pages take, and what happens meanwhile belongs to the next round.
"""

# ruff: noqa: ARG001, S608 - every resource has the same signature; names of tables come from tables here, values are bound

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from provision.sandbox.faults import knob
from provision.sandbox.graph.cloud import Cloud
from provision.sandbox.graph.errors import GraphError, bad_request, bad_syntax
from provision.sandbox.graph.properties import GROUP, USER, Property, default_names, shown
from provision.sandbox.graph.query import collection, fragment_of, page_size, read_token, refuse_unknown, select_of
from provision.sandbox.graph.users import judge_selection, show
from provision.sandbox.store import body_of
from provision.sandbox.wire import Answer, Call

LIFETIME = 7 * 24 * 3600.0  # seconds a token of directory objects stays good
USUAL_PAGE = 200
MOST_IDS = 50
RELATIONS = {  # table, column of the other end, column of the object itself
    "manager": ("managers", "manager", "id"),
    "members": ("members", "member", "grp"),
    "owners": ("owners", "owner", "grp"),
}
Page = tuple[list[dict[str, Any]], int, bool]  # items, how far they reach, whether that was all


@dataclass(frozen=True)
class Kind:
    """A kind of object that has a delta, and its relationships that travel with it."""

    name: str
    resource: str
    table: dict[str, Property]
    relations: tuple[str, ...]


USERS = Kind("users", "User", USER, ("manager",))
GROUPS = Kind("groups", "Group", GROUP, ("members", "owners"))


@dataclass(frozen=True)
class Round:
    """One walk. `since` is None while everybody is listed; `after` is how far this page has come."""

    select: tuple[str, ...]
    relations: tuple[str, ...]
    ids: tuple[str, ...]
    since: int | None
    upto: int
    after: int
    at: float

    def token(self) -> dict[str, Any]:
        return {"kind": "delta", **self.__dict__}


def users_delta(cloud: Cloud, call: Call) -> Answer:
    return _delta(cloud, call, USERS)


def groups_delta(cloud: Cloud, call: Call) -> Answer:
    return _delta(cloud, call, GROUPS)


def restart_link(cloud: Cloud, call: Call) -> str:
    """The address a reset points to: the first request of a new walk with the same selection."""
    query = {name: value for name, value in call.query.items() if name == "$select"}
    token = call.query.get("$deltatoken") or call.query.get("$skiptoken")
    if token:
        chosen = read_token(cloud, token, "delta")
        query["$select"] = ",".join((*chosen["select"], *chosen["relations"]))
    return cloud.link(replace(call, query=query), deltatoken="")


def _delta(cloud: Cloud, call: Call, kind: Kind) -> Answer:
    refuse_unknown(call.query)
    for name in ("$orderby", "$expand", "$search"):
        if name in call.query:
            raise bad_request(f"'{name}' is not supported by delta.")
    with cloud.store.reading() as db:
        walk = _round(db, cloud, call, kind)
        if kind is USERS:
            judge_selection(call, walk.select)
        if call.query.get("$deltatoken", "").lower() == "latest":
            return _answer(cloud, call, kind, [], walk, done=True)
        size = min(page_size(call, USUAL_PAGE), int(knob(db, "delta_page")))
        read = _everybody if walk.since is None else _changed
        items, after, done = read(db, cloud, call, kind, walk, size)
    answer = _answer(cloud, call, kind, items, replace(walk, after=after), done)
    return replace(answer, here=_link(cloud, call, "skiptoken", replace(walk, at=cloud.moment())))


def _answer(cloud: Cloud, call: Call, kind: Kind, items: list[dict[str, Any]], walk: Round, done: bool) -> Answer:
    links: dict[str, str] = {}
    if done:
        fresh = replace(walk, since=walk.upto, after=0, at=cloud.moment())
        links["deltaLink"] = _link(cloud, call, "deltatoken", fresh)
    else:
        links["nextLink"] = _link(cloud, call, "skiptoken", replace(walk, at=cloud.moment()))
    chosen = (*walk.select, *walk.relations) if walk.select != default_names(kind.table) else None
    fragment = fragment_of(kind.name, chosen) + ("" if walk.since is None else "/$delta")
    return Answer(200, collection(cloud, fragment, items, **links))


def _link(cloud: Cloud, call: Call, option: str, walk: Round) -> str:
    return cloud.link(replace(call, query={}), **{option: cloud.store.sign(walk.token())})


def _round(db: sqlite3.Connection, cloud: Cloud, call: Call, kind: Kind) -> Round:
    """Begin a walk, or go on with the one in the token."""
    skip, delta = call.query.get("$skiptoken"), call.query.get("$deltatoken")
    upto = _newest(db, cloud)
    if skip:
        walk = _kept(cloud, skip)
        if "$select" in call.query:
            raise bad_syntax("$select can't be combined with $skiptoken.")
        return walk
    if delta and delta.lower() != "latest":
        walk = replace(_kept(cloud, delta), upto=upto, after=0)
        if "$select" not in call.query:
            return walk
        select, relations = _selection(call, kind)
        return replace(walk, select=select, relations=relations)
    select, relations = _selection(call, kind)
    return Round(select, relations, _ids(call), None, upto, 0, cloud.moment())


def _kept(cloud: Cloud, text: str) -> Round:
    token = read_token(cloud, text, "delta")
    if cloud.moment() - token["at"] > LIFETIME:
        raise GraphError(400, "syncStateNotFound", "The sync state generation is not found; a full walk is needed.")
    del token["kind"]
    sequences = {name: tuple(token[name]) for name in ("select", "relations", "ids")}
    return Round(**token | sequences)


def _selection(call: Call, kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split $select into properties and relationships; the id always comes along."""
    asked = [name.strip() for name in call.query.get("$select", "").split(",") if name.strip()]
    relations = tuple(name for name in kind.relations if name in asked)
    plain = ",".join(name for name in asked if name not in relations)
    select = select_of({"$select": plain}, kind.table, kind.resource)
    if select is None:
        return ("id",) if relations else default_names(kind.table), relations
    return tuple(dict.fromkeys((*select, "id"))), relations


def _ids(call: Call) -> tuple[str, ...]:
    """Read the only filter delta knows: one id, or several joined by `or`."""
    text = call.query.get("$filter")
    if not text:
        return ()
    clauses = [re.fullmatch(r"\s*id eq '([0-9a-fA-F-]{36})'\s*", clause) for clause in text.split(" or ")]
    ids = tuple(clause.group(1).lower() for clause in clauses if clause)
    if len(ids) != len(clauses) or len(ids) > MOST_IDS:
        raise bad_request(f"Delta filters by at most {MOST_IDS} ids: id eq '…' or id eq '…'.")
    return ids


def _newest(db: sqlite3.Connection, cloud: Cloud) -> int:
    """Return the newest change the replica that answers delta knows."""
    until = cloud.moment() - knob(db, "lag_delta")
    later = db.execute("SELECT min(number) FROM changes WHERE at > ?", (until,)).fetchone()[0]
    if later is not None:
        return int(later) - 1
    return int(db.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()[0])


def _everybody(db: sqlite3.Connection, cloud: Cloud, call: Call, kind: Kind, walk: Round, size: int) -> Page:
    until = cloud.moment() - knob(db, "lag_delta")
    rows = db.execute(
        f"SELECT seq, id, body FROM {kind.name} WHERE deleted_at IS NULL AND seq > ? AND created_at <= ?"
        f"{_id_clause(walk)} ORDER BY seq LIMIT ?",
        (walk.after, until, *walk.ids, size + 1),
    ).fetchall()
    page = rows[:size]
    draw = _drawer(db, kind, walk)
    items = [draw(row["id"], body_of(row), None) for row in page]
    return items, page[-1]["seq"] if page else walk.after, len(rows) <= size


def _changed(db: sqlite3.Connection, cloud: Cloud, call: Call, kind: Kind, walk: Round, size: int) -> Page:
    """One page of what changed, in the order of each object's last change."""
    rows = db.execute(
        "SELECT id, max(number) AS last, group_concat(what) AS whats, group_concat(properties) AS properties "
        f"FROM changes WHERE kind = ? AND number > ? AND number <= ?{_id_clause(walk)} "
        "GROUP BY id HAVING last > ? ORDER BY last LIMIT ?",
        (kind.name, walk.since, walk.upto, *walk.ids, walk.after, size + 1),
    ).fetchall()
    page = rows[:size]
    minimal = call.prefers("return") == "minimal"
    draw = _drawer(db, kind, walk)
    items = []
    for row in page:
        item = _change_item(db, kind, walk, row, draw, minimal)
        if item is not None:
            items.append(item)
    return items, page[-1]["last"] if page else walk.after, len(rows) <= size


def _change_item(
    db: sqlite3.Connection,
    kind: Kind,
    walk: Round,
    row: sqlite3.Row,
    draw: Callable[..., dict[str, Any]],
    minimal: bool,
) -> dict[str, Any] | None:
    """Describe what became of one object; None when nothing selected has changed."""
    found = db.execute(f"SELECT deleted_at, body FROM {kind.name} WHERE id = ?", (row["id"],)).fetchone()
    if found is None:
        return {"id": row["id"], "@removed": {"reason": "deleted"}}
    if found["deleted_at"] is not None:
        return {"id": row["id"], "@removed": {"reason": "changed"}}
    whats = set(row["whats"].split(","))
    if whats & {"new", "restored"}:
        return draw(row["id"], body_of(found), None)
    touched = set(row["properties"].split(",")) - {""}
    if not touched & {*walk.select, *walk.relations}:
        return None
    return draw(row["id"], body_of(found), touched if minimal else None, touched)


def _drawer(db: sqlite3.Connection, kind: Kind, walk: Round) -> Callable[..., dict[str, Any]]:
    """Return what draws one live object: `only` narrows its properties, `touched` its relationships."""

    def draw(
        object_id: str, body: dict[str, Any], only: set[str] | None, touched: set[str] | None = None
    ) -> dict[str, Any]:
        names = walk.select if only is None else tuple(n for n in walk.select if n == "id" or n in only)
        item = show(db, body, names, None) if kind is USERS else shown(kind.table, body, names)
        for relation in walk.relations:
            if touched is None or relation in touched:
                entries = _relation(db, walk, relation, object_id, touched is not None)
                if entries:
                    item[f"{relation}@delta"] = entries
        return item

    return draw


def _relation(
    db: sqlite3.Connection, walk: Round, relation: str, object_id: str, changes_only: bool
) -> list[dict[str, Any]]:
    """List who is related now and, in a later round, who no longer is."""
    source, other, own = RELATIONS[relation]
    now = {row[0] for row in db.execute(f"SELECT {other} FROM {source} WHERE {own} = ?", (object_id,))}
    if not changes_only:
        return [_related(one) for one in sorted(now)]
    moved = db.execute(
        "SELECT DISTINCT properties FROM changes WHERE id = ? AND number > ? AND number <= ? AND what = 'related'",
        (object_id, walk.since, walk.upto),
    ).fetchall()
    pairs = [row[0].split(",", 1) for row in moved]
    ids = sorted({target for name, target in pairs if name == relation})
    return [_related(one) | ({} if one in now else {"@removed": {"reason": "deleted"}}) for one in ids]


def _related(object_id: str) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.user", "id": object_id}


def _id_clause(walk: Round) -> str:
    return f" AND id IN ({','.join('?' * len(walk.ids))})" if walk.ids else ""
