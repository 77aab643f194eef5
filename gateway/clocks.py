"""The two clocks: the wall clock, and the care clock that somebody may set."""

from __future__ import annotations

import time
from datetime import datetime

from gateway.records.times import microseconds


def wall_clock() -> int:
    """Microseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1000


class CareClock:
    """The clock that receipt, flags and due work go by: the wall clock, unless somebody set it (the demo, tests)."""

    def __init__(self) -> None:
        self._set: int | None = None

    def __call__(self) -> int:
        return wall_clock() if self._set is None else self._set

    def set(self, at: datetime | None) -> None:
        """Stand at a moment; None goes back to the wall clock."""
        self._set = None if at is None else microseconds(at)
