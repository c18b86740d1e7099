"""From rows to plans: an app's rules, and what is due for its accounts at this moment, many at a time.

Owns reading what a plan is made from; decides nothing and changes nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import limits, protection
from provision.core.mapping import compile_inbound, compile_outbound
from provision.core.planning import MARKED_IN, Brake, Gathering, Person, Plan, Rules, There, plan, plan_group
from provision.core.ports import Attribute
from provision.core.scoping import Scope, scope_of
from provision.core.tables import Account, Connector, Drift, Operation, User
from provision.core.vocabulary import (
    USER_ATTRIBUTES,
    Approval,
    ConnectorState,
    DriftChoice,
    Lifecycle,
    OperationState,
    Situation,
    WhenLeft,
    key,
)
from provision.db import among, for_pointing, for_update, once
from provision.services import mappings
from provision.services.outbox.gathering import gatherings

ACCOUNTS: sa.Table = Account.__table__  # type: ignore[attr-defined]
OPERATIONS: sa.Table = Operation.__table__  # type: ignore[attr-defined]
USERS: sa.Table = User.__table__  # type: ignore[attr-defined]
DRIFTS: sa.Table = Drift.__table__  # type: ignore[attr-defined]
_STAYS = {DriftChoice.OPEN: "drift_open", DriftChoice.ALONE: "drift_left_alone"}


UNFINISHED = (OperationState.PENDING, OperationState.RUNNING, OperationState.UNKNOWN, OperationState.BLOCKED)
WAITING = (OperationState.PENDING, OperationState.BLOCKED)
IN_FLIGHT = (OperationState.RUNNING, OperationState.UNKNOWN)

_ACCOUNT = (
    "id", "user_id", "group_id", "anchor", "name", "correlation", "situation", "enabled", "standing", "observed", "absorbed",
    "removed", "declined", "intent", "pushed", "given", "sent_at", "stale",
)  # fmt: skip
_USER = ("id", "lifecycle", "extra", "manager_id", "deleted_at", *USER_ATTRIBUTES)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class App:
    """What of an app a plan and its way out depend on.

    ``correlation``: the attribute that marks what we create; ``reads``: the outside names that matter to the mapping;
    ``groups``: groups and their members follow.
    """

    id: int
    tenant_id: int
    name: str
    rules: Rules
    facts: Mapping[str, Any]
    scope: Mapping[str, Any]
    approval: Approval
    state: ConnectorState
    brake: Brake
    hold: timedelta
    correlation: str | None
    schema: tuple[Attribute, ...]
    reads: tuple[str, ...]
    recycles: bool = True
    groups: bool = False
    meant: Scope = Scope()  # noqa: RUF009 - frozen, so one serves all

    @property
    def deleted(self) -> str:
        """What becomes of who is deleted there, as an import would say it."""
        return "restorable" if self.recycles else "purged"

    @property
    def domains(self) -> frozenset[str]:
        """The verified domains there, as keys; empty when they are not known."""
        return frozenset(key(one.get("name")) for one in self.facts.get("domains") or () if one.get("verified", True))

    @property
    def offered(self) -> tuple[str, ...]:
        """Those of them that surely take a new address, in order: neither federated nor of a kind that nobody knows."""
        doubtful = {key(one.get("name")) for one in self.facts.get("domains") or () if not one.get("managed", True)}
        return tuple(sorted(self.domains - self.federated - doubtful))

    @property
    def federated(self) -> frozenset[str]:
        """Those of them whose accounts come from a directory of their own, so that none can be created from here."""
        return frozenset(key(one.get("name")) for one in self.facts.get("domains") or () if one.get("federated"))

    @property
    def evidence(self) -> frozenset[str]:
        """The attributes by which something found there is known to be what we sent."""
        return self.rules.required | {self.rules.sign_in}

    def mark(self, account: Row) -> tuple[str, str] | None:
        """By which attribute and value a create of this account is found: as it was first sent, while that is open."""
        attribute = account["intent"].get(MARKED_IN, self.correlation)
        return (attribute, account["correlation"]) if attribute and account["correlation"] else None


@dataclass(frozen=True)
class Case:
    """One account, its person, and what is due. ``account["id"]`` is None when it has no row yet."""

    account: Row
    person: Row | None
    plan: Plan

    @property
    def names(self) -> dict[str, Any]:
        """What the log calls them."""
        person = self.person or {}
        if self.plan.group:
            return {"user": person.get("display_name") or self.account["name"], "address": "", "group": True}
        full = " ".join(part for part in (person.get("given_name"), person.get("surname")) if part)
        shown = person.get("display_name") or full or person.get("email") or self.account["name"]
        return {"user": shown, "address": person.get("email") or self.account["name"]}


def stands(column: Any, *states: OperationState) -> Any:
    """The condition that an operation is in one of these states, spelt out as the partial indexes spell it.

    SQLite uses a partial index only where its own condition stands in the query word for word, without parameters.
    """
    return column.in_([sa.literal_column(f"'{state.value}'") for state in states])


def app_of(session: Session, connector: Connector, kinds: Mapping[Any, Any]) -> App:
    """An app's fixed parts, its mapping compiled. Raises ExpressionError for rows that were never judged."""
    assert connector.id is not None  # noqa: S101 - it was read from the table
    spec = kinds[connector.kind]
    schema = spec.attributes(connector.facts)
    rows = mappings.rows(session, connector.tenant_id, connector.id)
    rules = Rules(
        outbound=compile_outbound(rows, schema),
        features=connector.features,
        when_left=WhenLeft(connector.when_left),
        sign_in=spec.sign_in,
        required=frozenset(one.name for one in schema if one.required and one.writable),
        while_synced=frozenset(one.name for one in schema if one.while_synced),
    )
    scope = connector.scope
    return App(
        id=connector.id,
        tenant_id=connector.tenant_id,
        name=connector.name,
        rules=rules,
        facts=connector.facts,
        scope=scope,
        approval=Approval(connector.approval),
        state=ConnectorState(connector.state),
        brake=limits.outgoing(scope),
        hold=limits.hold(scope),
        correlation=scope.get("correlation") or spec.correlation,
        schema=schema,
        recycles=spec.recycles,
        groups=_takes_groups(spec, connector),
        meant=scope_of(scope),
        reads=tuple(dict.fromkeys((*compile_inbound(rows).attributes, *rules.outbound.targets))),
    )


