"""A file of rows: what of it is told at which cell, what makes it another one, and which column names a person."""

from typing import Any

import pytest

from provision.connectors import KINDS, World
from provision.connectors.csv_file import CsvFile
from provision.core.ports import Refused, WatermarkLost
from provision.core.remedies import explain
from provision.core.vocabulary import Kind
from tests.fakes.callers import Reader

HEADINGS = ("Employee ID", "First Name", "Last Name", "Email Address")


class FileGround:
    """A file that somebody writes anew whenever somebody there changes."""

    def __init__(self, **config: Any) -> None:
        self.config = config
        self.people = {
            f"{number}": {
                "Employee ID": f"{number}", "First Name": f"First {number}", "Last Name": "There",
                "Email Address": f"p{number}@there.example",
            }
            for number in range(2500)
        }  # fmt: skip
        self.extra = ""

    def file(self, _name: str) -> bytes:
        lines = [",".join(HEADINGS), *(",".join(row[name] or "" for name in HEADINGS) for row in self.people.values())]
        return ("\n".join(lines) + "\n" + self.extra).encode()

    def source(self, **config: Any) -> CsvFile:
        spec = KINDS[Kind.CSV]
        built = spec.build(spec.config(**{**self.config, **config}), None, "csv:1", World({}, file=self.file))
        assert isinstance(built, CsvFile)
        return built

    def walk(self, reader: Reader, *, pages: int | None = None) -> Reader:
        reader.walk(self.source, pages=pages)
        return reader


@pytest.fixture(params=[False, True], ids=["some", "everybody"])
def ground(request: pytest.FixtureRequest) -> FileGround:
    return FileGround(whole=request.param)


def test_a_check_tells_what_the_file_is(ground: FileGround) -> None:
    found = ground.source().check()
    assert (found.outside_id, found.facts["people"], found.facts["key"]) == ("csv:1", 2500, "Employee ID")
    assert (found.facts["encoding"], found.facts["delimiter"], found.facts["unfit"]) == ("utf-8", "comma", 0)
    assert tuple(found.facts["headings"]) == HEADINGS


def test_a_new_file_that_holds_everybody_is_read_anew_so_that_absence_means_something() -> None:
    ground = FileGround(whole=True)
    watermark = ground.walk(Reader(HEADINGS)).watermark
    del ground.people["7"]
    with pytest.raises(WatermarkLost):
        list(ground.source().changes(HEADINGS, watermark=watermark))
    reader = Reader(HEADINGS, watermark=watermark)
    assert ground.walk(reader).people == ground.people


def test_a_new_file_that_holds_some_people_says_nothing_about_the_others() -> None:
    ground = FileGround()
    watermark = ground.walk(Reader(HEADINGS)).watermark
    del ground.people["7"]
    seen = [seen for page in ground.source().changes(HEADINGS, watermark=watermark) for seen in page.seen]
    assert len(seen) == 2499
    assert not any(one.removed for one in seen)


def test_a_file_replaced_in_the_middle_of_a_walk_is_read_from_the_beginning(ground: FileGround) -> None:
    position = ground.walk(Reader(HEADINGS), pages=1).position
    ground.people["7"] = {**ground.people["7"], "Last Name": "Newly-Wed"}
    with pytest.raises(WatermarkLost):
        list(ground.source().changes(HEADINGS, position=position))


def test_another_key_column_makes_the_same_file_another_one(ground: FileGround) -> None:
    watermark = ground.walk(Reader(HEADINGS)).watermark
    pages = list(ground.source(key="Email Address", whole=False).changes(HEADINGS, watermark=watermark))
    assert {seen.anchor for page in pages for seen in page.seen} == {
        row["Email Address"] for row in ground.people.values()
    }


def test_only_what_is_asked_for_is_shown_with_the_key_and_the_address(ground: FileGround) -> None:
    page = next(iter(ground.source().changes(["Last Name"])))
    assert set(page.seen[0].values) == {"Employee ID", "Last Name", "Email Address"}


def test_an_appearance_is_read_without_the_file() -> None:
    spec = KINDS[Kind.CSV]
    source = spec.build(spec.config(), None, None, World({}, file=lambda _: pytest.fail("the file was read")))
    seen = source.appearance({"E-Mail": "ann@there.example", "Employee ID": "1"})
    assert (seen.name, seen.enabled, dict(seen.standing)) == ("ann@there.example", None, {})


