"""What goes wrong on request, and quotas."""

import json
from pathlib import Path

import httpx2
import pytest

from provision.sandbox import Fault, Faults, LostAnswer, Sandbox
from tests.cast import Clock
from tests.sandbox.conftest import NEW, Caller, strike

DELTA = "/v1.0/users/delta"
FEW = {"Prefer": "odata.maxpagesize=20"}


@pytest.mark.parametrize("retry_after", [7, "Mon, 23 Nov 2026 09:31:00 GMT", "soon", -1])
def test_a_status_comes_with_whatever_retry_after_was_asked_for(
    graph: Caller, faults: Faults, retry_after: object
) -> None:
    faults.add(strike("status", "/v1.0/users", status=503, code="serviceNotAvailable", retry_after=retry_after))
    answer = graph.call("GET", "/users")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "serviceNotAvailable")
    assert answer.headers["Retry-After"] == str(retry_after)
    assert graph.call("GET", "/users").status_code == 200


def test_a_fault_strikes_only_the_method_and_path_it_names(graph: Caller, faults: Faults) -> None:
    faults.add(strike("status", "/v1.0/users/*", method="PATCH", times=None))
    person = graph.create()
    assert graph.call("GET", f"/users/{person['id']}").status_code == 200
    assert graph.call("PATCH", f"/users/{person['id']}", {"city": "x"}).status_code == 503


