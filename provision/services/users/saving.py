"""One way to write a person: values, keys, version, event, and the operations that follow, in the caller's transaction.

Owns every write to people that an operator asks for; decides nothing about what may be written.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from provision.core.tables import Account, User
from provision.core.vocabulary import USER_ATTRIBUTES, Feature, Lifecycle, Owner, Situation, key
from provision.db import among, for_update
from provision.services import events, mappings, outbox, readdressing
from provision.services.errors import Conflict, Invalid, NotFound
from provision.services.outbox import Effect, Order
from provision.services.users.finding import shown

MANAGER = "manager_id"
_A_MOMENT = timedelta(minutes=1)
_TOLD_APART = ("given_name", "surname", "username", "email")


class Stale(Conflict):
    """Somebody changed the person meanwhile. ``both``: attribute → (as it is now, as it was about to be saved).

    ``behind``: how many versions old the form is.
    """

    def __init__(self, version: int, seen: int, both: Mapping[str, tuple[Any, Any]]) -> None:
        super().__init__("user_changed_meanwhile")
        self.version, self.behind, self.both = version, version - seen, dict(both)


@dataclass(frozen=True, slots=True)
class Saved:
    """A person as saved. ``changed``: the attributes that moved; ``effects``: what follows in which app, or why nothing."""

    user_id: int
    version: int
    changed: tuple[str, ...]
    effects: Sequence[Effect]


def load(session: Session, tenant_id: int, ids: Collection[int]) -> dict[int, User]:
    """People of this tenant, locked. Raises NotFound when one is not there."""
    query = (
        select(User).where(User.tenant_id == tenant_id, among(session, col(User.id), set(ids))).order_by(col(User.id))
    )
    found = {row.id or 0: row for row in session.exec(for_update(session, query)).all()}
    if len(found) != len(set(ids)):
        raise NotFound("user_not_found")
    return found


def now_of(user: User, names: Iterable[str]) -> dict[str, Any]:
    """Some of a person's values as they are."""
    held = {**{name: getattr(user, name) for name in (*USER_ATTRIBUTES, MANAGER)}}
    held |= {mappings.EXTRA + name: value for name, value in user.extra.items()}
    return {name: held.get(name) for name in names}


def put(session: Session, user: User, values: Mapping[str, Any], order: Order) -> dict[str, tuple[Any, Any]]:
    """Set the values, keys and version; return what moved. Raises Invalid when the address is somebody else's."""
    before = now_of(user, values)
    moved = {name: (before[name], value) for name, value in values.items() if before[name] != value}
    for name, (_, value) in moved.items():
        if name.startswith(mappings.EXTRA):
            own = name.removeprefix(mappings.EXTRA)
            kept = {one: held for one, held in user.extra.items() if one != own}
            user.extra = kept if value is None else {**kept, own: value}
        else:
            setattr(user, name, value)
    if moved:
        # From now on these are ours, whoever brought them.
        user.origins = {name: origin for name, origin in user.origins.items() if name not in moved}
        touch(user, order)
    flush(session, user)
    return moved


def make(session: Session, tenant_id: int, values: Mapping[str, Any], order: Order) -> User:
    """The row of somebody new, written. Raises Invalid when the address is somebody else's."""
    own = {
        name.removeprefix(mappings.EXTRA): value for name, value in values.items() if name.startswith(mappings.EXTRA)
    }
    user = User(
        tenant_id=tenant_id,
        lifecycle=Lifecycle.ACTIVE,
        email_key="",
        name_key="",
        version=0,
        created_at=order.now,
        changed_at=order.now,
        extra={name: value for name, value in own.items() if value},
        **{name: value for name, value in values.items() if not name.startswith(mappings.EXTRA)},
    )
    touch(user, order)
    flush(session, user)
    return user


def touch(user: User, order: Order) -> None:
    """Keep the keys right, and move one version on."""
    user.email_key = key(user.email)
    user.name_key = key(shown(user.model_dump()))
    user.version, user.changed_at = (user.version or 0) + 1, order.now


def flush(session: Session, user: User) -> None:
    """Write the row. Raises Invalid when another has taken the address at this very moment."""
    session.add(user)
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise Invalid({"email": "email_taken"}) from None


