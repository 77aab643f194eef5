"""Going to the operator's OpenID provider to log in, and coming back.

    GET /oauth/upstream            with an app's request: to the provider
    GET /oauth/upstream/callback   with the provider's answer: logged in, and back to the app's request

Whoever comes back has an account here that has no password: the provider says each time what its role is, and the operator ends it like any other.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from authlib.oauth2.rfc6749 import OAuth2Error
from fastapi import APIRouter, Response
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool

from gateway.errors import Conflict, Forbidden, GatewayError
from gateway.smart import access, authorization, forms, logins
from gateway.smart.authorization import Asked
from gateway.smart.discovery import AUTHORIZE
from gateway.smart.entrance import Entrance, redirected, refused, told
from gateway.smart.upstream import Person, Provider
from gateway.store.users import UserRow, Users

UPSTREAM, CALLBACK = "/oauth/upstream", "/oauth/upstream/callback"
COOKIE = "gateway-upstream"
"""Of a browser that is at the provider."""

Publish = Callable[[UserRow], Future[None]]
"""Writes a user's Practitioner."""


def router(entrance: Entrance, provider: Provider, publish: Publish) -> APIRouter:
    """The two routes."""
    routes = APIRouter(include_in_schema=False, default_response_class=Response)

    def answering(answer: Callable[[HttpRequest], Awaitable[Response]]) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def endpoint(request: HttpRequest) -> Response:
            try:
                return await answer(request)
            except OAuth2Error as error:
                return told(error)
            except GatewayError as error:
                return refused(error)

        return endpoint

    def asked_in(text: str) -> Asked:
        return authorization.read(forms.parse(text), entrance.credentials, entrance.fhir_url)

    async def leave(request: HttpRequest) -> Response:
        asked = await run_in_threadpool(asked_in, request.url.query)
        cookie = request.cookies.get(COOKIE) or access.new_token()
        answer = redirected(await provider.leave(asked.text, cookie, **_wishes(asked)), asked)
        entrance.set_cookie(answer, COOKIE, cookie, lax=True)  # it has to come back from another site
        return answer

    async def come_back(request: HttpRequest) -> Response:
        said = forms.once(forms.parse(request.url.query))
        person = await provider.come_back(said, request.cookies.get(COOKIE, ""))
        user = await run_in_threadpool(account, entrance.credentials.users, provider.upstream.issuer, person, entrance.now())
        await asyncio.wrap_future(publish(user))
        asked = await run_in_threadpool(asked_in, person.request)
        answer = redirected(f"{AUTHORIZE}?{asked.after_login}", asked)
        cookie = await run_in_threadpool(logins.begin, entrance.credentials.users, user, entrance.now(), person.at)
        entrance.set_cookie(answer, logins.COOKIE, cookie, lax=True)
        return answer

    routes.add_api_route(UPSTREAM, answering(leave), methods=["GET"])
    routes.add_api_route(CALLBACK, answering(come_back), methods=["GET"])
    return routes


def _wishes(asked: Asked) -> dict[str, str]:
    """What the app asks of a login, for the provider to heed."""
    prompts = " ".join(sorted(asked.prompt & {"login", "select_account"}))
    return {**({"prompt": prompts} if prompts else {}), **({"max_age": str(asked.max_age)} if asked.max_age is not None else {})}


def account(users: Users, issuer: str, person: Person, now: int) -> UserRow:
    """The account of somebody who logged in at an issuer, as the issuer says it is today. Raises Forbidden for one that was ended, Conflict."""
    id = hashlib.sha256(f"{issuer}\n{person.subject}".encode()).hexdigest()[:32]
    name = f"{person.subject} at {issuer.partition('://')[2]}"  # with blanks, as no local account is called
    user = users.keep(UserRow(id, name, person.full_name, person.role, person.organization, id, "", now))
    if user is None:
        raise Conflict("another account here has this name", advice="Ask the operator of this gateway.")
    if user.revoked is not None:
        raise Forbidden("your account here was ended", advice="Ask the operator of this gateway.")
    return user
