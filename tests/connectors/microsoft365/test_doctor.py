"""The check, against a tenant whose consent, rights and facts are changed under it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from provision.connectors import Secret
from provision.connectors.microsoft365 import Microsoft365
from provision.core.ports import Check, Refused, Throttled, Unauthorised, Unreachable
from provision.sandbox import PERMISSIONS, Fault
from tests.fakes.grounds import MAPPED, SandboxGround, connector


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[SandboxGround]:
    ground = SandboxGround(tmp_path, tls=False)
    yield ground
    ground.close()


def states(check: Check) -> dict[str, str]:
    return {each.name: each.state for each in check.permissions}


def test_the_facts_of_a_tenant_are_told(ground: SandboxGround) -> None:
    facts = connector(ground).check().facts
    assert facts["synced"] is True
    assert facts["synced_at"]
    assert facts["people"] == len(ground.truth())
    assert facts["guests"] == sum(values["userType"] == "Guest" for values in ground.truth().values())
    assert facts["synced_people"] == sum(values["onPremisesSyncEnabled"] is True for values in ground.truth().values())
    assert len(str(facts["country"])) == 2
    assert facts["clock_seconds"] == 0
    assert {domain["name"] for domain in facts["domains"] if domain["federated"]}
    assert [domain["name"] for domain in facts["domains"] if domain["default"]] == [ground.domain]


def test_seats_that_cannot_be_given_away_are_not_free(ground: SandboxGround) -> None:
    seats = connector(ground).check().facts["seats"]
    assert {seat["state"] for seat in seats} >= {"Enabled", "Warning", "Suspended"}
    for seat in seats:
        assert seat["free"] == max(0, seat["total"] - seat["used"])
        assert seat["state"] in ("Enabled", "Warning") or seat["free"] == 0
    assert "Microsoft 365 Business Premium" in {seat["name"] for seat in seats}


def test_before_consent_a_check_says_to_wait_and_a_walk_says_what_is_missing(ground: SandboxGround) -> None:
    ground.sandbox.revoke_consent()
    with pytest.raises(Refused) as raised:
        connector(ground).check()
    assert raised.value.code == "consent_not_replicated"
    with pytest.raises(Unauthorised) as walked:
        list(connector(ground).changes(MAPPED))
    assert walked.value.code == "consent_missing"


def test_a_check_repeated_on_the_same_connector_sees_a_consent_arrive(ground: SandboxGround) -> None:
    ground.sandbox.revoke_consent()
    ground.sandbox.faults.turn(consent_delay=60)
    source = connector(ground)
    for _ in range(2):
        with pytest.raises(Refused):
            source.check()
    ground.sandbox.grant_consent()
    with pytest.raises(Refused) as raised:
        source.check()
    assert raised.value.code == "consent_not_replicated", "the token has no roles yet"
    ground.clock.sleep(61)
    assert source.check().outside_id == ground.tenant


def test_a_consent_that_is_withdrawn_in_the_middle_is_unauthorised(ground: SandboxGround) -> None:
    source = connector(ground)
    walk = source.changes(MAPPED)
    next(walk)
    ground.sandbox.revoke_consent()
    with pytest.raises(Unauthorised):
        next(walk)


@pytest.mark.parametrize(
    ("roles", "missing", "fact"),
    [
        (("User.Read.All",), "Domain.Read.All", None),
        (("User.Read.All", "Domain.Read.All"), "Organization.Read.All", "seats"),
        (("Organization.Read.All", "Domain.Read.All"), "User.Read.All", "people"),
    ],
)
def test_each_missing_right_is_named_and_costs_its_own_fact_only(
    ground: SandboxGround, roles: tuple[str, ...], missing: str, fact: str | None
) -> None:
    ground.sandbox.grant_consent(roles)
    check = connector(ground).check()
    assert states(check)[missing] == "missing"
    assert all(states(check)[role] == "granted" for role in roles)
    assert fact is None or check.facts[fact] is None
    assert check.facts["domains"], "the organisation knows its verified domains too"


def test_a_walk_without_the_right_names_it_and_writing_rights_do_not_matter(ground: SandboxGround) -> None:
    ground.sandbox.grant_consent(("Organization.Read.All", "Domain.Read.All"))
    with pytest.raises(Refused) as raised:
        list(connector(ground).changes(MAPPED))
    assert (raised.value.code, raised.value.params["permission"]) == ("permission_missing", "User.Read.All")
    ground.sandbox.grant_consent(("User.Read.All",))
    assert list(connector(ground).changes(MAPPED))


def test_the_password_right_needs_its_directory_role(ground: SandboxGround) -> None:
    assert states(connector(ground).check())["User Administrator"] == "missing"
    ground.sandbox.assign_role("User Administrator")
    assert states(connector(ground).check())["User Administrator"] == "granted"


def test_a_right_that_is_too_much_is_warned_of(ground: SandboxGround) -> None:
    assert connector(ground).check().facts["excess"] == []
    ground.sandbox.grant_consent([*PERMISSIONS, "Directory.ReadWrite.All"])
    assert connector(ground).check().facts["excess"] == ["Directory.ReadWrite.All"]


@pytest.mark.parametrize("by", ["domain", "id"])
def test_a_connected_app_stays_with_its_tenant(ground: SandboxGround, by: str) -> None:
    domain = ground.domain if by == "domain" else ground.tenant
    assert connector(ground, domain=domain, outside_id=ground.tenant).check().outside_id == ground.tenant
    with pytest.raises(Refused) as raised:
        connector(ground, domain=domain, outside_id="00000000-0000-4000-8000-000000000000").check()
    assert (raised.value.code, raised.value.params["outside_id"]) == ("tenant_differs", ground.tenant)


def test_a_domain_that_nobody_has_is_refused_with_its_name(ground: SandboxGround) -> None:
    with pytest.raises(Refused) as raised:
        connector(ground, domain="nobody.example").check()
    assert (raised.value.code, raised.value.params["domain"]) == ("tenant_unknown", "nobody.example")


def test_a_skewed_clock_is_seen(ground: SandboxGround) -> None:
    source = connector(ground)
    source._world = replace(source._world, now=lambda: ground.clock.now() + timedelta(minutes=5))
    assert source.check().facts["clock_seconds"] == 300


@pytest.mark.parametrize("wrong", ["html", "empty", "truncated"])
def test_nonsense_in_place_of_the_organisation_is_unreachable(ground: SandboxGround, wrong: str) -> None:
    ground.sandbox.faults.add(Fault(wrong, path="/v1.0/organization"))
    with pytest.raises(Unreachable):
        connector(ground).check()


def test_a_check_that_is_told_to_wait_says_so(ground: SandboxGround) -> None:
    ground.sandbox.faults.add(Fault("throttle", path="/v1.0/domains", details={"retry_after": 9}))
    with pytest.raises(Throttled):
        connector(ground).check()


class Terse:
    """A Graph whose tokens say nothing (or what they are made to say), and which refuses all but what it is told."""

    def __init__(self, answers: dict[str, Any], *, roles: tuple[str, ...] = ()) -> None:
        self.answers = answers
        self.token = jwt.encode({"roles": roles}, "k" * 32) if roles else "opaque"

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "POST":
            return httpx2.Response(200, json={"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"})
        if path.endswith("openid-configuration"):
            here = f"https://login.example/{TENANT}"
            words = ("issuer", "authorization_endpoint", "token_endpoint")
            return httpx2.Response(200, json={word: f"{here}/{word}" for word in words})
        found = self.answers.get(path.removeprefix("/v1.0"))
        return httpx2.Response(200, json=found) if found else httpx2.Response(403, json={"error": {"code": "x"}})

    def connector(self, ground: SandboxGround, **more: Any) -> Microsoft365:
        return connector(
            ground,
            **more,
            login_url="https://login.example",
            graph_url="https://graph.example",
            transport=lambda _: httpx2.MockTransport(self),
        )


TENANT = "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"
ORGANISATION = {"value": [{"id": TENANT, "displayName": "X"}]}


def test_where_a_token_says_nothing_reading_is_tried_out_and_writing_left_open(ground: SandboxGround) -> None:
    cloud = Terse({"/organization": ORGANISATION, "/users": {"value": []}, "/domains": {"value": []}})
    check = cloud.connector(ground).check()
    assert check.facts["permissions"] is None
    found = states(check)
    assert (found["User.Read.All"], found["Domain.Read.All"]) == ("granted", "granted")
    assert found["Organization.Read.All"] == "missing"
    assert found["User.ReadWrite.All"] == "unused"


@pytest.mark.parametrize(
    "organisation",
    [
        {"value": []},
        {"value": {}},
        {"x": 1},
        [1],
        {"value": [{"id": None}]},
        {"value": [{"id": "a"}, {"id": "b"}]},
        {"value": ["x"]},
    ],
)
def test_an_organisation_of_no_known_shape_is_unexpected(ground: SandboxGround, organisation: Any) -> None:
    with pytest.raises(Unreachable):
        Terse({"/organization": organisation}).connector(ground).check()


@pytest.mark.parametrize("junk", [None, 7, "x", [], [None], [[]], [{}], [{"prepaidUnits": 7, "consumedUnits": "many"}]])
def test_facts_of_no_known_shape_do_not_fail_the_check(ground: SandboxGround, junk: Any) -> None:
    cloud = Terse({"/organization": ORGANISATION, "/domains": {"value": junk}, "/subscribedSkus": {"value": junk}})
    facts = cloud.connector(ground).check().facts
    assert facts["people"] is None
    assert all(seat["free"] == 0 for seat in facts["seats"])


def test_the_end_of_a_secret_is_read_where_we_may_and_only_there(ground: SandboxGround) -> None:
    credentials = [
        {"hint": "QM-", "endDateTime": "2027-01-02T03:04:05Z"},
        {"hint": "abc", "endDateTime": "2030-01-01T00:00:00Z"},
        {"hint": "QM-", "endDateTime": "nonsense"},
    ]
    answers = {"/organization": ORGANISATION, "/applications": {"value": [{"passwordCredentials": credentials}]}}

    def end(*roles: str) -> Any:
        source = Terse(answers, roles=roles).connector(ground, credential=Secret("QM-and-so-on"))
        return source.check().facts["secret_expires_at"]

    assert end("User.Read.All", "Application.Read.All") == "2027-01-02T03:04:05+00:00"
    assert end("User.Read.All") is None


def test_a_registration_that_lives_elsewhere_leaves_the_end_of_the_secret_unknown(ground: SandboxGround) -> None:
    for applications in (None, {"value": []}, {"value": "x"}):
        cloud = Terse({"/organization": ORGANISATION, "/applications": applications}, roles=("Application.Read.All",))
        assert cloud.connector(ground).check().facts["secret_expires_at"] is None
