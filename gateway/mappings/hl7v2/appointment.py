"""SCH, TQ1, RGS, AIS, AIG, AIL, AIP -> Appointment and AppointmentFacts."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from gateway.er7.dates import Moment
from gateway.er7.reader import Segment
from gateway.errors import Invalid
from gateway.mappings import tables
from gateway.mappings.hl7v2 import attendance, clinical, datatypes, keys, shared
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.stay import kind_of
from gateway.records.statements import AppointmentFacts, DiagnosisFact, Json, Statement

DEFAULT_MINUTES = 60
"""How long an appointment is taken to last when nobody says: FHIR wants an end (app-3), and `default_end` marks it."""

_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_STATUSES = tables.targets("0278-filler-status")
_REASONS = tables.codings("0276-appointment-reason")
_TYPES = tables.codings("0277-appointment-type")
_BY_EVENT = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
_NEW = ("S12", "S13")
_MINUTES = {
    "": 1.0,
    "M": 1.0,
    "MIN": 1.0,
    "MINUTE": 1.0,
    "MINUTES": 1.0,
    "H": 60.0,
    "HR": 60.0,
    "HOUR": 60.0,
    "HOURS": 60.0,
    "S": 1 / 60,
    "SEC": 1 / 60,
}
_DURATION = re.compile(r"([MHS]?)([0-9]{1,5})")
_MODES = (
    ("telehealth", re.compile(r"tele-?(?:health|medicine|psychiatry|visit|med)|video|virtual", re.IGNORECASE)),
    ("telephone", re.compile(r"\b(?:tele)?phone\b", re.IGNORECASE)),
)
_PRIMARY: list[Json] = [{"coding": [{"system": _PARTICIPATION, "code": "PPRF", "display": "primary performer"}]}]
_PERFORMER: list[Json] = [{"coding": [{"system": _PARTICIPATION, "code": "SPRF", "display": "secondary performer"}]}]


def statement(context: Context, person: tuple[str, ...], beside: list[Json]) -> Statement:
    """The appointment; `beside` is what PV1 names of a visit that is no stay of its own, which is not where the appointment is.

    Raises Invalid, with the place, without SCH, or with neither a number nor a time: what it is about cannot be known then.
    """
    sch = context.message.first("SCH")
    if sch is None:
        raise Invalid("A scheduling message needs an SCH segment", location="SCH", condition="100")
    identifiers, names = _numbers(context, sch)
    own: Json = {"resourceType": "Appointment"}
    if identifiers:
        own["identifier"] = identifiers
    facts = AppointmentFacts(zone=context.zone_name)
    status = _status(context, sch)
    if status:
        own["status"] = status
    _when(context, sch, own, facts)
    if not names:
        names = _by_time(context, person, own)
    _what(context, sch, own, facts, status)
    _who_and_where(context, sch, own, facts)
    if beside:
        own["supportingInformation"] = beside
    judge(context, facts)
    return Statement("appointment", names, person, own, attendance.emptied(context, own, facts), facts=facts)


def _numbers(context: Context, sch: Segment) -> tuple[list[Json], tuple[str, ...]]:
    identifiers: list[Json] = []
    names: list[str] = []
    occurrence = context.text(sch, 3)
    for field, kind, code, suffix in ((2, "filler", "FILL", ""), (1, "placer", "PLAC", f"#{occurrence}" if occurrence else "")):
        ei = context.one(sch, field)
        key = keys.of_entity(f"appointment:{kind}", ei, context.facility, suffix) if ei is not None and ei[0] else ""
        if key and ei is not None:
            names.append(key)
            kind_of_id = {"coding": [{"system": datatypes.V2 + "0203", "code": code}]}
            identifiers.append({"type": kind_of_id, **datatypes.entity(context, ei, key)})
    return identifiers, tuple(names)


def _by_time(context: Context, person: tuple[str, ...], own: Json) -> tuple[str, ...]:
    """An appointment without a number is known by whose it is and when it starts. Raises Invalid, with the place, when that is not said either."""
    if "start" not in own:
        raise Invalid(
            "The appointment has no number and no time", location="SCH-2", advice="Send the filler's appointment ID there.", condition="101"
        )
    context.report("SCH-2", "101", "W", "The appointment has no number; it is known by the person and its start.")
    return (unnumbered(context, person, own["start"]),)


def unnumbered(context: Context, person: tuple[str, ...], start: str) -> str:
    """The key of an appointment without a number: whose it is, and when it starts."""
    return f"urn:gateway:appointment:unnumbered:{context.facility}|{person[0]}@{start}"


def _status(context: Context, sch: Segment) -> str:
    """S15, S16, S17 and S26 decide; else SCH-25; else what is new is booked, and a change says nothing of the status."""
    event = context.event.code
    if event in _BY_EVENT:
        return _BY_EVENT[event]
    said = context.one(sch, 25)
    if said is not None:
        code = context.local(said[0], "appointment-status", "0278") or said[0]
        known = _STATUSES.get(code.upper()) or _STATUSES.get(said[1].upper())
        if known:
            return known
        context.report(place(sch, 25), "103", "W", "The status is not one of table 0278; the event alone was taken.")
    else:
        of_service = {known for ais in context.message.all("AIS") if (known := _STATUSES.get(context.code(ais, 10, "appointment-status", "0278")))}
        if len(of_service) == 1:  # the appointment's own status is silent, and its services agree
            return of_service.pop()
    return "booked" if event in _NEW else ""


def _when(context: Context, sch: Segment, own: Json, facts: AppointmentFacts) -> None:
    """Start and end: SCH-11, else TQ1, else what the service, else a resource, says itself; the end from a duration, else from policy."""
    start, end, minutes = _from_quantity(context, sch)
    tq1 = context.message.first("TQ1")
    if tq1 is not None:
        start = start or _timed(context.moment(tq1, 7))
        end = end or _timed(context.moment(tq1, 8))
        minutes = minutes or _minutes(tq1.value(6), tq1.value(6, 2))
    for name, at, lasting in (("AIS", 4, 7), ("AIP", 6, 9), ("AIL", 6, 9), ("AIG", 8, 11)):
        for segment in attendance.standing(context, name):
            start = start or _timed(context.moment(segment, at))
            minutes = minutes or _minutes(segment.value(lasting), segment.value(lasting + 1))
    if start is None:
        return
    own["start"] = start.text
    minutes = minutes or _minutes(sch.value(9), sch.value(10))
    if end is not None and end.instant > start.instant:
        own["end"] = end.text
        minutes = minutes or round((end.instant - start.instant) / 60_000_000)
    else:
        if not minutes:
            minutes = DEFAULT_MINUTES
            facts["default_end"] = True
        own["end"] = later(start, minutes)
    if minutes > 0:
        own["minutesDuration"] = minutes


def _from_quantity(context: Context, sch: Segment) -> tuple[Moment | None, Moment | None, int]:
    for quantity in context.every(sch, 11):
        start = _timed(context.parse(quantity[3], sch, 11)) if quantity[3] else None
        if start:
            return start, _timed(context.parse(quantity[4], sch, 11)) if quantity[4] else None, _minutes(quantity[2], "")
    return None, None, 0


def _timed(moment: Moment | None) -> Moment | None:
    """Only a time of day can be an Appointment's start: a bare date is left out."""
    return moment if moment is not None and len(moment.text) > 10 else None


