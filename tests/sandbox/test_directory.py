"""What the tenant tells about itself: organization, domains, subscriptions, roles, and the ways to sign in."""

from tests.sandbox.conftest import Caller

USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"


def test_the_organization_lists_its_verified_domains(graph: Caller) -> None:
    (organization,) = graph.get("/organization")["value"]
    assert organization["id"] == graph.sandbox.credentials()["tenant"]
    assert organization["onPremisesSyncEnabled"] is True
    kinds = {
        item["name"]: (item["type"], item["isDefault"], item["isInitial"]) for item in organization["verifiedDomains"]
    }
    assert kinds == {
        "fjordvik.onmicrosoft.com": ("Managed", False, True),
        "fjordvik.example": ("Managed", True, False),
        "skerry.example": ("Federated", False, False),
    }


def test_the_size_of_the_directory_has_to_be_selected(graph: Caller) -> None:
    tenant = graph.sandbox.credentials()["tenant"]
    assert "directorySizeQuota" not in graph.get(f"/organization/{tenant}")
    used = graph.get("/organization?$select=directorySizeQuota")["value"][0]["directorySizeQuota"]["used"]
    assert used > 60
    assert graph.refusal("GET", "/organization/11111111-1111-1111-1111-111111111111")[0] == 404


def test_domains_include_the_one_nobody_verified(graph: Caller) -> None:
    domains = {item["id"]: item for item in graph.get("/domains")["value"]}
    assert [name for name, item in domains.items() if not item["isVerified"]] == ["fjordvik-cruises.example"]
    assert graph.get("/domains/SKERRY.example")["authenticationType"] == "Federated"
    assert graph.refusal("GET", "/domains/elsewhere.example") == (404, "Request_ResourceNotFound")


def test_subscriptions_have_composed_ids_plans_and_states(graph: Caller) -> None:
    skus = {item["skuPartNumber"]: item for item in graph.get("/subscribedSkus")["value"]}
    premium = skus["SPB"]
    assert premium["id"] == f"{graph.sandbox.credentials()['tenant']}_{premium['skuId']}"
    assert {plan["servicePlanName"] for plan in premium["servicePlans"]} >= {"EXCHANGE_S_STANDARD", "TEAMS1"}
    assert {item["capabilityStatus"] for item in skus.values()} == {"Enabled", "Warning", "Suspended"}
    assert graph.get(f"/subscribedSkus/{premium['id']}")["consumedUnits"] == premium["consumedUnits"]
    assert graph.refusal("GET", "/subscribedSkus/nothing")[0] == 404


def test_a_role_is_found_by_id_and_by_template(graph: Caller) -> None:
    role = graph.get(f"/directoryRoles(roleTemplateId='{USER_ADMINISTRATOR}')")
    assert role["displayName"] == "User Administrator"
    assert graph.get(f"/directoryRoles/{role['id']}")["roleTemplateId"] == USER_ADMINISTRATOR
    assert graph.refusal("GET", f"/directoryRoles/{USER_ADMINISTRATOR}")[0] == 404, "a template's id is not the role's"


def test_role_members_are_people_and_the_app_itself(graph: Caller) -> None:
    path = f"/directoryRoles(roleTemplateId='{USER_ADMINISTRATOR}')/members"
    kinds = [item["@odata.type"] for item in graph.get(path)["value"]]
    assert kinds == ["#microsoft.graph.user", "#microsoft.graph.servicePrincipal"]
    graph.sandbox.unassign_role("User Administrator")
    assert len(graph.get(path)["value"]) == 1


def test_a_name_outside_ascii_is_simply_not_found(graph: Caller) -> None:
    for name in ("Ødegård@fjordvik.example", "щербаков@fjordvik.example"):
        assert graph.refusal("GET", f"/users/{name}") == (404, "Request_ResourceNotFound")


def test_the_realm_of_a_sign_in_name_is_told(graph: Caller) -> None:
    host = "https://login.sandbox.invalid/common/userrealm"
    kinds = [
        graph.client.get(f"{host}/someone@{domain}?api-version=1.0").json()["account_type"]
        for domain in ("fjordvik.example", "skerry.example", "elsewhere.example")
    ]
    assert kinds == ["Managed", "Federated", "Unknown"]


def test_an_address_nobody_serves_is_404(graph: Caller) -> None:
    assert graph.client.get("https://login.sandbox.invalid/nothing/here").status_code == 404
