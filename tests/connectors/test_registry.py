"""The kinds, and what a form and a fresh connector take from them."""

import pytest

from provision.connectors import CLOUDS, KINDS, World
from provision.core.ports import Consenting, Refused, Target
from provision.core.vocabulary import USER_ATTRIBUTES, Direction, Kind, Owner

SPEC = KINDS[Kind.MICROSOFT365]


def test_every_kind_is_registered_under_its_own_name() -> None:
    assert set(KINDS) <= set(Kind)
    assert all(spec.kind is kind for kind, spec in KINDS.items())


def test_the_default_rows_are_the_guides_four_and_the_display_name() -> None:
    rows = {row.theirs: USER_ATTRIBUTES[row.ours] for row in SPEC.default_mappings}
    assert rows == {
        "givenName": "First Name",
        "surname": "Last Name",
        "mailNickname": "Username",
        "userPrincipalName": "Email Address",
        "displayName": "Display Name",
    }
    assert {(row.direction, row.owner) for row in SPEC.default_mappings} == {(Direction.BOTH, Owner.EITHER)}


def test_people_are_matched_by_address_first_and_employee_id_second() -> None:
    mapped = [(row.matching_priority, row.theirs, row.ours) for row in SPEC.default_mappings if row.matching_priority]
    beside = [(rule.priority, rule.theirs, rule.ours) for rule in SPEC.matching]
    assert sorted(mapped + beside) == [(1, "userPrincipalName", "email"), (2, "employeeId", "employee_id")]


def test_a_connector_is_built_without_a_call() -> None:
    built = SPEC.build(SPEC.config(domain="acme.com"), None, None, World(clouds=CLOUDS))
    assert isinstance(built, Target)
    assert isinstance(built, Consenting)
    assert {row.theirs for row in SPEC.default_mappings} <= {each.name for each in built.schema() if each.writable}
    assert {rule.theirs for rule in SPEC.matching} <= {each.name for each in built.schema()}


def test_every_field_of_a_form_has_words() -> None:
    for name, field in SPEC.config.model_fields.items():
        assert field.title, name
        assert field.description, name


def test_a_cloud_this_server_does_not_know_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        SPEC.build(SPEC.config(domain="acme.com", cloud="custom"), None, None, World(clouds=CLOUDS))
    assert raised.value.code == "cloud_not_configured"
