"""What Microsoft Entra, Okta, Google and OneLogin send, word for word, and what it comes to."""

from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from provision.core import dialects
from provision.core.vocabulary import Lifecycle
from provision.house import House
from tests.cast import Cast, Clock
from tests.web.scim import BULK, ENTERPRISE, GROUP, PATCH, USER, Pusher


@pytest.fixture
def client(app: Flask, house: House, cast: Cast, clock: Clock) -> Pusher:
    return Pusher(app, house, cast.contoso, clock)


# -- Microsoft Entra: https://learn.microsoft.com/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups ---

ENTRA_USER = {
    "schemas": [USER, ENTERPRISE],
    "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "userName": "Test_User_ab6490ee@there.example",
    "active": True,
    "emails": [{"primary": True, "type": "work", "value": "Test_User_fd0ea19b@there.example"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
    "roles": [],
}


def entra(client: Pusher) -> str:
    answer = client.post("/Users", ENTRA_USER)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def test_entra_tests_its_connection_by_asking_for_nobody(client: Pusher) -> None:
    answer = client.get('/Users?filter=userName+eq+"f1d2a9c8-9b7e-4d1c-8e33-5f6a7b8c9d0e"')
    assert (answer.status_code, answer.json["totalResults"], answer.json["Resources"]) == (200, 0, [])


def test_entra_creates_finds_and_reads(client: Pusher) -> None:
    number = entra(client)
    for asked in (
        'userName eq "Test_User_ab6490ee@there.example"',
        'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"',
        'emails[type eq "work"].value eq "Test_User_fd0ea19b@there.example"',
    ):
        found = client.get("/Users", query_string={"filter": asked}).json
        assert [one["id"] for one in found["Resources"]] == [number], asked


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        ({"op": "Replace", "path": "active", "value": "False"}, "active", False),
        ({"op": "Replace", "path": "active", "value": False}, "active", False),
        ({"op": "replace", "value": {"active": "False"}}, "active", False),
        ({"op": "Add", "path": "nickName", "value": "Babs"}, "nickName", "Babs"),
        ({"op": "Replace", "path": "userName", "value": "5b50642d@there.example"}, "userName", "5b50642d@there.example"),
        ({"op": "Replace", "path": "name.familyName", "value": "Ray"}, "name.familyName", "Ray"),
        ({"op": "Replace", "value": {"displayName": "New", "name.givenName": "Jo"}}, "name.givenName", "Jo"),
        ({"op": "Replace", "path": 'emails[type eq "work"].value', "value": "n@e.example"}, "emails.0.value", "n@e.example"),
        ({"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "1"}, "phoneNumbers.0.value", "1"),
        ({"op": "Add", "path": 'addresses[type eq "work"].country', "value": "DE"}, "addresses.0.country", "DE"),
        ({"op": "Add", "path": f"{ENTERPRISE}:department", "value": "R&D"}, f"{ENTERPRISE}/department", "R&D"),
        ({"op": "Replace", "value": {f"{ENTERPRISE}:department": "R&D"}}, f"{ENTERPRISE}/department", "R&D"),
    ],
)  # fmt: skip
def test_entra_patches_in_its_own_words(client: Pusher, operation: Any, path: str, value: Any) -> None:
    number = entra(client)
    answer = client.patch(f"/Users/{number}", operation)
    assert answer.status_code == 204, answer.text
    shown: Any = client.get(f"/Users/{number}").json
    for step in path.split("/") if "/" in path else path.split("."):
        shown = shown[int(step)] if step.isdigit() else shown[step]
    assert shown == value


@pytest.mark.parametrize(
    "operation",
    [
        lambda boss: {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss},
        lambda boss: {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": {"value": boss}},
        lambda boss: {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": [{"value": boss}]},
        lambda boss: {"op": "Add", "value": {f"{ENTERPRISE}:manager": boss}},
        lambda boss: {"op": "Add", "value": {ENTERPRISE: {"manager": boss}}},
    ],
)
def test_entra_names_the_manager_as_a_plain_text(client: Pusher, operation: Any) -> None:
    boss, number = client.hire("bo.ss"), entra(client)
    assert client.patch(f"/Users/{number}", operation(boss)).status_code == 204
    assert client.get(f"/Users/{number}").json[ENTERPRISE]["manager"]["value"] == boss
    assert client.person(number).manager_id == client.person(boss).id


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": ""},
        {"op": "Remove", "path": f"{ENTERPRISE}:manager"},
        {"op": "Remove", "path": f"{ENTERPRISE}:manager", "value": "7"},
    ],
)
def test_entra_takes_a_manager_away(client: Pusher, operation: Any) -> None:
    boss, number = client.hire("bo.ss"), entra(client)
    client.patch(f"/Users/{number}", {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss})
    assert client.patch(f"/Users/{number}", operation).status_code == 204
    assert "manager" not in client.get(f"/Users/{number}").json.get(ENTERPRISE, {})


def test_entra_leaves_out_what_nobody_keeps_and_is_not_refused(client: Pusher) -> None:
    number = entra(client)
    answer = client.patch(
        f"/Users/{number}",
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "admin"},
        {"op": "Replace", "path": "urn:contoso:extension:2.0:User:badge", "value": "7"},
        {"op": "Replace", "path": "displayName", "value": "Kept"},
    )
    assert answer.status_code == 204, answer.text
    assert client.get(f"/Users/{number}").json["displayName"] == "Kept"


def test_entra_moves_members_with_the_value_as_the_filter(client: Pusher) -> None:
    one, two = client.hire("one.a"), client.hire("two.b")
    body = {"schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "8aa1a0c0", "displayName": "displayName", "meta": {"resourceType": "Group"}}  # fmt: skip
    made = client.post("/Groups", body)
    assert made.status_code == 201, made.text
    number = made.json["id"]
    for member in (one, two):
        add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": member}]}
        assert client.patch(f"/Groups/{number}", add).status_code == 204
    remove = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": one}]}
    assert client.patch(f"/Groups/{number}", remove).status_code == 204
    assert [each["value"] for each in client.get(f"/Groups/{number}").json["members"]] == [two]
    asked = f'id eq "{number}" and members eq "{two}"'
    assert client.get("/Groups", query_string={"filter": asked, "attributes": "id"}).json["totalResults"] == 1
    asked = f'id eq "{number}" and members eq "{one}"'
    assert client.get("/Groups", query_string={"filter": asked, "attributes": "id"}).json["totalResults"] == 0
    asked = 'displayName eq "displayName"'
    query = {"filter": asked, "excludedAttributes": "members"}
    assert "members" not in client.get("/Groups", query_string=query).json["Resources"][0]


def test_entra_disables_then_deletes(client: Pusher) -> None:
    number = entra(client)
    client.patch(f"/Users/{number}", {"op": "Replace", "path": "active", "value": "False"})
    client.end()
    assert client.person(number).lifecycle == Lifecycle.SUSPENDED
    assert client.ask("DELETE", f"/Users/{number}").status_code == 204


def test_entras_bulk_upload_is_a_bulk_request_of_creations(client: Pusher) -> None:
    body = {
        "schemas": [BULK],
        "Operations": [
            {"method": "POST", "bulkId": "897401c2-2de4-4b87-a97f-c02de3bcfc61", "path": "/Users", "data": {
                "schemas": [USER, ENTERPRISE], "externalId": "701984", "userName": "bjensen@there.example",
                "name": {"formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara"},
                "displayName": "Babs Jensen", "title": "Tour Guide", "active": True, "userType": "Employee",
                "emails": [{"value": "bjensen@there.example", "type": "work", "primary": True}],
                "addresses": [{"type": "work", "locality": "Hollywood", "country": "US", "primary": True}],
                "phoneNumbers": [{"value": "555-555-4444", "type": "work"}],
                ENTERPRISE: {"employeeNumber": "701984", "costCenter": "4130", "organization": "Universal Studios",
                             "division": "Theme Park", "department": "Tour Operations", "manager": {"value": "89607"}},
            }},
            {"method": "POST", "bulkId": "897401c2-2de4-4b87-a97f-c02de3bcfc62", "path": "/Users", "data": {
                "schemas": [USER, ENTERPRISE], "externalId": "701985", "userName": "kjensen@there.example", "active": False,
            }},
        ],
        "failOnErrors": None,
    }  # fmt: skip
    answer = client.post("/Bulk", body)
    assert [one["status"] for one in answer.json["Operations"]] == ["201", "201"], answer.text
    numbers = [one["location"].rsplit("/", 1)[1] for one in answer.json["Operations"]]
    assert client.person(numbers[0]).employee_id == "701984"
    assert client.person(numbers[1]).lifecycle == Lifecycle.SUSPENDED


# -- Okta: https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20 ---------------------------------------------


def okta_user(**values: Any) -> dict[str, Any]:
    return {
        "schemas": [USER],
        "userName": "test.user@there.example",
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": "test.user@there.example", "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "active": True,
        **values,
    }


def test_okta_creates_replaces_and_deactivates(client: Pusher) -> None:
    assert client.get('/Users?filter=userName eq "test.user@there.example"&startIndex=1&count=100').status_code == 200
    made = client.post("/Users", okta_user())
    assert made.status_code == 201
    number = made.json["id"]
    name = {"givenName": "Another", "familyName": "User"}
    replaced = client.ask("PUT", f"/Users/{number}", okta_user(id=number, name=name, meta=made.json["meta"]))
    assert (replaced.status_code, replaced.json["name"]["givenName"]) == (200, "Another")
    assert client.patch(f"/Users/{number}", {"op": "replace", "value": {"active": False}}).status_code == 204
    client.end()
    assert client.person(number).lifecycle == Lifecycle.SUSPENDED


def test_okta_names_a_group_again_with_its_id_inside(client: Pusher) -> None:
    one, two = client.hire("one.a"), client.hire("two.b")
    number = client.post("/Groups", {"schemas": [GROUP], "displayName": "Test SCIMv2", "members": []}).json["id"]
    renamed = client.patch(f"/Groups/{number}", {"op": "replace", "value": {"id": number, "displayName": "Renamed"}})
    assert renamed.status_code == 204, renamed.text
    add = {"op": "add", "path": "members", "value": [{"value": one, "display": "one.a@there.example"}]}
    assert client.patch(f"/Groups/{number}", add).status_code == 204
    swap = [
        {"op": "remove", "path": f'members[value eq "{one}"]'},
        {"op": "add", "path": "members", "value": [{"value": two, "display": "two.b@there.example"}]},
    ]
    assert client.patch(f"/Groups/{number}", *swap).status_code == 204
    shown = client.get(f"/Groups/{number}").json
    assert (shown["displayName"], [each["value"] for each in shown["members"]]) == ("Renamed", [two])
    whole = {"op": "replace", "path": "members", "value": [{"value": one}, {"value": two}]}
    assert client.patch(f"/Groups/{number}", whole).status_code == 204
    assert len(client.get(f"/Groups/{number}").json["members"]) == 2


# -- Google: https://support.google.com/a/topic/10019427 ---------------------------------------------------------------------


def test_google_creates_looks_up_and_suspends(client: Pusher) -> None:
    assert client.get("/ServiceProviderConfig").status_code == 200
    made = client.post(
        "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "userName": "liz@there.example",
            "name": {"givenName": "Liz", "familyName": "Smith", "formatted": "Liz Smith"},
            "emails": [{"value": "liz@there.example", "type": "work", "primary": True}],
            "phoneNumbers": [{"value": "+1 555", "type": "mobile"}],
            "addresses": [{"type": "work", "formatted": "1 Street", "primary": True}],
            "active": True,
            ENTERPRISE: {"department": "Sales", "employeeNumber": "12"},
        },
    )
    assert made.status_code == 201, made.text
    number = made.json["id"]
    assert client.get('/Users?filter=userName eq "liz@there.example"&count=2').json["totalResults"] == 1
    assert client.person(number).mobile == "+1 555"
    suspended = {**made.json, "active": False}
    assert client.ask("PUT", f"/Users/{number}", suspended).status_code == 200
    client.end()
    assert client.person(number).lifecycle == Lifecycle.SUSPENDED


# -- OneLogin: https://developers.onelogin.com/scim --------------------------------------------------------------------------


def test_onelogin_creates_replaces_and_puts_into_groups(client: Pusher) -> None:
    made = client.post(
        "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "userName": "jane@there.example",
            "externalId": "6548",
            "displayName": "Jane Doe",
            "name": {"givenName": "Jane", "familyName": "Doe", "formatted": "Jane Doe"},
            "emails": [{"value": "jane@there.example", "type": "work", "primary": True}],
            "phoneNumbers": [{"value": None, "type": "work"}],
            "title": None,
            "active": True,
            ENTERPRISE: {"department": None, "manager": {"managerId": None, "displayName": None}},
        },
    )
    assert made.status_code == 201, made.text
    number = made.json["id"]
    group = client.post("/Groups", {"schemas": [GROUP], "displayName": "Role"}).json["id"]
    assert client.get('/Groups?filter=displayName eq "Role"&count=1').json["Resources"][0]["id"] == group
    assert client.patch(f"/Groups/{group}", {"op": "add", "value": {"members": [{"value": number}]}}).status_code == 204
    gone = {"schemas": [USER], "id": number, "userName": "jane@there.example", "active": False}
    assert client.ask("PUT", f"/Users/{number}", gone).status_code == 200
    assert client.ask("DELETE", f"/Users/{number}").status_code == 204


# -- The reading of dialects itself ------------------------------------------------------------------------------------------

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "path", "value", "Operations", "manager", ENTERPRISE, "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(JSONS)
def test_no_body_breaks_the_reading_of_dialects_and_reading_twice_changes_no_more(payload: Any) -> None:
    for read in (dialects.resource, dialects.patch, dialects.bulk):
        once = read(payload)
        assert read(once) == once
    dialects.passwords(payload)


@given(JSONS)
def test_what_no_dialect_knows_is_left_as_it_came(value: Any) -> None:
    body = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": value}]}
    assert dialects.patch(body) == body
