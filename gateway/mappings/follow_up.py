"""Records -> what may be follow-up, as `transitions` assesses it: appointments, ambulatory visits, and tries to reach the client. Pure.

What counts, and as what, is said by `transitions` alone.
"""

from __future__ import annotations

from typing import Any, cast

from gateway.mappings.evidence import codes, evidence, moment_or_none
from gateway.records.record import Owned, PersonRecord, StayRecord
from gateway.records.statements import Json
from gateway.records.times import instant, moment
from transitions import model

_AMBULATORY = {"AMB", "VR", "HH"}
_NO_TRY = {"preparation", "on-hold", "entered-in-error", "unknown"}
_EARLY = 3_600_000_000
"""Who is registered an hour (microseconds) before the visit has come to it; longer before, the visit is ahead."""
_PLANNED_START = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedStartDate"
_ENCOUNTER_AS_APPOINTMENT = {
    "planned": "booked",
    "arrived": "arrived",
    "triaged": "arrived",
    "in-progress": "fulfilled",
    "onleave": "fulfilled",
    "finished": "fulfilled",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
}


def follow_ups(person: PersonRecord) -> tuple[model.FollowUp, ...]:
    """Appointments, and ambulatory visits that simply happened."""
    return (*(_appointment(each) for each in person.appointments), *(_ambulatory(each) for each in person.stays if _is_ambulatory(each)))


def contacts(person: PersonRecord) -> tuple[model.Contact, ...]:
    """Tries to reach the client; what was only prepared, or written down in error, is none."""
    return tuple(
        model.Contact(
            reference=f"Communication/{each.resource['id']}",
            at=moment(instant(each.resource.get("sent")) or int(cast(int, each.facts.get("recorded") or 0))),
            means=str(each.facts.get("means") or ""),
            reached=bool(each.facts.get("reached", each.resource.get("status") == "completed")),
            by=str(each.facts.get("agency") or ""),
            evidence=evidence(each.sources),
        )
        for each in person.contacts
        if each.resource.get("status") not in _NO_TRY
    )


def _appointment(owned: Owned) -> model.FollowUp:
    resource, facts = owned.resource, owned.facts
    zone = str(facts.get("zone") or "UTC")
    return model.FollowUp(
        reference=f"Appointment/{resource['id']}",
        status=str(resource.get("status") or "pending"),
        recorded=moment(int(cast(int, facts["recorded"])), zone),
        first_recorded=moment(int(cast(int, facts["first_recorded"])), zone),
        moved=moment_or_none(cast(Any, facts.get("moved")), zone),
        start=moment_or_none(instant(resource.get("start"), zone), zone),
        end=moment_or_none(instant(resource.get("end"), zone), zone),
        services=codes(cast(Any, facts.get("service") or [])),
        specialties=codes(cast(Any, facts.get("specialty") or [])),
        practitioners=tuple(cast(Any, facts.get("practitioner") or ())),
        place=str(facts.get("place") or ""),
        place_kind=cast(Any, facts.get("place_kind") or ""),
        mental_health=cast(Any, facts.get("mental_health")),
        booked_by=str(facts.get("booked_by") or ""),
        modality=str(facts.get("walk") or ""),
        evidence=evidence(owned.sources[-1:]),
    )


def _is_ambulatory(record: StayRecord) -> bool:
    return record.facts.get("visit_class") in _AMBULATORY and not record.course.ever_inpatient


def _ambulatory(record: StayRecord) -> model.FollowUp:
    """A visit that happened, or was registered or planned ahead: that one is booked, and kept only when it is told of again at or after its start."""
    zone, course, facts = str(record.facts.get("zone") or "UTC"), record.course, record.facts
    start = _start(record)
    last = record.sources[-1].recorded
    status = _ENCOUNTER_AS_APPOINTMENT[str(record.encounter["status"])]
    if status in ("arrived", "fulfilled") and start is not None and start > last + _EARLY:
        status = "booked"
    service = facts.get("service")
    return model.FollowUp(
        reference=f"Encounter/{record.id}",
        status=status,
        recorded=moment(last, zone),
        first_recorded=moment(record.sources[0].recorded, zone),
        start=moment_or_none(start, zone),
        end=moment_or_none(course.discharged, zone),
        services=codes([*([{"text": service, "code": service}] if service else []), *_types(record.encounter)]),
        diagnoses=codes([*(facts.get("diagnoses") or []), *([facts["reason"]] if facts.get("reason") else [])]),
        practitioners=tuple(_practitioners(record.encounter)),
        place=str(facts.get("unit") or ""),
        place_kind=cast(Any, facts.get("unit_kind") or ""),
        visit_class=str(facts.get("visit_class") or ""),
        mental_health=True if facts.get("service_kind") == "psychiatric" else None,
        evidence=evidence(record.sources[-1:]),
    )


def _start(record: StayRecord) -> int | None:
    """When a visit began, or is to begin; a plan that names no time has none."""
    course, zone = record.course, str(record.facts.get("zone") or "UTC")
    if course.admitted is not None or course.state != "planned":
        return course.admitted if course.admitted is not None else course.first_seen
    planned = (each.get("valueDateTime") for each in record.encounter.get("extension") or [] if each.get("url") == _PLANNED_START)
    return instant(next(planned, None) or (record.encounter.get("period") or {}).get("start"), zone)


def _practitioners(encounter: Json) -> list[str]:
    """The names of who took part, as far as they are said: they may tell a profession."""
    return [str(each["individual"]["display"]) for each in encounter.get("participant") or [] if (each.get("individual") or {}).get("display")]


def _types(encounter: Json) -> list[Json]:
    """Encounter.type: what kind of visit it was, by code or in words."""
    return [
        {"text": concept.get("text") or coding.get("display"), "code": coding.get("code"), "system": coding.get("system")}
        for concept in encounter.get("type") or []
        for coding in concept.get("coding") or [{}]
    ]
