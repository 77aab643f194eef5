"""One house for all clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.house import House, house


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made
