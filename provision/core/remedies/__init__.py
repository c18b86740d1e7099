"""What went wrong, in words: a code and its blanks become one sentence of what happened and one of what to do.

Owns the reading of one TOML file per language, all with one set of codes; never decides whether something went wrong.
"""

import functools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from string import Formatter
from typing import Any

UNKNOWN = "unknown"
_FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One explanation. ``button`` is the label of what helps, empty when nothing is to be pressed.

    ``actions``: what can be pressed, by the names of ``actions.toml``; the first is what ``button`` labels.
    """

    code: str
    title: str
    what: str
    do: str
    button: str = ""
    actions: tuple[str, ...] = ()


def explain(
    code: str,
    params: Mapping[str, Any] | None = None,
    language: str = _FALLBACK,
    *,
    translate: Callable[[str], str] = str,
) -> Remedy:
    """Explain a code. Values fill the blanks as plain text: whoever shows them escapes them.

    An unknown code is explained honestly as such, with the code itself; a blank without a value reads "…". ``translate``
    is a catalogue's look-up, for pages that are read in more languages than there are whole files for.
    """
    texts = _texts(language)
    text = texts.get(code) or texts[UNKNOWN]
    values = {"code": code, **(params or {})}
    said = {name: text.get(name, "") for name in ("title", "what", "do", "button")}
    parts = {name: _fill(translate(each) if each else "", values) for name, each in said.items()}
    return Remedy(code=code, **parts, actions=actions().get(code, ()))


def codes(language: str = _FALLBACK) -> frozenset[str]:
    """Every code that has an explanation in this language."""
    return frozenset(_texts(language))


@functools.cache
def actions() -> Mapping[str, tuple[str, ...]]:
    """What can be pressed, code by code."""
    file = resources.files(__package__) / "actions.toml"
    return {code: tuple(names) for code, names in tomllib.loads(file.read_text(encoding="utf-8")).items()}


@functools.cache
def _texts(language: str) -> Mapping[str, Mapping[str, str]]:
    """The texts of one language; of a language that has none, the English ones."""
    file = resources.files(__package__) / f"{language}.toml"
    if not language.isalpha() or not file.is_file():
        return _texts(_FALLBACK)
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _fill(text: str, values: Mapping[str, Any]) -> str:
    """Fill {blanks} by name only: no attribute, no index, no format that a value could abuse."""
    filled = []
    for literal, name, _form, _conversion in Formatter().parse(text):
        filled.append(literal)
        if name is not None:
            value = values.get(name)
            filled.append("…" if value is None or value == "" else str(value))
    return "".join(filled)
