"""Row ids that are needed before their rows are written."""

from __future__ import annotations

from gateway.store.postgres.connection import Link

BLOCK = 1000
"""Ids that a connection takes at once. Their order means nothing, and one that is not used is no loss."""


class Ids:
    """Ids of resources, transitions, partitions and statements, no two alike in any process."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._next = self._end = 0

    def next(self) -> int:
        """The next one."""
        if self._next == self._end:
            block = self._link.execute("SELECT nextval('id_block')").fetchone()[0]
            self._next, self._end = block * BLOCK, (block + 1) * BLOCK
        self._next += 1
        return self._next - 1
