"""What stays the same while a cycle runs, and the row that a batch works on. Holds values; decides nothing."""

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
from provision.core.vocabulary import Decision, Direction, Owner, Situation, WhenGone

COUNTS = ("seen", "created", "linked", "updated", "unchanged", "suspended", "disputed", "failed", "gone", "left_alone")
SIGHTS = ("pages", "seen", "unchanged", "left_alone", "failed")
"""What a walk that begins anew counts anew; the other counts are deeds, and stay done."""


@dataclass(frozen=True)
class Frame:
    """One cycle's fixed parts, read once at its start.

    ``shows_all``: a full walk shows everybody; else nothing is concluded from absence.
    ``pushes``: the app says everything by itself, so who is disabled there counts as gone, and its word on whom people
    report to wins over ours. ``outward``: outside names that only flow out; they are read to be compared. ``managers``:
    the app tells whom people report to. ``accepting``: account → the attributes of ours that somebody accepts from it, and
    nothing else. ``promised``: person → the account that somebody decided to link to them. ``outranked``: our attribute →
    the apps whose values for it win over this one's. ``required``: what nobody new is added without, unless somebody
    decides so.
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
    pushes: bool = False
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


def pushing(
    session: Session, tenant_id: int, connector_id: int, kinds: Mapping[str, Any], *, actor: str, takes_over: bool
) -> Frame:
    """The fixed parts for what an app sends by itself, outside any cycle."""
    fixed = {"cycle_id": 0, "actor": actor, "takes_over": takes_over, "chosen": None}
    return _frame(session, tenant_id, connector_id, kinds, **fixed, promised=_promised(session, connector_id))


def looking(session: Session, tenant_id: int, connector_id: int, kinds: Mapping[str, Any]) -> Frame:
    """The fixed parts for looking at what an import would do; such a frame takes nothing over."""
    return _frame(session, tenant_id, connector_id, kinds, cycle_id=0, actor="", takes_over=False, chosen=None)


def _frame(session: Session, tenant_id: int, connector_id: int, kinds: Mapping[str, Any], **fixed: Any) -> Frame:
    whose = {"tenant": tenant_id, "connector": connector_id}
    connector = session.exec(_CONNECTOR, params=whose).one()
    rows = session.exec(_MAPPED, params=whose).all()
    inbound = compile_inbound([Row.of(row) for row in rows])
    mapped = {(rule.ours, rule.theirs) for rule in inbound.rules}
    own = [
        Rule(rule.ours, rule.theirs, rule.priority)
        for rule in kinds[connector.kind].matching
        if (rule.ours, rule.theirs) not in mapped
    ]
    return Frame(
        tenant_id=tenant_id,
        connector_id=connector_id,
        app=connector.name,
        inbound=inbound,
        outward=tuple(row.theirs for row in rows if row.direction is not Direction.IN),
        rules=tuple(sorted((*inbound.rules, *own), key=lambda rule: rule.priority)),
        leaves_guests=connector.scope.get("guests") == "leave",
        shows_all=kinds[connector.kind].whole(connector.config),
        when_gone=WhenGone(connector.when_gone),
        managers=kinds[connector.kind].managers,
        pushes=not kinds[connector.kind].pulled,
        outranked=_outranked(session, connector),
        required=frozenset(REQUIRED).intersection(inbound.targets) if kinds[connector.kind].takes_file else frozenset(),
        brake=limits.incoming(connector.scope),
        **fixed,
    )


_CONNECTOR = select(Connector).where(
    col(Connector.tenant_id) == sa.bindparam("tenant"), col(Connector.id) == sa.bindparam("connector")
)
_MAPPED = select(MappingTable).where(
    col(MappingTable.tenant_id) == sa.bindparam("tenant"), col(MappingTable.connector_id) == sa.bindparam("connector")
)
_PROMISED = select(Account.id, Account.verdict).where(
    col(Account.connector_id) == sa.bindparam("connector"),
    col(Account.stale),
    col(Account.user_id).is_(None),
    col(Account.verdict)["decision"].as_string() == Decision.EXISTING.value,
)
_OUTRANKED = (
    select(MappingTable.ours, Connector.id)
    .join(Connector, col(Connector.id) == col(MappingTable.connector_id))
    .where(
        col(Connector.tenant_id) == sa.bindparam("tenant"),
        MappingTable.direction != Direction.OUT,
        MappingTable.owner != Owner.OURS,
        sa.or_(
            col(Connector.position) < sa.bindparam("position"),
            sa.and_(col(Connector.position) == sa.bindparam("position"), col(Connector.id) < sa.bindparam("connector")),
        ),
    )
)


def _promised(session: Session, connector_id: int) -> dict[int, int]:
    found = session.exec(_PROMISED, params={"connector": connector_id})
    return {verdict["user_id"]: number for number, verdict in found if number is not None}


def _outranked(session: Session, connector: Connector) -> dict[str, frozenset[int]]:
    """Which apps stand before this one and bring an attribute too; two of the same position go by age."""
    place = {"tenant": connector.tenant_id, "position": connector.position, "connector": connector.id}
    first: dict[str, set[int]] = defaultdict(set)
    for attribute, number in session.exec(_OUTRANKED, params=place):
        if number is not None:
            first[attribute].add(number)
    return {attribute: frozenset(numbers) for attribute, numbers in first.items()}
