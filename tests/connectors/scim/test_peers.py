"""A SCIM application that lies, stops short or cannot do much: scim2-server over HTTP, with faults between."""

from collections.abc import Iterator
from typing import Any

import pytest

from provision.connectors import KINDS, Reach, Secret, World, networks
from provision.connectors.http import Wire
from provision.connectors.scim import Scim
from provision.core.ports import (
    ENABLED,
    Missing,
    Outcome,
    OutsideError,
    Page,
    Record,
    Refused,
    Throttled,
    Unauthorised,
    Unreachable,
    WatermarkLost,
    Write,
)
from provision.core.vocabulary import Kind, OperationKind
from tests.fakes.grounds import Clock, Listener
from tests.fakes.scim import TOKEN, ScimServer, new

SPEC = KINDS[Kind.SCIM]
MAPPED = ("name.givenName", "name.familyName", "title", "emails.work", "department")
NOBODY = "00000000-0000-4000-8000-000000000000"
HERE = Reach(networks(["127.0.0.0/8"]))


@pytest.fixture
def stranger() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def target(there: ScimServer, *, token: str = TOKEN, outside_id: str | None = None, **more: Any) -> Scim:
    clock = Clock()
    config = SPEC.config.model_validate({"base_url": there.url, **more})
    world = World(clouds={}, reach=HERE, sleep=clock.sleep)
    built = SPEC.build(config, Secret(client_secret=token), outside_id, world)
    assert isinstance(built, Scim)
    return built


def change(anchor: str, kind: OperationKind = OperationKind.UPDATE, **more: Any) -> Write:
    return Write(kind, anchor, f"ref-{anchor[:8]}", **more)


def carried(one: Scim, *writes: Write) -> list[Outcome]:
    outcomes = list(one.carry(writes))
    assert len(outcomes) == len(writes)
    return outcomes


def record(outcome: Outcome) -> Record:
    assert outcome.error is None, (outcome.error, outcome.error.params)
    assert outcome.record is not None
    return outcome.record


def failure(outcome: Outcome) -> tuple[type[OutsideError], str]:
    assert outcome.error is not None
    return type(outcome.error), outcome.error.code


def walked(pages: Iterator[Page]) -> tuple[dict[str, Any], str | None]:
    people: dict[str, Any] = {}
    mark = None
    for page in pages:
        people |= {seen.anchor: dict(seen.values) for seen in page.seen}
        mark = page.watermark
    return people, mark


def crew(there: ScimServer, number: int) -> list[str]:
    return [there.add(f"crew{n:03}@fjordvik.example", name={"givenName": f"Crew {n}"}) for n in range(number)]


# -- Looking ---------------------------------------------------------------------------------------------------------------


def test_a_check_tells_what_the_application_can_and_what_can_be_mapped(there: ScimServer) -> None:
    crew(there, 3)
    found = target(there).check()
    assert found.facts["people"] == 3
    assert found.facts["abilities"]["patch"] is True
    names = {attribute.name for attribute in SPEC.attributes(found.facts)}
    assert {row.theirs for row in SPEC.default_mappings} <= names
    assert "addresses.home.locality" in names
    assert not {"password", "groups"} & names
    assert {line.name: line.state for line in found.permissions}["Small changes"] == "granted"
    assert [method for method, _ in there.calls if method != "GET"] == []


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"])
@pytest.mark.parametrize(
    ("what", "details"),
    [("status", {"status": 404}), ("status", {"status": 403}), ("html", {}), ("garbage", {}), ("empty", {})],
    ids=str,
)
def test_an_application_that_cannot_describe_itself_is_taken_at_the_standards_word(
    there: ScimServer, path: str, what: str, details: dict[str, Any]
) -> None:
    there.strike(what, "GET", path, **details)
    found = target(there).check()
    assert there.struck == [what]
    assert {row.theirs for row in SPEC.default_mappings} <= {one.name for one in SPEC.attributes(found.facts)}


def test_two_apps_on_one_address_are_two(there: ScimServer) -> None:
    assert target(there).check().outside_id != target(there).check().outside_id


def test_raw_mode_asks_nothing_of_what_it_can(there: ScimServer) -> None:
    one = target(there, discovery="raw")
    one.check()
    record(carried(one, new())[0])
    assert {path for _, path in there.calls} == {"/Users"}


def test_a_wrong_token_is_unauthorised_everywhere(there: ScimServer) -> None:
    wrong = target(there, token="not-the-token")
    with pytest.raises(Unauthorised) as raised:
        wrong.check()
    assert raised.value.code == "app_refused_us"
    assert {failure(each)[0] for each in carried(wrong, new(), new("ola"))} == {Unauthorised}
    with pytest.raises(Unauthorised):
        list(wrong.changes(MAPPED))
    assert there.people() == {}


