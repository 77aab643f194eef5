"""POST to the base, and $process-message.

A hospital's Bundle is an input of its feed: taken whole, as bytes, through the journey; one that cannot be understood is quarantined, and told
so. Other clients' Bundles are batches of interactions, each answered as it would be alone, or transactions (`transactions`).
"""

from __future__ import annotations

import asyncio
import uuid
from functools import partial
from typing import Any

import orjson
from fastapi import Response

from gateway.api.answers import Answer, FhirResponse
from gateway.api.auditing import disclosed
from gateway.api.body_cost import check_elements
from gateway.api.capabilities import Offer, Operation
from gateway.api.entries import alone, check_shape, entry_of, interaction_of
from gateway.api.grants import grant
from gateway.api.requests import Call, check_content_type
from gateway.api.services import Services
from gateway.api.transactions import Interact, transaction
from gateway.errors import Forbidden, GatewayError, Invalid, Malformed, TooLarge
from gateway.fhir.outcome import Issue, outcome
from gateway.fhir.parsing import parse
from gateway.mappings.feeds.profile import of_fhir
from gateway.mappings.fhir.standing import standing
from gateway.pipeline.received import Received
from gateway.smart.access import Caller
from gateway.store.interface import ALL

Json = dict[str, Any]

OFFER = Offer(
    system=("transaction", "batch"),
    operations=(Operation("process-message", "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"),),
)

FEEDERS = ("hospital", "operator")
"""Roles whose Bundles are inputs of a feed."""


async def process_message(services: Services, caller: Caller, call: Call) -> Response:
    """$process-message: a message Bundle in, the response message out. http://hl7.org/fhir/R4/messageheader-operation-process-message.html"""
    await _take(services, caller, call, "fhir-message")
    message = parse(call.body)
    if message.get("type") != "message":
        return FhirResponse(outcome([Issue("informational", "It was taken, though it is no message.", severity="information")]))
    header = message["entry"][0]["resource"]
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
    """POST to the base: a hospital's resources, or a client's batch or transaction. `interact` leaves the audit to us."""
    if caller.role in FEEDERS:
        return await _feed(services, caller, call)
    check_content_type(call)
    bundle = parse(call.body)
    entries = bundle.get("entry", [])
    if bundle["resourceType"] != "Bundle" or bundle.get("type") not in ("batch", "transaction") or not isinstance(entries, list):
        raise Invalid("Only a batch or a transaction is posted to the base", location="Bundle.type")
    _check_number(len(entries), services.limits.batch)
    check_elements(bundle)
    services.charge(caller.client, len(entries))
    check_shape(entries)
    if bundle["type"] == "transaction":
        said = await transaction(services, caller, call, entries, interact)
    else:
        said = [await alone(partial(_one, services, caller, call, each, interact)) for each in entries]
    response: Json = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    return FhirResponse({**response, **({"entry": [entry_of(one) for one in said]} if said else {})})


async def _one(services: Services, caller: Caller, outer: Call, entry: Json, interact: Interact) -> Answer:
    """One entry of a batch, as if it had been asked alone."""
    await asyncio.sleep(0)  # others are answered meanwhile
    call = interaction_of(services, entry, outer)
    return disclosed(services, caller, call, await interact(services, caller, call))


# --- a feed's input ---------------------------------------------------------------------------------------------------


async def _take(services: Services, caller: Caller, call: Call, kind: str) -> None:
    """Put the bytes through the journey. Raises what they were refused or quarantined for."""
    grant(caller, "Bundle", "c")
    if caller.role not in FEEDERS:
        raise Forbidden("Only a hospital's client sends for a feed", location="Bundle")
    check_content_type(call)
    _check_size(call.body, services.limits.feed_batch)
    about = {"method": "POST", "path": "/".join(call.path), "client": caller.client, "role": caller.role, "organization": caller.organization}
    result = await asyncio.wrap_future(services.journey.submit(Received(kind, call.body, _feed_of(caller, call), about)))
    if result.error is not None:
        raise result.error


def _check_size(body: bytes, most: int) -> None:
    """Raises TooLarge for a Bundle of too many entries. What is no Bundle is for the journey to judge, which keeps what it refuses."""
    try:
        value = orjson.loads(body)
    except ValueError:
        return
    entries = value.get("entry") if isinstance(value, dict) else None
    if isinstance(entries, list):
        _check_number(len(entries), most)


def _check_number(entries: int, most: int) -> None:
    if entries > most:
        raise TooLarge("The Bundle has too many entries", location="Bundle.entry", advice=f"At most {most} are taken.")


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
    """A feed's transaction, batch or single resource: taken whole or not at all, and told where its resources stand. Not in which version: versions
    move with what others say of the same people."""
    await _take(services, caller, call, "fhir-bundle")
    taken = parse(call.body)
    where = _where(services, taken, _feed_of(caller, call))
    if taken["resourceType"] != "Bundle" or taken["type"] not in ("batch", "transaction"):
        told = outcome([Issue("informational", "It was taken.", severity="information")])
        return FhirResponse(told, headers={"Content-Location": where[taken["resourceType"]]} if taken["resourceType"] in where else None)
    entries = []
    for number, entry in enumerate(taken.get("entry", [])):
        location = where.get(f"Bundle.entry[{number}].resource")
        status = "201 Created" if location and entry.get("request", {}).get("method") == "POST" else "200 OK"
        entries.append({"response": {"status": status, **({"location": location} if location else {})}})
    return FhirResponse({"resourceType": "Bundle", "type": f"{taken['type']}-response", **({"entry": entries} if entries else {})})


def _where(services: Services, taken: Json, feed: str) -> dict[str, str]:
    """The addresses under which the resources of a feed's input are now, by their places in it. What is kept in the inbox alone has none."""
    try:
        stand = standing(taken, of_fhir(services.feeds, feed), services.identify)
    except GatewayError:  # it was taken all the same: where it stands is a courtesy
        return {}
    found = {}
    with services.store.reading() as reader:
        for place, type, ids in stand:
            here = next((id for id in ids if (one := reader.read(ALL, type, id)) is not None and one.body is not None), None)
            if here is not None:
                found[place] = f"{services.fhir_url}/{type}/{here}"
    return found
