"""Attribute Mapping as a form: reading its rows, carrying out the buttons that need no saving, and drawing them.

Owns the shape of the form; judges no row and saves none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from werkzeug.datastructures import MultiDict

from provision.core.mapping import Row
from provision.core.ports import Attribute
from provision.core.vocabulary import USER_ATTRIBUTES, Direction, Flow, MappingKind, Owner

LONGEST = 10_000
MOST = 200
_PROFILE, _CUSTOM = "profile", "custom"
_EXTRA = "extra."


@dataclass(frozen=True, slots=True)
class Line:
    """One row on the screen: the row, whether it is new or differs from what is stored (and from what), its errors.

    ``shown`` is the kind as the page names it: profile, custom, expression or constant.
    """

    row: Row
    shown: str
    label: str
    known: bool
    was: Row | None
    differs: bool
    errors: Mapping[str, str]

    @property
    def chosen(self) -> str:
        """The value that its select shows; empty while a custom attribute is still to be chosen."""
        return "" if self.row.ours == _EXTRA else self.row.ours


@dataclass(frozen=True, slots=True)
class Choices:
    """What the selects offer: their attributes, the default profile, the tenant's own attributes."""

    theirs: tuple[tuple[str, str], ...]
    profile: tuple[tuple[str, str], ...]
    custom: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, names: Mapping[str, str], schema: Sequence[Attribute]) -> "Choices":
        """From every attribute there is here and there; objects cannot be mapped."""
        return cls(
            theirs=tuple((each.name, each.name) for each in schema if each.kind != "object"),
            profile=tuple(USER_ATTRIBUTES.items()),
            custom=tuple((name, label) for name, label in names.items() if name.startswith(_EXTRA)),
        )


def read(form: MultiDict[str, str]) -> list[Row]:
    """The rows as they were sent: parallel lists, one entry per row. Unknown words become the defaults."""
    columns = [form.getlist(name)[:MOST] for name in ("theirs", "shown", "ours", "flow", "owner", "direction", "match")]
    return [_row(position, *values) for position, values in enumerate(zip(*columns, strict=False))]


def edited(rows: list[Row], do: str) -> list[Row]:
    """Carry out a button: *add*, *remove:3*, *up:3*, *down:3*. Anything else leaves the rows as they are."""
    verb, _colon, number = do.partition(":")
    at = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
    if verb == "add" and len(rows) < MOST:
        return [*rows, Row(Direction.BOTH, "", "", position=len(rows))]
    if not 0 <= at < len(rows):
        return rows
    if verb == "remove":
        return [row for index, row in enumerate(rows) if index != at]
    to = at + {"up": -1, "down": 1}.get(verb, 0)
    if 0 <= to < len(rows):
        rows = [*rows]
        rows[at], rows[to] = rows[to], rows[at]
    return rows


def lines(
    rows: Sequence[Row],
    stored: Sequence[Row],
    names: Mapping[str, str],
    schema: Sequence[Attribute],
    errors: Mapping[str, str],
) -> list[Line]:
    """The rows ready to be drawn."""
    before = {(row.direction, row.theirs): row for row in stored}
    there = {attribute.name for attribute in schema}
    return [
        Line(
            row=row,
            shown=shown(row),
            label=names.get(row.ours, row.ours),
            known=row.theirs in there,
            was=before.get((row.direction, row.theirs)),
            differs=differs(row, before.get((row.direction, row.theirs))),
            errors={
                side: errors[f"{side}-{index}"]
                for side in ("theirs", "ours", "direction", "matching_priority")
                if f"{side}-{index}" in errors
            },
        )
        for index, row in enumerate(rows)
    ]


def shown(row: Row) -> str:
    """The kind as the page names it."""
    if row.kind is not MappingKind.ATTRIBUTE:
        return row.kind.value
    return _CUSTOM if row.ours.startswith(_EXTRA) else _PROFILE


def differs(row: Row, stored: Row | None) -> bool:
    """Whether a row says something else than the stored one, wherever it stands."""
    return stored is None or replace(row, position=0) != replace(stored, position=0)


def order(rows: Sequence[Row]) -> list[tuple[Direction, str]]:
    """The rows' names from top to bottom."""
    return [(row.direction, row.theirs) for row in rows]


def _row(position: int, theirs: str, kind: str, ours: str, flow: str, owner: str, direction: str, match: str) -> Row:
    computed = kind in (MappingKind.EXPRESSION, MappingKind.CONSTANT)
    if (kind == _CUSTOM) != ours.startswith(_EXTRA) and not computed:
        # The kind was changed, so the value of the old kind means nothing any more; what is left says the new kind.
        ours = _EXTRA if kind == _CUSTOM else ""
    way = Direction(direction) if direction in tuple(Direction) else Direction.BOTH
    return Row(
        direction=Direction.OUT if computed and way is Direction.BOTH else way,
        ours=ours[:LONGEST].strip(),
        theirs=theirs[:LONGEST].strip(),
        kind=MappingKind(kind) if computed else MappingKind.ATTRIBUTE,
        flow=Flow(flow) if flow in tuple(Flow) else Flow.ALWAYS,
        owner=Owner(owner) if owner in tuple(Owner) else Owner.EITHER,
        matching_priority=(int(match) or None) if match.isascii() and match.isdigit() and len(match) < 3 else None,
        position=position,
    )
