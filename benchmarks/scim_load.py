"""The SCIM server under load, as a process of its own: a client that floods it, and people who arrive faster than they leave.

    python benchmarks/scim_load.py flood [--rate 200] [--warm 60] [--seconds 60] [--people 50000] [--tokens 8] [--mix daily]
    python benchmarks/scim_load.py arriving [--rate 25] [--seconds 60] [--kill]

*flood* warms the server up at the same rate, which opens threads and connections as they are first needed; then it counts
answers by status, and tells what the server holds every ten seconds, and whether what it usually holds in the first and in
the last third is a plateau. Of twenty requests, the mix *daily* asks eight times for a name, six times for one person, once
for a page of a hundred, and switches five people off or on again; of six, *moving* changes one and adds one. *arriving*
pushes people in while Microsoft 365 (the sandbox, which counts Microsoft's quota of 20 writes a second) takes them out;
``--kill`` ends the server by SIGKILL half-way and starts it again. Everybody is counted at both ends. Nothing is asserted
about time.
"""

import argparse
import contextlib
import http.client
import json
import os
import secrets
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from product_write import DOMAIN, prepared
from scim import SCHEMA, account, person
from sqlmodel import select
from write import HERE, Server

from provision.config import Settings
from provision.core.tables import Account, Connector, Operation, Tenant, User
from provision.core.vocabulary import OperationState, TokenScope
from provision.factory import open_house
from provision.house import House
from provision.services import connectors, events, tokens

PORT = 18947
THREADS = 16
SEEDED = 20
PLATEAU = 0.01
"""By what part of itself the memory usually held may differ between the first and the last third: from one second to the
next it differs by twice that."""
OURS = "upn_key GLOB 'a[0-9]*@*'"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LOST = (OSError, http.client.HTTPException)


