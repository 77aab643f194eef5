"""Who may see the pages. On loopback: whoever holds the one-time link that the gateway printed when it started.

The link opens one session; the session is a random cookie that scripts cannot read and other sites cannot send. Both live in this process
alone: when it ends, every session ends.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

COOKIE = "gateway-session"
INVITATION_LASTS = 24 * 3600.0  # seconds, wall clock
SESSION_LASTS = 12 * 3600.0

Role = Literal["coordinator"]


class Session(NamedTuple):
    """Whoever came in by one link. `name` tells sessions apart in the audit trail, and opens nothing. `token` is in the session's own forms: no other
    site can know it."""

    name: str
    role: Role
    token: str


@dataclass(slots=True)
class Sessions:
    """Invitations and sessions, kept as SHA-256 digests only. `clock` is the wall clock in seconds."""

    clock: Callable[[], float] = time.time
    _invitations: dict[bytes, tuple[Role, float]] = field(default_factory=dict)
    _sessions: dict[bytes, tuple[Role, float]] = field(default_factory=dict)

    def invite(self, role: Role = "coordinator") -> str:
        """A new one-time link's path, to be printed where only the right people read it."""
        token = secrets.token_urlsafe(32)
        self._invitations[_digest(token)] = (role, self.clock() + INVITATION_LASTS)
        return f"/enter?invitation={token}"

    def redeem(self, token: str) -> str | None:
        """The session cookie's value for an invitation, which is then spent; None if it is unknown, spent or too old."""
        role, ends = self._invitations.pop(_digest(token), (None, 0.0))
        if role is None or ends < self.clock():
            return None
        value = secrets.token_urlsafe(32)
        self._sessions[_digest(value)] = (role, self.clock() + SESSION_LASTS)
        return value

    def session(self, cookie: str | None) -> Session | None:
        """The session of whoever sends this cookie; None where there is none."""
        found = self._sessions.get(_digest(cookie)) if cookie else None
        if found is None:
            return None
        role, ends = found
        if ends < self.clock():
            del self._sessions[_digest(cookie or "")]
            return None
        return Session(f"session {_digest(cookie or '').hex()[:16]}", role, _digest(f"form of {cookie}").hex())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
