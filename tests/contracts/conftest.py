"""The grounds on which every contract is tried."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.grounds import GROUNDS, Ground, Listener


@pytest.fixture(params=GROUNDS)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    ground = GROUNDS[request.param](tmp_path)
    yield ground
    ground.close()


@pytest.fixture
def stranger() -> Iterator[Listener]:
    """A host that is not the tenant's."""
    listener = Listener()
    yield listener
    listener.close()
