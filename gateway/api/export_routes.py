"""The addresses of bulk exports."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from gateway.api.exporting import Exporting
from gateway.api.requests import Call, call_of, check_accept
from gateway.api.services import Services
from gateway.smart.access import Caller

EXPORT = "$export"
JOB = ("exports",)
"""The path of a call about a job, which is no resource type."""


def add(routes: APIRouter, services: Services) -> None:
    """Serve kick-offs below the FHIR base, and jobs beside it."""
    exporting = Exporting(services)

    async def asked(request: Request, *path: str) -> tuple[Caller, Call]:
        caller = services.authenticate(request.headers.get("authorization"))
        return caller, await call_of(request, services.limits.body, *path)

    async def kick_off(request: Request, *path: str) -> Response:
        caller, call = await asked(request, *path)
        check_accept(call)
        return await asyncio.to_thread(exporting.kick_off, caller, call)  # it writes, and may have to wait for its turn

    async def of_system(request: Request) -> Response:
        return await kick_off(request, EXPORT)

    async def of_patients(request: Request) -> Response:
        return await kick_off(request, "Patient", EXPORT)

    async def of_group(request: Request, id: str) -> Response:
        return await kick_off(request, "Group", id, EXPORT)

    async def job(request: Request, id: str) -> Response:
        caller, call = await asked(request, *JOB, id)
        check_accept(call)
        if call.method == "DELETE":
            return await asyncio.to_thread(exporting.cancel, caller, id)
        return exporting.status(caller, id)

    async def file(request: Request, id: str, name: str) -> Response:
        caller, call = await asked(request, *JOB, id, name)
        return await exporting.file(caller, call, id, name)

    for path, methods, endpoint in (
        ("/fhir/$export", ["GET", "POST"], of_system),
        ("/fhir/Patient/$export", ["GET", "POST"], of_patients),
        ("/fhir/Group/{id}/$export", ["GET", "POST"], of_group),
        ("/api/exports/{id}", ["GET", "DELETE"], job),
        ("/api/exports/{id}/{name}", ["GET"], file),
    ):
        routes.add_api_route(path, endpoint, methods=methods, response_class=Response)
