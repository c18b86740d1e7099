"""The small language in which a mapping row may compute a value: texts, attributes, joining and a fixed set of functions.

Owns its grammar, its functions and their bounds; never executes Python, never reads anything but the values given, and
has no loop, no recursion and no way to define one.

    expression = part { ("+" | "&") part }
    part       = "text" | 'text' | number | name | "[" any name "]" | function "(" [ argument { "," argument } ] ")"
               | "(" expression ")"
    condition  = expression [ ("=" | "<>") expression ]          only as the first argument of if()

A quotation mark inside a text is written twice. There is one kind of empty: an attribute that is missing, null or ""
counts as the empty text everywhere, and an expression whose result is the empty text evaluates to None.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from provision.core.transliteration import to_ascii

MAX_SOURCE = 10_000
MAX_DEPTH = 50
MAX_PARTS = 200
MAX_TEXT = 2_500
"""Bounds. Each part is evaluated at most once and yields at most MAX_TEXT characters (10 kB in UTF-8; the rest is cut), so
the work is at most MAX_PARTS × MAX_TEXT characters whatever is written, and linear in both."""

Values = Mapping[str, object]
_Run = Callable[[Values], str]
T = TypeVar("T")

_MESSAGES = {
    "too_long": "The expression is longer than {limit} characters.",
    "too_deep": "The expression is nested more than {limit} levels deep.",
    "too_many_parts": "The expression has more than {limit} parts.",
    "empty": "The expression is empty.",
    "unclosed_text": "The text that begins here has no closing quotation mark.",
    "unclosed_name": "The attribute name that begins here has no closing bracket.",
    "strange_character": "“{found}” has no meaning here.",
    "unexpected": "“{found}” was not expected here.",
    "unfinished": "The expression ends where something is still missing.",
    "unknown_function": "There is no function “{name}”.",
    "argument_count": "{name}() takes {wanted} arguments, not {given}.",
    "number_needed": "{name}() needs a whole number from 0 to {limit} here.",
    "comparison": "A comparison may only stand as the first argument of if().",
}


class ExpressionError(ValueError):
    """An expression that does not compile: ``code`` and ``params`` for translation, ``position`` counted from 0."""

    def __init__(self, code: str, position: int, **params: str | int) -> None:
        self.code = code
        self.position = position
        self.params = params
        self.message = _MESSAGES[code].format(**params)
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. ``attributes`` are the names it reads, in order of appearance; ``parts`` counts its steps."""

    source: str
    attributes: tuple[str, ...]
    parts: int
    _run: _Run = field(repr=False, compare=False)

    def evaluate(self, values: Values) -> str | None:
        """Compute the value for one person; None when it is empty. Never raises, whatever the values are."""
        return self._run(values) or None


def compile_expression(text: str) -> Expression:
    """Read an expression once, so that evaluating it for each person costs microseconds. Raises ExpressionError."""
    if len(text) > MAX_SOURCE:
        raise ExpressionError("too_long", MAX_SOURCE, limit=MAX_SOURCE)
    parser = _Parser(text)
    run = parser.whole()
    return Expression(text, tuple(parser.attributes), parser.parts, run)


def as_text(value: object, limit: int = MAX_TEXT) -> str:
    """Turn what a directory may hold into text: true/false, digits, and lists as their texts joined by "; ".

    Objects, and anything else that is no single value, become the empty text. Cut at ``limit`` characters.
    """
    if isinstance(value, list | tuple):
        return "; ".join(filter(None, (_single(item)[:limit] for item in value[:MAX_PARTS])))[:limit]
    return _single(value)[:limit]


def _single(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # Python refuses to print an integer of more than 4,300 digits, and a hostile server may well send one.
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= 64):
        return str(value)
    return ""


# -- Functions -----------------------------------------------------------------------------------------------------------


def _strip(text: str) -> str:
    return "".join(text.split())