def test_without_a_file_everything_is_refused_in_words() -> None:
    spec = KINDS[Kind.CSV]
    source = spec.build(spec.config(), None, None, World({}))
    for ask in (source.check, source.schema, lambda: list(source.changes(HEADINGS))):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.code == "csv_no_file"


PROBLEMS = [
    (",No Key,There,a@there.example\n", "csv_key_empty", "Employee ID"),
    ("7,Twice,There,b@there.example\n", "csv_key_twice", "Employee ID"),
    ("x" * 300 + ",Long,There,c@there.example\n", "csv_key_long", "Employee ID"),
    ("9001,Too,Many,d@there.example,more\n", "csv_row_width", ""),
    ("9001,Too\n", "csv_row_width", ""),
    ("9001," + "x" * 10_001 + ",There,e@there.example\n", "csv_cell_long", "First Name"),
]


@pytest.mark.parametrize(("row", "code", "column"), PROBLEMS, ids=[f"{each[1]} {each[2]}" for each in PROBLEMS])
def test_a_row_that_cannot_be_a_person_is_told_at_its_cell_and_left_out(row: str, code: str, column: str) -> None:
    ground = FileGround(key="employee id")
    ground.extra = row
    facts = ground.source().check().facts
    (problem,) = facts["problems"]
    assert (problem["row"], problem["column"], problem["code"]) == (2502, column, code)
    assert (facts["people"], facts["unfit"]) == (2500, 1)
    assert ground.walk(Reader(HEADINGS)).people == ground.people


def test_a_file_that_holds_everybody_must_be_without_a_fault() -> None:
    ground = FileGround(whole=True, key="Employee ID")
    ground.extra = "7,Twice,There,b@there.example\n"
    with pytest.raises(Refused) as refused:
        list(ground.source().changes(HEADINGS))
    assert (refused.value.code, refused.value.params["number"]) == ("csv_rows_unfit", 1)


def test_the_key_is_the_first_column_that_names_every_row_differently() -> None:
    ground = FileGround()
    ground.people = {name: {**row, "Employee ID": "same"} for name, row in list(ground.people.items())[:3]}
    assert ground.source().check().facts["key"] == "Email Address"


def test_no_column_that_could_be_a_key_is_told() -> None:
    spec = KINDS[Kind.CSV]
    source = spec.build(spec.config(), None, None, World({}, file=lambda _: b"Shoe size,Colour\n41,red\n41,red\n"))
    with pytest.raises(Refused) as refused:
        source.check()
    assert refused.value.code == "csv_no_key"


def _of(*lines: str) -> Any:
    data = "\n".join(("Employee ID,Shoe", *lines)).encode()
    spec = KINDS[Kind.CSV]
    return spec.build(spec.config(), None, None, World({}, file=lambda _: data))


def test_one_key_that_is_there_twice_is_told_with_both_rows_and_the_others_are_taken() -> None:
    facts = _of("1,41", "2,42", "1,43", "4,44").check().facts
    (problem,) = facts["problems"]
    assert (facts["key"], facts["people"], facts["unfit"]) == ("Employee ID", 3, 1)
    assert (problem["row"], problem["code"]) == (4, "csv_key_twice")
    assert "“1” in “Employee ID” is the same as in row 2" in explain(problem["code"], problem["params"]).what


KEYLESS = [
    (("1,41", "2,42", "1,43", "2,44"), "csv_keys_twice", "“Employee ID” holds “1” in row 2 and in row 4"),
    (("1,41", "1,42"), "csv_keys_twice", "in row 2 and in row 3"),
    ((",41", ",42", "7,43"), "csv_keys_empty", "“Employee ID” is empty in row 2"),
    (("x" * 300 + ",41",), "csv_keys_long", "in row 2"),
]


@pytest.mark.parametrize(("lines", "code", "words"), KEYLESS, ids=[each[1] for each in KEYLESS])
def test_a_file_whose_key_fails_too_often_is_refused_with_row_and_value(
    lines: tuple[str, ...], code: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        _of(*lines).check()
    assert refused.value.code == code
    assert words in explain(code, refused.value.params).what


def test_a_key_column_that_is_not_in_the_file_is_told() -> None:
    with pytest.raises(Refused) as refused:
        FileGround(key="Badge").source().check()
    assert (refused.value.code, refused.value.params["heading"]) == ("csv_key_missing", "Badge")
