"""How many accounts an app has there: counted by indexes, and still exactly those that one plain look finds."""

import itertools
from typing import Any

from provision.core.tables import Account, Connector, Group, User
from provision.core.vocabulary import Situation
from provision.house import House
from provision.services import present
from tests.cast import Cast

FORMS = list(
    itertools.product(
        Situation,
        (None, "absent", "purged"),
        (True, False),
        (None, {"empties": ["title"]}),
        (None, "user_id", "group_id"),
    )
)
"""Situation, how it went, whether it was ever made, what went empty, and whose it is."""


def populated(house: House, tenant: int) -> tuple[int, list[dict[str, Any]]]:
    """An app with two accounts of each form, and another with one; the number of the first, and its accounts."""
    made = {"created_at": house.now()}
    dated = {**made, "changed_at": house.now()}
    rows: list[dict[str, Any]] = []
    with house.db.writing() as session:
        apps = [Connector(tenant_id=tenant, kind="microsoft365", name=name, **made) for name in ("A", "B")]
        session.add_all(apps)
        session.flush()
        for place, (app, form) in enumerate(itertools.product((apps[0], *apps), FORMS), 1):
            situation, removed, there, withheld, owner = form
            if owner == "user_id":
                session.add(User(id=place, tenant_id=tenant, email_key=f"p{place}", name_key="p", **dated))
            elif owner:
                session.add(Group(id=place, tenant_id=tenant, name="g", name_key="g", **dated))
            whose = {"user_id": None, "group_id": None, **({owner: place} if owner else {})}
            session.flush()
            row = {"tenant_id": tenant, "connector_id": app.id, "anchor": f"a{place}" if there else None, **whose}
            rows.append({**row, "name": f"n{place}", "situation": situation, "removed": removed, "withheld": withheld})
            session.add(Account(**rows[-1]))
        first = apps[0].id or 0
    return first, [row for row in rows if row["connector_id"] == first]


def test_accounts_are_counted_as_one_plain_look_counts_them(house: House, cast: Cast) -> None:
    app, rows = populated(house, cast.contoso)
    there = [row for row in rows if row["situation"] != Situation.GONE and row["anchor"] and row["group_id"] is None]
    with house.db.reading() as session:
        assert present.known(session, app) == len(there) > 0
        assert present.linked(session, app) == sum(row["user_id"] is not None for row in there) > 0
        assert present.known(session, 0) == present.linked(session, 0) == 0