def _title(text: str) -> str:
    return _WORD.sub(lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


def _initials(text: str) -> str:
    return _WORD.sub(lambda word: word[0][:1].upper(), text).replace("-", "").replace(" ", "")


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        return text
    growth = len(new) - len(old)
    # Enough replacements to fill the bound and no more: the square of the bound must never come into being.
    return text.replace(old, new, MAX_TEXT // growth + 1 if growth > 0 else -1)


def _before(text: str, mark: str) -> str:
    return text.partition(mark)[0] if mark else text


def _after(text: str, mark: str) -> str:
    return text.partition(mark)[2] if mark else text


def _join(separator: str, *texts: str) -> str:
    return separator.join(filter(None, texts))


def _coalesce(*texts: str) -> str:
    return next(filter(None, texts), "")


def _first(text: str, count: int) -> str:
    return text[:count]


def _last(text: str, count: int) -> str:
    return text[-count:] if count else ""


def _mid(text: str, start: int, count: int) -> str:
    begin = max(start, 1) - 1
    return text[begin : begin + count]


class _Function(NamedTuple):
    """What is called, how many arguments it takes, and from which argument on they are whole numbers."""

    call: Callable[..., str]
    least: int
    most: int
    numbers_from: int = MAX_PARTS


_WORD = re.compile(r"[^\s-]+")
_ANY = MAX_PARTS
_FUNCTIONS = {
    "lower": _Function(str.lower, 1, 1),
    "upper": _Function(str.upper, 1, 1),
    "title": _Function(_title, 1, 1),
    "trim": _Function(str.strip, 1, 1),
    "strip": _Function(_strip, 1, 1),
    "ascii": _Function(to_ascii, 1, 1),
    "initials": _Function(_initials, 1, 1),
    "first": _Function(_first, 2, 2, numbers_from=1),
    "last": _Function(_last, 2, 2, numbers_from=1),
    "mid": _Function(_mid, 3, 3, numbers_from=1),
    "replace": _Function(_replace, 3, 3),
    "before": _Function(_before, 2, 2),
    "after": _Function(_after, 2, 2),
    "join": _Function(_join, 2, _ANY),
    "coalesce": _Function(_coalesce, 1, _ANY),
}
# The spelling of Entra's own expression functions, for people who bring theirs along.
_SYNONYMS = {
    "tolower": "lower",
    "toupper": "upper",
    "pcase": "title",
    "stripspaces": "strip",
    "normalizediacritics": "ascii",
    "left": "first",
    "right": "last",
    "iif": "if",
}
FUNCTIONS = (*_FUNCTIONS, "if")
"""The names offered in the editor, in the order in which they are explained."""


# -- Reading -------------------------------------------------------------------------------------------------------------

# Possessive quantifiers: a mark without its partner fails at once instead of trying every shorter text.
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"]++|"")*+"|'(?:[^']++|'')*+')
      | (?P<number>[0-9]++)
      | (?P<name>[A-Za-z][A-Za-z0-9_.]*+)
      | \[(?P<bracketed>[^\[\]]++)\]
      | (?P<mark><>|[-+&=,()])
      | (?P<space>\s++)""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def _tokens(source: str) -> Iterator[_Token]:
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            unclosed = {'"': "unclosed_text", "'": "unclosed_text", "[": "unclosed_name"}.get(source[position])
            if unclosed:
                raise ExpressionError(unclosed, position)
            raise ExpressionError("strange_character", position, found=source[position])
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match[kind], position)
        position = match.end()
    yield _Token("end", "", len(source))


