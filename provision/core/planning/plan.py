"""What one account needs at this moment, whatever was planned before.

Owns the judgement; never reads, sends or remembers anything.

    person      account there          what is due
    active      absent                 create
    active      gone, to be restored   restore
    active      linked                 update; enable only if somebody here decided so
    suspended   linked                 disable, and update
    left        linked                 delete if an operator deleted them, else as the app says about leavers
    not meant   linked                 the same as who left: the app is no longer for them
    not meant   absent                 nothing
    staged      linked                 update; nothing is created before they begin

An account that is enabled although its person is suspended is disabled; one that is disabled although its person is active
may have been disabled there for a reason, so it waits for a decision (``intent["enabled"]``), unless it was disabled because
the app was not for them (``intent["left_scope"]``): whoever comes back into the scope is enabled again.

What was sent and never confirmed is due again, whatever was last seen there; whoever may have been deleted, or may not be
back, is brought back.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from provision.core.mapping import Change, Outbound, clean, would_change
from provision.core.planning.doubt import UNSURE, WHOLE, among
from provision.core.ports import ENABLED, LICENCES, MANAGER
from provision.core.protection import Protection
from provision.core.vocabulary import Feature, Lifecycle, OperationKind, Situation, WhenLeft

BY_HAND = "by_hand"
LEFT_SCOPE = "left_scope"
LEFT_ALONE = "drift_left_alone"
MARKED_IN = "marked_in"
SENT_AS = frozenset({"sent", MARKED_IN})
"""What an account remembers of a create while that is open: its identifying values, and the attribute that marks it."""

FEATURE_OF: Mapping[OperationKind, Feature] = {
    OperationKind.CREATE: Feature.CREATE,
    OperationKind.RESTORE: Feature.CREATE,
    OperationKind.UPDATE: Feature.EDIT,
    OperationKind.DISABLE: Feature.EDIT,
    OperationKind.ENABLE: Feature.EDIT,
    OperationKind.DELETE: Feature.DELETE,
}


@dataclass(frozen=True, slots=True)
class Person:
    """Our side. ``values`` flat, custom attributes under ``extra.<name>``; ``deleted``: an operator deleted them.

    ``meant``: the app is for them (see ``scoping``). ``manager``: the anchor of their manager's account there, None when
    they have none; without ``manager_known`` the manager has no account there yet, and nothing is said about it.
    """

    lifecycle: Lifecycle
    values: Mapping[str, str | None]
    deleted: bool = False
    manager: str | None = None
    manager_known: bool = True
    meant: bool = True


@dataclass(frozen=True, slots=True)
class There:
    """The account as it was last seen. ``base``: what it held when it was last taken over or written, None: never.

    ``intent``: what people decided about it and is not done yet: ``enabled`` (True), ``by_hand`` (True: to disable or
    delete it), ``restore`` ({} or {"values": …}), ``despite_bin`` (True), ``licences`` (sku → bool); and ``sent``: the name
    and other identifying values that a create carried whose outcome is open. ``pushed``: see ``doubt``. ``given``: the
    licences that were given from here. ``drifts``:
    attribute → (fingerprint of a difference, remedy code why it stays): it waits for a person's choice, or the choice was
    to leave it.
    """

    situation: Situation
    anchor: str | None = None
    enabled: bool | None = None
    observed: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] | None = None
    removed: str | None = None
    intent: Mapping[str, Any] = field(default_factory=dict)
    pushed: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, bool] = field(default_factory=dict)
    protection: Protection = field(default_factory=Protection)
    drifts: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def unsure(self) -> Mapping[str, Any]:
        """Attribute → the values that were sent and never confirmed."""
        return self.pushed.get(UNSURE) or {}


@dataclass(frozen=True, slots=True)
class Rules:
    """What an app lets out. ``while_synced``: attributes written even if a directory there owns the object."""

    outbound: Outbound
    features: Mapping[str, bool]
    when_left: WhenLeft = WhenLeft.DISABLE
    sign_in: str = "userPrincipalName"
    required: frozenset[str] = frozenset()
    while_synced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due; ``kind`` is None when nothing is. ``changes``: attribute → (as it is there, as it becomes).
    ``unmeant``: because the app is not for the person any more.

    ``group``: it is about a group, and ``members`` are the anchors of all who shall be in it, None: they stay.

    ``here_only``: attribute, or WHOLE, → remedy code why it stays as it is there although it differs.
    """

    kind: OperationKind | None = None
    anchor: str | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)
    enabled: bool | None = None
    manager: str | None = None
    moves_manager: bool = False
    licences: Mapping[str, bool] = field(default_factory=dict)
    despite_bin: bool = False
    unmeant: bool = False
    group: bool = False
    members: tuple[str, ...] | None = None
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    here_only: Mapping[str, str] = field(default_factory=dict)

    @property
    def takes_away(self) -> bool:
        """Whether the brake counts it."""
        return self.kind in (OperationKind.DISABLE, OperationKind.DELETE)

    @property
    def fingerprint(self) -> str:
        """Stands for exactly what would be written: equal plans have equal ones, whatever was there before."""
        told: list[Any] = [
            self.kind, self.anchor, dict(self.values), self.enabled, self.manager, self.moves_manager,
            dict(self.licences), self.despite_bin,
        ]  # fmt: skip
        if self.group:
            told += [True, self.members]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def plan(person: Person, there: There, rules: Rules) -> Plan:
    """Judge one account. A protected one is disabled or deleted only if somebody decided so by hand."""
    due = _due(person, there, rules)
    if due.kind is None:
        return due
    barred = there.protection.bars(due.kind, automatic=not there.intent.get(BY_HAND))
    if barred is None and not rules.features.get(FEATURE_OF[due.kind]):
        barred = f"{FEATURE_OF[due.kind]}_off"
    if barred is None:
        return due
    if due.kind in (OperationKind.DISABLE, OperationKind.ENABLE) and barred == "set_by_directory_sync":
        # Where a directory owns the switch, the few attributes that are ours still follow.
        rest = _update(person, there, rules, None)
        kept = {**rest.here_only, ENABLED: barred}
        if rest.kind and rules.features.get(Feature.EDIT):
            return replace(rest, here_only=kept)
        return Plan(here_only=kept)
    return Plan(here_only={**due.here_only, WHOLE: barred})


