"""Owns `$batch`: taking it apart, carrying the items out one by one, putting the answers together.
Never lets one item's failure become another's, unless it was said to depend on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.datastructures import Headers

from provision.sandbox.graph.errors import bad_syntax
from provision.sandbox.graph.validation import decode
from provision.sandbox.wire import Answer, Call, query_of

MOST_ITEMS = 20
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
ANSWER_TYPE = "application/json"


def answer(call: Call, carry_out: Callable[[Call], Answer]) -> Answer:
    """Answer 200 whatever became of the items; 400 for the whole when the batch itself isn't well-formed."""
    items = _items(call)
    statuses: dict[str, int] = {}
    responses = []
    for item in items:
        response = _respond(call, item, statuses, carry_out)
        statuses[item["id"].lower()] = response["status"]
        responses.append(response)
    # the order of responses means nothing; coming last first keeps clients from relying on it
    return Answer(200, {"responses": responses[::-1]}, content_type=ANSWER_TYPE)


def _items(call: Call) -> list[dict[str, Any]]:
    items = decode(call.json).get("requests")
    if not isinstance(items, list) or not items:
        raise bad_syntax("Invalid batch payload format: 'requests' is missing.")
    if len(items) > MOST_ITEMS:
        raise bad_syntax(f"Number of batch request steps exceeds the maximum value of {MOST_ITEMS}.")
    seen: set[str] = set()
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise bad_syntax("Invalid batch payload format: every request needs an 'id'.")
        if item["id"].lower() in seen:
            raise bad_syntax("Invalid batch payload format: request ids have to be unique.")
        for parent in item.get("dependsOn") or ():
            if str(parent).lower() not in seen:
                raise bad_syntax("Invalid batch payload format: 'dependsOn' names a request that is not before it.")
        seen.add(item["id"].lower())
    return items


def _respond(
    call: Call, item: Mapping[str, Any], statuses: Mapping[str, int], carry_out: Callable[[Call], Answer]
) -> dict[str, Any]:
    if any(statuses[str(parent).lower()] >= 400 for parent in item.get("dependsOn") or ()):
        return _refusal(item, 424, "FailedDependency", "A request this one depends on has failed.")
    url, method = item.get("url"), str(item.get("method", "")).upper()
    if not isinstance(url, str) or "://" in url or method not in METHODS:
        return _refusal(item, 400, "BadRequest", "A method and a URL relative to the version are needed.")
    headers = {str(name): str(value) for name, value in (item.get("headers") or {}).items()}
    if item.get("body") is not None and "content-type" not in {name.lower() for name in headers}:
        return _refusal(item, 400, "BadRequest", "A request with a body needs a Content-Type header.")
    path, _, query = url.partition("?")
    body = json.dumps(item["body"]).encode() if item.get("body") is not None else b""
    single = replace(
        call, method=method, path=path, query=query_of(query), headers=Headers(headers), body=body, url=url
    )
    result = carry_out(single)
    response = {
        "id": item["id"],
        "status": result.status,
        "headers": {"Content-Type": ANSWER_TYPE} | dict(result.headers),
    }
    if result.body is not None:
        response["body"] = result.body.decode("utf-8", "replace") if isinstance(result.body, bytes) else result.body
    return response


def _refusal(item: Mapping[str, Any], status: int, code: str, message: str) -> dict[str, Any]:
    body = {"error": {"code": code, "message": message}}
    return {"id": item["id"], "status": status, "headers": {"Content-Type": ANSWER_TYPE}, "body": body}
