"""The databases that tests of every store are run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.stores import POSTGRES, SQLITE, chosen


@pytest.fixture(scope="module", params=[SQLITE, pytest.param(POSTGRES, marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """`tests.store.stores.fresh` gives a store on this database."""
    with chosen(request.param):
        yield
