"""What drifted, as a person reads it: which attribute of whom, what is there, what belongs there, what may be chosen.

Reads only. Both sides are compared anew for what is shown, so a value that is in line again says so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core.mapping import Change, Row
from provision.core.planning import LICENCE
from provision.core.ports import ENABLED, LICENCES, MANAGER
from provision.core.profile import REQUIRED
from provision.core.tables import Account, Connector, Drift, User
from provision.core.vocabulary import USER_ATTRIBUTES, DriftChoice, Feature, MappingKind, Situation
from provision.db import among, for_pointing
from provision.services import mappings, outbox
from provision.services.outbox import App
from provision.services.users import shown

DRIFTS: sa.Table = Drift.__table__  # type: ignore[attr-defined]
_ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
_NAMES = ("display_name", "given_name", "surname", "email", "username")
MANY = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """One attribute of one account. ``ours`` belongs there, ``theirs`` is there.

    ``accepts``: our attribute that would take theirs; None where nothing flows in. ``bars``: remedy codes why it cannot be
    accepted (``accept``) or pushed back (``push``). ``over``: it is in line again, or has changed since it was noted.
    """

    id: int
    account_id: int
    user_id: int | None
    user: str
    address: str
    app_id: int
    app: str
    attribute: str
    label: str
    ours: str | None
    theirs: str | None
    choice: DriftChoice
    fingerprint: str
    seen_at: datetime
    chosen_by: str
    chosen_at: datetime | None
    accepts: str | None
    bars: Mapping[str, str]
    over: bool


@dataclass(frozen=True)
class Side:
    """One app as its drift is judged: its rules, and outside name → the attribute of ours that takes it.

    ``bosses``: the linked accounts that are somebody's manager in what differs now: anchor → number and name of the person.
    """

    app: App
    takes: Mapping[str, str]
    bosses: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def bars_push(self) -> str | None:
        """Why nothing is pushed back."""
        return None if self.app.rules.features.get(Feature.EDIT) else "edit_off"

    def bars_accept(self, one: Change) -> str | None:
        """Why this value cannot be accepted."""
        if one.attribute == ENABLED or one.attribute.startswith(LICENCE):
            return None
        if one.attribute == MANAGER:
            return None if one.was is None or one.was in self.bosses else "drift_manager_nobody"
        ours = self.takes.get(one.attribute)
        if ours is None:
            return "drift_flows_out_only"
        return "drift_cannot_be_empty" if one.was is None and ours in REQUIRED else None


def counts(session: Session, tenant_id: int, app_id: int | None = None, attribute: str = "") -> dict[DriftChoice, int]:
    """How many wait for a choice, and how many are left alone."""
    query = sa.select(DRIFTS.c.choice, sa.func.count()).where(*_where(tenant_id, app_id, attribute))
    found = dict.fromkeys(DriftChoice, 0)
    for choice, number in session.execute(query.group_by(DRIFTS.c.choice)):
        found[choice] = number
    return found


def open_by_app(session: Session, tenant_id: int) -> dict[int, int]:
    """By app, how many values wait for a choice."""
    query = sa.select(DRIFTS.c.connector_id, sa.func.count()).where(*_where(tenant_id, None, "", DriftChoice.OPEN))
    return dict(session.execute(query.group_by(DRIFTS.c.connector_id)).all())


def called(name: str, facts: Mapping[str, Any]) -> str:
    """What differs, as people read it: a licence by the name it is sold under."""
    if not name.startswith(LICENCE):
        return name
    sku = name.removeprefix(LICENCE)
    sold = (one for one in facts.get("seats") or () if str(one.get("sku", "")).lower() == sku)
    return next((f"Licence {one.get('name') or one.get('part')}" for one in sold), f"Licence {sku}")


def attributes(session: Session, tenant_id: int, choice: DriftChoice, app_id: int | None = None) -> dict[str, int]:
    """How often each attribute differs, the most frequent first."""
    number = sa.func.count()
    query = sa.select(DRIFTS.c.attribute, number).where(*_where(tenant_id, app_id, "", choice))
    return dict(session.execute(query.group_by(DRIFTS.c.attribute).order_by(number.desc(), DRIFTS.c.attribute)).all())


def listed(
    session: Session,
    tenant_id: int,
    kinds: Mapping[Any, Any],
    choice: DriftChoice,
    *,
    app_id: int | None = None,
    attribute: str = "",
    after: int = 0,
    limit: int = 50,
) -> list[Item]:
    """One page in order of id, in a handful of statements per app on it."""
    where = (*_where(tenant_id, app_id, attribute, choice), DRIFTS.c.id > after)
    return _items(session, tenant_id, kinds, where, limit)


def of_person(session: Session, tenant_id: int, kinds: Mapping[Any, Any], user_id: int) -> list[Item]:
    """Everything that differs for one person, whatever was chosen."""
    where = (DRIFTS.c.tenant_id == tenant_id, _ACCOUNTS.c.user_id == user_id)
    return _items(session, tenant_id, kinds, where, MANY)


def whole(
    session: Session, tenant_id: int, choice: DriftChoice, app_id: int | None = None, attribute: str = ""
) -> dict[int, str | None]:
    """A whole list as id → fingerprint, in order."""
    query = sa.select(DRIFTS.c.id, DRIFTS.c.fingerprint).where(*_where(tenant_id, app_id, attribute, choice))
    return {row.id: row.fingerprint for row in session.execute(query.order_by(DRIFTS.c.id))}


def sides(
    session: Session, tenant_id: int, kinds: Mapping[Any, Any], ids: Iterable[int], *, keep: bool = False
) -> dict[int, Side]:
    """These apps of the tenant; ``keep``: none of them is removed before this transaction ends."""
    wanted = sorted(set(ids))
    query = select(Connector).where(Connector.tenant_id == tenant_id, among(session, _CONNECTORS.c.id, wanted))
    query = query.order_by(col(Connector.id))
    found = {}
    for connector in session.exec(for_pointing(session, query) if keep else query).all():
        number = connector.id or 0
        takes = _takes(mappings.rows(session, tenant_id, number))
        found[number] = Side(outbox.app_of(session, connector, kinds), takes)
    return found


def present(session: Session, side: Side, accounts: Iterable[int], *, lock: bool = False) -> dict[int, outbox.Met]:
    """These accounts of an app with what differs at this moment; ``lock`` keeps them as they are."""
    wanted = among(session, _ACCOUNTS.c.id, sorted(set(accounts)))
    rows = outbox.accounts(session, side.app, wanted, lock=lock)
    found = {met.account["id"]: met for met in outbox.drifting(session, side.app, rows)}
    managers = (one for met in found.values() for one in met.differs if one.attribute == MANAGER)
    anchors = {anchor for one in managers for anchor in (one.was, one.becomes) if anchor}
    side.bosses.update(_bosses(session, side.app.id, anchors))
    return found


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _where(tenant_id: int, app_id: int | None, attribute: str = "", choice: DriftChoice | None = None) -> list[Any]:
    """By connector, because that is what the index begins with."""
    own = sa.select(_CONNECTORS.c.id).where(_CONNECTORS.c.tenant_id == tenant_id)
    where: list[Any] = [DRIFTS.c.connector_id.in_(own if app_id is None else own.where(_CONNECTORS.c.id == app_id))]
    if attribute:
        where.append(DRIFTS.c.attribute == attribute)
    if choice is not None:
        where.append(DRIFTS.c.choice == choice)
    return where


def _bosses(session: Session, app_id: int, anchors: Collection[str]) -> dict[str, tuple[int, str]]:
    if not anchors:
        return {}
    query = (
        sa.select(_ACCOUNTS.c.anchor, _USERS.c.id, *(_USERS.c[name] for name in _NAMES))
        .join(_USERS, _USERS.c.id == _ACCOUNTS.c.user_id)
        .where(_ACCOUNTS.c.connector_id == app_id, among(session, _ACCOUNTS.c.anchor, anchors))
        .where(_ACCOUNTS.c.situation == Situation.LINKED.value)
    )
    return {row["anchor"]: (row["id"], shown(row)) for row in session.execute(query).mappings()}


def _takes(rows: Sequence[Row]) -> dict[str, str]:
    """Outside name → our attribute, where a plain row lets a value in."""
    takes: dict[str, str] = {}
    for row in rows:
        if row.flows_in and row.kind is MappingKind.ATTRIBUTE and row.ours not in takes.values():
            takes.setdefault(row.theirs, row.ours)
    return takes


def _items(session: Session, tenant_id: int, kinds: Mapping[Any, Any], where: Iterable[Any], limit: int) -> list[Item]:
    query = (
        sa.select(
            *DRIFTS.c,
            _ACCOUNTS.c.name.label("sign_in"),
            _USERS.c.id.label("user_id"),
            *(_USERS.c[name] for name in _NAMES),
        )
        .join(_ACCOUNTS, _ACCOUNTS.c.id == DRIFTS.c.account_id)
        .outerjoin(_USERS, _USERS.c.id == _ACCOUNTS.c.user_id)
        .where(*where)
        .order_by(DRIFTS.c.id)
        .limit(limit)
    )
    rows = list(session.execute(query).mappings())
    apps = sides(session, tenant_id, kinds, (row["connector_id"] for row in rows)) if rows else {}
    differs: dict[tuple[int, str], Change] = {}
    for number, side in apps.items():
        ids = (row["account_id"] for row in rows if row["connector_id"] == number)
        for account, met in present(session, side, ids).items():
            differs.update({(account, one.attribute): one for one in met.differs})
    return [_item(row, apps[row["connector_id"]], differs.get((row["account_id"], row["attribute"]))) for row in rows]


def _item(row: Any, side: Side, now: Change | None) -> Item:
    name = row["attribute"]
    label = next((one.label for one in side.app.schema if one.name == name and one.label), called(name, side.app.facts))
    takes = {ENABLED: "lifecycle", MANAGER: "manager_id"}.get(name) or side.takes.get(name)
    takes = LICENCES if name.startswith(LICENCE) else takes
    ours, theirs = (now.becomes, now.was) if now else (None, None)
    if name == MANAGER:
        ours, theirs = (side.bosses.get(one or "", (0, one))[1] for one in (ours, theirs))
    over = now is None or now.fingerprint != row["fingerprint"]
    return Item(
        id=row["id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        user=shown({**row, "id": row["user_id"]}) if row["user_id"] else row["sign_in"],
        address=row["email"] or row["sign_in"],
        app_id=row["connector_id"],
        app=side.app.name,
        attribute=name,
        label={ENABLED: "Sign-in", MANAGER: "Manager"}.get(name) or USER_ATTRIBUTES.get(takes or "", label),
        ours=ours,
        theirs=theirs,
        choice=row["choice"],
        fingerprint=row["fingerprint"],
        seen_at=row["seen_at"],
        chosen_by=row["chosen_by"],
        chosen_at=row["chosen_at"],
        accepts=takes,
        bars={} if now is None else _bars(side, now),
        over=over,
    )


def _bars(side: Side, now: Change) -> dict[str, str]:
    bars = {"accept": side.bars_accept(now), "push": side.bars_push}
    return {answer: code for answer, code in bars.items() if code}
