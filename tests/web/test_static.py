"""The files sent as they are: every vendored byte is the one the manifest names, and nothing in them needs a wider policy."""

import importlib.util
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
PAGES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.fixture(scope="module")
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "tools" / "vendor.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATIC / "vendor" / "manifest.json").read_text("utf-8"))
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(STATIC, tmp_path / "static")
    return tmp_path / "static"


def names(pages: list[Path]) -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in pages]


def test_every_vendored_file_is_the_one_the_manifest_names(vendor: ModuleType, manifest: dict[str, Any]) -> None:
    vendor.verify(manifest)


def test_a_changed_file_is_noticed(vendor: ModuleType, manifest: dict[str, Any], copy: Path) -> None:
    file = copy / "vendor" / "htmx.org@2.0.11" / "htmx.min.js"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(vendor.Mismatch, match=r"htmx\.min\.js is not the file"):
        vendor.verify(manifest, copy)


def test_a_missing_file_is_noticed(vendor: ModuleType, manifest: dict[str, Any], copy: Path) -> None:
    (copy / "icons.svg").unlink()
    with pytest.raises(vendor.Mismatch, match=r"icons\.svg is missing"):
        vendor.verify(manifest, copy)


def test_a_file_nobody_named_is_noticed(vendor: ModuleType, manifest: dict[str, Any], copy: Path) -> None:
    (copy / "vendor" / "idiomorph@0.8.0" / "extra.js").write_text("")
    with pytest.raises(vendor.Mismatch, match=r"extra\.js is not named"):
        vendor.verify(manifest, copy)


def test_every_release_carries_its_licence(manifest: dict[str, Any]) -> None:
    for release, package in manifest["packages"].items():
        assert "LICENSE" in package["files"], release
        assert re.search(r"@\d+\.\d+\.\d+$", release), "a release is named with its exact version"


def test_the_manifest_and_the_tool_name_no_host(vendor: ModuleType, manifest: dict[str, Any]) -> None:
    assert "://" not in json.dumps(manifest)
    tool = Path(str(vendor.__file__)).read_text("utf-8")
    assert "://" not in tool.replace("http://www.w3.org/2000/svg", "")


def test_the_tool_says_yes_or_no_by_its_exit(vendor: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert vendor.main(["--check"]) == 0
    assert "files are the ones" in capsys.readouterr().out


def test_the_sprite_is_asked_for_by_its_present_hash(vendor: ModuleType) -> None:
    told = re.search(r"STAMP = '([0-9a-f]+)'", (ROOT / "templates/macros/icons.html").read_text("utf-8"))
    assert told
    wanted = vendor.hashlib.sha384((STATIC / "icons.svg").read_bytes()).hexdigest()
    assert wanted.startswith(told[1]), f"templates/macros/icons.html needs STAMP = '{wanted[:12]}'"


def test_every_icon_a_template_draws_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text("utf-8")))
    asked = {
        (page, icon)
        for page in PAGES
        for icon in re.findall(r"\b(?:icon|draw)\('([a-z0-9-]+)'|\bicon='([a-z0-9-]+)'", page.read_text("utf-8"))
        for icon in icon
        if icon
    }
    assert len(asked) > 20
    assert {(page.name, icon) for page, icon in asked if icon not in drawn} == set()


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_a_template_says_first_what_it_is_given(page: Path) -> None:
    assert page.read_text("utf-8").startswith("{#")


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_a_template_needs_no_inline_style_or_script(page: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", page.read_text("utf-8"), flags=re.S)
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text)
    assert not re.search(r"\shx-(on|vals=.js:)", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert "<style" not in text


def test_our_own_files_stay_small() -> None:
    assert (STATIC / "app.css").stat().st_size <= 48 * 1024
    assert (STATIC / "app.js").stat().st_size <= 6.5 * 1024


def test_our_own_files_take_nothing_from_elsewhere() -> None:
    assert "url(" not in (STATIC / "app.css").read_text("utf-8")
    assert "@import" not in (STATIC / "app.css").read_text("utf-8")
    script = (STATIC / "app.js").read_text("utf-8")
    for forbidden in ("eval(", "Function(", "innerHTML", "fetch(", "http"):
        assert forbidden not in script.replace('"https:"', "")


def test_colours_are_written_once_as_tokens() -> None:
    css = (STATIC / "app.css").read_text("utf-8")
    after_tokens = css[css.index("/* 2 Ground") :]
    # White on a filled button is the one colour that does not follow the theme.
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", after_tokens)) <= {"#fff"}
