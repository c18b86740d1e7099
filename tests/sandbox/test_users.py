"""Reading users: property sets, query options, errors, headers."""

from datetime import timedelta

import pytest

from provision.sandbox import Sandbox
from tests.cast import Clock
from tests.sandbox.conftest import Caller

USUAL = [
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName", "id",
]  # fmt: skip
EVENTUAL = {"ConsistencyLevel": "eventual"}


def test_without_select_the_usual_properties_come_and_no_others(graph: Caller) -> None:
    assert list(graph.get("/users")["value"][0]) == USUAL


def test_select_gives_exactly_what_was_asked_with_null_for_what_is_not_set(graph: Caller) -> None:
    item = graph.get("/users?$select=employeeId,otherMails,accountEnabled&$top=1")["value"][0]
    assert item == {"employeeId": None, "otherMails": [], "accountEnabled": True}


def test_a_property_that_does_not_exist_is_refused(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$select=displayname,shoeSize") == (400, "BadRequest")


def test_the_context_names_the_selection(graph: Caller) -> None:
    assert graph.get("/users?$select=id,mail")["@odata.context"].endswith("/v1.0/$metadata#users(id,mail)")


def test_pages_hang_together_and_miss_nobody(graph: Caller) -> None:
    seen, path = [], "/users?$top=7&$select=id"
    while path:
        page = graph.get(path)
        seen += [item["id"] for item in page["value"]]
        path = page.get("@odata.nextLink", "")
        assert not path or path.startswith("https://graph.sandbox.invalid/v1.0/users?")
    assert len(seen) == len(set(seen)) == 60


@pytest.mark.parametrize("top", ["0", "1000", "-1", "many"])
def test_a_page_holds_between_one_and_999(graph: Caller, top: str) -> None:
    assert graph.refusal("GET", f"/users?$top={top}") == (400, "Request_BadRequest")


def test_skip_is_not_supported(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$skip=10") == (400, "Request_BadRequest")


def test_an_unknown_option_is_refused(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$limit=10") == (400, "BadRequest")


def test_a_link_to_the_next_page_grows_stale(graph: Caller, clock: Clock) -> None:
    following = graph.get("/users?$top=5")["@odata.nextLink"]
    clock.forward(minutes=59)
    assert graph.call("GET", following).status_code == 200
    clock.forward(minutes=2)
    graph.sign_in()
    assert graph.refusal("GET", following) == (400, "Directory_ExpiredPageToken")


def test_a_forged_page_token_is_refused(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$skiptoken=AAAAAAAAAAAAAAAAeyJhZnRlciI6MH0") == (400, "BadRequest")


def test_count_is_ignored_without_the_header_and_given_with_it(graph: Caller) -> None:
    assert "@odata.count" not in graph.get("/users?$count=true&$top=5")
    assert graph.get("/users?$count=true&$top=5", **EVENTUAL)["@odata.count"] == 60


def test_the_count_alone_needs_the_header(graph: Caller) -> None:
    assert graph.refusal("GET", "/users/$count") == (400, "Request_BadRequest")
    answer = graph.call("GET", "/users/$count", **EVENTUAL)
    assert (answer.text, answer.headers["Content-Type"]) == ("60", "text/plain")


@pytest.mark.parametrize(
    "query",
    [
        '$search="displayName:emer"',
        "$filter=endsWith(mail,'fjordvik.example')",
        "$filter=department ne 'IT'",
        "$filter=not(accountEnabled eq true)",
        "$filter=otherMails/$count eq 0",
        "$filter=employeeId eq null",
        "$filter=onPremisesExtensionAttributes/extensionAttribute15 eq 'x'",
        "$filter=accountEnabled eq true&$orderby=displayName",
        "$orderby=createdDateTime",
    ],
)
def test_advanced_queries_need_the_header(graph: Caller, query: str) -> None:
    assert graph.refusal("GET", f"/users?{query}") == (400, "Request_UnsupportedQuery")
    assert graph.call("GET", f"/users?{query}&$count=true", **EVENTUAL).status_code == 200


def test_operators_a_property_does_not_know_are_refused(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$filter=startsWith(department,'I')") == (400, "Request_UnsupportedQuery")
    assert graph.refusal("GET", "/users?$filter=lastPasswordChangeDateTime eq null")[1] == "Request_UnsupportedQuery"


@pytest.mark.parametrize("text", ["displayName eq", "eq 'x'", "displayName eq 'x", "(displayName eq 'x'", "x eq 'y'"])
def test_a_filter_that_is_none_is_refused(graph: Caller, text: str) -> None:
    assert graph.refusal("GET", f"/users?$filter={text}") == (400, "BadRequest")


def names(graph: Caller, query: str, **headers: str) -> set[str]:
    return {item["userPrincipalName"] for item in graph.get(f"/users?$top=999&{query}", **headers)["value"]}


def test_filters_find_who_they_should(graph: Caller) -> None:
    everybody = names(graph, "")
    guests = names(graph, "$filter=userType eq 'Guest'")
    assert guests == {name for name in everybody if "#EXT#" in name}
    assert names(graph, "$filter=userType ne 'Guest'&$count=true", **EVENTUAL) == everybody - guests
    admin = "admin@fjordvik.onmicrosoft.com"
    assert names(graph, "$filter=startsWith(displayName,'emergency') and accountEnabled eq true") == {admin}
    assert names(graph, f"$filter=userPrincipalName eq '{admin.upper()}'") == {admin}
    assert names(graph, f"$filter=userPrincipalName in ('{admin}', 'x')") == {admin}
    assert names(graph, "$filter=endsWith(userPrincipalName,'onmicrosoft.com')&$count=true", **EVENTUAL) == guests | {
        admin
    }


def test_a_quote_in_a_filter_is_doubled(graph: Caller) -> None:
    graph.create(userPrincipalName="o'hara@fjordvik.example", mail="o'hara@fjordvik.example")
    assert names(graph, "$filter=mail eq 'o''hara@fjordvik.example'") == {"o'hara@fjordvik.example"}


def test_collections_are_filtered_by_any(graph: Caller) -> None:
    person = graph.person(lambda one: one["proxyAddresses"] and one["userType"] == "Member")
    address = person["proxyAddresses"][0].replace("'", "''")
    assert names(graph, f"$filter=proxyAddresses/any(p:p eq '{address}')") == {person["userPrincipalName"]}
    sku = graph.get("/subscribedSkus")["value"][2]
    holders = names(graph, f"$filter=assignedLicenses/any(l:l/skuId eq {sku['skuId']})")
    assert len(holders) == sku["consumedUnits"]


def test_times_are_compared_by_the_clock(graph: Caller, clock: Clock) -> None:
    created = graph.create()["userPrincipalName"]
    since = (clock() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert names(graph, f"$filter=createdDateTime ge {since}") == {created}


def test_the_correlation_attribute_finds_one_person(graph: Caller) -> None:
    person = graph.create(onPremisesExtensionAttributes={"extensionAttribute15": "ABCDEFGHIJKLMNOP"})
    query = "$filter=onPremisesExtensionAttributes/extensionAttribute15 eq 'abcdefghijklmnop'&$count=true"
    assert names(graph, query, **EVENTUAL) == {person["userPrincipalName"]}


def test_search_matches_the_beginnings_of_words(graph: Caller) -> None:
    assert names(graph, '$search="displayName:acc"', **EVENTUAL) == {"admin@fjordvik.onmicrosoft.com"}
    both = '$search="displayName:emer" OR "userPrincipalName:nobody"'
    assert names(graph, both, **EVENTUAL) == {"admin@fjordvik.onmicrosoft.com"}
    assert graph.refusal("GET", '/users?$search="usageLocation:NO"', **EVENTUAL)[1] == "Request_UnsupportedQuery"
    assert graph.refusal("GET", "/users?$search=emer", **EVENTUAL) == (400, "BadRequest")


def test_orderby_sorts_across_pages(graph: Caller) -> None:
    first = graph.get("/users?$orderby=userPrincipalName desc&$top=40")
    second = graph.get(first["@odata.nextLink"])
    sorted_names = [item["userPrincipalName"].casefold() for item in first["value"] + second["value"]]
    assert sorted_names == sorted(sorted_names, reverse=True)
    assert len(set(sorted_names)) == 60


def test_a_user_is_found_by_id_by_name_and_by_key(graph: Caller) -> None:
    person = graph.get("/users?$top=1")["value"][0]
    name = person["userPrincipalName"]
    for path in (person["id"], name.upper(), f"('{name}')", f"(userPrincipalName='{name}')"):
        separator = "" if path.startswith("(") else "/"
        assert graph.get(f"/users{separator}{path}")["id"] == person["id"]


def test_a_name_that_looks_like_an_action_is_a_name(graph: Caller) -> None:
    person = graph.create(userPrincipalName="microsoft.graph.delta@fjordvik.example")
    assert graph.get("/users/microsoft.graph.delta@fjordvik.example")["id"] == person["id"]
    assert graph.get("/users/microsoft.graph.delta()")["@odata.deltaLink"]


def test_a_guest_is_found_with_the_hash_encoded(graph: Caller) -> None:
    guest = graph.person(lambda one: one["userType"] == "Guest")
    encoded = guest["userPrincipalName"].replace("#", "%23")
    assert graph.get(f"/users/{encoded}")["id"] == guest["id"]


def test_nobody_is_404_with_the_whole_error_body(graph: Caller) -> None:
    answer = graph.call(
        "GET", "/users/nobody@fjordvik.example", client_request_id="11111111-2222-3333-4444-555555555555"
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "Request_ResourceNotFound")
    assert "nobody@fjordvik.example" in error["message"]
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    assert error["innerError"]["client-request-id"] == "11111111-2222-3333-4444-555555555555"
    assert answer.headers["client-request-id"] == "11111111-2222-3333-4444-555555555555"
    assert answer.headers["request-id"] == error["innerError"]["request-id"]


def test_answers_carry_the_usual_headers(graph: Caller) -> None:
    headers = graph.call("GET", "/users?$select=id").headers
    assert headers["Content-Type"].startswith("application/json;odata.metadata=minimal")
    assert headers["Date"] == "Mon, 23 Nov 2026 09:30:00 GMT"
    assert headers["OData-Version"] == "4.0"
    assert headers["x-ms-resource-unit"] == "1"
    for name in ("request-id", "x-ms-ags-diagnostic", "Strict-Transport-Security"):
        assert headers[name]


def test_manager_and_memberships_can_be_read(graph: Caller, sandbox: Sandbox) -> None:
    with sandbox.store.reading() as db:
        row = db.execute("SELECT id, manager FROM managers LIMIT 1").fetchone()
    assert graph.get(f"/users/{row['id']}/manager")["id"] == row["manager"]
    expanded = graph.get(f"/users?$filter=id eq '{row['id']}'&$expand=manager($select=id,displayName)")["value"][0]
    assert expanded["manager"]["id"] == row["manager"]
    assert row["id"] in {item["id"] for item in graph.get(f"/users/{row['manager']}/directReports")["value"]}


def test_expand_goes_neither_with_advanced_queries_nor_for_anything(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$expand=manager&$count=true", **EVENTUAL)[0] == 400
    assert graph.refusal("GET", "/users?$expand=messages") == (400, "BadRequest")


def test_nobody_above_is_404(graph: Caller) -> None:
    assert graph.refusal("GET", "/users/admin@fjordvik.onmicrosoft.com/manager") == (404, "Request_ResourceNotFound")


def test_basic_reading_sees_basic_properties_only(graph: Caller) -> None:
    graph.sandbox.grant_consent(["User.ReadBasic.All"])
    graph.sign_in()
    assert graph.call("GET", "/users?$select=id,displayName,mail").status_code == 200
    assert graph.refusal("GET", "/users?$select=id,accountEnabled") == (403, "Authorization_RequestDenied")


def test_the_leave_date_has_a_permission_of_its_own(graph: Caller) -> None:
    assert graph.refusal("GET", "/users?$select=employeeLeaveDateTime")[0] == 403


def test_paths_are_not_case_sensitive_and_unknown_ones_are_refused(graph: Caller) -> None:
    assert graph.call("GET", "/Users?$TOP=1").status_code == 200
    assert graph.refusal("GET", "/persons") == (400, "BadRequest")
    assert graph.refusal("DELETE", "/users") == (405, "Request_BadRequest")


def test_without_a_token_nothing_is_answered(graph: Caller) -> None:
    graph.token = ""
    assert graph.refusal("GET", "/users") == (401, "InvalidAuthenticationToken")
