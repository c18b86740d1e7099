"""People as plain rows, for scripts: every column, in order of name, read in portions. Changes nobody."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.tables import User
from provision.services.users.finding import Query, conditions

_AT_ONCE = 500


def records(session: Session, tenant_id: int, query: Query) -> Iterator[User]:
    """Everybody the query fits; its order and cursors are not read."""
    last: tuple[str, int] | None = None
    while True:
        wanted = select(User).where(*conditions(tenant_id, query)).order_by(col(User.name_key), col(User.id))
        if last is not None:
            beyond = sa.and_(col(User.name_key) == last[0], col(User.id) > last[1])
            wanted = wanted.where(sa.or_(col(User.name_key) > last[0], beyond))
        found = session.exec(wanted.limit(_AT_ONCE)).all()
        yield from found
        if len(found) < _AT_ONCE:
            return
        last = (found[-1].name_key, found[-1].id or 0)
