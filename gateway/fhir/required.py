"""What R4 and US Core require and a message may leave unsaid. Statements say only what was said; whoever hands a resource out completes it here."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_UNKNOWN_CLASS: Json = {"system": _NULL, "code": "UNK", "display": "unknown"}
_UNKNOWN: Json = {"coding": [{"system": _NULL, "code": "UNK", "display": "unknown"}], "text": "unknown"}
_UNKNOWN_NAME: list[Json] = [{"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}]
_UNAVAILABLE: list[Json] = [{"attachment": {"contentType": "text/plain", "_data": {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}}}]
_TYPES = {
    code: [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code, "display": display}], "text": display}]
    for code, display in (
        ("IMP", "inpatient encounter"),
        ("EMER", "emergency"),
        ("AMB", "ambulatory"),
        ("PRENC", "pre-admission"),
        ("OBSENC", "observation encounter"),
    )
}
_SIMPLE: dict[str, dict[str, Any]] = {
    "Appointment": {"status": "booked"},
    "Patient": {"gender": "unknown", "name": _UNKNOWN_NAME},
    "ServiceRequest": {"status": "unknown", "intent": "order"},
    "DocumentReference": {"status": "current", "type": _UNKNOWN, "content": _UNAVAILABLE},
}


def complete(resource: Json) -> Json:
    """The resource with every required element that nobody stated, said to be unknown; the given one is not changed.

    Encounter: status follows from its period, type from its class. Appointment: booked, where it has a start and an end, else proposed.
    """
    kind = resource["resourceType"]
    if kind == "Encounter":
        return _encounter(resource)
    defaults = _SIMPLE.get(kind)
    if defaults is None or all(element in resource for element in defaults):
        return resource
    completed = defaults | resource
    if kind == "Appointment" and "status" not in resource and "start" not in resource:
        completed["status"] = "proposed"
    return completed


def _encounter(resource: Json) -> Json:
    completed = dict(resource)
    if "status" not in resource:
        period = resource.get("period", {})
        completed["status"] = "finished" if "end" in period else "in-progress" if "start" in period else "unknown"
    stated = completed.setdefault("class", _UNKNOWN_CLASS)
    if "type" not in resource:
        completed["type"] = _TYPES.get(stated.get("code", "")) or [_UNKNOWN]
    return completed
