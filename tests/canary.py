"""Where a word that must be nowhere could lie all the same: every byte of a folder, every value of a database, and what the
processes of this machine show.

Owns the looking; knows no password of its own. A test gives its passwords one unlikely part, so that one look finds any of
them, in plain bytes and in the usual disguises.
"""

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from provision.db import Database


def disguises(word: str) -> re.Pattern[bytes]:
    """The word as text of two widths, for addresses, as hexadecimal digits and inside base64, wherever it began."""
    plain = word.encode()
    told = {plain, word.encode("utf-16-le"), word.encode("utf-16-be"), plain.hex().encode(), quote(word).encode()}
    told |= {"".join(f"%{byte:02X}" for byte in plain).encode(), plain[::-1]}
    for shift in range(3):
        inside = base64.b64encode(b"\0" * shift + plain)
        whole = inside[4 if shift else 0 : len(inside) // 4 * 4 - 4]
        told |= {whole, base64.urlsafe_b64encode(base64.b64decode(whole))}
    return re.compile(b"|".join(re.escape(one) for one in sorted(told)))


def in_files(folder: Path, word: str) -> list[str]:
    """Every file below the folder that holds the word."""
    looked_for = disguises(word)
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and looked_for.search(_read(path))]


def in_rows(database: Database, word: str) -> list[str]:
    """Every table that holds the word, whichever engine keeps it."""
    looked_for = disguises(word)
    with database.reading() as session:
        tables = sa.inspect(session.connection()).get_table_names()
        return [
            name
            for name in tables
            for row in session.execute(sa.text(f'SELECT * FROM "{name}"'))
            if any(looked_for.search(_bytes(value)) for value in row)
        ]


def in_processes(word: str) -> list[str]:
    """Every process that shows the word to whoever lists processes."""
    looked_for = disguises(word)
    return [name for name, shown in _shown() if looked_for.search(shown)]


def _shown() -> Iterator[tuple[str, bytes]]:
    if not Path("/proc").is_dir():  # macOS: the environment stands behind the words
        listed = subprocess.run(["ps", "-A", "-E", "-ww", "-o", "pid=,command="], capture_output=True, check=True)
        for line in listed.stdout.splitlines():
            number, _, words = line.strip().partition(b" ")
            yield f"{number.decode()}/cmdline", words
        return
    for number in os.listdir("/proc"):
        if number.isdigit():
            for name in ("cmdline", "environ", "comm"):
                yield f"{number}/{name}", _read(Path("/proc") / number / name)


def _read(path: Path) -> bytes:
    """What a file or process holds; nothing when it has gone meanwhile or is somebody else's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
