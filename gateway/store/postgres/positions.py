"""Positions that are provisional until the lock of positions is held."""

from __future__ import annotations

from gateway.store import sql
from gateway.store.postgres.connection import Link, Question

_LOCK = "SELECT pg_advisory_xact_lock(?)"


class PostgresPositions:
    """See `connection.Positions`. The nth one given in a transaction is -n until the last one that others were given is known for sure; then
    it is n above that, or above the moment of the transaction. Before, `settled` says what would come of it if nobody else committed meanwhile.
    """

    def __init__(self, link: Link, now: int, last: int) -> None:
        self._link, self._count = link, 0
        self._before = max(now - 1, last)
        self.locked = False

    def next(self) -> int:
        self._count += 1
        return -self._count

    def settled(self, position: int) -> int:
        return position if position > 0 else self._before - position

    def tick(self) -> int:
        """A moment above every position that was committed by now, and every one given in this transaction."""
        if not self.locked:
            self._others_have(self._link.execute(sql.LAST_POSITION).fetchone())
        return self.settled(self.next())

    @property
    def given(self) -> bool:
        """Was any given in this transaction?"""
        return self._count > 0

    def questions(self) -> list[Question]:
        """What takes the lock; the last answer is for `take`."""
        return [] if self.locked else [(_LOCK, (self._link.number(b"position"),)), (sql.LAST_POSITION, ())]

    def take(self, answers: list[list[tuple[int]]]) -> None:
        """The answers to `questions`: positions are final now."""
        if not self.locked:
            self._others_have(answers[-1][0] if answers[-1] else None)
            self.locked = True

    def _others_have(self, row: tuple[int] | None) -> None:
        self._before = max(self._before, 0 if row is None else row[0])

    def keep(self) -> list[Question]:
        """What stores the last one."""
        return [(sql.SET_POSITION, (self._before + self._count,))] if self._count else []
