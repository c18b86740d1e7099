"""The library's own contract of a storage, kept by ours."""

from collections.abc import Iterator

import pytest
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

from provision.services import scim
from tests.services.scim.conftest import Open


class TestOurStorageKeepsTheContract(ScimStorageContract):
    """What the library's suite asks, of accounts in the real database."""

    @pytest.fixture
    def provider(self) -> Iterator[ScimProvider]:  # type: ignore[override]
        provider = scim.served()
        with provider:
            yield provider

    @pytest.fixture
    def storage(self, accounts: Open) -> scim.Accounts:
        return accounts()