def follow(session: Session, tenant_id: int, told: Mapping[int, events.Entry], order: Order) -> dict[int, list[Effect]]:
    """Enqueue what follows for these people, then write the events: the last step of the transaction."""
    entries = list(told.values())
    entries += readdressing.follow(session, tenant_id, readdressing.moved(entries), order.now)
    effects: dict[int, list[Effect]] = {number: [] for number in told}
    for effect in outbox.enqueue(session, tenant_id, list(told), order):
        effects[effect.user_id].append(effect)
    events.append(session, tenant_id, entries, order.now)
    return effects


def entry(user: User, action: str, order: Order, before: Mapping[str, Any], after: Mapping[str, Any]) -> events.Entry:
    """What is written down about a person."""
    names = {"user": shown(user.model_dump()), "address": user.email or "", "username": user.username or ""}
    return events.Entry(order.actor, action, user_id=user.id, before=before, after=after, names=names)


def judge_address(session: Session, tenant_id: int, user_id: int | None, email: str, order: Order) -> None:
    """Refuse an address that cannot become anybody's: taken here, taken there, or of a domain that is nowhere ours."""
    holder = sa.select(col(User.id)).where(
        col(User.tenant_id) == tenant_id,
        col(User.email_key) == key(email),
        col(User.lifecycle) != Lifecycle.LEFT,
        col(User.id) != (user_id or 0),
    )
    if session.scalar(holder.limit(1)) is not None:
        raise Invalid({"email": "email_taken"})
    writing = [app for app in outbox.apps(session, tenant_id, order.kinds) if app.rules.features.get(Feature.CREATE)]
    domains = {domain for app in writing for domain in app.domains}
    domain = key(email).rpartition("@")[2]
    if domains and domain not in domains and all(app.domains for app in writing):
        offered = {one for app in writing for one in app.offered} or domains
        raise Invalid({"email": "domain_unverified"}, domain=domain, domains=", ".join(sorted(offered)))
    for app in writing:
        taken = sa.select(col(Account.id)).where(
            col(Account.connector_id) == app.id,
            col(Account.name) == key(email),
            col(Account.situation) != Situation.GONE,
            col(Account.anchor).is_not(None),
            sa.or_(col(Account.user_id).is_(None), col(Account.user_id) != (user_id or 0)),
        )
        if session.scalar(taken.limit(1)) is not None:
            raise Invalid({"email": "email_taken_there"}, app=app.name)


def judge_clearing(
    session: Session, tenant_id: int, user_ids: Collection[int], values: Mapping[str, Any], order: Order
) -> None:
    """Refuse to empty what an app that follows keeps once it is set: it would be half done. Raises Invalid at the field."""
    cleared = {name for name, value in values.items() if value is None}
    if not cleared:
        return
    for app in outbox.apps(session, tenant_id, order.kinds):
        kept = {one.name for one in app.schema if not one.clearable and not one.required}
        rows = mappings.rows(session, tenant_id, app.id) if kept and app.rules.features.get(Feature.EDIT) else []
        for row in rows:
            if row.flows_out and row.owner is not Owner.THEIRS and row.ours in cleared and row.theirs in kept:
                _refuse_where_set(session, app, user_ids, row)


def twice(session: Session, tenant_id: int, given: Mapping[str, Any], order: Order) -> int | None:
    """The person whom the same form has added a moment ago: a second click adds nobody and is no mistake."""
    query = select(User).where(
        User.tenant_id == tenant_id,
        User.email_key == key(str(given.get("email") or "")),
        col(User.lifecycle) != Lifecycle.LEFT,
        col(User.created_at) > order.now - _A_MOMENT,
    )
    for user in session.exec(query):
        if all((getattr(user, name) or "") == str(given.get(name) or "").strip() for name in _TOLD_APART):
            return user.id
    return None


def _refuse_where_set(session: Session, app: outbox.App, user_ids: Collection[int], row: Any) -> None:
    held = sa.select(col(Account.id)).where(
        col(Account.connector_id) == app.id,
        col(Account.situation) == Situation.LINKED,
        among(session, col(Account.user_id), set(user_ids)),
        col(Account.observed)[row.theirs].as_string().is_not(None),
    )
    if session.scalar(held.limit(1)) is not None:
        label = next((one.label for one in app.schema if one.name == row.theirs and one.label), row.theirs)
        raise Invalid({row.ours: "not_clearable"}, attribute=label, app=app.name)
