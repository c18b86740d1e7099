"""How fast changes go out: ``python benchmarks/write.py [--people 2000] [--seconds 60] [--rounds 3]``

*burst*    creates that have piled up, beside one POST per person from twenty threads, against the same server and latency
*steady*   updates at the pace of Microsoft's quota, against the sandbox that counts it
*rows*     claim and complete alone, with synchronous=FULL
*answer*   from the commit of a single edit until its answer is settled, when nothing else waits

Every contender runs in a process of its own; figures are medians of the rounds. The burst is a ratio of one run.
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
QUOTA = 20.0


class Server:
    """A process that says where it listens, for the length of a block; ``last`` is what it said at its end."""

    def __init__(self, *words: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True, cwd=HERE
        )
        assert self._process.stdout is not None
        self.told: dict[str, str] = json.loads(self._process.stdout.readline())
        self.last: dict[str, Any] = {}

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.stdout is not None
        rest = self._process.stdout.read()
        self._process.stdout.close()
        self._process.wait()
        self.last = json.loads(rest) if rest.strip() else {}


def product(case: str, told: dict[str, str], folder: Path, number: int) -> dict[str, Any]:
    folder.mkdir(mode=0o700)
    return _run("product_write.py", case, json.dumps(told), folder, number)


def _run(*words: object) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed:\n{done.stderr}\n{done.stdout}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def burst(folder: Path, people: int, rounds: int, latency: float) -> str:
    ours, theirs = [], []
    for turn in range(rounds):
        place = folder / f"burst{turn}"
        place.mkdir()
        with Server("fake_writes.py", "--latency", latency, "--folder", place) as server:
            ours.append(product("burst", server.told, place / "data", people))
            theirs.append(_run("naive_write.py", server.told["url"], server.told["ca"], people))
    rate, naive = _rate(ours), _rate(theirs)
    return (
        f"burst of {people} creates at {latency * 1000:.0f} ms: {rate:.0f} a second, one by one from twenty threads "
        f"{naive:.0f} a second: {rate / naive:.2f} times as fast"
    )


def steady(folder: Path, seconds: float, latency: float) -> str:
    number = round(seconds * QUOTA)
    place = folder / f"steady{latency}"
    place.mkdir()
    with Server("slow_sandbox.py", latency, place) as server:
        ran = product("steady", server.told, place / "data", number)
    rate, refused = ran["number"] / ran["seconds"], int(server.last["throttled"])
    return (
        f"steady at {latency * 1000:.0f} ms: {number} updates in {ran['seconds']:.1f} s, {rate / QUOTA:.1%} of {QUOTA:.0f} "
        f"writes a second; answered 429: {refused / number:.2%}"
    )


def rows(folder: Path, people: int, rounds: int) -> str:
    place = folder / "rows"
    place.mkdir()
    with Server("fake_writes.py", "--latency", 0, "--folder", place) as server:
        ran = [product("rows", server.told, place / f"data{turn}", people) for turn in range(rounds)]
    return f"claim and complete, synchronous=FULL: {_rate(ran):.0f} operations a second"


def answer(folder: Path, number: int, latency: float) -> str:
    place = folder / "answer"
    place.mkdir()
    with Server("slow_sandbox.py", latency, place) as server:
        ran = product("answer", server.told, place / "data", number)
    return (
        f"from the commit of an edit to its answer at {latency * 1000:.0f} ms, {ran['number']} times: median "
        f"{ran['median'] * 1000:.0f} ms, 95 of 100 within {ran['p95'] * 1000:.0f} ms, at most {ran['most'] * 1000:.0f} ms"
    )


def _rate(ran: list[dict[str, Any]]) -> float:
    return statistics.median(one["number"] / one["seconds"] for one in ran)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name:
        folder = Path(name)
        print(rows(folder, given.people, given.rounds), flush=True)
        print(burst(folder, given.people, given.rounds, 0.05), flush=True)
        print(answer(folder, given.edits, 0.05), flush=True)
        for latency in (0.05, 0.15):
            print(steady(folder, given.seconds, latency), flush=True)


if __name__ == "__main__":
    main()
