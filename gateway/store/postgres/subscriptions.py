"""What is locked of subscriptions where any number of processes write and send."""

from __future__ import annotations

from gateway.store.connection import Connection
from gateway.store.postgres.connection import Link
from gateway.store.subscriptions import Locks

_WRITERS = "SELECT pg_advisory_xact_lock(?)"
_FAN_OUT = "SELECT pg_try_advisory_xact_lock(?)"


class PostgresLocks(Locks):
    """Advisory locks, and rows."""

    for_update = " FOR NO KEY UPDATE"

    def writers(self, connection: Connection) -> None:
        """Every writer holds this lock shared from before it reads who is watched to its COMMIT."""
        assert isinstance(connection, Link)
        connection.execute(_WRITERS, (connection.number(b"writers"),))

    def fan_out(self, connection: Connection) -> bool:
        assert isinstance(connection, Link)
        return bool(connection.execute(_FAN_OUT, (connection.number(b"outbox"),)).fetchone()[0])
