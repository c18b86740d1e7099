"""Owns the `$filter` and `$search` languages: text in, a predicate over stored bodies out.
Never touches the store."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provision.sandbox.graph.errors import GraphError, bad_syntax, unsupported
from provision.sandbox.graph.properties import EXTENSION_ATTRIBUTES, Property

Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<punct>[(),:])|(?P<word>[^\s(),:']+(?:(?<=\d):[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?))"
)
_COMPARISONS = ("eq", "ne", "ge", "le", "gt", "lt")
_FUNCTIONS = ("startswith", "endswith", "contains")
_SPELLED = {"startswith": "startsWith", "endswith": "endsWith", "contains": "contains"}
_PHONES = ("businessPhones", "mobilePhone", "faxNumber")
_DATED = re.compile(r"\d{4}-\d\d-\d\dT")


@dataclass
class Filter:
    """A compiled filter. `exact` maps a property to the one value it must equal, when an index may be asked first."""

    accepts: Predicate
    exact: dict[str, str]
    advanced_for: str | None = None


def parse(text: str, table: Mapping[str, Property], resource: str) -> Filter:
    """Compile `text`; GraphError 400 for bad syntax, unknown properties and operators the property doesn't support."""
    parser = _Parser(text, table, resource)
    accepts = parser.disjunction(None)
    parser.finish()
    return Filter(accepts, parser.exact if parser.conjunctive else {}, parser.advanced_for)


def search(text: str, table: Mapping[str, Property]) -> Predicate:
    """Compile `$search`: clauses `"property:words"` joined by AND or OR, matching the beginnings of words."""
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"|\b(AND|OR)\b|(\S)', text)
    if not pieces or any(stray for _, _, stray in pieces) or len(pieces) % 2 == 0:
        raise bad_syntax(f"Syntax error: the search clause '{text}' is not of the form \"property:value\".")
    accepts = _clause(pieces[0][0], table)
    for (_, joint, _), (clause, _, _) in zip(pieces[1::2], pieces[2::2], strict=True):
        accepts = _joined(joint, accepts, _clause(clause, table))
    return accepts


def _joined(joint: str, left: Predicate, right: Predicate) -> Predicate:
    if joint.upper() == "AND":
        return lambda body: left(body) and right(body)
    return lambda body: left(body) or right(body)


def _clause(text: str, table: Mapping[str, Property]) -> Predicate:
    name, colon, wanted = text.partition(":")
    if not colon or name not in table or "q" not in table[name].flags:
        raise unsupported(f"Unsupported property '{name}' in the search clause.")
    words = re.findall(r"\w+", wanted.casefold())

    def accepts(body: Mapping[str, Any]) -> bool:
        value = body.get(name) or ""
        there = re.findall(r"\w+", " ".join(value if isinstance(value, list) else [value]).casefold())
        return all(any(token.startswith(word) for token in there) for word in words)

    return accepts


