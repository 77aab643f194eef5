"""The routes of the FHIR API, the transitions feed, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api import (
    bundles,
    capabilities,
    decisions,
    export_routes,
    exporting,
    feed,
    groups,
    histories,
    openapi,
    openings,
    reading,
    validating,
    writing,
)
from gateway.api.answers import FHIR_JSON, Answer, pretty
from gateway.api.auditing import FEED, disclosed
from gateway.api.dispatch import ShortWay
from gateway.api.requests import FORM, Call, call_of, check_accept, check_content_type, decoded, parameters
from gateway.api.searching import search_type
from gateway.api.services import Services
from gateway.errors import NotFound
from gateway.fhir import search
from gateway.fhir.validation import resource_types
from gateway.operations.checks import Verdict, any_failed, failed
from gateway.smart.access import Caller

Endpoint = Callable[..., Awaitable[Response]]

OFFERS = (writing.OFFER, validating.OFFER, bundles.OFFER, groups.OFFER, exporting.OFFER)
"""What the parts of the API offer beside reading and searching, for the CapabilityStatement."""


async def interact(services: Services, caller: Caller, call: Call) -> Answer:
    """One interaction on a type or an instance, as asked over HTTP."""
    if len(call.path) == 2 and call.path[1] == "_search" and call.method == "POST":
        call = _searching(call)
    try:
        answer = await _interaction(services, caller, call)
    except HTTPException as refused:
        raise _allowing(services, call, refused) from None
    return pretty(call, disclosed(services, caller, call, answer))


def _searching(call: Call) -> Call:
    """A search by POST as one by GET: what the form asks and what the address asks hold together."""
    form: list[tuple[str, str]] = []
    if call.body:
        check_content_type(call, (FORM,))
        form = parameters(decoded(call.body))
    return call._replace(method="GET", path=call.path[:1], parameters=[*call.parameters, *form])


_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


def _allowing(services: Services, call: Call, refused: HTTPException) -> HTTPException:
    """A refusal of a method with those that there are (RFC 9110, 15.5.6), as the CapabilityStatement has them; any other refusal as it is."""
    if refused.status_code != 405 or refused.headers:
        return refused
    offers = (*OFFERS, *(each.offer for each in services.own_types.values()))
    codes = {code for each in offers for code in each.interactions.get(call.path[0], ())}
    writes = [method for code, method in _METHODS.items() if code in codes and len(call.path) <= (1 if code == "create" else 2)]
    return HTTPException(405, headers={"Allow": ", ".join(["GET", "HEAD", *([] if "_history" in call.path else writes)])})


_WRITES = ((1, "POST"), *((steps, method) for steps in (1, 2) for method in ("PUT", "PATCH", "DELETE")))
"""Steps of the path and method: those on a type alone are conditional."""


async def _interaction(services: Services, caller: Caller, call: Call) -> Answer:
    method, path = "GET" if call.method == "HEAD" else call.method, call.path
    if path == ("_history",):
        if method != "GET":
            raise HTTPException(405)
        return histories.of_system(services, caller, call)
    if path[0] not in resource_types():
        raise NotFound("There is no such resource type", location="address")
    if path[-1] == validating.NAME and len(path) <= 3:
        return await validating.validate(services, caller, call)
    if path[0] == "Group":
        return groups.interact(services, caller, call)
    if path[0] in services.own_types:
        return await services.own_types[path[0]].interact(caller, call)
    if len(path) == 1 and method == "GET":
        return await search_type(services, caller, call)
    if path[1:] == ("_history",) and method == "GET":
        return histories.of_type(services, caller, call)
    if len(path) == 2 and method == "GET":
        return reading.read(services, caller, call)
    if (len(path), method) in _WRITES:
        return await writing.write(services, caller, call)
    if path[2:3] == ("_history",) and method == "GET" and len(path) <= 4:
        return histories.instance(services, caller, call) if len(path) == 3 else reading.vread(services, caller, call)
    if len(path) == 3 and path[0] == "Patient" and method == "GET" and "patient" in search.parameters(path[2]):
        return await search_type(services, caller, call._replace(path=path[2:], parameters=[*call.parameters, ("patient", f"Patient/{path[1]}")]))
    raise HTTPException(405)


def api(services: Services) -> APIRouter:
    """Everything that this package serves, for the composition root to include. `guard` (edge.py) belongs around it."""
    routes = APIRouter()
    export_routes.add(routes, services)
    _fhir(routes, services)
    _operations(routes, services)
    return routes


def short_way(services: Services) -> ShortWay:
    """What is to be tried before any other route of the app that `api` is included in."""

    async def interaction(request: Request, steps: tuple[str, ...]) -> Response:
        return await interact(services, *await _asked(services, request, *steps))

    return ShortWay(resource_types(), interaction, {"/api/transitions": partial(_transitions, services)})


async def _transitions(services: Services, request: Request) -> Response:
    caller = services.authenticate(request.headers.get("authorization"))
    call = await call_of(request, services.limits.body, *FEED)
    return disclosed(services, caller, call, await feed.transitions(services, caller, call))


def _fhir(routes: APIRouter, services: Services) -> None:
    statement = capabilities.statement(services.base_url, [*OFFERS, *(each.offer for each in services.own_types.values())])
    about = orjson.dumps(statement)
    openapi.add(routes, services.base_url, statement)

    async def metadata(request: Request) -> Response:
        check_accept(await call_of(request, services.limits.body))
        return Response(about, media_type=FHIR_JSON, headers={"Cache-Control": "max-age=300"})

    async def process_message(request: Request) -> Response:
        caller, call = await _asked(services, request, "$process-message")
        return await bundles.process_message(services, caller, call)

    async def base(request: Request) -> Response:
        caller, call = await _asked(services, request)
        return await bundles.base(services, caller, call, _interaction)

    for path, methods, endpoint in (
        ("/fhir/metadata", ["GET", "HEAD"], metadata),
        ("/fhir/$process-message", ["POST"], process_message),
        ("/fhir", ["POST"], base),
        *((path, methods, _interaction_at(services, path)) for path, methods in _ADDRESSES),
    ):
        routes.add_api_route(path, endpoint, methods=methods, response_class=Response)


_READ = ["GET", "HEAD"]
_ADDRESSES = (
    ("/fhir/{type}/_search", ["POST"]),
    ("/fhir/{type}/$validate", ["POST"]),
    ("/fhir/_history", _READ),
    ("/fhir/{type}/_history", _READ),
    ("/fhir/{type}/{id}/_history/{version}", _READ),
    ("/fhir/{type}/{id}/_history", _READ),
    ("/fhir/{type}/{id}/$validate", ["GET", "HEAD", "POST"]),
    ("/fhir/Patient/{id}/{type}", _READ),
    ("/fhir/{type}/{id}", [*_READ, "PUT", "PATCH", "DELETE"]),
    ("/fhir/{type}", [*_READ, "POST", "PUT", "PATCH", "DELETE"]),
)
"""Where interactions are asked for, the more special ones first."""


def _interaction_at(services: Services, address: str) -> Endpoint:
    """What answers at an address: the interaction that its steps name, those in braces as they were asked."""
    steps = address.removeprefix("/fhir/").split("/")

    async def answer(request: Request) -> Response:
        given = request.path_params
        return await interact(services, *await _asked(services, request, *(given.get(step.strip("{}"), step) for step in steps)))

    return answer


async def _asked(services: Services, request: Request, *path: str) -> tuple[Caller, Call]:
    """Who asks, then what: nothing of a body is read for who has no token."""
    caller = services.authenticate(request.headers.get("authorization"))
    call = await call_of(request, services.limits.body, *path)
    check_accept(call)
    return caller, call


_READY_SECONDS = 4.0
"""For how long /readyz is thought about: less than those wait who ask."""


def _operations(routes: APIRouter, services: Services) -> None:
    async def transitions(request: Request) -> Response:
        return await _transitions(services, request)

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
            checks = await asyncio.wait_for(asyncio.to_thread(services.ready), _READY_SECONDS)
        except TimeoutError:
            checks = [failed("store", "it does not answer in time", "Look at the disk, the locks, or the database server.")]
        told = [f"{each.verdict} {each.name}: {each.words}\n" for each in checks if each.verdict is not Verdict.OK]
        first, status = ("not ready\n", 503) if any_failed(checks) else ("ok\n", 200)
        return Response("".join((first, *told)), status, media_type="text/plain")

    async def metrics() -> Response:
        told = await asyncio.to_thread(generate_latest, services.registry)  # it looks into the store
        return Response(told, headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes.add_api_route("/api/transitions", transitions, methods=["GET", "HEAD"], response_class=Response)
    routes.add_api_route("/api/transitions/{id}/decisions", decide, methods=["POST"], response_class=Response)
    routes.add_api_route("/api/agency", own_opening, methods=["GET", "HEAD", "PUT"], response_class=Response)
    routes.add_api_route("/api/agencies/{id}", opening, methods=["GET", "HEAD", "PUT"], response_class=Response)
    for path, endpoint in (("/healthz", alive), ("/readyz", ready), ("/metrics", metrics)):
        routes.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_class=Response)
