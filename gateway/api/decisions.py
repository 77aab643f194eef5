"""People's decisions: `POST /api/transitions/{id}/decisions` with {"what", "value", "about", "reason"}; KINDS (mappings/decisions.py) says which.

The coordinator's and the operator's alone. Who decided is the client that asks. The same again says what stands already, and changes nothing.
"""

from __future__ import annotations

import asyncio

import orjson

from gateway.api.answers import Answer
from gateway.api.feed import FeedAnswer
from gateway.api.grants import patient_of
from gateway.api.requests import Call, check_content_type
from gateway.api.services import Services
from gateway.errors import Forbidden, Malformed, NotFound
from gateway.fhir.parsing import parse_json
from gateway.pipeline.deciding import decision
from gateway.privacy.audit import TRANSITION, Shown
from gateway.records.statements import Json
from gateway.smart.access import Caller
from gateway.store.interface import ALL

DECIDERS = ("coordinator", "operator")
"""Roles that decide about transitions, and for agencies."""


async def decide(services: Services, caller: Caller, call: Call) -> Answer:
    """Take a decision; the answer is the transition as it then is. Raises Forbidden, Malformed, NotFound, Invalid."""
    only_deciders(caller)
    patient = patient_of(caller, "Task", "u")
    said, transition = json_object(call), call.path[1]
    with services.store.reading() as reader:
        asked = decision(reader, transition, said, caller.name, services.agencies)
    if patient and asked.patient != patient:
        raise NotFound("There is no such transition")
    if asked.received is not None:
        await asyncio.wrap_future(services.journey.submit(asked.received))
    with services.store.reading() as reader:
        row = reader.transition(ALL, transition)
    body = row.body if row is not None else None
    shown = Shown((), ((TRANSITION, transition),), (asked.patient,))
    return FeedAnswer(body or orjson.dumps({"id": transition, "status": "withdrawn"}), shown=shown)


def only_deciders(caller: Caller) -> None:
    """Raise Forbidden for every other role."""
    if caller.role not in DECIDERS:
        raise Forbidden("this client does not decide", advice="Decisions are the coordinator's and the operator's.")


def json_object(call: Call) -> Json:
    """The body, a JSON object. Raises Malformed."""
    check_content_type(call)
    said = parse_json(call.body)
    if not isinstance(said, dict):
        raise Malformed("The body is JSON, but not an object", advice="Send one object.")
    return said