class _Parser:
    """Recursive descent over the tokens; every rule returns a predicate."""

    def __init__(self, text: str, table: Mapping[str, Property], resource: str) -> None:
        self.tokens = _tokens(text)
        self.table = table
        self.resource = resource
        self.exact: dict[str, str] = {}
        self.conjunctive = True
        self.advanced_for: str | None = None

    def disjunction(self, variable: str | None) -> Predicate:
        left = self.conjunction(variable)
        while self.taken("or"):
            self.conjunctive = False
            left = _joined("OR", left, self.conjunction(variable))
        return left

    def conjunction(self, variable: str | None) -> Predicate:
        left = self.term(variable)
        while self.taken("and"):
            left = _joined("AND", left, self.term(variable))
        return left

    def term(self, variable: str | None) -> Predicate:
        if self.taken("not"):
            self.conjunctive = False
            self.needs_advanced("not")
            inner = self.term(variable)
            return lambda body: not inner(body)
        if self.taken("("):
            inner = self.disjunction(variable)
            self.expect(")")
            return inner
        word = self.next_word()
        if word.lower() in _FUNCTIONS:
            return self.function(word.lower(), variable)
        if word.endswith(("/any", "/all")) and self.taken("("):
            return self.quantified(word)
        return self.comparison(word, variable)

    def function(self, name: str, variable: str | None) -> Predicate:
        self.expect("(")
        path = self.next_word()
        self.expect(",")
        wanted = str(self.literal()).casefold()
        self.expect(")")
        self.check(path, _SPELLED[name], variable)
        read = _reader(path, variable)
        test = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}[name]
        return lambda body: any(test(str(value).casefold(), wanted) for value in _each(read(body)))

    def quantified(self, word: str) -> Predicate:
        """`collection/any(x:…)`: the inner rule reads each element through its variable."""
        path, _, quantifier = word.rpartition("/")
        self.known(path)
        variable = self.next_word()
        self.expect(":")
        outer, self.conjunctive = self.conjunctive, False
        inner = self.disjunction(variable)
        self.conjunctive = outer
        self.expect(")")
        read = _reader(path, None)
        combine = any if quantifier == "any" else all
        return lambda body: combine(inner({"": element}) for element in read(body) or ())

    def comparison(self, path: str, variable: str | None) -> Predicate:
        operator = self.next_word().lower()
        if operator == "in":
            return self.membership(path, variable)
        if operator not in _COMPARISONS:
            raise bad_syntax(f"Invalid filter clause: '{operator}' is not an operator.")
        wanted = self.literal()
        if path.lower().endswith("/$count"):
            return self.counted(path[: -len("/$count")], operator, wanted)
        self.check(path, operator, variable)
        if wanted is None:
            self.needs_advanced("null")
        elif operator == "eq" and variable is None:
            self.exact[path.rpartition("/")[2]] = str(wanted).casefold()
        read = _reader(path, variable)
        return lambda body: _compare(operator, read(body), wanted)

    def membership(self, path: str, variable: str | None) -> Predicate:
        self.expect("(")
        wanted = [self.literal()]
        while self.taken(","):
            wanted.append(self.literal())
        self.expect(")")
        self.check(path, "in", variable)
        read = _reader(path, variable)
        return lambda body: any(_compare("eq", read(body), value) for value in wanted)

    def counted(self, path: str, operator: str, wanted: Any) -> Predicate:
        self.check(path, "count", None)
        self.needs_advanced("$count")
        read = _reader(path, None)
        return lambda body: _compare(operator, len(read(body) or ()), wanted)

    def check(self, path: str, operator: str, variable: str | None) -> None:
        """Refuse an unknown property, and an operator the property doesn't know; note what needs advanced queries."""
        if variable is None:
            known = self.known(path)
            allowed = known.filters | ({"ne"} if "not" in known.filters else set())
            if operator not in allowed:
                raise self.refusal(path)
            if operator == "startsWith" and known.name in _PHONES:
                self.needs_advanced("startsWith")
            if known.name == "onPremisesExtensionAttributes":
                self.needs_advanced(path)
        if operator in ("ne", "endsWith"):
            self.needs_advanced(operator)

    def known(self, path: str) -> Property:
        name, _, rest = path.partition("/")
        if name not in self.table or (name == "onPremisesExtensionAttributes" and rest not in EXTENSION_ATTRIBUTES):
            raise bad_syntax(
                f"Could not find a property named '{path}' on type 'microsoft.graph.{self.resource.lower()}'."
            )
        return self.table[name]

    def refusal(self, path: str) -> GraphError:
        return unsupported(
            f"Unsupported or invalid query filter clause specified for property '{path}' of resource '{self.resource}'."
        )

    def needs_advanced(self, what: str) -> None:
        self.advanced_for = self.advanced_for or what

    def taken(self, word: str) -> bool:
        if self.tokens and self.tokens[0].lower() == word:
            self.tokens.pop(0)
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.taken(word):
            raise bad_syntax(f"Invalid filter clause: '{word}' is missing.")

    def next_word(self) -> str:
        if not self.tokens or self.tokens[0][0] in "'(),:":
            raise bad_syntax("Invalid filter clause: a name or an operator is missing.")
        return self.tokens.pop(0)

    def literal(self) -> Any:
        if not self.tokens or self.tokens[0] in ("(", ")", ",", ":"):
            raise bad_syntax("Invalid filter clause: a value is missing.")
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        words = {"true": True, "false": False, "null": None}
        if token.lower() in words:
            return words[token.lower()]
        return int(token) if re.fullmatch(r"-?\d+", token) else token

    def finish(self) -> None:
        if self.tokens:
            raise bad_syntax(f"Invalid filter clause: '{self.tokens[0]}' was not expected.")


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise bad_syntax("Invalid filter clause: an unterminated string literal.")
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


def _reader(path: str, variable: str | None) -> Callable[[Mapping[str, Any]], Any]:
    """Return what reads `path` from a body, or from the element that stands for `variable`."""
    steps = path.split("/")
    if variable is not None and steps[0] == variable:
        steps[0] = ""

    def read(body: Any) -> Any:
        for step in steps:
            body = body.get(step) if isinstance(body, Mapping) else None
        return body

    return read


def _each(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _compare(operator: str, value: Any, wanted: Any) -> bool:
    """Compare the way the directory does: text without regard to case, times by the clock, null equal to null only."""
    if isinstance(value, list):
        return any(_compare(operator, element, wanted) for element in value)
    if operator in ("eq", "ne"):
        return bool(_comparable(value) == _comparable(wanted)) == (operator == "eq")
    if value is None or wanted is None:
        return False
    left, right = _comparable(value), _comparable(wanted)
    if type(left) is not type(right):
        left, right = str(left), str(right)
    return bool({"ge": left >= right, "le": left <= right, "gt": left > right, "lt": left < right}[operator])


def _comparable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _DATED.match(value):  # fractions of a second are not kept
        return re.sub(r"(\.\d+)?(Z|\+00:00)$", "", value).casefold()
    return value.casefold()
