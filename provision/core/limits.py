"""An app's own limits: how long what takes away can be undone, how much of it may go, and how what is created is marked.

Owns how they are kept with an app and what stands while nobody has chosen; never looks anybody up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from provision.core.mapping import Row, compile_inbound
from provision.core.planning import Brake
from provision.core.ports import Attribute

HOLD, LONGEST_HOLD = 10, 60
HIGHEST_FLOOR = 1000
SHARES = ("limit_share", "import_limit_share")
"""Read as percents, kept as fractions."""


def hold(scope: Mapping[str, Any]) -> timedelta:
    """How long disables and deletes wait, so that they can be undone."""
    return timedelta(seconds=min(max(float(scope.get("hold_seconds", HOLD)), 0.0), float(LONGEST_HOLD)))


def outgoing(scope: Mapping[str, Any]) -> Brake:
    """How many accounts may be disabled or deleted there."""
    return _brake(scope, "limit_share", "limit_floor")


def incoming(scope: Mapping[str, Any]) -> Brake:
    """How many people an import may take away here."""
    return _brake(scope, "import_limit_share", "import_limit_floor")


def chosen(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The limits as a person reads them: whole seconds, whole percents and numbers, the marking attribute or None."""
    there, here = outgoing(scope), incoming(scope)
    return {
        "hold_seconds": round(hold(scope).total_seconds()),
        "correlation": scope.get("correlation") or None,
        "limit_share": _percent(there),
        "limit_floor": _number(there),
        "import_limit_share": _percent(here),
        "import_limit_floor": _number(here),
    }


def kept(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Some of them as an app keeps them."""
    return {name: value / 100 if name in SHARES else value for name, value in limits.items()}


def marks(schema: Iterable[Attribute]) -> tuple[str, ...]:
    """The attributes in which what is created there may be marked."""
    return tuple(one.name for one in schema if one.marks)


def unfit_mark(mark: str | None, schema: Sequence[Attribute], rows: Iterable[Row]) -> str | None:
    """Why nothing can be marked in this attribute, as a remedy code; None when it can, or when nothing is to be marked."""
    if mark is None:
        return None
    if mark not in marks(schema):
        return "mark_unfit" if marks(schema) else "mark_brought"
    return "mark_mapped" if any(uses(row, mark) for row in rows) else None


def uses(row: Row, attribute: str) -> bool:
    """Whether a row of the mapping, judged before, reads or writes this attribute there."""
    return row.theirs == attribute or attribute in compile_inbound([row]).attributes


def _brake(scope: Mapping[str, Any], share: str, floor: str) -> Brake:
    usual = Brake()
    return Brake(
        limit_share=float(scope.get(share, usual.limit_share)), limit_floor=int(scope.get(floor, usual.limit_floor))
    )


def _percent(brake: Brake) -> int:
    return min(max(round(brake.limit_share * 100), 0), 100)


def _number(brake: Brake) -> int:
    return min(max(brake.limit_floor, 0), HIGHEST_FLOOR)
