"""How a client proves at the token endpoint who it is: by a signed JWT, by a secret, or, where it can keep none, not at all.

Failed client authentication is 400 invalid_client: 401 would have to name an HTTP authentication scheme (RFC 9110), and an assertion
is none. It is 401 where the client did use the Authorization header (RFC 6749 section 5.2).
"""

from __future__ import annotations

import base64
import hmac
from urllib.parse import unquote_plus

from authlib.consts import default_json_headers
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from gateway.errors import Unauthorized
from gateway.smart import access, assertions
from gateway.smart.forms import Request
from gateway.store.interface import ClientRow, Credentials

ASSERTION, SECRET, PUBLIC, BEARER = "private_key_jwt", "client_secret_basic", "none", "bearer"
"""RFC 7591 section 2's names; "bearer" is an access token of the client's own, at introspection alone (RFC 7662 section 2.1)."""


class Refused(InvalidClientError):  # type: ignore[misc]
    """The client did not prove who it is. `challenge` is the scheme that it tried in the Authorization header, if it did."""

    def __init__(self, description: str, challenge: str = "") -> None:
        super().__init__(description=description, status_code=401 if challenge else 400)
        self.challenge = challenge

    def get_headers(self) -> list[tuple[str, str]]:
        return [*default_json_headers, *([("WWW-Authenticate", self.challenge)] if self.challenge else [])]


def authenticate(request: Request, methods: list[str], token_url: str, credentials: Credentials, now: float) -> ClientRow:
    """The client that sent the request, proved by one of `methods`. Raises Refused, and invalid_request for two ways at once."""
    form = request.form
    if "client_assertion" in form or "client_assertion_type" in form:
        return _by_assertion(request, token_url, credentials, now)
    scheme = request.authorization.split(" ")[0]
    if scheme.lower() == "basic" and SECRET in methods:
        return _by_secret(request, credentials)
    if request.authorization and BEARER in methods:
        return _by_token(request, credentials, now)
    if request.authorization:
        raise Refused("the client must authenticate by client_assertion", f'{scheme if scheme.isalpha() else "Bearer"} realm="gateway"')
    if PUBLIC in methods and "client_id" in form and "client_secret" not in form:
        return _as_public(form["client_id"], credentials)
    return _by_assertion(request, token_url, credentials, now)


def _by_assertion(request: Request, token_url: str, credentials: Credentials, now: float) -> ClientRow:
    request.need("client_assertion_type", "client_assertion")
    if request.authorization or "client_secret" in request.form:
        raise InvalidRequestError("the client authenticates in two ways at once")
    if request.form["client_assertion_type"] != assertions.ASSERTION_TYPE:
        raise Refused("client_assertion_type is not that of a JWT")
    try:
        assertion = assertions.read(request.form["client_assertion"], now)
        if request.form.get("client_id", assertion.client) != assertion.client:
            raise Unauthorized("client_id is not the assertion's client")
        return assertions.authenticate(assertion, token_url, credentials, lambda client: client.jwks or request.key_set)
    except Unauthorized as error:
        raise Refused(error.message) from None


def _by_secret(request: Request, credentials: Credentials) -> ClientRow:
    """RFC 6749 section 2.3.1: both halves are form-encoded before they are joined."""
    if "client_secret" in request.form:
        raise InvalidRequestError("the client authenticates in two ways at once")
    refused = Refused("the client's secret does not hold", 'Basic realm="gateway"')
    try:
        pair = base64.b64decode(request.authorization[len("Basic ") :].strip(), validate=True).decode()
    except ValueError:
        raise refused from None
    id, _, secret = (unquote_plus(part) for part in pair.partition(":"))
    client = credentials.client(id)
    known = client.secret if client is not None and client.revoked is None else ""
    if client is None or not known or not hmac.compare_digest(access.digest(secret).hex(), known):
        raise refused
    if request.form.get("client_id", id) != id:
        raise Refused("client_id is not the client that has the secret", 'Basic realm="gateway"')
    return client


def _as_public(id: str, credentials: Credentials) -> ClientRow:
    client = credentials.client(id)
    if client is None or client.revoked is not None or not client.is_public:
        raise Refused("there is no public client of this id")
    return client


def _by_token(request: Request, credentials: Credentials, now: float) -> ClientRow:
    try:
        caller = access.authenticate(request.authorization, credentials, now)
    except Unauthorized as error:
        raise Refused(error.message, error.challenge) from None
    client = credentials.client(caller.client)
    if client is None:
        raise Refused("the access token does not hold", Unauthorized.default_challenge)
    return client
