"""The create, update, patch and delete interactions. http://hl7.org/fhir/R4/http.html#create

A write is an input like any other: it is checked (`preparing`), goes through the journey, and is read back from what was committed. There is no
update-as-create by id: a PUT to an id that does not exist for the caller answers 404, and so does a DELETE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.api import answers
from gateway.api.access import Seen, view
from gateway.api.answers import Answer, FhirResponse
from gateway.api.capabilities import Offer
from gateway.api.conditional import names_a_version
from gateway.api.preparing import WRITES, Aim, Prepared, Write, aim, asked, prepare
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Conflict
from gateway.fhir import outcome
from gateway.fhir.outcome import Issue
from gateway.privacy import audit
from gateway.smart.access import Caller

Json = dict[str, Any]

OFFER = Offer(
    interactions=WRITES,
    more={
        type: {
            **({"conditionalCreate": True} if "create" in codes else {}),
            **({"conditionalUpdate": True} if "update" in codes else {}),
            **({"conditionalDelete": "single"} if "delete" in codes else {}),
            "referencePolicy": ["literal", "enforced"],
        }
        for type, codes in WRITES.items()
    },
)

ATTEMPTS = 3
"""How often a write that named no version is tried anew when the resource changed under it."""


async def write(services: Services, caller: Caller, call: Call) -> Answer:
    """POST, PUT, PATCH or DELETE on a type or an instance."""
    wanted = asked(caller, call)
    for attempt in range(1, ATTEMPTS + 1):
        aimed, prepared = await asyncio.to_thread(_planned, services, caller, wanted, again=attempt > 1)
        if prepared is None:
            break
        try:
            await submit(services, [prepared])
        except Conflict:
            if names_a_version(call) or attempt == ATTEMPTS:
                raise
            continue
        break
    return answer_to(services, caller, call, aimed, prepared)


def _planned(services: Services, caller: Caller, wanted: Write, again: bool) -> tuple[Aim, Prepared | None]:
    """What the write is aimed at, and the write as the journey takes it, if there is anything to do. On a thread of its own: a condition is a search,
    and to hold a large body to R4 takes its time."""
    with view(services.store, caller.recipient) as look:
        aimed = aim(services, caller, look, wanted, again)
        return aimed, None if aimed.stands else prepare(services, caller, look, wanted, aimed)


async def submit(services: Services, writes: Sequence[Prepared]) -> None:
    """Put prepared writes through the journey: all of them, or none. Raises what they were refused for."""
    if len(writes) == 1:
        result = await asyncio.wrap_future(services.journey.submit(writes[0].received))
        if result.error is not None:
            raise result.error
    elif writes:
        await asyncio.wrap_future(services.journey.submit_together([each.received for each in writes]))


def answer_to(services: Services, caller: Caller, call: Call, aimed: Aim, done: Prepared | None) -> Answer:
    """The answer to a write that was taken, or to a conditional create that found what it asks for (`done` is None then)."""
    if done is not None:
        answer = _read_back(services, caller, call, done)
    else:
        assert aimed.current is not None  # it stands
        answer = _answered(services, call, aimed.current, 200)
    if aimed.found and aimed.current is not None:
        answer.shown = audit.shown([aimed.current.resource])  # also where Prefer wants no body: whoever asked knows now that there is one
    return answer


def _read_back(services: Services, caller: Caller, call: Call, done: Prepared) -> Answer:
    """The resource as the caller sees it now."""
    if done.status == 204:
        return _told("It was deleted.", 200) if call.prefers("return=operationoutcome") else FhirResponse(None, 204)
    with view(services.store, caller.recipient) as look:
        found = look.find(done.type, done.id)
    if found is None:
        return _told("It was taken, and is no longer the caller's to read.", 200)
    return _answered(services, call, found, done.status)


def _answered(services: Services, call: Call, one: Seen, status: int) -> Answer:
    """A resource that was written, in the form that Prefer asks for. http://hl7.org/fhir/R4/http.html#return"""
    address = f"{services.fhir_url}/{one.resource['resourceType']}/{one.resource['id']}/_history/{one.number}"
    headers = {"Content-Location": address, **({"Location": address} if status == 201 else {})}
    if call.prefers("return=minimal"):
        return FhirResponse(None, status, {**answers.versioned(one), **headers})
    if call.prefers("return=operationoutcome"):
        return _told("It was taken.", status, {**answers.versioned(one), **headers})
    return answers.resource(one, status, headers)


def _told(text: str, status: int, headers: dict[str, str] | None = None) -> FhirResponse:
    return FhirResponse(outcome.outcome([Issue("informational", text, severity="information")]), status, headers)
