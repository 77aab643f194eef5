"""OBX-29, OBX-3, OBR-24 -> Observation.category, by which US Core tells its profiles apart; and what a profile then asks of the Observation.

The first of them that says it, by tables. What none of them says stays unsaid (`gateway.fhir.required`): no result is called a laboratory's because
it came in an ORU. An Observation that cannot be what its category's profile asks for has the next category that asks for less.
Source: US Core 6.1.0 and 8.0.0, Observation profiles; HL7 FHIR R4, Vital Signs.
"""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json

_SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-category"
_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_UCUM = "http://unitsofmeasure.org"
_LOINC = "http://loinc.org"
_BY_CODE = {code: tuple(target.split()) for code, target in tables.targets("observation-categories").items()}
_UNITS = {code: frozenset(units.split()) for code, units in tables.column("observation-categories", "units").items()}
_UCUM_CODES = tables.targets("vital-sign-units")
_TYPES = tables.targets("0936-observation-type")
SECTIONS = tables.targets("0074-diagnostic-section")
"""OBR-24 -> category of the section's results."""
_LESS = {"vital-signs": "exam", "social-history": "survey"}
"""Category -> what an Observation is of all the same that its profiles cannot take."""
_CATEGORIES: dict[str, Json] = {
    code: {"coding": [{"system": system, "code": code, "display": display}]}
    for system, code, display in (
        *((_SYSTEM, code, code.replace("-", " ").capitalize()) for code in {*_TYPES.values(), *SECTIONS.values()}),
        (_SYSTEM, "vital-signs", "Vital Signs"),
        (_SYSTEM, "social-history", "Social History"),
        (_US_CORE, "sdoh", "SDOH"),
    )
}
_NO_PLACE: Json = {"coding": [{"system": _ABSENT, "code": "unsupported", "display": "Unsupported"}]}


def add(context: Context, obx: Segment, order: Segment | None, resource: Json) -> None:
    """Give an Observation its category and what goes with it; `order` is the OBR that it results from."""
    code = _loinc(resource["code"])
    said = _said(context, obx, order, code)
    if not said:
        return
    _precise(resource)
    first = said[0] if _takes(context, obx, code, said[0], resource) else _LESS[said[0]]
    resource["category"] = [*(_CATEGORIES[each] for each in (first, *said[1:])), *resource.get("category", ())]
    if obx.field(5) not in ("", '""') and not any(name.startswith(("value", "dataAbsentReason")) for name in resource):
        resource["dataAbsentReason"] = _NO_PLACE


def _said(context: Context, obx: Segment, order: Segment | None, code: str) -> tuple[str, ...]:
    stated = _TYPES.get(context.text(obx, 29).upper()) if len(obx) > 29 else None
    if stated:
        return (stated,)
    known = _BY_CODE.get(code)
    if known or order is None:
        return known or ()
    section = SECTIONS.get(context.text(order, 24).upper())
    return (section,) if section else ()


def _loinc(concept: Json) -> str:
    return next((str(one.get("code")) for one in concept.get("coding", ()) if one.get("system") == _LOINC), "")


def _precise(resource: Json) -> None:
    """A time that is not known to the day is a period: US Core takes no such dateTime (us-core-1)."""
    at = resource.get("effectiveDateTime", "")
    if at and len(at) < 10:
        del resource["effectiveDateTime"]
        resource["effectivePeriod"] = {"start": at, "end": at}


def _takes(context: Context, obx: Segment, code: str, category: str, resource: Json) -> bool:
    """Whether the category's profiles take this Observation; the unit of a vital sign is written as they want it."""
    if category not in _LESS:
        return True
    if "effectiveDateTime" not in resource:
        return False
    if category == "social-history":
        return "valueCodeableConcept" in resource
    units = _UNITS.get(code)
    quantity = resource.get("valueQuantity")
    if units is None or quantity is None:
        return units is None or not any(name.startswith("value") for name in resource)
    said = context.one(obx, 6)
    unit = next((known for word in (said[0], said[1]) if (known := _UCUM_CODES.get(word.upper())) in units), None) if said is not None else None
    if unit is None:
        return False
    resource["valueQuantity"] = {**quantity, "unit": quantity.get("unit") or unit, "system": _UCUM, "code": unit}
    return True
