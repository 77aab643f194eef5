"""One town for all attacks: each brings clients of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks_privacy.town import Town, town


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("town")) as made:
        yield made
