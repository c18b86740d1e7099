"""What pages show becomes account rows: kept as it came, whether anybody takes it over or not.

Owns reading and writing accounts in bulk; never touches a person.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlmodel import Session

from provision.core.planning import WHOLE, outdated
from provision.core.planning.doubt import among as among_texts
from provision.core.ports import ENABLED, EXTERNAL_ID, MANAGER, Page, Seen, Source
from provision.core.tables import Account, Sighting
from provision.core.vocabulary import Situation, exact, key
from provision.db import among, encoded, for_update, insert_many, moment, reserve, update_many
from provision.services.cycles.frame import Frame, Item

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
SIGHTINGS: sa.Table = Sighting.__table__  # type: ignore[attr-defined]
DIGEST = 8
_encode = msgspec.json.Encoder(order="deterministic").encode
_OBSERVED = ("name", "enabled", "standing", "observed", "observed_hash", "observed_at", "external_id", "superior")
_JUDGED = ("situation", "user_id", "verdict", "absorbed", "stale", "removed", "withheld")
READ = tuple(ACCOUNTS.c[name] for name in ("id", "anchor", *_OBSERVED[:5], *_JUDGED, "pushed"))


def merged(pages: Iterable[Page]) -> list[Seen]:
    """What the pages show in the end: repeats are merged in order, the last value wins."""
    latest: dict[str, Seen] = {}
    for page in pages:
        for seen in page.seen:
            earlier = latest.get(seen.anchor)
            if earlier is None or seen.removed or earlier.removed:
                latest[seen.anchor] = seen
            else:
                latest[seen.anchor] = Seen(seen.anchor, {**earlier.values, **seen.values})
    return list(latest.values())


class Owned(Protocol):
    """Whose accounts are meant: one app of one tenant."""

    @property
    def tenant_id(self) -> int: ...

    @property
    def connector_id(self) -> int: ...


def observe(
    session: Session,
    frame: Frame,
    source: Source,
    seen: Sequence[Seen],
    counts: Counter[str],
    asked_at: datetime | None = None,
) -> list[Item]:
    """Merge what was seen, each anchor once, into what is known; return only what is new or looks different.

    An account whose merged values are what is stored already costs one comparison and no write. ``asked_at``: when the
    pages were asked for; what we have written since then is newer than what they show.
    """
    known = _known(session, frame, [one.anchor for one in seen])
    items, different = [], []
    for one in seen:
        counts["seen"] += one.removed is None
        stored = known.get(one.anchor)
        if stored is None:
            if one.removed is None:
                items.append(_new(source, one))
        elif one.removed is not None:
            if stored.removed != one.removed:
                different.append(one)
        elif _there(stored) and _digest(one.values) == stored.observed_hash:
            counts["unchanged"] += 1
        else:
            different.append(one)
    for item, number in zip(items, reserve(session, ACCOUNTS, len(items)) if items else (), strict=True):
        item.id = number
    items.extend(_different(session, frame, source, different, counts, asked_at))
    return items


def load(session: Session, frame: Owned, *conditions: Any, limit: int | None = None, lock: bool = False) -> list[Item]:
    """Account rows of this connector as items, in order of id; ``lock`` keeps them until the transaction ends."""
    query = sa.select(*READ).where(
        ACCOUNTS.c.tenant_id == frame.tenant_id, ACCOUNTS.c.connector_id == frame.connector_id, *conditions
    )
    query = query.order_by(ACCOUNTS.c.id).limit(limit)
    rows = session.execute(for_update(session, query) if lock else query)
    return [Item(**row) for row in rows.mappings()]


def store(session: Session, frame: Frame, items: Sequence[Item], now: datetime) -> None:
    """Write the touched items: new rows, rows that were observed anew, and rows that were only judged."""
    at = moment(session, now)
    fresh, seen, judged = [], [], []
    for item in items:
        if item.fresh:
            key_columns = (item.id, frame.tenant_id, frame.connector_id, item.anchor)
            fresh.append((*key_columns, *_observed(frame, item, at), *_judged(item)))
        elif item.touched and item.seen_anew:
            seen.append((*_observed(frame, item, at), *_judged(item), item.id))
        elif item.touched:
            judged.append((*_judged(item), item.id))
    insert_many(session, ACCOUNTS, ("id", "tenant_id", "connector_id", "anchor", *_OBSERVED, *_JUDGED), fresh)
    update_many(session, ACCOUNTS, (*_OBSERVED, *_JUDGED), seen)
    update_many(session, ACCOUNTS, _JUDGED, judged)


def remember_sighting(session: Session, frame: Frame, part: int, seen: Iterable[Seen]) -> None:
    """Keep which anchors a commit of a full walk saw; at its end, who was never seen is absent."""
    digests = b"".join(sighted(one.anchor) for one in seen if one.removed is None)
    session.execute(sa.insert(SIGHTINGS).values(cycle_id=frame.cycle_id, part=part, digests=digests))


def sighted(anchor: str) -> bytes:
    """Eight bytes that stand for an anchor; among a million, two are alike once in 37 million walks."""
    return hashlib.blake2b(anchor.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def _known(session: Session, frame: Frame, anchors: Sequence[str]) -> Mapping[str, Any]:
    query = sa.select(ACCOUNTS.c.anchor, ACCOUNTS.c.observed_hash, ACCOUNTS.c.removed, ACCOUNTS.c.situation).where(
        ACCOUNTS.c.connector_id == frame.connector_id, among(session, ACCOUNTS.c.anchor, anchors)
    )
    return {row[0]: row for row in session.execute(query)}


def _there(stored: Any) -> bool:
    return stored.removed is None and stored.situation != Situation.GONE


def _different(
    session: Session,
    frame: Frame,
    source: Source,
    seen: Sequence[Seen],
    counts: Counter[str],
    asked_at: datetime | None,
) -> list[Item]:
    if not seen:
        return []
    wanted = among(session, ACCOUNTS.c.anchor, [one.anchor for one in seen])
    stored = {item.anchor: item for item in load(session, frame, wanted, lock=True)}
    changed = []
    for one in seen:
        item = stored[one.anchor]
        old = outdated(item.pushed, asked_at)
        if WHOLE in old:
            # Deleted or restored by us while the page was on its way: the next walk shows how it stands.
            counts["unchanged"] += one.removed is None
            continue
        if one.removed is not None:
            item.removed, item.touched = one.removed, True
        else:
            values = {**item.observed, **_newer(one.values, old)}
            if _there(item) and _digest(values) == item.observed_hash:
                counts["unchanged"] += 1
                continue
            enabled = item.enabled
            look(source, item, values)
            item.enabled = enabled if ENABLED in old else item.enabled
        changed.append(item)
    return changed


def _newer(values: Mapping[str, Any], old: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What was seen, without what we have replaced since it was asked for."""
    return {name: value for name, value in values.items() if not (name in old and among_texts(value, old[name]))}


