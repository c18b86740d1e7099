"""What an app sends by itself goes the road of every import: observed, judged, absorbed, and on to the other apps.

Owns the moment between such a request and that road; judges nobody, and leaves what takes away to the end of a cycle.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.ports import EXTERNAL_ID, Source
from provision.core.tables import Cycle
from provision.core.vocabulary import UNFINISHED_CYCLES, Situation
from provision.db import for_update, once, reserve
from provision.services import events
from provision.services.cycles.absorbing import absorb
from provision.services.cycles.following import follow
from provision.services.cycles.frame import Frame, Item
from provision.services.cycles.frame import pushing as frame_of
from provision.services.cycles.judging import adoptable
from provision.services.cycles.managing import bind_pushed
from provision.services.cycles.observing import ACCOUNTS, NO_GROUP, load, look, store
from provision.services.cycles.requests import request


@dataclass(frozen=True)
class Client:
    """Who pushes: one app of one tenant, by what name its deeds stand in the log, and whether they are taken over now."""

    tenant_id: int
    connector_id: int
    actor: str
    takes_over: bool
    kinds: Mapping[Any, Any]
    source: Source


def push(session: Session, client: Client, item: Item | None, observed: dict[str, Any], now: datetime) -> Item:
    """Take in one person as they are now; ``item`` is their account as it stood, None for a new one."""
    frame = _frame(session, client)
    item = item or _new(session)
    known = _known(item)
    look(client.source, item, observed)
    entries = absorb(session, frame, [item], Counter(), now, _suitors(session, client, item))
    store(session, frame, [item], now)
    entries += bind_pushed(session, frame, item, now, arrived=_known(item) != known).entries
    _conclude(session, client, frame, item, entries, now)
    return item


def take_away(session: Session, client: Client, item: Item, now: datetime) -> None:
    """The app deleted its account. What follows for the person waits for the end of a cycle, and its brake."""
    frame = _frame(session, client)
    item.removed, item.touched = "purged", True
    store(session, frame, [item], now)
    _conclude(session, client, frame, item, (), now)


def pushed(session: Session, client: Client, *conditions: Any, lock: bool = False) -> list[Item]:
    """The app's accounts of people, in order of id."""
    return load(session, client, NO_GROUP, *conditions, lock=lock)


def returning(session: Session, client: Client, name: str, external_id: str | None) -> Item | None:
    """The account that comes back: deleted before, of the same name, and of the same external id where both have one."""
    gone = sa.or_(ACCOUNTS.c.removed.is_not(None), ACCOUNTS.c.situation == Situation.GONE.value)
    for item in reversed(pushed(session, client, ACCOUNTS.c.name == name, gone, lock=True)):
        before = item.observed.get("externalId")
        if external_id is None or before is None or before == external_id:
            return item
    return None


def _frame(session: Session, client: Client) -> Frame:
    at = (session, client.tenant_id, client.connector_id, client.kinds)
    return frame_of(*at, actor=client.actor, takes_over=client.takes_over)


def _new(session: Session) -> Item:
    """An account that is called by its own number, since it is made here."""
    (number,) = reserve(session, ACCOUNTS, 1)
    return Item(number, str(number), "", {}, b"", None, {}, fresh=True)


def _known(item: Item) -> tuple[Any, ...]:
    """By what others may name them as their manager, and as whom."""
    return item.user_id, item.observed.get(EXTERNAL_ID)


def _conclude(
    session: Session, client: Client, frame: Frame, item: Item, entries: Sequence[events.Entry], now: datetime
) -> None:
    follow(session, frame, entries, client.kinds, now)
    events.append(session, client.tenant_id, entries, now)
    if client.takes_over and (item.removed or item.withheld):
        _end_soon(session, client, now)


def _suitors(session: Session, client: Client, item: Item) -> Counter[int]:
    """Per person, how many accounts of this app want them, this one included: who comes first is not kept waiting."""
    others = session.scalars(_others(session), {"connector": client.connector_id, "own": item.id})
    waiting = Counter(verdict["candidates"][0] for verdict in others if verdict.get("candidates"))
    return Counter({person: number + 1 for person, number in waiting.items()})


@once
def _others(_session: Session) -> Any:
    others = (ACCOUNTS.c.connector_id == sa.bindparam("connector"), ACCOUNTS.c.id != sa.bindparam("own"))
    return sa.select(ACCOUNTS.c.verdict).where(*others, adoptable())


def _end_soon(session: Session, client: Client, now: datetime) -> None:
    """Ask for a cycle at whose end the brake speaks, unless one is yet to end after this transaction anyhow."""
    for _ in range(2):
        cycle = request(session, client.tenant_id, client.connector_id, client.actor, now)
        state = session.exec(for_update(session, select(Cycle.state).where(col(Cycle.id) == cycle.id))).one()
        if state in UNFINISHED_CYCLES:
            return
        session.expire(cycle)