# -- Reading ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("withhold", [(), ("sort",), ("filter", "sort")], ids=str)
def test_a_full_walk_ends_in_the_truth(withhold: tuple[str, ...]) -> None:
    there = ScimServer(most=7, withhold=withhold)
    anchors = crew(there, 30)
    people, _ = walked(target(there).changes(MAPPED))
    assert set(people) == set(anchors)
    assert people[anchors[3]]["name.givenName"] == "Crew 3"
    there.close()


def test_nobody_is_missed_when_somebody_leaves_in_the_middle_of_a_walk() -> None:
    there = ScimServer(most=5)
    anchors = crew(there, 23)
    ordered = [seen.anchor for page in target(there).changes(()) for seen in page.seen]
    pages = target(there).changes(MAPPED)
    found = {seen.anchor for seen in next(pages).seen}
    there.remove(ordered[0])
    there.remove(ordered[1])
    found |= {seen.anchor for page in pages for seen in page.seen}
    assert found >= set(anchors) - {ordered[0], ordered[1]}
    there.close()


def test_a_list_that_stops_short_is_no_list(there: ScimServer) -> None:
    crew(there, 5)
    there.strike("reshaped", "GET", "/Users", shape=lambda body: {**body, "totalResults": 9}, times=9)
    with pytest.raises(Unreachable) as raised:
        list(target(there).changes(MAPPED))
    assert raised.value.params["reason"] == "incomplete"


@pytest.mark.parametrize("what", ["html", "garbage", "empty", "large"])
def test_nonsense_yields_nothing(there: ScimServer, what: str) -> None:
    crew(there, 2)
    one = target(there, discovery="raw")
    there.strike(what, "GET", "/Users", times=9)
    with pytest.raises(Unreachable) as raised:
        list(one.changes(MAPPED))
    assert raised.value.code == "unexpected_reply"


def test_what_changed_since_is_read_where_it_can_be_searched_by_time(there: ScimServer) -> None:
    anchors = crew(there, 3)
    _, mark = walked(target(there).changes(MAPPED))
    there.edit(anchors[1], title="Mate")
    people, _ = walked(target(there).changes(MAPPED, watermark=mark))
    assert people[anchors[1]]["title"] == "Mate"


def test_an_application_that_ignores_the_search_has_lost_the_watermark(there: ScimServer) -> None:
    anchors = crew(there, 2)
    _, mark = walked(target(there).changes(MAPPED))

    def old(body: Any) -> Any:
        for row in body["Resources"]:
            row["meta"]["lastModified"] = "2001-01-01T00:00:00Z"
        return body

    there.strike("reshaped", "GET", "/Users", shape=old)
    with pytest.raises(WatermarkLost):
        list(target(there).changes(MAPPED, watermark=mark))
    assert len(anchors) == 2


def test_a_redirect_to_another_host_gets_no_request(there: ScimServer, stranger: Listener) -> None:
    crew(there, 1)
    one = target(there)
    one.check()
    for status in (301, 302, 307, 308):
        there.strike("redirect", "*", "/Users*", to=f"http://{stranger.host}/v2/Users", status=status, times=2)
        with pytest.raises(Unreachable):
            list(one.changes(MAPPED))
        assert isinstance(carried(one, new())[0].error, Unreachable)
    assert stranger.knocks() == 0


# -- Finding ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("withhold", [(), ("filter",)], ids=["by search", "by reading everybody"])
def test_a_person_is_found_by_mark_name_and_id(withhold: tuple[str, ...]) -> None:
    there = ScimServer(withhold=withhold)
    crew(there, 4)
    one = target(there)
    anchor = record(carried(one, new())[0]).anchor
    for key in ({"externalId": "C-nora"}, {"userName": "NORA@fjordvik.example"}, {"anchor": anchor}):
        found = one.find(MAPPED, **key)
        assert found is not None
        assert (found.anchor, found.values["department"]) == (anchor, "Kombüse & Deck")
    there.close()


@pytest.mark.parametrize(
    "key",
    [
        {"anchor": NOBODY},
        {"anchor": "../ServiceProviderConfig"},
        {"anchor": "a/b?c#d%2e"},
        {"anchor": ""},
        {"anchor": "x" * 300},
        {"userName": 'a" or userName pr or "'},
        {"userName": "\\"},
        {"externalId": "ø\u2028æ"},
        {"employeeNumber": ""},
    ],
    ids=str,
)
def test_nobody_is_found_where_nobody_is(there: ScimServer, key: dict[str, str]) -> None:
    crew(there, 2)
    assert target(there).find(MAPPED, **key) is None


