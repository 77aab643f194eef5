"""POST to the base, and $process-message.

A hospital's Bundle is an input of its feed: taken whole, as bytes, through the journey; one that cannot be understood is quarantined, and told
so. Other clients' Bundles are batches of interactions: each entry is an interaction of its own, answered as it would be alone.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import HTTPException, Response

from gateway.api.answers import Answer, FhirResponse, failure
from gateway.api.capabilities import Offer, Operation
from gateway.api.grants import grant
from gateway.api.requests import Call, check_content_type, parameters
from gateway.api.services import Services
from gateway.errors import Forbidden, GatewayError, Invalid, Malformed, TooLarge, Unsupported
from gateway.fhir.outcome import Issue, outcome
from gateway.fhir.parsing import parse
from gateway.pipeline.received import Received
from gateway.smart.access import Caller

Json = dict[str, Any]
Interact = Callable[[Services, Caller, Call], Awaitable[Answer]]

OFFER = Offer(
    system=("transaction", "batch"),
    operations=(Operation("process-message", "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"),),
)

FEEDERS = ("hospital", "operator")
"""Roles whose Bundles are inputs of a feed."""


async def process_message(services: Services, caller: Caller, call: Call) -> Response:
    """$process-message: a message Bundle in, the response message out. http://hl7.org/fhir/R4/messageheader-operation-process-message.html"""
    await _take(services, caller, call, "fhir-message")
    header = parse(call.body)["entry"][0]["resource"]
    said = uuid.uuid5(uuid.NAMESPACE_URL, f"{services.fhir_url}/MessageHeader/{header.get('id', '')}")
    response: Json = {
        "resourceType": "MessageHeader",
        "id": str(said),
        "eventCoding": header["eventCoding"],
        "source": {"name": "care transition gateway", "endpoint": f"{services.fhir_url}/$process-message"},
        "response": {"identifier": header.get("id") or "unknown", "code": "ok"},
    }
    entry = {"fullUrl": f"urn:uuid:{said}", "resource": response}
    return FhirResponse({"resourceType": "Bundle", "type": "message", "entry": [entry]})


async def base(services: Services, caller: Caller, call: Call, interact: Interact) -> Response:
    """POST to the base: a hospital's resources, or a client's batch."""
    if caller.role in FEEDERS:
        return await _feed(services, caller, call)
    check_content_type(call)
    bundle = parse(call.body)
    entries = bundle.get("entry", [])
    if bundle["resourceType"] != "Bundle" or bundle.get("type") not in ("batch", "transaction") or not isinstance(entries, list):
        raise Invalid("Only a batch or a transaction is posted to the base", location="Bundle.type")
    if len(entries) > services.limits.batch:
        raise TooLarge("The Bundle has too many entries", location="Bundle.entry", advice=f"At most {services.limits.batch} are taken.")
    calls = [_call(services, entry, number) for number, entry in enumerate(entries)]
    if bundle["type"] == "batch":
        answers = [await _alone(services, caller, one, interact) for one in calls]
    else:
        answers = await _together(services, caller, calls, interact)
    return FhirResponse({"resourceType": "Bundle", "type": f"{bundle['type']}-response", "entry": [_entry(one) for one in answers]})


# --- a feed's input ---------------------------------------------------------------------------------------------------


async def _take(services: Services, caller: Caller, call: Call, kind: str) -> None:
    """Put the bytes through the journey. Raises what they were refused or quarantined for."""
    grant(caller, "Bundle", "c")
    if caller.role not in FEEDERS:
        raise Forbidden("Only a hospital's client sends for a feed", location="Bundle")
    check_content_type(call)
    about = {"method": "POST", "path": "/".join(call.path), "client": caller.client, "role": caller.role, "organization": caller.organization}
    result = await asyncio.wrap_future(services.journey.submit(Received(kind, call.body, _feed_of(caller, call), about)))
    if result.error is not None:
        raise result.error


