"""Local accounts: who may be added, and checking a password so that nobody learns whether an account exists.

Passwords are kept as argon2id hashes, with the parameters that OWASP's Password Storage Cheat Sheet names (19 MiB, 2 passes, 1 lane).
"""

from __future__ import annotations

import re
import secrets
import threading
from functools import cache
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import Conflict, Invalid
from gateway.smart.clients import check_role
from gateway.store.users import UserRow, Users

SHORTEST, LONGEST = 12, 1024  # characters of a password

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(2)
"""Hashes that are reckoned at once: each takes 19 MiB, and whoever guesses must not take all of the machine."""


def add(
    users: Users,
    *,
    name: str,
    role: str,
    organization: str = "",
    full_name: str = "",
    practitioner: str = "",
    password: str,
    now: float,
) -> UserRow:
    """Check and store a new account. Raises Invalid, or Conflict for a name in use."""
    name, full_name = name.strip().lower(), " ".join(full_name.split())
    if not _NAME.fullmatch(name):
        raise Invalid("a user's name is 1 to 64 letters, digits, dots, dashes, underscores, plus or at signs", location="name")
    if len(full_name) > 200 or not full_name.isprintable():
        raise Invalid("a user's full name is at most 200 printable characters", location="full name")
    check_role(role, organization)
    if practitioner and not _FHIR_ID.fullmatch(practitioner):
        raise Invalid("a Practitioner's id is 1 to 64 letters, digits, dots or dashes", location="practitioner")
    check_password(password)
    id = uuid4().hex
    user = UserRow(id, name, full_name, role, organization, practitioner or id, hashed(password), int(now))
    if not users.add(user):
        raise Conflict("a user of this name is there, or was", location="name", advice="Choose another name.")
    return user


def check_password(password: str) -> None:
    """Raise Invalid for a password that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"a password has {SHORTEST} to {LONGEST} characters", location="password")


def new_password() -> str:
    """A first password: 120 random bits."""
    return secrets.token_urlsafe(15)


def hashed(password: str) -> str:
    """The password as it is kept."""
    with _AT_ONCE:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def verified(users: Users, name: str, password: str) -> UserRow | None:
    """The user of this name and password. It takes as long where there is no such user."""
    user = users.named(name.strip().lower())
    held = user is not None and user.revoked is None
    right = _matches(user.password if user is not None and held else _nobodys(), password)
    return user if held and right else None


def _matches(kept: str, password: str) -> bool:
    if len(password) > LONGEST:
        return False
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    """The hash of a password that nobody has."""
    return hashed(secrets.token_urlsafe(32))
