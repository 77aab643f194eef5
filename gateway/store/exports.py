"""Bulk exports that were asked for: what of, how far the work is, and what files it came to.

No file is kept. A version is never changed or removed, so what a recipient saw at a moment can be read at any later time, and by any process; a job
says which stretch of versions each of its files is (`gateway.api.export_content`). One worker at a time has a job, on lease: one that stopped midway
loses it, and whoever takes it next starts anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from gateway.store.connection import Connection

_COLUMNS = "id, client, recipient, request, asked, created, expires, moment, progress, state, files"
_ADD = (
    f"INSERT INTO bulk_export ({_COLUMNS}, worker, leased) SELECT ?, ?, ?, ?, ?, ?, ?, 0, '', 'open', '', '', 0 "  # noqa: S608 - constants
    "WHERE (SELECT count(*) FROM bulk_export WHERE state = 'open' AND client = ?) < ?"
)
"""Unless the client has as many under way as it may have."""
_GET = f"SELECT {_COLUMNS} FROM bulk_export WHERE id = ?"  # noqa: S608 - constants
_DROP = "DELETE FROM bulk_export WHERE id = ?"
_DROP_EXPIRED = "DELETE FROM bulk_export WHERE expires <= ?"
_EXPIRED = "SELECT 1 FROM bulk_export WHERE expires <= ? LIMIT 1"
_WAITING = "SELECT id FROM bulk_export WHERE state = 'open' AND leased <= ? ORDER BY created, id LIMIT 1"
_CLAIM = "UPDATE bulk_export SET worker = ?, leased = ?, progress = '' WHERE id = ? AND state = 'open' AND leased <= ?"
_RENEW = "UPDATE bulk_export SET leased = ?, moment = ?, progress = ? WHERE id = ? AND worker = ? AND state = 'open'"
_SETTLE = "UPDATE bulk_export SET state = ?, files = ?, progress = '' WHERE id = ? AND worker = ? AND state = 'open'"


class ExportRow(NamedTuple):
    """A job. `created` and `expires` in seconds, wall clock; `moment` is a position in microseconds, 0 until work begins."""

    id: str
    client: str
    recipient: str  # whose view is exported
    request: str  # the address of the kick-off
    asked: str  # JSON
    created: int
    expires: int
    moment: int = 0  # what the recipient saw at this moment is exported
    progress: str = ""
    state: str = "open"  # | "done" | "failed"
    files: str = ""  # JSON, when it is done


class Exports:
    """`writing` gives a connection inside a write transaction, `reading` one to look at. Each call is a transaction of its own; times in seconds,
    wall clock."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]], reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing, self._reading = writing, reading

    def add(self, row: ExportRow, most: int) -> bool:
        """Take a job. False where its client has `most` under way already."""
        about = (row.id, row.client, row.recipient, row.request, row.asked, row.created, row.expires)
        with self._writing() as connection:
            connection.execute(_DROP_EXPIRED, (row.created,))
            return connection.execute(_ADD, (*about, row.client, most)).rowcount > 0

    def get(self, id: str) -> ExportRow | None:
        """The job, unless it was cancelled, or expired and was swept away."""
        with self._reading() as connection:
            row = connection.execute(_GET, (id,)).fetchone()
        return None if row is None else ExportRow(*row)

    def drop(self, id: str) -> None:
        """Forget a job; who works it notices."""
        with self._writing() as connection:
            connection.execute(_DROP, (id,))

    def sweep(self, now: int) -> None:
        """Forget what has expired. Where nothing has, nothing is written."""
        with self._reading() as connection:
            due = connection.execute(_EXPIRED, (now,)).fetchone()
        if due is not None:
            with self._writing() as connection:
                connection.execute(_DROP_EXPIRED, (now,))

    # --- for who works them

    def claim(self, worker: str, now: int, until: int) -> ExportRow | None:
        """The longest waiting job that nobody has on lease, leased to `worker`; None where there is none, or another was quicker."""
        with self._reading() as connection:
            waiting = connection.execute(_WAITING, (now,)).fetchone()
        if waiting is None:
            return None
        with self._writing() as connection:
            claimed = connection.execute(_CLAIM, (worker, until, waiting[0], now)).rowcount > 0
        return self.get(waiting[0]) if claimed else None

    def renew(self, id: str, worker: str, until: int, moment: int, progress: str) -> bool:
        """Keep the lease, and say how far it is. False: it was cancelled, or is another's by now."""
        with self._writing() as connection:
            return connection.execute(_RENEW, (until, moment, progress, id, worker)).rowcount > 0

    def settle(self, id: str, worker: str, state: str, files: str = "") -> None:
        """It is "done", or "failed"; unless it is another's by now."""
        with self._writing() as connection:
            connection.execute(_SETTLE, (state, files, id, worker))
