"""What a mapping would do: to one person before it is saved, and to everybody who is linked.

Owns reading and counting; never changes anybody.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.mapping import Change, Row, clean, compile_inbound, compile_outbound
from provision.core.planning import Rules, There, unlike
from provision.core.ports import Attribute
from provision.core.protection import Protection
from provision.core.tables import Account, User
from provision.core.vocabulary import USER_ATTRIBUTES, Lifecycle, Situation
from provision.services.errors import NotFound
from provision.services.mappings.attributes import flat

SAMPLE = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One row tried on one person: our value and theirs as they are now, and what the row would make of the target."""

    row: int
    outward: bool
    target: str
    was: str | None
    becomes: str | None
    moves: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many people would change on one side, how often each attribute, and a few of them by name."""

    people: int
    attributes: tuple[tuple[str, int], ...]
    sample: tuple[tuple[int, str, tuple[Change, ...]], ...]


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What a mapping means for the ``of`` linked people: *there* in the app, and *here* at the next import.

    ``synced`` of them are owned by a directory there and never written. ``unread`` attributes were never read yet, so
    what is there, and what they would bring, is known only after the next import.
    """

    of: int
    synced: int
    there: Tally
    here: Tally
    unread: tuple[str, ...]


def preview(
    session: Session,
    tenant_id: int,
    connector_id: int,
    wanted: Sequence[Row],
    schema: Sequence[Attribute],
    user_id: int,
) -> list[Line]:
    """Try rows on a real person before they are saved. Raises NotFound, ExpressionError for rows not judged yet."""
    user = session.exec(select(User).where(User.tenant_id == tenant_id, User.id == user_id)).first()
    if user is None:
        raise NotFound("user_not_found")
    of_user = select(Account).where(Account.tenant_id == tenant_id, Account.connector_id == connector_id)
    account = session.exec(of_user.where(Account.user_id == user_id)).first()
    ours = flat({name: getattr(user, name) for name in USER_ATTRIBUTES}, user.extra)
    return list(_tried(wanted, schema, ours, account))


def would_change(
    session: Session, tenant_id: int, connector_id: int, wanted: Sequence[Row], schema: Sequence[Attribute]
) -> WouldChange:
    """What rows would do to everybody who is linked, in one statement. Expects judged rows."""
    outbound, inbound = compile_outbound(wanted, schema), compile_inbound(wanted)
    rules = Rules(outbound, {}, while_synced=frozenset(one.name for one in schema if one.while_synced))
    unread = {*inbound.attributes, *outbound.targets}
    there, here = _Count(), _Count()
    of = synced = 0
    for user_id, name, ours, observed, absorbed, standing in _linked(session, tenant_id, connector_id):
        of += 1
        unread -= observed.keys()
        base = absorbed or None
        taken = inbound.take(observed, ours, base, creating=False)
        here.add(user_id, name, [Change(a, ours.get(a), v) for a, v in _both(taken.values, taken.emptied)])
        synced += bool(standing.get("synced"))
        judged = Protection(synced=bool(standing.get("synced")))
        seen = There(Situation.LINKED, observed=observed, base=base, protection=judged)
        there.add(user_id, name, unlike(ours, seen, rules))
    return WouldChange(of, synced, there.tally(), here.tally(), tuple(sorted(unread)) if of else ())


def _linked(
    session: Session, tenant_id: int, connector_id: int
) -> Iterator[tuple[int, str, dict[str, str | None], dict[str, Any], dict[str, Any], dict[str, Any]]]:
    names = list(USER_ATTRIBUTES)
    query = (
        sa.select(
            col(User.id),
            col(User.extra),
            col(Account.observed),
            col(Account.absorbed),
            col(Account.standing),
            *(getattr(User, name) for name in names),
        )
        .join(User, sa.and_(col(User.id) == Account.user_id, col(User.tenant_id) == Account.tenant_id))
        .where(
            col(Account.tenant_id) == tenant_id,
            col(Account.connector_id) == connector_id,
            col(Account.anchor).is_not(None),
            col(Account.situation) == Situation.LINKED,
            col(User.lifecycle) != Lifecycle.LEFT.value,
        )
        .order_by(col(User.id))
    )
    for user_id, extra, observed, absorbed, standing, *values in session.execute(query):
        ours = flat(dict(zip(names, values, strict=True)), extra or {})
        name = ours["display_name"] or ours["email"] or ours["username"] or str(user_id)
        yield user_id, name, ours, observed or {}, absorbed or {}, standing or {}


class _Count:
    """Counts people and attributes, and keeps the first few."""

    def __init__(self) -> None:
        self._people = 0
        self._attributes: Counter[str] = Counter()
        self._sample: list[tuple[int, str, tuple[Change, ...]]] = []

    def add(self, user_id: int, name: str, changes: Sequence[Change]) -> None:
        if not changes:
            return
        self._people += 1
        self._attributes.update(change.attribute for change in changes)
        if len(self._sample) < SAMPLE:
            self._sample.append((user_id, name, tuple(changes)))

    def tally(self) -> Tally:
        return Tally(self._people, tuple(self._attributes.most_common()), tuple(self._sample))


def _both(values: Mapping[str, str], emptied: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    yield from values.items()
    yield from ((name, None) for name in emptied)


def _tried(
    wanted: Sequence[Row], schema: Sequence[Attribute], ours: Mapping[str, str | None], account: Account | None
) -> Iterator[Line]:
    observed = dict(account.observed) if account else {}
    base = (account.absorbed or None) if account else None
    for index, row in enumerate(wanted):
        if row.flows_out:
            yield _outward(index, row, schema, ours, observed, base, creating=account is None)
        if row.flows_in and account is not None:
            yield _inward_line(index, row, ours, observed, base)


def _outward(
    index: int,
    row: Row,
    schema: Sequence[Attribute],
    ours: Mapping[str, str | None],
    observed: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    *,
    creating: bool,
) -> Line:
    one = compile_outbound([row], schema)
    sent = one.wanted(ours, observed, base=base, creating=creating)
    was = clean(observed.get(row.theirs))
    return Line(index, True, row.theirs, was, sent.get(row.theirs, was), row.theirs in sent)


def _inward_line(
    index: int,
    row: Row,
    ours: Mapping[str, str | None],
    observed: Mapping[str, Any],
    base: Mapping[str, Any] | None,
) -> Line:
    taken = compile_inbound([row]).take(observed, ours, base, creating=False)
    was = clean(ours.get(row.ours))
    becomes = None if row.ours in taken.emptied else taken.values.get(row.ours, was)
    return Line(index, False, row.ours, was, becomes, bool(taken))