class _Parser:
    """Reads tokens from left to right, one ahead; each method returns what it read as something to run."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokens(source)
        self._next = next(self._tokens)
        self._depth = 0
        self.parts = 0
        self.attributes: dict[str, None] = {}

    def whole(self) -> _Run:
        if self._next.kind == "end":
            raise ExpressionError("empty", 0)
        run = self._joined()
        if self._next.kind != "end":
            raise self._unexpected()
        return run

    def _joined(self) -> _Run:
        pieces = [self._part()]
        while self._next.text in {"+", "&"} and self._next.kind == "mark":
            self._take()
            pieces.append(self._part())
        return _joining(pieces) if len(pieces) > 1 else pieces[0]

    def _part(self) -> _Run:
        token = self._take()
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise ExpressionError("too_many_parts", token.position, limit=MAX_PARTS)
        if token.kind == "text":
            mark = token.text[0]
            return _constant(token.text[1:-1].replace(mark * 2, mark))
        if token.kind == "number":
            return _constant(token.text)
        if token.kind == "bracketed":
            return self._reference(token.text.strip())
        if token.kind == "name":
            return self._call(token) if self._next_is("(") else self._reference(token.text)
        if token.kind == "mark" and token.text == "(":
            return self._inside(self._joined, token)
        raise self._unexpected(token)

    def _reference(self, name: str) -> _Run:
        self.attributes[name] = None
        return _reading(name)

    def _call(self, name: _Token) -> _Run:
        opening = self._take()
        known = name.text.lower()
        known = _SYNONYMS.get(known, known)
        if known == "if":
            return self._inside(lambda: self._choice(name), opening)
        if known not in _FUNCTIONS:
            raise ExpressionError("unknown_function", name.position, name=name.text[:40])
        function = _FUNCTIONS[known]
        texts, numbers = self._inside(lambda: self._arguments(name, function), opening)
        return _calling(function.call, texts, numbers)

    def _inside(self, read: Callable[[], T], opening: _Token) -> T:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError("too_deep", opening.position, limit=MAX_DEPTH)
        found = read()
        self._expect(")")
        self._depth -= 1
        return found

    def _arguments(self, name: _Token, function: _Function) -> tuple[list[_Run], list[int]]:
        texts: list[_Run] = []
        numbers: list[int] = []
        while not self._next_is(")"):
            if texts:
                self._expect(",")
            if len(texts) + len(numbers) >= function.numbers_from:
                numbers.append(self._number(name))
            else:
                texts.append(self._joined())
        self._count(name, len(texts) + len(numbers), function.least, function.most)
        return texts, numbers

    def _choice(self, name: _Token) -> _Run:
        if self._next_is(")"):
            self._count(name, 0, 3, 3)
        condition = self._condition()
        branches: list[_Run] = []
        while self._next_is(","):
            self._take()
            branches.append(self._joined())
        if not self._next_is(")"):
            raise self._unexpected()
        self._count(name, 1 + len(branches), 3, 3)
        return _choosing(condition, branches[0], branches[1])

    def _condition(self) -> Callable[[Values], bool]:
        left = self._joined()
        if self._next_is("="):
            self._take()
            return _comparing(left, self._joined(), equal=True)
        if self._next_is("<>"):
            self._take()
            return _comparing(left, self._joined(), equal=False)
        return lambda values: bool(left(values))

    def _number(self, name: _Token) -> int:
        token = self._take()
        if token.kind != "number" or len(token.text) > 5 or int(token.text) > MAX_TEXT:
            raise ExpressionError("number_needed", token.position, name=name.text, limit=MAX_TEXT)
        return int(token.text)

    def _count(self, name: _Token, given: int, least: int, most: int) -> None:
        if not least <= given <= most:
            wanted = str(least) if least == most else f"{least} or more"
            raise ExpressionError("argument_count", name.position, name=name.text, wanted=wanted, given=given)

    def _next_is(self, mark: str) -> bool:
        return self._next.kind == "mark" and self._next.text == mark

    def _expect(self, mark: str) -> None:
        if not self._next_is(mark):
            raise self._unexpected()
        self._take()

    def _take(self) -> _Token:
        token = self._next
        self._next = next(self._tokens, token)
        return token

    def _unexpected(self, token: _Token | None = None) -> ExpressionError:
        token = token or self._next
        if token.kind == "end":
            return ExpressionError("unfinished", token.position)
        if token.kind == "mark" and token.text in {"=", "<>"}:
            return ExpressionError("comparison", token.position)
        return ExpressionError("unexpected", token.position, found=token.text[:40])


# -- Running -------------------------------------------------------------------------------------------------------------


def _constant(text: str) -> _Run:
    return lambda _: text


def _reading(name: str) -> _Run:
    return lambda values: as_text(values.get(name))


def _joining(pieces: Sequence[_Run]) -> _Run:
    return lambda values: "".join([piece(values) for piece in pieces])[:MAX_TEXT]


def _calling(function: Callable[..., str], texts: Sequence[_Run], numbers: Sequence[int]) -> _Run:
    return lambda values: function(*[text(values) for text in texts], *numbers)[:MAX_TEXT]


def _choosing(condition: Callable[[Values], bool], yes: _Run, no: _Run) -> _Run:
    return lambda values: yes(values) if condition(values) else no(values)


def _comparing(left: _Run, right: _Run, *, equal: bool) -> Callable[[Values], bool]:
    return lambda values: (left(values).casefold() == right(values).casefold()) is equal
