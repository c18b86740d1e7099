"""Groups of any size: as many statements for many members as for few, whichever way a client moves them."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlmodel import select

from provision.core.tables import Event
from provision.house import House
from tests.cast import Cast, Clock
from tests.web.scim import GROUP, Pusher, crowd


@pytest.fixture
def okta(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


def values(numbers: list[str]) -> list[dict[str, str]]:
    return [{"value": each} for each in numbers]


WAYS = {
    "added at once": lambda ids: [{"op": "add", "path": "members", "value": values(ids)}],
    "added one by one": lambda ids: [{"op": "add", "path": "members", "value": values([each])} for each in ids],
    "removed as Entra does": lambda ids: [{"op": "Remove", "path": "members", "value": values(ids)}],
    "removed one by one": lambda ids: [{"op": "remove", "path": f'members[value eq "{each}"]'} for each in ids],
}


@pytest.mark.parametrize("way", WAYS)
def test_many_are_moved_by_as_many_statements_as_few(okta: Pusher, house: House, way: str) -> None:
    ids = crowd(okta, 240)
    counted = []
    for group, (stay, move) in (("Few", (ids[:5], ids[5:10])), ("Many", (ids[:120], ids[120:]))):
        inside = stay if way.startswith("added") else [*stay, *move]
        number = okta.post("/Groups", {"schemas": [GROUP], "displayName": group, "members": values(inside)}).json["id"]  # type: ignore[index]
        sent: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_: Any, sent: list[str] = sent) -> None:
            sent.append(statement)

        sa.event.listen(house.db.engine, "before_cursor_execute", note)
        answer = okta.patch(f"/Groups/{number}", *WAYS[way](move))
        sa.event.remove(house.db.engine, "before_cursor_execute", note)
        assert answer.status_code == 204, answer.text
        counted.append(len(sent))
        after = [*stay, *move] if way.startswith("added") else stay
        assert [one["value"] for one in okta.get(f"/Groups/{number}").json["members"]] == after  # type: ignore[index]
    assert counted[0] == counted[1] < 40
    with house.db.reading() as session:
        told = session.exec(
            select(Event.action).where(Event.action.in_(["user.joined_group", "user.parted_group"]))
        ).all()  # type: ignore[attr-defined]
    assert len(told) == (5 + 5 + 120 + 120 if way.startswith("added") else 10 + 5 + 240 + 120)


def test_many_who_move_at_once_move_all_or_none(okta: Pusher) -> None:
    ids = crowd(okta, 20)
    body = {"schemas": [GROUP], "displayName": "Sales", "members": values(ids[:10])}
    number = okta.post("/Groups", body).json["id"]  # type: ignore[index]
    before = okta.get(f"/Groups/{number}")
    moves = [*WAYS["removed one by one"](ids[:5]), *WAYS["added one by one"]([*ids[10:], "999999"])]
    answer = okta.patch(f"/Groups/{number}", *moves)
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidValue")  # type: ignore[index]
    after = okta.get(f"/Groups/{number}")
    assert (after.json, after.headers["ETag"]) == (before.json, before.headers["ETag"])
