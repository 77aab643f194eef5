"""What is asked of the store, beside and without a running gateway."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import Unavailable
from gateway.operations.checks import Check, failed, warning, well
from gateway.store.interface import Store
from gateway.store.migrate import REVISION

_LATE = 600 * 1_000_000
"""Microseconds by which the clock's work may be late."""


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """What a look finds, or why the store could not be asked."""
    try:
        return look()
    except Unavailable as unavailable:
        return failed(name, unavailable.message, unavailable.advice)


def writable(store: Store, now: int) -> Check:
    """Whether a row can be committed."""

    def look() -> Check:
        store.upkeep.probe(now)
        return well("store", "it takes what is written")

    return guarded("store", look)


def migrated(store: Store) -> Check:
    """Whether the tables are as this version wants them."""

    def look() -> Check:
        stored = store.upkeep.revision()
        if stored != REVISION:
            return failed("migrations", f"the store is at revision {stored}, this version needs {REVISION}", "Run gateway store migrate.")
        return well("migrations", f"at revision {REVISION}")

    return guarded("migrations", look)


def sound(store: Store) -> Check:
    """Whether the store is undamaged and durable, and how large it is."""

    def look() -> Check:
        wrong = store.upkeep.unsound()
        if wrong:
            return failed("integrity", wrong, "Restore it from a backup, or mend the database's settings.")
        return well("integrity", f"undamaged, {store.upkeep.size() / 1024**2:,.0f} MB")

    return guarded("integrity", look)


def backlog(store: Store, now: int) -> Check:
    """Whether the clock's work is done in time. `now` by the care clock, microseconds UTC."""

    def look() -> Check:
        late = store.upkeep.overdue(now - _LATE)
        if late:
            return warning("backlog", f"{late:,} clients should have been looked at again by now", "Is a gateway serving this store? Start one.")
        return well("backlog", "nobody waits to be looked at again")

    return guarded("backlog", look)


def quarantine(store: Store) -> Check:
    """Whether messages wait for somebody to mend them."""

    def look() -> Check:
        with store.reading() as reader:
            number = reader.counts("quarantined")["quarantined"]
        if number:
            advice = "gateway messages list --state quarantined says why; mend the cause, then gateway messages replay."
            return warning("quarantine", f"{number:,} messages were not understood", advice)
        return well("quarantine", "empty")

    return guarded("quarantine", look)
