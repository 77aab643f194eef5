"""The routes of the FHIR API, the transitions feed, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api import bundles, capabilities, decisions, export_routes, exporting, feed, groups, openings, reading, validating, writing
from gateway.api.access import view
from gateway.api.answers import FHIR_JSON, Answer, failure
from gateway.api.auditing import FEED, disclosed
from gateway.api.requests import FORM, Call, call_of, check_accept, parameters
from gateway.api.searching import search_type
from gateway.api.services import Services
from gateway.errors import GatewayError, NotFound
from gateway.fhir.validation import resource_types
from gateway.smart.access import Caller
from gateway.store.interface import ALL

Endpoint = Callable[..., Awaitable[Response]]

OFFERS = (writing.OFFER, validating.OFFER, bundles.OFFER, groups.OFFER, exporting.OFFER)
"""What the parts of the API offer beside reading and searching, for the CapabilityStatement."""


async def interact(services: Services, caller: Caller, call: Call) -> Answer:
    """One interaction on a type or an instance, as asked over HTTP."""
    check_accept(call)
    if len(call.path) == 2 and call.path[1] == "_search" and call.method == "POST":
        call = _searching(call)
    return disclosed(services, caller, call, await _interaction(services, caller, call))


def _searching(call: Call) -> Call:
    """A search by POST as one by GET."""
    form = parameters(call.body.decode("utf-8", "replace")) if call.header("content-type").startswith(FORM) else []
    return call._replace(method="GET", path=call.path[:1], parameters=[*call.parameters, *form])


_WRITES = ((1, "POST"), *((steps, method) for steps in (1, 2) for method in ("PUT", "PATCH", "DELETE")))
"""Steps of the path and method: those on a type alone are conditional."""


async def _interaction(services: Services, caller: Caller, call: Call) -> Answer:
    method, path = "GET" if call.method == "HEAD" else call.method, call.path
    if path[0] not in resource_types():
        raise NotFound("There is no such resource type", location="address")
    if path[-1] == validating.NAME and len(path) <= 3:
        return await validating.validate(services, caller, call)
    if path[0] == "Group":
        return groups.interact(services, caller, call)
    if path[0] in services.own_types:
        return await services.own_types[path[0]].interact(caller, call)
    if len(path) == 1 and method == "GET":
        return search_type(services, caller, call)
    if len(path) == 2 and method == "GET":
        return reading.read(services, caller, call)
    if (len(path), method) in _WRITES:
        return await writing.write(services, caller, call)
    if path[2:3] == ("_history",) and method == "GET" and len(path) <= 4:
        return reading.history(services, caller, call) if len(path) == 3 else reading.vread(services, caller, call)
    raise HTTPException(405)


def api(services: Services) -> APIRouter:
    """Everything that this package serves, for the composition root to include. `guard` (edge.py) belongs around it."""
    routes = APIRouter()
    export_routes.add(routes, services)
    _fhir(routes, services)
    _operations(routes, services)
    return routes


def _fhir(routes: APIRouter, services: Services) -> None:
    about = orjson.dumps(capabilities.statement(services.base_url, [*OFFERS, *(each.offer for each in services.own_types.values())]))

    async def metadata(request: Request) -> Response:
        check_accept(await call_of(request, services.limits.body))
        return Response(about, media_type=FHIR_JSON, headers={"Cache-Control": "max-age=300"})

    async def process_message(request: Request) -> Response:
        caller, call = await _asked(services, request, "$process-message")
        return await bundles.process_message(services, caller, call)

    async def base(request: Request) -> Response:
        caller, call = await _asked(services, request)
        return await bundles.base(services, caller, call, _interaction)

    async def on_type(request: Request, type: str) -> Response:
        return await interact(services, *await _asked(services, request, type))

    async def on_search(request: Request, type: str) -> Response:
        return await interact(services, *await _asked(services, request, type, "_search"))

    async def on_validate(request: Request, type: str) -> Response:
        return await interact(services, *await _asked(services, request, type, validating.NAME))

    async def on_validate_instance(request: Request, type: str, id: str) -> Response:
        return await interact(services, *await _asked(services, request, type, id, validating.NAME))

    async def on_instance(request: Request, type: str, id: str) -> Response:
        return await interact(services, *await _asked(services, request, type, id))

    async def on_history(request: Request, type: str, id: str) -> Response:
        return await interact(services, *await _asked(services, request, type, id, "_history"))

    async def on_version(request: Request, type: str, id: str, version: str) -> Response:
        return await interact(services, *await _asked(services, request, type, id, "_history", version))

    for path, methods, endpoint in (
        ("/fhir/metadata", ["GET", "HEAD"], metadata),
        ("/fhir/$process-message", ["POST"], process_message),
        ("/fhir", ["POST"], base),
        ("/fhir/{type}/_search", ["POST"], on_search),
        ("/fhir/{type}/$validate", ["POST"], on_validate),
        ("/fhir/{type}/{id}/$validate", ["GET", "HEAD", "POST"], on_validate_instance),
        ("/fhir/{type}/{id}/_history/{version}", ["GET", "HEAD"], on_version),
        ("/fhir/{type}/{id}/_history", ["GET", "HEAD"], on_history),
        ("/fhir/{type}/{id}", ["GET", "HEAD", "PUT", "PATCH", "DELETE"], on_instance),
        ("/fhir/{type}", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], on_type),
    ):
        routes.add_api_route(path, endpoint, methods=methods, response_class=Response)


async def _asked(services: Services, request: Request, *path: str) -> tuple[Caller, Call]:
    """Who asks, then what: nothing of a body is read for who has no token."""
    caller = services.authenticate(request.headers.get("authorization"))
    call = await call_of(request, services.limits.body, *path)
    check_accept(call)
    return caller, call


def _operations(routes: APIRouter, services: Services) -> None:
    async def transitions(request: Request) -> Response:
        caller = services.authenticate(request.headers.get("authorization"))
        call = await call_of(request, services.limits.body, *FEED)
        return disclosed(services, caller, call, await feed.transitions(services, caller, call))

    async def decide(request: Request, id: str) -> Response:
        caller, call = await _asked(services, request, *FEED, id, "decisions")
        return disclosed(services, caller, call, await decisions.decide(services, caller, call))

    async def own_opening(request: Request) -> Response:
        return await openings.opening(services, *await _asked(services, request, "agency"))

    async def opening(request: Request, id: str) -> Response:
        return await openings.opening(services, *await _asked(services, request, "agencies", id))

    async def alive() -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def ready() -> Response:
        try:
            with view(services.store, ALL) as look:
                look.feed(2**62, 1)
        except GatewayError as error:
            return failure(error)
        return Response(b"ok\n", media_type="text/plain")

    async def metrics() -> Response:
        told = await asyncio.to_thread(generate_latest, services.registry)  # it looks into the store
        return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes.add_api_route("/api/transitions", transitions, methods=["GET", "HEAD"], response_class=Response)
    routes.add_api_route("/api/transitions/{id}/decisions", decide, methods=["POST"], response_class=Response)
    routes.add_api_route("/api/agency", own_opening, methods=["GET", "HEAD", "PUT"], response_class=Response)
    routes.add_api_route("/api/agencies/{id}", opening, methods=["GET", "HEAD", "PUT"], response_class=Response)
    for path, endpoint in (("/healthz", alive), ("/readyz", ready), ("/metrics", metrics)):
        routes.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_class=Response)
