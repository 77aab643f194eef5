"""Logins: a cookie that scripts cannot read, and tokens in our own forms that no other site can know."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from gateway.smart import access
from gateway.store.users import LoginRow, UserRow, Users

COOKIE = "gateway-login"
FORM_COOKIE = "gateway-login-form"
"""Of whoever has not logged in yet: without it, a stranger's form could log somebody in as the stranger."""
PATH = "/oauth"
LASTS = 8 * 3600  # seconds, wall clock: a working day


class LoggedIn(NamedTuple):
    """A login that holds, and its user. `cookie` is what the browser sent."""

    login: LoginRow
    user: UserRow
    cookie: str


def begin(users: Users, user: UserRow, now: float, at: float | None = None) -> str:
    """Log a user in, who has proved who it is now, or at another provider before; the value of the cookie."""
    cookie = secrets.token_urlsafe(32)
    users.log_in(LoginRow(access.digest(cookie), user.id, int(now if at is None else at), int(now) + LASTS))
    return cookie


def of(users: Users, cookie: str | None, now: float) -> LoggedIn | None:
    """The login of whoever sends this cookie; None where there is none that holds."""
    login = users.login(access.digest(cookie)) if cookie and cookie.isascii() else None
    user = users.user(login.user) if login is not None and now < login.expires else None
    return LoggedIn(login, user, cookie) if cookie and login is not None and user is not None and user.revoked is None else None


def form_token(key: bytes, cookie: str, page: str, request: str) -> str:
    """What a form on a page of ours holds: it is good for this cookie, this page and this authorization request alone."""
    said = b"\0".join(hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest() for part in (cookie, page, request))
    return hmac.new(key, b"gateway form" + said, hashlib.sha256).hexdigest()


def is_form_token(given: str, key: bytes, cookie: str, page: str, request: str) -> bool:
    """Whether the form was on that page."""
    return bool(cookie) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), form_token(key, cookie, page, request).encode())