def settled(intent: Mapping[str, Any], carried: Plan, left: Collection[str] = ()) -> dict[str, Any]:
    """What is still to be done of what was decided, after ``carried`` was done; ``left``: names that did not follow.

    What was decided while it was under way is still to be done: only what it did itself is over.
    """
    took_away = carried.enabled is False or carried.kind is OperationKind.DELETE
    done = {BY_HAND} if took_away else {ENABLED} if carried.enabled else set()
    if carried.kind in (OperationKind.CREATE, OperationKind.RESTORE):
        done |= {"restore", "despite_bin", *SENT_AS}
    if carried.enabled is True or carried.kind is OperationKind.DELETE:
        done |= {LEFT_SCOPE}
    kept = {name: value for name, value in intent.items() if name not in done}
    if carried.unmeant and carried.kind is OperationKind.DISABLE:
        kept = {**kept, LEFT_SCOPE: True}
    if LICENCES in kept and LICENCES not in left:
        open_ = {sku: wish for sku, wish in kept[LICENCES].items() if carried.licences.get(sku) != wish}
        kept = {**kept, LICENCES: open_} if open_ else {name: kept[name] for name in kept if name != LICENCES}
    return kept


def idle(intent: Mapping[str, Any], enabled: bool | None, *, gone: bool) -> dict[str, Any]:
    """What is still to be done of what was decided, when nothing is due: what stands right already is done."""
    done: set[str] = set() if gone else {"restore"}
    if enabled is not None and intent.get(ENABLED, enabled) == enabled:
        done |= {ENABLED, BY_HAND}
    return {name: value for name, value in intent.items() if name not in done}