def _takes_groups(spec: Any, connector: Connector) -> bool:
    """Whether somebody wants it, and the application did not say that it keeps none."""
    able = (connector.facts.get("abilities") or {}).get("groups", True)
    return bool(spec.groups_if and connector.config.get(spec.groups_if) and able)


def apps(
    session: Session,
    tenant_id: int,
    kinds: Mapping[Any, Any],
    only: int | None = None,
    *,
    groups: bool = False,
    keep: bool = False,
) -> list[App]:
    """The apps of a tenant to which anything can be carried, in their order; ``groups``: those that groups follow to;
    ``keep``: none of them is removed before this transaction ends, and one that is being removed is none.
    """
    targets = [str(kind) for kind, spec in kinds.items() if spec.is_target]
    given = {"tenant": tenant_id, "only": only, "targets": targets}
    rows = session.exec((_kept_targets if keep else _targets)(session), params=given).all()
    return [app_of(session, row, kinds) for row in rows if not groups or _takes_groups(kinds[row.kind], row)]


@once
def _targets(session: Session) -> Any:
    only = sa.bindparam("only", type_=sa.BigInteger())
    return (
        select(Connector)
        .where(
            col(Connector.tenant_id) == sa.bindparam("tenant"),
            among(session, col(Connector.kind), "targets"),
            sa.or_(only.is_(None), col(Connector.id) == only),
        )
        .order_by(col(Connector.position), col(Connector.id))
    )


@once
def _kept_targets(session: Session) -> Any:
    return for_pointing(session, _targets(session))


def accounts(session: Session, app: App, *conditions: Any, lock: bool = False) -> list[Row]:
    """Account rows of an app in order of id; ``lock`` is what everybody takes who plans for an account and changes it."""
    query = sa.select(*(ACCOUNTS.c[name] for name in _ACCOUNT)).where(
        ACCOUNTS.c.tenant_id == app.tenant_id, ACCOUNTS.c.connector_id == app.id, *conditions
    )
    # The plus keeps SQLite from walking every account of a tenant in this order, only to spare itself sorting a few.
    query = query.order_by(sa.literal_column("+accounts.id"))
    return [dict(row) for row in session.execute(for_update(session, query) if lock else query).mappings()]


