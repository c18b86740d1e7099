"""No kind escapes the contracts."""

from provision.connectors import KINDS
from tests.contracts.grounds import SOURCES, TARGETS


def test_every_kind_that_is_read_is_held_to_the_contract_of_a_source() -> None:
    assert {make.kind for make in SOURCES.values()} == {kind for kind, spec in KINDS.items() if spec.pulled}


def test_every_kind_that_is_written_to_is_held_to_the_contract_of_a_target() -> None:
    assert {make.kind for make in TARGETS.values()} == {kind for kind, spec in KINDS.items() if spec.is_target}
