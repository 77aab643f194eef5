"""A realistic person for tests of care and privacy: Ana Ruiz, who leaves St. Mary's behavioural unit; every part of her record can be changed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.mappings.care.context import CareContext
from gateway.privacy.labels import label_person
from gateway.records.record import Course, Owned, PersonRecord, Source, StayRecord, Whereabouts
from gateway.records.statements import Json
from transitions.model import Assignment, Client, Code, Contact, Evidence, Flag, FollowUp, FollowUpSummary, Stay, Transition

CHICAGO = ZoneInfo("America/Chicago")
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
AGENCIES = {"river-cmhc": "River Community Mental Health", "oak-cmhc": "Oak Community Mental Health"}
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}


def identify(kind: str, key: str) -> str:
    """Stable ids for tests."""
    return hashlib.sha256(f"{kind}|{key}".encode()).hexdigest()[:32]


CONTEXT = CareContext(identify=identify, agencies=AGENCIES, version="0")


def at(text: str) -> datetime:
    """A local time at St. Mary's."""
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000


def source(number: int, event: str, when: datetime, sender: str = "st-mary") -> Source:
    return Source(number, event, f"C{number}", sender, micros(when), f"C{number}")


def condition(name: str, code: str, text: str, stay: str = "stay-1", system: str = ICD) -> Json:
    return {
        "resourceType": "Condition",
        "id": name,
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]},
        ],
        "code": {**({"coding": [{"system": system, "code": code, "display": text}]} if code else {}), "text": text},
        "subject": {"reference": "Patient/ana"},
        "encounter": {"reference": f"Encounter/{stay}"},
    }


def participant(role: str, who: str) -> Json:
    return {"type": [{"coding": [{"system": PARTICIPATION, "code": role}]}], "individual": {"reference": who, "display": who}}


def practitioner(name: str, family: str) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": name,
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
        "name": [{"family": family, "given": ["Lee"]}],
    }


def patient(**change: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": "ana",
        "identifier": [{"system": "urn:st-mary", "value": "MRN100"}],
        "name": [{"use": "official", "family": "Ruiz", "given": ["Ana"]}],
        "gender": "female",
        "birthDate": "1988-04-02",
        "address": [{"line": ["1 Elm St"], "city": "Springfield", "state": "IL", "postalCode": "62701"}],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es", "display": "Spanish"}], "text": "Spanish"}, "preferred": True}
        ],
        "generalPractitioner": [{"reference": "Practitioner/dr-hill"}],
        **change,
    }


def stay_record(
    name: str = "stay-1", parts: Sequence[Json] | None = None, part2: bool = False, encounter: Json | None = None, **facts: Any
) -> StayRecord:
    discharged = at("2026-11-20T10:00:00")
    diagnoses = [{"system": ICD, "code": "F33.2", "text": "Major depressive disorder, recurrent, severe", "principal": True, "kind": "final"}]
    shown: Json = {
        "resourceType": "Encounter",
        "id": name,
        "status": "finished",
        "class": CLASS,
        "type": [{"text": "Inpatient stay"}],
        "subject": {"reference": "Patient/ana"},
        "participant": [participant("ATND", "Practitioner/dr-lee"), participant("REF", "Practitioner/dr-hill")],
        "period": {"start": "2026-11-10T09:00:00-06:00", "end": "2026-11-20T10:00:00-06:00"},
        "reasonCode": [{"coding": [{"system": ICD, "code": "F33.2"}], "text": "Severe depression"}],
        "diagnosis": [{"condition": {"reference": f"Condition/{part['id']}"}} for part in parts or () if part["resourceType"] == "Condition"],
        "location": [{"location": {"reference": "Location/bhu", "display": "BHU"}}],
        "serviceProvider": {"reference": "Organization/st-mary", "display": "St. Mary Hospital"},
        **(encounter or {}),
    }
    return StayRecord(
        id=name,
        transition=f"transition-{name}",
        key=f"urn:st-mary:visit|{name}",
        encounter={key: value for key, value in shown.items() if value},
        parts=tuple(parts or ()),
        facts={
            "effect": "discharge",
            "facility": "st-mary",
            "hospital": "St. Mary Hospital",
            "unit": "BHU",
            "unit_kind": "psychiatric",
            "service": "PSY",
            "diagnoses": diagnoses,
            "zone": "America/Chicago",
            **facts,
        },  # type: ignore[typeddict-item]
        sources=(source(11, "ADT^A01", at("2026-11-10T09:05:00")), source(17, "ADT^A03", at("2026-11-20T10:02:00"))),
        part2=part2,
        course=Course(
            state="discharged",
            first_seen=micros(at("2026-11-10T09:05:00")),
            discharged=micros(discharged),
            whereabouts=(Whereabouts(micros(at("2026-11-10T09:00:00")), str(facts.get("unit", "BHU"))),),
        ),
    )


