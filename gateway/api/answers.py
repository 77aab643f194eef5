"""Answers: resources and failures as HTTP responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from gateway.api.access import Seen
from gateway.api.requests import Call
from gateway.errors import GatewayError
from gateway.fhir import outcome, times

Json = dict[str, Any]

FHIR_JSON = "application/fhir+json"
PRIVATE = {"Cache-Control": "no-store"}


class FhirResponse(Response):
    """JSON bytes as FHIR."""

    media_type = FHIR_JSON

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else b"" if content is None else orjson.dumps(content)
        super().__init__(body, status, {**PRIVATE, **(headers or {})})


def versioned(one: Seen) -> dict[str, str]:
    """The headers of one version."""
    return {"ETag": one.etag, "Last-Modified": times.http_date(one.updated)}


def resource(one: Seen, status: int = 200, headers: Mapping[str, str] | None = None) -> FhirResponse:
    """One resource."""
    return FhirResponse(one.resource, status, {**versioned(one), **(headers or {})})


def unless_matched(call: Call, one: Seen) -> Response:
    """One resource, or 304 where the reader has this version (If-None-Match)."""
    has = [each.strip() for each in call.header("if-none-match").split(",")]
    if "*" in has or one.etag in has:
        return Response(status_code=304, headers={**PRIVATE, **versioned(one)})
    return resource(one)


def failure(error: GatewayError) -> FhirResponse:
    """A failure as an OperationOutcome, with the challenge and the time to wait where there are such."""
    headers = {}
    if error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    if error.status in (429, 503):
        headers["Retry-After"] = "1"
    return FhirResponse(outcome.of_error(error), error.status, headers)


def plain_failure(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> FhirResponse:
    """A failure that has no error of its own: a method or path that there is not, a fault of ours."""
    return FhirResponse(outcome.outcome([outcome.Issue(code, text)]), status, headers)