def test_a_fault_skips_then_strikes_so_many_times(graph: Caller, faults: Faults) -> None:
    faults.add(strike("status", "/v1.0/domains", skip=1, times=2))
    assert [graph.call("GET", "/domains").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert faults.fired() == {"status": 2}


def test_chance_is_the_same_for_the_same_seed() -> None:
    fault = Fault("status", times=None, probability=0.5, seed=3)
    draws = [fault.strikes(seen, 0) for seen in range(200)]
    assert draws == [fault.strikes(seen, 0) for seen in range(200)]
    assert 60 < sum(draws) < 140


def test_a_connection_lost_before_leaves_nothing_behind(graph: Caller, faults: Faults) -> None:
    faults.add(strike("drop_before", "/v1.0/users", method="POST"))
    with pytest.raises(LostAnswer) as lost:
        graph.call("POST", "/users", NEW)
    assert not lost.value.applied
    assert graph.refusal("GET", "/users/nelida@fjordvik.example")[0] == 404


def test_an_answer_lost_after_leaves_the_write_behind(graph: Caller, faults: Faults) -> None:
    faults.add(strike("drop_after", "/v1.0/users", method="POST"))
    with pytest.raises(LostAnswer) as lost:
        graph.call("POST", "/users", NEW)
    assert lost.value.applied
    assert graph.get("/users/nelida@fjordvik.example")["displayName"] == "Nélida Ødegård"


def test_an_error_after_the_fact_leaves_the_write_behind(graph: Caller, faults: Faults) -> None:
    faults.add(strike("status_after", "/v1.0/users", method="POST"))
    assert graph.call("POST", "/users", NEW).status_code == 503
    assert graph.get("/users/nelida@fjordvik.example")["displayName"] == "Nélida Ødegård"


def test_answers_that_are_none(graph: Caller, faults: Faults) -> None:
    faults.add(strike("html", "/v1.0/domains"))
    answer = graph.call("GET", "/domains")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    faults.add(strike("empty", "/v1.0/domains"))
    assert graph.call("GET", "/domains").content == b""
    faults.add(strike("truncated", "/v1.0/domains", bytes=64))
    assert len(graph.call("GET", "/domains").content) == 64
    faults.add(strike("content_type", "/v1.0/domains"))
    assert graph.call("GET", "/domains").headers["Content-Type"] == "text/plain"
    faults.add(strike("oversized", "/v1.0/domains", megabytes=2))
    assert len(graph.call("GET", "/domains").content) > 2 * 1024 * 1024


def test_a_slow_answer_waits_with_the_sleep_it_was_given(graph: Caller, faults: Faults) -> None:
    waited: list[float] = []
    object.__setattr__(graph.sandbox.weather, "sleep", waited.append)
    faults.add(strike("slow", "/v1.0/domains", seconds=4))
    assert graph.call("GET", "/domains").status_code == 200
    assert waited == [4.0]


def test_links_to_elsewhere_and_in_circles(graph: Caller, faults: Faults) -> None:
    faults.add(strike("foreign_link", DELTA, host="graph.attacker.invalid"))
    assert graph.get("/users/delta")["@odata.nextLink"].startswith("https://graph.attacker.invalid/")
    first = graph.get("/users/delta", **FEW)["@odata.nextLink"]
    faults.add(strike("loop_link", DELTA, times=None))
    assert graph.get(first, **FEW)["@odata.nextLink"] == first


def test_a_replayed_page_comes_again_under_another_link_and_the_walk_ends(graph: Caller, faults: Faults) -> None:
    faults.add(strike("replay_page", DELTA, skip=1))
    items, _ = graph.walk("/users/delta", **FEW)
    assert (len(items), len({item["id"] for item in items})) == (80, 60)


def test_an_empty_page_goes_on(graph: Caller, faults: Faults) -> None:
    faults.add(strike("empty_page", DELTA))
    assert graph.get("/users/delta", **FEW)["value"] == []
    faults.add(strike("empty_page", DELTA, skip=1))
    assert len({item["id"] for item in graph.walk("/users/delta", **FEW)[0]}) == 60


def test_a_person_comes_three_times_and_last_as_they_are(graph: Caller, faults: Faults) -> None:
    faults.add(strike("duplicate_person", DELTA))
    items, _ = graph.walk("/users/delta?$select=displayName", **FEW)
    ids = [item["id"] for item in items]
    thrice = next(one for one in ids if ids.count(one) == 3)
    names = [item["displayName"] for item in items if item["id"] == thrice]
    assert names[:2] != [names[2], names[2]]
    assert graph.get(f"/users/{thrice}")["displayName"] == names[2]
    plain = [item["id"] for item in graph.walk("/users/delta?$select=displayName", **FEW)[0]][:20]
    assert [one for one in ids[:22] if one != thrice] == [one for one in reversed(plain) if one != thrice]


def test_a_partial_item_repeats_somebody_with_less(graph: Caller, faults: Faults) -> None:
    faults.add(strike("partial_item", DELTA))
    items, _ = graph.walk("/users/delta?$select=displayName,mail,accountEnabled", **FEW)
    partial = [item for item in items if set(item) == {"id", "displayName"}]
    assert len(partial) == 1
    assert len(items) == 61


@pytest.mark.parametrize("status", [400, 404])
def test_a_stale_token_may_come_as_either_status(graph: Caller, faults: Faults, status: int) -> None:
    faults.add(strike("stale_token", DELTA, status=status))
    assert graph.refusal("GET", "/users/delta") == (status, "syncStateNotFound")


def test_a_token_may_be_refused_at_any_time(graph: Caller, faults: Faults) -> None:
    faults.add(strike("expired_token"))
    assert graph.refusal("GET", "/users") == (401, "InvalidAuthenticationToken")
    graph.sandbox.expire_tokens()
    assert graph.refusal("GET", "/users") == (401, "InvalidAuthenticationToken")
    assert graph.sign_in().call("GET", "/users").status_code == 200


def test_the_login_side_can_fail_too(graph: Caller, faults: Faults) -> None:
    faults.add(strike("status", "/*/oauth2/v2.0/token", status=503, retry_after=3))
    answer = graph.ask_for_token()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    faults.add(strike("drop_before", "/*/oauth2/*"))
    with pytest.raises(LostAnswer):
        graph.ask_for_token()
    assert graph.ask_for_token().status_code == 200


def test_throttling_tells_scope_reason_and_wait(graph: Caller, faults: Faults) -> None:
    faults.add(strike("throttle", "/v1.0/users", retry_after=21))
    answer = graph.call("GET", "/users")
    known = graph.sandbox.credentials()
    assert answer.headers["Retry-After"] == "21"
    assert answer.headers["x-ms-throttle-scope"].endswith(f"/{known['client_id']}/{known['tenant']}")
    assert answer.headers["x-ms-throttle-information"] == "CPULimitExceeded"
    assert answer.json()["error"]["innerError"]["status"] == "429"
    faults.add(strike("throttle", "/v1.0/users"))
    assert "Retry-After" not in graph.call("GET", "/users").headers


def test_new_people_stay_invisible_as_long_as_was_asked_for(graph: Caller, faults: Faults, clock: Clock) -> None:
    faults.turn(lag_get=10, lag_list=20, lag_index=30)
    person = graph.create()["id"]
    by_list, by_index = f"/users?$filter=id eq '{person}'", f"/users?$filter=id eq '{person}'&$count=true"

    def seen() -> tuple[bool, bool, bool]:
        got = graph.call("GET", f"/users/{person}").status_code == 200
        listed = bool(graph.get(by_list)["value"])
        return got, listed, bool(graph.get(by_index, ConsistencyLevel="eventual")["value"])

    assert graph.refusal("PATCH", f"/users/{person}", {"city": "x"})[0] == 404
    assert graph.call("POST", "/users", NEW).json()["error"]["details"][0]["code"] == "ObjectConflict"
    views = [seen(), *((clock.forward(seconds=10), seen())[1] for _ in range(3))]
    assert views == [(False,) * 3, (True, False, False), (True, True, False), (True,) * 3]


def test_a_fresh_group_takes_no_members_for_a_while(graph: Caller, faults: Faults, clock: Clock) -> None:
    person = graph.create()["id"]
    clock.forward(seconds=60)
    faults.turn(lag_get=30)
    body = {"displayName": "Night Watch", "mailEnabled": False, "mailNickname": "night", "securityEnabled": True}
    group = graph.call("POST", "/groups", body).json()["id"]
    link = {"@odata.id": f"https://graph.sandbox.invalid/v1.0/users/{person}"}
    answer = graph.call("POST", f"/groups/{group}/members/$ref", link)
    assert answer.status_code == 400
    assert "one of the objects being referenced" in answer.json()["error"]["message"]
    clock.forward(seconds=31)
    assert graph.call("POST", f"/groups/{group}/members/$ref", link).status_code == 204


def test_the_write_quota_runs_out_refills_and_resents_knocking(graph: Caller, faults: Faults, clock: Clock) -> None:
    faults.turn(write_quota=1)
    person = graph.create()
    path = f"/users/{person['id']}"
    with graph.sandbox.store.writing() as db:
        db.execute("UPDATE buckets SET level = 1.5 WHERE name = 'Write'")
    nearly = graph.call("PATCH", path, {"city": "a"})
    assert float(nearly.headers["x-ms-throttle-limit-percentage"]) >= 0.8
    refused = graph.call("PATCH", path, {"city": "b"})
    assert (refused.status_code, refused.headers["x-ms-throttle-information"]) == (429, "WriteLimitExceeded")
    assert graph.call("GET", path).status_code == 200
    for _ in range(100):
        again = graph.call("PATCH", path, {"city": "b"})
    assert int(again.headers["Retry-After"]) > int(refused.headers["Retry-After"])
    clock.forward(seconds=int(again.headers["Retry-After"]))
    assert graph.call("PATCH", path, {"city": "b"}).status_code == 204


def test_the_unit_quota_counts_reads_by_their_cost(graph: Caller, faults: Faults) -> None:
    faults.turn(unit_quota=10)
    statuses = [graph.call("GET", "/subscribedSkus").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("path", "units"), [("/users", 2), ("/users?$top=5", 1), ("/users?$select=id", 1), ("/subscribedSkus", 3)]
)
def test_every_answer_tells_its_cost(graph: Caller, path: str, units: int) -> None:
    assert graph.call("GET", path).headers["x-ms-resource-unit"] == str(units)


def test_faults_and_knobs_are_read_from_a_file(tmp_path: Path, seeded: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [{"kind": "html", "path": "/v1.0/domains"}], "knobs": {"lag_get": 3}}))
    faults = Faults()
    faults.load(file)
    sandbox = Sandbox(tmp_path / "s.db", users=1, faults=faults)
    assert sandbox.faults.knob("lag_get") == 3.0
    sandbox.grant_consent()
    with httpx2.Client(transport=httpx2.WSGITransport(app=sandbox.wsgi)) as client:
        answer = Caller(sandbox, client).sign_in().call("GET", "/domains")
    assert answer.headers["Content-Type"].startswith("text/html")
    sandbox.close()


@pytest.mark.parametrize(
    "text", ['{"faults": [{"kind": "earthquake"}]}', '{"knobs": {"gravity": 1}}', '{"faults": [{}]}', "[]"]
)
def test_a_faults_file_that_says_something_unknown_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "faults.json"
    file.write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the file's own
        Faults().load(file)


def test_clearing_ends_the_bad_weather(graph: Caller, faults: Faults) -> None:
    faults.add(strike("status", times=None))
    faults.turn(lag_get=100)
    faults.clear()
    assert graph.call("GET", f"/users/{graph.create()['id']}").status_code == 200
    assert faults.fired() == {}
