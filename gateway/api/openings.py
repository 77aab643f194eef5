"""Agencies' openings: `GET` and `PUT /api/agency` for an agency's own client, `/api/agencies/{id}` for the coordinator and the operator.

    {"open": true, "places": 3, "until": null, "reason": ""}

It holds from its commit on. One that takes no new clients is passed over by routing; whom it has, it keeps. No record of a client is in it.
"""

from __future__ import annotations

import asyncio

import orjson

from gateway.api.answers import Answer
from gateway.api.decisions import json_object, only_deciders
from gateway.api.feed import FeedAnswer
from gateway.api.grants import patient_of
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Forbidden, NotFound
from gateway.mappings.openings import opening_json, opening_of
from gateway.pipeline.openings import opening_input, opening_now
from gateway.smart.access import Caller


async def opening(services: Services, caller: Caller, call: Call) -> Answer:
    """The opening as it stands; with PUT, as it stands from now on. Raises Forbidden, NotFound, Malformed, Invalid."""
    if patient_of(caller, "Task", "u" if call.method == "PUT" else "r"):
        raise Forbidden("this app keeps to one client", advice="Openings are the agency's.")
    agency = _agency(services, caller, call)
    wanted = opening_of(json_object(call)) if call.method == "PUT" else None
    with services.store.reading() as reader:
        standing = opening_now(reader, agency)
    if wanted is not None and wanted != standing:
        await asyncio.wrap_future(services.journey.submit(opening_input(agency, wanted, caller.name)))
    return FeedAnswer(orjson.dumps({"agency": agency, **opening_json(wanted or standing)}))


def _agency(services: Services, caller: Caller, call: Call) -> str:
    """Whose opening it is: an agency's client names none but its own, and cannot."""
    named = call.path[1] if len(call.path) == 2 else ""
    if named:
        only_deciders(caller)
    elif caller.role != "agency":
        raise Forbidden("this client is no agency's", advice="Name the agency: /api/agencies/ID.")
    agency = named or caller.organization
    if agency not in services.agencies:
        raise NotFound("There is no such agency", advice="Those there are stand in the configuration, as [[agency]].")
    return agency
