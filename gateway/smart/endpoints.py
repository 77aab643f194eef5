"""The authorization server over HTTP: forms in, JSON out, never a redirect (SMART App Launch 2.2; RFC 6749 section 3.2)."""

from __future__ import annotations

from collections.abc import Callable

from authlib.oauth2.rfc6749 import OAuth2Error
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.errors import Unauthorized, Unavailable
from gateway.smart import assertions, discovery, forms, server
from gateway.smart.identity import Issuer
from gateway.smart.jwks import KeySets
from gateway.smart.refusals import refusal
from gateway.store.interface import Credentials


def router(credentials: Credentials, *, base_url: str, clock: Callable[[], float], key_sets: KeySets, issuer: Issuer | None = None) -> APIRouter:
    """The token, introspection and revocation endpoints of a gateway that is reached at `base_url`. `clock` gives wall-clock seconds; without an
    issuer there are backend services alone."""
    url = discovery.token_url(base_url)
    authorization = server.Server(credentials, url, clock, issuer)

    async def answer(request: Request, respond: Callable[[forms.Request], Response]) -> Response:
        try:
            form = forms.once(await forms.read(request))
            key_set = await _key_set(form.get("client_assertion", ""))
            asked = forms.Request(form, request.headers.get("authorization", ""), key_set)
            return await run_in_threadpool(respond, asked)  # Authlib and the store are synchronous
        except OAuth2Error as error:
            return authorization.handle_response(*error())
        except Unavailable as error:
            return refusal(error)

    async def _key_set(assertion: str) -> str:
        """Fetched here, so that no thread waits for a client's slow server; what does not hold is refused later, in its order."""
        try:
            claimed = assertions.read(assertion, clock())
        except Unauthorized:
            return ""
        client = await run_in_threadpool(credentials.client, claimed.client)
        if client is None or client.revoked is not None or not client.jwks_url:
            return ""
        return await key_sets.get(client.jwks_url, claimed.key_id)

    async def token(request: Request) -> Response:
        return await answer(request, authorization.token)

    async def introspect(request: Request) -> Response:
        return await answer(request, authorization.introspect)

    async def revoke(request: Request) -> Response:
        return await answer(request, authorization.revoke)

    routes = APIRouter()
    for path, endpoint in ((discovery.TOKEN, token), (discovery.INTROSPECT, introspect), (discovery.REVOKE, revoke)):
        routes.add_api_route(path, endpoint, methods=["POST"])
        routes.add_api_route(path + "/", endpoint, methods=["POST"], include_in_schema=False)  # or the framework would redirect
    return routes