def _due(person: Person, there: There, rules: Rules) -> Plan:
    if there.situation is Situation.IGNORED:
        return Plan(here_only={WHOLE: "account_ignored"})
    open_end = WHOLE in there.unsure and there.anchor is not None
    if there.situation is Situation.GONE and not open_end:
        return _gone(person, there)
    if not person.meant and person.lifecycle is not Lifecycle.LEFT:
        return _unmeant(person, there, rules)
    if there.anchor is None:
        return _create(person, there, rules) if person.lifecycle is Lifecycle.ACTIVE else Plan()
    if person.lifecycle is Lifecycle.LEFT:
        return _leave(person, there, rules)
    return _brought_back(person, there) if open_end else _update(person, there, rules, _wanted_enabled(person, there))


def _gone(person: Person, there: There) -> Plan:
    """Nothing that is gone is made again by itself; whoever was held back meanwhile comes back disabled."""
    wish = there.intent.get("restore")
    if person.lifecycle not in (Lifecycle.ACTIVE, Lifecycle.SUSPENDED):
        return Plan()
    if wish is None:
        return Plan(here_only={WHOLE: "account_gone"}) if person.lifecycle is Lifecycle.ACTIVE else Plan()
    if there.anchor is None or there.removed != "restorable":
        return Plan(here_only={WHOLE: "restore_too_late"})
    return _brought_back(person, there)


def _brought_back(person: Person, there: There) -> Plan:
    values = (there.intent.get("restore") or {}).get("values") or {}
    changes = {name: (clean(there.observed.get(name)), value) for name, value in values.items()}
    # Restored accounts come back as they were; a person who is active here signs in there.
    enabled = person.lifecycle is Lifecycle.ACTIVE
    changes[ENABLED] = (None, enabled)
    return Plan(OperationKind.RESTORE, there.anchor, values=values, enabled=enabled, changes=changes)


def _create(person: Person, there: There, rules: Rules) -> Plan:
    values = {**rules.outbound.wanted(person.values, None, creating=True), **there.intent.get("sent", {})}
    lacking = sorted(name for name in {*rules.required, rules.sign_in} if not values.get(name))
    if lacking:
        return Plan(here_only=dict.fromkeys(lacking, "required_there"))
    changes: dict[str, tuple[Any, Any]] = {name: (None, value) for name, value in values.items()}
    due = Plan(
        OperationKind.CREATE,
        values=values,
        enabled=True,
        despite_bin=bool(there.intent.get("despite_bin")),
        changes=changes,
    )
    return _with_bonds(due, person, there)


def _leave(person: Person, there: There, rules: Rules) -> Plan:
    then = WhenLeft.DELETE if person.deleted else rules.when_left
    if then is WhenLeft.DELETE:
        return Plan(OperationKind.DELETE, there.anchor)
    if then is WhenLeft.DISABLE and (there.enabled is not False or ENABLED in there.unsure):
        changes = {ENABLED: (there.enabled, False)}
        return Plan(OperationKind.DISABLE, there.anchor, enabled=False, changes=changes)
    return Plan()


def _unmeant(person: Person, there: There, rules: Rules) -> Plan:
    """The app is not for this person: no account is made, and the one that is there ends as for a leaver."""
    if there.anchor is None:
        return Plan(here_only={WHOLE: "out_of_scope"})
    due = _leave(person, there, rules)
    return Plan(here_only={WHOLE: "out_of_scope"}) if due.kind is None else replace(due, unmeant=True)


def _wanted_enabled(person: Person, there: There) -> bool | None:
    """What the switch should become; None when it stays as it is."""
    if person.lifecycle is Lifecycle.ACTIVE and ENABLED in there.unsure:
        return True
    if person.lifecycle is Lifecycle.SUSPENDED:
        return None if there.enabled is False and ENABLED not in there.unsure else False
    wished = there.intent.get(ENABLED) or there.intent.get(LEFT_SCOPE)
    if person.lifecycle is Lifecycle.ACTIVE and wished and there.enabled is not True:
        return True
    return None


