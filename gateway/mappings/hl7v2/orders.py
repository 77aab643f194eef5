"""ORC, OBR, TQ1, NTE -> DiagnosticReport where results follow, else ServiceRequest."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.categories import SECTIONS
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.observations import order_group
from gateway.records.placing import local
from gateway.records.statements import Fragment, Json

_STATUSES = tables.targets("0038-order-status")
_REPORTS = tables.targets("0123-report-status")
_ORDER = ("order-status", "0038")
_PRIORITIES = tables.targets("0485-priority")


def add(context: Context, parts: dict[str, list[Fragment]]) -> None:
    """Each order with its results, by group (`observations`): a report refers to the Observations of its group."""
    orc: Segment | None = None
    current: Json | None = None
    for segment in context.message.segments:
        name = segment.name
        if name == "ORC":
            orc, current = segment, None
        elif name == "OBR":
            current = _order(context, segment, orc, parts)
            orc = None
        elif name == "TQ1" and current is not None:
            _timed(context, segment, current)
        elif name == "NTE" and current is not None:
            text = "\n".join(one for raw in segment.repetitions(3) if (one := context.values.text(raw)))
            if text and current["resourceType"] == "ServiceRequest":
                current["note"] = [*current.get("note", ()), {"text": text}]
        elif name not in ("NTE", "TQ1", "CTD", "DG1"):
            current = None


def _order(context: Context, obr: Segment, orc: Segment | None, parts: dict[str, list[Fragment]]) -> Json | None:
    group = order_group(context, obr)
    results = [one.local for one in parts.get(group, ()) if one.resource["resourceType"] == "Observation"]
    code = datatypes.concept(context, context.one(obr, 4))
    if code is None:
        return None
    reported = bool(results) or context.event.type == "ORU"
    resource = _report(context, obr, code, results) if reported else _request(context, obr, orc, code)
    identifiers = _numbers(context, obr, orc)
    if identifiers:
        resource["identifier"] = identifiers
    parts.setdefault(group, []).append(Fragment(resource, f"OBR|{group}"))
    return resource


def _numbers(context: Context, obr: Segment, orc: Segment | None) -> list[Json]:
    found = []
    for field, code in ((2, "PLAC"), (3, "FILL")):
        number = context.one(obr, field) or (context.one(orc, field) if orc is not None else None)
        if number is not None and number[0]:
            key = keys.of_entity(f"order:{code.lower()}", number, context.facility)
            found.append({"type": {"coding": [{"system": datatypes.V2 + "0203", "code": code}]}, **datatypes.entity(context, number, key)})
    return found


def _report(context: Context, obr: Segment, code: Json, results: list[str]) -> Json:
    status = _REPORTS.get(context.code(obr, 25, "report-status", "0123"), "unknown")
    resource: Json = {"resourceType": "DiagnosticReport", "status": status, "code": code}
    section = context.text(obr, 24)
    if section:
        codes = dict.fromkeys((datatypes.clean_code(section), *(("LAB",) if SECTIONS.get(section.upper()) == "laboratory" else ())))
        resource["category"] = [{"coding": [{"system": datatypes.V2 + "0074", "code": code}]} for code in codes]
    start, end = context.moment(obr, 7), context.moment(obr, 8)
    if start and end and end.instant > start.instant:
        resource["effectivePeriod"] = {"start": start.text, "end": end.text}
    elif start:
        resource["effectiveDateTime"] = start.text
    issued = context.moment(obr, 22)
    if issued and len(issued.text) > 10:
        resource["issued"] = issued.text
    reader = _interpreter(context, obr)
    if reader:
        resource["resultsInterpreter"] = [reader]
    if results:
        resource["result"] = [{"reference": local("Observation", name)} for name in results]
    return resource


def _interpreter(context: Context, obr: Segment) -> Json | None:
    """OBR-32 (NDL): the name is its first component, in subcomponents as of an XCN."""
    said = context.one(obr, 32)
    if said is None:
        return None
    parts = said.subcomponents.get(0, [said[0]])
    words = " ".join(part for part in (*parts[2:3], *parts[1:2]) if part) or parts[0]
    return {"display": words} if words else None


def _request(context: Context, obr: Segment, orc: Segment | None, code: Json) -> Json:
    said = (context.code(orc, 5, *_ORDER) or context.code(orc, 1, *_ORDER)) if orc is not None else ""
    resource: Json = {"resourceType": "ServiceRequest", "status": _STATUSES.get(said, "active"), "intent": "order", "code": code}
    requester = shared.practitioner(context, context.one(obr, 16) or (context.one(orc, 12) if orc is not None else None))
    if requester:
        resource["requester"] = requester
    authored = context.moment(orc, 9) if orc is not None else None
    if authored:
        resource["authoredOn"] = authored.text
    wanted = context.moment(obr, 6)
    if wanted:
        resource["occurrenceDateTime"] = wanted.text
    priority = _PRIORITIES.get(context.code(obr, 5, "priority", "0485"))
    if priority:
        resource["priority"] = priority
    reasons = [one for cwe in context.every(obr, 31) if (one := datatypes.concept(context, cwe))]
    if reasons:
        resource["reasonCode"] = reasons
    return resource


def _timed(context: Context, tq1: Segment, resource: Json) -> None:
    """TQ1-7, 8 and 9: when the service is wanted, and how urgently."""
    if resource["resourceType"] != "ServiceRequest":
        return
    period = datatypes.period(context, tq1.value(7), tq1.value(8))
    if period:
        resource.pop("occurrenceDateTime", None)
        resource["occurrencePeriod"] = period
    priority = _PRIORITIES.get(context.code(tq1, 9, "priority", "0485"))
    if priority:
        resource["priority"] = priority
