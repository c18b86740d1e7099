"""What stays the same while a cycle runs, and the row that a batch works on. Holds values; decides nothing."""

import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from provision.core import limits
from provision.core.mapping import Inbound, Row, compile_inbound
from provision.core.matching import Rule
from provision.core.planning import STANDARD, Brake, ours
from provision.core.ports import MANAGER
from provision.core.profile import REQUIRED
from provision.core.tables import Account, Connector, Cycle
from provision.core.tables import Mapping as MappingTable
from provision.core.tables.columns import Word
from provision.core.vocabulary import Decision, Direction, Flow, MappingKind, Owner, Situation, WhenGone
from provision.db import for_update, once

COUNTS = (
    "seen",
    "created",
    "linked",
    "updated",
    "kept",
    "unchanged",
    "suspended",
    "disputed",
    "failed",
    "gone",
    "left_alone",
)
SIGHTS = ("pages", "seen", "unchanged", "left_alone", "failed")
"""What a walk that begins anew counts anew; the other counts are deeds, and stay done."""


@dataclass(frozen=True)
class Frame:
    """One cycle's fixed parts, read once at its start.

    ``shows_all``: a full walk shows everybody; else nobody is missing. ``reads_file``: every walk over another file shows all
    its rows, so what nobody took over and is not in it is no longer there.
    ``pushes``: the app says everything by itself, so who is disabled there counts as gone, and its word on whom people
    report to wins over ours. ``sent_to``: it is a target, too. ``outward``: outside names that only flow out; they are read
    to be compared. ``managers``: the app tells whom people report to. ``accepting``: account → the attributes of ours that
    somebody accepts from it, and nothing else. ``promised``: person → the account that somebody decided to link to them.
    ``outranked``: our attribute → the apps whose values for it win over this one's. ``required``: what nobody new is added
    without, unless somebody decides so.
    """

    tenant_id: int
    connector_id: int
    cycle_id: int
    app: str
    actor: str
    inbound: Inbound
    rules: tuple[Rule, ...]
    takes_over: bool
    chosen: frozenset[int] | None
    leaves_guests: bool
    shows_all: bool
    when_gone: WhenGone
    reads_file: bool = False
    pushes: bool = False
    sent_to: bool = False
    outward: tuple[str, ...] = ()
    managers: bool = False
    promised: Mapping[int, int] = field(default_factory=dict)
    accepting: Mapping[int, frozenset[str]] = field(default_factory=dict)
    outranked: Mapping[str, frozenset[int]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    brake: Brake = STANDARD

    @property
    def attributes(self) -> tuple[str, ...]:
        """The outside names to read: what rows need or write, and what rules compare."""
        bonds = (MANAGER,) if self.managers else ()
        rules = (rule.theirs for rule in self.rules)
        return tuple(dict.fromkeys((*self.inbound.attributes, *rules, *self.outward, *bonds)))


@dataclass(slots=True)
class Item:
    """One account on its way through a batch.

    ``fresh``: it has no row yet; ``touched``: its row must be written; ``seen_anew``: with what was observed.
    """

    id: int
    anchor: str
    name: str
    observed: dict[str, Any]
    observed_hash: bytes
    enabled: bool | None
    standing: dict[str, Any]
    situation: str = Situation.UNMATCHED.value
    user_id: int | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    absorbed: dict[str, Any] = field(default_factory=dict)
    stale: bool = True
    removed: str | None = None
    withheld: dict[str, Any] | None = None
    pushed: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False
    touched: bool = False
    seen_anew: bool = False

    @property
    def empties(self) -> tuple[str, ...]:
        """Our attributes that went empty there and wait for the end of a cycle."""
        return tuple(self.withheld.get("empties", ())) if self.withheld else ()

    @property
    def inactive(self) -> bool:
        """Its client says that the person is no longer active, and the brake has not spoken yet."""
        return bool(self.withheld and self.withheld.get("inactive"))

    @property
    def base(self) -> dict[str, Any] | None:
        """What the account held when its person last took it over; None: never. What we sent ourselves is no news."""
        if self.user_id is None or not self.absorbed:
            return None
        return {**self.absorbed, **ours(self.pushed, self.observed)} if self.pushed else self.absorbed


def frame(session: Session, cycle: Cycle, kinds: Mapping[str, Any]) -> Frame:
    """The fixed parts of a cycle."""
    chosen = cycle.options.get("chosen")
    return _frame(
        session,
        cycle.tenant_id,
        cycle.connector_id,
        kinds,
        cycle_id=cycle.id or 0,
        actor=cycle.requested_by,
        takes_over=not cycle.options.get("preview") and chosen is None,
        chosen=None if chosen is None else frozenset(chosen),
        promised=_promised(session, cycle.connector_id),
    )


def entered(session: Session, tenant_id: int, connector_id: int) -> Any:
    """An app's row, kept as it is until the transaction ends; None if the app is gone. Who pushes for it waits here."""
    return session.execute(_locked(session), {"tenant": tenant_id, "connector": connector_id}).first()


def pushing(
    session: Session,
    tenant_id: int,
    connector: Any,
    kinds: Mapping[str, Any],
    *,
    actor: str,
    takes_over: bool,
    promised: bool,
) -> Frame:
    """The fixed parts for what an app sends by itself, outside any cycle; ``connector`` is its row, as it ``entered``.

    ``promised``: whether to read what was decided about accounts, which matters to those that are nobody's yet.
    """
    decided = _promised(session, connector.id) if promised else {}
    fixed = {"cycle_id": 0, "actor": actor, "takes_over": takes_over, "chosen": None, "promised": decided}
    return _of(session, tenant_id, connector, kinds, **fixed)


def looking(session: Session, tenant_id: int, connector_id: int, kinds: Mapping[str, Any]) -> Frame:
    """The fixed parts for looking at what an import would do; such a frame takes nothing over."""
    return _frame(session, tenant_id, connector_id, kinds, cycle_id=0, actor="", takes_over=False, chosen=None)


def _frame(session: Session, tenant_id: int, connector_id: int, kinds: Mapping[str, Any], **fixed: Any) -> Frame:
    whose = {"tenant": tenant_id, "connector": connector_id}
    return _of(session, tenant_id, session.execute(_CONNECTOR, whose).one(), kinds, **fixed)


def _of(session: Session, tenant_id: int, connector: Any, kinds: Mapping[str, Any], **fixed: Any) -> Frame:
    place = {"tenant": tenant_id, "position": connector.position, "connector": connector.id}
    mapped = _compiled(tuple([tuple(row) for row in session.execute(_MAPPED, place)]), connector.id)
    kind = kinds[connector.kind]
    known = {(rule.ours, rule.theirs) for rule in mapped.inbound.rules}
    own = [
        Rule(rule.ours, rule.theirs, rule.priority) for rule in kind.matching if (rule.ours, rule.theirs) not in known
    ]
    return Frame(
        tenant_id=tenant_id,
        connector_id=connector.id,
        app=connector.name,
        inbound=mapped.inbound,
        outward=mapped.outward,
        rules=tuple(sorted((*mapped.inbound.rules, *own), key=lambda rule: rule.priority)),
        leaves_guests=connector.scope.get("guests") == "leave",
        shows_all=kind.whole(connector.config),
        reads_file=kind.takes_file,
        when_gone=WhenGone(connector.when_gone),
        managers=kind.managers,
        pushes=not kind.pulled,
        sent_to=kind.is_target,
        outranked=mapped.outranked,
        required=frozenset(REQUIRED).intersection(mapped.inbound.targets) if kind.takes_file else frozenset(),
        brake=limits.incoming(connector.scope),
        **fixed,
    )


@dataclass(frozen=True, slots=True)
class _Mapped:
    """What an app's rows mean, and the attributes that apps before it bring too."""

    inbound: Inbound
    outward: tuple[str, ...]
    outranked: Mapping[str, frozenset[int]]


@functools.lru_cache(maxsize=64)
def _compiled(rows: tuple[tuple[Any, ...], ...], connector_id: int) -> _Mapped:
    """The rows of an app and of those before it, compiled once for what they say: pushes ask for the same ones each time."""
    own = [
        Row(Direction(direction), here, there, MappingKind(kind), Flow(flow), Owner(owner), priority, position)
        for number, direction, here, there, kind, flow, owner, priority, position in rows
        if number == connector_id
    ]
    first: dict[str, set[int]] = defaultdict(set)
    for number, _, attribute, *_rest in rows:
        if number != connector_id:
            first[attribute].add(number)
    return _Mapped(
        compile_inbound(own),
        tuple(row.theirs for row in own if row.flows_out),
        {attribute: frozenset(numbers) for attribute, numbers in first.items()},
    )


_CONNECTORS: sa.Table = Connector.__table__  # type: ignore[attr-defined]
_MAPPINGS: sa.Table = MappingTable.__table__  # type: ignore[attr-defined]
_ROW = ("connector_id", "direction", "ours", "theirs", "kind", "flow", "owner", "matching_priority", "position")
_CONNECTOR = sa.select(
    *(_CONNECTORS.c[name] for name in ("id", "kind", "name", "position", "config", "scope", "when_gone"))
).where(_CONNECTORS.c.tenant_id == sa.bindparam("tenant"), _CONNECTORS.c.id == sa.bindparam("connector"))


_TOLD = [_MAPPINGS.c[name] for name in _ROW]
_MAPPED = (
    sa.select(*(sa.type_coerce(one, sa.Text) if isinstance(one.type, Word) else one for one in _TOLD))
    .join_from(_MAPPINGS, _CONNECTORS, _CONNECTORS.c.id == _MAPPINGS.c.connector_id)
    .where(
        _CONNECTORS.c.tenant_id == sa.bindparam("tenant"),
        sa.or_(
            _CONNECTORS.c.id == sa.bindparam("connector"),
            sa.and_(
                _MAPPINGS.c.direction != Direction.OUT.value,
                _MAPPINGS.c.owner != Owner.OURS.value,
                sa.or_(
                    _CONNECTORS.c.position < sa.bindparam("position"),
                    sa.and_(
                        _CONNECTORS.c.position == sa.bindparam("position"),
                        _CONNECTORS.c.id < sa.bindparam("connector"),
                    ),
                ),
            ),
        ),
    )
    .order_by(_MAPPINGS.c.id)
)
"""The rows of an app, and those of the apps before it that bring something in; two of the same position go by age."""
_PROMISED = select(Account.id, Account.verdict).where(
    col(Account.connector_id) == sa.bindparam("connector"),
    col(Account.stale),
    col(Account.user_id).is_(None),
    col(Account.verdict)["decision"].as_string() == Decision.EXISTING.value,
)


@once
def _locked(session: Session) -> Any:
    return for_update(session, _CONNECTOR)


def _promised(session: Session, connector_id: int) -> dict[int, int]:
    found = session.exec(_PROMISED, params={"connector": connector_id})
    return {verdict["user_id"]: number for number, verdict in found if number is not None}
