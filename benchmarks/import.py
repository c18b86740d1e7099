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
from collections.abc import Callable
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
    def median(name: str, of: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(of(run) for run in runs[name])

    cost = {name: median(name, lambda run: run["cpu"] / run["people"] * 1e6) for name in runs}
    time = {name: median(name, lambda run: run["seconds"] / run["people"] * 1e6) for name in runs}
    print(
        f"{'':38}{'people':>8}{'seconds':>9}{'people/s':>10}{'CPU µs each':>13}{'writes each':>13}{'MB above idle':>15}"
    )
    for name, (_, title, writes) in CONTENDERS.items():
        seconds, above = median(name, lambda run: run["seconds"]), median(name, lambda run: run["peak"] - run["idle"])
        shown = f"{runs[name][0]['people']:>8}{seconds:>9.2f}{1e6 / time[name]:>10.0f}{cost[name]:>13.0f}"
        print(f"{title:38}{shown}{writes:>13}{above:>15.0f}")
    print("\nHow much faster than …, by the clock and by processor time (which a busy machine does not distort):")
    for one, other in (("first", "naive"), ("first", "raw"), ("first", "download"), ("again", "first")):
        titles = f"{CONTENDERS[one][1]} / {CONTENDERS[other][1]}"
        print(f"{titles:70}{time[other] / time[one]:>8.2f}{cost[other] / cost[one]:>8.2f}")


if __name__ == "__main__":
    main()
