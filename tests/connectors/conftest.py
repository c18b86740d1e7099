"""A host that must never be asked."""

from collections.abc import Iterator

import pytest

from tests.fakes.grounds import Listener


@pytest.fixture
def stranger() -> Iterator[Listener]:
    """A host that is not the tenant's."""
    listener = Listener()
    yield listener
    listener.close()
