"""The authorization server: Authlib's endpoints over the gateway's credentials.

    POST /oauth/token        tokens for an assertion, a code, a refresh token   RFC 6749, SMART App Launch 2.2
    POST /oauth/introspect   what a token is                                    RFC 7662
    POST /oauth/revoke       the end of a token                                 RFC 7009

Of Authlib's ways these are not ours: it answers a missing grant_type as an unsupported one, refuses unknown token type hints with 401, and always
names Basic as the scheme.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, TokenMixin
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from fastapi import Response

from gateway.smart import access, authentication
from gateway.smart.authentication import ASSERTION, BEARER, PUBLIC, SECRET
from gateway.smart.discovery import STYLE
from gateway.smart.forms import Request
from gateway.smart.grants import AuthorizationCode, BackendServices, Refresh
from gateway.smart.identity import Issuer, id_token
from gateway.store.app_grants import GrantRow, RefreshRow
from gateway.store.interface import ClientRow, Credentials, TokenRow
from gateway.store.users import UserRow

# Authlib has no types: each of its classes is Any to mypy, hence the misc.

LIFE = 300
"""Seconds that a backend client's access token lives (SMART Backend Services: at most 300)."""
APP_LIFE = 3600
"""Seconds that an app's access token lives (SMART App Launch: should be at most an hour)."""
REFRESH_LIFE = 90 * 86_400
"""Seconds that a refresh token waits for its use."""


class Client(ClientMixin):  # type: ignore[misc]
    """A registered client as Authlib asks for it."""

    def __init__(self, row: ClientRow) -> None:
        self.row = row

    def get_client_id(self) -> str:
        return self.row.id

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Token(TokenMixin):  # type: ignore[misc]
    """An issued token as Authlib asks for it. `grant` is the id of the grant that it was given for, "" for none."""

    def __init__(self, digest: bytes, client: str, grant: str, active: bool, told: Mapping[str, Any]) -> None:
        self.digest, self.client, self.grant, self.active, self.told = digest, client, grant, active, told

    def check_client(self, client: Client) -> bool:
        return self.client == client.row.id

    def is_expired(self) -> bool:
        return not self.active

    def is_revoked(self) -> bool:
        return False  # the store gives no revoked token


class Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's authorization server. Synchronous: call it in a thread. `clock` gives wall-clock seconds; without an issuer there are backend
    services alone."""

    def __init__(self, credentials: Credentials, token_url: str, clock: Callable[[], float], issuer: Issuer | None = None) -> None:
        super().__init__()
        self.credentials, self.token_url, self.clock, self.issuer = credentials, token_url, clock, issuer
        self.register_token_generator("default", self._new_token)
        self.register_grant(BackendServices)
        if issuer is not None:
            self.register_grant(AuthorizationCode)
            self.register_grant(Refresh)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    def token(self, request: Request) -> Response:
        """Answer a request for a token."""
        request.need("grant_type")
        response: Response = self.create_token_response(request)
        return response

    def introspect(self, request: Request) -> Response:
        """Answer what a token is, to the client it was issued to or to an operator's."""
        response: Response = self.create_endpoint_response(Introspection.ENDPOINT_NAME, request)
        return response

    def revoke(self, request: Request) -> Response:
        """End a token of the asking client."""
        response: Response = self.create_endpoint_response(Revocation.ENDPOINT_NAME, request)
        return response

    # tokens of apps

    def issue(self, grant: GrantRow, user: UserRow, scope: str, nonce: str | None) -> dict[str, Any]:
        """New tokens for a grant, and what SMART tells beside them. An id_token comes with the code alone: `nonce` is None for a refresh."""
        assert self.issuer is not None  # or no grant of an app is registered
        now = int(self.clock())
        text, granted = access.new_token(), set(grant.scopes.split())
        expires = min(now + APP_LIFE, grant.expires)
        self.credentials.add_token(TokenRow(access.digest(text), grant.client, scope, expires, now, grant.id))
        answer: dict[str, Any] = {"access_token": text, "token_type": "Bearer", "expires_in": expires - now, "scope": scope}
        if granted & {"offline_access", "online_access"}:
            answer["refresh_token"] = secrets.token_urlsafe(32)
            refresh = RefreshRow(access.digest(answer["refresh_token"]), grant.id, min(now + REFRESH_LIFE, grant.expires))
            self.credentials.grants.add_refresh(refresh)
        if grant.patient:
            answer |= {"patient": grant.patient, "need_patient_banner": True, "smart_style_url": self.issuer.url + STYLE}
        if grant.encounter:
            answer["encounter"] = grant.encounter
        if nonce is not None and "openid" in granted:
            answer["id_token"] = id_token(self.issuer, grant, user, nonce, now)
        return answer

    # tokens that are asked about

    def find_token(self, text: str) -> Token | None:
        """An issued access or refresh token, also one that holds no more."""
        digest, now = access.digest(text), self.clock()
        row = self.credentials.token(digest)
        if row is not None:
            known = {"scope": row.scopes, "token_type": "bearer", "exp": row.expires, "iat": row.issued}
            return self._found(digest, row.client, row.grant, now < row.expires, known)
        if self.issuer is None or (refresh := self.credentials.grants.refresh(digest)) is None:
            return None
        grant = self.credentials.grants.grant(refresh.grant)
        if grant is None:
            return None
        return self._found(
            digest, grant.client, grant.id, refresh.used is None and now < refresh.expires, {"scope": grant.scopes, "exp": refresh.expires}
        )

    def _found(self, digest: bytes, client_id: str, grant_id: str, lasts: bool, known: dict[str, Any]) -> Token:
        client = self.credentials.client(client_id)
        active = lasts and client is not None and client.revoked is None
        if grant_id and self.issuer is not None:
            held = access.standing(self.credentials, grant_id, self.clock())
            active = active and held is not None
            if held is not None:
                grant, user = held
                known |= {"iss": self.issuer.url, "sub": user.id, "username": user.name, "fhirUser": self.issuer.fhir_user(user)}
                known |= {name: value for name, value in (("patient", grant.patient), ("encounter", grant.encounter)) if value}
        return Token(digest, client_id, grant_id, active, {"client_id": client_id, **known})

    def end_token(self, token: Token) -> None:
        """End a token; of a grant, all that was given for it."""
        if token.grant:
            self.credentials.grants.end(token.grant)
        else:
            self.credentials.revoke_token(token.digest)

    def _new_token(self, *, scope: str, **_: Any) -> dict[str, Any]:
        return {"access_token": access.new_token(), "token_type": "bearer", "expires_in": LIFE, "scope": scope}

    # what Authlib asks of a framework

    def query_client(self, client_id: str) -> Client | None:
        row = self.credentials.client(client_id)
        return Client(row) if row and row.revoked is None else None

    def authenticate_client(self, request: Request, methods: list[str], endpoint: str = "token") -> Client:
        taken = methods if self.issuer is not None else [method for method in methods if method in (ASSERTION, BEARER)]
        return Client(authentication.authenticate(request, taken, self.token_url, self.credentials, self.clock()))

    def save_token(self, token: Mapping[str, Any], request: Request) -> None:
        now = int(self.clock())
        row = TokenRow(access.digest(token["access_token"]), request.client.row.id, token["scope"], now + token["expires_in"], now)
        self.credentials.add_token(row)

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        return Response(orjson.dumps(body), status, dict(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """A client asks about its own tokens, an operator's about any; also with an access token of its own (RFC 7662 section 2.1)."""

    CLIENT_AUTH_METHODS = [ASSERTION, SECRET, BEARER]

    def check_params(self, request: Request, client: Client) -> None:
        request.need("token")  # a hint that we do not know changes nothing, RFC 7662 section 2.1

    def query_token(self, text: str, hint: str | None) -> Token | None:
        found: Token | None = self.server.find_token(text)
        return found

    def check_permission(self, token: Token, client: Client, request: Request) -> bool:
        return token.check_client(client) or client.row.role == "operator"

    def introspect_token(self, token: Token) -> dict[str, Any]:
        return {"active": True, **token.told}


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """A client ends its own tokens; a token that nobody has is ended already (RFC 7009 section 2.2)."""

    CLIENT_AUTH_METHODS = [ASSERTION, SECRET, PUBLIC]

    def check_params(self, request: Request, client: Client) -> None:
        request.need("token")

    def query_token(self, text: str, hint: str | None) -> Token | None:
        found: Token | None = self.server.find_token(text)
        return found

    def revoke_token(self, token: Token, request: Request) -> None:
        self.server.end_token(token)