def _minutes(value: str, unit: str) -> int:
    """A duration in minutes, 0 for none: "30" with its unit, or "M30", "H1" as SCH-11.3 writes it."""
    match = _DURATION.fullmatch(value.strip().upper())
    factor = _MINUTES.get(match[1] or unit.strip().upper()) if match else None
    return round(int(match[2]) * factor) if match and factor else 0


def later(start: Moment, minutes: int) -> str:
    """The start moved by so many minutes, with its own offset: a day that changes its clock does not make a visit longer."""
    try:
        moved = datetime.fromisoformat(start.text) + timedelta(minutes=minutes)
    except (OverflowError, ValueError):
        return start.text
    return moved.isoformat(timespec="seconds")


def _what(context: Context, sch: Segment, own: Json, facts: AppointmentFacts, status: str) -> None:
    services: list[DiagnosisFact] = []
    said = context.one(sch, 7)
    if said is not None and said[2].upper() == "HL70277":  # a type of appointment where its reason belongs
        own["appointmentType"] = datatypes.tabled(context, said, _TYPES, ("appointment-type", "0277"), "SCH-8")
        said = None
    reason = datatypes.tabled(context, said, _REASONS, ("appointment-reason", "0276"), "SCH-7")
    if reason:
        own["reasonCode"] = [reason]
        services.append(clinical.fact(reason))
    kind = datatypes.tabled(context, context.one(sch, 8), _TYPES, ("appointment-type", "0277"), "SCH-8")
    if kind:
        own["appointmentType"] = kind
        services.append(clinical.fact(kind))
    types = []
    for ais in attendance.standing(context, "AIS"):
        service = datatypes.listed(context, context.one(ais, 3), "AIS-3")
        if service:
            types.append(service)
            services.append(clinical.fact(service))
    if types:
        own["serviceType"] = types
    orders = attendance.based_on(context, sch, (26, 27))
    for ais in context.message.all("AIS"):
        orders += attendance.based_on(context, ais, (11, 12))
    if orders:
        own["basedOn"] = orders
    if services:
        facts["service"] = services
    if status in ("cancelled", "noshow"):
        why = datatypes.listed(context, context.one(sch, 6), "SCH-6")
        if why:
            own["cancelationReason"] = why
    comments = [text for nte in context.message.all("NTE") if (text := "\n".join(filter(None, map(context.values.text, nte.repetitions(3)))))]
    if comments:
        own["comment"] = "\n".join(comments)


