"""The read and vread interactions. http://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

from gateway.api import answers
from gateway.api.access import Seen, View, view
from gateway.api.answers import Answer
from gateway.api.grants import Grant, grant, to_read
from gateway.api.requests import PRESENTATION, Call, is_id
from gateway.api.services import Services
from gateway.api.subsets import WHOLE, Subset, read_subset
from gateway.errors import Malformed, NotFound
from gateway.smart.access import Caller


def read(services: Services, caller: Caller, call: Call) -> Answer:
    """The newest version of a resource, or the part of it that _summary or _elements asks for."""
    type, id = call.path
    recipient, leave = to_read(caller, type, id)
    subset = _subset(type, call)
    with view(services.store, recipient) as look:
        one = _within(leave, look.read(type, _id(type, id)), look)
    return answers.unless_matched(call, one._replace(resource=subset.of(one.resource)))


def vread(services: Services, caller: Caller, call: Call) -> Answer:
    """One version of a resource."""
    type, id, _, number = call.path
    leave = grant(caller, type, "r")
    subset = _subset(type, call)
    if not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise NotFound("There is no such version", location=f"{type}/_history")
    with view(services.store, caller.recipient) as look:
        _within(leave, look.read(type, _id(type, id)), look)
        one = _within(leave, look.vread(type, id, int(number)), look)
    return answers.unless_matched(call, one._replace(resource=subset.of(one.resource)))


def _subset(type: str, call: Call) -> Subset:
    """What is wanted of the resource. Raises Malformed for a parameter that a read does not take, unless lenient."""
    subset = WHOLE
    for name, value in call.parameters:
        if name in ("_summary", "_elements"):
            subset = read_subset(type, name, value, subset)
        elif name not in PRESENTATION and not call.prefers("handling=lenient"):
            raise Malformed("A read takes no such parameter", location=type, advice="It takes _summary, _elements, _format and _pretty.")
    if subset.counts:
        raise Malformed("A read counts nothing", location=f"{type}?_summary")
    return subset


def _id(type: str, id: str) -> str:
    if not is_id(id):
        raise NotFound("There is no such resource", location=type)
    return id


def _within(leave: Grant, one: Seen, look: View) -> Seen:
    """The resource, if the scope's constraint lets it be seen; else it does not exist."""
    if not leave.opens(one.resource, look):
        raise NotFound("There is no such resource", location=leave.type)
    return one
