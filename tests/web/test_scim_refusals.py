"""What is refused at /scim/v2, each with its status and scimType in SCIM's own shape, and nothing of it half absorbed."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlmodel import SQLModel, select

from provision.core.tables import Account, Event, Group, GroupMember, Operation, Token, User
from provision.house import House
from provision.services import tokens
from tests.cast import Cast, Clock
from tests.services.outgoing import Desk
from tests.web.scim import BULK, ENTERPRISE, GROUP, PATCH, USER, Pusher

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
KEPT: tuple[type[SQLModel], ...] = (User, Account, Group, GroupMember, Operation, Event)


class Ground(Pusher):
    """A client with two people and a group, Office 365 behind them, and what all of it amounts to."""

    def settle(self) -> "Ground":
        self.jane, self.joe = self.hire("jane.doe", externalId="e1"), self.hire("joe.ray")
        self.old = self.get(f"/Users/{self.jane}").headers["ETag"]
        self.patch(f"/Users/{self.jane}", {"op": "replace", "path": "title", "value": "Lead"})
        members = [{"value": self.jane}]
        self.sales = self.post("/Groups", {"schemas": [GROUP], "displayName": "Sales", "members": members}).json["id"]  # type: ignore[index]
        return self

    def everything(self) -> list[Any]:
        with self.house.db.reading() as session:
            return [sorted(repr(row.model_dump()) for row in session.exec(select(table))) for table in KEPT]


@pytest.fixture
def ground(app: Flask, house: House, cast: Cast, clock: Clock) -> Ground:
    Desk(house, cast.contoso, clock)
    return Ground(app, house, cast.contoso, clock).settle()


def person(**values: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": "new@there.example", **values}


def patched(path: str, op: str = "replace", **value: Any) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": [{"op": op, "path": path, **value}]}


def hires(number: int) -> dict[str, Any]:
    deeds = [
        {"method": "POST", "path": "/Users", "bulkId": str(each), "data": person(userName=f"b{each}@there.example")}
        for each in range(number)
    ]
    return {"schemas": [BULK], "Operations": deeds}


def deep(depth: int) -> str:
    return "(" * depth + 'userName eq "x"' + ")" * depth


LONG = f'userName eq "{"x" * 2048}"'
TAKEN = "JANE.Doe@there.example"
Asked = Callable[[Ground], Any]


def filtered(text: str) -> Asked:
    return lambda on: on.get("/Users", query_string={"filter": text})


def searched(text: str, path: str = "/Users/.search") -> Asked:
    return lambda on: on.post(path, {"schemas": [SEARCH], "filter": text})


def hired(**values: Any) -> Asked:
    return lambda on: on.post("/Users", person(**values))


def jane(path: str, op: str = "replace", **value: Any) -> Asked:
    return lambda on: on.ask("PATCH", f"/Users/{on.jane}", patched(path, op, **value))


def stale(method: str, body: Any = None) -> Asked:
    return lambda on: on.ask(method, f"/Users/{on.jane}", body, headers={"If-Match": on.old})


def both(*operations: dict[str, Any], **more: Any) -> Asked:
    return lambda on: on.ask("PATCH", f"/Users/{on.jane}", {"schemas": [PATCH], "Operations": [*operations], **more})


TITLE = {"op": "replace", "path": "title", "value": "Boss"}
NOBODY = [{"value": "999"}]
REFUSED: dict[str, tuple[int, str | None, Asked]] = {
    "a schema that nobody knows": (400, "invalidSyntax", hired(schemas=["urn:nobody:knows"])),
    "the schema of a group for a person": (400, "invalidSyntax", hired(schemas=[GROUP])),
    "a patch with the schema of a person": (400, "invalidSyntax", both(TITLE, schemas=[USER])),
    "a filter of two kilobytes": (400, "invalidFilter", filtered(LONG)),
    "a filter of two kilobytes in a body": (400, "invalidFilter", searched(LONG)),
    "a filter twenty deep": (400, "invalidFilter", filtered(deep(20))),
    "a filter six deep": (400, "invalidFilter", filtered(deep(6))),
    "a filter twenty deep in a body": (400, "invalidFilter", searched(deep(20), "/.search")),
    "a filter that is no filter": (400, "invalidFilter", filtered("userName like x")),
    "a filter on what nobody keeps": (400, "invalidFilter", filtered('shoe eq "7"')),
    "sorting by what nobody can sort by": (400, "invalidPath", lambda on: on.get("/Users?sortBy=addresses.country")),
    "a patch to a path that is no path": (400, "invalidPath", jane("emails[", value="x")),
    "a patch to a value that is not there": (400, "noTarget", jane('emails[value eq "none@x.example"]', value="x")),
    "a patch that selects in a plain text": (400, "invalidFilter", jane('title[value eq "x"]', value="x")),
    "a patch that removes nothing in particular": (400, "noTarget", both({"op": "remove"})),
    "a patch of what only we set": (400, "mutability", jane("id", value="7")),
    "a patch of the groups of a person": (400, "mutability", jane("groups", value=[{"value": "1"}])),
    "a patch of nobody": (404, None, lambda on: on.ask("PATCH", "/Users/999999", patched("title", value="x"))),
    "a patch whose last operation is refused": (400, "mutability", both(TITLE, {**TITLE, "path": "id"})),
    "a name that is taken, created": (409, "uniqueness", hired(userName=TAKEN)),
    "a name that is taken, replaced": (
        409, "uniqueness", lambda on: on.ask("PUT", f"/Users/{on.joe}", person(userName=TAKEN)),
    ),
    "a name that is taken, patched": (
        409, "uniqueness", lambda on: on.ask("PATCH", f"/Users/{on.joe}", patched("userName", value=TAKEN)),
    ),
    "a name that is empty": (400, "invalidValue", hired(userName=" ")),
    "a stale version, replaced": (412, None, stale("PUT", person())),
    "a stale version, patched": (412, None, stale("PATCH", patched("title", value="x"))),
    "a stale version, deleted": (412, None, stale("DELETE")),
    "a thousand and one bulk operations": (413, None, lambda on: on.post("/Bulk", hires(1001))),
    "a thousand and one operations of a patch": (413, None, both(*[TITLE] * 1001)),
    "a body of more than a megabyte": (413, None, hired(title="x" * 1024 * 1024)),
    "a member that nobody knows": (
        400, "invalidValue", lambda on: on.post("/Groups", {"schemas": [GROUP], "displayName": "New", "members": NOBODY}),
    ),
    "a member that nobody knows, added": (
        400, "invalidValue", lambda on: on.ask("PATCH", f"/Groups/{on.sales}", patched("members", "add", value=NOBODY)),
    ),
    "a password": (400, "invalidValue", hired(password="Correct-Horse-7431")),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_scims_words_and_nothing_of_it_is_absorbed(ground: Ground, what: str) -> None:
    status, kind, ask = REFUSED[what]
    before = ground.everything()
    answer = ask(ground)
    assert answer.status_code == status, answer.text
    assert answer.content_type.startswith("application/scim+json")
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert (answer.json["status"], answer.json.get("scimType")) == (str(status), kind)
    assert answer.json["detail"]
    assert ground.everything() == before


@pytest.mark.parametrize("why", ["wrong", "expired", "revoked"])
def test_a_token_that_does_not_hold_changes_nothing(ground: Ground, clock: Clock, why: str) -> None:
    if why == "wrong":
        ground.token = ground.token[:-1] + ("A" if ground.token[-1] != "A" else "B")
    elif why == "expired":
        clock.forward(days=30)
    else:
        with ground.house.db.writing() as session:
            number = session.exec(select(Token.id)).one() or 0
            tokens.revoke(session, ground.tenant, ground.connector, number, "ada", clock())
    before = ground.everything()
    for method, body in (
        ("POST", person()),
        ("PUT", person()),
        ("PATCH", patched("title", value="x")),
        ("DELETE", None),
    ):
        answer = ground.ask(method, "/Users" if method == "POST" else f"/Users/{ground.jane}", body)
        assert (answer.status_code, answer.json["status"]) == (401, "401"), method  # type: ignore[index]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert ground.everything() == before


def test_a_patch_to_an_attribute_that_nobody_keeps_changes_nothing_and_is_no_error(ground: Ground) -> None:
    before = ground.everything()
    nowhere = ("shoeSize", "nobody.knows", "title.length", "urn:nobody:knows:2.0:User:title", f"{ENTERPRISE}:shoeSize")
    for path in nowhere:
        assert ground.ask("PATCH", f"/Users/{ground.jane}", patched(path, value="x")).status_code == 204, path
    assert ground.everything() == before


def test_of_a_bulk_request_what_is_good_is_done_and_what_is_not_is_told_apart(ground: Ground) -> None:
    body = hires(3)
    body["Operations"][1]["data"] = person(userName="jane.doe@there.example")
    body["Operations"].append({"method": "DELETE", "path": f"/Users/{ground.jane}", "version": ground.old})
    told = ground.post("/Bulk", body).json["Operations"]  # type: ignore[index]
    assert [one["status"] for one in told] == ["201", "409", "201", "412"]
    assert told[1]["response"]["scimType"] == "uniqueness"
    assert ground.get(f"/Users/{ground.jane}").status_code == 200


def test_a_bulk_request_stops_at_as_many_errors_as_its_client_allows(ground: Ground) -> None:
    body = {**hires(4), "failOnErrors": 1}
    body["Operations"][1]["data"] = person(userName="jane.doe@there.example")
    told = ground.post("/Bulk", body).json["Operations"]  # type: ignore[index]
    assert [one["status"] for one in told] == ["201", "409"]
    assert ground.get('/Users?filter=userName sw "b"').json["totalResults"] == 1  # type: ignore[index]