def _who_and_where(context: Context, sch: Segment, own: Json, facts: AppointmentFacts) -> None:
    found: list[Json] = []
    names: list[str] = []
    specialties: list[DiagnosisFact] = []
    for aip in attendance.standing(context, "AIP"):
        for xcn in context.every(aip, 3):
            who = shared.practitioner(context, xcn)
            if who:
                one = {"type": _PERFORMER if found else _PRIMARY, "actor": who, "status": attendance.status(context, aip, 12)}
                _attends(context, aip, (4, 6, 7, 9), own, one, found)
                names.append(who.get("display", ""))
        for field in (4, 5):
            role = datatypes.listed(context, context.one(aip, field), f"AIP-{field}")
            if role:
                specialties.append(clinical.fact(role))
    for ail in attendance.standing(context, "AIL"):
        for pl in context.every(ail, 3):
            there = shared.location(context, pl)
            if there:
                _attends(context, ail, (4, 6, 7, 9), own, {"actor": there, "status": attendance.status(context, ail, 12)}, found)
                facts.setdefault("place", there["display"])
                profile = context.profile
                facts.setdefault("place_kind", kind_of(pl[0], profile.psychiatric_units, profile.other_units))
    for aig in attendance.standing(context, "AIG"):
        label = attendance.label(context, context.one(aig, 3))
        if label:
            one = {"actor": {"display": label}, "status": attendance.status(context, aig, 14)}
            _attends(context, aig, (4, 8, 9, 11), own, one, found)
            names.append(label)
    for contact in attendance.contacts(context, sch):
        if all(contact["actor"] != one["actor"] for one in found):
            found.append(contact)
    if not names:
        names += [who.get("display", "") for xcn in context.every(sch, 16) if (who := shared.practitioner(context, xcn))]
    if found:
        own["participant"] = found
    if any(names):
        facts["practitioner"] = [name for name in names if name]
    if specialties:
        facts["specialty"] = specialties


def _attends(context: Context, segment: Segment, fields: tuple[int, int, int, int], own: Json, one: Json, found: list[Json]) -> None:
    """One participant with the role and time that its segment states; `fields` are those of the role, start, offset and duration."""
    role, at, offset, lasting = fields
    kind = datatypes.listed(context, context.one(segment, role), f"{segment.name}-{role}")
    if kind:
        one["type"] = [*one.get("type", ()), kind]
    period = attendance.period(context, segment, at, offset, lasting, own.get("start", ""))
    if period:
        one["period"] = period
    found.append(one)


def judge(context: Context, facts: AppointmentFacts) -> None:
    """Mental-health follow-up or not, by the feed profile's lists of services, practitioners and places; and by which means."""
    words = [word for one in facts.get("service", ()) for word in (one.get("code"), one.get("text")) if word]
    named = {word.casefold() for word in (*words, *facts.get("practitioner", ()), facts.get("place", ""))}
    profile = context.profile
    if any(one.casefold() in named for one in profile.mental_health_services):
        facts["mental_health"] = True
    elif any(one.casefold() in named for one in profile.other_appointment_services):
        facts["mental_health"] = False
    text = " ".join(words)
    for mode, pattern in _MODES:
        if pattern.search(text):
            facts["walk"] = mode
            return
