"""One gateway on real sockets for Inferno's checks, with its apps and people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.house import House, house
from tests.inferno.app import App, app_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("inferno")) as made:
        yield made


@pytest.fixture(scope="module")
def app(home: House) -> Iterator[App]:
    """Inferno as an app of its own registration; launched by the tests."""
    made = app_of(home)
    yield made
    made.close()
