"""Who is written of: partitions, the keys that are bound to them, and the locks that keep two processes from folding one person at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.errors import Unavailable
from gateway.store import sql
from gateway.store.interface import Busy
from gateway.store.postgres.connection import Link, Question
from gateway.store.rows import SHARED_PARTITION, key_hash

_BOUND = "SELECT hash, partition FROM partition_key WHERE hash = ANY(%b::bytea[])"
_LOCK_ROWS = "SELECT id FROM partition WHERE id = ANY(%b::int8[]) ORDER BY id FOR NO KEY UPDATE"
_LOCK_KEYS = "SELECT pg_advisory_xact_lock(n) FROM unnest(%b::int8[]) AS n"
_TRY_KEYS = "SELECT pg_try_advisory_xact_lock(n) FROM unnest(%b::int8[]) AS n"
_LOCK_DUE = (
    "SELECT id, next_look FROM partition WHERE next_look <= ? AND id <> ALL(%b::int8[]) ORDER BY next_look, id LIMIT ? FOR NO KEY UPDATE SKIP LOCKED"
)

_ATTEMPTS = 5
"""How often the partitions of keys are looked up again when others have joined them meanwhile."""


class Partitions:
    """The partitions that this transaction has locked, and what it has bound to them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.waits = True  # no partition or key is locked yet
        self.alone = False  # no other transaction writes
        self.held: frozenset[int] = frozenset()
        self.bound: dict[bytes, int] = {}
        self.looks: dict[int, int | None] = {}  # next looks that are not written yet

    def state(self) -> tuple[frozenset[int], dict[bytes, int], dict[int, int | None]]:
        """What `restore` goes back to."""
        return self.held, dict(self.bound), dict(self.looks)

    def restore(self, state: tuple[frozenset[int], dict[bytes, int], dict[int, int | None]]) -> None:
        """After a savepoint that failed."""
        self.held, self.bound, self.looks = state

    def forget(self) -> None:
        """All that waited has been written, and may have moved."""
        self.bound, self.looks = {}, {}

    def find(self, keys: Sequence[str]) -> list[int]:
        """The partitions that any of the keys is bound to, lowest first, locked; and the keys that are not bound, so that nobody else binds them."""
        hashes = [key_hash(key) for key in keys]
        unknown = sorted({each for each in hashes if each not in self.bound})
        if unknown:
            try:
                self.bound.update(self._look_up(unknown))
            finally:
                self.waits = False
        return sorted({self.bound[each] for each in hashes if each in self.bound})

    def _look_up(self, hashes: list[bytes]) -> dict[bytes, int]:
        found = dict(self._link.execute(_BOUND, (hashes,)).fetchall())
        locked: set[bytes] = set()
        for _ in range(_ATTEMPTS):
            missing = [each for each in hashes if each not in found and each not in locked]
            owners = sorted(set(found.values()) - self.held)
            if self.alone or not (missing or owners):
                return found
            again = self._lock(owners, missing, hashes)
            locked.update(missing)
            if again == found:
                return found
            found = again
        raise _busy()

    def _lock(self, owners: list[int], missing: list[bytes], hashes: list[bytes]) -> dict[bytes, int]:
        """Locks them, and looks up the keys again, now that they are nobody else's. What is to be read of a lone owner comes along."""
        questions: list[Question] = []
        if missing:
            questions.append((_LOCK_KEYS if self.waits else _TRY_KEYS, (sorted(self._link.number(b"key", each) for each in missing),)))
        if owners:
            questions.append(self._lock_rows(owners))
        questions.append((_BOUND, (hashes,)))
        ahead: list[Question] = []
        if len(owners) == 1:
            ahead = [(statement, tuple(owners)) for statement in (sql.STATEMENTS, sql.RESOURCES_OF_PARTITION, sql.TRANSITIONS_OF_PARTITION)]
        answers = self._link.ask([*questions, *ahead])
        if missing and not self.waits and not all(granted for (granted,) in answers[0]):
            raise _busy()
        again: dict[bytes, int] = dict(answers[len(questions) - 1])
        if owners:
            locked = {id for (id,) in answers[1 if missing else 0]}
            self.held |= locked
            if (set(owners) - locked) & set(again.values()):  # the others have been joined away, and their keys with them
                raise _busy()
            self._link.foresee(ahead, answers[len(questions) :])
        return again

    def _lock_rows(self, partitions: Sequence[int]) -> Question:
        return (_LOCK_ROWS if self.waits else f"{_LOCK_ROWS} SKIP LOCKED", (list(partitions),))

    def hold(self, partitions: Iterable[int]) -> None:
        """Locks partitions that were found in another way than by their keys. Raises `Busy` where another process has one, or has joined it away."""
        wanted = sorted(set(partitions) - self.held - {SHARED_PARTITION})
        if not wanted or self.alone:
            return
        (locked,) = self._link.ask([self._lock_rows(wanted)])
        self.waits = False
        if len(locked) < len(wanted):
            raise _busy()
        self.held |= set(wanted)

    def bind(self, keys: Sequence[str], partition: int) -> list[tuple[bytes, int]]:
        """The rows that bind those of the keys that are not bound yet."""
        self.held |= {partition}
        new = {each: partition for each in map(key_hash, keys) if each not in self.bound}
        self.bound.update(new)
        return list(new.items())

    def due(self, now: int, limit: int) -> list[int]:
        """Partitions whose next look has come, and which nobody else has locked, the longest waiting first."""
        rows: list[tuple[int, int]] = self._link.execute(_LOCK_DUE, (now, list(self.looks), limit)).fetchall()
        self.waits = False
        self.held |= {id for id, _ in rows}
        mine = [(id, look) for id, look in self.looks.items() if look is not None and look <= now]
        return [id for id, _ in sorted([*rows, *mine], key=lambda row: (row[1], row[0]))[:limit]]


def _busy() -> Unavailable:
    return Busy("Another process is writing of the same people", advice="Send again in a moment.")
