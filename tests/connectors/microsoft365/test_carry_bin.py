"""The recycle bin where it is large, strange, or cannot be searched; licences, rights and passwords at their edges."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from provision.connectors.http import Cloud, Wire, World
from provision.connectors.microsoft365 import carrying, recycling
from provision.connectors.microsoft365.graph import Graph
from provision.core.ports import LICENCES, MANAGER, OutsideError, Refused, Taken, Unreachable, Write
from provision.core.vocabulary import OperationKind
from tests.connectors.microsoft365.test_graph import HOME, Issuer
from tests.fakes.grounds import SandboxGround, UnrulyGround, connector

ANCHOR = "2f1c9f0e-7a55-4a39-9d0c-5c1f1d1f7a11"
BIN = f"{HOME}/v1.0/directory/deletedItems/microsoft.graph.user"


def binned(number: int, name: str, deleted: str | None = None) -> dict[str, Any]:
    anchor = f"{number:08}-0000-4000-8000-000000000000"
    when = deleted or f"2026-11-{number:02}T00:00:00Z"
    return {"id": anchor, "userPrincipalName": f"{anchor.replace('-', '')}{name}", "deletedDateTime": when}


def graph(answer: Callable[[str, str, Any], tuple[int, Any]]) -> tuple[Graph, list[tuple[str, str]]]:
    """A Graph of which each call, in a batch or not, is answered by this with a status and a body."""
    asked: list[tuple[str, str]] = []

    def once(method: str, url: str, body: Any) -> tuple[int, Any]:
        asked.append((method, url))
        return answer(method, url, body)

    def told(request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/$batch"):
            status, body = once(request.method, str(request.url).removeprefix(f"{HOME}/v1.0"), None)
            return httpx2.Response(status, json=body)
        replies = [
            (item["id"], *once(item["method"], item["url"], item.get("body")))
            for item in json.loads(request.content)["requests"]
        ]
        responses = [{"id": name, "status": status, "body": body} for name, status, body in replies]
        return httpx2.Response(200, json={"responses": responses})

    cloud = Cloud("custom", HOME, HOME, transport=lambda _: httpx2.MockTransport(told))
    world = World(clouds={}, sleep=lambda _: None)
    return Graph(Wire(HOME, cloud, world), Issuer(), world), asked  # type: ignore[arg-type]


def refused(message: str = "…", **detail: str) -> tuple[int, Any]:
    return 400, {"error": {"code": "Request_BadRequest", "message": message, "details": [detail] if detail else []}}


def create(name: str = "nora@fjordvik.example") -> Write:
    values = {"userPrincipalName": name, "displayName": "Nora", "mailNickname": "nora"}
    return Write(OperationKind.CREATE, None, "r", values, enabled=True, password="Quiet-Lake-41")


def test_of_several_deleted_under_one_name_the_last_is_told() -> None:
    people = [
        binned(3, "nora@fjordvik.example"),
        binned(9, "NORA@fjordvik.example"),
        binned(5, "nora@fjordvik.example"),
    ]
    client, asked = graph(lambda *_: (200, {"value": people}))
    (outcome,) = carrying.carry(client, [create()], {})
    assert outcome.error is not None
    assert outcome.error.params["anchor"] == people[1]["id"]
    assert len(asked) == 1


def test_where_the_bin_cannot_be_searched_it_is_read_whole() -> None:
    def answer(method: str, url: str, body: Any) -> tuple[int, Any]:
        if "$filter" in url:
            return refused("Operator 'endsWith' is not supported.")
        if "$skiptoken=two" in url:
            return 200, {"value": [binned(2, "nora@fjordvik.example")]}
        return 200, {"value": [binned(1, "other@fjordvik.example")], "@odata.nextLink": f"{BIN}?$skiptoken=two"}

    client, asked = graph(answer)
    (outcome,) = carrying.carry(client, [create()], {})
    assert isinstance(outcome.error, Refused)
    assert outcome.error.code == "in_recycle_bin"
    assert [method for method, _ in asked] == ["GET"] * 3


@pytest.mark.parametrize(
    "reply",
    [
        (200, {"value": None}),
        (200, [1]),
        (200, {"value": [{"userPrincipalName": "x"}]}),
        (200, {"value": ["x"]}),
        (200, {"value": [], "@odata.nextLink": 7}),
        (403, {"error": {"code": "Authorization_RequestDenied"}}),
        (500, None),
        (404, {"error": {"code": "x"}}),
    ],
    ids=str,
)
def test_nobody_is_created_while_the_bin_cannot_be_looked_into(reply: tuple[int, Any]) -> None:
    client, asked = graph(lambda *_: reply)
    (outcome,) = carrying.carry(client, [create()], {})
    assert outcome.error is not None
    assert not getattr(outcome.error, "sent", False), "nothing was written, so nothing is in doubt"
    assert {method for method, _ in asked} == {"GET"}


def test_a_large_bin_is_read_to_its_end_and_shown_newest_first() -> None:
    def answer(method: str, url: str, body: Any) -> tuple[int, Any]:
        if "skiptoken" in url:
            return 200, {"value": [binned(9, "b@x.example"), {**binned(4, "c@x.example"), "deletedDateTime": None}]}
        return 200, {"value": [binned(3, "a@x.example")], "@odata.nextLink": f"{BIN}?$skiptoken=two"}

    client, _ = graph(answer)
    found = list(recycling.discarded(client, ["displayName"]))
    assert [each.name for each in found] == ["b@x.example", "a@x.example", "c@x.example"]
    assert found[2].purged_at is None


@pytest.mark.parametrize(
    ("link", "code"), [("https://evil.example/x", "foreign_link"), (f"{BIN}?$skiptoken=again", "unexpected_reply")]
)
def test_a_bin_whose_links_lead_astray_is_given_up(link: str, code: str) -> None:
    client, asked = graph(lambda *_: (200, {"value": [], "@odata.nextLink": link}))
    with pytest.raises(Unreachable) as raised:
        recycling.discarded(client, [])
    assert raised.value.code == code
    assert len(asked) <= recycling.PAGES


def restore(**values: str) -> Write:
    return Write(OperationKind.RESTORE, ANCHOR, "r", values)


def test_whoever_comes_back_under_another_name_gives_up_addresses_that_others_have() -> None:
    bodies: list[Any] = []

    def answer(method: str, url: str, body: Any) -> tuple[int, Any]:
        bodies.append(body)
        clash = refused(code="ObjectConflict", target="proxyAddresses")
        return (200, {"id": ANCHOR}) if body.get("autoReconcileProxyConflict") else clash

    client, _ = graph(answer)
    (outcome,) = carrying.carry(client, [restore(userPrincipalName="new@fjordvik.example")], {})
    assert outcome.error is None
    name = {"newUserPrincipalName": "new@fjordvik.example"}
    assert bodies == [name, {**name, "autoReconcileProxyConflict": True}]
    bodies.clear()
    (outcome,) = carrying.carry(client, [restore()], {})
    assert isinstance(outcome.error, Taken), "nobody loses an address without having asked for another name"
    assert outcome.error.params["attribute"] == "proxyAddresses"
    assert len(bodies) == 1


def test_a_refused_licence_has_its_name_looked_up_once() -> None:
    sku = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"

    def answer(method: str, url: str, body: Any) -> tuple[int, Any]:
        if url == "/subscribedSkus":
            return 200, {"value": [{"skuId": sku, "skuPartNumber": "SPB"}]}
        return (
            (200, {})
            if method == "GET"
            else refused(f"Subscription with SKU {sku} does not have any available licenses.")
        )

    client, asked = graph(answer)
    names: dict[str, str] = {}
    write = Write(OperationKind.UPDATE, ANCHOR, "r", licences={sku: True})
    for _ in range(2):
        (outcome,) = carrying.carry(client, [write], names)
        assert outcome.left[LICENCES].params == {"sku": sku, "licence": "Microsoft 365 Business Premium"}
    assert [url for _, url in asked].count("/subscribedSkus") == 1


def test_a_licence_is_refused_under_its_number_when_its_name_cannot_be_read() -> None:
    sku = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
    client, _ = graph(
        lambda method, url, body: (
            (403, {}) if url == "/subscribedSkus" else (200, {}) if method == "GET" else refused("?")
        )
    )
    write = Write(OperationKind.UPDATE, ANCHOR, "r", licences={sku: True})
    (outcome,) = carrying.carry(client, [write], {})
    assert outcome.error is not None
    assert outcome.error.params["licence"] == sku


def test_applications_may_not_change_a_hire_date_and_the_rest_follows(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    anchor = ground.plain()[0]
    values = {"employeeHireDate": "2026-01-31", "department": "Deck", "mobilePhone": "+47 1"}
    (outcome,) = connector(ground).carry([Write(OperationKind.DISABLE, anchor, "r", values, enabled=False)])
    assert outcome.error is None
    assert {name: error.code for name, error in outcome.left.items()} == {"employeeHireDate": "needs_an_administrator"}
    found = ground.person(anchor)
    assert found is not None
    assert (found["department"], found["mobilePhone"], found["accountEnabled"]) == ("Deck", "+47 1", False)
    ground.close()


@pytest.mark.parametrize(
    ("kept", "write", "code", "right"),
    [
        (("User.Read.All",), create(), "permission_missing", "User.ReadWrite.All"),
        (("User.ReadWrite.All",), create(), None, ""),
        (("User.Read.All", "User.Create"), create(), None, ""),
        ((), create(), "consent_missing", ""),
    ],
    ids=str,
)
def test_a_missing_right_is_named(
    tmp_path: Path, kept: tuple[str, ...], write: Write, code: str | None, right: str
) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.sandbox.grant_consent(kept)
    (outcome,) = connector(ground).carry([write])
    assert (outcome.error and outcome.error.code) == code
    assert not right or (outcome.error and outcome.error.params["permission"] == right)
    ground.close()


def test_the_right_that_licences_need_is_named_for_licences_alone(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    sku = ground.licence(free=3)
    ground.sandbox.grant_consent(("User.Read.All", "User.Create", "User.ReadUpdate.All"))
    write = create()
    given = Write(
        write.kind,
        None,
        "r",
        {**write.values, "usageLocation": "NO"},
        enabled=True,
        password="Quiet-Lake-41",
        licences={sku: True},
    )
    (outcome,) = connector(ground).carry([given])
    assert outcome.error is None
    assert outcome.left[LICENCES].params["permission"] == "LicenseAssignment.ReadWrite.All"
    ground.close()


@pytest.mark.parametrize(
    ("rights", "role", "code"),
    [
        (("User.ReadWrite.All",), True, "permission_missing"),
        (("User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All"), False, "role_missing"),
    ],
)
def test_a_password_needs_a_right_and_a_role_and_either_is_named(
    tmp_path: Path, rights: tuple[str, ...], role: bool, code: str
) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    anchor = ground.plain()[0]
    ground.sandbox.grant_consent(rights)
    if role:
        ground.empower()
    with pytest.raises(OutsideError) as raised:
        connector(ground).set_password(anchor, "Loud-River-52-Ladder")
    assert raised.value.code == code
    ground.close()


def test_a_password_of_a_federated_person_is_refused(tmp_path: Path) -> None:
    ground = SandboxGround(tmp_path, tls=False)
    ground.empower()
    federated = next(each["name"] for each in connector(ground).check().facts["domains"] if each["federated"])
    anchor = next(a for a, v in ground.truth().items() if v["userPrincipalName"].endswith(f"@{federated}"))
    with pytest.raises(Refused) as raised:
        connector(ground).set_password(anchor, "Loud-River-52-Ladder")
    assert raised.value.code in ("password_federated", "password_synced")
    ground.close()


def test_a_password_goes_before_other_work_and_the_bin_after_it(tmp_path: Path) -> None:
    ground = UnrulyGround(tmp_path)
    ground.no_lag()
    target = connector(ground)
    target.set_password(ground.plain()[0], "Loud-River-52-Ladder")
    assert ground.fake.asked[-1].headers["x-ms-throttle-priority"] == "high"
    list(target.discarded([]))
    assert ground.fake.asked[-1].headers["x-ms-throttle-priority"] == "low"


def test_every_item_goes_under_the_reference_of_its_write(tmp_path: Path) -> None:
    ground = UnrulyGround(tmp_path)
    ground.no_lag()
    ben, cy, *_ = ground.plain()
    writes = [
        Write(OperationKind.UPDATE, ben, "one", {"department": "x"}, manager=cy, moves_manager=True),
        Write(OperationKind.DELETE, cy, "two"),
    ]
    outcomes = connector(ground).carry(writes)
    assert sorted(ground.fake.desk.references) == ["one", "one", "two"]
    assert all(outcome.request_id and outcome.request_id.startswith("theirs-") for outcome in outcomes)


def test_of_what_did_not_follow_that_comes_first_which_time_alone_mends(tmp_path: Path) -> None:
    ground = UnrulyGround(tmp_path)
    ground.no_lag()
    ben, cy, *_ = ground.plain()
    ground.strike("throttle", "PUT", "/users/*", retry_after=5)
    values = {"department": "Deck", "employeeId": "longer than sixteen", "displayName": None}
    write = Write(OperationKind.UPDATE, ben, "r", values, manager=cy, moves_manager=True)
    (outcome,) = connector(ground).carry([write])
    assert outcome.error is None
    assert next(iter(outcome.left)) == MANAGER
    assert set(outcome.left) == {MANAGER, "employeeId", "displayName"}
