"""Leave to register one client: what it may be at most. Known by the SHA-256 of its token alone. Each call is a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from gateway.store.connection import Connection


class InvitationRow(NamedTuple):
    """An invitation. `expires` in seconds, wall clock; the other names are those of a client's registration."""

    digest: bytes
    role: str
    organization: str
    scopes: str
    feeds: str  # space-separated
    expires: int


_ADD = "INSERT INTO invitation (digest, role, organization, scopes, feeds, expires) VALUES (?, ?, ?, ?, ?, ?)"
_FIND = "SELECT digest, role, organization, scopes, feeds, expires FROM invitation WHERE digest = ? AND expires > ?"
_DROP = "DELETE FROM invitation WHERE digest = ?"
_DROP_EXPIRED = "DELETE FROM invitation WHERE expires <= ?"


class Invitations:
    """`writing` gives a connection inside a write transaction, `reading` one to look at."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]], reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing, self._reading = writing, reading

    def add(self, invitation: InvitationRow) -> None:
        with self._writing() as connection:
            connection.execute(_ADD, invitation)

    def find(self, digest: bytes, now: int) -> InvitationRow | None:
        """The invitation, unless it was used or has expired."""
        with self._reading() as connection:
            row = connection.execute(_FIND, (digest, now)).fetchone()
        return None if row is None else InvitationRow(*row)

    def use(self, digest: bytes, now: int) -> bool:
        """True for whoever uses it first."""
        with self._writing() as connection:
            connection.execute(_DROP_EXPIRED, (now,))
            return connection.execute(_DROP, (digest,)).rowcount > 0
