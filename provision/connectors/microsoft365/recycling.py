"""The recycle bin: who is in it, whether a name is, and how somebody comes back.

Owns reading and emptying it by restoring; never deletes anything for good.
https://learn.microsoft.com/graph/api/resources/directory#delete-and-restore
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import schema
from provision.connectors.microsoft365.batch import Call
from provision.connectors.microsoft365.bodies import SIGN_IN
from provision.connectors.microsoft365.delta import record_of
from provision.connectors.microsoft365.graph import EVENTUAL, LOW, Graph
from provision.connectors.microsoft365.stories import Story, Telling, read_object, undoubted
from provision.core.ports import Discarded, Refused, Taken, Unreachable

BIN = "/directory/deletedItems/microsoft.graph.user"
RESTORE = "/directory/deletedItems/{id}/restore"
RIGHT = "User.Read.All"
KEPT = timedelta(days=30)
DELETED = "deletedDateTime"
PAGES = 500
"""Pages after which a bin is taken for endless."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def discarded(graph: Graph, attributes: Sequence[str]) -> Iterator[Discarded]:
    """Yield everybody in the bin, newest first; the whole bin is read before the first. Raises the six errors."""
    params = {"$select": f"{schema.selection(attributes)},{DELETED}", "$top": "999"}
    link = graph.address(BIN, params)
    found: list[Discarded] = []
    for _ in range(PAGES):
        answer = graph.follow(link, template=BIN, headers=LOW)
        if answer.status != 200:
            raise graph.refusal(answer, RIGHT)
        people, onward = _page(answer)
        found += [_discarded(person, attributes) for person in people]
        if onward is None:
            return iter(sorted(found, key=lambda each: each.deleted_at or _LONG_AGO, reverse=True))
        if not graph.serves(onward):
            raise Unreachable("foreign_link", sent=False, request_id=answer.request_id)
        link = onward
    raise Unreachable("unexpected_reply", sent=False, reason="loop")


def twin(story: Story, name: str) -> Generator[Call, Answer, Discarded | None]:
    """Tell who in the bin had this sign-in name, the one deleted last; None when nobody had it.

    Deleted people carry their id in front of their name, so it is searched from its end. Where that is not offered, the
    bin is read whole. Raises the six errors, never in doubt: only reading happens here.
    """
    params = {"$select": f"id,{SIGN_IN},{DELETED}", "$top": "999"}
    literal = name.replace("'", "''")
    search = {"$filter": f"endsWith({SIGN_IN},'{literal}')", "$count": "true"}
    found: list[Discarded] = []
    try:
        found += _people((yield story.read(BIN, {**params, **search}, headers=EVENTUAL)))
    except Refused as error:
        if error.code == "permission_missing":
            raise
        found += yield from _everybody(story, params)
    same = [each for each in found if each.name.casefold() == name.casefold()]
    return max(same, key=lambda each: each.deleted_at or _LONG_AGO, default=None)


def restore(story: Story, name: str | None) -> Telling:
    """Bring somebody back, under another sign-in name if one is given. Raises Taken when the name has a new owner.

    Whoever comes back under another name also gives up those mail addresses that others have got meanwhile.
    """
    body: dict[str, Any] = {"newUserPrincipalName": name} if name else {}
    try:
        yield story.call("POST", RESTORE, body, id=story.anchor)
    except Taken as error:
        if not name or error.params.get("attribute") != "proxyAddresses":
            raise
        yield story.call("POST", RESTORE, {**body, "autoReconcileProxyConflict": True}, id=story.anchor)


def _everybody(story: Story, params: Mapping[str, str]) -> Generator[Call, Answer, list[Discarded]]:
    found: list[Discarded] = []
    for _ in range(PAGES):
        answer = yield story.read(BIN, params)
        people, link = _page(answer)
        found += [_discarded(person, ()) for person in people]
        if link is None:
            return found
        token = _token(link)
        if token is None:
            break
        params = {**params, "$skiptoken": token}
    raise Unreachable("unexpected_reply", sent=False, reason="links")


def _people(answer: Answer) -> list[Discarded]:
    return [_discarded(person, ()) for person in _page(answer)[0]]


def _page(answer: Answer) -> tuple[list[Any], str | None]:
    body = read_object(answer)
    people, link = body.get("value"), body.get("@odata.nextLink")
    if not isinstance(people, list) or not isinstance(link, str | None):
        raise undoubted(answer.unexpected("shape"))
    return people, link


def _discarded(person: Any, attributes: Sequence[str]) -> Discarded:
    deleted_at = schema.moment(person.get(DELETED)) if isinstance(person, dict) else None
    try:
        record = record_of(person, attributes)
    except Unreachable as error:
        raise undoubted(error) from None
    mangled = record.values.get(SIGN_IN)
    name = mangled.removeprefix(record.anchor.replace("-", "")) if isinstance(mangled, str) else ""
    return Discarded(
        record.anchor,
        name,
        {**record.values, SIGN_IN: name},
        deleted_at,
        deleted_at + KEPT if deleted_at is not None else None,
    )


def _token(link: str) -> str | None:
    try:
        return parse_qs(urlsplit(link).query).get("$skiptoken", [None])[0]
    except ValueError:
        return None
