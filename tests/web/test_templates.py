"""Templates mirror the routes, say what they are given, and hold nothing that the policy or a translator would trip over."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import nodes

from provision.factory import assets

ROOT = assets("templates")
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.html"))
PAGES = [name for name in FILES if "/" in name and not name.startswith(("macros/", "errors/")) and "/_" not in name]
WEB = Path(__file__).parents[2] / "provision" / "web"

SAFE = {
    "macros/parts.html",
    "macros/frame.html",
    "macros/timeline.html",
    "macros/table.html",
    "macros/form.html",
    "macros/badges.html",
}
"""Where |safe may follow a constant."""

NOT_WORDS = ("provision", "· provision", "Ctrl K", "roomy", "wide")
"""The product's name, a key, and values of the block that holds a class."""

BESIDE = {
    "signin.start": "signin/nowhere.html",
    "signin.choose": "signin/first.html",
    "apps.consent": "apps/consent.html",
    "activate.arrive": "activate/over.html",
}
"""Pages whose template is not named after the endpoint, and why: a redirect that ends here, a page with two addresses."""


@pytest.mark.parametrize("name", FILES)
def test_a_template_opens_by_saying_what_it_is_given(name: str) -> None:
    text = (ROOT / name).read_text()
    assert text.startswith("{# "), name
    opening = text.partition("#}")[0]
    assert len(opening) > 30, name


@pytest.mark.parametrize("name", FILES)
def test_there_is_no_inline_style_script_or_handler(name: str) -> None:
    text = re.sub(r"\{#.*?#\}", "", (ROOT / name).read_text(), flags=re.DOTALL)
    assert not re.search(r"\sstyle\s*=", text), name
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), name
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), name
    assert "<style" not in text, name
    assert "hx-on" not in text, name
    assert not re.search(r"hx-(vals|headers|vars)\s*=\s*[\"']js:", text), name
    assert not re.search(r"(src|href)=[\"'](https?:)?//", text), name
    assert "javascript:" not in text, name


@pytest.mark.parametrize("name", FILES)
def test_nothing_but_constants_is_declared_safe(app: Flask, name: str) -> None:
    tree = app.jinja_env.parse((ROOT / name).read_text())
    for found in tree.find_all(nodes.Filter):
        if found.name == "safe":
            assert name in SAFE, name
            assert isinstance(found.node, nodes.Const), (name, found.lineno)
    for call in tree.find_all(nodes.Call):
        assert getattr(call.node, "name", "") != "Markup", name
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier)), name


@pytest.mark.parametrize("name", FILES)
def test_only_constants_go_through_gettext(app: Flask, name: str) -> None:
    """What gettext returns counts as markup, so a value that came from outside would not be escaped."""
    tree = app.jinja_env.parse((ROOT / name).read_text())
    for call in tree.find_all(nodes.Call):
        function = getattr(call.node, "name", "")
        texts = call.args[:2] if function == "ngettext" else call.args[:1] if function in ("_", "gettext") else []
        for text in texts:
            from_the_table = name == "macros/badges.html" and getattr(text, "name", "") == "word"
            assert isinstance(text, nodes.Const) or from_the_table, (name, call.lineno)


class _Words(HTMLParser):
    """The words of a template that a person would see, outside any {{ }}."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("code", "svg")
        for name, value in attrs:
            if name in ("aria-label", "placeholder", "title", "alt") and value:
                self.handle_data(value)

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("code", "svg")

    def handle_data(self, data: str) -> None:
        if not self.silent and re.search(r"[^\W\d_]{2,}", data):
            self.found.append(data.strip())


@pytest.mark.parametrize("name", FILES)
def test_every_visible_word_goes_through_the_catalogue(name: str) -> None:
    text = (ROOT / name).read_text()
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
    reader = _Words()
    reader.feed(text)
    torn = [word for word in reader.found if '="' in word]  # attributes whose tag begins in another macro
    assert [word for word in reader.found if word not in (*NOT_WORDS, *torn)] == [], name


def test_every_page_has_its_route_and_every_route_its_page(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    rendered = _rendered()
    assert sorted(set(PAGES) - set(rendered)) == [], "a template that no route renders"
    for template, modules in rendered.items():
        room = template.split("/")[0]
        assert modules == {room}, (template, modules)
        endpoint = template.removesuffix(".html").replace("/", ".")
        assert endpoint in endpoints or template in BESIDE.values() or endpoint == f"{room}.{room}", template


def _rendered() -> dict[str, set[str]]:
    """Template → the modules of provision/web that render it, read from their page("…") calls."""
    found: dict[str, set[str]] = {}
    for path in WEB.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            named = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "page" and call.args
            if named and isinstance(call.args[0], ast.Constant):  # type: ignore[attr-defined]
                found.setdefault(call.args[0].value, set()).add(path.stem)  # type: ignore[attr-defined]
    return found


def test_a_fragment_is_named_like_the_element_it_holds() -> None:
    """Block, id and target are one word, so that a swap never guesses."""
    layout = (ROOT / "layout.html").read_text()
    for name in PAGES:
        text = (ROOT / name).read_text()
        for target in re.findall(r'hx-target="#([\w-]+)"', text):
            assert f'id="{target}"' in text + layout, (name, target)
        for block in re.findall(r"\{% block (rows|drawer|live|card|draft)\b", text):
            assert f'id="{block}"' in text, (name, block)
