"""What differs there although the mapping says that ours belongs there, compared with what was known of it before.

Owns the judgement; never looks anybody up and never brings anything in line itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from provision.core.mapping import Change, clean, would_change
from provision.core.planning.plan import Person, Rules, There
from provision.core.vocabulary import Lifecycle, Situation


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
    who has left drifts, and nothing that is gone.
    """
    if there.situation is not Situation.LINKED or there.anchor is None or there.removed is not None:
        return []
    if person.lifecycle is Lifecycle.LEFT:
        return []
    found = would_change(rules.outbound, person.values, there.observed, base=there.base)
    synced = there.protection.synced
    return [
        one for one in found if one.attribute in there.observed and (not synced or one.attribute in rules.while_synced)
    ]


def moved_there(there: There, change: Change) -> bool:
    """Tell whether the outside moved since both sides agreed. What never agreed is no drift but what is still to be sent."""
    base = there.base or {}
    return change.attribute in base and clean(base[change.attribute]) != change.was


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
