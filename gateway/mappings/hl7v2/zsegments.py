"""Z-segments, as the feed's profile reads them (`feeds.zsegments`) -> Appointment statements, facts of the stay, and what callers must know.

A hospital's own follow-up segment is evidence of a booking: each segment that says when an appointment starts is one.
"""

from __future__ import annotations

from typing import cast

from gateway.er7.dates import Moment
from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.feeds.zsegments import Place, placed
from gateway.mappings.hl7v2 import appointment, clinical, datatypes, keys, programs, shared
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.hospitalization import disposition
from gateway.mappings.hl7v2.stay import kind_of
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import AppointmentFacts, Fragment, Json, Statement, StayFacts

_STATUSES = tables.targets("0278-filler-status")
_TO_KNOW = {
    "care.safe_contact": "Safe contact",
    "care.legal_status": "Legal status",
    "care.long_acting_injection": "Long-acting injection",
    "care.medication_runs_out": "Discharge medication runs out",
}
"""Target -> the question that it answers, by which `mappings.care.callers` finds it."""
_DAYS = frozenset({"care.long_acting_injection", "care.medication_runs_out"})


def statements(context: Context, person: tuple[str, ...]) -> list[Statement]:
    """The appointments that Z-segments tell of, in order."""
    found = []
    for name, targets in placed(tuple(context.profile.segments.items())).items():
        if "appointment.start" in targets:
            found += [one for segment in context.message.all(name) if (one := _appointment(context, segment, targets, person)) is not None]
    return found


def add_to_stay(context: Context, statement: Statement) -> None:
    """What Z-segments say of the stay: it stands above the standard fields, for the profile says so."""
    own, facts = cast(Json, statement.own), cast(StayFacts, statement.facts)
    for name, targets in placed(tuple(context.profile.segments.items())).items():
        segment = context.message.first(name)
        if segment is None:
            continue
        if said := _one(context, segment, targets.get("stay.disposition")):
            coded, facts["disposition"] = disposition(context, said)
            own["hospitalization"] = {**own.get("hospitalization", {}), "dischargeDisposition": coded}
        if when := _moment(context, segment, targets.get("stay.expected_discharge")):
            facts["expected_discharge"] = when.text
        profile = context.profile
        if (said := _one(context, segment, targets.get("stay.unit"))) and said[0]:
            facts["unit"] = said[0]
            kind = kind_of(said[0], profile.psychiatric_units, profile.other_units)
            facts["unit_kind"] = kind or _psychiatric(facts.get("unit_kind")) or profile.facility_kind or None
        if (said := _one(context, segment, targets.get("stay.service"))) and (code := said[0] or said[1]):
            facts["service"] = code
            kind = kind_of(code, profile.psychiatric_services, profile.other_services)
            facts["service_kind"] = kind or _psychiatric(facts.get("service_kind")) or None


def to_know(context: Context) -> dict[str, list[Fragment]]:
    """What callers must know -> Observations, each field a group of its own: one that is empty says nothing, and one that is `""` takes back."""
    found: dict[str, list[Fragment]] = {}
    for name, targets in placed(tuple(context.profile.segments.items())).items():
        segment = context.message.first(name) if not _TO_KNOW.keys().isdisjoint(targets) else None
        for target, where in targets.items() if segment is not None else ():
            if segment is not None and target in _TO_KNOW and _stated(segment, where):
                found[f"{name}:{target}"] = _answer(context, segment, target, where)
    return found


def _answer(context: Context, segment: Segment, target: str, where: Place) -> list[Fragment]:
    """A day where the question is when and the value is one, a code with its words where it is one, else the words."""
    said = _one(context, segment, where)
    if said is None:
        return []
    resource: Json = {"resourceType": "Observation", "status": "unknown", "code": {"text": _TO_KNOW[target]}}
    day = context.read(said[0]) if target in _DAYS else None
    coded = datatypes.concept(context, said) if said[1] else None
    words = "; ".join(filter(None, map(context.values.text, _raw(segment, where).split(context.message.delimiters.repetition))))
    if day is not None and len(day.text) >= 10:
        resource["valueDateTime"] = day.text
    elif coded is not None:
        resource["valueCodeableConcept"] = coded
    elif words:
        resource["valueString"] = words
    else:
        return []
    return [Fragment(resource, target)]


def _psychiatric(kind: str | None) -> str:
    """A unit or service that the profile does not know takes nothing from one that it knows as psychiatric."""
    return "psychiatric" if kind == "psychiatric" else ""


