"""How fast people are imported, as ratios of one run: ``python benchmarks/import.py [--people 100000] [--rounds 3]``

Every contender reads the same pages from the same server over TLS, in a process of its own, in turn; figures are medians.
What each one writes per person differs, and is printed: the product writes an account, a person, an event and its details.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CONTENDERS = {
    "download": ("download_import.py", "download and parse only", "nothing"),
    "raw": ("raw_import.py", "raw msgspec and sqlite3", "1 row"),
    "naive": ("naive_import.py", "one ORM merge per person", "1 row"),
    "first": ("product_import.py", "product, first import", "4 rows"),
    "again": ("product_import.py", "product, everything again, unchanged", "0 rows"),
    "delta": ("product_import.py", "product, only what changed", "4 rows"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--naive-people", type=int, default=10_000, help="the naive loop is asked for no more than these"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name:
        folder = Path(name)
        with (
            _graph(folder / "all", given.people, given.changes) as all_of_them,
            _graph(folder / "few", min(given.naive_people, given.people), 1) as few,
        ):
            runs: dict[str, list[dict[str, Any]]] = {contender: [] for contender in CONTENDERS}
            for number in range(given.rounds):
                data = folder / f"data{number}"
                data.mkdir(mode=0o700)
                for contender in CONTENDERS:
                    told = (few if contender == "naive" else all_of_them).told
                    runs[contender].append(_run(contender, told, data))
    _print(runs)


class _graph:  # noqa: N801 – used as a function
    """A server for the length of a block."""

    def __init__(self, folder: Path, people: int, changes: int) -> None:
        folder.mkdir()
        words = ["--people", str(people), "--changes", str(changes), "--folder", str(folder)]
        self._server = subprocess.Popen(
            [sys.executable, HERE / "fake_graph.py", *words], stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.told: dict[str, str] = json.loads(self._server.stdout.readline())

    def __enter__(self) -> "_graph":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()


def _run(contender: str, told: dict[str, str], data: Path) -> dict[str, Any]:
    file, _, _ = CONTENDERS[contender]
    product = file == "product_import.py"
    place = [str(data), contender] if product else [str(data / f"{contender}.db")]
    words = [sys.executable, str(HERE / file), told["url"], told["ca"], *place]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode:
        raise SystemExit(f"{contender} failed:\n{done.stderr}\n{done.stdout}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _print(runs: dict[str, list[dict[str, Any]]]) -> None:
    rate = {name: statistics.median(run["people"] / run["seconds"] for run in told) for name, told in runs.items()}
    seconds = {name: statistics.median(run["seconds"] for run in told) for name, told in runs.items()}
    print(f"{'':40}{'people':>9}{'seconds':>9}{'people/s':>10}{'of raw':>8}{'writes each':>13}{'MB above idle':>15}")
    for name, (_, title, writes) in CONTENDERS.items():
        above = statistics.median(run["peak"] - run["idle"] for run in runs[name])
        people = runs[name][0]["people"]
        share = f"{rate[name] / rate['raw']:.0%}" if name != "delta" else ""
        print(f"{title:40}{people:>9}{seconds[name]:>9.2f}{rate[name]:>10.0f}{share:>8}{writes:>13}{above:>15.0f}")
    print()
    print(f"first import against the naive loop      {rate['first'] / rate['naive']:.1f} x")
    print(f"first import against the raw pipeline    {rate['first'] / rate['raw']:.0%}, with four rows for its one")
    print(f"first import against download and parse  {rate['first'] / rate['download']:.0%}")
    print(f"unchanged against first                  {rate['again'] / rate['first']:.1f} x")


if __name__ == "__main__":
    main()
