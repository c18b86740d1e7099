"""The grounds on which the contracts are tried, and a host that must never be asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.ground import Ground, Target
from tests.contracts.grounds import SOURCES, TARGETS
from tests.fakes.grounds import Listener


@pytest.fixture(params=SOURCES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    ground = SOURCES[request.param](tmp_path)
    yield ground
    ground.close()


@pytest.fixture(params=TARGETS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    ground = TARGETS[request.param](tmp_path)
    yield ground
    ground.close()


@pytest.fixture
def stranger() -> Iterator[Listener]:
    """A host that nobody may send anything to."""
    listener = Listener()
    yield listener
    listener.close()
