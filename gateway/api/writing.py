"""The create, update and patch interactions. http://hl7.org/fhir/R4/http.html#create

A write is an input like any other: it is checked here, goes through the journey, and is read back from what was committed. Who may write what is in
`WRITES`; the gateway derives the rest. There is no update-as-create: a PUT to an id that does not exist for the caller answers 404.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from fastapi import HTTPException

from gateway.api import answers
from gateway.api.access import Seen, View, view
from gateway.api.answers import Answer, FhirResponse
from gateway.api.capabilities import Offer
from gateway.api.grants import grant
from gateway.api.requests import JSON_PATCH, Call, check_content_type, is_id, parameters
from gateway.api.searching import read_query, run
from gateway.api.services import Services
from gateway.errors import Conflict, Forbidden, Invalid, Malformed, NotFound
from gateway.fhir import elements, outcome, patch, validation
from gateway.fhir.outcome import Issue, Rejected
from gateway.fhir.parsing import parse, parse_json
from gateway.mappings.fhir.writes import check_claim, own_system, patient_of
from gateway.pipeline.received import Outcome, Received
from gateway.smart.access import Caller

Json = dict[str, Any]

WRITES: Mapping[str, tuple[str, ...]] = {
    "Appointment": ("create", "update", "patch"),
    "Communication": ("create",),
    "Consent": ("create", "update", "patch"),
    "Task": ("update", "patch"),
}
"""What may be written over REST, by type."""

KEEPERS: Mapping[str, tuple[str, ...]] = {"Consent": ("coordinator", "operator")}
"""The roles that alone may write a type, whatever a scope says: an agency that wrote Consents could permit itself what is withheld from it."""

OFFER = Offer(interactions=WRITES, more={type: {"conditionalCreate": "create" in codes} for type, codes in WRITES.items()})

Wanted = Callable[[Seen], tuple[bytes, dict[str, str]]]
"""The current version -> the body to submit, and what else the inbox should know of it."""

_ATTEMPTS = 3
"""How often a write without If-Match is tried anew when the resource changed under it."""


async def create(services: Services, caller: Caller, call: Call) -> Answer:
    """POST: a new resource; with If-None-Exist, only where the search finds none."""
    (type,) = call.path
    leave = grant(caller, type, "c")
    _check_allowed(caller, type, "create")
    check_content_type(call)
    resource = _resource(call.body, type)
    if not leave.opens(resource):
        raise Forbidden("The access token's scope does not reach this resource", location=type)
    existing = _existing(services, caller, type, call)
    if existing is not None:
        return answers.resource(existing, headers={"Content-Location": _address(services, existing)})
    with view(services.store, caller.recipient) as look:
        _check_references(look, resource, {})
    value = uuid.uuid4().hex
    key = f"{own_system(caller.organization or caller.client)}|{value}"
    id = services.identify(type, key)
    about = _about(caller, "POST", type, id, key=key)
    await _submit(services, call.body, about)
    return _read_back(services, caller, call, type, id, 201)


async def update(services: Services, caller: Caller, call: Call) -> Answer:
    """PUT: the resource as the caller wants it."""
    type, id = call.path
    check_content_type(call)

    def wanted(_: Seen) -> tuple[bytes, dict[str, str]]:
        resource = _resource(call.body, type)
        if resource.get("id") != id:
            raise Malformed("The body's id is not the one in the address", location=f"{type}.id")
        return call.body, {}

    return await _change(services, caller, call, "update", wanted)


async def patched(services: Services, caller: Caller, call: Call) -> Answer:
    """PATCH: JSON Patch on the version that the caller sees."""
    check_content_type(call, JSON_PATCH)

    def wanted(current: Seen) -> tuple[bytes, dict[str, str]]:
        result = patch.apply(current.resource, parse_json(call.body))
        if (result.get("resourceType"), result.get("id")) != call.path:
            raise Invalid("A patch leaves type and id as they are", location=f"{call.path[0]}.id")
        validation.check(result)
        return orjson.dumps(result), {"patch": call.body.decode("utf-8", "replace")}

    return await _change(services, caller, call, "patch", wanted)


async def _change(services: Services, caller: Caller, call: Call, interaction: str, wanted: Wanted) -> Answer:
    """Check a change against the version that the caller sees, pin that version, and submit; anew if it changed and If-Match said nothing."""
    type, id = call.path
    leave = grant(caller, type, "u")
    _check_allowed(caller, type, interaction)
    stated = call.if_match()
    for attempt in range(1, _ATTEMPTS + 1):
        with view(services.store, caller.recipient) as look:
            current = look.read(type, id) if is_id(id) else None
            if current is None or not leave.opens(current.resource):
                raise NotFound("There is no such resource", location=f"{type}/{id}" if is_id(id) else type)
            if stated and stated != str(current.number):
                raise _changed(type)
            raw, more = wanted(current)
            resource = parse(raw)
            about = _about(caller, call.method, type, id, **more, **{"if-match": str(current.number)})
            if type == "Task":
                _check_task(caller, resource, current.resource, bool(stated))
            else:
                about["key"] = _own_key(caller, type, current.resource)
                _check_same_patient(resource, current.resource)
            _check_references(look, resource, current.resource)
        try:
            await _submit(services, raw, about)
        except Conflict:
            if stated or attempt == _ATTEMPTS:
                raise
            continue
        return _read_back(services, caller, call, type, id, 200)
    raise _changed(type)


# --- checks -----------------------------------------------------------------------------------------------------------


def _changed(type: str) -> Conflict:
    return Conflict("It has changed since it was read", location=type, advice="Read it again, decide again, and send its version in If-Match.")


def _check_allowed(caller: Caller, type: str, interaction: str) -> None:
    if interaction not in WRITES.get(type, ()):
        raise HTTPException(405)
    if caller.role not in KEEPERS.get(type, (caller.role,)):
        raise Forbidden("Only the coordinator keeps these", location=type, advice="Ask the coordinator to record it.")


def _resource(body: bytes, type: str) -> Json:
    """The body as a valid resource of the type."""
    resource = parse(body)
    if resource["resourceType"] != type:
        raise Malformed("The body is of another type than the address says", location="resourceType")
    validation.check(resource)
    return resource


def _check_task(caller: Caller, body: Json, current: Json, stated: bool) -> None:
    """An agency writes its own Task; to take one on, it must say which version it saw: two must not both believe that they have the client."""
    owner = elements.relative(str(current.get("owner", {}).get("reference", "")))
    if caller.role == "agency" and owner != f"Organization/{caller.organization}":
        raise Forbidden("This Task is not the caller's to answer", location="Task.owner")
    claims = current.get("status") == "requested" and body.get("status") == "accepted"
    if claims and not stated:
        raise Conflict("To accept a Task, say which version was read", location="If-Match", advice='Send If-Match: W/"version".')
    check_claim(body, current)


def _own_key(caller: Caller, type: str, current: Json) -> str:
    """The key under which the caller's organization made the resource. Raises Forbidden where somebody else did."""
    system = own_system(caller.organization or caller.client)
    for identifier in elements.values(current, "identifier"):
        if isinstance(identifier, dict) and identifier.get("system") == system:
            return f"{system}|{identifier['value']}"
    raise Forbidden("Somebody else keeps this resource", location=type, advice="Only who made it here changes it here.")


