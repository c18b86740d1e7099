"""A file of rows as somebody's spreadsheet wrote it: which bytes are which letters, where cells end, what is wrong where.

Owns the reading of bytes into cells, row by row; a cell is data whatever it holds, and nothing is ever run. Knows no person.
RFC 4180 for the form, with what spreadsheets make of it.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from charset_normalizer import from_bytes

from provision.core.ports import Refused
from provision.core.sheet import bare
from provision.core.vocabulary import key

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 200
MAX_HEADING = 128
DELIMITERS = (",", ";", "\t", "|")
LOST = "\ufffd"
"""Stands where bytes were no letter of the encoding."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SINGLE = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1257",
    "iso8859_15",
    "mac_roman",
    "shift_jis",
    "gb18030",
)
_SAMPLE = 200_000
_TRIED = 60
_FEW = 2_000
"""Letters beyond ASCII, up to which their frequencies are chance."""
_WORKBOOKS = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_OTHERS = (
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"%PDF-", "a PDF document"),
    (b"\x1f\x8b", "a compressed file"),
)
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|\?xml)\b", re.IGNORECASE)
_CONTROL = [number for number in (*range(1, 32), 127) if number not in (9, 10, 13)]
_MUCH = 20
"""One control character in so many is more than any text has."""
_SEP = re.compile(r"\ufeff?sep=(.)\r?\n?")


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written: its encoding, what stands between cells, its headings and the columns they stand over.

    ``skipped``: lines before the headings. Columns without a heading are left out.
    """

    encoding: str
    delimiter: str
    headings: tuple[str, ...]
    columns: tuple[int, ...]
    width: int
    skipped: int = 0

    def place(self, heading: str) -> int:
        """The number of a heading's column."""
        return self.columns[self.headings.index(heading)]


def recognise(data: bytes, encoding: str = "", delimiter: str = "") -> Form:
    """Look at a file and tell how it is written; what is given is not guessed. Raises Refused with what is wrong."""
    if len(data) > MAX_BYTES:
        raise Refused("csv_too_large", limit=MAX_BYTES // 1024 // 1024)
    if not data.strip(b"\0 \t\r\n"):
        raise Refused("csv_empty")
    letters = encoding or encoding_of(data)
    _is_text(data, letters)
    told = _SEP.match(_text(data, letters).readline())
    between = delimiter or (told[1] if told else _delimiter(data, letters))
    skipped = 1 if told else 0
    header = next((row for _, row in _records(data, letters, between, skipped) if any(row)), None)
    if header is None:
        raise Refused("csv_empty")
    return _form(letters, between, header, skipped)


def rows(data: bytes, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Every row behind the headings that holds anything: its number as a spreadsheet counts, and its cells.

    Raises Refused for a file that is longer than we read, and for a quote that is never closed.
    """
    seen_headings, number = False, 0
    for place, cells in _records(data, form.encoding, form.delimiter, form.skipped):
        if not any(cells):
            continue
        if not seen_headings:
            seen_headings = True
            continue
        number += 1
        if number > MAX_ROWS:
            raise Refused("csv_too_many_rows", limit=MAX_ROWS)
        yield place, cells


def _is_text(data: bytes, letters: str) -> None:
    """Refuse what is no text at all, by how it begins or by the bytes that no text has. A NUL alone says nothing."""
    if data.startswith(_WORKBOOKS):
        raise Refused("csv_workbook")
    if _PAGE.match(data):
        raise Refused("csv_page")
    like = next((name for begins, name in _OTHERS if data.startswith(begins)), "")
    if not like and not letters.startswith("utf"):
        sample = data[:_SAMPLE]
        like = "something else" if sum(map(sample.count, _CONTROL)) * _MUCH > len(sample) else ""
    if like:
        raise Refused("csv_no_text", like=like)


def encoding_of(data: bytes) -> str:
    """The most likely encoding: a mark at the beginning, else UTF-8 if it is that, else what the letters look like."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    sample = data[:_SAMPLE]
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if max(odd, even) > len(sample) // 5:
        return "utf-16-le" if odd > even else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    text = data.decode("utf-8", "replace")
    if sum(1 for sign in text if sign > "\x7f" and sign != LOST) > text.count(LOST):
        return "utf-8"  # with some bytes that are none: those cells are told
    if _western(sample):
        return "cp1252"
    found = from_bytes(sample, cp_isolation=list(_SINGLE), threshold=0.4).best()
    return found.encoding if found else "cp1252"


def _western(sample: bytes) -> bool:
    """Whether this reads as names with an accent here and there. So few letters tell code pages apart by nothing else."""
    letters = [sign for sign in sample.decode("cp1252", "replace") if sign.isalpha() or sign > "\x7f"]
    foreign = [sign for sign in letters if sign > "\x7f"]
    odd = sum(1 for sign in foreign if not sign.isalpha() and sign not in "’‘“”–—…€·°§«»\u00a0")
    return len(foreign) <= min(_FEW, len(letters) // 3) and odd * 20 <= len(foreign)


def _text(data: bytes, encoding: str) -> io.TextIOWrapper:
    try:
        return io.TextIOWrapper(io.BytesIO(data), encoding, "replace", newline="")
    except LookupError:
        raise Refused("csv_encoding_unknown", encoding=encoding) from None


def _records(data: bytes, encoding: str, delimiter: str, skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    text = _text(data, encoding)
    for _ in range(skipped):
        text.readline()
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for place, cells in enumerate(reader, start=1 + skipped):
            yield place, [bare(cell.replace("\0", "").removeprefix("\ufeff").strip()) for cell in cells]
    except csv.Error:  # a field beyond the reader's limit: some quote was opened and never closed
        raise Refused("csv_quote_open", row=reader.line_num) from None
    except UnicodeError:
        raise Refused("csv_encoding_wrong", encoding=encoding) from None


def _delimiter(data: bytes, encoding: str) -> str:
    """What makes the first rows most alike; of several, what makes most cells."""

    def fits(delimiter: str) -> tuple[float, int]:
        tried: list[list[str]] = []
        # A quote that is never closed ends the trial, and what came before it still tells.
        with suppress(Refused):
            tried.extend(
                cells for _, cells in islice(_records(data[:_SAMPLE], encoding, delimiter), _TRIED) if any(cells)
            )
        width = len(tried[0]) if tried else 0
        if width < 2:
            return 0.0, 0
        alike = Counter(len(cells) for cells in tried)[width] / len(tried)
        return round(alike, 1), width

    return max(DELIMITERS, key=fits)


def _form(encoding: str, delimiter: str, header: Sequence[str], skipped: int) -> Form:
    named = [(number, " ".join(cell.split())) for number, cell in enumerate(header)]
    named = [(number, cell) for number, cell in named if cell]
    if len(header) > MAX_COLUMNS:
        raise Refused("csv_too_many_columns", limit=MAX_COLUMNS)
    if any("@" in cell for _, cell in named):
        raise Refused("csv_no_headings")
    if len(named) < 2:
        raise Refused("csv_one_column", heading=named[0][1] if named else "")
    met: dict[str, int] = {}
    for number, cell in named:
        if len(cell) > MAX_HEADING or LOST in cell:
            raise Refused("csv_heading_unfit", column=number + 1, limit=MAX_HEADING)
        if key(cell) in met:
            raise Refused("csv_heading_twice", heading=cell, first=met[key(cell)], column=number + 1)
        met[key(cell)] = number + 1
    headings, columns = tuple(cell for _, cell in named), tuple(number for number, _ in named)
    return Form(encoding, delimiter, headings, columns, len(header), skipped)