def test_a_search_that_finds_everybody_is_no_search(there: ScimServer) -> None:
    """An application that ignores filters would have anybody be anybody."""
    crew(there, 3)
    one = target(there)
    anchor = record(carried(one, new())[0]).anchor
    everybody = there.people()

    def all_of_them(body: Any) -> Any:
        return {**body, "totalResults": len(everybody), "Resources": list(everybody.values())}

    there.strike("reshaped", "GET", "/Users", shape=all_of_them)
    found = one.find(MAPPED, externalId="C-nora")
    assert found is not None
    assert found.anchor == anchor
    there.strike("reshaped", "GET", "/Users", shape=all_of_them)
    assert one.find(MAPPED, externalId="C-somebody-else") is None


def test_an_answer_about_somebody_else_is_none(there: ScimServer) -> None:
    (anchor,) = crew(there, 1)
    there.strike("wrong_id", "GET", "/Users/*")
    with pytest.raises(Unreachable):
        target(there).find(MAPPED, anchor=anchor)


# -- Creating --------------------------------------------------------------------------------------------------------------


def test_who_was_created_is_there_as_sent_and_marked(there: ScimServer) -> None:
    made = record(carried(target(there), new())[0])
    (row,) = there.people().values()
    assert (row["id"], row["externalId"], row["active"]) == (made.anchor, "C-nora", True)
    assert row["emails"] == [{"type": "work", "value": "nora@fjordvik.example", "primary": True}]
    assert {**made.values, **new().values} == made.values


def test_a_password_goes_only_where_passwords_are_kept(there: ScimServer) -> None:
    sent: list[Any] = []
    original = Wire.send

    def spy(self: Wire, method: str, url: str, **more: Any) -> Any:
        sent.append((method, more.get("content") or b""))
        return original(self, method, url, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "send", spy)
        carried(target(there), new())
        assert not any(b"Umbrella" in content for _, content in sent)
        with pytest.raises(Refused):
            target(there).set_password(NOBODY, "Loud-River-52-Ladder")
        keeping = target(there, passwords=True)
        anchor = record(carried(keeping, new("ola"))[0]).anchor
        keeping.set_password(anchor, "Loud-River-52-Ladder")
    bodies = [content for _, content in sent]
    assert any(b"Umbrella" in body for body in bodies)
    assert any(b"Loud-River" in body for body in bodies)
    with pytest.raises(Missing):
        keeping.set_password(NOBODY, "Loud-River-52-Ladder")


DOUBTFUL: list[tuple[str, dict[str, Any], int]] = [
    ("drop_after", {}, 1),
    ("drop_before", {}, 0),
    ("status_after", {"status": 500}, 1),
    ("status", {"status": 503}, 0),
    ("status", {"status": 503, "after": 3}, 0),
    ("html_after", {}, 1),
    ("garbage", {}, 0),
    ("empty", {}, 0),
]


@pytest.mark.parametrize(("what", "details", "made"), DOUBTFUL, ids=str)
def test_a_create_whose_answer_says_nothing_is_in_doubt_and_was_sent_once(
    there: ScimServer, what: str, details: dict[str, Any], made: int
) -> None:
    one = target(there)
    there.strike(what, "POST", "/Users", **details)
    (outcome,) = carried(one, new())
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent
    assert outcome.record is None
    assert (there.sent("POST"), len(there.people())) == (1, made)
    found = one.find(MAPPED, externalId="C-nora")
    assert (found is not None) is bool(made)


@pytest.mark.parametrize(
    "shape",
    [
        lambda body: {**body, "userName": "somebody.else@x.example"},
        lambda body: {**body, "externalId": "C-other"},
        lambda body: {**body, "id": 7},
        lambda body: {**body, "id": "x" * 300},
        lambda body: [body],
    ],
    ids=["another name", "another mark", "a number", "too long", "a list"],
)
def test_an_answer_about_another_person_leaves_a_create_in_doubt(there: ScimServer, shape: Any) -> None:
    there.strike("reshaped", "POST", "/Users", shape=shape)
    (outcome,) = carried(target(there), new())
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent


