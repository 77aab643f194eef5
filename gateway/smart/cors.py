"""Cross-origin requests: which answers a browser hands to another origin's scripts. It does so only where SMART asks for it
(SMART App Launch 2.2, "Considerations for Cross-Origin Resource Sharing (CORS) Support").

Discovery is for scripts of any origin, and so are the keys, without which a browser's app could not check an id_token. The token endpoint and the
FHIR API are for the origins of registered apps alone. The page where a user logs in, and all else, is for none. No answer allows credentials, so that
cookies are for none either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.store.interface import Credentials

ANY_ORIGIN = ("/fhir/metadata", "/oauth/jwks.json")
DISCOVERY = ("/.well-known/", "/fhir/.well-known/", "/fhir//.well-known/")  # a base with a trailing slash, joined without care
REGISTERED_ORIGINS = ("/oauth/token", "/fhir")

_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"accept, authorization, content-type, if-match, if-modified-since, if-none-exist, if-none-match, prefer"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED = (b"access-control-expose-headers", b"content-location, etag, last-modified, location, retry-after, www-authenticate, x-progress")


def origin_of(url: str) -> str:
    """The origin of a web address as browsers write it (RFC 6454 section 6.2); "" for what is none, an app's own scheme for example."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


def allowed(path: str, origin: str, registered: Callable[[], Collection[str]]) -> str:
    """What Access-Control-Allow-Origin says at an address to an origin; "" for nothing. `registered` gives the origins of registered apps."""
    if path in ANY_ORIGIN or path.startswith(DISCOVERY):
        return "*"
    if path.startswith(tuple(f"{one}/" for one in REGISTERED_ORIGINS)) or path in REGISTERED_ORIGINS:
        return origin if origin and origin in registered() else ""
    return ""


class Origins:
    """The origins of registered apps that run in a browser: of public clients' redirect URIs. Looked up anew after KEPT seconds, for anybody may ask
    with an Origin. `clock` gives seconds."""

    KEPT = 10.0

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._credentials, self._clock = credentials, clock
        self._origins: frozenset[str] = frozenset()
        self._until = -math.inf

    def __call__(self) -> frozenset[str]:
        if self._clock() >= self._until:
            apps = (client for client in self._credentials.clients() if client.revoked is None and client.is_public)
            self._origins = frozenset(origin_of(uri) for app in apps for uri in app.redirect_uris) - {""}
            self._until = self._clock() + self.KEPT
        return self._origins


class Cors:
    """Puts the headers on answers, refusals among them, and answers what browsers ask beforehand. Plain ASGI."""

    def __init__(self, app: ASGIApp, registered: Callable[[], Collection[str]]) -> None:
        self._app, self._registered = app, registered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = {name: value for name, value in scope["headers"] if name in (b"origin", b"access-control-request-method")}
        permission = allowed(scope["path"], asked.get(b"origin", b"").decode("latin-1"), self._registered)
        varies = [] if permission == "*" or not scope["path"].startswith(REGISTERED_ORIGINS) else [(b"vary", b"origin")]
        headers = [*varies, *([(b"access-control-allow-origin", permission.encode("latin-1"))] if permission else [])]
        if permission and scope["method"] == "OPTIONS" and b"access-control-request-method" in asked:
            await send({"type": "http.response.start", "status": 204, "headers": [*headers, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and headers:
                message = {**message, "headers": [*message["headers"], *headers, *([_EXPOSED] if permission else [])]}
            await send(message)

        await self._app(scope, receive, sending)
