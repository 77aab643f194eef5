"""Where third-party messages and packages lie, and the mark for tests that need them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("GATEWAY_THIRD_PARTY_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


_ABSENT = not DATA.is_dir() and os.environ.get("CI") != "true"
MARKS = (
    pytest.mark.third_party,
    pytest.mark.skipif(_ABSENT, reason=f"the third-party data is not there: {DATA.name}; set GATEWAY_THIRD_PARTY_DATA"),
)


def third_party(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test that needs the third-party data; it is skipped, with the reason, only where the folder is absent, and never where CI=true."""
    for mark in MARKS:
        test = mark(test)
    return test
