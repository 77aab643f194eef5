"""What R4 and US Core require and a message may leave unsaid. Statements say only what was said; whoever hands a resource out completes it here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.fhir.check_digits import problem_of

Json = dict[str, Any]

_NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_UNKNOWN_CLASS: Json = {"system": _NULL, "code": "UNK", "display": "unknown"}
_UNKNOWN: Json = {"coding": [{"system": _NULL, "code": "UNK", "display": "unknown"}], "text": "unknown"}
NOT_SAID: Json = {"extension": [{"url": _ABSENT, "valueCode": "unknown"}]}
"""An element that has to be there and of which nothing is known; shared, and never changed."""
_UNAVAILABLE: list[Json] = [{"attachment": {"contentType": "text/plain", "_data": NOT_SAID}}]
NO_ANSWER: Json = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown", "display": "Unknown"}]}
"""The same of a CodeableConcept."""
_MEMBER = "http://terminology.hl7.org/CodeSystem/v2-0203"
_DOCUMENT_TYPES = ("http://loinc.org", _NULL)
_ANSWERED = ("value", "_value", "dataAbsentReason", "component", "hasMember")
_REPORTED = ("partial", "preliminary", "final", "amended", "corrected", "appended")
_UNTIMED = ("proposed", "cancelled", "waitlist")
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
    "Patient": {"gender": "unknown", "name": [NOT_SAID]},
    "Coverage": {"relationship": NO_ANSWER},
    "Observation": {"category": [NO_ANSWER]},
    "PractitionerRole": {"telecom": [{"_system": NOT_SAID, "_value": NOT_SAID}]},
    "ServiceRequest": {"status": "unknown", "intent": "order"},
    "DocumentReference": {"status": "current", "type": _UNKNOWN, "content": _UNAVAILABLE},
}


def complete(resource: Json) -> Json:
    """The resource with every required element that nobody stated, said to be unknown; the given one is not changed.

    Source: R4 and US Core, "Missing Data". What the type of a resource alone does not decide is in the functions below.
    """
    kind = resource["resourceType"]
    further = _FURTHER.get(kind)
    defaults = _SIMPLE.get(kind)
    if defaults is not None and not all(element in resource for element in defaults):
        resource = defaults | resource
    return further(resource) if further is not None else resource


def _appointment(resource: Json) -> Json:
    """Booked, where it has a start, else proposed; one that is booked all the same has times that nobody said (app-3)."""
    if "status" not in resource:
        resource = {**resource, "status": "booked" if "start" in resource else "proposed"}
    if resource["status"] in _UNTIMED:
        return resource
    absent = {f"_{element}": NOT_SAID for element in ("start", "end") if element not in resource}
    return {**resource, **absent} if absent else resource


def _coverage(resource: Json) -> Json:
    """A member's number, though nobody said it (us-core-15)."""
    if "subscriberId" in resource or any(
        coding.get("code") == "MB" and coding.get("system") == _MEMBER
        for identifier in resource.get("identifier", ())
        for coding in identifier.get("type", {}).get("coding", ())
    ):
        return resource
    return {**resource, "_subscriberId": NOT_SAID}


def _report(resource: Json) -> Json:
    """A laboratory's: of when, and when it was given out, though nobody said it (us-core-8, us-core-9)."""
    codings = [coding.get("code") for category in resource.get("category", ()) for coding in category.get("coding", ())]
    if "LAB" not in codings or resource.get("status") not in _REPORTED:
        return resource
    timed = "effectiveDateTime" in resource or "effectivePeriod" in resource
    absent = {**({} if timed else {"_effectiveDateTime": NOT_SAID}), **({} if "issued" in resource else {"_issued": NOT_SAID})}
    return {**resource, **absent} if absent else resource


def _document(resource: Json) -> Json:
    """A type of LOINC's, or that it is none that we know, beside the sender's own: US Core takes no other (required binding)."""
    kind = resource["type"]
    if any(_is_document_type(coding) for coding in kind.get("coding", ())):
        return resource
    return {**resource, "type": {**kind, "coding": [*kind.get("coding", ()), *_UNKNOWN["coding"]]}}


def _is_document_type(coding: Json) -> bool:
    system, code = coding.get("system"), str(coding.get("code", ""))
    return system in _DOCUMENT_TYPES and bool(code) and not problem_of(system, code)


def _observation(resource: Json) -> Json:
    """A value, though nobody said it, of whatever it is a category of (us-core-2)."""
    if resource["category"] == _SIMPLE["Observation"]["category"] or any(name.startswith(_ANSWERED) for name in resource):
        return resource
    return {**resource, "dataAbsentReason": NO_ANSWER}


def _procedure(resource: Json) -> Json:
    """When it was performed, though nobody said it (us-core-7)."""
    timed = resource.get("status") not in ("completed", "in-progress") or any(name.startswith(("performed", "_performed")) for name in resource)
    return resource if timed else {**resource, "_performedDateTime": NOT_SAID}


def _encounter(resource: Json) -> Json:
    """The status follows from its period, the type from its class."""
    completed = dict(resource)
    if "status" not in resource:
        period = resource.get("period", {})
        completed["status"] = "finished" if "end" in period else "in-progress" if "start" in period else "unknown"
    stated = completed.setdefault("class", _UNKNOWN_CLASS)
    if "type" not in resource:
        completed["type"] = _TYPES.get(stated.get("code", "")) or [_UNKNOWN]
    return completed


_FURTHER: dict[str, Callable[[Json], Json]] = {
    "Appointment": _appointment,
    "Coverage": _coverage,
    "DiagnosticReport": _report,
    "DocumentReference": _document,
    "Encounter": _encounter,
    "Observation": _observation,
    "Procedure": _procedure,
}
