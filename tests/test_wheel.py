"""What is installed is what is here: the wheel is built, laid out in another place, and serves from there."""

import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.journeys.product import ROOT, Product

_BUILD = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``pip install .`` makes and installs."""
    folder = tmp_path_factory.mktemp("wheel")
    made = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return folder / made.stdout.split()[-1]


def test_every_file_of_the_product_travels_in_the_wheel_and_no_other(wheel: Path) -> None:
    """Templates, static files, migrations, translations, remedies, letters: whoever adds a folder need not think of it."""
    here = {
        f"{within}{path.relative_to(ROOT)}"
        for folder, within in (("provision", ""), ("templates", "provision/"), ("static", "provision/"))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as packed:
        there = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert sorted(here - there) == [], "left behind"
    assert sorted(there - here) == [], "not ours"


def test_what_travelled_serves_the_demo_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    (place / "provision" / "static" / "here.txt").write_text("from the wheel")  # the checkout has no such file
    home = tmp_path / "home"
    home.mkdir()
    product = Product(home, 12, PYTHONPATH=str(place)).start()
    try:
        with urllib.request.urlopen(f"{product.url}/signin", timeout=30) as page:
            assert "Sign in" in page.read().decode()
        with urllib.request.urlopen(f"{product.url}/static/here.txt", timeout=30) as file:
            assert file.read() == b"from the wheel"
    finally:
        product.stop()