def _stated(segment: Segment, where: Place) -> str:
    return segment.value(where.field, where.component) if where.component else segment.field(where.field)


def _raw(segment: Segment, where: Place | None) -> str:
    raw = _stated(segment, where) if where is not None else ""
    return "" if raw == '""' else raw


def _one(context: Context, segment: Segment, where: Place | None) -> Composite | None:
    """The value: a whole field with its components, in its first repetition, or one component by itself."""
    raw = _raw(segment, where)
    return context.values[raw.split(context.message.delimiters.repetition, 1)[0]] if raw else None


def _moment(context: Context, segment: Segment, where: Place | None) -> Moment | None:
    raw = _raw(segment, where)
    return context.parse(raw, segment, where.field) if raw and where is not None else None


def _appointment(context: Context, segment: Segment, targets: dict[str, Place], person: tuple[str, ...]) -> Statement | None:
    start = _moment(context, segment, targets["appointment.start"])
    if start is None:
        return None
    if len(start.text) <= 10:
        context.report(place(segment, targets["appointment.start"].field), "102", "W", "The day of an appointment is said, and not its time.")
        return None
    own: Json = {"resourceType": "Appointment", "status": _status(context, segment, targets), "start": start.text}
    facts = AppointmentFacts(zone=context.zone_name)
    _lasting(context, segment, targets, start, own, facts)
    _about(context, segment, targets, own, facts)
    appointment.judge(context, facts)
    number = _one(context, segment, targets.get("appointment.number"))
    key = keys.of_entity("appointment:filler", number, context.facility) if number is not None and number[0] else ""
    if key and number is not None:
        own["identifier"] = [{"type": {"coding": [{"system": datatypes.V2 + "0203", "code": "FILL"}]}, **datatypes.entity(context, number, key)}]
    return Statement("appointment", (key or appointment.unnumbered(context, person, start.text),), person, own, facts=facts)


def _status(context: Context, segment: Segment, targets: dict[str, Place]) -> str:
    said = _one(context, segment, targets.get("appointment.status"))
    if said is None:
        return "booked"
    code = context.local(said[0], "appointment-status", "0278") or said[0]
    known = _STATUSES.get(code.upper()) or _STATUSES.get(said[1].upper())
    if known is None:
        context.report(
            place(segment, targets["appointment.status"].field), "103", "W", "The status is not one of table 0278; it was taken as booked."
        )
    return known or "booked"


def _lasting(context: Context, segment: Segment, targets: dict[str, Place], start: Moment, own: Json, facts: AppointmentFacts) -> None:
    end = _moment(context, segment, targets.get("appointment.end"))
    said = _raw(segment, targets.get("appointment.minutes"))
    minutes = int(said) if said.isascii() and said.isdigit() and len(said) < 5 else 0
    if end is not None and len(end.text) > 10 and end.instant > start.instant:
        own["end"] = end.text
        minutes = minutes or round((end.instant - start.instant) / 60_000_000)
    else:
        if not minutes:
            minutes = appointment.DEFAULT_MINUTES
            facts["default_end"] = True
        own["end"] = appointment.later(start, minutes)
    own["minutesDuration"] = max(minutes, 1)


def _about(context: Context, segment: Segment, targets: dict[str, Place], own: Json, facts: AppointmentFacts) -> None:
    """What it is for, with whom and where. A value that is words alone names somebody all the same."""
    participants: list[Json] = []
    if said := _one(context, segment, targets.get("appointment.service")):
        service = datatypes.listed(context, said, f"{segment.name}-{targets['appointment.service'].field}")
        if service:
            own["serviceType"] = [service]
            facts["service"] = [clinical.fact(service)]
    if said := _one(context, segment, targets.get("appointment.practitioner")):
        who = (shared.practitioner(context, said) if said[1] else None) or {"display": said[0] or said[1]}
        participants.append({"actor": who, "status": "accepted"})
        facts["practitioner"] = [who.get("display") or said[0]]
    if said := _one(context, segment, targets.get("appointment.place")):
        there = shared.location(context, said) or {"display": said[0]}
        participants.append({"actor": there, "status": "accepted"})
        facts["place"] = there.get("display", "")
        facts["place_kind"] = kind_of(said[0], context.profile.psychiatric_units, context.profile.other_units)
        if programs.is_unit(context, said[0]):
            facts["part2"] = True
    if participants:
        own["participant"] = participants
    if words := context.values.text(_raw(segment, targets.get("appointment.comment"))):
        own["comment"] = words
