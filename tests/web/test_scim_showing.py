"""What is answered directly is what the library would answer, and a request builds and keeps nothing that it need not."""

import functools
import gc
import weakref
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask import Flask
from scim2_models import ListResponse, PatchOp, ScimFilter, SearchRequest

from provision.house import House
from provision.services import mappings
from provision.services.scim import searching
from tests.cast import Cast, Clock
from tests.faults.hostile_scim import VALUES, requests
from tests.web.scim import ENTERPRISE, GROUP, OURS, USER, Pusher, crowd, sent

BOUND: tuple[Any, ...] = (ListResponse, PatchOp, ScimFilter, SearchRequest)
PEOPLE: dict[str, dict[str, Any]] = {
    "bare": {"displayName": None, "name": None, "active": None},
    "full": {
        "externalId": "E1",
        "nickName": "Ny",
        "title": "Lead",
        "userType": "Employee",
        "preferredLanguage": "de",
        "locale": "de-CH",
        "timezone": "Europe/Zurich",
        "name": {"givenName": "Ann", "familyName": "Ný\u202e", "middleName": "X", "formatted": "Ann X"},
        "emails": [
            {"value": "a@x.example", "type": "work", "primary": True, "display": "A"},
            {"value": "b@x.example", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+41 1", "type": "mobile"}, {"value": "+41 2", "type": "work", "primary": True}],
        "addresses": [{"country": "CH", "locality": "Zürich", "type": "work", "formatted": "a\nb"}],
        ENTERPRISE: {"department": "D", "employeeNumber": "7", "manager": {"value": "1", "displayName": "Boss"}},
        OURS: {"privateEmail": "p@x.example", "shoeSize": "43"},
    },
    "empty": {"title": "", "emails": [], "phoneNumbers": [{}], ENTERPRISE: {}, "name": {"givenName": ""}, "active": False},
    "unknown": {"x": 1, "urn:x:y": {"z": 1}, ENTERPRISE: {"manager": {"value": "1", "x": 2}, "y": 3}},
}  # fmt: skip


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    with house.db.writing() as session:
        mappings.add_attribute(session, cast.contoso, "Shoe size", "ada", clock())
    return Pusher(app, house, cast.contoso, clock)


def made(okta: Pusher, name: str) -> str:
    answer = okta.post("/Users", {"schemas": [USER], "userName": f"{name}@there.example", **PEOPLE[name]})
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])  # type: ignore[index]


def agree(okta: Pusher) -> int:
    """Every resource is shown directly as the library shows it, which is asked by leaving out what nobody has."""
    count = 0
    for place in ("/Users", "/Groups"):
        plain, chosen = (
            okta.get(f"{place}?count=200{more}").json for more in ("", "&excludedAttributes=urn:no:body:x")
        )
        assert plain == chosen
        for one in plain["Resources"]:  # type: ignore[index]
            answers = [okta.get(f"{place}/{one['id']}{more}") for more in ("", "?excludedAttributes=urn:no:body:x")]
            assert answers[0].json == answers[1].json == one
            assert {each.headers["ETag"] for each in answers} == {one["meta"]["version"]}
            assert len({each.headers["Content-Location"] for each in answers}) == 1
            count += 1
    return count


def test_everybody_is_shown_directly_as_the_library_would_show_them(okta: Pusher) -> None:
    ids = [made(okta, name) for name in PEOPLE]
    for name in ("Sales", "Zürich"):
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in ids]}
        assert okta.post("/Groups", body).status_code == 201
    okta.post("/Groups", {"schemas": [GROUP], "displayName": "Nobody", "externalId": "g"})
    okta.patch(f"/Users/{ids[1]}", {"op": "remove", "path": "nickName"}, {"op": "remove", "path": "emails"})
    assert agree(okta) == len(ids) + 3
    assert okta.get(f"/Users/{ids[1]}").json[OURS]["shoeSize"] == "43"  # type: ignore[index]


@pytest.mark.parametrize(
    "attribute", ["title", "active", "emails", "name", "externalId", ENTERPRISE, OURS, "addresses"]
)
def test_whatever_is_taken_in_is_shown_directly_as_the_library_would_show_it(okta: Pusher, attribute: str) -> None:
    for number, value in enumerate(VALUES):
        okta.post("/Users", {"schemas": [USER], "userName": f"p{number}@there.example", attribute: value})
    assert agree(okta) > 2


def test_an_attribute_that_the_tenant_took_away_is_shown_no_more(okta: Pusher, house: House) -> None:
    number = made(okta, "full")
    with house.db.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM attributes"))
    assert "shoeSize" not in okta.get(f"/Users/{number}").json[OURS]  # type: ignore[index]
    assert agree(okta) == 1


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/Users/1000", 4),
        ("/Users?filter=userName eq \"p1003@there.example\"", 4),
        ("/Users?filter=externalId eq \"nobody\"", 3),
        ("/Users?count=100", 5),
    ],
)  # fmt: skip
def test_a_read_asks_the_database_a_handful_of_times(okta: Pusher, house: House, path: str, most: int) -> None:
    crowd(okta, 120)
    okta.get("/Users/1000")
    with sent(house) as statements:
        assert okta.get(path).status_code == 200
    assert len(statements) <= most, statements


def test_requests_build_no_class_anew(okta: Pusher) -> None:
    ids = crowd(okta, 3)
    assert okta.get("/Users?count=2").status_code == 200
    assert okta.get("/?filter=id pr").status_code == 200
    assert okta.get(f"/Users/{ids[0]}").status_code == 200
    assert okta.patch(f"/Users/{ids[0]}", {"op": "replace", "path": "title", "value": "x"}).status_code == 204
    before = [weakref.ref(one) for bound in BOUND for one in bound.__subclasses__()]
    assert len(before) >= len(BOUND)
    gc.collect()
    assert all(one() is not None for one in before)


def test_filters_of_any_shape_leave_the_statements_of_everybody_alone(okta: Pusher, house: House) -> None:
    crowd(okta, 3)
    okta.get("/Users?count=2")
    okta.get("/Users?filter=id pr")
    common: Any = house.db.engine._compiled_cache
    before = len(common)
    names = ("userName", "externalId", "title", "displayName", "nickName", "name.givenName")
    shapes = [f'{one} {op} "x" or {other} pr' for one in names for op in ("eq", "co", "gt") for other in names]
    for shape in shapes:
        assert okta.get(f"/Users?filter={quote(shape)}").status_code == 200
    longer = " or ".join(shapes[:8])
    held = len(searching.SHAPES)
    assert okta.get(f"/Users?filter={quote(longer)}").status_code == 200
    assert len(searching.SHAPES) == held <= searching.MOST_SHAPES * 1.5 + 1 < 2 * len(shapes)
    assert len(common) == before


def test_hostile_requests_fill_nothing_that_has_no_bound(okta: Pusher) -> None:
    """Whatever is remembered between requests has a bound, or does not grow with what clients send."""
    okta.app.testing = False
    list(map(functools.partial(_asked, okta), requests(50, 150)))
    before = unbounded()
    list(map(functools.partial(_asked, okta), requests(51, 150)))
    grown = {name: (before.get(name, 0), now) for name, now in unbounded().items() if now > before.get(name, 0) + 3}
    assert not grown


def _asked(okta: Pusher, request: tuple[str, str, dict[str, Any]]) -> None:
    method, path, more = request
    okta.ask(method, path, **more)


def unbounded() -> dict[str, int]:
    """What every cache without a bound holds."""
    gc.collect()
    found = {}
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper):
            told = one.cache_info()
            if told.maxsize is None:
                found[repr(one)] = told.currsize
    return found
