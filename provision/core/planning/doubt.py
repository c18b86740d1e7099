"""What was sent and is not confirmed yet, and what was written a moment ago: in neither is what was last seen the truth.

Owns what an account remembers of our own writes (``account.pushed``); never looks and never sends.

    unsure   attribute → the values that were sent, oldest first: noted before they leave, forgotten when an answer comes
    lately   [at, {attribute → what was there before}], for as long as a page asked for earlier may still arrive

Whatever is unsure is sent again, even if what was last seen there looks right; and what an import sees there is not taken for
somebody else's edit when it is our own, or what ours has just replaced.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from provision.core.mapping import clean
from provision.core.ports import LICENCES
from provision.core.vocabulary import OperationKind

WHOLE = "*"
"""Not one attribute but the whole account."""

UNSURE, LATELY = "unsure", "lately"
OLDEST_PAGE = timedelta(minutes=15)
Pushed = Mapping[str, Any]


def sent(kind: OperationKind | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a write of this kind carries, by attribute; deleting and restoring are about the whole account."""
    told = {name: pair[1] for name, pair in changes.items() if not name.startswith(f"{LICENCES}.")}
    whole = {WHOLE: kind.value} if kind in (OperationKind.DELETE, OperationKind.RESTORE) else {}
    return {**told, **whole}


def sending(pushed: Pushed, values: Mapping[str, Any]) -> dict[str, Any]:
    """Note what is about to be sent."""
    unsure: dict[str, list[Any]] = {**(pushed.get(UNSURE) or {})}
    for name, value in values.items():
        unsure[name] = [*(one for one in unsure.get(name, ()) if one != value), value]
    return _with(pushed, unsure)


def answered(
    pushed: Pushed,
    before: Pushed,
    kind: OperationKind | None,
    changes: Mapping[str, Any],
    left: Mapping[str, bool],
    now: datetime,
) -> dict[str, Any]:
    """Note the answer. ``before``: as it was before this was sent; ``left``: what did not follow → whether it may have."""
    values = sent(kind, changes)
    earlier = before.get(UNSURE) or {}
    unsure = {name: value for name, value in (pushed.get(UNSURE) or {}).items() if name not in values}
    # Whatever answered for one of its attributes is there.
    unsure.pop(WHOLE, None)
    for name, doubtful in left.items():
        kept = (pushed.get(UNSURE) or {}) if doubtful else earlier
        if name in values and name in kept:
            unsure[name] = kept[name]
    was = {name: changes[name][0] if name in changes else None for name in values if name not in left}
    recent = [one for one in pushed.get(LATELY) or () if datetime.fromisoformat(one[0]) > now - OLDEST_PAGE]
    return {**_with(pushed, unsure), LATELY: [*recent, [now.isoformat(), was]]}


def settled_down(pushed: Pushed) -> dict[str, Any]:
    """It is known what is there, or that nothing is."""
    return _with(pushed, {})


def outdated(pushed: Pushed, asked_at: datetime | None) -> dict[str, list[Any]]:
    """Attribute → values that a page asked for at that moment may show although ours has replaced them since."""
    found: dict[str, list[Any]] = {}
    for at, was in pushed.get(LATELY) or ():
        if asked_at is not None and datetime.fromisoformat(at) >= asked_at:
            for name, value in was.items():
                found.setdefault(name, []).append(value)
    return found


def ours(pushed: Pushed, observed: Mapping[str, Any]) -> dict[str, Any]:
    """What is seen there and is what we sent ourselves, whether its answer came or not."""
    unsure = pushed.get(UNSURE) or {}
    return {
        name: observed[name] for name, values in unsure.items() if name in observed and among(observed[name], values)
    }


def among(seen: Any, values: Collection[Any]) -> bool:
    """Whether what is seen is one of these, compared as texts."""
    return clean(seen) in [clean(value) for value in values]


def _with(pushed: Pushed, unsure: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in pushed.items() if name != UNSURE}
    return {**rest, UNSURE: dict(unsure)} if unsure else rest
