"""What people let apps do: grants, and what hangs on each of them: a code, refresh tokens, access tokens (`token.detail`).

Whoever ends a grant ends all of these. Codes, refresh tokens and launches are known by their SHA-256 alone. Times are wall-clock seconds; each
call is a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from gateway.store.connection import Connection


class GrantRow(NamedTuple):
    """What a user let a client do. `login` is the login that it ends with (online access), None for one that outlasts it or has no refresh token."""

    id: str
    client: str
    user: str
    scopes: str
    patient: str  # id of the Patient in context; "" for none
    encounter: str
    login: bytes | None
    authenticated: int  # when the user logged in
    created: int
    expires: int


class CodeRow(NamedTuple):
    """An authorization code. `challenge` is its PKCE challenge (S256)."""

    digest: bytes
    grant: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires: int
    used: int | None = None


class RefreshRow(NamedTuple):
    """A refresh token, good for one use."""

    digest: bytes
    grant: str
    expires: int
    used: int | None = None


class LaunchRow(NamedTuple):
    """A launch that somebody began here: an app with its patient, and the encounter where there is one. Good for one use."""

    digest: bytes
    client: str
    patient: str
    encounter: str
    expires: int


_GRANT = "id, client, account, scopes, patient, encounter, login, authenticated, created, expires"
_ADD_GRANT = f"INSERT INTO app_grant ({_GRANT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_GET_GRANT = f"SELECT {_GRANT} FROM app_grant WHERE id = ?"  # noqa: S608
_CODE = "digest, granted, redirect_uri, challenge, nonce, expires, used"
_ADD_CODE = f"INSERT INTO code ({_CODE}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_GET_CODE = f"SELECT {_CODE} FROM code WHERE digest = ?"  # noqa: S608
_USE_CODE = "UPDATE code SET used = ? WHERE digest = ? AND used IS NULL"
_REFRESH = "digest, granted, expires, used"
_ADD_REFRESH = f"INSERT INTO refresh ({_REFRESH}) VALUES (?, ?, ?, ?)"  # noqa: S608
_GET_REFRESH = f"SELECT {_REFRESH} FROM refresh WHERE digest = ?"  # noqa: S608
_USE_REFRESH = "UPDATE refresh SET used = ? WHERE digest = ? AND used IS NULL"
_END = (
    "DELETE FROM token WHERE detail = ?",
    "DELETE FROM refresh WHERE granted = ?",
    "DELETE FROM code WHERE granted = ?",
    "DELETE FROM app_grant WHERE id = ?",
)
_END_OLD = (
    "DELETE FROM refresh WHERE granted IN (SELECT id FROM app_grant WHERE expires < ?)",
    "DELETE FROM code WHERE granted IN (SELECT id FROM app_grant WHERE expires < ?)",
    "DELETE FROM app_grant WHERE expires < ?",
)
"""Access tokens go by their own end, which is no later."""
_ADD_LAUNCH = "INSERT INTO launch (digest, client, patient, encounter, expires) VALUES (?, ?, ?, ?, ?)"
_GET_LAUNCH = "SELECT digest, client, patient, encounter, expires FROM launch WHERE digest = ?"
_DROP_LAUNCH = "DELETE FROM launch WHERE digest = ?"
_DROP_OLD_LAUNCHES = "DELETE FROM launch WHERE expires < ?"


class Grants:
    """`writing` gives a connection inside a write transaction, `reading` one to look at."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]], reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing, self._reading = writing, reading

    def add(self, grant: GrantRow, code: CodeRow) -> None:
        """A new grant with its code; those that have ended go."""
        with self._writing() as connection:
            _each(connection, _END_OLD, grant.created)
            connection.execute(_ADD_GRANT, grant)
            connection.execute(_ADD_CODE, code)

    def grant(self, id: str) -> GrantRow | None:
        """The grant, expired or not, until it is ended."""
        with self._reading() as connection:
            row = connection.execute(_GET_GRANT, (id,)).fetchone()
        return None if row is None else GrantRow(*row)

    def end(self, id: str) -> None:
        """Ends the grant and everything that was given for it."""
        with self._writing() as connection:
            _each(connection, _END, id)

    def code(self, digest: bytes) -> CodeRow | None:
        with self._reading() as connection:
            row = connection.execute(_GET_CODE, (digest,)).fetchone()
        return None if row is None else CodeRow(*row)

    def use_code(self, digest: bytes, at: int) -> bool:
        """True for whoever uses it first."""
        with self._writing() as connection:
            return connection.execute(_USE_CODE, (at, digest)).rowcount > 0

    def add_refresh(self, token: RefreshRow) -> None:
        with self._writing() as connection:
            connection.execute(_ADD_REFRESH, token)

    def refresh(self, digest: bytes) -> RefreshRow | None:
        """The refresh token, used or expired or not, while its grant lasts."""
        with self._reading() as connection:
            row = connection.execute(_GET_REFRESH, (digest,)).fetchone()
        return None if row is None else RefreshRow(*row)

    def use_refresh(self, digest: bytes, at: int) -> bool:
        """True for whoever uses it first."""
        with self._writing() as connection:
            return connection.execute(_USE_REFRESH, (at, digest)).rowcount > 0

    def add_launch(self, launch: LaunchRow, now: int) -> None:
        with self._writing() as connection:
            connection.execute(_DROP_OLD_LAUNCHES, (now,))
            connection.execute(_ADD_LAUNCH, launch)

    def launch(self, digest: bytes) -> LaunchRow | None:
        with self._reading() as connection:
            row = connection.execute(_GET_LAUNCH, (digest,)).fetchone()
        return None if row is None else LaunchRow(*row)

    def use_launch(self, digest: bytes) -> bool:
        """True for whoever uses it first."""
        with self._writing() as connection:
            return connection.execute(_DROP_LAUNCH, (digest,)).rowcount > 0


def _each(connection: Connection, statements: Sequence[str], value: str | int) -> None:
    for statement in statements:
        connection.execute(statement, (value,))
