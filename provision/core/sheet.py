"""Rows for a spreadsheet, in which no cell can turn into a formula. Knows nothing of what the rows hold.

RFC 4180 for the form. A cell that a spreadsheet would run (OWASP, CSV injection) gets an apostrophe in front, which the
spreadsheet shows as text; full-width signs count too, since some programs fold them.
"""

import csv
import io
from collections.abc import Iterable, Iterator

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", "|", "%")
BOM = "\ufeff"


def cell(value: object) -> str:
    """One value as harmless text; None is empty."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_STARTS) or text.lstrip(" \u00a0").startswith(_STARTS) else text


def lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a CSV file, the header first, one at a time. Begins with a byte order mark, which Excel needs."""
    buffer = io.StringIO()
    write = csv.writer(buffer, lineterminator="\r\n").writerow
    buffer.write(BOM)
    for row in [[*header]], rows:
        for values in row:
            write([cell(value) for value in values])
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
