"""What differs there although the mapping says that ours belongs there, compared with what was known of it before.

Owns the judgement; never looks anybody up and never brings anything in line itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from provision.core.mapping import Change, clean, would_change
from provision.core.planning.plan import LEFT_SCOPE, Person, Rules, There, switched
from provision.core.ports import ENABLED, LICENCES, MANAGER
from provision.core.vocabulary import Lifecycle, Situation

HELD = "assignedLicenses"
"""The attribute that holds somebody's licences, given to them or through a group, wherever they come from."""
LICENCE = f"{LICENCES}."
"""Begins the name under which one licence differs; its number follows."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison changes about what is known of one account, by attribute.

    ``news``: differences nobody has seen; ``moved``: known ones whose values are others now, so that an earlier choice no
    longer holds; ``over``: what is in line again.
    """

    news: tuple[Change, ...] = ()
    moved: tuple[Change, ...] = ()
    over: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """True when anything has to be written."""
        return bool(self.news or self.moved or self.over)


def differing(person: Person, there: There, rules: Rules) -> list[Change]:
    """Tell what of an account differs from what the mapping owns: theirs, and ours which belongs there.

    Only what was read there counts. What comes in with the next import is none, nor is what a directory there owns; nobody
    who has left drifts, and nothing that is gone. Beside the mapping, the lifecycle owns whether signing in is allowed; and
    whom they report to differs when both sides have chosen somebody since they agreed. Of the licences only those count that
    were given from here; what a group gives, or somebody else gave, is none of ours.
    """
    if there.situation is not Situation.LINKED or there.anchor is None or there.removed is not None:
        return []
    if person.lifecycle is Lifecycle.LEFT:
        return []
    found = [one for one in unlike(person.values, there, rules) if one.attribute in there.observed]
    if there.protection.synced:
        return [*found, *_licences(there)]
    return [*found, *_switch(person, there), *_manager(person, there), *_licences(there)]


def unlike(values: Mapping[str, str | None], there: There, rules: Rules) -> list[Change]:
    """Tell which values there are not what the mapping wants: the one judgement, for drift, a person's page and forecasts.

    What was never read there counts as empty. Where a directory owns the account, only what is written all the same counts.
    """
    found = would_change(rules.outbound, values, there.observed, base=there.base)
    return [one for one in found if not there.protection.synced or one.attribute in rules.while_synced]


def moved_there(there: There, change: Change) -> bool:
    """Tell whether the outside moved since both sides agreed. What never agreed is no drift but what is still to be sent."""
    base = there.base or {}
    if change.attribute.startswith(LICENCE):
        return True  # both sides agreed when it was given
    if change.attribute not in base:
        return False
    agreed = base[change.attribute]
    if change.attribute == ENABLED:
        return isinstance(agreed, bool) and switched(agreed, agreed).was != change.was
    return clean(agreed) != change.was


def compared(known: Mapping[str, str], found: Sequence[Change], drifted: Collection[str]) -> Compared:
    """Compare what differs now with what was known: attribute → fingerprint of the difference as it was then.

    ``drifted`` names the differences that came about there. A known one stays known for as long as it differs.
    """
    differs = {one.attribute for one in found}
    return Compared(
        news=tuple(one for one in found if one.attribute not in known and one.attribute in drifted),
        moved=tuple(one for one in found if known.get(one.attribute, one.fingerprint) != one.fingerprint),
        over=tuple(name for name in known if name not in differs),
    )


def granted(given: Mapping[str, bool], carried: Mapping[str, bool]) -> dict[str, bool]:
    """The licences that were given from here, after these were carried out."""
    done = {sku.lower(): wish for sku, wish in carried.items()}
    return {sku: True for sku, wish in {**given, **done}.items() if wish}


# -- Below: how ------------------------------------------------------------------------------------------------------------


def _switch(person: Person, there: There) -> list[Change]:
    """Whether signing in is allowed there, where it is not as the person's state here wants it and nothing is on its way."""
    wanted = {Lifecycle.ACTIVE: True, Lifecycle.SUSPENDED: False}.get(person.lifecycle)
    decided = there.intent.get(ENABLED) or there.intent.get(LEFT_SCOPE) or ENABLED in there.unsure
    if not person.meant or decided or wanted is None or there.enabled in (None, wanted):
        return []
    return [switched(not wanted, wanted)]


def _manager(person: Person, there: There) -> list[Change]:
    """Whom they report to, where both sides moved: what only they moved comes in, what only we moved goes out."""
    base, was = there.base or {}, there.observed.get(MANAGER)
    if not person.manager_known or MANAGER in there.unsure or not {MANAGER} <= base.keys() & there.observed.keys():
        return []
    moved = base[MANAGER] not in (was, person.manager) and person.manager != was
    return [Change(MANAGER, was, person.manager)] if moved else []


def _licences(there: There) -> list[Change]:
    """The licences that were given from here and are there no more, unless one is on its way there or back."""
    if HELD not in there.observed:
        return []
    held = {str(one.get("skuId")).lower() for one in there.observed[HELD] or () if isinstance(one, Mapping)}
    moving = {sku.lower() for sku in there.intent.get(LICENCES) or {}}
    lacking = sorted(there.given.keys() - held - moving)
    return [Change(f"{LICENCE}{sku}", "not given", "given") for sku in lacking]
