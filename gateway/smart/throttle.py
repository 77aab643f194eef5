"""Slowing down whoever guesses: so many failures of one kind in a stretch of time, and no more. Kept in this process alone."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping

from gateway.errors import TooMany

REMEMBERED = 10_000
"""Names and addresses that are remembered at most; the oldest are forgotten first."""


class Throttle:
    """`most`: kind -> failures that one value of this kind may have within `window` seconds. `clock` gives wall-clock seconds."""

    def __init__(self, most: Mapping[str, int], window: float, clock: Callable[[], float]) -> None:
        self._most, self.window, self._clock = most, window, clock
        self._failures: dict[bytes, deque[float]] = {}
        self._lock = threading.Lock()

    def attempt(self, **values: str) -> None:
        """Counts an attempt as failed beforehand, so that many at once gain nothing. Raises TooMany where one of the values has failed too often."""
        now = self._clock()
        with self._lock:
            counts = {kind: self._recent(_key(kind, value), now) for kind, value in values.items()}
            if any(len(counts[kind]) >= self._most[kind] for kind in values):
                minutes = int(self.window // 60)
                raise TooMany("there were too many failed attempts", advice=f"Wait {minutes} minutes, and try again.")
            for each in counts.values():
                each.append(now)

    def succeeded(self, kind: str, value: str, **others: str) -> None:
        """The last attempt was none that failed: `kind` is cleared, the others lose it."""
        with self._lock:
            self._failures.pop(_key(kind, value), None)
            for other, text in others.items():
                if recent := self._failures.get(_key(other, text)):
                    recent.pop()

    def _recent(self, key: bytes, now: float) -> deque[float]:
        recent = self._failures.pop(key, None) or deque()
        while recent and recent[0] <= now - self.window:
            recent.popleft()
        if len(self._failures) >= REMEMBERED:
            del self._failures[next(iter(self._failures))]
        self._failures[key] = recent  # at the end: those that were met last are forgotten last
        return recent


def _key(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"{kind} {value.strip().lower()}".encode("utf-8", "surrogatepass")).digest()
