"""The walls of the house: sizes, words, imports in functions, remedies for every refusal, lock files without addresses."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted((ROOT / "provision").rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
UNSAID = re.compile(r"handler|helper|(?<![a-z])(util|utils|provider|sync)(?![a-z])|Manager$")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def written_by_hand() -> Iterator[Path]:
    """The repository's own texts: what tools keep in hidden folders comes and goes while the tests run."""
    kinds = {".py", ".md", ".toml", ".sh", ".html", ".lock", ".json", ""}
    for folder, names, files in os.walk(ROOT):
        names[:] = [
            name
            for name in names
            if name == ".ci" or (name[0] != "." and name not in ("data", "vendor", "node_modules", "__pycache__"))
        ]
        yield from (path for file in files if (path := Path(folder) / file).suffix in kinds and path.is_file())


@pytest.mark.parametrize("path", [p for p in CODE if "versions" not in p.parts], ids=relative)
def test_no_file_outgrows_its_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_function_needs_two_screens(path: Path) -> None:
    """Counted in statements, so that a table of many lines is one thing."""
    if "versions" in path.parts:
        return
    long = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and sum(isinstance(part, ast.stmt) for part in ast.walk(node)) > 40
    ]
    assert long == []


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_our_own_modules_are_imported_at_the_top(path: Path) -> None:
    inside = [
        ast.unparse(node)
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) and "provision" in ast.unparse(node)
    ]
    assert inside == []


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_every_module_says_what_it_owns(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module begins with what it owns and what it never does"


def named_here(node: ast.AST) -> str | None:
    """The name that a node gives to something; names of others that are merely used are theirs."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
            return name
    return None


def test_names_avoid_the_words_that_say_nothing() -> None:
    found = [
        f"{relative(path)}: {name}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if (name := named_here(node)) and UNSAID.search(name)
    ]
    assert found == []


def test_every_refusal_has_its_remedy() -> None:
    known = tomllib.loads((ROOT / "provision/core/remedies/en.toml").read_text())
    refusals = re.compile(
        r"\b(?:ServiceError|NotFound|Conflict|Forbidden|Refused|Unauthorised|Unreachable|Missing|Taken|OutsideError|Forged)"
        r"\(\s*\"([a-z_]+)\""
    )
    raised = {code for path in CODE if "sandbox" not in path.parts for code in refusals.findall(path.read_text())}
    assert raised - set(known) == set()
    for code, remedy in known.items():
        assert {"title", "what", "do"} <= set(remedy), code


def test_lock_files_name_no_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert not re.search(r"https?://|--index|--find-links", lock.read_text()), lock.name


def test_the_repository_names_no_registry() -> None:
    hosts = "|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npm", "deb" + r"\.debian"))
    for path in written_by_hand():
        assert not re.search(hosts, path.read_text(errors="ignore")), path


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_templates_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250
