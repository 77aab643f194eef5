"""PV1-11, PV1-40, PV1-43, PV1-53, PV1-54, PV2-1, PV2-12, PV2-38 -> what else an Encounter says."""

from __future__ import annotations

from html import escape

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.hospitalization import is_time
from gateway.records.statements import Json

_ARRIVALS = tables.codings("0430-mode-of-arrival")
_BEDS = tables.codings("0116-bed-status")
_ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
_CLASSIFICATION = "http://hl7.org/fhir/StructureDefinition/subject-locationClassification"
_TEMPORARY: Json = {"url": _CLASSIFICATION, "valueCodeableConcept": {"text": "temporary"}}


def add(context: Context, pv1: Segment | None, pv2: Segment | None, own: Json) -> None:
    """Add to the Encounter's elements; what a field leaves unsaid stays unsaid."""
    if pv1 is not None and len(pv1) > 10:
        if pv1.field(11) or pv1.field(43):
            _temporary(context, pv1, own)
        if pv1.field(40):
            _bed(context, pv1)
        if len(pv1) > 52:
            _episode(context, pv1, own)
    if pv2 is None:
        return
    coming = shared.location(context, context.one(pv2, 1))
    if coming:
        own["location"] = [*own.get("location", ()), {"location": coming, "status": "planned"}]
    words = context.text(pv2, 12)
    if words:
        own["text"] = {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(words)}</div>'}
    arrival = datatypes.tabled(context, context.one(pv2, 38), _ARRIVALS, ("mode-of-arrival", "0430"), "PV2-38")
    if arrival and arrival.get("coding"):
        own["extension"] = [*own.get("extension", ()), {"url": _ARRIVAL, "valueCoding": arrival["coding"][0]}]


def _temporary(context: Context, pv1: Segment, own: Json) -> None:
    """Places of PV1-11 and PV1-43 are temporary ones."""
    passing = {
        where["reference"]
        for field in (11, 43)
        if not is_time(pv1, field) and (where := shared.location(context, context.one(pv1, field))) is not None
    }
    if passing:
        own["location"] = [{**one, "extension": [_TEMPORARY]} if one["location"]["reference"] in passing else one for one in own.get("location", ())]


def _bed(context: Context, pv1: Segment) -> None:
    """PV1-40: the status of the bed that PV1-3 names."""
    assigned = context.one(pv1, 3)
    status = _BEDS.get(context.text(pv1, 40).upper())
    if status is None or assigned is None or not (assigned[1] or assigned[2]):
        return
    reference = shared.location(context, assigned)
    known = context.shared.get(reference["reference"]) if reference else None
    if known is not None:
        context.shared[reference["reference"]] = known._replace(resource={**known.resource, "operationalStatus": status})  # type: ignore[index]


def _episode(context: Context, pv1: Segment, own: Json) -> None:
    """The episode of care that the stay belongs to: by its number, as nobody sends its record."""
    number, words = context.one(pv1, 54), context.text(pv1, 53)
    said: Json = {}
    if number is not None and number[0] and (identified := datatypes.identifier(context, number, "VN")):
        said["identifier"] = identified[0]
    if words:
        said["display"] = words
    if said:
        own["episodeOfCare"] = [said]
