"""A CSV file at its largest: looked at, walked, and held against the standard library's reader alone.

    python benchmarks/spreadsheet.py [--people 100000]

Prints processor seconds as ratios, and the memory that a walk takes beside the file itself; nothing is asserted here.
"""

import argparse
import csv
import io
import time
import tracemalloc
from collections.abc import Callable

from provision.connectors import KINDS, World
from provision.core.ports import Source
from provision.core.vocabulary import USER_ATTRIBUTES, Kind

HEADINGS = tuple(USER_ATTRIBUTES.values())[:9]
GOES = dict(zip(HEADINGS, USER_ATTRIBUTES, strict=False))


def main() -> None:
    """Measure a file of so many people."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=100_000)
    people = asked.parse_args().people
    data = _file(people)
    print(f"{people:,} people, {len(data) / 1024 / 1024:.1f} MB")
    plain = _seconds(lambda: sum(1 for _ in csv.reader(io.StringIO(data.decode()))))
    print(f"csv.reader alone            {plain:6.2f} s   1.0")
    for name, run in (("look at it", _look), ("walk it", _walk)):
        spent = _seconds(lambda: run(_source(data)))  # noqa: B023 - run at once
        print(f"{name:27} {spent:6.2f} s   {spent / plain:.1f}")
    print(
        f"memory of a walk            {_memory(data) / 1024 / 1024:6.1f} MB   {_memory(data) / people:.0f} bytes a person"
    )


def _file(people: int) -> bytes:
    rows = (
        (f"Given {n}", f"Sur {n}", f"user.{n}", f"u{n}@there.example", f"Given Sur {n}", "", f"E{n}", "North", "Nurse")
        for n in range(people)
    )
    text = io.StringIO()
    csv.writer(text).writerows([HEADINGS, *rows])
    return text.getvalue().encode()


def _source(data: bytes) -> Source:
    spec = KINDS[Kind.CSV]
    world = World({}, file=lambda _: data, goes=lambda: GOES)
    return spec.build(spec.config.model_validate({"key": "Employee ID"}), None, "csv:1", world)


def _look(source: Source) -> object:
    return source.check()


def _walk(source: Source) -> object:
    return sum(len(page.seen) for page in source.changes(HEADINGS))


def _seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _memory(data: bytes) -> int:
    source = _source(data)
    tracemalloc.start()
    _walk(source)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


if __name__ == "__main__":
    main()
