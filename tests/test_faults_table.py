"""The table of faults names only tests that there are, and no row without one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows(text: str) -> dict[int, list[tuple[str, str]]]:
    """Number of the row → the tests it names, as file and name."""
    return {int(number): NAMED.findall(cells) for number, cells in ROW.findall(text)}


def defined(path: Path) -> set[str]:
    """What a file of tests defines at its top: functions, classes, and what is assigned a name."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body if path.is_file() else ():
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                found.add(name)
    return found


def missing(text: str, root: Path) -> list[str]:
    """Rows without a test, and tests that are not there."""
    told = rows(text)
    files = {file: defined(root / file) for tests in told.values() for file, _ in tests}
    return [f"row {number} names no test" for number, tests in told.items() if not tests] + [
        f"{file}::{name}" for tests in told.values() for file, name in tests if name not in files[file]
    ]


def test_every_row_names_a_test_and_every_test_it_names_is_there() -> None:
    assert missing(TABLE.read_text(), ROOT) == []


def test_no_row_is_told_twice() -> None:
    numbers = [number for number, _ in ROW.findall(TABLE.read_text())]
    assert len(numbers) == len(set(numbers)) > 30


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("| 3 | a fault | what is done | by hand | |", ["row 3 names no test"]),
        ("| 3 | a fault | what is done | `tests/test_x.py::test_lost` | |", ["tests/test_x.py::test_lost"]),
        ("| 3 | a fault | what is done | `tests/test_y.py::test_kept` | |", ["tests/test_y.py::test_kept"]),
        ("| 3 | a fault | what is done | `tests/test_x.py::test_kept`<br>`tests/test_x.py::TestAll` | 5 |", []),
    ],
)
def test_a_row_without_a_test_and_a_test_that_was_renamed_are_found(
    tmp_path: Path, cells: str, said: list[str]
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("def test_kept(): ...\nTestAll = object()\n")
    assert missing(cells, tmp_path) == said
