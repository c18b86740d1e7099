"""The kinds, and what a form and a fresh connector take from them."""

from dataclasses import replace

import pytest
from pydantic import SecretBytes, SecretStr

from provision.connectors import CLOUDS, KINDS, KindSpec, World
from provision.core.expressions import compile_expression
from provision.core.ports import Attribute, Consenting, Refused, Target
from provision.core.vocabulary import USER_ATTRIBUTES, Direction, Feature, Kind, MappingKind, Owner

SPEC = KINDS[Kind.MICROSOFT365]


def test_every_kind_is_registered_under_its_own_name() -> None:
    assert set(Kind) <= set(KINDS)
    assert all(spec.kind == kind for kind, spec in KINDS.items())


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


def test_a_cloud_this_server_does_not_know_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        SPEC.build(SPEC.config(domain="acme.com", cloud="custom"), None, None, World(clouds=CLOUDS))
    assert raised.value.code == "cloud_not_configured"


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)
def test_every_kind_can_be_drawn_from_its_entry_alone(spec: KindSpec) -> None:
    for name, field in spec.config.model_fields.items():
        assert field.title, name
        assert field.description, name
    assert spec.label
    assert spec.about
    assert not spec.place or spec.place in spec.config.model_fields


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)
def test_no_secret_is_a_setting_since_settings_are_shown_and_logged(spec: KindSpec) -> None:
    for name, field in spec.config.model_fields.items():
        assert field.annotation not in (SecretStr, SecretBytes), name
        assert name not in ("password", "token", "secret"), name


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)
def test_default_rows_and_rules_name_attributes_that_there_are(spec: KindSpec) -> None:
    known = {attribute.name: attribute for attribute in spec.attributes({})}
    if known:
        plain = {row.theirs for row in spec.default_mappings if row.kind is MappingKind.ATTRIBUTE}
        computed = {row.theirs for row in spec.default_mappings if row.kind is MappingKind.EXPRESSION}
        assert plain <= set(known)
        assert {name for text in computed for name in compile_expression(text).attributes} <= set(known)
        assert {rule.theirs for rule in spec.matching} <= set(known)
    assert not spec.is_target or spec.sign_in in known


@pytest.mark.parametrize("spec", KINDS.values(), ids=KINDS)
def test_only_who_can_be_written_to_has_switches_for_it(spec: KindSpec) -> None:
    assert spec.features == (tuple(Feature) if spec.is_target else (Feature.IMPORT,))


def test_a_kind_whose_schema_is_found_out_maps_what_was_found() -> None:
    found = Attribute("nick", "Nick")
    spec = replace(SPEC, discover=lambda facts: tuple(facts.get("schema", ())))
    assert spec.attributes({}) == SPEC.schema
    assert spec.attributes({"schema": [found]}) == (found,)
