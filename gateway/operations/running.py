"""A running gateway, looked after: whether it is ready, what /metrics tells of that is not counted as it happens, and the hourly removal."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.operations import machine, retention, stored
from gateway.operations.checks import Check, failed, warning, well
from gateway.pipeline import Journey
from gateway.pipeline.journey import WAITING
from gateway.settings import Settings
from gateway.store.interface import ALL, Store
from gateway.store.outbox import SubscriptionRow

log = structlog.get_logger(__name__)

FRESH = 2.0
"""Seconds for which an answer of /readyz is given again."""
PATIENCE = 3.0
"""Seconds that one look at the store may hold up another."""
SLOW = 30.0
"""Seconds of waiting for the writer that somebody should look at."""


@dataclass(frozen=True, slots=True)
class Tallies:
    """Counts of what is stored, as of the last look. `flags`: transitions by flag."""

    flags: Mapping[str, int] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)
    subscriptions: Sequence[SubscriptionRow] = ()
    bytes: int = 0
    overdue: int = 0


class Operations:
    """`data` is where the store's file lies, None for one on a database server. `also` holds further looks for /readyz."""

    def __init__(self, store: Store, settings: Settings, data: Path | None, journey: Journey, clock: Callable[[], int]) -> None:
        self._store, self._settings, self._journey, self._clock = store, settings, journey, clock
        self._data = None if settings.store.url else data
        self._looking = threading.Lock()
        self._seen: tuple[float, Sequence[Check]] = (float("-inf"), ())
        self._stopping = threading.Event()
        self.tallies = Tallies()
        self.also: list[Callable[[], Check]] = []

    def stop(self) -> None:
        """From now on it is not ready, and removes nothing more."""
        self._stopping.set()

    def ready(self) -> Sequence[Check]:
        """What has to be well for a gateway to take messages, looked at now or a moment ago."""
        if not self._looking.acquire(timeout=PATIENCE):
            return [failed("store", "it does not answer in time", "Look at the disk, or at the database server.")]
        try:
            at, seen = self._seen
            if self._stopping.is_set() or time.monotonic() - at > FRESH:
                seen = self._look()
                self._seen = time.monotonic(), seen
            return seen
        finally:
            self._looking.release()

    def _look(self) -> list[Check]:
        now = time.time_ns() // 1000
        found = [stored.writable(self._store, now), stored.migrated(self._store), self._queue()]
        found.append(stored.guarded("clock", lambda: machine.clock(self._clock(), self._last())))
        if self._data is not None:
            found.append(machine.disk(self._data))
        found += [look() for look in self.also]
        if self._stopping.is_set():
            found.append(failed("gateway", "it is being stopped", "Send to another."))
        return found

    def _last(self) -> int:
        with self._store.reading() as reader:
            return reader.last()

    def _queue(self) -> Check:
        waiting, seconds = self._journey.waiting, self._journey.longest_wait
        words = f"{waiting:,} inputs wait, the oldest for {seconds:.0f} s"
        if waiting > WAITING * 0.9:
            return failed("queue", words, "The store is too slow for what comes in; senders wait meanwhile.")
        if seconds > SLOW:
            return warning("queue", words, "The store is slow: look at its disk and its locks.")
        return well("queue", words)

    async def tally(self) -> None:
        """Count anew."""
        self.tallies = await asyncio.to_thread(self._tally)

    def _tally(self) -> Tallies:
        with self._store.reading() as reader:
            inputs = reader.counts("quarantined", "flagged")
        upkeep = self._store.upkeep
        return Tallies(upkeep.flags(ALL), inputs, self._store.subscriptions.listed(), upkeep.size(), upkeep.overdue(self._clock()))

    async def retain(self) -> None:
        """Remove what has outlived its use."""
        await asyncio.to_thread(self._retain)

    def _retain(self) -> None:
        wall, care = int(time.time()), self._clock()
        for rule in retention.rules(self._settings.retention, wall, care):
            removed = retention.remove(self._store, rule, lambda: not self._stopping.is_set())
            if removed.number:
                log.info("removed what has outlived its use", what=removed.name, number=removed.number)
