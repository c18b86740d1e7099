"""Every code that a connector may raise has words."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import provision.connectors
import provision.core
from provision.connectors.microsoft365 import consent, errors, schema

ROOT = Path(next(iter(provision.connectors.__path__)))
REMEDIES = tomllib.loads(
    (Path(next(iter(provision.core.__path__))) / "remedies" / "en.toml").read_text(encoding="utf-8")
)
RAISERS = {"Unreachable", "Throttled", "Missing", "Taken", "Refused", "Unauthorised", "PydanticCustomError"}


def raised_codes() -> set[str]:
    """The codes written down where an error is made."""
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISERS and node.args:
                found |= {each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)}
    return {code for code in found if isinstance(code, str)}


def test_every_code_raised_in_a_connector_has_a_remedy() -> None:
    tables = {*errors.SIGN_IN.values(), *consent.REASONS.values(), *(code for _, code in errors.PLAIN.values())}
    tables |= {*errors.CODES.values(), *errors.DETAILS.values(), *(code for _, _, code, _ in errors.SAID)}
    reasons = {attribute.reason for attribute in schema.ATTRIBUTES if attribute.reason}
    codes = raised_codes() | tables | reasons | {"throttled", "unknown", "sign_in_refused"}
    assert len(codes) > 40
    assert codes - REMEDIES.keys() == set()


def test_more_than_forty_errors_of_microsofts_are_told_apart() -> None:
    signals = [*errors.SIGN_IN, *consent.REASONS, *errors.PLAIN, *errors.CODES, *errors.DETAILS]
    signals += [pattern for pattern, *_ in errors.SAID]
    told = {*errors.SIGN_IN.values(), *consent.REASONS.values(), *errors.CODES.values(), *errors.DETAILS.values()}
    told |= {code for _, code in errors.PLAIN.values()} | {code for _, _, code, _ in errors.SAID}
    assert len(signals) > 50
    assert len(told) > 39


def test_every_remedy_says_what_happened_and_what_to_do() -> None:
    for code, words in REMEDIES.items():
        assert {"title", "what", "do"} <= words.keys() <= {"title", "what", "do", "button"}, code
        assert all(text.strip() == text and text for text in words.values()), code
        assert words["what"].endswith((".", "}")), code


def calls() -> Iterator[tuple[str, set[str]]]:
    """Each code that is written down where an error is made, with the names of the blanks that are given there."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(code))]) if name in RAISERS:
                    given = {each.arg for each in node.keywords}
                    if None not in given:
                        yield code, {name for name in given if name}


def test_every_blank_of_a_remedy_is_given_where_its_error_is_made() -> None:
    for code, given in calls():
        text = " ".join(REMEDIES[code].values())
        assert set(re.findall(r"\{(\w+)\}", text)) <= given | {"code"}, code


def test_no_remedy_uses_a_word_the_product_avoids() -> None:
    for code, words in REMEDIES.items():
        text = " ".join(words.values()).lower()
        for word in ("successfully", "please", "oops", "invalid", "!", "the system"):
            assert word not in text, (code, word)