def person(*stays: StayRecord, **change: Any) -> PersonRecord:
    """Ana with these stays, labelled as the pipeline labels."""
    shared = {
        "Practitioner/dr-lee": practitioner("dr-lee", "Lee"),
        "Practitioner/dr-hill": practitioner("dr-hill", "Hill"),
        "Practitioner/dr-cole": practitioner("dr-cole", "Cole"),
        "Location/bhu": {"resourceType": "Location", "id": "bhu", "name": "BHU"},
        "Location/haven": {"resourceType": "Location", "id": "haven", "name": "Haven Recovery Unit"},
        "Organization/st-mary": {"resourceType": "Organization", "id": "st-mary", "active": True, "name": "St. Mary Hospital"},
        "Organization/haven": {"resourceType": "Organization", "id": "haven", "active": True, "name": "Haven Recovery Center"},
    }
    kept = stays or (stay_record(parts=[condition("depression", "F33.2", "Major depressive disorder, recurrent, severe")]),)
    sources = tuple(source for stay in kept for source in stay.sources)
    record = PersonRecord(id="ana", patient=change.pop("patient", patient()), stays=kept, sources=sources, shared=change.pop("shared", shared))
    return label_person(replace(record, **change))


def appointment(name: str = "visit-1", text: str = "Psychiatry follow-up", **facts: Any) -> Owned:
    resource = {
        "resourceType": "Appointment",
        "id": name,
        "status": "booked",
        "serviceType": [{"text": text}],
        "start": "2026-11-24T10:00:00-06:00",
        "end": "2026-11-24T10:30:00-06:00",
        "participant": [{"actor": {"reference": "Patient/ana"}, "status": "accepted"}],
    }
    when = micros(at("2026-11-20T12:00:00"))
    said = {"recorded": when, "first_recorded": when, "zone": "America/Chicago", "service": [{"text": text}], **facts}
    return Owned(resource, (source(21, "SIU^S12", at("2026-11-20T12:00:00")),), said)


def transition(record: PersonRecord | None = None, stay: StayRecord | None = None, **change: Any) -> Transition:
    """What assessment says of Ana's stay: discharged, nothing booked, routed to River, urgent by default; `stay_…` keys change the Stay."""
    record = record or person()
    stay = stay or record.stays[0]
    stay_change = {key[5:]: change.pop(key) for key in list(change) if key.startswith("stay_")}
    discharged = at("2026-11-20T10:00:00")
    assessed = Stay(
        id=stay.id,
        transition=stay.transition,
        client=Client(id=record.id, name="Ana Ruiz", birth_date=date(1988, 4, 2), postal_code="62701"),
        hospital=str(stay.facts.get("hospital", "")),
        zone="America/Chicago",
        state="discharged",
        first_seen=at("2026-11-10T09:05:00"),
        admitted=at("2026-11-10T09:00:00"),
        discharged=discharged,
        discharge_recorded=at("2026-11-20T10:02:00"),
        disposition=Code(text="Home", code="01"),
    )
    flag = Flag(
        "no-follow-up-scheduled",
        discharged,
        (Evidence("ADT^A03 from st-mary", "message 17"),),
        "A mental-health appointment on or before 27 November",
    )
    change.setdefault("visits", tuple(one.reference for one in change.get("follow_ups", ())))
    base = Transition(
        id=stay.transition,
        stay=replace(assessed, **stay_change),
        status="open",
        follow_up=FollowUpSummary("none"),
        flags=(flag,),
        tier="high",
        reasons=("Stay of 7 days or less",),
        agency="river-cmhc",
        queue="agency",
        closed_as=None,
        next_look=at("2026-11-21T10:00:00"),
        why_no_next_look="",
        due=at("2026-11-21T10:00:00"),
        assignments=(Assignment(1, "river-cmhc", at("2026-11-20T10:00:00"), "postal code 62701"),),
        psychiatric="yes",
        psychiatric_reasons=("unit BHU",),
        since=discharged,
    )
    return base._replace(**change)


def booked(name: str = "visit-1") -> FollowUp:
    return FollowUp(f"Appointment/{name}", "booked", at("2026-11-20T12:00:00"), start=at("2026-11-24T10:00:00"))


def contact(when: str, reached: bool = True) -> Contact:
    return Contact("Communication/call", at(when), "phone", reached, "river-cmhc")


def of_type(resources: Sequence[Json], kind: str) -> list[Json]:
    return [resource for resource in resources if resource["resourceType"] == kind]
