"""Reading a file of rows: any encoding, any delimiter, any cell; and what is wrong is told at its place."""

import csv
import io
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.connectors.csv_file.reading import MAX_BYTES, encoding_of, recognise, rows
from provision.core import sheet
from provision.core.ports import Refused

HEAD = ("Employee ID", "First Name", "Last Name")


def written(
    table: list[list[str]], delimiter: str = ",", encoding: str = "utf-8", quoting: int = csv.QUOTE_MINIMAL
) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerows(table)  # type: ignore[arg-type]
    return text.getvalue().encode(encoding)


def read(data: bytes, **given: str) -> list[list[str]]:
    return [cells for _, cells in rows(data, recognise(data, **given))]


def refused(data: bytes, **given: str) -> Refused:
    with pytest.raises(Refused) as raised:
        read(data, **given)
    return raised.value


CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff\ufffd"), max_size=20)
PLAIN = CELL.map(str.strip)
TABLE = st.lists(st.lists(PLAIN, min_size=2, max_size=2), min_size=1, max_size=8)


def _keyed(table: list[list[str]]) -> list[list[str]]:
    return [[f"k{number}", *row] for number, row in enumerate(table)]


@given(
    table=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_what_any_spreadsheet_writes_is_read_back_cell_by_cell(
    table: list[list[str]], delimiter: str, encoding: str
) -> None:
    guarded = [[sheet.cell(cell) for cell in row] for row in _keyed(table)]
    data = written([[*HEAD], *guarded], delimiter, encoding, csv.QUOTE_ALL)
    assert read(data, delimiter=delimiter) == _keyed(table)


@given(table=TABLE)
def test_what_we_export_is_read_back_without_loss(table: list[list[str]]) -> None:
    data = "".join(sheet.lines(HEAD, _keyed(table))).encode()
    assert read(data, delimiter=",") == _keyed(table)


@given(text=st.text(max_size=30))
def test_no_exported_cell_can_run_and_every_one_comes_back(text: str) -> None:
    kept = sheet.cell(text)
    assert not kept.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%"))
    assert sheet.bare(kept) == text


@given(data=st.binary(max_size=400))
def test_bytes_of_any_kind_are_read_or_refused_in_words(data: bytes) -> None:
    found = []
    with suppress(Refused):
        found = read(data)
    assert all("\0" not in cell for row in found for cell in row)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_recognised_whatever_stands_in_the_cells(delimiter: str) -> None:
    table = [["Key", "Name", "Note"], ["1", "Łukasz, Ż.", "a;b|c"], ["2", 'the "boss"', "x\ty,z"], ["3", "", "2,5"]]
    data = written(table, delimiter)
    assert recognise(data).delimiter == delimiter
    assert read(data) == table[1:]


def test_excels_own_line_about_the_delimiter_is_obeyed() -> None:
    assert read(b"sep=;\r\nKey;Name\r\n1;a,b,c\r\n") == [["1", "a,b,c"]]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-8", "Zoë Ødegård"), ("utf-8-sig", "Zoë"), ("utf-16", "Zoë"), ("utf-16-le", "Zoë Ek"),
        ("cp1252", "Zoë Ödegård Müller Straße"), ("cp1251", "Анна Каренина Облонская"),
    ],
)  # fmt: skip
def test_letters_come_out_right_whatever_the_encoding(encoding: str, name: str) -> None:
    data = written([["Key", "Name"], *([str(number), name] for number in range(20))], encoding=encoding)
    assert read(data)[0] == ["0", name]


def test_a_given_encoding_is_not_guessed() -> None:
    assert read(written([["Key", "Name"], ["1", "Żaneta"]], encoding="cp1250"), encoding="cp1250") == [["1", "Żaneta"]]


def test_utf_8_with_a_few_broken_bytes_stays_utf_8() -> None:
    data = written([["Key", "Name"], ["1", "Zoë"], ["2", "Åse"]]) + b"3,Bj\xf6rn\r\n"
    assert encoding_of(data) == "utf-8"
    assert read(data)[2] == ["3", "Bj\ufffdrn"]


def test_formulas_are_data() -> None:
    formula = '=HYPERLINK("http://evil.example","x")'
    assert read(written([["Key", "Name"], ["1", formula], ["2", "@SUM(1)"]])) == [["1", formula], ["2", "@SUM(1)"]]


def test_nul_bytes_are_dropped() -> None:
    assert read(b"Key,Name\n1,a\0b\0\n") == [["1", "ab"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_end_of_line_ends_a_line(end: str) -> None:
    assert read(end.join(["Key,Name", "1,a", "", "2,b", ""]).encode()) == [["1", "a"], ["2", "b"]]


def test_rows_are_numbered_as_a_spreadsheet_does() -> None:
    data = b"\nKey,Name\n1,a\n,\n2,b\n"
    assert [row for row, _ in rows(data, recognise(data))] == [3, 5]


def test_columns_without_a_heading_are_left_out() -> None:
    assert recognise(b"Key,,Name,\n1,x,a,y\n").headings == ("Key", "Name")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv_empty"),
        (b" \r\n\0\0", "csv_empty"),
        (b"Key\n1\n2\n", "csv_one_column"),
        (b"Key,Name,key\n1,a,2\n", "csv_heading_twice"),
        (b"1,ann@contoso.example\n2,bo@contoso.example\n", "csv_no_headings"),
        (b"Key," + b"x" * 200 + b"\n1,2\n", "csv_heading_unfit"),
        (b",".join(b"h%d" % number for number in range(300)) + b"\n", "csv_too_many_columns"),
        (b'Key,Name\n1,"never closed\n' + b"2,b\n" * 50_000, "csv_quote_open"),
        (b"x" * (MAX_BYTES + 1), "csv_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_a_table_is_refused_in_words(data: bytes, code: str) -> None:
    assert refused(data).code == code


def test_more_rows_than_a_hundred_thousand_are_refused() -> None:
    assert refused(b"Key,Name\n" + b"1,a\n" * 100_001).code == "csv_too_many_rows"


def test_a_hundred_thousand_rows_take_no_more_memory_than_the_file() -> None:
    data = b"Key,Name,Note\n" + b"".join(
        b"%d,Somebody Somewhere,%s\n" % (number, b"x" * 40) for number in range(100_000)
    )
    form = recognise(data)
    tracemalloc.start()
    number = sum(1 for _ in rows(data, form))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number == 100_000
    assert most < 4 * 1024 * 1024
