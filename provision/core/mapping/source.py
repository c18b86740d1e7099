"""The source side of a row as something to read, and the three-way rule by which the two sides are brought together.

Owns reading and comparing; never knows in which direction its answer is used.
"""

from collections.abc import Callable, Mapping

from provision.core.expressions import compile_expression
from provision.core.text import clean
from provision.core.vocabulary import MappingKind

Values = Mapping[str, object]
Read = Callable[[Values], str | None]


def reader(kind: MappingKind, text: str) -> tuple[Read, tuple[str, ...]]:
    """Compile a source; returns how to read it and the attributes it needs. Raises ExpressionError."""
    if kind is MappingKind.CONSTANT:
        constant = clean(text)
        return lambda _: constant, ()
    if kind is MappingKind.EXPRESSION:
        expression = compile_expression(text)
        names = expression.attributes
        return lambda values: clean(expression.evaluate({name: clean(values.get(name)) for name in names})), names
    return lambda values: clean(values.get(text)), (text,)


def moved_only_there(ours: str | None, theirs: str | None, before: str | None) -> bool:
    """Tell whether the outside changed since ``before`` and we did not, so that its value may flow in."""
    return ours == before and theirs != before
