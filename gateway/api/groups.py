"""An agency's clients as a Group: who they are is what the agency's own view says. http://hl7.org/fhir/R4/group.html

It is made when it is asked for. An agency finds its own Group alone; who sees everything, one for each configured agency.
"""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from gateway.api.access import view
from gateway.api.answers import FhirResponse
from gateway.api.capabilities import Offer
from gateway.api.grants import grant
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Malformed, NotFound
from gateway.smart.access import Caller
from gateway.store.interface import ALL

Json = dict[str, Any]

OFFER = Offer(interactions={"Group": ("read", "search-type")}, more={"Group": {"versioning": "no-version", "readHistory": False}})

AGENCY = "urn:care-transition-gateway:agency"
"""Identifier system of agencies, by their configured id."""


def interact(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """An interaction on Groups. Raises 405 for what there is not."""
    if call.method in ("GET", "HEAD") and len(call.path) <= 2:
        return read(services, caller, call) if len(call.path) == 2 else search(services, caller, call)
    raise HTTPException(405)


def read(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """One Group. Raises NotFound, also for another agency's."""
    leave = grant(caller, "Group", "r")
    group = _group(services, caller, agency_of(services, caller, call.path[1]))
    if not leave.opens(group):
        raise NotFound("There is no such resource", location="Group")
    return _shown(group, [group])


def search(services: Services, caller: Caller, call: Call) -> FhirResponse:
    """The Groups that the caller sees, by `_id` or `identifier` (the agency's id). Raises Malformed for any other parameter, unless lenient."""
    leave = grant(caller, "Group", "s")
    agencies = _agencies(services, caller)
    for name, value in call.parameters:
        if name == "_id":
            agencies = [each for each in agencies if services.identify("Group", each) in value.split(",")]
        elif name == "identifier":
            agencies = [each for each in agencies if value in (each, f"{AGENCY}|{each}")]
        elif name != "_format" and not call.prefers("handling=lenient"):
            raise Malformed("There is no such search parameter", location="Group", advice="Search by _id or identifier.")
    found = [group for group in (_group(services, caller, each) for each in agencies) if leave.opens(group)]
    address = f"{services.fhir_url}/Group"
    entries = [{"fullUrl": f"{address}/{each['id']}", "resource": each, "search": {"mode": "match"}} for each in found]
    result: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": [{"relation": "self", "url": address}]}
    return _shown({**result, "entry": entries} if entries else result, found)


def agency_of(services: Services, caller: Caller, id: str) -> str:
    """The agency whose clients a Group holds. Raises NotFound."""
    for each in _agencies(services, caller):
        if services.identify("Group", each) == id:
            return each
    raise NotFound("There is no such resource", location="Group")


def _agencies(services: Services, caller: Caller) -> list[str]:
    return sorted(services.agencies) if caller.recipient == ALL else [caller.recipient]


def _group(services: Services, caller: Caller, agency: str) -> Json:
    with view(services.store, caller.recipient) as look:
        members = sorted(look.beside(agency).partitions("Patient"))
    group: Json = {
        "resourceType": "Group",
        "id": services.identify("Group", agency),
        "identifier": [{"system": AGENCY, "value": agency}],
        "active": True,
        "type": "person",
        "actual": True,
        "name": f"Clients of {agency}",
        "quantity": len(members),
        "managingEntity": {"reference": f"Organization/{agency}"},
    }
    return {**group, "member": [{"entity": {"reference": f"Patient/{id}"}} for id in members]} if members else group


def _shown(content: Json, groups: list[Json]) -> FhirResponse:
    """The answer; for the audit it shows every member."""
    answer = FhirResponse(content)
    members = {member["entity"]["reference"] for each in groups for member in each.get("member", ())}
    answer.shown = answer.shown._replace(patients=tuple(sorted(members)))
    return answer
