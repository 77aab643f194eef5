"""Subscriptions on every store, with a real endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.stores import POSTGRES, SQLITE, chosen
from tests.subscriptions.gateway import Running, running


@pytest.fixture(scope="module", params=[SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    with chosen(request.param):
        yield


@pytest.fixture
def everywhere(database: None) -> Iterator[Running]:
    """A gateway on SQLite, then on PostgreSQL."""
    with running() as made:
        yield made


@pytest.fixture
def gateway() -> Iterator[Running]:
    """A gateway on SQLite."""
    with running() as made:
        yield made
