"""The authorization server: Authlib's endpoints and grants, with the gateway's own checks where Authlib's are not SMART's.

    POST /oauth/token        a token for an assertion          RFC 6749, SMART Backend Services
    POST /oauth/introspect   what a token is                   RFC 7662
    POST /oauth/revoke       the end of a token                RFC 7009

Failed client authentication is 400 invalid_client: 401 would have to name an HTTP authentication scheme (RFC 9110), and an assertion
is none. It is 401 where the client did use the Authorization header (RFC 6749 section 5.2).

Of Authlib's ways these are not ours: it logs new tokens, answers a missing grant_type as an unsupported one, refuses unknown token
type hints with 401, and always names Basic as the scheme.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from authlib.consts import default_json_headers
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Request,
    TokenMixin,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from fastapi import Response

from gateway.errors import Invalid, Unauthorized
from gateway.smart import access, assertions, scopes
from gateway.store.interface import ClientRow, Credentials, TokenRow

# Authlib has no types: each of its classes is Any to mypy, hence the misc.

LIFE = 300
"""Seconds that an access token lives."""


class Refused(InvalidClientError):  # type: ignore[misc]
    """The client did not prove who it is. `challenge` is the scheme that it tried in the Authorization header, if it did."""

    def __init__(self, description: str, challenge: str = "") -> None:
        super().__init__(description=description, status_code=401 if challenge else 400)
        self.challenge = challenge

    def get_headers(self) -> list[tuple[str, str]]:
        return [*default_json_headers, *([("WWW-Authenticate", self.challenge)] if self.challenge else [])]


class Request(OAuth2Request):  # type: ignore[misc]
    """A form posted to one of the endpoints. `key_set` is the key set of a client registered by URL, fetched beforehand."""

    def __init__(self, form: Mapping[str, str], authorization: str, key_set: str) -> None:
        super().__init__("POST", "https://gateway.invalid")  # Authlib wants TLS in the URL; ours may end at a proxy
        self.payload = BasicOAuth2Payload(dict(form))
        self.authorization = authorization
        self.key_set = key_set

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)

    def need(self, *names: str) -> None:
        """Raises invalid_request for the first parameter that is missing."""
        for name in names:
            if name not in self.payload.data:
                raise InvalidRequestError(f"{name} is missing")


class Client(ClientMixin):  # type: ignore[misc]
    """A registered client as Authlib asks for it."""

    def __init__(self, row: ClientRow) -> None:
        self.row = row

    def get_client_id(self) -> str:
        return self.row.id

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Token(TokenMixin):  # type: ignore[misc]
    """An issued token as Authlib asks for it."""

    def __init__(self, row: TokenRow, digest: bytes, active: bool) -> None:
        self.row = row
        self.digest = digest
        self.active = active

    def check_client(self, client: Client) -> bool:
        return self.row.client == client.row.id

    def is_expired(self) -> bool:
        return not self.active

    def is_revoked(self) -> bool:
        return False  # the store gives no revoked token


class Server(AuthorizationServer):  # type: ignore[misc]
    """Authlib's authorization server over the gateway's credentials. Synchronous: call it in a thread. `clock` gives wall-clock seconds."""

    def __init__(self, credentials: Credentials, token_url: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self.credentials = credentials
        self.token_url = token_url
        self.clock = clock
        self.register_token_generator("default", self._new_token)
        self.register_grant(BackendServices)
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

    def find_token(self, text: str) -> Token | None:
        """An issued token, also one that holds no more."""
        digest = access.digest(text)
        row = self.credentials.token(digest)
        if row is None:
            return None
        client = self.credentials.client(row.client)
        return Token(row, digest, active=self.clock() < row.expires and client is not None and client.revoked is None)

    def _by_assertion(self, request: Request) -> Client:
        request.need("client_assertion_type", "client_assertion")
        if request.authorization or "client_secret" in request.form:
            raise InvalidRequestError("the client authenticates in two ways at once")
        if request.form["client_assertion_type"] != assertions.ASSERTION_TYPE:
            raise Refused("client_assertion_type is not that of a JWT")
        try:
            assertion = assertions.read(request.form["client_assertion"], self.clock())
            if request.form.get("client_id", assertion.client) != assertion.client:
                raise Unauthorized("client_id is not the assertion's client")
            row = assertions.authenticate(assertion, self.token_url, self.credentials, lambda client: client.jwks or request.key_set)
        except Unauthorized as error:
            raise Refused(error.message) from None
        return Client(row)

    def _by_token(self, request: Request) -> Client:
        try:
            caller = access.authenticate(request.authorization, self.credentials, self.clock())
        except Unauthorized as error:
            raise Refused(error.message, error.challenge) from None
        client = self.query_client(caller.client)
        if client is None:
            raise Refused("the access token does not hold", Unauthorized.default_challenge)
        return client

    def _new_token(self, *, scope: str, **_: Any) -> dict[str, Any]:
        return {"access_token": access.new_token(), "token_type": "bearer", "expires_in": LIFE, "scope": scope}

    # what Authlib asks of a framework

    def query_client(self, client_id: str) -> Client | None:
        row = self.credentials.client(client_id)
        return Client(row) if row and row.revoked is None else None

    def authenticate_client(self, request: Request, methods: list[str], endpoint: str = "token") -> Client:
        if not request.authorization or "client_assertion" in request.form:
            return self._by_assertion(request)
        if "bearer" in methods:
            return self._by_token(request)
        scheme = request.authorization.split(" ")[0]
        raise Refused("the client must authenticate by client_assertion", f'{scheme if scheme.isalpha() else "Bearer"} realm="gateway"')

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


class BackendServices(ClientCredentialsGrant):  # type: ignore[misc]
    """SMART Backend Services: a scope is required, and goes no further than the client's registration."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self) -> None:
        self.request.need("scope")
        super().validate_token_request()

    def validate_requested_scope(self) -> None:
        try:
            requested = scopes.parse(self.request.payload.scope)
        except Invalid as error:
            raise InvalidScopeError(f"{error.location}: {error.message}") from None
        if not requested or scopes.beyond(requested, scopes.parse(self.request.client.row.scopes)):
            raise InvalidScopeError("the scope reaches beyond what the client is registered for")
        self.request.scope = scopes.text(requested)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        token = self.generate_token(scope=self.request.scope, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """A client asks about its own tokens, an operator's about any; by assertion or with an access token of its own (RFC 7662 section 2.1)."""

    CLIENT_AUTH_METHODS = ["private_key_jwt", "bearer"]

    def check_params(self, request: Request, client: Client) -> None:
        request.need("token")  # a hint that we do not know changes nothing, RFC 7662 section 2.1

    def query_token(self, text: str, hint: str | None) -> Token | None:
        found: Token | None = self.server.find_token(text)
        return found

    def check_permission(self, token: Token, client: Client, request: Request) -> bool:
        return token.check_client(client) or client.row.role == "operator"

    def introspect_token(self, token: Token) -> dict[str, Any]:
        row = token.row
        return {"active": True, "scope": row.scopes, "client_id": row.client, "token_type": "bearer", "exp": row.expires, "iat": row.issued}


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """A client ends its own tokens; a token that nobody has is ended already (RFC 7009 section 2.2)."""

    CLIENT_AUTH_METHODS = ["private_key_jwt"]

    def check_params(self, request: Request, client: Client) -> None:
        request.need("token")

    def query_token(self, text: str, hint: str | None) -> Token | None:
        found: Token | None = self.server.find_token(text)
        return found

    def revoke_token(self, token: Token, request: Request) -> None:
        self.server.credentials.revoke_token(token.digest)
