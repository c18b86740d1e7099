"""The directory file: shared by processes, whole after a kill, never altered by opening it."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from provision.sandbox import Sandbox
from provision.sandbox.store import BadToken, Store, hash_password, verify_password
from tests.databases import patient
from tests.sandbox.conftest import NEW, Caller

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
import httpx2
from provision.sandbox import Sandbox

sandbox = Sandbox(sys.argv[1])
known = sandbox.credentials()
client = httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi))
form = {"grant_type": "client_credentials", "client_id": known["client_id"], "client_secret": known["client_secret"]}
form["scope"] = known["graph_url"] + "/.default"
token = client.post(f"{known['login_url']}/{known['tenant']}/oauth2/v2.0/token", data=form).json()["access_token"]
for number in range(int(sys.argv[2]), 10_000):
    body = {"accountEnabled": True, "displayName": f"Crew {number}", "mailNickname": f"crew{number}"}
    body |= {"userPrincipalName": f"crew{number}@fjordvik.example", "passwordProfile": {"password": "Korrekt-Horse-9"}}
    answer = client.post(f"{known['graph_url']}/v1.0/users", json=body, headers={"Authorization": f"Bearer {token}"})
    print(answer.json()["id"], flush=True)
"""


def writer(path: Path, first: int) -> subprocess.Popen[str]:
    """A process of its own that creates people one by one and names each after its answer."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def live(path: Path) -> set[str]:
    with Store(path).reading() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return {row["id"] for row in db.execute("SELECT id FROM users WHERE deleted_at IS NULL")}


def seen_by_delta(path: Path) -> set[str]:
    sandbox = Sandbox(path)
    with httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi)) as client:
        items, _ = Caller(sandbox, client).sign_in().walk("/users/delta?$select=id")
    sandbox.close()
    return {item["id"] for item in items}


def test_every_answered_write_survives_a_kill(sandbox: Sandbox) -> None:
    sandbox.grant_consent()
    path = sandbox.store.path
    promised: set[str] = set()
    for cut in range(3):
        with writer(path, cut * 1000) as process:
            assert process.stdout
            promised |= {process.stdout.readline().strip() for _ in range(12 + cut)}
            os.kill(process.pid, signal.SIGKILL)
            promised |= {line.strip() for line in process.stdout if line.endswith("\n")}
    assert "" not in promised
    assert promised <= live(path)
    assert seen_by_delta(path) == live(path)


def test_an_answered_write_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.connect", patient)  # the other tests do not wait for the disk
    store = Store(tmp_path / "patient.db")
    store.create(lambda db: None)
    with store.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    store.close()


def test_two_processes_write_one_directory(sandbox: Sandbox) -> None:
    sandbox.grant_consent()
    path = sandbox.store.path
    with writer(path, 0) as first, writer(path, 5000) as second:
        promised = set()
        for process in (first, second):
            assert process.stdout
            promised |= {process.stdout.readline().strip() for _ in range(15)}
        for process in (first, second):
            process.kill()
    assert len(promised) == 30
    assert promised <= live(path)


def test_what_one_process_arranges_happens_in_another(sandbox: Sandbox, graph: Caller) -> None:
    elsewhere = Sandbox(sandbox.store.path)
    elsewhere.faults.turn(pass_policy=0)
    person = graph.create()
    path = f"/users/{person['id']}/authentication/temporaryAccessPassMethods"
    assert graph.refusal("POST", path) == (400, "badRequest")
    elsewhere.revoke_consent()
    elsewhere.close()
    assert graph.refusal("GET", "/users")[0] == 401


def test_several_processes_may_create_the_directory_together(tmp_path: Path) -> None:
    script = "import sys; from provision.sandbox import Sandbox; print(Sandbox(sys.argv[1], users=20).credentials())"
    command = [sys.executable, "-c", script, str(tmp_path / "new.db")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    told = [process.communicate()[0] for process in processes]
    assert told[0].startswith("{'tenant'")
    assert len(set(told)) == 1
    assert len(live(tmp_path / "new.db")) == 20


def test_opening_again_changes_nothing(sandbox: Sandbox, graph: Caller) -> None:
    graph.create()
    before = sandbox.credentials(), live(sandbox.store.path)
    again = Sandbox(sandbox.store.path, users=5, seed=99)
    assert (again.credentials(), live(sandbox.store.path)) == before
    again.close()


def test_the_same_seed_gives_the_same_directory_but_another_secret(tmp_path: Path) -> None:
    one, two = (Sandbox(tmp_path / f"{name}.db", users=30, seed=4) for name in "ab")
    assert live(one.store.path) == live(two.store.path)
    assert one.credentials()["tenant"] == two.credentials()["tenant"]
    assert one.credentials()["client_secret"] != two.credentials()["client_secret"]
    for sandbox in (one, two):
        sandbox.close()


def test_a_thousand_people_have_managers_groups_and_seats_left(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "s.db", users=1_000)
    sandbox.grant_consent()
    with httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi)) as client:
        graph = Caller(sandbox, client).sign_in()
        skus = {item["skuPartNumber"]: item for item in graph.get("/subscribedSkus")["value"]}
        people, _ = graph.walk("/users/delta?$select=displayName,manager", Prefer="odata.maxpagesize=999")
    free = {name: sum(item["prepaidUnits"].values()) - item["consumedUnits"] for name, item in skus.items()}
    assert (free["SPB"], free["O365_BUSINESS_ESSENTIALS"], free["SPE_E3"]) == (5, 2, 0)
    assert len(people) == 1_000
    assert 500 < sum("manager@delta" in item for item in people) < 1_000
    sandbox.close()


def test_a_failed_write_leaves_nothing(sandbox: Sandbox) -> None:
    with contextlib.suppress(ZeroDivisionError), sandbox.store.writing() as db:
        db.execute("DELETE FROM users")
        raise ZeroDivisionError
    assert len(live(sandbox.store.path)) == 60


def test_tokens_are_ours_or_refused(sandbox: Sandbox) -> None:
    text = sandbox.store.sign({"kind": "list", "after": 7})
    assert sandbox.store.unsign(text) == {"kind": "list", "after": 7}
    for forged in (text[:-2], "x" + text[1:], "", "é", "a"):
        with pytest.raises(BadToken):
            sandbox.store.unsign(forged)


def test_hashes_are_salted_and_compare() -> None:
    first, second = hash_password("Korrekt-Horse-9"), hash_password("Korrekt-Horse-9")
    assert first != second
    assert verify_password("Korrekt-Horse-9", first)
    assert not verify_password("korrekt-Horse-9", first)
    assert not verify_password(NEW["displayName"], None)  # type: ignore[arg-type]


def test_a_name_is_given_once_however_many_ask_at_once(sandbox: Sandbox, graph: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: graph.call("POST", "/users", NEW).status_code, range(16)))
    assert sorted(answers) == [201, *[400] * 15]


def test_the_last_seat_is_given_once_however_many_ask_at_once(graph: Caller) -> None:
    people = [graph.create(userPrincipalName=f"crew{number}@fjordvik.example")["id"] for number in range(8)]
    sku = next(item for item in graph.get("/subscribedSkus")["value"] if item["skuPartNumber"] == "SPB")
    body = {"addLicenses": [{"skuId": sku["skuId"]}], "removeLicenses": []}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda one: graph.call("POST", f"/users/{one}/assignLicense", body).status_code, people)
        )
    assert sorted(answers) == [200] * 5 + [400] * 3
