"""Owns the query options of collections: which are allowed, what they mean together, and how pages are linked.
Never reads the store."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provision.sandbox.graph import filters
from provision.sandbox.graph.cloud import Cloud
from provision.sandbox.graph.errors import GraphError, bad_request, bad_syntax, unsupported
from provision.sandbox.graph.filters import Filter, Predicate
from provision.sandbox.graph.properties import Property, default_names
from provision.sandbox.store import BadToken
from provision.sandbox.wire import Answer, Call

LARGEST_PAGE = 999
USUAL_PAGE = 100
LINK_LIFETIME = 3600.0  # seconds a link to the next page of a list stays good
KNOWN = frozenset(
    "$select $filter $search $orderby $count $top $expand $skiptoken $deltatoken $format".split()  # noqa: SIM905
)
PLAIN_ORDER = ("displayName", "userPrincipalName")
EXPANDABLE = ("manager", "memberOf", "directReports")


@dataclass(frozen=True)
class Options:
    """What a call asks of a collection. `names` are the properties to show; `selected` is None without $select."""

    names: tuple[str, ...]
    selected: tuple[str, ...] | None
    filter: Filter | None
    search: Predicate | None
    order: tuple[str, bool] | None
    count: bool
    top: int
    expand: str | None
    advanced: bool

    def accepts(self, body: Mapping[str, Any]) -> bool:
        if self.filter and not self.filter.accepts(body):
            return False
        return self.search is None or self.search(body)

    @property
    def narrowed(self) -> bool:
        return self.filter is not None or self.search is not None


def options_of(call: Call, table: Mapping[str, Property], resource: str) -> Options:
    """Read and judge the options of a collection; GraphError 400 in the ways Graph refuses combinations."""
    query = call.query
    refuse_unknown(query)
    advanced = call.eventual
    counted = query.get("$count", "").lower() == "true"
    selected = select_of(query, table, resource)
    chosen = Options(
        names=selected or default_names(dict(table)),
        selected=selected,
        filter=filters.parse(query["$filter"], table, resource) if query.get("$filter") else None,
        search=filters.search(query["$search"], table) if query.get("$search") else None,
        order=_order(query, table),
        count=counted and advanced,  # without the header it is ignored, not refused
        top=_top(call),
        expand=query.get("$expand"),
        advanced=advanced,
    )
    _judge(chosen, advanced and counted, query)
    return chosen


def select_of(query: Mapping[str, str], table: Mapping[str, Property], resource: str) -> tuple[str, ...] | None:
    """Return the selected properties in the order asked, each once; GraphError 400 for one that doesn't exist."""
    if not query.get("$select"):
        return None
    folded = {name.lower(): name for name in table}
    asked = [name.strip() for name in query["$select"].split(",") if name.strip()]
    for name in asked:
        if name.lower() not in folded:
            raise bad_syntax(f"Could not find a property named '{name}' on type 'microsoft.graph.{resource.lower()}'.")
    return tuple(dict.fromkeys(folded[name.lower()] for name in asked))


def refuse_unknown(query: Mapping[str, str], known: Iterable[str] = KNOWN) -> None:
    """Refuse query options that v1.0 doesn't have; `$skip` exists but not for directory objects."""
    for name in query:
        if name == "$skip":
            raise bad_request("'$skip' is not supported by the service.")
        if name.startswith("$") and name not in known:
            raise bad_syntax(f"The query parameter '{name}' is not supported.")


def collection(cloud: Cloud, fragment: str, items: Sequence[Any], **more: Any) -> dict[str, Any]:
    """Put a page in its envelope; `more` are annotations by name without their prefix, None left out."""
    notes = {f"@odata.{name}": value for name, value in more.items() if value is not None}
    return {"@odata.context": cloud.context(fragment), **notes, "value": items}


def fragment_of(name: str, selected: Sequence[str] | None) -> str:
    return f"{name}({','.join(selected)})" if selected else name


