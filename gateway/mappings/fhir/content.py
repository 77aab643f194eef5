"""A resource as it goes into a statement: without the sender's id and bookkeeping, its references turned into the gateway's own. Pure."""

from __future__ import annotations

from typing import Any

from gateway.fhir.references import ENCOUNTER, PATIENT
from gateway.mappings.fhir.bundle import SHARED, Input, Target, Told
from gateway.records.statements import Identify, Json

OWN_SUBJECT = ("Appointment", "CarePlan", "CareTeam", "ServiceRequest", "Goal", "DocumentReference", "Communication", "Consent")
"""Types whose resource id follows from their own first key, as `records.reconcile` makes it."""

_LEFT_OUT = ("id", "meta", "text", "contained", "implicitRules")


def content(told: Told, given: Input, identify: Identify) -> Json:
    """The resource to state. Narrative is left out (it is made anew, DOMAIN "Privacy"), of `meta` the security labels and tags are kept."""
    said = {name: _rewritten(value, told, given, identify) for name, value in told.resource.items() if name not in _LEFT_OUT}
    kept = [one for one in told.resource.get("contained", []) if isinstance(one, dict) and one.get("resourceType") not in SHARED]
    if kept:
        said["contained"] = [_rewritten(one, told, given, identify) for one in kept]
    labels = [one for one in told.resource.get("meta", {}).get("security", []) if isinstance(one, dict)]
    if labels:
        said["meta"] = {"security": labels}
    return said


def without_place(resource: Json) -> Json:
    """The resource without patient and encounter: both follow from the fold."""
    said = dict(resource)
    kind = resource["resourceType"]
    for table in (PATIENT, ENCOUNTER):
        element = table.get(kind, "")
        if element and "[]" not in element and "." not in element:
            said.pop(element, None)
    return said


def _rewritten(value: Any, told: Told, given: Input, identify: Identify) -> Any:
    if isinstance(value, list):
        return [_rewritten(one, told, given, identify) for one in value]
    if not isinstance(value, dict):
        return value
    said = {name: _rewritten(one, told, given, identify) for name, one in value.items() if name != "reference" or not isinstance(one, str)}
    if isinstance(value.get("reference"), str):
        said.update(_reference(value, told, given, identify))
    return said


def _reference(reference: Json, told: Told, given: Input, identify: Identify) -> Json:
    """A literal reference where the target will be found under that id, else a logical one: nothing relative may dangle."""
    literal = reference["reference"]
    kept = {one.get("id") for one in told.resource.get("contained", []) if isinstance(one, dict) and one.get("resourceType") not in SHARED}
    if literal == "#" or (literal.startswith("#") and literal[1:] in kept):
        return {"reference": literal}
    target = given.resolve(reference, told.container or told.resource, base_of(told))
    if target is None:
        return {}
    if target.type == "Patient" or (target.told is not None and target.type in (*SHARED, *OWN_SUBJECT)):
        return {"reference": f"{target.type}/{identify(target.type, target.keys[0])}"}
    return logical(target, reference)


def logical(target: Target, reference: Json) -> Json:
    """A reference by identifier: for what this input does not hold, or what has its id from elsewhere."""
    if not target.keys:
        return {}
    system, _, value = target.keys[0].partition("|")
    said: Json = {} if "identifier" in reference else {"identifier": {"system": system, "value": value}}
    if target.type:
        said["type"] = target.type
    return said


def base_of(told: Told) -> str:
    """The service base of an entry's absolute fullUrl, against which its relative references are read."""
    tail = f"/{told.type}/{told.resource.get('id', '')}"
    return told.url.removesuffix(tail) if told.url.startswith("http") and told.url.endswith(tail) else ""
