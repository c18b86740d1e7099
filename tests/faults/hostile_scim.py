"""Requests that no client means well with: filters, paths, bodies and headers, made by chance from what might hurt."""

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.web.scim import BULK, ENTERPRISE, GROUP, MEDIA, PATCH, USER

WORDS = (
    "userName",
    "externalId",
    "emails",
    "emails.value",
    'emails[type eq "work"]',
    "name.givenName",
    "members",
    "active",
    "meta.created",
    "id",
    "schemas",
    "password",
    "groups",
    f"{ENTERPRISE}:manager",
    f"{ENTERPRISE}:department",
    "addresses",
    "$ref",
    "__class__",
    "constructor",
    "a.b.c",
    "",
    ".",
    "urn:",
    "urn:x:y",
    "members[value eq",
    "emails[]",
    "título",
    "\u202e",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    10**40,
    1e308,
    "",
    " ",
    "x",
    "x" * 5000,
    "\0",
    "\ud800",
    "\u202e",
    "'; DROP TABLE accounts;--",
    "${jndi:ldap://x}",
    "<script>",
    "../../etc/passwd",
    "%s%n",
    [],
    {},
    [[]],
    [None],
    {"value": None},
    {"value": []},
    [{"value": {}}],
    [{"value": "1"}, {"value": "1"}],
    {"": ""},
    "2026-11-23T00:00:00Z",
    "True",
    "False",
    "null",
    "bulkId:x",
    "\\",
    '"',
    "(",
    "]",
)
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "EQ", "xx", "", "and", "not")
PATHS = (
    "/Users",
    "/Groups",
    "/Users/1",
    "/Groups/2",
    "/Users/999999",
    "/Users/x",
    "/Bulk",
    "/Me",
    "/Schemas",
    "/ResourceTypes/User",
    "/ServiceProviderConfig",
    "/.search",
    "/Users/.search",
    "/",
    "/Users/1/2",
    "/users",
    "/Users/%00",
    "/Users/..%2f",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def requests(seed: int, number: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path, and what else goes along; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(number):
        method, path = chance.choice(METHODS), chance.choice(PATHS)
        more: dict[str, Any] = {"query_string": dict(_query(chance)), "headers": dict(_headers(chance))}
        if method in ("POST", "PUT", "PATCH") or chance.random() < 0.1:
            more["data"] = _body(chance, method, path)
        yield method, path, more


def _query(chance: random.Random) -> Iterator[tuple[str, str]]:
    if chance.random() < 0.6:
        yield "filter", _filter(chance, 0)
    for name in ("sortBy", "attributes", "excludedAttributes"):
        if chance.random() < 0.2:
            yield name, _storable(chance.choice(WORDS))
    for name in ("count", "startIndex", "cursor", "sortOrder"):
        if chance.random() < 0.2:
            yield name, _storable(str(chance.choice(VALUES)))


def _filter(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if kind < 0.2 and depth < 8:
        return f"({_filter(chance, depth + 1)})"
    if kind < 0.4 and depth < 8:
        return f"{_filter(chance, depth + 1)} {chance.choice(('and', 'or', 'xor'))} {_filter(chance, depth + 1)}"
    if kind < 0.5:
        return f"not ({_filter(chance, depth + 1)})" if depth < 8 else "not"
    word, operator, value = _storable(chance.choice(WORDS)), chance.choice(OPERATORS), chance.choice(VALUES)
    if kind < 0.6:
        word = f"{word}[{chance.choice(WORDS)} {operator} {json.dumps(value)}]"
    return f"{_storable(word)} {operator} {json.dumps(value)}"


def _headers(chance: random.Random) -> Iterator[tuple[str, str]]:
    if chance.random() < 0.2:
        yield (
            "Content-Type",
            chance.choice(("text/plain", "application/json", "", "application/scim+json;charset=x", "*/*")),
        )
    else:
        yield "Content-Type", MEDIA
    if chance.random() < 0.2:
        yield chance.choice(("If-Match", "If-None-Match")), chance.choice(("*", 'W/"1"', '"', "W/", "x" * 300))


def _body(chance: random.Random, method: str, path: str) -> bytes:
    kind = chance.random()
    if kind < 0.1:
        return chance.choice((b"", b"{", b"[1,", b"\xff", b"[" * 3000, b"null", b"7", b'"x"', b"{}" * 3))
    if kind < 0.4:
        return _encoded(_anything(chance, 0))
    if path == "/Bulk":
        operations = [
            {
                "method": chance.choice((*METHODS, "FOO", None)),
                "path": chance.choice(PATHS),
                "bulkId": chance.choice(("a", "b", None)),
                "data": _resource(chance),
                "version": chance.choice((None, 'W/"1"', "")),
            }
            for _ in range(chance.randrange(4))
        ]
        return _encoded(
            {"schemas": [BULK], "Operations": operations, "failOnErrors": chance.choice((None, 0, 1, -1, "x"))}
        )
    if method == "PATCH":
        operations = [
            {
                "op": chance.choice(("add", "Add", "replace", "remove", "Remove", "move", None)),
                "path": chance.choice((*WORDS, None)),
                "value": chance.choice((_resource(chance), chance.choice(VALUES))),
            }
            for _ in range(chance.randrange(4))
        ]
        return _encoded({"schemas": [PATCH], "Operations": operations})
    return _encoded(_resource(chance))


def _resource(chance: random.Random) -> Any:
    body: dict[str, Any] = {"schemas": chance.choice(([USER], [GROUP], [USER, ENTERPRISE], [], None, "x"))}
    for name in (
        "userName",
        "displayName",
        "active",
        "emails",
        "members",
        "name",
        "meta",
        "id",
        "externalId",
        ENTERPRISE,
        "title",
    ):
        if chance.random() < 0.4:
            body[name] = chance.choice(
                (chance.choice(VALUES), f"p{chance.randrange(50)}@there.example", _anything(chance, 3))
            )
    return body


def _anything(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if kind < 0.3 and depth < 6:
        return [_anything(chance, depth + 1) for _ in range(chance.randrange(3))]
    if kind < 0.6 and depth < 6:
        return {chance.choice(WORDS): _anything(chance, depth + 1) for _ in range(chance.randrange(3))}
    return chance.choice(VALUES)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _storable(text: str) -> str:
    """A lone surrogate cannot travel in an address."""
    return text.encode("utf-8", "replace").decode()
