"""What an app sends by itself goes the road of every import: observed, judged, absorbed, and on to the other apps.

Owns the moment between such a request and that road; judges nobody, and leaves what takes away to the end of a cycle.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import EXTERNAL_ID, Source
from provision.core.tables import Cycle
from provision.core.vocabulary import Situation
from provision.db import for_update, once, reserve
from provision.services import events
from provision.services.cycles.absorbing import absorb
from provision.services.cycles.following import follow
from provision.services.cycles.frame import Frame, Item, entered
from provision.services.cycles.frame import pushing as frame_of
from provision.services.cycles.judging import adoptable
from provision.services.cycles.managing import bind_pushed
from provision.services.cycles.observing import ACCOUNTS, READ, load, look, store
from provision.services.cycles.requests import UNFINISHED, covers_all, request
from provision.services.present import NO_GROUP

CYCLES: sa.Table = Cycle.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Client:
    """Who pushes: one app of one tenant, by what name its deeds stand in the log, and whether they are taken over now.

    ``connect`` gives what knows the meaning of its values; whoever only reads does without.
    """

    tenant_id: int
    connector_id: int
    actor: str
    takes_over: bool
    kinds: Mapping[Any, Any]
    connect: Callable[[], Source]


def enter(session: Session, client: Client) -> Any:
    """The app's own row, kept until the transaction ends; None if it was removed. Its pushes come one after another."""
    return entered(session, client.tenant_id, client.connector_id)


def push(
    session: Session, client: Client, app: Any, item: Item | None, observed: dict[str, Any], now: datetime
) -> Item:
    """Take in one person as they are now; ``item`` is their account as it stood, None for a new one; ``app``: its row."""
    item = item or _new(session)
    loose = item.user_id is None
    frame = _frame(session, client, app, loose=loose)
    known = _known(item)
    look(client.connect(), item, observed)
    suitors = _suitors(session, client, item) if loose else Counter[int]()
    entries = absorb(session, frame, [item], Counter(), now, suitors)
    store(session, frame, [item], now)
    entries += bind_pushed(session, frame, item, now, arrived=_known(item) != known).entries
    _conclude(session, client, frame, item, entries, now)
    return item


def take_away(session: Session, client: Client, app: Any, item: Item, now: datetime) -> None:
    """The app deleted its account. What follows for the person waits for the end of a cycle, and its brake."""
    frame = _frame(session, client, app, loose=False)
    item.removed, item.touched = "purged", True
    store(session, frame, [item], now)
    _conclude(session, client, frame, item, (), now)


def standing(session: Session, client: Client, number: int) -> Item | None:
    """One of the app's people whom it has not deleted, kept until the transaction ends."""
    own = {"tenant": client.tenant_id, "connector": client.connector_id, "number": number}
    row = session.execute(_standing(session), own).mappings().first()
    return None if row is None else Item(**row)


@once
def _standing(session: Session) -> Any:
    query = sa.select(*READ).where(
        ACCOUNTS.c.tenant_id == sa.bindparam("tenant"),
        ACCOUNTS.c.connector_id == sa.bindparam("connector"),
        ACCOUNTS.c.id == sa.bindparam("number"),
        NO_GROUP,
        ACCOUNTS.c.removed.is_(None),
        ACCOUNTS.c.situation != Situation.GONE.value,
    )
    return for_update(session, query)


def returning(session: Session, client: Client, name: str, external_id: str | None) -> Item | None:
    """The account that comes back: deleted before, of the same name, and of the same external id where both have one."""
    gone = sa.or_(ACCOUNTS.c.removed.is_not(None), ACCOUNTS.c.situation == Situation.GONE.value)
    for item in reversed(load(session, client, NO_GROUP, ACCOUNTS.c.name == name, gone, lock=True)):
        before = item.observed.get("externalId")
        if external_id is None or before is None or before == external_id:
            return item
    return None


def _frame(session: Session, client: Client, app: Any, *, loose: bool) -> Frame:
    """What is fixed for this push; ``loose``: it is about an account that is nobody's yet."""
    at = (session, client.tenant_id, app, client.kinds)
    return frame_of(*at, actor=client.actor, takes_over=client.takes_over, promised=loose)


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
    whose = {"tenant": client.tenant_id, "connector": client.connector_id}
    options = session.scalar(_unfinished(session), whose)
    if options is None or not covers_all(options):
        request(session, client.tenant_id, client.connector_id, client.actor, now)


@once
def _unfinished(session: Session) -> Any:
    """Locked: one that ends while we wait for it is none any more."""
    query = sa.select(CYCLES.c.options).where(
        CYCLES.c.tenant_id == sa.bindparam("tenant"),
        CYCLES.c.connector_id == sa.bindparam("connector"),
        UNFINISHED,
    )
    return for_update(session, query)
