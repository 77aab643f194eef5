"""A house for the clients of a module: no server outlives the tests that ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.house import House, house


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made