def _check_same_patient(body: Json, current: Json) -> None:
    if patient_of(body) != patient_of(current):
        raise Invalid("A resource stays with its patient", location=body["resourceType"])


def _check_references(look: View, resource: Json, current: Json) -> None:
    """Every reference that a write brings names something that the caller sees: what does not exist and what is another's are told alike."""
    stand = {reference["reference"] for _, reference in elements.references(current)}
    issues = []
    for place, reference in elements.references(resource):
        literal = reference["reference"]
        if literal.startswith("#") or literal in stand:
            continue
        type, _, id = elements.relative(literal).partition("/")
        if not id or look.find(type, id) is None:
            issues.append(Issue("not-found", "This refers to nothing that the caller can read here.", f"{place}.reference"))
    if issues:
        raise Rejected(issues)


def _existing(services: Services, caller: Caller, type: str, call: Call) -> Seen | None:
    """What If-None-Exist finds among what the caller sees."""
    asked = call.header("if-none-exist")
    if not asked:
        return None
    leave = grant(caller, type, "s")
    query = read_query(services, caller, type, parameters(asked))
    query.count = 2
    with view(services.store, caller.recipient) as look:
        found = run(services, look, query, leave).found
    if len(found) > 1:
        raise Conflict("More than one resource answers If-None-Exist", location="If-None-Exist")
    return found[0] if found else None


# --- through the journey ----------------------------------------------------------------------------------------------


def _about(caller: Caller, method: str, type: str, id: str, **more: str) -> dict[str, str]:
    return {
        "method": method,
        "type": type,
        "id": id,
        "path": f"{type}/{id}",
        "client": caller.client,
        "role": caller.role,
        "organization": caller.organization,
        "recipient": caller.recipient,
        "sender": f"{caller.role}/{caller.organization or caller.client}",
        **more,
    }


async def _submit(services: Services, raw: bytes, about: Mapping[str, str]) -> Outcome:
    result = await asyncio.wrap_future(services.journey.submit(Received("fhir-write", raw, about=about)))
    if result.error is not None:
        raise result.error
    return result


def _read_back(services: Services, caller: Caller, call: Call, type: str, id: str, status: int) -> Answer:
    with view(services.store, caller.recipient) as look:
        found = look.find(type, id)
    if found is not None:
        return _answer(call, services, found, status)
    gone = Issue("informational", "It was taken, and is no longer the caller's to read.", severity="information")
    return FhirResponse(outcome.outcome([gone]), 200)


def _answer(call: Call, services: Services, one: Seen, status: int) -> Answer:
    headers = {"Location" if status == 201 else "Content-Location": _address(services, one)}
    if call.prefers("return=minimal"):
        return FhirResponse(None, status, {**answers.versioned(one), **headers})
    if call.prefers("return=operationoutcome"):
        done = Issue("informational", "It was taken.", severity="information")
        return FhirResponse(outcome.outcome([done]), status, {**answers.versioned(one), **headers})
    return answers.resource(one, status, headers)


def _address(services: Services, one: Seen) -> str:
    return f"{services.fhir_url}/{one.resource['resourceType']}/{one.resource['id']}/_history/{one.number}"