def test_a_slow_answer_is_given_up_and_the_create_is_in_doubt(
    there: ScimServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.connectors.http.FREE_PATIENCE", 2.0)
    there.strike("slow", "POST", "/Users")
    (outcome,) = carried(target(there), new())
    assert failure(outcome) == (Unreachable, "timed_out")
    assert outcome.error is not None
    assert outcome.error.params["host"] == "127.0.0.1"


def test_a_request_to_wait_meets_the_rest_without_a_call(there: ScimServer) -> None:
    one = target(there)
    there.strike("status", "POST", "/Users", status=429, after=17)
    outcomes = carried(one, *(new(f"n{number}") for number in range(5)))
    assert [error.after for each in outcomes if isinstance(error := each.error, Throttled)] == [17.0] * 5
    assert there.sent("POST") == 1


def test_a_refused_value_that_may_be_missing_does_not_hold_a_create_up(there: ScimServer) -> None:
    error = {"scimType": "invalidValue", "detail": "Attribute 'department' is not acceptable: Kombüse & Deck"}
    there.strike("status", "POST", "/Users", status=400, body=error)
    (outcome,) = carried(target(there), new())
    assert {name: each.code for name, each in outcome.left.items()} == {"department": "value_refused_there"}
    assert "department" not in record(outcome).values or record(outcome).values["department"] is None
    assert "Kombüse" not in repr(outcome.left["department"].params)


# -- Changing --------------------------------------------------------------------------------------------------------------

WAYS = [{"changes": "patch"}, {"changes": "replace"}]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_updating_twice_is_the_same_as_once_and_the_rest_stays(there: ScimServer, way: dict[str, str]) -> None:
    one = target(there, **way)
    anchor = record(carried(one, new())[0]).anchor
    values = {"title": "Mate", "department": None, "emails.work": "n@x.example", "phoneNumbers.mobile": "+47 1"}
    for _ in range(2):
        assert record(carried(one, change(anchor, values=values))[0]).values == values
    row = there.people()[anchor]
    assert (row["title"], row["name"]["familyName"]) == ("Mate", "O'Newcomer")
    assert row["emails"] == [{"type": "work", "value": "n@x.example", "primary": True}]
    found = one.find(list(values), anchor=anchor)
    assert found is not None
    assert {**found.values, **values} == found.values


@pytest.mark.parametrize("status", [405, 501])
def test_an_application_that_lies_about_small_changes_gets_whole_records(there: ScimServer, status: int) -> None:
    one = target(there)
    (anchor,) = crew(there, 1)
    there.strike("status", "PATCH", "*", status=status, times=99)
    for title in ("Mate", "Cook"):
        assert record(carried(one, change(anchor, values={"title": title}))[0])
        assert there.people()[anchor]["title"] == title
    assert there.sent("PATCH") == 1


def test_whole_records_are_not_written_over_what_somebody_else_changed_meanwhile(there: ScimServer) -> None:
    one = target(there, changes="replace")
    (anchor,) = crew(there, 1)
    there.witness = lambda method, _: there.edit(anchor, nickName="meanwhile") if method == "PUT" else None
    (outcome,) = carried(one, change(anchor, values={"title": "Mate"}))
    assert isinstance(outcome.error, Unreachable)
    assert not outcome.error.sent
    assert "title" not in there.people()[anchor]


def test_a_refused_value_is_left_and_the_rest_follows(there: ScimServer) -> None:
    one = target(there)
    (anchor,) = crew(there, 1)
    there.strike("status", "PATCH", "*", status=400, body={"scimType": "invalidValue", "detail": "title too long"})
    there.strike("status", "PATCH", "*", status=400, skip=1, body={"scimType": "invalidValue", "detail": "title"})
    values = {"title": "x", "nickName": "Nick"}
    (outcome,) = carried(one, change(anchor, OperationKind.DISABLE, values=values, enabled=False))
    assert outcome.record == Record(anchor, {"nickName": "Nick", "active": False})
    assert list(outcome.left) == ["title"]
    assert outcome.error is None


def test_a_refused_switch_is_left_under_its_own_name(there: ScimServer) -> None:
    (anchor,) = crew(there, 1)
    there.strike("status", "PATCH", "*", status=403, times=9)
    (outcome,) = carried(target(there), change(anchor, OperationKind.DISABLE, enabled=False))
    assert failure(outcome) == (Refused, "not_allowed_there")
    assert list(outcome.left) == [ENABLED]


@pytest.mark.parametrize("what", ["wrong_id", "drop_after", "html_after"])
def test_a_change_whose_answer_says_nothing_is_in_doubt(there: ScimServer, what: str) -> None:
    one = target(there, changes="replace")
    (anchor,) = crew(there, 1)
    there.strike(what, "PUT", "*")
    (outcome,) = carried(one, change(anchor, values={"title": "Mate"}))
    assert isinstance(outcome.error, Unreachable)
    assert outcome.error.sent
    assert there.sent("PUT") == 1


@pytest.mark.parametrize(
    "write",
    [
        change(NOBODY, values={"title": "Deck"}),
        change(NOBODY, values={"emails.work": "a@b.example"}),
        change(NOBODY, OperationKind.DISABLE, enabled=False),
        change(NOBODY, OperationKind.DELETE),
        change(NOBODY, OperationKind.RESTORE, enabled=True),
        change("../Groups/x", OperationKind.DELETE),
        change("", OperationKind.DELETE),
    ],
    ids=lambda write: f"{write.kind} {write.anchor[:9]} {sorted(write.values)}",
)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_not_there_is_missing(there: ScimServer, write: Write, way: dict[str, str]) -> None:
    (outcome,) = carried(target(there, **way), write)
    assert failure(outcome) == (Missing, "not_at_app")
    assert outcome.record is None


# -- Whatever goes wrong ---------------------------------------------------------------------------------------------------
