"""The application on the other side: a real SCIM server on the loopback."""

from collections.abc import Iterator

import pytest

from tests.fakes.scim import ScimServer


@pytest.fixture
def there() -> Iterator[ScimServer]:
    server = ScimServer()
    yield server
    server.close()
