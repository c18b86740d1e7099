"""People in bulk: read by id, by address, inserted and changed many at a time. Decides nothing about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import User
from provision.core.vocabulary import USER_ATTRIBUTES, Lifecycle, key
from provision.db import among, encoded, for_update, insert_many, once, reserve, update_many

USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_PROFILE = (*USER_ATTRIBUTES, "manager_id")
_EXTRA = "extra."
_CHANGED = (*_PROFILE, "email_key", "name_key", "extra", "origins", "version", "changed_at")


@dataclass(slots=True)
class Person:
    """One person's values, flat: columns by name (the manager by number), custom attributes under ``extra.<name>``."""

    id: int
    lifecycle: str
    version: int
    values: dict[str, Any]
    origins: dict[str, Any] = field(default_factory=dict)

    def shown(self, fallback: str = "") -> str:
        """The name that people read: display name, else first and last name, else the address."""
        full = " ".join(part for part in (self.values.get("given_name"), self.values.get("surname")) if part)
        return self.values.get("display_name") or full or self.values.get("email") or fallback


def load(session: Session, tenant_id: int, ids: Iterable[int], *, lock: bool = False) -> dict[int, Person]:
    """The people with these ids, by id; ``lock`` keeps them from anybody's edit until the transaction ends."""
    wanted = set(ids)
    if not wanted:
        return {}
    query = _locked(session) if lock else _by_id(session)
    rows = session.execute(query, {"tenant": tenant_id, "people": list(wanted)})
    return {row["id"]: _person(row) for row in rows.mappings()}


@once
def _by_id(session: Session) -> Any:
    columns = [USERS.c[name] for name in ("id", "lifecycle", "version", "extra", "origins", *_PROFILE)]
    theirs = (USERS.c.tenant_id == sa.bindparam("tenant"), among(session, USERS.c.id, "people"))
    return sa.select(*columns).where(*theirs).order_by(USERS.c.id)


@once
def _locked(session: Session) -> Any:
    return for_update(session, _by_id(session))


def email_holders(session: Session, tenant_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Who holds these addresses (as keys) among those who have not left."""
    wanted = set(keys)
    if not wanted:
        return {}
    held = session.execute(_holders(session), {"tenant": tenant_id, "keys": list(wanted)})
    return {row.email_key: row.id for row in held}


@once
def _holders(session: Session) -> Any:
    return sa.select(USERS.c.email_key, USERS.c.id).where(
        USERS.c.tenant_id == sa.bindparam("tenant"),
        among(session, USERS.c.email_key, "keys"),
        USERS.c.lifecycle != Lifecycle.LEFT.value,
    )


def insert(session: Session, tenant_id: int, people: Sequence[Person], fallbacks: Sequence[str], at: Any) -> None:
    """Add the people in one statement and give them their ids. ``fallbacks`` name those who have no name at all."""
    if not people:
        return
    for person, number in zip(people, reserve(session, USERS, len(people)), strict=True):
        person.id, person.version = number, 1
    rows = [
        (person.id, tenant_id, person.lifecycle, at, *_changed(person, fallback, at))
        for person, fallback in zip(people, fallbacks, strict=True)
    ]
    insert_many(session, USERS, ("id", "tenant_id", "lifecycle", "created_at", *_CHANGED), rows)


def update(session: Session, people: Sequence[Person], at: Any) -> None:
    """Write the people's values in one statement; each moves one version on."""
    for person in people:
        person.version += 1
    update_many(session, USERS, _CHANGED, [(*_changed(person, "", at), person.id) for person in people])


def move(session: Session, people: Sequence[Person], at: Any) -> None:
    """Write the people's lifecycle and who moved it in one statement; each moves one version on."""
    for person in people:
        person.version += 1
    rows = [(person.lifecycle, encoded(person.origins), person.version, at, person.id) for person in people]
    update_many(session, USERS, ("lifecycle", "origins", "version", "changed_at"), rows)


def _person(row: Any) -> Person:
    values = {name: row[name] for name in _PROFILE if row[name] is not None}
    values.update({_EXTRA + name: value for name, value in row["extra"].items()})
    return Person(row["id"], row["lifecycle"], row["version"], values, dict(row["origins"]))


def _changed(person: Person, fallback: str, at: Any) -> tuple[Any, ...]:
    values = person.values
    extra = {name[len(_EXTRA) :]: value for name, value in values.items() if name.startswith(_EXTRA)}
    return (
        *[values.get(name) for name in _PROFILE],
        key(values.get("email")),
        key(person.shown(fallback)),
        encoded(extra),
        encoded(person.origins),
        person.version,
        at,
    )
