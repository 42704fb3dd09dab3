"""What tests of the engine share."""

from collections.abc import Iterator

import pytest

from tests.engine.provider_server import ProviderServer, provider_server


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with provider_server() as server:
        yield server
