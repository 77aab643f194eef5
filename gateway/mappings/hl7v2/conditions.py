"""DG1-6, DG1-15, DG1-19, DG1-22 -> what a diagnosis is to its stay, when it was asserted, and to what it is due."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Json

_USES = tables.codings("0052-diagnosis-type")
_BASE = "http://hl7.org/fhir/StructureDefinition/"


def link(context: Context, dg1: Segment) -> Json | None:
    """Encounter.diagnosis.use and rank."""
    found: Json = {}
    use = datatypes.tabled(context, context.one(dg1, 6), _USES, ("diagnosis-type", "0052"), "DG1-6")
    if use:
        found["use"] = use
    rank = context.text(dg1, 15)
    if rank.isascii() and rank.isdigit() and 0 < int(rank[:3]) < 100:
        found["rank"] = int(rank[:3])
    return found or None


def extensions(context: Context, dg1: Segment) -> list[Json]:
    """When it was asserted; the diagnosis that it is due to, by its number, as that may stand in another message."""
    found: list[Json] = []
    asserted = context.moment(dg1, 19)
    if asserted:
        found.append({"url": _BASE + "condition-assertedDate", "valueDateTime": asserted.text})
    cause = context.one(dg1, 22)
    if cause is not None and cause[0]:
        found.append({"url": _BASE + "condition-dueTo", "valueReference": {"type": "Condition", "identifier": datatypes.entity(context, cause, "")}})
    return found