def _new(source: Source, seen: Seen) -> Item:
    item = Item(0, seen.anchor, "", {}, b"", None, {}, fresh=True)
    look(source, item, dict(seen.values))
    return item


def look(source: Source, item: Item, values: dict[str, Any]) -> None:
    """Let an account be what its values say; whoever it is has to be judged anew."""
    appearance = source.appearance(values)
    item.observed, item.observed_hash = values, _digest(values)
    item.name, item.enabled, item.standing = key(appearance.name), appearance.enabled, dict(appearance.standing)
    # What was about to be taken away is judged anew from what is there now.
    item.removed, item.withheld = None, None
    item.stale, item.touched, item.seen_anew = True, True, True


def _digest(values: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(_encode(values), digest_size=16).digest()


def _observed(frame: Frame, item: Item, at: Any) -> tuple[Any, ...]:
    seen = (item.name, item.enabled, encoded(item.standing), encoded(item.observed), item.observed_hash, at)
    return (*seen, *(exact(item.observed.get(name)) if frame.pushes else None for name in (EXTERNAL_ID, MANAGER)))


def _judged(item: Item) -> tuple[Any, ...]:
    withheld = None if item.withheld is None else encoded(item.withheld)
    return (
        item.situation,
        item.user_id,
        encoded(item.verdict),
        encoded(item.absorbed),
        item.stale,
        item.removed,
        withheld,
    )