def people(session: Session, tenant_id: int, ids: Iterable[int | None]) -> dict[int, Row]:
    """People by id."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return {}
    query = sa.select(*(USERS.c[name] for name in _USER)).where(
        USERS.c.tenant_id == tenant_id, among(session, USERS.c.id, wanted)
    )
    return {row["id"]: dict(row) for row in session.execute(query).mappings()}


def blank(user_id: int) -> Row:
    """An account that has no row yet."""
    row: dict[str, Any] = dict.fromkeys(_ACCOUNT)
    empty: dict[str, Any] = {name: {} for name in ("observed", "absorbed", "standing", "intent", "pushed", "given")}
    return {**row, **empty, "name": "", "stale": False, "situation": Situation.ABSENT, "user_id": user_id}


def blank_group(group_id: int) -> Row:
    """The same for a group."""
    return {**blank(0), "user_id": None, "group_id": group_id}


def reckon(session: Session, app: App, rows: Collection[Row]) -> list[Case]:
    """What is due for each of these accounts, in their order, in a handful of statements whatever their number."""
    met = drifts(session, (row["id"] for row in rows))
    groups = gatherings(session, app.tenant_id, app.id, (row["group_id"] for row in rows))
    cases = []
    for row, stored, person, there in sides(session, app, rows):
        if row["group_id"] is not None:
            cases.append(_group_case(app, row, groups.get(row["group_id"]), there))
            continue
        judged = replace(there, drifts=met.get(row["id"], {}))
        cases.append(Case(row, stored, plan(person, judged, app.rules) if person else Plan()))
    return cases


def _group_case(app: App, row: Row, group: Gathering | None, there: There) -> Case:
    """A group is called in the log where a person would be. What is there stays as it is once groups no longer follow."""
    due = plan_group(group, there, app.rules.features) if group and app.groups else Plan(group=True)
    return Case(row, {"display_name": group.name} if group else None, due)


def sides(session: Session, app: App, rows: Collection[Row]) -> Iterator[tuple[Row, Row | None, Person | None, There]]:
    """Each account with its person's row, and both as a judgement wants them."""
    persons = people(session, app.tenant_id, (row["user_id"] for row in rows))
    bosses = _anchors(session, app, {one["manager_id"] for one in persons.values() if one["manager_id"]})
    for row in rows:
        stored = persons.get(row["user_id"])
        yield row, stored, None if stored is None else _person(app, stored, bosses), _there(app, row)


def drifts(session: Session, ids: Iterable[int | None]) -> dict[int, dict[str, tuple[str, str]]]:
    """By account, the differences that stay as they are there: attribute → (fingerprint, why)."""
    wanted = {number for number in ids if number is not None}
    found: dict[int, dict[str, tuple[str, str]]] = {}
    if wanted:
        columns = [DRIFTS.c[name] for name in ("account_id", "attribute", "fingerprint", "choice")]
        query = sa.select(*columns).where(among(session, DRIFTS.c.account_id, wanted))
        for account, attribute, fingerprint, choice in session.execute(query):
            found.setdefault(account, {})[attribute] = (fingerprint, _STAYS[choice])
    return found


def _anchors(session: Session, app: App, managers: set[int]) -> dict[int, str]:
    if not managers:
        return {}
    query = sa.select(ACCOUNTS.c.user_id, ACCOUNTS.c.anchor).where(
        ACCOUNTS.c.connector_id == app.id,
        among(session, ACCOUNTS.c.user_id, managers),
        ACCOUNTS.c.anchor.is_not(None),
        ACCOUNTS.c.situation == Situation.LINKED.value,
    )
    return {row.user_id: row.anchor for row in session.execute(query)}


def _person(app: App, row: Row, bosses: Mapping[int, str]) -> Person:
    manager_id = row["manager_id"]
    values = mappings.flat({name: row[name] for name in USER_ATTRIBUTES}, row["extra"] or {})
    return Person(
        lifecycle=Lifecycle(row["lifecycle"]),
        values=values,
        deleted=row["deleted_at"] is not None,
        manager=bosses.get(manager_id) if manager_id else None,
        manager_known=manager_id is None or manager_id in bosses,
        meant=app.meant.takes(values),
    )


def _there(app: App, row: Row) -> There:
    return There(
        situation=Situation(row["situation"]),
        anchor=row["anchor"],
        enabled=row["enabled"],
        observed=row["observed"],
        base=row["absorbed"] or None,
        removed=row["removed"],
        intent=row["intent"],
        pushed=row["pushed"],
        given=row["given"],
        protection=protection.judge(row["anchor"], row["name"], row["standing"], row["intent"], app.facts, app.scope),
    )