class Serving:
    """`provision serve` over one data directory, until it is ended; ``memory`` is what its processes hold, in megabytes."""

    def __init__(self, folder: Path, told: dict[str, str]) -> None:
        self.environment = {
            **os.environ, "PROVISION_DATA_DIR": str(folder), "PROVISION_PUBLIC_URL": f"http://127.0.0.1:{PORT}",
            "PROVISION_LOG_LEVEL": "error",
            **{f"PROVISION_CUSTOM_{name}": told[key] for name, key in
               (("LOGIN_URL", "url"), ("GRAPH_URL", "url"), ("CA_BUNDLE", "ca")) if told},
        }  # fmt: skip
        self.begin()

    def begin(self) -> None:
        words = [sys.executable, "-c", "from provision.factory import main; main()", "serve", "--port", str(PORT)]
        self.process = subprocess.Popen(words, env=self.environment, cwd=HERE, start_new_session=True)
        while True:
            with contextlib.suppress(*LOST):
                if ask("GET", "/healthz", "")[0] == 200:
                    return
            time.sleep(0.2)

    def end(self, how: int = signal.SIGTERM) -> None:
        if how == signal.SIGKILL:
            os.killpg(self.process.pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait()

    def memory(self) -> float:
        return sum(_held(number) for number in self._processes())

    def worked(self) -> float:
        """Processor time so far, in seconds."""
        return sum(_worked(number) for number in self._processes())

    def _processes(self) -> tuple[int, ...]:
        return self.process.pid, *_children(self.process.pid)


class Line:
    """One connection that is kept alive, as a client keeps it."""

    def __init__(self, token: str) -> None:
        self.token, self.http = token, http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/scim+json"}
        try:
            self.http.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.http.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except LOST:
            self.http.close()
            raise


def ask(method: str, path: str, token: str) -> tuple[int, bytes]:
    line = Line(token)
    status, _, body = line.ask(method, path)
    line.http.close()
    return status, body


def flood(given: argparse.Namespace, folder: Path) -> None:
    house = open_house(Settings(_env_file=None, data_dir=folder))  # type: ignore[call-arg]
    house.db.migrate()
    clients = directory(house, given.people, given.tokens)
    house.db.close()
    server, lock = Serving(folder, {}), threading.Lock()
    told: Counter[int] = Counter()
    signed_in: list[float] = []
    memory: list[float] = []
    marks: list[float] = []
    over = threading.Event()
    mixture = MIXTURES[given.mix]

    def client(which: int) -> None:
        apps, mine = (len(clients) + 1) // 2, which % len(clients)
        line, deeds = Line(clients[mine]), mixture(range(mine // 2 + apps, given.people + 1, apps), which)
        for _ in paced(given.rate / THREADS, given.warm + given.seconds):
            status, headers, _ = line.ask(*next(deeds))
            if status == 429 and not headers.get("Retry-After"):
                raise SystemExit("429 without Retry-After")
            with lock:
                told[status] += 1

    def watch() -> None:
        over.wait(given.warm)
        with lock:
            told.clear()
        marks.extend((time.perf_counter(), server.worked()))
        while not over.wait(1.0):
            began = time.perf_counter()
            ask("GET", "/signin", "")
            signed_in.append(time.perf_counter() - began)
            memory.append(server.memory())
            if len(memory) % 10 == 0:
                print(f"after {time.perf_counter() - marks[0]:4.0f} s: {memory[-1]:.1f} MB", flush=True)

    watching = threading.Thread(target=watch)
    watching.start()
    together([lambda which=which: client(which) for which in range(THREADS)])
    took, worked = time.perf_counter() - marks[0], server.worked() - marks[1]
    over.set()
    watching.join()
    server.end()
    asked, served = sum(told.values()), sum(number for status, number in told.items() if status < 300)
    print(
        f"{asked} requests of {given.tokens} tokens in {took:.0f} s, {asked / took:.0f} a second, "
        f"{served / took:.0f} of them served; {worked / asked * 1000:.1f} ms of processor time each"
    )
    print("answers: " + ", ".join(f"{number} x {status}" for status, number in sorted(told.items())))
    third = len(memory) // 3
    first, last = statistics.median(memory[:third]), statistics.median(memory[-third:])
    print(
        f"memory: {min(memory):.1f} MB at least and {max(memory):.1f} MB at most; usually {first:.1f} MB in the first third "
        f"and {last:.1f} MB in the last: " + ("a plateau" if last - first < PLATEAU * first else "NO PLATEAU")
    )
    print(f"the sign-in page meanwhile: 95 of 100 within {sorted(signed_in)[int(len(signed_in) * 0.95)] * 1000:.0f} ms")


def daily(own: range, which: int) -> Iterator[tuple[Any, ...]]:
    """What a client asks when little happens: who bears a name, how somebody stands; now and then somebody comes or goes."""
    turn = which
    while True:
        turn += 7919
        some = [own[(turn + each) % len(own)] for each in range(8)]
        for each in range(8):
            yield "GET", f"/scim/v2/Users?filter=userName%20eq%20%22p{some[each]}%40x.example%22"
            if each < 6:
                yield "GET", f"/scim/v2/Users/{some[each]}"
            if each < 5:
                change = {"op": "replace", "path": "active", "value": bool(each % 2)}
                yield "PATCH", f"/scim/v2/Users/{some[each // 2]}", {"schemas": [PATCH], "Operations": [change]}
        yield "GET", f"/scim/v2/Users?count=100&startIndex={turn % (len(own) - 100) + 1}"


def moving(own: range, which: int) -> Iterator[tuple[Any, ...]]:
    """What a client asks when much happens: whether somebody is there, a page, a change, somebody new."""
    turn = which
    while True:
        turn += 7919
        number = own[turn % len(own)]
        name = f"p{number}@x.example"
        yield "GET", f"/scim/v2/Users?filter=userName%20eq%20%22{name}%22"
        yield "GET", f"/scim/v2/Users?filter=externalId%20eq%20%22nobody{number}%22"
        yield "GET", "/scim/v2/Users?count=50"
        yield "PATCH", f"/scim/v2/Users/{number}", {
            "schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": f"Turn {number}"}],
        }  # fmt: skip
        yield "GET", f"/scim/v2/Users?filter=userName%20eq%20%22new{number}%40x.example%22"
        name = f"new{which}-{number}-{secrets.token_hex(4)}"
        yield "POST", "/scim/v2/Users", {"schemas": [SCHEMA], "userName": f"{name}@x.example", "displayName": name}


MIXTURES = {"daily": daily, "moving": moving}


def arriving(given: argparse.Namespace, folder: Path) -> None:
    number = int(given.rate * given.seconds)
    (folder / "sandbox").mkdir()
    (folder / "data").mkdir(mode=0o700)
    with Server("slow_sandbox.py", 0.05, folder / "sandbox") as outside:
        house = prepared(outside.told, folder / "data", DOMAIN["steady"])
        with house.db.writing() as session:
            _, (token,) = pusher(house, session, "Client", 1)
        house.db.close()
        server = Serving(folder / "data", outside.told)
        made: Counter[str] = Counter()
        began = time.perf_counter()
        turns = iter(range(number))
        lock = threading.Lock()

        def client() -> None:
            line = Line(token)
            for _ in paced(given.rate / THREADS, 1e9):
                with lock:
                    turn = next(turns, None)
                    if given.kill and turn == number // 2:
                        server.end(signal.SIGKILL)
                        server.begin()
                if turn is None:
                    return
                made[push(line, turn)] += 1

        together([client] * THREADS)
        took = time.perf_counter() - began
        print(f"{number} people in {took:.0f} s, {number / took:.1f} a second: {dict(made)}")
        print("when the last has arrived: " + said(house, folder, number))
        while (left := waiting(house)) and time.perf_counter() - began < 10 * given.seconds + 120:
            time.sleep(1)
        print(f"after {time.perf_counter() - began:.0f} s, {left} waiting: " + said(house, folder, number))
        server.end()
        with house.db.reading() as session:
            print("the log's chain: " + ("whole" if events.verify(session, 1) is None else "BROKEN"))
    print(f"Microsoft answered 429: {outside.last['throttled']} times")


def push(line: Line, turn: int) -> str:
    """Push one person in, as often as it takes; say what it took. A lost answer is looked up by the client's own means."""
    name = f"a{turn}"
    body = {
        "schemas": [SCHEMA], "userName": f"{name}@{DOMAIN['steady']}", "externalId": str(turn), "displayName": name,
        "name": {"givenName": name, "familyName": "Arriving"},
    }  # fmt: skip
    again = "at once"
    while True:
        try:
            status, headers, text = line.ask("POST", "/scim/v2/Users", body)
        except LOST:
            again = "after a lost answer"
            time.sleep(0.5)
            continue
        if status in (201, 409):
            return again if status == 201 else f"{again} (it was there)"
        if status not in (429, 503):
            raise SystemExit(f"{status}: {text.decode()[:300]}")
        again = f"after {status}"
        time.sleep(float(headers["Retry-After"]))


def waiting(house: House) -> int:
    with house.db.reading() as session:
        over = (OperationState.DONE, OperationState.CANCELLED, OperationState.FAILED)
        return session.scalar(select(sa.func.count()).select_from(Operation).where(Operation.state.not_in(over))) or 0  # type: ignore[attr-defined]


def said(house: House, folder: Path, number: int) -> str:
    """Who is where, counted on both sides."""
    with house.db.reading() as session:
        target = select(Connector.id).where(Connector.kind == "microsoft365").scalar_subquery()
        here = set(session.exec(select(User.id)).all())
        there = session.exec(
            select(Account.user_id, Account.id, Account.anchor).where(Account.connector_id == target)
        ).all()
        states = dict(session.exec(select(Operation.account_id, Operation.state).order_by(Operation.id)).all())  # type: ignore[arg-type]
    has = {user for user, _, anchor in there if anchor is not None}
    waits = {user for user, each, anchor in there if anchor is None and states.get(each) is not None}
    with contextlib.closing(sqlite3.connect(folder / "sandbox" / "sandbox.db")) as sandbox:
        others, arrived = sandbox.execute(
            f"SELECT count(*) FILTER (WHERE NOT {OURS}), count(*) FILTER (WHERE {OURS}) FROM users"
        ).fetchone()
        names = sandbox.execute(f"SELECT count(DISTINCT upn_key) FROM users WHERE {OURS}").fetchone()[0]
    doubled = arrived - names + others - SEEDED + len(there) - len({user for user, *_ in there})
    return (
        f"{len(here)} of {number} are people here, {len(has)} have an account, {len(waits - has)} wait, "
        f"{len(here - has - waits)} neither; {arrived} are in Microsoft 365, {doubled} doubled; "
        + ", ".join(f"{n} {state}" for state, n in sorted(Counter(str(one) for one in states.values()).items()))
    )


def directory(house: House, people: int, tokens_wanted: int) -> list[str]:
    """A tenant whose people were brought by as many clients as two tokens each need: in turn, by number."""
    now, found = house.now(), []
    with house.db.writing() as session:
        session.add(Tenant(slug="bench", name="Bench", created_at=now))
        session.flush()
        numbers = []
        for which in range((tokens_wanted + 1) // 2):
            number, given = pusher(house, session, f"Client {which}", min(2, tokens_wanted - 2 * which))
            found += given
            numbers.append(number)
        for first in range(1, people + 1, 5000):
            some = range(first, min(first + 5000, people + 1))
            session.execute(sa.insert(User), [person(each, now) for each in some])
            session.execute(sa.insert(Account), [account(each, numbers[each % len(numbers)], now) for each in some])
    return found


def pusher(house: House, session: Any, name: str, count: int) -> tuple[int, list[str]]:
    now = house.now()
    row = connectors.add(session, house.vault, 1, house.kinds, "scim_source", name, {}, None, "bench", now)
    row.features, row.outside_id, row.facts_at = {**row.features, "import": True}, f"scim:{name}", now
    given: dict[str, Any] = {"scope": TokenScope.WRITE, "days": 1, "actor": "bench", "now": now}
    number = row.id or 0
    return number, [tokens.issue(session, 1, number, **given, token_bytes=secrets.token_bytes)[1] for _ in range(count)]


def paced(rate: float, seconds: float) -> Iterator[int]:
    """So many turns a second, as long as asked; late ones follow at once."""
    began, turn = time.perf_counter(), 0
    while (due := turn / rate) < seconds:
        wait = began + due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        if time.perf_counter() - began > seconds:
            return
        yield turn
        turn += 1


def together(deeds: list[Callable[[], None]]) -> None:
    failed: list[BaseException] = []

    def run(deed: Callable[[], None]) -> None:
        try:
            deed()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _held(number: int) -> float:
    """What a process holds; what it shares with others is divided among them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _worked(number: int) -> float:
    with contextlib.suppress(OSError):
        told = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _children(number: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=("flood", "arriving"))
    parser.add_argument("--rate", type=float)
    parser.add_argument("--warm", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--mix", choices=tuple(MIXTURES), default="daily")
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    given.rate = given.rate or {"flood": 200.0, "arriving": 25.0}[given.case]
    with tempfile.TemporaryDirectory(prefix="provision-bench-") as name:
        {"flood": flood, "arriving": arriving}[given.case](given, Path(name))


if __name__ == "__main__":
    main()
