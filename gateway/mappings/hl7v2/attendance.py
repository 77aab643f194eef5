"""SCH-12, 16, 20, 26, 27 and the times and states of AIS, AIG, AIL, AIP -> Appointment.participant and basedOn."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.er7.dates import Moment
from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import datatypes, keys, shared
from gateway.mappings.hl7v2.actions import action
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import AppointmentFacts, Json

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_PROVENANCE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_STATUSES = {"PENDING": "tentative", "WAITLIST": "tentative", "CANCELLED": "declined", "DELETED": "declined", "NOSHOW": "declined"}
_CONTACTS = (
    (12, [{"coding": [{"system": _PARTICIPATION, "code": "CALLBCK", "display": "callback contact"}], "text": "placer contact"}]),
    (16, [{"coding": [{"system": _PARTICIPATION, "code": "CALLBCK", "display": "callback contact"}], "text": "filler contact"}]),
    (20, [{"coding": [{"system": _PROVENANCE, "code": "enterer", "display": "Enterer"}]}]),
)
_UNITS = {"": 60.0, "M": 60.0, "MIN": 60.0, "MINUTE": 60.0, "MINUTES": 60.0, "H": 3600.0, "HR": 3600.0, "HOUR": 3600.0, "HOURS": 3600.0}
_UNITS |= {"S": 1.0, "SEC": 1.0, "SECONDS": 1.0, "D": 86400.0, "DAY": 86400.0, "DAYS": 86400.0}


def emptied(context: Context, own: Json, facts: AppointmentFacts) -> tuple[str, ...]:
    """The elements of which the message names entries, and deletes every one: its services, or all who take part."""
    deletes = []
    if context.message.all("AIS"):
        facts.setdefault("service", [])
        if "serviceType" not in own:
            deletes.append("serviceType")
    if any(context.message.all(name) for name in ("AIP", "AIG", "AIL")):
        facts.setdefault("practitioner", [])
        facts.setdefault("place", "")
        if "participant" not in own:
            deletes.append("participant")
    return tuple(deletes)


def label(context: Context, resource: Composite | None) -> str:
    """AIG-3 in words: the text of its code; some senders write a person there as in AIP-3, whose name stands where the coding system belongs."""
    if resource is None:
        return ""
    system = resource[2].upper()
    named = system and not system.startswith(("L", "99")) and datatypes.code_system(system, "").startswith("urn:gateway:codes:")
    return (" ".join(part for part in resource[1:4] if part) if named else resource[1]) or resource[0]


def standing(context: Context, name: str) -> list[Segment]:
    """The segments of that name which neither their own action code nor that of their group (RGS-2) deletes."""
    found: list[Segment] = []
    group_deleted = False
    for segment in context.message.segments:
        if segment.name == "RGS":
            group_deleted = action(context, segment, 2) == "D"
        elif segment.name == name and not group_deleted and action(context, segment, 2) != "D":
            found.append(segment)
    return found


def contacts(context: Context, sch: Segment) -> list[Json]:
    """Those whom the scheduling sides name to ask (SCH-12, 16), and who entered it (SCH-20)."""
    found = []
    for field, kind in _CONTACTS:
        for xcn in context.every(sch, field):
            who = shared.practitioner(context, xcn)
            if who:
                found.append({"type": kind, "actor": who, "required": "information-only", "status": "accepted"})
    return found


def based_on(context: Context, segment: Segment, fields: tuple[int, int]) -> list[Json]:
    """The order or referral that it is made for, by its placer's and filler's numbers (SCH-26, 27; AIS-11, 12)."""
    found = []
    for field, side in zip(fields, ("placer", "filler"), strict=True):
        for ei in context.every(segment, field):
            key = keys.of_entity(f"order:{side[:4]}", ei, context.facility) if ei[0] else ""
            if key:
                found.append({"type": "ServiceRequest", "identifier": datatypes.entity(context, ei, key)})
    return found


def period(context: Context, segment: Segment, at: int, offset: int, lasting: int, start: str) -> Json | None:
    """When a resource is needed: its own start, else the appointment's moved by an offset; its end by its duration."""
    begin = context.moment(segment, at)
    first = begin.text if _timed(begin) and begin is not None else _moved(start, segment, offset)
    if not first:
        return None
    last = _moved(first, segment, lasting)
    return {"start": first, **({"end": last} if last and last > first else {})}


def _timed(moment: Moment | None) -> bool:
    return moment is not None and len(moment.text) > 10


def _moved(start: str, segment: Segment, field: int) -> str:
    """The start moved by the number in a field, its unit in the next; "" when there is none."""
    number, unit = segment.value(field), segment.value(field + 1).upper()
    if not start or not number.lstrip("-").isdigit() or len(number) > 5 or unit not in _UNITS:
        return ""
    try:
        return (datetime.fromisoformat(start) + timedelta(seconds=int(number) * _UNITS[unit])).isoformat(timespec="seconds")
    except (OverflowError, ValueError):
        return ""


def status(context: Context, segment: Segment, field: int) -> str:
    """Whether a resource is confirmed, by its own filler status (table 0278)."""
    return _STATUSES.get(context.code(segment, field, "appointment-status", "0278"), "accepted")
