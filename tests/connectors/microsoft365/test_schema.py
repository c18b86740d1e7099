"""What is known about attributes without asking."""

from datetime import UTC, datetime
from typing import Any

import pytest

from provision.connectors.microsoft365 import schema


def test_names_are_unique_and_everything_that_cannot_be_written_says_why() -> None:
    names = [attribute.name for attribute in schema.ATTRIBUTES]
    assert len(names) == len(set(names))
    assert all(attribute.label for attribute in schema.ATTRIBUTES)
    assert all(attribute.writable is (not attribute.reason) for attribute in schema.ATTRIBUTES)


def test_the_limits_that_people_meet_are_known() -> None:
    limits = {attribute.name: attribute.max_length for attribute in schema.ATTRIBUTES}
    assert (limits["employeeId"], limits["givenName"], limits["displayName"]) == (16, 64, 256)
    assert (limits["userPrincipalName"], limits["extensionAttribute15"]) == (113, 1024)


def test_what_the_product_reads_itself_and_what_may_be_searched_is_in_the_schema() -> None:
    assert set(schema.OWN) <= schema.NAMES | {"userType"}
    assert schema.FINDABLE <= schema.NAMES


def test_a_selection_asks_for_each_property_once_and_for_no_unknown_one() -> None:
    extension = f"extension_{'0' * 32}_costCentre"
    asked = schema.selection(
        ["surname", "surname", "extensionAttribute1", "extensionAttribute9", extension, "id", "no$such,one"]
    )
    names = asked.split(",")
    assert names == ["id", *schema.OWN, "surname", schema.EXTENSION_HOLDER, extension]


@pytest.mark.parametrize(
    ("values", "standing"),
    [
        ({}, {}),
        ({"userType": "Member", "onPremisesSyncEnabled": False, "assignedLicenses": []}, {}),
        ({"userType": "Guest"}, {"guest": True}),
        ({"onPremisesSyncEnabled": True, "assignedLicenses": [{"skuId": "x"}]}, {"synced": True, "licensed": True}),
        ({"userType": ["Guest"], "onPremisesSyncEnabled": "true", "assignedLicenses": None}, {}),
    ],
)
def test_standing_holds_only_what_is_so(values: dict[str, Any], standing: dict[str, bool]) -> None:
    assert schema.appearance(values).standing == standing


@pytest.mark.parametrize(("value", "enabled"), [(True, True), (False, False), (None, None), ("yes", None), (1, None)])
def test_whether_somebody_is_enabled_may_be_unknown(value: Any, enabled: bool | None) -> None:
    assert schema.appearance({"accountEnabled": value}).enabled is enabled


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        ("", None),
        (None, None),
        (20260102, None),
    ],
)
def test_times_are_read_as_utc_or_not_at_all(text: Any, moment: datetime | None) -> None:
    assert schema.moment(text) == moment
