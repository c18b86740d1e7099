"""The whole road on the real stand-in cloud: ten thousand people, nobody changed there (and one here), ten changed."""

from collections import Counter
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlmodel import col, select

from provision.core.tables import Cycle, User
from provision.house import House
from provision.sandbox import Sandbox
from provision.services import events, users
from tests.cast import Cast
from tests.office import connected, order, run
from tests.sandbox.conftest import Caller

PEOPLE = 10_000
PERSONAL = ("users", "accounts", "mappings", "operations")


def counts(house: House) -> dict[str, Any]:
    with house.db.reading() as session:
        return session.exec(select(Cycle).order_by(Cycle.id.desc())).first().counts  # type: ignore[union-attr]


def test_ten_thousand_people_then_nobody_then_ten(house: House, cast: Cast) -> None:
    sandbox = Sandbox(house.settings.data_dir / "sandbox.db", users=PEOPLE, now=house.now)
    app = connected(house, cast.contoso, on=("import",))
    run(house, cast.contoso, app)
    first = counts(house)
    assert first["seen"] == first["created"] == PEOPLE
    with house.db.writing() as session:
        reports = select(User).where(col(User.manager_id).is_not(None)).order_by(col(User.id).desc())
        editor = session.exec(reports).first()
        assert editor is not None
        users.edit(session, cast.contoso, editor.id or 0, {"surname": "Ours"}, order(house))

    rows: Counter[str] = Counter()

    def count(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE", "DELETE"):
            rows[words[1] if words[0] == "UPDATE" else words[2]] += max(cursor.rowcount, 0)

    sa.event.listen(house.db.engine, "after_cursor_execute", count)
    run(house, cast.contoso, app)
    run(house, cast.contoso, app, full=True)
    assert counts(house)["unchanged"] == PEOPLE
    assert not any(rows[table] for table in PERSONAL)
    assert rows["events"] == rows["event_details"] == 4

    rows.clear()
    client = httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi))
    caller = Caller(sandbox, client).sign_in()
    people = caller.get("/users?$filter=userType eq 'Member'&$top=60&$select=id,onPremisesSyncEnabled")["value"]
    changed = [one["id"] for one in people if not one["onPremisesSyncEnabled"]][:10]
    for number in changed:
        assert caller.call("PATCH", f"/users/{number}", {"surname": "Changed"}).status_code == 204
    run(house, cast.contoso, app)
    assert counts(house)["updated"] == rows["users"] == rows["accounts"] == len(changed) == 10
    assert rows["mappings"] == rows["operations"] == 0
    assert rows["events"] == rows["event_details"] == 10 + 2
    with house.db.reading() as session:
        assert len(session.exec(select(User.id).where(User.surname == "Changed")).all()) == 10
        assert session.get(User, editor.id).surname == "Ours"  # type: ignore[union-attr]
        assert events.verify(session, cast.contoso) is None
    client.close()
    sandbox.close()
