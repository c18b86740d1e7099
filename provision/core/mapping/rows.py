"""The rows of a mapping and what can be wrong with them.

Owns the judgement of rows before they are saved; never runs them.

The source side of a row holds an attribute's name, a constant or an expression, the target side always a name: for *in*
``theirs`` is the source and ``ours`` the target, for *out* the other way round, for *both* each is an attribute's name.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from provision.core.expressions import Expression, ExpressionError, compile_expression
from provision.core.matching import Rule
from provision.core.ports import Attribute
from provision.core.tables import Mapping as StoredRow
from provision.core.vocabulary import Direction, Flow, MappingKind, Owner

IDENTIFYING = frozenset({"email", "username", "employee_id", "private_email"})
"""Our attributes that may tell people apart. Custom attributes (``extra.…``) may too: several hits are disputed anyhow."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Lower ``position`` comes first; a lower ``matching_priority`` is asked first, None never matches."""

    direction: Direction
    ours: str
    theirs: str
    kind: MappingKind = MappingKind.ATTRIBUTE
    flow: Flow = Flow.ALWAYS
    owner: Owner = Owner.EITHER
    matching_priority: int | None = None
    position: int = 0

    @classmethod
    def of(cls, stored: StoredRow) -> "Row":
        """A stored row as the value that is judged and compiled."""
        return cls(
            direction=stored.direction,
            ours=stored.ours,
            theirs=stored.theirs,
            kind=stored.kind,
            flow=stored.flow,
            owner=stored.owner,
            matching_priority=stored.matching_priority,
            position=stored.position,
        )

    @property
    def flows_in(self) -> bool:
        return self.direction is not Direction.OUT

    @property
    def flows_out(self) -> bool:
        return self.direction is not Direction.IN

    @property
    def rule(self) -> Rule | None:
        """The matching rule that this row also is."""
        if self.matching_priority is None or self.kind is not MappingKind.ATTRIBUTE:
            return None
        return Rule(self.ours, self.theirs, self.matching_priority)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong, where: index of the row (None: the whole mapping), its field, and a message code with its blanks."""

    row: int | None
    field: str
    message_code: str
    params: Mapping[str, str | int]


def judge_rows(rows: Sequence[Row], user_attributes: Collection[str], schema: Sequence[Attribute]) -> list[RowProblem]:
    """Judge the rows of one connector together; an empty list means that they may be saved.

    ``user_attributes``: the columns and ``extra.<name>`` that exist here; ``schema``: what exists there.
    """
    known = {attribute.name: attribute for attribute in schema}
    problems: list[RowProblem] = []
    for index, row in enumerate(rows):
        found = [*_sides(row, user_attributes, known), *_matching(row, known)]
        problems += [RowProblem(index, field, code, params) for field, code, params in found]
    return [*problems, *_twice(rows), *_without_source(rows, schema)]


_Found = tuple[str, str, Mapping[str, str | int]]


def _sides(row: Row, here: Collection[str], there: Mapping[str, Attribute]) -> Iterator[_Found]:
    if not row.ours.strip() and not row.theirs.strip():
        yield "theirs", "empty_row", {}
        return
    computed = row.kind is not MappingKind.ATTRIBUTE
    if computed and row.direction is Direction.BOTH:
        yield "direction", "one_way_only", {"kind": row.kind.value}
        return
    if computed and row.flows_in:
        yield from _source(row, "theirs", row.theirs, there)
    else:
        yield from _their_name(row, there)
    if computed and row.flows_out:
        yield from _source(row, "ours", row.ours, here)
        yield from _length(row, there)
    elif row.ours not in here:
        yield "ours", "unknown_attribute", {"attribute": row.ours}


def _source(row: Row, side: str, text: str, known: Collection[str]) -> Iterator[_Found]:
    if not text.strip():
        yield side, "empty_source", {}
    elif row.kind is MappingKind.EXPRESSION:
        expression = _compiled(text)
        if isinstance(expression, ExpressionError):
            yield side, f"expression_{expression.code}", {**expression.params, "position": expression.position}
            return
        for name in expression.attributes:
            if name not in known:
                yield side, "unknown_attribute", {"attribute": name}


def _their_name(row: Row, there: Mapping[str, Attribute]) -> Iterator[_Found]:
    attribute = there.get(row.theirs)
    if attribute is None:
        yield "theirs", "unknown_attribute", {"attribute": row.theirs}
    elif attribute.kind == "object":
        yield "theirs", "not_text", {"attribute": row.theirs}
    elif row.flows_out and not attribute.writable:
        yield "theirs", "read_only", {"attribute": row.theirs, "reason": attribute.reason}


def _length(row: Row, there: Mapping[str, Attribute]) -> Iterator[_Found]:
    limit = there[row.theirs].max_length if row.theirs in there else None
    if row.kind is MappingKind.CONSTANT and limit is not None and len(row.ours) > limit:
        yield "ours", "too_long", {"attribute": row.theirs, "limit": limit}


def _matching(row: Row, there: Mapping[str, Attribute]) -> Iterator[_Found]:
    if row.matching_priority is None:
        return
    if row.kind is not MappingKind.ATTRIBUTE:
        yield "matching_priority", "match_needs_attribute", {"kind": row.kind.value}
    elif row.ours not in IDENTIFYING and not row.ours.startswith("extra."):
        yield "matching_priority", "match_not_unique", {"attribute": row.ours}
    elif row.theirs in there and there[row.theirs].kind != "text":
        yield "matching_priority", "match_not_unique", {"attribute": row.theirs}


def _twice(rows: Sequence[Row]) -> Iterator[RowProblem]:
    ours: set[str] = set()
    theirs: set[str] = set()
    priorities: set[int] = set()
    for index, row in enumerate(rows):
        if row.flows_in:
            if row.ours in ours:
                yield RowProblem(index, "ours", "target_twice", {"attribute": row.ours})
            ours.add(row.ours)
        if row.flows_out:
            if row.theirs in theirs:
                yield RowProblem(index, "theirs", "target_twice", {"attribute": row.theirs})
            theirs.add(row.theirs)
        if row.matching_priority is not None:
            if row.matching_priority in priorities:
                params = {"priority": row.matching_priority}
                yield RowProblem(index, "matching_priority", "priority_twice", params)
            priorities.add(row.matching_priority)


def _without_source(rows: Sequence[Row], schema: Sequence[Attribute]) -> Iterator[RowProblem]:
    filled = {row.theirs for row in rows if row.flows_out}
    # A mapping that only reads owes the other side nothing.
    for attribute in schema if filled else ():
        if attribute.required and attribute.writable and attribute.name not in filled:
            yield RowProblem(None, "theirs", "required_without_source", {"attribute": attribute.name})


def _compiled(text: str) -> Expression | ExpressionError:
    try:
        return compile_expression(text)
    except ExpressionError as error:
        return error