def switched(was: bool, becomes: bool) -> Change:
    """The switch as a difference like any other: whether signing in there is allowed."""
    words = {True: "allowed", False: "blocked"}
    return Change(ENABLED, words[was], words[becomes])


def _left_on(there: There, enabled: bool | None) -> bool:
    """Whether somebody chose to leave the switch as it is, and nobody has decided anything about it since."""
    if enabled is None or there.enabled is None or there.intent.get(BY_HAND) or there.intent.get(ENABLED):
        return False
    return there.drifts.get(ENABLED) == (switched(there.enabled, enabled).fingerprint, LEFT_ALONE)


def _update(person: Person, there: There, rules: Rules, enabled: bool | None) -> Plan:
    found = would_change(rules.outbound, person.values, there.observed, base=there.base)
    found += _again(person, there, rules, {one.attribute for one in found})
    kept = {one.attribute: why for one in found if (why := _stays(one, there, rules))}
    if _left_on(there, enabled):
        kept, enabled = {**kept, ENABLED: LEFT_ALONE}, None
    values = {one.attribute: one.becomes for one in found if one.attribute not in kept}
    changes: dict[str, tuple[Any, Any]] = {
        one.attribute: (one.was, one.becomes) for one in found if one.attribute not in kept
    }
    if enabled is not None:
        changes[ENABLED] = (there.enabled, enabled)
    kind = {None: OperationKind.UPDATE, True: OperationKind.ENABLE, False: OperationKind.DISABLE}[enabled]
    due = Plan(kind, there.anchor, values=values, enabled=enabled, changes=changes, here_only=kept)
    due = _with_bonds(due, person, there)
    return due if due.changes else Plan(here_only=due.here_only)


def _again(person: Person, there: There, rules: Rules, besides: Collection[str]) -> list[Change]:
    """What was sent and never confirmed, unless somebody there has changed it since."""
    owed = rules.outbound.owed(person.values, there.unsure.keys() - set(besides))
    base = there.base or {}
    known = {name: [base.get(name), *there.unsure[name]] for name in owed}
    return [
        Change(name, clean(there.unsure[name][-1]), becomes)
        for name, becomes in owed.items()
        if among(there.observed.get(name), known[name])
    ]


def _stays(change: Change, there: There, rules: Rules) -> str | None:
    """Why a difference stays as it is there; None when ours is written over it."""
    if there.protection.synced and change.attribute not in rules.while_synced:
        return "set_by_directory_sync"
    fingerprint, why = there.drifts.get(change.attribute, ("", ""))
    return why if fingerprint == change.fingerprint else None


def _with_bonds(due: Plan, person: Person, there: There) -> Plan:
    """Add what binds an account to others: its manager and its licences."""
    changes = dict(due.changes)
    was = there.observed.get(MANAGER)
    unsure = MANAGER in there.unsure
    moves = person.manager_known and (person.manager != was or unsure) and not there.protection.synced
    # Whom they report to there is not ours to clear unless we once set it.
    base = there.base or {}
    if moves and person.manager is None and was != base.get(MANAGER) and not unsure:
        moves = False
    # Where only they moved it comes in with the next import.
    if moves and not unsure and MANAGER in base and person.manager == base[MANAGER]:
        moves = False
    kept = due.here_only
    fingerprint, why = there.drifts.get(MANAGER, ("", ""))
    if moves and fingerprint == Change(MANAGER, was, person.manager).fingerprint:
        moves, kept = False, {**kept, MANAGER: why}
    if moves:
        changes[MANAGER] = (was, person.manager)
    licences = {sku: bool(wish) for sku, wish in (there.intent.get(LICENCES) or {}).items()}
    for sku, wish in licences.items():
        changes[f"{LICENCES}.{sku}"] = (not wish, wish)
    return replace(
        due,
        manager=person.manager if moves else None,
        moves_manager=moves,
        licences=licences,
        changes=changes,
        here_only=kept,
    )
