"""Answers: resources and failures as HTTP responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from fastapi import Response

from gateway.api.access import Seen
from gateway.api.requests import Call
from gateway.errors import GatewayError
from gateway.fhir import outcome, times
from gateway.privacy import audit
from gateway.privacy.audit import Shown

Json = dict[str, Any]

FHIR_JSON = "application/fhir+json"
PRIVATE = {"Cache-Control": "no-store"}


class Answer(Response):
    """An answer to a caller, and what it shows of records. None is kept by anybody on the way."""

    def __init__(self, content: bytes = b"", status: int = 200, headers: Mapping[str, str] | None = None, shown: Shown | None = None) -> None:
        super().__init__(content, status, {**PRIVATE, **(headers or {})})
        self.shown = shown or Shown()


class FhirResponse(Answer):
    """A resource as JSON, or nothing. It shows itself, or a Bundle what is in it."""

    media_type = FHIR_JSON

    def __init__(self, content: Json | None, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = b"" if content is None else orjson.dumps(content)
        super().__init__(body, status, headers, audit.shown(_records(content)) if content else None)


def _records(content: Json) -> Iterator[Json]:
    if content["resourceType"] == "Bundle":
        for entry in content.get("entry", []):
            yield from _records(entry["resource"]) if "resource" in entry else ()
    elif content["resourceType"] != "OperationOutcome":
        yield content


def versioned(one: Seen) -> dict[str, str]:
    """The headers of one version."""
    return {"ETag": one.etag, "Last-Modified": times.http_date(one.updated)}


def resource(one: Seen, status: int = 200, headers: Mapping[str, str] | None = None) -> FhirResponse:
    """One resource."""
    return FhirResponse(one.resource, status, {**versioned(one), **(headers or {})})


def unless_matched(call: Call, one: Seen) -> Answer:
    """One resource, or 304 where the reader has this version: by If-None-Match, else by If-Modified-Since (RFC 9110, 13.1.3)."""
    if _has(call, one):
        return Answer(status=304, headers=versioned(one))
    return resource(one)


def _has(call: Call, one: Seen) -> bool:
    tags, since = call.header("if-none-match"), call.header("if-modified-since")
    if tags or not since:
        return bool({"*", one.etag} & {each.strip() for each in tags.split(",")})
    try:
        return one.updated // 1_000_000 <= parsedate_to_datetime(since).timestamp()
    except ValueError:  # what is no HTTP date is ignored
        return False


def pretty(call: Call, answer: Answer) -> Answer:
    """The answer, indented for a person where `_pretty=true` asks for it."""
    if ("_pretty", "true") in call.parameters and answer.body:
        answer.body = orjson.dumps(orjson.loads(answer.body), option=orjson.OPT_INDENT_2)
        answer.headers["content-length"] = str(len(answer.body))
    return answer


def failure(error: GatewayError) -> FhirResponse:
    """A failure as an OperationOutcome, with the challenge and the time to wait where there are such."""
    headers = {}
    if error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    if error.wait:
        headers["Retry-After"] = str(error.wait)
    return FhirResponse(outcome.of_error(error), error.status, headers)


def plain_failure(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> FhirResponse:
    """A failure that has no error of its own: a method or path that there is not, a fault of ours."""
    return FhirResponse(outcome.outcome([outcome.Issue(code, text)]), status, headers)
