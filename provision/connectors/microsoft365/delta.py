"""Walking Graph's user delta: from bytes to pages of what was seen.

Owns the parsing of pages and the judgement of their links; never keeps a place to continue from.
https://learn.microsoft.com/graph/delta-query-users
"""

from collections.abc import Callable, Collection, Iterator
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import errors
from provision.connectors.microsoft365.graph import LOW, Graph
from provision.connectors.microsoft365.schema import EXTENSION_HOLDER, EXTENSIONS, selection
from provision.core.ports import MANAGER, Page, Record, Seen, Unreachable, WatermarkLost

RIGHT = "User.Read.All"
PATH = "/users/delta"

HEADERS = {**LOW, "Prefer": "odata.maxpagesize=999"}
"""The page size is a wish: Entra answers with pages of its own size when it does not honour it."""

LONGEST_ANCHOR = 128
BOND = f"{MANAGER}@delta"
"""Who somebody reports to travels as a change of a relationship, with a mark on who no longer is it."""
_WHOLE = "userPrincipalName"
"""Always selected, so an item that carries it was shown whole."""


class _Page(msgspec.Struct):
    """The shape of one delta answer. Items stay dicts: which attributes they carry is the mapping's affair."""

    value: list[dict[str, Any]]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)
    delta_link: str | None = msgspec.field(name="@odata.deltaLink", default=None)


_decode = msgspec.json.Decoder(_Page).decode


def walk(
    graph: Graph, attributes: Collection[str], link: str | None, *, everybody: bool | None = None
) -> Iterator[Page]:
    """Yield the pages of one walk, from a stored link or from the beginning. ``everybody``: the walk is not one over changes.

    Raises WatermarkLost, also when a stored link does not lead to this Graph any more (the connector's cloud was
    changed), and Unreachable for answers that make no sense. A page that raises has yielded nothing.
    """
    if link is not None and not graph.serves(link):
        raise WatermarkLost
    bonds = f",{MANAGER}" if MANAGER in attributes else ""
    url = link or graph.address(PATH, {"$select": f"{selection(attributes)}{bonds}"})
    wanted = _wanted(attributes)
    whole = link is None if everybody is None else everybody
    visited: set[bytes] = set()
    while True:
        visited.add(_digest(url))
        page = parse(_fetch(graph, url, saved=url is link), wanted, graph.serves, everybody=whole)
        if page.position and _digest(page.position) in visited:
            raise Unreachable("unexpected_reply", sent=True, reason="loop")
        yield page
        if page.position is None:
            return
        url = page.position


def parse(answer: Answer, wanted: frozenset[str], serves: Callable[[str], bool], *, everybody: bool = False) -> Page:
    """Return what one answer holds, all of it or nothing. Raises Unreachable."""
    page = answer.decoded(_decode)
    if (page.next_link is None) == (page.delta_link is None):
        raise answer.unexpected("links")
    onward = page.next_link or page.delta_link or ""
    if not serves(onward):
        raise Unreachable("foreign_link", sent=True, request_id=answer.request_id)
    holder = any(name in EXTENSIONS for name in wanted)
    try:
        seen = [_seen(item, wanted, holder, alone=everybody) for item in page.value]
    except _Shapeless:
        raise answer.unexpected("item") from None
    return Page(seen, position=page.next_link, watermark=page.delta_link)


def record_of(body: Any, attributes: Collection[str]) -> Record:
    """Return one object, read by itself, as it crosses the port: flat, without annotations and unasked-for names."""
    item = dict(body) if isinstance(body, dict) else {}
    try:
        seen = _seen(item, _wanted(attributes) - {MANAGER}, any(name in EXTENSIONS for name in attributes))
    except _Shapeless:
        raise Unreachable("unexpected_reply", sent=True, reason="item") from None
    return Record(seen.anchor, seen.values)


def _fetch(graph: Graph, url: str, *, saved: bool) -> Answer:
    answer = graph.follow(url, template=PATH, headers=HEADERS)
    if answer.status == 200:
        return answer
    if (saved or answer.status == 410 or "token=" in url) and errors.watermark_lost(answer):
        raise WatermarkLost
    raise graph.refusal(answer, RIGHT)


class _Shapeless(Exception):
    """An item without a name to remember it by, or removed in no known way."""


def _seen(item: dict[str, Any], wanted: frozenset[str], holder: bool, *, alone: bool = False) -> Seen:
    """One item. ``alone``: where nothing is said of a manager, there is none."""
    anchor = item.pop("id", None)
    if type(anchor) is not str or not 0 < len(anchor) <= LONGEST_ANCHOR:
        raise _Shapeless
    if "@removed" in item:
        return Seen(anchor, {}, _removed(item["@removed"]))
    if MANAGER in wanted:
        _bind(item, alone=alone)
    return Seen(anchor, _values(item, wanted, holder))


def _bind(item: dict[str, Any], *, alone: bool) -> None:
    """Turn the change of a relationship into a value: the manager's anchor, None for none; unsaid stays unsaid."""
    if BOND not in item:
        if alone and _WHOLE in item:
            item[MANAGER] = None
        return
    entries = item.pop(BOND)
    if not isinstance(entries, list):
        raise _Shapeless
    item[MANAGER] = None
    for entry in entries:
        anchor = entry.get("id") if isinstance(entry, dict) else None
        if type(anchor) is not str or not 0 < len(anchor) <= LONGEST_ANCHOR:
            raise _Shapeless
        if "@removed" not in entry:
            item[MANAGER] = anchor


def _removed(why: Any) -> Literal["restorable", "purged"]:
    if not isinstance(why, dict):
        raise _Shapeless
    return "purged" if why.get("reason") == "deleted" else "restorable"


def _values(item: dict[str, Any], wanted: frozenset[str], holder: bool) -> dict[str, Any]:
    if holder and EXTENSION_HOLDER in item:
        inner = item.pop(EXTENSION_HOLDER)
        for name in EXTENSIONS:
            if name in wanted:
                item[name] = inner.get(name) if isinstance(inner, dict) else None
    if item.keys() <= wanted:
        return item
    return {name: value for name, value in item.items() if name in wanted}


def _wanted(attributes: Collection[str]) -> frozenset[str]:
    asked = frozenset(selection(attributes).split(",")) - {EXTENSION_HOLDER}
    return asked | {name for name in attributes if name in EXTENSIONS or name == MANAGER}


def _digest(url: str) -> bytes:
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).digest()