def _feed_of(caller: Caller, call: Call) -> str:
    """The feed that the client sends for: the one it is bound to; of several, the one that `feed` names. An operator's may name any, or none."""
    named = next((value for name, value in call.parameters if name == "feed"), "")
    if caller.role == "operator":
        return named
    if named and named not in caller.feeds:
        raise Forbidden("This client is not bound to that feed", location="feed")
    if not named and len(caller.feeds) != 1:
        raise Malformed("This client is not bound to one feed", location="feed", advice="Name one of its feeds as ?feed=NAME.")
    return named or caller.feeds[0]


async def _feed(services: Services, caller: Caller, call: Call) -> Response:
    """A feed's transaction, batch or single resource: taken whole or not at all."""
    await _take(services, caller, call, "fhir-bundle")
    taken = parse(call.body)
    if taken["resourceType"] != "Bundle" or taken["type"] not in ("batch", "transaction"):
        return FhirResponse(outcome([Issue("informational", "It was taken.", severity="information")]))
    entries = [{"response": {"status": "200 OK"}} for _ in taken.get("entry", [])]
    return FhirResponse({"resourceType": "Bundle", "type": f"{taken['type']}-response", **({"entry": entries} if entries else {})})


# --- a client's batch -------------------------------------------------------------------------------------------------


_HEADERS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}


def _call(services: Services, entry: Any, number: int) -> Call:
    """The interaction that an entry asks for."""
    place = f"Bundle.entry[{number}].request"
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("url"), str) or not isinstance(request.get("method"), str):
        raise Malformed("An entry says by request what is asked", location=place)
    if request["method"] not in ("GET", "HEAD", "POST", "PUT"):
        raise Unsupported("This method is not taken in a Bundle", location=f"{place}.method", advice="Send GET, POST or PUT.")
    try:
        url = urlsplit(request["url"].removeprefix(f"{services.fhir_url}/"))
    except ValueError:
        raise Malformed("This is no address below the base", location=f"{place}.url") from None
    path = tuple(step for step in url.path.split("/") if step)
    if url.scheme or url.netloc or not path:
        raise Malformed("This is no address below the base", location=f"{place}.url")
    headers = {name: str(request[element]) for element, name in _HEADERS.items() if element in request}
    return Call(request["method"], path, parameters(url.query), headers, orjson.dumps(entry["resource"]) if "resource" in entry else b"")


async def _alone(services: Services, caller: Caller, call: Call, interact: Interact) -> Response:
    """The entry's answer, whatever it is."""
    try:
        return await interact(services, caller, call)
    except GatewayError as error:
        return failure(error)
    except HTTPException as refusal:
        return FhirResponse(outcome([Issue("not-supported", "There is no such interaction.")]), refusal.status_code)


async def _together(services: Services, caller: Caller, calls: list[Call], interact: Interact) -> list[Response]:
    """A transaction: all or nothing. One write at most, done first; where it fails, the whole does."""
    writes = [number for number, one in enumerate(calls) if one.method in ("POST", "PUT") and one.path[-1] != "_search"]
    if len(writes) > 1:
        raise Unsupported("A client's transaction holds one write", location="Bundle.type", advice="Send several writes as a batch.")
    answers = {number: await interact(services, caller, calls[number]) for number in writes}
    for number, one in enumerate(calls):
        if number not in answers:
            answers[number] = await interact(services, caller, one)
    return [answers[number] for number in range(len(calls))]


def _entry(answer: Response) -> Json:
    """An interaction's answer as an entry."""
    response: Json = {"status": str(answer.status_code)}
    if location := answer.headers.get("location"):
        response["location"] = location
    if etag := answer.headers.get("etag"):
        response["etag"] = etag
    body = orjson.loads(answer.body) if answer.body else None
    if body is not None and answer.status_code >= 400:
        return {"response": {**response, "outcome": body}}
    return {"response": response, **({"resource": body} if body is not None else {})}
