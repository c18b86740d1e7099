"""A batch of pages becomes account rows: what was seen is kept as it came, whether anybody takes it over or not.

Owns reading and writing accounts in bulk; never touches a person.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlmodel import Session

from provision.core.ports import Page, Seen, Source
from provision.core.tables import Account, Sighting
from provision.core.vocabulary import Situation, key
from provision.db import encoded, insert_many, moment, reserve, update_many
from provision.services.cycles.frame import Frame, Item

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
SIGHTINGS: sa.Table = Sighting.__table__  # type: ignore[attr-defined]
_encode = msgspec.json.Encoder(order="deterministic").encode
_WRITTEN = (
    "name", "situation", "user_id", "verdict", "enabled", "standing", "observed", "observed_hash", "absorbed", "stale",
    "removed", "withheld", "observed_at",
)  # fmt: skip
_READ = tuple(ACCOUNTS.c[name] for name in ("id", "anchor", *_WRITTEN[:-1]))


def observe(session: Session, frame: Frame, source: Source, pages: Iterable[Page], counts: Counter[str]) -> list[Item]:
    """Merge what the pages show into what is known; return only the accounts that are new or look different.

    Repeats within the batch are merged in order, the last value wins. An account whose merged values are what is stored
    already costs one comparison and no write.
    """
    latest = _merged(pages)
    counts["seen"] += sum(1 for seen in latest.values() if seen.removed is None)
    known = _hashes(session, frame, list(latest))
    items, different = [], []
    for anchor, seen in latest.items():
        stored = known.get(anchor)
        if stored is None:
            if seen.removed is None:
                items.append(_new(source, anchor, dict(seen.values)))
        elif seen.removed is not None:
            if stored.removed != seen.removed and stored.situation != Situation.GONE:
                different.append(seen)
        elif (
            stored.removed is None
            and stored.situation != Situation.GONE
            and _digest(seen.values) == stored.observed_hash
        ):
            counts["unchanged"] += 1
        else:
            different.append(seen)
    for item, number in zip(items, reserve(session, ACCOUNTS, len(items)) if items else (), strict=True):
        item.id = number
    items.extend(_different(session, frame, source, different, counts))
    return items


def load(session: Session, frame: Frame, *conditions: Any, limit: int | None = None) -> list[Item]:
    """Account rows of this connector as items, in order of id."""
    query = sa.select(*_READ).where(
        ACCOUNTS.c.tenant_id == frame.tenant_id, ACCOUNTS.c.connector_id == frame.connector_id, *conditions
    )
    return [Item(**row) for row in session.execute(query.order_by(ACCOUNTS.c.id).limit(limit)).mappings()]


def store(session: Session, frame: Frame, items: Sequence[Item], now: datetime) -> None:
    """Write the touched items: new rows in one statement, changed rows in another."""
    at = moment(session, now)
    fresh = [item for item in items if item.fresh]
    insert_many(
        session,
        ACCOUNTS,
        ("id", "tenant_id", "connector_id", "anchor", *_WRITTEN),
        [(item.id, frame.tenant_id, frame.connector_id, item.anchor, *_row(item, at)) for item in fresh],
    )
    changed = [(*_row(item, at), item.id) for item in items if item.touched and not item.fresh]
    update_many(session, ACCOUNTS, _WRITTEN, changed)


def remember_sighting(session: Session, frame: Frame, part: int, pages: Iterable[Page]) -> None:
    """Keep which anchors a commit of a full walk saw; at its end, who was never seen is absent."""
    digests = b"".join(sighted(seen.anchor) for page in pages for seen in page.seen if seen.removed is None)
    session.execute(sa.insert(SIGHTINGS).values(cycle_id=frame.cycle_id, part=part, digests=digests))


def sighted(anchor: str) -> bytes:
    """Eight bytes that stand for an anchor; among a million, two are alike once in 37 million walks."""
    return hashlib.blake2b(anchor.encode(), digest_size=8).digest()


def _merged(pages: Iterable[Page]) -> dict[str, Seen]:
    latest: dict[str, Seen] = {}
    for page in pages:
        for seen in page.seen:
            earlier = latest.get(seen.anchor)
            if earlier is None or seen.removed or earlier.removed:
                latest[seen.anchor] = seen
            else:
                latest[seen.anchor] = Seen(seen.anchor, {**earlier.values, **seen.values})
    return latest


def _hashes(session: Session, frame: Frame, anchors: Sequence[str]) -> Mapping[str, Any]:
    query = sa.select(ACCOUNTS.c.anchor, ACCOUNTS.c.observed_hash, ACCOUNTS.c.removed, ACCOUNTS.c.situation).where(
        ACCOUNTS.c.connector_id == frame.connector_id, ACCOUNTS.c.anchor.in_(anchors)
    )
    return {row.anchor: row for row in session.execute(query)} if anchors else {}


def _different(
    session: Session, frame: Frame, source: Source, seen: Sequence[Seen], counts: Counter[str]
) -> list[Item]:
    if not seen:
        return []
    stored = {item.anchor: item for item in load(session, frame, ACCOUNTS.c.anchor.in_([one.anchor for one in seen]))}
    changed = []
    for one in seen:
        item = stored[one.anchor]
        if one.removed is not None:
            item.removed, item.touched = one.removed, True
        else:
            merged = {**item.observed, **one.values}
            if item.removed is None and item.situation != Situation.GONE and _digest(merged) == item.observed_hash:
                counts["unchanged"] += 1
                continue
            _look(source, item, merged)
        changed.append(item)
    return changed


def _new(source: Source, anchor: str, values: dict[str, Any]) -> Item:
    item = Item(0, anchor, "", values, b"", None, {}, fresh=True)
    _look(source, item, values)
    return item


def _look(source: Source, item: Item, values: dict[str, Any]) -> None:
    appearance = source.appearance(values)
    item.observed, item.observed_hash = values, _digest(values)
    item.name, item.enabled, item.standing = key(appearance.name), appearance.enabled, dict(appearance.standing)
    item.removed, item.stale, item.touched, item.seen_anew = None, True, True, True


def _digest(values: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(_encode(values), digest_size=16).digest()


def _row(item: Item, at: Any) -> tuple[Any, ...]:
    return (
        item.name,
        item.situation,
        item.user_id,
        encoded(item.verdict),
        item.enabled,
        encoded(item.standing),
        encoded(item.observed),
        item.observed_hash,
        encoded(item.absorbed),
        item.stale,
        item.removed,
        None if item.withheld is None else encoded(item.withheld),
        at,
    )
