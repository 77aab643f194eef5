"""PID-12, PID-21, PID-35, PID-36, PID-39, PD1-7 -> what else is said of a person: Patient extensions, the mother, a living will."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.fhir.required import NO_ANSWER
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Fragment, Json

_BASE = "http://hl7.org/fhir/StructureDefinition/"
_WILLS = tables.codings("0315-living-will")
_LIVING_WILL: Json = {"coding": [{"system": "http://loinc.org", "code": "75320-2", "display": "Advance directive"}], "text": "Living will"}
_MOTHER: list[Json] = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}]}]


def extensions(context: Context, pid: Segment) -> list[Json]:
    """The tribe that somebody is a citizen of; the species and breed of an animal."""
    found: list[Json] = []
    for cwe in context.every(pid, 39):
        tribe = datatypes.concept(context, cwe)
        if tribe:
            found.append({"url": _BASE + "patient-citizenship", "extension": [{"url": "code", "valueCodeableConcept": tribe}]})
    kinds = [(url, datatypes.concept(context, context.one(pid, field))) for field, url in ((35, "species"), (36, "breed"))]
    animal = [{"url": url, "valueCodeableConcept": kind} for url, kind in kinds if kind]
    if animal:
        if animal[0]["url"] != "species":  # which the extension requires
            animal.insert(0, {"url": "species", "valueCodeableConcept": NO_ANSWER})
        found.append({"url": _BASE + "patient-animal", "extension": animal})
    return found


def in_county(addresses: list[Json], county: str) -> list[Json]:
    """The addresses with the county of PID-12: of the only address where that has none, else as an address of its own."""
    if len(addresses) == 1 and "district" not in addresses[0]:
        return [{**addresses[0], "district": county}]
    if any(one.get("district") == county for one in addresses):
        return addresses
    return [*addresses, {"district": county}]


def mother(context: Context) -> list[Fragment]:
    """PID-21: the mother, known by her identifiers alone."""
    pid = context.message.first("PID")
    found = [said[0] for cx in context.every(pid, 21) if (said := datatypes.identifier(context, cx))] if pid is not None else []
    if not found:
        return []
    return [Fragment({"resourceType": "RelatedPerson", "active": True, "identifier": found, "relationship": _MOTHER}, "PID-21")]


def living_will(context: Context) -> list[Fragment]:
    """PD1-7 as an Observation."""
    pd1 = context.message.first("PD1")
    said = datatypes.tabled(context, context.one(pd1, 7), _WILLS, ("living-will", "0315"), "PD1-7") if pd1 is not None else None
    if said is None:
        return []
    return [Fragment({"resourceType": "Observation", "status": "final", "code": _LIVING_WILL, "valueCodeableConcept": said}, "PD1-7")]
