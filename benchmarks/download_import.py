"""The floor: download every page and parse it into typed rows, store nothing. ``download_import.py URL CA``"""

import sys

import msgspec
from measured import FIELDS, bodies, measure

Row = msgspec.defstruct("Row", [(name, object, None) for name in FIELDS], gc=False)
Body = msgspec.defstruct("Body", [("value", list[Row])])  # type: ignore[valid-type]


def run() -> int:
    decode = msgspec.json.Decoder(Body).decode
    return sum(len(decode(body).value) for body in bodies(*sys.argv[1:3]))  # type: ignore[attr-defined]


if __name__ == "__main__":
    measure(run)
