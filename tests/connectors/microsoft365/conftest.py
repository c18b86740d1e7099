"""The grounds of this kind: the sandbox in process, over TLS, and the fake at its worst."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.grounds import GROUNDS, Ground


@pytest.fixture(params=GROUNDS)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    ground = GROUNDS[request.param](tmp_path)
    yield ground
    ground.close()
