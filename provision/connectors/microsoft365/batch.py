"""Several calls in one round trip: Graph's ``$batch``.

Owns the envelope and giving every call its own answer; never decides what an answer means, and never sends a write again
whose effect is in doubt. https://learn.microsoft.com/graph/json-batching
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from provision.connectors.http import Answer
from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import OutsideError, Refused

MOST = 20
"""Calls that one batch may hold."""

RIGHT = "User.ReadWrite.All"
JSON = {"Content-Type": "application/json"}

log = structlog.get_logger("provision.connectors")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a batch. ``path`` is a template filled with quoted ``names``; ``right`` is the permission it needs.

    ``reference`` goes along as its client-request-id.
    """

    method: str
    path: str
    right: str
    reference: str
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_read(self) -> bool:
        return self.method == "GET"


class _Envelope(msgspec.Struct):
    responses: list[Any]


_decode = msgspec.json.Decoder(_Envelope).decode


def exchange(graph: Graph, calls: Sequence[Call]) -> list[Answer | OutsideError]:
    """Send up to twenty calls that do not depend on each other; return for each, in the same order, what it met.

    An answer may have any status. An error stands where there is none: the one of the whole batch, or Unreachable with
    ``sent`` where the batch said nothing, or something twice, about this call.
    """
    replies = _post(graph, calls)
    refused = [number for number, reply in enumerate(replies) if isinstance(reply, Answer) and reply.status == 401]
    if refused:
        # Revoked on the way, for some of them: nothing was carried out, so one new token and one repeat.
        for number, reply in zip(refused, _once_more(graph, [calls[number] for number in refused]), strict=True):
            replies[number] = reply
    return replies


def _once_more(graph: Graph, calls: Sequence[Call]) -> list[Answer | OutsideError]:
    try:
        graph.renew()
    except OutsideError as error:
        return [error] * len(calls)
    return _post(graph, calls)


def _post(graph: Graph, calls: Sequence[Call]) -> list[Answer | OutsideError]:
    body = {"requests": [_item(graph, number, call) for number, call in enumerate(calls)]}
    try:
        # Escaped to ASCII: whatever a text holds, encoding it does not fail here, and Microsoft judges it.
        answer = graph.send("POST", "/$batch", json.dumps(body).encode(), right=RIGHT)
        envelope = answer.decoded(_decode)
    except OutsideError as error:
        if len(calls) > 1 and isinstance(error, Refused) and error.code != "permission_missing":
            # The batch as such was refused and nothing in it carried out: one call must not cost the others.
            middle = len(calls) // 2
            return _post(graph, calls[:middle]) + _post(graph, calls[middle:])
        return [error] * len(calls)
    return aligned(calls, envelope.responses, answer)


def aligned(calls: Sequence[Call], responses: Sequence[Any], outer: Answer) -> list[Answer | OutsideError]:
    """Give every call its response, in whatever order and number they came."""
    told: dict[str, Answer | None] = {}
    for response in responses:
        if isinstance(response, dict) and isinstance(response.get("id"), str):
            number = response["id"].lower()
            told[number] = None if number in told else _answer(response)
    replies: list[Answer | OutsideError] = []
    for number, call in enumerate(calls):
        reply = told.get(str(number))
        replies.append(outer.unexpected("item") if reply is None else reply)
        log.debug(
            "outside.item",
            method=call.method,
            path=call.path,
            outcome=reply.status if reply else "unanswered",
            request_id=reply.request_id if reply else None,
            client_request_id=call.reference,
        )
    return replies


def _item(graph: Graph, number: int, call: Call) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": str(number),
        "method": call.method,
        "url": graph.address(call.path, call.params, **call.names).removeprefix(graph.root),
        "headers": {"client-request-id": call.reference, **call.headers},
    }
    if call.body is not None:
        item["headers"] |= JSON
        item["body"] = dict(call.body)
    return item


def _answer(response: Mapping[str, Any]) -> Answer | None:
    status, given = response.get("status"), response.get("headers")
    if type(status) is not int or not 200 <= status <= 599:
        return None
    headers = {
        name.lower(): str(value)[:1000]
        for name, value in (given.items() if isinstance(given, dict) else ())
        if isinstance(value, str | int)
    }
    body = response.get("body")
    if body is not None:
        headers["content-type"] = "application/json"
    theirs = headers.get("request-id") or headers.get("client-request-id") or ""
    return Answer(status, headers, b"" if body is None else msgspec.json.encode(body), theirs[:64])
