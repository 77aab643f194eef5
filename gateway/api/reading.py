"""The read, vread and history interactions. http://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from typing import Any

from gateway.api import answers, cursor
from gateway.api.access import Seen, view
from gateway.api.answers import Answer, FhirResponse
from gateway.api.grants import Grant, grant
from gateway.api.requests import Call, is_id
from gateway.api.searching import CONTINUE
from gateway.api.services import Services
from gateway.errors import Malformed, NotFound
from gateway.smart.access import Caller
from gateway.store.interface import ALL

Json = dict[str, Any]


def read(services: Services, caller: Caller, call: Call) -> Answer:
    """The newest version of a resource."""
    type, id = call.path
    own = caller.is_own(type, id)  # whom the app was let know: no record refers to everybody who logs in
    leave = Grant(type, ()) if own else grant(caller, type, "r")
    with view(services.store, ALL if own else caller.recipient) as look:
        one = _within(leave, look.read(type, _id(type, id)))
    return answers.unless_matched(call, one)


def vread(services: Services, caller: Caller, call: Call) -> Answer:
    """One version of a resource."""
    type, id, _, number = call.path
    leave = grant(caller, type, "r")
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise NotFound("There is no such version", location=f"{type}/_history")
    with view(services.store, caller.recipient) as look:
        _within(leave, look.read(type, _id(type, id)))
        one = _within(leave, look.vread(type, id, int(number)))
    return answers.unless_matched(call, one)


def history(services: Services, caller: Caller, call: Call) -> Answer:
    """A resource's versions, newest first. Takes _count and the cursor of a next link."""
    type, id, _ = call.path
    leave = grant(caller, type, "r")
    count, before, purpose = services.limits.page_default, None, f"{type}/{id}/_history"
    for name, value in call.parameters:
        if name == "_count" and value.isascii() and value.isdigit() and 0 < len(value) < 10 and int(value) > 0:
            count = min(int(value), services.limits.page)
        elif name == CONTINUE:
            before = cursor.read(services.key, purpose, caller.recipient, value)
        elif name != "_format":
            raise Malformed("The history takes no such parameter", location=f"{type}/_history", advice="It takes _count.")
    with view(services.store, caller.recipient) as look:
        _within(leave, look.read(type, _id(type, id)))
        found = look.history(type, id, count + 1, before, leave.opens)
    page = found[:count]
    address = f"{services.fhir_url}/{type}/{id}"
    links = [{"relation": "self", "url": f"{address}/_history"}]
    if len(found) > count:
        after = cursor.make(services.key, purpose, caller.recipient, page[-1].number)
        links.append({"relation": "next", "url": f"{address}/_history?_count={count}&{CONTINUE}={after}"})
    entries = [_entry(address, type, one) for one in page]
    return FhirResponse({"resourceType": "Bundle", "type": "history", "link": links, "entry": entries})


def _entry(address: str, type: str, one: Seen) -> Json:
    created = one.number == 1
    request = {"method": "POST", "url": type} if created else {"method": "PUT", "url": f"{type}/{one.resource['id']}"}
    response = {"status": "201" if created else "200", "etag": one.etag, "lastModified": one.resource["meta"]["lastUpdated"]}
    return {"fullUrl": address, "resource": one.resource, "request": request, "response": response}


def _id(type: str, id: str) -> str:
    if not is_id(id):
        raise NotFound("There is no such resource", location=type)
    return id


def _within(leave: Grant, one: Seen) -> Seen:
    """The resource, if the scope's constraint lets it be seen; else it does not exist."""
    if not leave.opens(one.resource):
        raise NotFound("There is no such resource", location=leave.type)
    return one
