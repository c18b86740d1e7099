"""Creating, changing and deleting users: values, conflicts, who may, what belongs on premises."""

from typing import Any

import pytest

from tests.cast import Clock
from tests.sandbox.conftest import NEW, Caller

GRAPH = "https://graph.sandbox.invalid/v1.0"


def details(answer: Any) -> list[tuple[str, str]]:
    return [(entry["code"], entry["target"]) for entry in answer.json()["error"].get("details", [])]


def test_a_created_person_is_answered_with_the_usual_properties_and_a_location(graph: Caller) -> None:
    answer = graph.call("POST", "/users", NEW)
    body = answer.json()
    assert answer.status_code == 201
    assert body["id"] in answer.headers["Location"]
    assert "accountEnabled" not in body
    assert body["userPrincipalName"] == "nelida@fjordvik.example"


@pytest.mark.parametrize("name", ["accountEnabled", "displayName", "mailNickname", "userPrincipalName"])
def test_what_is_required_is_missed(graph: Caller, name: str) -> None:
    answer = graph.call("POST", "/users", {key: value for key, value in NEW.items() if key != name})
    assert (answer.status_code, details(answer)) == (400, [("MissingValue", name)])


def test_a_new_person_needs_a_password(graph: Caller) -> None:
    answer = graph.call("POST", "/users", NEW | {"passwordProfile": {"forceChangePasswordNextSignIn": True}})
    assert "A password must be specified" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("userPrincipalName", "nélida@fjordvik.example"),
        ("userPrincipalName", "nelida.@fjordvik.example"),
        ("userPrincipalName", "nelida"),
        ("userPrincipalName", "a b@fjordvik.example"),
        ("userPrincipalName", "x" * 65 + "@fjordvik.example"),
        ("userPrincipalName", "nelida@elsewhere.example"),
        ("userPrincipalName", "nelida@fjordvik-cruises.example"),
        ("mailNickname", "naveen.mills,.jr."),
        ("mailNickname", ".nelida"),
        ("mailNickname", "né"),
        ("mailNickname", "x" * 65),
        ("displayName", "x" * 257),
        ("displayName", ""),
        ("givenName", "x" * 65),
        ("department", ""),
        ("employeeId", "12345678901234567"),
        ("mobilePhone", "0" * 65),
        ("usageLocation", "Norway"),
        ("userType", "Visitor"),
        ("businessPhones", ["1", "2"]),
        ("otherMails", ["x" * 251]),
        ("onPremisesExtensionAttributes", {"extensionAttribute16": "x"}),
        ("onPremisesExtensionAttributes", {"extensionAttribute1": "x" * 1025}),
        ("onPremisesImmutableId", "a_b"),
        ("passwordPolicies", "Whatever"),
        ("mail", "no address"),
    ],
)
def test_a_value_out_of_bounds_names_its_property(graph: Caller, name: str, value: object) -> None:
    answer = graph.call("POST", "/users", NEW | {name: value})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert details(answer) == [("InvalidValue", name)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("accountEnabled", "yes"), ("displayName", 5), ("employeeHireDate", "soon"), ("otherMails", "a@b")],
)
def test_a_value_of_the_wrong_type_is_refused(graph: Caller, name: str, value: object) -> None:
    assert graph.refusal("POST", "/users", NEW | {name: value}) == (400, "BadRequest")


@pytest.mark.parametrize("name", ["id", "createdDateTime", "proxyAddresses", "assignedLicenses", "shoeSize", "aboutMe"])
def test_what_cannot_be_set_is_refused(graph: Caller, name: str) -> None:
    assert graph.refusal("POST", "/users", NEW | {name: "x"})[0] == 400


