"""The grants of the token endpoint: Authlib's classes, with the gateway's own checks where Authlib's are not SMART's.

Of Authlib's ways these are not ours: it logs new tokens, lets a code go without a verifier, and forgets a code that was used, so that nobody
notices when it comes again.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    InvalidGrantError,
    InvalidScopeError,
    RefreshTokenGrant,
    UnauthorizedClientError,
)
from joserfc.util import urlsafe_b64encode

from gateway.errors import Invalid
from gateway.smart import access, apps, scopes
from gateway.smart.authentication import ASSERTION, PUBLIC, SECRET
from gateway.store.app_grants import GrantRow
from gateway.store.users import UserRow

# Authlib has no types: each of its classes is Any to mypy, hence the misc.

Answer = tuple[int, dict[str, Any], list[tuple[str, str]]]

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636 section 4.1


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).decode()


class BackendServices(ClientCredentialsGrant):  # type: ignore[misc]
    """SMART Backend Services: a scope is required, system scopes alone, and goes no further than the client's registration."""

    TOKEN_ENDPOINT_AUTH_METHODS = [ASSERTION]

    def validate_token_request(self) -> None:
        self.request.need("scope")
        super().validate_token_request()

    def validate_requested_scope(self) -> None:
        requested = _asked(self.request.payload.scope)
        registered = scopes.parse(self.request.client.row.scopes)
        if not requested or scopes.beyond(requested, registered) or any(scope.context != "system" for scope in requested):
            raise InvalidScopeError("the scope reaches beyond what the client is registered for")
        self.request.scope = scopes.text(requested)

    def create_token_response(self) -> Answer:
        token = self.generate_token(scope=self.request.scope, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class _ForUsers:
    """What the grants of apps have in common."""

    TOKEN_ENDPOINT_AUTH_METHODS = [ASSERTION, SECRET, PUBLIC]

    server: Any
    request: Any
    TOKEN_RESPONSE_HEADER: list[tuple[str, str]]
    held: tuple[GrantRow, UserRow]

    def authenticate_app(self) -> None:
        """Raises unless the client proves itself and is an app."""
        client = self.authenticate_token_endpoint_client()  # type: ignore[attr-defined]  # Authlib's
        if not client.row.redirect_uris:
            raise UnauthorizedClientError("the client is no app that people log in to")
        self.request.client = client

    def hold(self, grant_id: str) -> None:
        """The grant behind what was presented, if it stands and is this client's; else invalid_grant, the same for every reason."""
        held = access.standing(self.server.credentials, grant_id, self.server.clock())
        client = self.request.client.row
        if held is None or held[0].client != client.id or not apps.may_use(client, held[1]):
            raise InvalidGrantError()
        self.held = held

    def answer(self, scope: str, nonce: str | None) -> Answer:
        return 200, self.server.issue(*self.held, scope, nonce), self.TOKEN_RESPONSE_HEADER


class AuthorizationCode(_ForUsers, AuthorizationCodeGrant):  # type: ignore[misc]
    """A code for tokens, once, by the client that it was given to, with the redirect URI and the verifier that it was asked for with."""

    def validate_token_request(self) -> None:
        self.request.need("code", "redirect_uri", "code_verifier")
        self.authenticate_app()
        code = self.server.credentials.grants.code(access.digest(self.request.form["code"]))
        if code is None:
            raise InvalidGrantError()
        self.hold(code.grant)
        if code.used is not None:
            self._replayed()
        if self.server.clock() >= code.expires or self.request.form["redirect_uri"] != code.redirect_uri:
            raise InvalidGrantError()
        verifier = self.request.form["code_verifier"]
        if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), code.challenge):
            raise InvalidGrantError()
        self.code = code

    def create_token_response(self) -> Answer:
        if not self.server.credentials.grants.use_code(self.code.digest, int(self.server.clock())):
            self._replayed()
        return self.answer(self.held[0].scopes, self.code.nonce)

    def _replayed(self) -> None:
        """A code that comes twice was stolen, before or after: what it gave ends (RFC 6749 section 4.1.2)."""
        self.server.credentials.grants.end(self.held[0].id)
        raise InvalidGrantError()


class Refresh(_ForUsers, RefreshTokenGrant):  # type: ignore[misc]
    """A refresh token for new tokens, once; a narrower scope may be asked for, and the next refresh token has the whole one again."""

    def validate_token_request(self) -> None:
        self.request.need("refresh_token")
        self.authenticate_app()
        grants = self.server.credentials.grants
        token = grants.refresh(access.digest(self.request.form["refresh_token"]))
        if token is None:
            raise InvalidGrantError()
        self.hold(token.grant)
        if token.used is not None:
            self._reused()
        if self.server.clock() >= token.expires or not self._is_logged_in():
            raise InvalidGrantError()
        self.token = token
        self.scope = self._narrowed(self.held[0].scopes)

    def create_token_response(self) -> Answer:
        if not self.server.credentials.grants.use_refresh(self.token.digest, int(self.server.clock())):
            self._reused()
        return self.answer(self.scope, None)

    def _is_logged_in(self) -> bool:
        """Online access ends with the login."""
        digest = self.held[0].login
        login = self.server.credentials.users.login(digest) if digest is not None else None
        return digest is None or (login is not None and self.server.clock() < login.expires)

    def _narrowed(self, granted: str) -> str:
        asked = _asked(self.request.payload.scope or granted)
        if scopes.beyond(asked, scopes.parse(granted)):
            raise InvalidScopeError("the scope reaches beyond what was granted")
        return scopes.text(asked)

    def _reused(self) -> None:
        """One of the two who have it is a thief, and nobody knows which: all of the family ends (RFC 9700 section 4.14.2)."""
        self.server.credentials.grants.end(self.held[0].id)
        raise InvalidGrantError()


def _asked(text: str) -> tuple[scopes.Scope, ...]:
    try:
        return scopes.parse(text)
    except Invalid as error:
        raise InvalidScopeError(f"{error.location}: {error.message}") from None
