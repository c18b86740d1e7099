"""Property tests here never fail for being slow: the machine may be busy. And a host that must never be asked."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.fakes.grounds import Listener

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def stranger() -> Iterator[Listener]:
    """A host that is not the tenant's."""
    listener = Listener()
    yield listener
    listener.close()