def test_a_body_that_is_no_object_is_refused(graph: Caller) -> None:
    assert graph.refusal("POST", "/users", ["x"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    "password",
    [
        "Sh0rt!",
        "alllowercase",
        "NoDigitsOrSymbol",
        "Pässword-1234",
        "Nelida-2026!",
        "P@ssw0rd1",
        "Welc0me1!",
        "X" * 257,
    ],
)
def test_weak_passwords_are_refused(graph: Caller, password: str) -> None:
    answer = graph.call("POST", "/users", NEW | {"passwordProfile": {"password": password}})
    assert (answer.status_code, details(answer)) == (400, [("InvalidValue", "password")])


def test_a_policy_may_allow_a_plain_password(graph: Caller) -> None:
    graph.create(passwordPolicies="DisableStrongPassword", passwordProfile={"password": "alllowercase"})


def test_a_taken_sign_in_name_is_a_conflict_in_any_case(graph: Caller) -> None:
    graph.create()
    answer = graph.call("POST", "/users", NEW | {"userPrincipalName": "NELIDA@fjordvik.example"})
    assert (answer.status_code, details(answer)) == (400, [("ObjectConflict", "userPrincipalName")])


def test_a_taken_address_names_its_holder(graph: Caller) -> None:
    holder = graph.person(lambda one: bool(one["mail"]))
    answer = graph.call("POST", "/users", NEW | {"mail": holder["mail"]})
    assert details(answer) == [("ObjectConflict", "proxyAddresses"), ("ConflictingObjects", "proxyAddresses")]
    assert holder["id"] in answer.json()["error"]["details"][1]["message"]


def test_a_nickname_may_be_shared(graph: Caller) -> None:
    graph.create()
    graph.create(userPrincipalName="nelida2@fjordvik.example")


def test_an_immutable_id_stays_taken_in_the_bin(graph: Caller) -> None:
    person = graph.create(onPremisesImmutableId="bm9yZA==")
    graph.call("DELETE", f"/users/{person['id']}")
    answer = graph.call("POST", "/users", NEW | {"onPremisesImmutableId": "bm9yZA=="})
    assert details(answer) == [("ObjectConflict", "onPremisesImmutableId")]


def test_a_federated_domain_asks_for_an_immutable_id(graph: Caller) -> None:
    name = {"userPrincipalName": "nelida@skerry.example"}
    assert graph.call("POST", "/users", NEW | name).json()["error"]["message"] == (
        "One or more properties contains invalid values."
    )
    graph.create(**name, onPremisesImmutableId="bm9yZA==")


def test_a_change_is_answered_204_with_nothing(graph: Caller) -> None:
    person = graph.create(jobTitle="Mate", department="Bridge")
    answer = graph.call("PATCH", f"/users/{person['id']}", {"jobTitle": None, "city": "Ålesund"})
    assert (answer.status_code, answer.content) == (204, b"")
    found = graph.get(f"/users/{person['id']}?$select=jobTitle,city,department")
    assert (found["jobTitle"], found["city"], found["department"]) == (None, "Ålesund", "Bridge")


@pytest.mark.parametrize(
    "name", ["displayName", "mail", "userPrincipalName", "mailNickname", "accountEnabled", "usageLocation"]
)
def test_some_properties_cannot_be_cleared(graph: Caller, name: str) -> None:
    person = graph.create(mail="nelida@fjordvik.example")
    assert graph.refusal("PATCH", f"/users/{person['id']}", {name: None}) == (400, "Request_BadRequest")


def test_collections_are_replaced_and_extensions_merged(graph: Caller) -> None:
    person = graph.create(otherMails=["a@b.example"], onPremisesExtensionAttributes={"extensionAttribute1": "one"})
    change = {"otherMails": [], "onPremisesExtensionAttributes": {"extensionAttribute2": "two"}}
    graph.call("PATCH", f"/users/{person['id']}", change)
    found = graph.get(f"/users/{person['id']}?$select=otherMails,onPremisesExtensionAttributes")
    assert found["otherMails"] == []
    kept = {name: value for name, value in found["onPremisesExtensionAttributes"].items() if value}
    assert kept == {"extensionAttribute1": "one", "extensionAttribute2": "two"}


def test_half_of_the_organisation_data_empties_the_other_half(graph: Caller) -> None:
    person = graph.create(employeeOrgData={"division": "North", "costCenter": "7"})
    graph.call("PATCH", f"/users/{person['id']}", {"employeeOrgData": {"division": "South"}})
    found = graph.get(f"/users/{person['id']}?$select=employeeOrgData")["employeeOrgData"]
    assert found == {"division": "South", "costCenter": None}


def test_a_new_address_becomes_the_primary_one(graph: Caller) -> None:
    person = graph.create(mail="first@fjordvik.example")
    graph.call("PATCH", f"/users/{person['id']}", {"mail": "second@fjordvik.example"})
    found = graph.get(f"/users/{person['id']}?$select=proxyAddresses")["proxyAddresses"]
    assert found == ["SMTP:second@fjordvik.example", "smtp:first@fjordvik.example"]


def test_a_new_sign_in_name_leaves_the_address_alone(graph: Caller) -> None:
    person = graph.create(mail="nelida@fjordvik.example")
    graph.call("PATCH", f"/users/{person['id']}", {"userPrincipalName": "n.oe@fjordvik.example"})
    found = graph.get("/users/n.oe@fjordvik.example")
    assert (found["id"], found["mail"]) == (person["id"], "nelida@fjordvik.example")
    assert graph.refusal("GET", "/users/nelida@fjordvik.example")[0] == 404


def test_synced_people_are_read_only_but_for_what_the_cloud_masters(graph: Caller) -> None:
    person = graph.person(lambda one: bool(one["onPremisesSyncEnabled"]))
    answer = graph.call("PATCH", f"/users/{person['id']}", {"jobTitle": "Mate", "usageLocation": "NO"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert "on-premises mastered" in answer.json()["error"]["message"]
    assert graph.call("PATCH", f"/users/{person['id']}", {"usageLocation": "NO"}).status_code == 204


def test_a_federated_password_is_not_set_here(graph: Caller) -> None:
    person = graph.create(userPrincipalName="nelida@skerry.example", onPremisesImmutableId="bm9yZA==")
    change = {"passwordProfile": {"password": "Another-Horse-8"}}
    assert graph.refusal("PATCH", f"/users/{person['id']}", change) == (400, "Request_BadRequest")


def test_a_password_is_set_and_noted_but_never_read(graph: Caller, clock: Clock) -> None:
    person = graph.create()
    clock.forward(minutes=5)
    change = {"passwordProfile": {"password": "Another-Horse-8", "forceChangePasswordNextSignIn": True}}
    assert graph.call("PATCH", f"/users/{person['id']}", change).status_code == 204
    found = graph.get(f"/users/{person['id']}?$select=passwordProfile,lastPasswordChangeDateTime")
    assert found["lastPasswordChangeDateTime"] == "2026-11-23T09:35:00Z"
    assert found["passwordProfile"]["password"] is None


def test_the_flag_without_a_password_is_accepted_and_forgotten(graph: Caller) -> None:
    person = graph.create()
    change = {"passwordProfile": {"forceChangePasswordNextSignIn": True}}
    assert graph.call("PATCH", f"/users/{person['id']}", change).status_code == 204
    found = graph.get(f"/users/{person['id']}?$select=passwordProfile")["passwordProfile"]
    assert found["forceChangePasswordNextSignIn"] is False


def test_an_application_never_changes_a_password_on_somebodys_behalf(graph: Caller) -> None:
    person = graph.create()
    assert graph.refusal("POST", f"/users/{person['id']}/changePassword", {})[0] == 403


DENIED = (403, "Authorization_RequestDenied")


@pytest.mark.parametrize(
    ("change", "enough"),
    [
        ({"jobTitle": "Mate"}, ["User.ReadUpdate.All"]),
        ({"accountEnabled": False}, ["User.EnableDisableAccount.All", "User.Read.All"]),
        ({"mobilePhone": "1"}, ["User-Phone.ReadWrite.All"]),
        ({"otherMails": ["a@b.example"]}, ["User-Mail.ReadWrite.All"]),
        ({"employeeLeaveDateTime": "2027-01-31T00:00:00Z"}, ["User-LifeCycleInfo.ReadWrite.All", "User.Read.All"]),
        ({"passwordProfile": {"password": "Another-Horse-8"}}, ["User-PasswordProfile.ReadWrite.All"]),
    ],
)
def test_every_property_has_a_permission_that_is_enough(
    graph: Caller, change: dict[str, Any], enough: list[str]
) -> None:
    person = graph.create()
    graph.sandbox.grant_consent(["GroupMember.ReadWrite.All"])
    assert graph.sign_in().refusal("PATCH", f"/users/{person['id']}", change) == DENIED
    graph.sandbox.grant_consent(enough)
    assert graph.sign_in().call("PATCH", f"/users/{person['id']}", change).status_code == 204


def test_writing_everything_does_not_cover_passwords_identities_and_hire_dates(graph: Caller) -> None:
    person = graph.create()
    graph.sandbox.grant_consent(["User.ReadWrite.All"])
    graph.sign_in()
    for change in (
        {"passwordProfile": {"password": "Another-Horse-8"}},
        {"identities": []},
        {"employeeHireDate": "2027-01-31T00:00:00Z"},
    ):
        assert graph.refusal("PATCH", f"/users/{person['id']}", change) == DENIED


def test_one_forbidden_property_forbids_the_whole_change(graph: Caller) -> None:
    person = graph.create()
    graph.sandbox.unassign_role("User Administrator")
    change = {"accountEnabled": False, "passwordProfile": {"password": "Another-Horse-8"}}
    assert graph.sign_in().refusal("PATCH", f"/users/{person['id']}", change) == DENIED
    assert graph.get(f"/users/{person['id']}?$select=accountEnabled") == {
        "@odata.context": f"{GRAPH}/$metadata#users(accountEnabled)/$entity",
        "accountEnabled": True,
    }


def test_administrators_are_out_of_reach_of_a_lesser_role(graph: Caller) -> None:
    higher, lesser = (graph.role_holder(role)["id"] for role in ("Global Administrator", "Helpdesk Administrator"))
    sensitive = {"accountEnabled": False}
    assert graph.refusal("PATCH", f"/users/{higher}", sensitive) == DENIED
    assert graph.refusal("DELETE", f"/users/{higher}") == DENIED
    assert graph.call("PATCH", f"/users/{higher}", {"jobTitle": "Chief"}).status_code == 204
    assert graph.call("PATCH", f"/users/{lesser}", sensitive).status_code == 204
    graph.sandbox.unassign_role("User Administrator")
    assert graph.sign_in().refusal("DELETE", f"/users/{lesser}") == DENIED
    graph.sandbox.assign_role("Privileged Authentication Administrator")
    assert graph.sign_in().call("DELETE", f"/users/{higher}").status_code == 204


def test_members_of_a_role_assignable_group_are_protected_too(graph: Caller) -> None:
    groups = graph.get("/groups?$top=999")["value"]
    tier = next(group for group in groups if group["isAssignableToRole"])
    member = graph.get(f"/groups/{tier['id']}/members")["value"][0]
    assert graph.refusal("DELETE", f"/users/{member['id']}") == DENIED


def test_a_manager_is_set_by_reference_and_taken_away(graph: Caller) -> None:
    chief, mate = (graph.create(userPrincipalName=f"{n}@fjordvik.example")["id"] for n in ("chief", "mate"))
    for host in (GRAPH, "https://graph.microsoft.com/v1.0"):
        answer = graph.call("PUT", f"/users/{mate}/manager/$ref", {"@odata.id": f"{host}/users/{chief}"})
        assert (answer.status_code, answer.content) == (204, b"")
    assert graph.get(f"/users/{mate}/manager")["id"] == chief
    assert graph.get(f"/users/{mate}/manager/$ref")["@odata.id"] == f"{GRAPH}/users/{chief}"
    assert graph.call("DELETE", f"/users/{mate}/manager/$ref").status_code == 204
    assert graph.refusal("DELETE", f"/users/{mate}/manager/$ref")[0] == 404


@pytest.mark.parametrize("link", ["https://attacker.example/v1.0/users/x", f"{GRAPH}/devices/x", None, 7])
def test_a_reference_to_elsewhere_is_refused(graph: Caller, link: object) -> None:
    person = graph.create()
    assert graph.refusal("PUT", f"/users/{person['id']}/manager/$ref", {"@odata.id": link}) == (400, "BadRequest")


def test_a_manager_who_does_not_exist_is_404(graph: Caller) -> None:
    person = graph.create()
    link = {"@odata.id": f"{GRAPH}/users/11111111-1111-1111-1111-111111111111"}
    assert graph.refusal("PUT", f"/users/{person['id']}/manager/$ref", link) == (404, "Request_ResourceNotFound")


def test_revoking_sessions_moves_the_time_they_count_from(graph: Caller, clock: Clock) -> None:
    person = graph.create()
    clock.forward(minutes=1)
    answer = graph.call("POST", f"/users/{person['id']}/revokeSignInSessions")
    assert (answer.status_code, answer.json()["value"]) == (200, True)
    found = graph.get(f"/users/{person['id']}?$select=signInSessionsValidFromDateTime")
    assert found["signInSessionsValidFromDateTime"] == "2026-11-23T09:31:00Z"


def test_a_temporary_pass_is_shown_once_and_replaced_by_the_next(graph: Caller, clock: Clock) -> None:
    person = graph.create()
    path = f"/users/{person['id']}/authentication/temporaryAccessPassMethods"
    first = graph.call("POST", path, {"lifetimeInMinutes": 30, "isUsableOnce": True})
    assert first.status_code == 201
    assert len(first.json()["temporaryAccessPass"]) == 8
    second = graph.call("POST", path).json()
    (kept,) = graph.get(path)["value"]
    assert (kept["id"], kept["temporaryAccessPass"], kept["lifetimeInMinutes"]) == (second["id"], None, 60)
    clock.forward(minutes=60)
    graph.sign_in()
    assert graph.get(f"{path}/{second['id']}")["methodUsabilityReason"] == "Expired"
    assert graph.call("DELETE", f"{path}/{second['id']}").status_code == 204
    assert graph.refusal("GET", f"{path}/{second['id']}")[0] == 404


def test_a_temporary_pass_has_bounds_and_a_policy(graph: Caller) -> None:
    person = graph.create()
    path = f"/users/{person['id']}/authentication/temporaryAccessPassMethods"
    assert graph.refusal("POST", path, {"lifetimeInMinutes": 5}) == (400, "badRequest")
    graph.sandbox.faults.turn(pass_policy=0)
    assert graph.refusal("POST", path) == (400, "badRequest")
