"""What is due for a group in one app: it is made, called as it is here, holds whom it holds here, and goes when it goes.

Owns that judgement; never looks at people, and knows of a member nothing but the anchor of their account there.

    here        there                  due
    live        absent                 create, with whoever has an account there
    live        linked                 update: its name, its members, whatever was sent and never confirmed
    deleted     linked                 delete
    any         gone, ignored          nothing: a person decides

Members are sent as a whole: the state that is wanted is not a series of steps, so a write that may have arrived can be sent
again. Somebody added there by other hands is in it until the group is next written.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from provision.core.planning.doubt import WHOLE
from provision.core.planning.plan import FEATURE_OF, Plan, There
from provision.core.ports import GROUP_NAME, MEMBERS
from provision.core.vocabulary import OperationKind, Situation


@dataclass(frozen=True, slots=True)
class Gathering:
    """A group as it is here. ``members``: the anchors of those of its people who have an account there."""

    name: str
    members: frozenset[str] = frozenset()
    deleted: bool = False


def plan_group(group: Gathering, there: There, features: Mapping[str, bool]) -> Plan:
    """Judge one group's account."""
    due = _due(group, there)
    if due.kind is None or features.get(FEATURE_OF[due.kind]):
        return due
    return Plan(group=True, here_only={WHOLE: f"{FEATURE_OF[due.kind]}_off"})


def _due(group: Gathering, there: There) -> Plan:
    nothing = Plan(group=True)
    if there.situation is Situation.IGNORED:
        return Plan(group=True, here_only={WHOLE: "account_ignored"})
    if there.situation is Situation.GONE:
        return nothing if group.deleted else Plan(group=True, here_only={WHOLE: "account_gone"})
    if there.anchor is None:
        return nothing if group.deleted else _create(group)
    if group.deleted:
        return Plan(OperationKind.DELETE, there.anchor, group=True)
    return _update(group, there)


def _create(group: Gathering) -> Plan:
    members = tuple(sorted(group.members))
    changes: dict[str, tuple[Any, Any]] = {GROUP_NAME: (None, group.name), MEMBERS: (None, str(len(members)))}
    return Plan(OperationKind.CREATE, values={GROUP_NAME: group.name}, group=True, members=members, changes=changes)


def _update(group: Gathering, there: There) -> Plan:
    held = there.observed.get(MEMBERS)
    inside = frozenset(held if isinstance(held, list) else ())
    changes: dict[str, tuple[Any, Any]] = {}
    if there.observed.get(GROUP_NAME) != group.name or GROUP_NAME in there.unsure:
        changes[GROUP_NAME] = (there.observed.get(GROUP_NAME), group.name)
    if inside != group.members or MEMBERS in there.unsure:
        changes[MEMBERS] = (str(len(inside)), _moved(inside, group.members))
    if not changes:
        return Plan(group=True)
    return Plan(
        OperationKind.UPDATE,
        there.anchor,
        values={GROUP_NAME: group.name} if GROUP_NAME in changes else {},
        group=True,
        members=tuple(sorted(group.members)) if MEMBERS in changes else None,
        changes=changes,
    )


def _moved(was: Collection[str], becomes: Collection[str]) -> str:
    """How many there will be, and how many of them come and go: names are told where they join."""
    come, go = len(set(becomes) - set(was)), len(set(was) - set(becomes))
    moved = ", ".join(part for part in (f"+{come}" if come else "", f"−{go}" if go else "") if part)
    return f"{len(becomes)} ({moved})" if moved else str(len(becomes))
