"""What Microsoft's refusals of a change become: codes where there are some, texts where there are none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from provision.connectors.http import Answer
from provision.connectors.microsoft365 import errors
from provision.core.ports import Missing, OutsideError, Refused, Taken, Unreachable

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SKU = "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"
WHO = "2f1c9f0e-7a55-4a39-9d0c-5c1f1d1f7a11"


def error(
    message: str = "…", *details: dict[str, Any], status: int = 400, code: str = "Request_BadRequest"
) -> OutsideError:
    body = {"error": {"code": code, "message": message, "details": list(details)}}
    answer = Answer(status, {"content-type": "application/json"}, json.dumps(body).encode(), "theirs")
    return errors.graph(answer, right="User.ReadWrite.All", now=NOW)


@pytest.mark.parametrize(
    ("message", "code", "params"),
    [
        (
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
            "currently undergoing migration.",
            "set_by_directory_sync",
            {},
        ),
        ("Unable to update: the object originated in an external service.", "owned_by_exchange", {}),
        (
            "The specified password does not comply with password complexity requirements.",
            "password_weak",
            {"attribute": "password"},
        ),
        (
            "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain "
            "names in your organization.",
            "domain_not_verified_there",
            {"attribute": "userPrincipalName"},
        ),
        ("Property userPrincipalName is invalid.", "sign_in_name_refused", {"attribute": "userPrincipalName"}),
        ("One or more properties contains invalid values.", "domain_federated", {"attribute": "userPrincipalName"}),
        (
            "License assignment cannot be done for user with invalid usage location.",
            "usage_location_missing",
            {"attribute": "usageLocation"},
        ),
        (f"Subscription with SKU {SKU} does not have any available licenses.", "no_seat", {"sku": SKU}),
        (f"License {SKU.upper()} does not correspond to a valid company License.", "licence_unknown", {"sku": SKU}),
        ("Cannot convert a primitive value to the expected type 'Edm.Guid'.", "licence_unknown", {}),
        ("License assignment failed because service plans A and B are mutually exclusive.", "licence_conflict", {}),
        ("License assignment failed because service plan A depends on the service plan(s) B", "licence_dependency", {}),
        ("User license is inherited from a group membership and it cannot be removed", "licence_inherited", {}),
        ("User does not have a corresponding license.", "licence_not_held", {}),
        ("Invalid value specified for property 'city' of resource 'User'.", "value_refused", {"attribute": "city"}),
        ("A value is required for something else", "refused_by_microsoft", {"reason": "Request_BadRequest"}),
    ],
)
def test_a_text_is_understood_where_there_is_no_code(message: str, code: str, params: dict[str, str]) -> None:
    found = error(message)
    assert (type(found), found.code, found.params, found.request_id) == (Refused, code, params, "theirs")


def test_an_object_that_a_replica_does_not_know_yet_is_missing_although_it_is_a_400() -> None:
    found = error("The source resource object or one of the objects being referenced doesn't exist.")
    assert (type(found), found.code) == (Missing, "not_there")


def test_a_code_says_more_than_its_status() -> None:
    for status in (400, 403):
        found = error(status=status, code="Directory_QuotaExceeded")
        assert (type(found), found.code) == (Refused, "quota_exceeded")
    found = error(status=403, code="Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    assert found.code == "premium_needed"


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("InvalidValue", "value_refused"),
        ("MissingValue", "required_there"),
        ("ReadOnly", "read_only_there"),
        ("New", "value_refused"),
    ],
)
def test_a_detail_names_the_attribute_and_what_is_wrong_with_it(word: str, code: str) -> None:
    found = error("…", {"code": word, "target": "city"})
    assert (type(found), found.code, found.params) == (Refused, code, {"attribute": "city"})


def test_the_holder_of_a_taken_value_is_named_where_microsoft_tells() -> None:
    conflict = {"code": "ObjectConflict", "target": "proxyAddresses", "message": "nora@fjordvik.example"}
    holder = {"code": "ConflictingObjects", "target": "x", "message": f"Conflicting object: {WHO.upper()} nora@there"}
    assert error("…", conflict, holder).params == {"attribute": "proxyAddresses", "holder": WHO}
    assert error("…", holder, conflict).params == {"attribute": "proxyAddresses", "holder": WHO}
    nameless = {"code": "ConflictingObjects", "target": "nora@fjordvik.example", "message": "nora"}
    found = error("…", conflict, nameless)
    assert (type(found), found.params) == (Taken, {"attribute": "proxyAddresses"})


@pytest.mark.parametrize(("status", "sent"), [(408, True), (409, True), (423, True), (424, False), (500, True)])
def test_only_what_was_certainly_not_carried_out_leaves_no_doubt(status: int, sent: bool) -> None:
    found = error(status=status)
    assert isinstance(found, Unreachable)
    assert (found.code, found.sent) == ("service_busy", sent)


def test_no_refusal_repeats_a_value() -> None:
    secret = "Quiet-Lake-41"
    for pattern, _, _, _ in errors.SAID:
        found = error(f"{secret} {pattern.partition('|')[0]} {secret}", {"code": secret, "target": f"{secret} !"})
        assert secret not in repr((found, found.params))
