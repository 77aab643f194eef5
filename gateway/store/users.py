"""People who log in here, and their logins. Times are wall-clock seconds; each call is a transaction of its own.

A login is known by the SHA-256 of its cookie alone, a password by its argon2 hash.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from gateway.store.connection import Connection


class UserRow(NamedTuple):
    """A local account. `id` never changes and is never used again; `practitioner` is the id of the Practitioner that is this person."""

    id: str
    name: str  # what is typed to log in, in lower case
    full_name: str
    role: str  # "agency" | "hospital" | "coordinator" | "operator"
    organization: str  # "" for a role that needs none
    practitioner: str
    password: str  # argon2
    created: int
    revoked: int | None = None


class LoginRow(NamedTuple):
    """Somebody's login in one browser."""

    digest: bytes
    user: str
    at: int
    expires: int


_USER = ", ".join(UserRow._fields)
_ADD_USER = f"INSERT INTO account ({_USER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_USERS = f"SELECT {_USER} FROM account ORDER BY name"  # noqa: S608
_USER_OF_ID = f"SELECT {_USER} FROM account WHERE id = ?"  # noqa: S608
_USER_OF_NAME = f"SELECT {_USER} FROM account WHERE name = ?"  # noqa: S608
_REVOKE_USER = "UPDATE account SET revoked = ? WHERE id = ? AND revoked IS NULL"
_KEEP_USER = "UPDATE account SET full_name = ?, role = ?, organization = ? WHERE id = ?"
_SET_PASSWORD = "UPDATE account SET password = ? WHERE id = ?"  # noqa: S105
_ADD_LOGIN = "INSERT INTO login (digest, account, at, expires) VALUES (?, ?, ?, ?)"
_LOGIN = "SELECT digest, account, at, expires FROM login WHERE digest = ?"
_DROP_LOGIN = "DELETE FROM login WHERE digest = ?"
_DROP_LOGINS_OF = "DELETE FROM login WHERE account = ?"
_DROP_OLD_LOGINS = "DELETE FROM login WHERE expires < ?"


class Users:
    """`writing` gives a connection inside a write transaction, `reading` one to look at."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]], reading: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writing, self._reading = writing, reading

    def add(self, user: UserRow) -> bool:
        """False where the name is taken, also by somebody who was revoked."""
        with self._writing() as connection:
            if connection.execute(_USER_OF_NAME, (user.name,)).fetchone() is not None:
                return False
            connection.execute(_ADD_USER, user)
        return True

    def keep(self, user: UserRow) -> UserRow | None:
        """The account of this id, added or with this full name, role and organization; None where another has its name."""
        with self._writing() as connection:
            connection.execute(_KEEP_USER, (user.full_name, user.role, user.organization, user.id))
            if connection.execute(_USER_OF_ID, (user.id,)).fetchone() is None and connection.execute(_USER_OF_NAME, (user.name,)).fetchone() is None:
                connection.execute(_ADD_USER, user)
            row = connection.execute(_USER_OF_ID, (user.id,)).fetchone()
        return None if row is None else UserRow(*row)

    def all(self) -> list[UserRow]:
        """Everybody, by name, the revoked among them."""
        with self._reading() as connection:
            return [UserRow(*row) for row in connection.execute(_USERS)]

    def user(self, id: str) -> UserRow | None:
        return self._one(_USER_OF_ID, id)

    def named(self, name: str) -> UserRow | None:
        return self._one(_USER_OF_NAME, name)

    def _one(self, statement: str, value: str) -> UserRow | None:
        with self._reading() as connection:
            row = connection.execute(statement, (value,)).fetchone()
        return None if row is None else UserRow(*row)

    def revoke(self, id: str, at: int) -> bool:
        """Ends every login; tokens end because their user is looked up. False: unknown, or revoked before."""
        with self._writing() as connection:
            revoked = connection.execute(_REVOKE_USER, (at, id)).rowcount > 0
            connection.execute(_DROP_LOGINS_OF, (id,))
        return revoked

    def set_password(self, id: str, password: str) -> None:
        """The new hash; every login of this user ends."""
        with self._writing() as connection:
            connection.execute(_SET_PASSWORD, (password, id))
            connection.execute(_DROP_LOGINS_OF, (id,))

    def log_in(self, login: LoginRow) -> None:
        with self._writing() as connection:
            connection.execute(_DROP_OLD_LOGINS, (login.at,))
            connection.execute(_ADD_LOGIN, login)

    def login(self, digest: bytes) -> LoginRow | None:
        """The login, expired or not, until it ends."""
        with self._reading() as connection:
            row = connection.execute(_LOGIN, (digest,)).fetchone()
        return None if row is None else LoginRow(*row)

    def log_out(self, digest: bytes) -> None:
        with self._writing() as connection:
            connection.execute(_DROP_LOGIN, (digest,))
