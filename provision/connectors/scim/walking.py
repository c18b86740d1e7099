"""Reading people: everybody page by page, who changed since a moment, and one person by what is known of them.

Owns paging and the distrust it needs: pages that shift, that stop short, that hold somebody else, and searches that find
everybody. Nothing is inferred from a list that may be incomplete.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from provision.connectors.http import Answer
from provision.connectors.scim.discovery import Abilities
from provision.connectors.scim.peer import LONGEST_ANCHOR, Peer
from provision.connectors.scim.places import read
from provision.connectors.scim.schema import SIGN_IN, moment, values_of
from provision.core.ports import Page, Record, Refused, Seen, WatermarkLost

SLACK = timedelta(minutes=2)
"""How far before a walk the next one begins: what changed while it ran is seen again."""
FULL_EVERY = timedelta(hours=24)
"""How long who vanished may go unnoticed: an incremental answer cannot tell, so everything is read once a day."""
MOST_PAGES = 20_000


def everybody(peer: Peer, able: Abilities, attributes: Sequence[str], position: str | None) -> Iterator[Page]:
    """Walk everybody. Raises the six errors; a walk that came up short raises instead of ending."""
    place = _position(position)
    start, known, began = int(place["start"]), int(place["known"]), place.get("began")
    seen: set[str] = set()
    total: int | None = place.get("total")
    for _ in range(MOST_PAGES):
        answer = _list(peer, able, {"startIndex": start, "count": able.results})
        began = began or _their_time(answer)
        rows, now_total = _rows(answer)
        if total is not None and now_total < total:
            # Somebody left meanwhile, so the rest has moved up: take the same number of steps back.
            start = max(1, start - (total - now_total))
            total = now_total
            continue
        total = now_total
        people = [_seen(answer, row, attributes) for row in rows]
        seen |= {one.anchor for one in people}
        start += len(rows)
        if start > total or (not rows and known + len(seen) >= total):
            if known + len(seen) < total:
                raise answer.unexpected("incomplete")
            yield Page(people, watermark=_watermark(able, began, began))
            return
        if not rows:
            raise answer.unexpected("incomplete")
        told = {"start": start, "known": known + len(seen), "total": total, "began": began}
        yield Page(people, position=json.dumps(told))
    raise answer.unexpected("loop")


def changed(peer: Peer, able: Abilities, attributes: Sequence[str], watermark: str, now: datetime) -> Iterator[Page]:
    """Walk who changed since a watermark. Raises WatermarkLost when that cannot be known."""
    mark = _mark(watermark)
    full, since = moment(mark.get("full")), moment(mark.get("since"))
    if full is None or since is None or not able.filter or now - full > FULL_EVERY:
        raise WatermarkLost
    asked = f'meta.lastModified ge "{since.strftime("%Y-%m-%dT%H:%M:%SZ")}"'
    start, began = 1, None
    for _ in range(MOST_PAGES):
        try:
            answer = _list(peer, able, {"filter": asked, "startIndex": start, "count": able.results})
        except Refused:
            raise WatermarkLost from None
        began = began or _their_time(answer)
        rows, total = _rows(answer)
        for row in rows:
            at = moment(read(row, "meta.lastModified"))
            if at is None or at < since - SLACK:
                raise WatermarkLost  # it does not search by time, whatever it says
        people = [_seen(answer, row, attributes) for row in rows]
        start += len(rows)
        if not rows or start > total:
            yield Page(people, watermark=_watermark(able, mark["full"], began) or watermark)
            return
        yield Page(people)
    raise answer.unexpected("loop")


def by_anchor(peer: Peer, attributes: Sequence[str], anchor: str) -> tuple[Record, Answer, dict[str, Any]]:
    """One person, with the answer and the whole resource. Raises Missing."""
    answer = peer.get(peer.person(anchor), template=f"{peer.users}/{{id}}")
    body = answer.json()
    if not isinstance(body, dict) or body.get("id") != anchor:
        raise answer.unexpected("another_id")
    return Record(anchor, values_of(body, attributes)), answer, body


def by_attribute(peer: Peer, able: Abilities, attributes: Sequence[str], name: str, value: str) -> Record | None:
    """The one person who holds a value; None when nobody does.

    A search that finds whoever does not hold it is none: then everybody is read. Raises Refused("found_several_there").
    """
    found = _searched(peer, able, attributes, name, value) if able.filter else None
    if found is None:
        found = [
            Record(one.anchor, one.values)
            for page in everybody(peer, able, [*attributes, name], None)
            for one in page.seen
            if _same(one.values.get(name), value)
        ]
    distinct = {one.anchor: one for one in found}
    if len(distinct) > 1:
        raise Refused("found_several_there", attribute=name)
    return next(iter(distinct.values()), None)


def _searched(peer: Peer, able: Abilities, attributes: Sequence[str], name: str, value: str) -> list[Record] | None:
    """What a search finds; None when it turns out to be none."""
    asked = f"{_filtered(name)} eq {json.dumps(value, ensure_ascii=False)}"
    try:
        answer = _list(peer, able, {"filter": asked})
    except Refused:
        return None
    rows, total = _rows(answer)
    people = [_seen(answer, row, [*attributes, name]) for row in rows]
    if total > len(rows) or not all(_same(one.values.get(name), value) for one in people):
        return None
    return [Record(one.anchor, one.values) for one in people]


def _filtered(name: str) -> str:
    """A name of the mapping as a filter spells it."""
    if name.startswith("emails."):
        return f'emails[type eq "{name.partition(".")[2]}"].value'
    if name == "employeeNumber":
        return "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"
    return name


def _same(held: Any, value: str) -> bool:
    return isinstance(held, str) and held.casefold() == value.casefold()


def _list(peer: Peer, able: Abilities, params: Mapping[str, Any]) -> Answer:
    sorted_ = {"sortBy": "id", "sortOrder": "ascending"} if able.sort and "filter" not in params else {}
    return peer.get(peer.users, {**params, **sorted_})


def _rows(answer: Answer) -> tuple[list[dict[str, Any]], int]:
    body = answer.json()
    if not isinstance(body, dict):
        raise answer.unexpected("shape")
    rows, total = body.get("Resources") or [], body.get("totalResults")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise answer.unexpected("shape")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise answer.unexpected("shape")
    return rows, total


def _seen(answer: Answer, row: Mapping[str, Any], attributes: Sequence[str]) -> Seen:
    anchor = row.get("id")
    if not isinstance(anchor, str) or not 0 < len(anchor) <= LONGEST_ANCHOR or not isinstance(read(row, SIGN_IN), str):
        raise answer.unexpected("shape")
    return Seen(anchor, values_of(row, attributes))


def _their_time(answer: Answer) -> str | None:
    """What the application's own clock says; None when it does not say, and then there is nothing to go on from."""
    try:
        return (parsedate_to_datetime(str(answer.headers.get("date") or "")) - SLACK).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _watermark(able: Abilities, full: str | None, since: str | None) -> str:
    return json.dumps({"full": full, "since": since}) if able.filter and full and since else "{}"


def _mark(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        raise WatermarkLost from None
    if not isinstance(told, dict):
        raise WatermarkLost
    return told


def _position(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"start": 1, "known": 0}
    told = _mark(text)
    if not all(isinstance(told.get(name), int) and told[name] >= 0 for name in ("start", "known", "total")):
        raise WatermarkLost
    return told
