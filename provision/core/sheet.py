"""Rows for a spreadsheet, in which no cell can turn into a formula, and which can be read back without loss.

Knows nothing of what the rows hold. RFC 4180 for the form. A cell that a spreadsheet would run (OWASP, CSV injection) gets
an apostrophe in front, which the spreadsheet shows as text; full-width signs count too, since some programs fold them.
"""

import csv
import io
from collections.abc import Iterable, Iterator

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", "|", "%")
_GUARD = "'"
BOM = "\ufeff"


def cell(value: object) -> str:
    """One value as harmless text; None is empty."""
    text = "" if value is None else str(value)
    return _GUARD + text if _runs(text) else text


def bare(text: str) -> str:
    """A cell as it was before ``cell``: the apostrophe that guarded it is no part of the value."""
    return text[1:] if text.startswith(_GUARD) and _runs(text[1:]) else text


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


def _runs(text: str) -> bool:
    """Whether a spreadsheet would run it, or would once guards that are part of the value were taken off."""
    inner = text.lstrip(_GUARD)
    return inner.startswith(_STARTS) or inner.lstrip(" \u00a0").startswith(_STARTS)
