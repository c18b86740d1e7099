"""Owns what every Graph resource is handed: the store, the weather, the clock and the addresses in its links.
Never answers a call."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from provision.sandbox.faults import Faults, knob
from provision.sandbox.graph.errors import not_found
from provision.sandbox.store import Store
from provision.sandbox.wire import Call

VERSION = "/v1.0"


@dataclass(frozen=True)
class Cloud:
    """One sandbox as its resources see it; `now` must return an aware datetime."""

    store: Store
    faults: Faults
    now: Callable[[], datetime]
    login_url: str
    graph_url: str

    def moment(self) -> float:
        """The present as seconds since the epoch, the form times have in the store."""
        return self.now().timestamp()

    def stamp(self) -> str:
        """The present as Graph writes it."""
        return stamp(self.moment())

    def context(self, fragment: str) -> str:
        return f"{self.graph_url}{VERSION}/$metadata#{fragment}"

    def link(self, call: Call, **options: str) -> str:
        """Make an absolute link to the call's own path and options, with some replaced; names get their `$` here."""
        query = {name: value for name, value in call.query.items() if name not in ("$skiptoken", "$deltatoken")}
        query |= {f"${name}": value for name, value in options.items()}
        text = "&".join(f"{name}={quote(value, safe=',$()')}" for name, value in query.items())
        return f"{self.graph_url}{VERSION}/{quote(call.path.strip('/'), safe='/()=')}" + (f"?{text}" if text else "")


def stamp(moment: float) -> str:
    """Write seconds since the epoch as Graph writes a time."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def visible_until(db: sqlite3.Connection, cloud: Cloud, lag: str) -> float:
    """Return the creation time up to which a replica lagging by the knob `lag` knows objects."""
    return cloud.moment() - knob(db, lag)


def user_row(db: sqlite3.Connection, cloud: Cloud, name: str) -> sqlite3.Row:
    """Find a live user by id or sign-in name on the replica that serves single reads; 404 otherwise."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM users WHERE (id = :id OR upn_key = :key) AND deleted_at IS NULL AND created_at <= :until",
        {"id": name.lower(), "key": name.casefold(), "until": visible_until(db, cloud, "lag_get")},
    ).fetchone()
    if row is None:
        raise not_found(name)
    return row


def group_row(db: sqlite3.Connection, cloud: Cloud, name: str) -> sqlite3.Row:
    """Find a live group by id on the replica that serves single reads; 404 otherwise."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM groups WHERE id = ? AND deleted_at IS NULL AND created_at <= ?",
        (name.lower(), visible_until(db, cloud, "lag_get")),
    ).fetchone()
    if row is None:
        raise not_found(name)
    return row


def app_roles(call: Call) -> frozenset[str]:
    """The application permissions in the caller's token."""
    return frozenset(call.claims.get("roles", ()))


def entity(cloud: Cloud, fragment: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put the context in front of a single resource."""
    return {"@odata.context": cloud.context(fragment), **body}