def page_answer(
    cloud: Cloud,
    call: Call,
    fragment: str,
    rows: Callable[[int], Iterable[tuple[int, dict[str, Any]]]],
    options: Options,
    total: Callable[[], int] | None = None,
) -> Answer:
    """Answer one page of a list. `rows` yields (position, item) after the given position; one item more than the page
    holds tells that there is another page."""
    start = position_of(cloud, call, "list")
    items: list[dict[str, Any]] = []
    last, following = start, None
    for position, item in rows(start):
        if len(items) == options.top:
            following = _next(cloud, call, last)
            break
        items.append(item)
        last = position
    count = total() if total is not None and options.count and start == 0 else None
    body = collection(cloud, fragment, items, count=count, nextLink=following)
    return Answer(200, body, here=_next(cloud, call, start))


def position_of(cloud: Cloud, call: Call, kind: str) -> int:
    """Read where the link at hand continues (0: the beginning); GraphError 400 for a stale or foreign token."""
    text = call.query.get("$skiptoken")
    if text is None:
        return 0
    token = read_token(cloud, text, kind)
    if cloud.moment() - token["at"] > LINK_LIFETIME:
        raise GraphError(400, "Directory_ExpiredPageToken", "The specified page token value has expired.")
    position: int = token["after"]
    return position


def read_token(cloud: Cloud, text: str, kind: str) -> dict[str, Any]:
    """Open a token of this sandbox; GraphError 400 for any other text."""
    try:
        token = cloud.store.unsign(text)
    except BadToken as error:
        raise bad_syntax("Badly formed token.") from error
    if token.get("kind") != kind:
        raise bad_syntax("The token is not valid for this request.")
    return token


def page_size(call: Call, default: int) -> int:
    """Return the page size preferred by header, never above Graph's largest."""
    wanted = call.prefers("odata.maxpagesize")
    if wanted and wanted.isdigit() and int(wanted) > 0:
        return min(int(wanted), LARGEST_PAGE)
    return default


def matching(
    rows: Iterable[sqlite3.Row], decode: Callable[[sqlite3.Row], dict[str, Any]], options: Options, start: int
) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield (position, body) of the rows that pass filter and search, in the asked order.

    Without $orderby a position is the row's own number, so a list that changes between pages neither skips nor repeats.
    """
    if options.order is None:
        for row in rows:
            body = decode(row)
            if row["seq"] > start and options.accepts(body):
                yield row["seq"], body
        return
    name, falling = options.order
    found = [body for body in map(decode, rows) if options.accepts(body)]
    found.sort(key=lambda body: str(body.get(name) or "").casefold(), reverse=falling)
    yield from list(enumerate(found, start=1))[start:]


def _next(cloud: Cloud, call: Call, after: int) -> str:
    token = cloud.store.sign({"kind": "list", "after": after, "at": cloud.moment()})
    return cloud.link(call, skiptoken=token)


def _top(call: Call) -> int:
    text = call.query.get("$top")
    if text is None:
        return page_size(call, USUAL_PAGE)
    if not text.isdigit() or not 0 < int(text) <= LARGEST_PAGE:
        raise bad_request(f"Invalid page size specified: '{text}'. Must be between 1 and 999 inclusive.")
    return int(text)


def _order(query: Mapping[str, str], table: Mapping[str, Property]) -> tuple[str, bool] | None:
    text = query.get("$orderby", "").strip()
    if not text:
        return None
    name, _, direction = text.partition(" ")
    if name not in table or direction.strip().lower() not in ("", "asc", "desc"):
        raise bad_syntax(f"Invalid orderby clause '{text}'.")
    return name, direction.strip().lower() == "desc"


def _judge(options: Options, advanced: bool, query: Mapping[str, str]) -> None:
    """Refuse the combinations that Graph refuses. `advanced` is the header together with $count=true."""
    if options.search and not options.advanced:
        raise unsupported(
            "Request with $search query parameter only works through MSGraph with a special request header: "
            "'ConsistencyLevel: eventual'"
        )
    if options.filter and options.filter.advanced_for and not advanced:
        raise unsupported(
            f"Operator '{options.filter.advanced_for}' is not supported without the advanced query capabilities; "
            "add $count=true and the header ConsistencyLevel: eventual."
        )
    if options.order and not advanced and (options.order[0] not in PLAIN_ORDER or options.narrowed):
        raise unsupported("Sorting not supported for current query.")
    if options.expand is None:
        return
    if options.advanced:
        raise unsupported("$expand is not supported together with advanced queries.")
    if options.expand.partition("(")[0] not in EXPANDABLE:
        raise bad_syntax(f"Could not expand '{query['$expand']}': one known relationship at a time.")
