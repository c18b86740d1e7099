"""What an app brought to people goes on to the other apps, in the same transaction.

Owns what follows a change that nobody made here; judges nothing, and leaves the app it came from alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import ENABLED
from provision.core.vocabulary import Ended, Lifecycle
from provision.db import among, encoded, update_many
from provision.services import events, links, outbox, readdressing
from provision.services.cycles.frame import Frame
from provision.services.cycles.observing import ACCOUNTS

_TAKEN = frozenset({f"user.{Lifecycle.SUSPENDED}", f"user.{Lifecycle.LEFT}"})
_BACK = "user.reactivated"


def follow(
    session: Session, frame: Frame, entries: Sequence[events.Entry], kinds: Mapping[Any, Any], now: datetime
) -> None:
    """Leave an operation behind wherever a person whom the entries tell of has, or is due, an account elsewhere."""
    moved = {entry.user_id for entry in entries if entry.user_id is not None and entry.action.startswith("user.")}
    if not moved:
        return
    taken = {entry.user_id or 0 for entry in entries if entry.action in _TAKEN}
    links.kill(session, frame.tenant_id, taken, now, why=Ended.AWAY)
    _let_back(session, frame, {entry.user_id or 0 for entry in entries if entry.action == _BACK})
    order = outbox.Order(frame.actor, now, kinds, priority=outbox.NOBODY_ASKED, hold=False)
    outbox.enqueue(session, frame.tenant_id, sorted(moved), order, but_not=frame.connector_id)
    ended = readdressing.follow(session, frame.tenant_id, readdressing.moved(entries), now)
    events.append(session, frame.tenant_id, ended, now)


def _let_back(session: Session, frame: Frame, people: set[int]) -> None:
    """Whoever is active again may sign in again wherever that was taken from them."""
    if not people:
        return
    query = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.intent).where(
        ACCOUNTS.c.tenant_id == frame.tenant_id,
        ACCOUNTS.c.connector_id != frame.connector_id,
        among(session, ACCOUNTS.c.user_id, people),
    )
    rows = [(encoded({**intent, ENABLED: True}), number) for number, intent in session.execute(query)]
    update_many(session, ACCOUNTS, ("intent",), rows)
