"""The $validate operation, on a type or an instance. http://hl7.org/fhir/R4/resource-operation-validate.html

Nothing is written. A resource is held to R4; to a profile where one is named, or claimed; and with `mode` to everything that the create, update or
delete itself would be refused for. Whatever is found, the answer is 200 and an OperationOutcome, unless nothing is there to validate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from fastapi import HTTPException

from gateway.api.access import view
from gateway.api.answers import Answer, FhirResponse
from gateway.api.body_cost import check_elements
from gateway.api.bundles import FEEDERS
from gateway.api.capabilities import EVERY, Offer, Operation
from gateway.api.grants import grant
from gateway.api.preparing import aim, asked, prepare
from gateway.api.requests import Call, check_content_type, is_id
from gateway.api.services import Services
from gateway.errors import GatewayError, Malformed, NotFound
from gateway.fhir import validation
from gateway.fhir.outcome import Issue, Rejected, outcome
from gateway.fhir.parsing import parse
from gateway.smart.access import Caller

Json = dict[str, Any]

NAME = "$validate"
OFFER = Offer(operations=(Operation("validate", "http://hl7.org/fhir/OperationDefinition/Resource-validate", (EVERY,)),))

_METHODS = {"create": "POST", "update": "PUT", "delete": "DELETE"}
MODES = (*_METHODS, "profile")
_INPUTS = ("resource", "mode", "profile")


class Wanted(NamedTuple):
    """What is to be validated."""

    resource: Json | None
    mode: str = ""
    profile: str = ""


async def validate(services: Services, caller: Caller, call: Call) -> Answer:
    """POST Type/$validate, POST or GET Type/id/$validate: what is wrong with a resource."""
    type, id = call.path[0], call.path[1] if len(call.path) == 3 else ""
    if call.method not in (("GET", "HEAD", "POST") if id else ("POST",)):
        raise HTTPException(405)
    wanted = _wanted(call, type)
    if id:
        stored = _stored(services, caller, type, id)
        wanted = wanted if wanted.resource is not None else wanted._replace(resource=stored)
    if wanted.resource is None:
        raise Malformed(
            "There is no resource to validate", location="Parameters.parameter", advice="Send it as the body, or as the parameter resource."
        )
    if caller.role not in FEEDERS:  # whose Bundles are large
        check_elements(wanted.resource)
    found = _of_address(wanted.resource, type, id) or await asyncio.to_thread(_checked, services, wanted)
    if wanted.mode in _METHODS and not any(each.severity == "error" for each in found):
        found += await asyncio.to_thread(_as_a_write, services, caller, call, wanted)
    return FhirResponse(outcome(found or [Issue("informational", "Nothing is wrong with it.", severity="information")]))


def _stored(services: Services, caller: Caller, type: str, id: str) -> Json:
    leave = grant(caller, type, "r")
    with view(services.store, caller.recipient) as look:
        found = look.find(type, id) if is_id(id) else None
        opened = found is not None and leave.opens(found.resource, look)
    if found is None or not opened:
        raise NotFound("There is no such resource", location=type)
    return found.resource


# --- what is asked ----------------------------------------------------------------------------------------------------


def _wanted(call: Call, type: str) -> Wanted:
    given: dict[str, Any] = {}
    for name, value in call.parameters:
        if name != "_format":
            _put(given, name, value)
    if call.body:
        check_content_type(call)
        body = parse(call.body)
        if body["resourceType"] == "Parameters" and (type != "Parameters" or _holds_a_resource(body)):
            for parameter in _list(body.get("parameter")):
                _put(given, parameter.get("name"), parameter.get("resource") or _value(parameter))
        else:
            given["resource"] = body
    resource, mode, profile = (given.get(name) for name in _INPUTS)
    if mode is not None and mode not in MODES:
        raise Malformed("There is no such mode of validation", location="Parameters.parameter", advice=f"One of {', '.join(MODES)}.")
    if (resource is not None and not isinstance(resource, dict)) or (profile is not None and not isinstance(profile, str)):
        raise Malformed("A parameter is not of its type", location="Parameters.parameter")
    return Wanted(resource, mode or "", profile or "")


def _put(given: dict[str, Any], name: Any, value: Any) -> None:
    if name not in _INPUTS or name in given:
        raise Malformed("$validate takes each of its parameters once", location="Parameters.parameter", advice=f"They are {', '.join(_INPUTS)}.")
    given[name] = value


def _holds_a_resource(body: Json) -> bool:
    return any(one.get("name") == "resource" for one in _list(body.get("parameter")))


def _list(value: Any) -> Sequence[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _value(parameter: Json) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), "")


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _of_address(resource: Json, type: str, id: str) -> list[Issue]:
    if resource.get("resourceType") != type:
        return [Issue("invalid", "The resource is of another type than the address says.", "resourceType")]
    if id and resource.get("id") != id:
        return [Issue("invalid", "The resource's id is not the one in the address.", f"{type}.id")]
    return []


def _checked(services: Services, wanted: Wanted) -> list[Issue]:
    assert wanted.resource is not None  # asked before
    try:
        found = validation.written_issues(wanted.resource)
    except GatewayError as error:
        return _issues(error)
    if services.profiles is not None:
        more = services.profiles(wanted.resource, wanted.profile)
    else:
        more = None if wanted.profile else []
    if more is None:
        more = [Issue("not-found", "This profile is not known here: the resource was not held to it.", "profile")]
    told = {each.location for each in found}
    return found + [each for each in more if each.location not in told]


def _as_a_write(services: Services, caller: Caller, call: Call, wanted: Wanted) -> list[Issue]:
    """What the interaction itself would be refused for: who may write what, references, the version that If-Match names, the rules of a Task."""
    type, id = call.path[0], call.path[1] if len(call.path) == 3 else ""
    stated = {"if-match": call.header("if-match")} if call.header("if-match") else {}
    address = (type, id) if id and wanted.mode != "create" else (type,)
    if wanted.mode != "create" and not id:
        return [Issue("not-supported", "To validate a change, name the resource: Type/id/$validate.", type, "warning")]
    body = b"" if wanted.mode == "delete" else orjson.dumps(wanted.resource)
    try:
        write = asked(caller, Call(_METHODS[wanted.mode], address, (), stated, body))
        with view(services.store, caller.recipient) as look:
            prepare(services, caller, look, write, aim(services, caller, look, write))
    except GatewayError as error:
        return _issues(error)
    except HTTPException:
        return [Issue("not-supported", "Resources of this type are not written so over REST.", type)]
    return []


def _issues(error: GatewayError) -> list[Issue]:
    if isinstance(error, Rejected):
        return list(error.issues)
    return [Issue(error.issue, f"{error.message.rstrip('.')}. {error.advice}".strip(), error.location)]
