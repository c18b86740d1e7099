"""How many accounts an app has there. Both brakes measure by it: each cycle asks, and whoever sends what takes away."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from provision.core.tables import Account

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
NO_GROUP: Any = sa.literal_column("+accounts.group_id").is_(None)
"""The condition that keeps groups' accounts out: cycles judge people. The plus keeps the index of groups out of the plan: to
SQLite, everybody who is no group would be one entry of that."""
LISTED: Any = sa.text("accounts.removed IS NULL AND accounts.situation <> 'gone'")
"""Neither gone nor about to go, in the words of the index that holds them."""
_THERE = sa.text("accounts.situation <> 'gone'")


def known(session: Session, connector_id: int) -> int:
    """People's accounts that are there, somebody's or nobody's."""
    return _counted(session, connector_id)[0]


def linked(session: Session, connector_id: int) -> int:
    """Those of them that are somebody's."""
    return _counted(session, connector_id)[1]


def _counted(session: Session, connector_id: int) -> tuple[int, int]:
    rows = session.execute(_COUNTS, {"connector": connector_id}).all()
    return sum(sign * number for sign, number, _ in rows), sum(sign * number for sign, _, number in rows)


def _counting(sign: int, *conditions: Any) -> Any:
    counts = (sa.func.count(), sa.func.count(ACCOUNTS.c.user_id))
    own = (ACCOUNTS.c.connector_id == sa.bindparam("connector"), NO_GROUP)
    return sa.select(sa.literal_column(str(sign)), *counts).where(*own, *conditions)


_COUNTS = sa.union_all(
    _counting(1, LISTED),
    _counting(1, ACCOUNTS.c.removed.is_not(None), _THERE),
    _counting(-1, ACCOUNTS.c.anchor.is_(None), _THERE),
)
"""Those not about to go, by an index alone; those that are, and without those that were never made: few each, and with an
index of their own. One condition for all would read every row of the app."""
