"""OBX, with its OBR before it and its NTE after it -> Observation."""

from __future__ import annotations

import re

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import categories, datatypes, observed, shared, team
from gateway.mappings.hl7v2.clinical import distinct
from gateway.mappings.hl7v2.context import Context, place
from gateway.records.statements import Fragment, Json

_STATUSES = tables.targets("0085-result-status")
_INTERPRETATIONS = tables.codings("0078-interpretation")
_TEXT = ("TX", "FT", "ST", "")
_CODED = ("CWE", "CE", "CNE", "CF", "IS", "ID")
_TIMES = ("DT", "DTM", "TS")
_FURTHER = ("DR", "NR", "NA", "SN", "ED", "RP")
_COMPARATORS = ("<", ">", "<=", ">=")
_TOLD = frozenset(("OBR", "OBX", "NTE", "PRT"))
_CLOCK = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])?(?:\.[0-9]+)?")


def observations(context: Context) -> dict[str, list[Fragment]]:
    """OBX -> Observation, by group: "OBX" outside orders, else "OBX:<order>", so that one order's results replace no other's."""
    groups: dict[str, list[Fragment]] = {}
    group, order = "OBX", None
    last: Json | None = None
    for segment in context.message.segments:
        if segment.name not in _TOLD:
            last = None
        elif segment.name == "OBR":
            order, last = segment, None
            group = order_group(context, segment)
        elif segment.name == "OBX":
            fragment = _observation(context, segment, order)
            last = None
            if fragment is not None:
                groups.setdefault(group, []).append(fragment)
                last = fragment.resource
        elif last is not None:
            if segment.name == "NTE":
                _annotate(context, segment, last)
            else:
                team.took_part(context, segment, last)
    return {name: distinct(fragments) for name, fragments in groups.items()}


def order_group(context: Context, obr: Segment) -> str:
    """The group of an order's results: by OBR-3 (filler), else OBR-2 (placer), else the service and its time."""
    return f"OBX:{context.text(obr, 3) or context.text(obr, 2) or f'{context.text(obr, 4)}@{context.text(obr, 7)}'}"


def _annotate(context: Context, nte: Segment, observation: Json) -> None:
    text = "\n".join(one for raw in nte.repetitions(3) if (one := context.values.text(raw)))
    if text:
        observation.setdefault("note", []).append({"text": text})


def _observation(context: Context, obx: Segment, order: Segment | None) -> Fragment | None:
    code = datatypes.concept(context, context.one(obx, 3))
    if code is None:
        if obx.field(5):
            context.report(place(obx, 3), "101", "W", "The observation does not say what was observed; it was left out.")
        return None
    status = context.code(obx, 11, "result-status", "0085")
    if not status and order is not None:
        status = context.code(order, 25, "result-status", "0085", "report-status", "0123")
    resource: Json = {"resourceType": "Observation", "status": _STATUSES.get(status, "unknown"), "code": code}
    _value(context, obx, resource)
    at = context.moment(obx, 14) or (context.moment(order, 7) if order is not None else None)
    if at:
        resource["effectiveDateTime"] = at.text
    limits = context.values.text(obx.field(7))
    if limits:
        resource["referenceRange"] = [{"text": limits}]
    found = [_INTERPRETATIONS.get(context.standard(cwe[0], "interpretation", "0078")) for cwe in context.every(obx, 8)]
    flags = [{"coding": [flag]} for flag in found if flag]
    if flags:
        resource["interpretation"] = flags
    performers = [one for xcn in context.every(obx, 16) if (one := shared.practitioner(context, xcn))]
    if performers:
        resource["performer"] = performers
    method = datatypes.concept(context, context.one(obx, 17))
    if method:
        resource["method"] = method
    if any(obx.fields[15:]) or any(obx.fields[10:11]) or obx.field(4) or status in ("X", "N"):
        observed.add(context, obx, resource)
    categories.add(context, obx, order, resource)
    local = f"{datatypes.local_name(code)}|{context.text(obx, 4)}|{at.text if at else ''}"
    return Fragment(resource, local)


def _value(context: Context, obx: Segment, resource: Json) -> None:
    """OBX-5 by OBX-2; what does not fit its type is kept as text."""
    if not obx.field(5) or obx.field(5) == '""':
        return
    kind = context.text(obx, 2).upper()
    if kind in _CODED:
        coded = datatypes.concept(context, context.one(obx, 5))
        if coded:
            resource["valueCodeableConcept"] = coded
            return
    elif kind == "NM" or kind == "SN":
        number = _number(context, obx, kind)
        if number:
            resource["valueQuantity"] = number
            return
    elif kind in _TIMES:
        moment = context.moment(obx, 5)
        if moment:
            resource["valueDateTime"] = moment.text
            return
    elif kind == "TM":
        clock = _CLOCK.fullmatch(context.text(obx, 5))
        if clock:
            resource["valueTime"] = f"{clock[1]}:{clock[2]}:{clock[3] or '00'}"
            return
    if kind in _FURTHER and (further := observed.value(context, obx, kind)):
        resource |= further
        return
    if kind in ("ED", "RP"):
        return  # a document that cannot be read as what it is said to be
    text = free_text(context, obx)
    if text:
        resource["valueString"] = text


def _number(context: Context, obx: Segment, kind: str) -> Json | None:
    unit = context.one(obx, 6)
    code, label, system = (unit[0], unit[1], datatypes.system_of(context, unit[2])) if unit is not None else ("", "", "")
    if kind == "NM":
        return datatypes.quantity(context.text(obx, 5), label, code, system)
    structured = context.one(obx, 5)
    if structured is None or structured[2] or structured[3]:
        return None  # a range or a ratio: kept as text
    found = datatypes.quantity(structured[1], label, code, system)
    if found and structured[0] in _COMPARATORS:
        found["comparator"] = structured[0]
    elif structured[0] not in ("", "="):
        return None
    return found


def free_text(context: Context, obx: Segment) -> str:
    """OBX-5 as text: its repetitions are lines, and a component separator that a sender forgot to escape stays as it is."""
    return "\n".join(one for raw in obx.repetitions(5) if (one := context.values.text(raw)))
