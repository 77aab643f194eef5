"""The entries of a batch or a transaction: each as the interaction that it asks for, and each answer as an entry. http://hl7.org/fhir/R4/http.html#transaction"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import HTTPException

from gateway.api.answers import Answer, FhirResponse, failure
from gateway.api.requests import JSON_PATCH, Call, check_accept, parameters
from gateway.api.services import Services
from gateway.errors import GatewayError, Malformed, Unsupported
from gateway.fhir import times
from gateway.fhir.outcome import Issue, Rejected, outcome

Json = dict[str, Any]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist", "ifModifiedSince": "if-modified-since"}


def check_shape(entries: Sequence[Any]) -> None:
    """Raise Malformed where what was posted is no batch or transaction: each entry of one has a request (bdl-3) with method and url."""
    for number, entry in enumerate(entries):
        request = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(request, dict) or not isinstance(request.get("url"), str) or not isinstance(request.get("method"), str):
            raise Malformed("An entry says by request what is asked", location=f"Bundle.entry[{number}].request")


def interaction_of(services: Services, entry: Json, outer: Call) -> Call:
    """The interaction that an entry asks for. What the whole request prefers (`return`, `handling`) holds for its entries."""
    request = entry["request"]
    if request["method"] not in METHODS:
        raise Unsupported("This method is not taken in a Bundle", location="request.method", advice=f"Send one of {', '.join(METHODS)}.")
    path, query = _address(services, request["url"])
    headers = {name: request[element] for element, name in _HEADERS.items() if isinstance(request.get(element), str)}
    if outer.header("prefer"):
        headers["prefer"] = outer.header("prefer")
    call = Call(request["method"], path, parameters(query), headers)
    check_accept(call)
    if call.method == "POST" and path[-1] == "_search":
        return call._replace(method="GET", path=path[:-1])
    if call.method == "PATCH":
        return call._replace(headers={**headers, "content-type": JSON_PATCH[0]}, body=_patch(entry.get("resource")))
    return call._replace(body=orjson.dumps(entry["resource"])) if "resource" in entry else call


def _address(services: Services, url: str) -> tuple[tuple[str, ...], str]:
    """The path below the base, and the query."""
    try:
        split = urlsplit(url.removeprefix(f"{services.fhir_url}/"))
    except ValueError:
        split = urlsplit("")
    path = tuple(step for step in split.path.split("/") if step)
    if split.scheme or split.netloc or not path:
        raise Malformed("This is no address below the base", location="request.url")
    return path, split.query


def _patch(resource: Any) -> bytes:
    """A JSON Patch in a Bundle is a Binary. http://hl7.org/fhir/R4/http.html#jsonpatch"""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Binary" or resource.get("contentType") not in JSON_PATCH:
        raise Unsupported(
            "A patch in a Bundle is a Binary that holds a JSON Patch", location="resource", advice=f"Its contentType is {JSON_PATCH[0]}."
        )
    try:
        return base64.b64decode(resource.get("data", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Malformed("The data of the Binary is not base64", location="resource.data") from None


async def alone(do: Callable[[], Awaitable[Answer]]) -> Answer:
    """An interaction's answer, whatever it is: one entry's failure is no other's."""
    try:
        return await do()
    except GatewayError as error:
        return failure(error)
    except HTTPException as refusal:
        return FhirResponse(outcome([Issue("not-supported", "There is no such interaction.")]), refusal.status_code)


def within(error: GatewayError, number: int, type: str = "") -> GatewayError:
    """The failure of one entry as the failure of its Bundle: its places are said from there."""
    place = f"Bundle.entry[{number}]"
    if isinstance(error, Rejected):
        return Rejected([each._replace(location=_within(place, each.location, type)) for each in error.issues])
    error.location = _within(place, error.location, type)
    return error


def _within(place: str, location: str, type: str) -> str:
    if location == type or location.startswith(f"{type}."):
        return f"{place}.resource{location.removeprefix(type)}"
    return f"{place}.{location}" if location.startswith(("request", "resource")) else place


def entry_of(answer: Answer) -> Json:
    """An interaction's answer as an entry."""
    response: Json = {"status": str(answer.status_code)}
    if location := answer.headers.get("location") or answer.headers.get("content-location"):
        response["location"] = location
    if etag := answer.headers.get("etag"):
        response["etag"] = etag
    if modified := answer.headers.get("last-modified"):
        response["lastModified"] = times.instant(int(parsedate_to_datetime(modified).timestamp()) * 1_000_000)
    body = orjson.loads(answer.body) if answer.body else None
    if body is None:
        return {"response": response}
    if body["resourceType"] == "OperationOutcome":
        return {"response": {**response, "outcome": body}}
    if updated := body.get("meta", {}).get("lastUpdated"):
        response["lastModified"] = updated
    return {"resource": body, "response": response}
