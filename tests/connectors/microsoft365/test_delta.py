"""From bytes to pages: what a hostile answer may hold, and what of it gets through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import delta
from provision.core.ports import Page, Unreachable

HOME = "https://graph.example/"
NEXT = HOME + "v1.0/users/delta?$skiptoken=1"
DELTA = HOME + "v1.0/users/delta?$deltatoken=1"
WANTED = frozenset({"surname", "department"})
KIND = {"content-type": "application/json;odata.metadata=minimal;charset=utf-8"}


def read(body: Any, *, wanted: frozenset[str] = WANTED, headers: dict[str, str] = KIND) -> Page:
    text = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
    return delta.parse(Answer(200, headers, text), wanted, lambda link: link.startswith(HOME))


def page(*items: Any, **links: Any) -> dict[str, Any]:
    return {"@odata.context": "x", "value": list(items), **(links or {"@odata.nextLink": NEXT})}


def test_an_item_becomes_what_was_asked_for_and_nothing_else() -> None:
    (seen,) = read(page({"id": "a", "surname": "Å", "@odata.type": "#x", "manager@delta": [], "extension_x": 1})).seen
    assert (seen.anchor, dict(seen.values), seen.removed) == ("a", {"surname": "Å"}, None)


def test_what_is_null_is_empty_and_what_is_absent_did_not_change() -> None:
    (seen,) = read(page({"id": "a", "surname": None})).seen
    assert dict(seen.values) == {"surname": None}


def test_extension_attributes_are_flat_and_only_those_asked_for() -> None:
    wanted = WANTED | {"extensionAttribute2", "extensionAttribute7"}
    inner = {"extensionAttribute1": "no", "extensionAttribute2": "yes"}
    items = [{"id": "a", delta.EXTENSION_HOLDER: inner}, {"id": "b", delta.EXTENSION_HOLDER: None}, {"id": "c"}]
    assert [dict(seen.values) for seen in read(page(*items), wanted=wanted).seen] == [
        {"extensionAttribute2": "yes", "extensionAttribute7": None},
        {"extensionAttribute2": None, "extensionAttribute7": None},
        {},
    ]


BOUND = WANTED | {"manager", "userPrincipalName"}


def managers(*items: Any, everybody: bool) -> list[Any]:
    text = json.dumps(page(*items)).encode()
    found = delta.parse(Answer(200, KIND, text), BOUND, lambda link: link.startswith(HOME), everybody=everybody)
    return [seen.values.get("manager", "unsaid") for seen in found.seen]


def test_a_manager_travels_as_a_relationship_and_arrives_as_an_id() -> None:
    now, gone = {"id": "b"}, {"id": "c", "@removed": {"reason": "deleted"}}
    items = [{"id": str(n), "manager@delta": each} for n, each in enumerate(([now], [gone, now], [gone], []))]
    assert managers(*items, everybody=False) == ["b", "b", None, None]


def test_in_a_walk_over_everybody_nobody_named_is_nobody_but_only_where_the_person_is_shown_whole() -> None:
    whole, part = {"id": "a", "userPrincipalName": "a@x"}, {"id": "b", "surname": "B"}
    assert managers(whole, part, everybody=True) == [None, "unsaid"]
    assert managers(whole, part, everybody=False) == ["unsaid", "unsaid"]


@pytest.mark.parametrize("bond", [7, {"id": "b"}, [None], [{"id": 7}], [{"id": ""}], [{"id": "x" * 129}], [{}]])
def test_a_relationship_of_no_known_shape_costs_the_page(bond: Any) -> None:
    with pytest.raises(Unreachable):
        managers({"id": "a", "manager@delta": bond}, everybody=False)


@pytest.mark.parametrize(
    ("reason", "removed"),
    [("changed", "restorable"), ("deleted", "purged"), ("new word", "restorable"), (None, "restorable")],
)
def test_a_removal_is_for_good_only_when_it_says_so(reason: Any, removed: str) -> None:
    (seen,) = read(page({"id": "a", "surname": "x", "@removed": {"reason": reason}})).seen
    assert (seen.removed, dict(seen.values)) == (removed, {})


def test_links_tell_the_middle_from_the_end() -> None:
    middle, end = read(page()), read(page(**{"@odata.deltaLink": DELTA}))
    assert (middle.position, middle.watermark) == (NEXT, None)
    assert (end.position, end.watermark) == (None, DELTA)


UNUSABLE = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"{}",
    b"\xef\xbb\xbf{}",
    b"<html>",
    b'{"value":[],"@odata.nextLink":"' + NEXT.encode() + b'"} trailing',
    b'{"value":[{"id":"\xff"}],"@odata.nextLink":"' + NEXT.encode() + b'"}',
    b'{"value":[{"id":"a","surname":NaN}],"@odata.nextLink":"' + NEXT.encode() + b'"}',
    b'{"value":[{"id":"a","surname":1e999}],"@odata.nextLink":"' + NEXT.encode() + b'"}',
    b'{"value":[{"id":"a","surname":' + b"9" * 5000 + b'}],"@odata.nextLink":"' + NEXT.encode() + b'"}',
    b"[" * 200_000,
    b'{"value":[{"id":"a","surname":' + b"[" * 200_000,
    {"value": []},
    page(**{"@odata.nextLink": NEXT, "@odata.deltaLink": DELTA}),
    page(**{"@odata.nextLink": None}),
    page(**{"@odata.nextLink": 7}),
    page(**{"@odata.nextLink": ""}),
    page(**{"@odata.nextLink": ["x"]}),
    {"value": {}, "@odata.nextLink": NEXT},
    {"value": None, "@odata.nextLink": NEXT},
    {"value": "x", "@odata.nextLink": NEXT},
    {"@odata.nextLink": NEXT},
    page(None),
    page("x"),
    page(["id", "a"]),
    page({}),
    page({"id": None}),
    page({"id": 7}),
    page({"id": ""}),
    page({"id": "x" * 1000}),
    page({"id": ["a"]}),
    page({"id": "a", "@removed": "yes"}),
    page({"id": "a", "@removed": None}),
    page({"id": "good", "surname": "x"}, {"surname": "without a name"}),
]


@pytest.mark.parametrize("body", UNUSABLE, ids=lambda body: repr(body)[:40])
def test_an_answer_that_makes_no_sense_yields_nothing(body: Any) -> None:
    with pytest.raises(Unreachable) as raised:
        read(body)
    assert (raised.value.code, raised.value.sent) in {("unexpected_reply", True), ("foreign_link", True)}


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "", "application/xml", "application/jsonp"])
def test_an_answer_that_does_not_say_it_is_json_is_not_read(kind: str) -> None:
    with pytest.raises(Unreachable):
        read(page(), headers={"content-type": kind})


@pytest.mark.parametrize("link", ["@odata.nextLink", "@odata.deltaLink"])
def test_a_link_to_another_host_is_refused_with_the_whole_page(link: str) -> None:
    with pytest.raises(Unreachable) as raised:
        read(page({"id": "a"}, **{link: "https://evil.example/v1.0/users/delta"}))
    assert raised.value.code == "foreign_link"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
ITEMS = st.dictionaries(st.sampled_from(["id", "surname", "department", "@removed", "x"]), ANYTHING)


@given(st.lists(ITEMS, max_size=5) | ANYTHING, ANYTHING | st.just(NEXT), ANYTHING | st.none())
def test_any_json_is_a_page_or_an_unexpected_reply(value: Any, next_link: Any, delta_link: Any) -> None:
    try:
        parsed = read({"value": value, "@odata.nextLink": next_link, "@odata.deltaLink": delta_link})
    except Unreachable:
        return
    assert (parsed.position is None) != (parsed.watermark is None)
    assert (parsed.position or parsed.watermark or "").startswith(HOME)
    assert len(parsed.seen) == len(value)
    for seen in parsed.seen:
        assert isinstance(seen.anchor, str)
        assert seen.values.keys() <= WANTED
        text = json.dumps([seen.anchor, dict(seen.values)], ensure_ascii=False)
        text.encode()
        assert "\\u0000" not in text


@given(st.binary(max_size=200))
def test_any_bytes_are_an_unexpected_reply(body: bytes) -> None:
    with pytest.raises(Unreachable):
        read(body)


@given(st.integers(min_value=0, max_value=400))
def test_a_page_cut_anywhere_yields_nothing(at: int) -> None:
    whole = json.dumps(page({"id": "a", "surname": "Å 😀"}, {"id": "b", "department": "x" * 100})).encode()
    with pytest.raises(Unreachable):
        read(whole[: min(at, len(whole) - 1)])


def test_markup_and_line_breaks_are_only_text() -> None:
    value = '"><img src=x onerror=alert(1)>{{7*7}}\r\nBcc: x'
    (seen,) = read(page({"id": "a", "surname": value})).seen
    assert seen.values["surname"] == value
