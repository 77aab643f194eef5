"""Rates: a token bucket for each who asks.

A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm), so that a full one need not be remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

MOST = 50_000  # buckets remembered; full ones are forgotten first


class Rate(NamedTuple):
    """So many a second for as long as one likes, and so many at once. A rate of 0: without limit."""

    per_second: float
    burst: int


class Buckets:
    """A bucket of the same rate for each key. `clock` gives seconds that never step back. For one thread."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._full_at: dict[str, float] = {}

    def take(self, key: str, tokens: int = 1) -> float:
        """Take tokens, and give 0; or take none, and give the seconds after which they will be there. More than fit count as all that fit."""
        if not self._rate.per_second:
            return 0
        now = self._clock()
        full_at = max(self._full_at.get(key, now), now) + min(tokens, self._rate.burst) / self._rate.per_second
        wait = full_at - now - self._rate.burst / self._rate.per_second
        if wait > 1e-9:
            return wait
        if key not in self._full_at and len(self._full_at) >= MOST:
            self._forget(now)
        self._full_at[key] = full_at
        return 0

    def _forget(self, now: float) -> None:
        """Those that are full by now; if there are none, the half that was met first."""
        kept = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._full_at = kept if len(kept) < MOST else dict(list(kept.items())[MOST // 2 :])
