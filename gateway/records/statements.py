"""Statements: what a translation yields and a fold consumes. Pure values.

A message is translated into statements: who or what each is about (its subject), when it was recorded, who sent it, and what it says. They
are stored beside the inbox; a subject's record is the fold of its statements in recorded order (DESIGN, "Reconciling").

Keys. Every identifier travels as one string, `system|value`, where `system` is a URI. People are joined only by equal keys, merges and
named decisions. Resource ids are made from keys by an `Identify` function (HMAC under the installation's key; a fixed key in `convert`).

Times inside `facts` and resources are ISO 8601 strings with an offset, in the precision that was sent ("2026-11-22T10:00:00-06:00",
"2026-11-22", "2026-11"). `recorded` alone is a number (microseconds since 1970 UTC), because every fold sorts by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypedDict

Json = dict[str, Any]
"""One JSON object: the only place where `Any` is at home."""

Identify = Callable[[str, str], str]
"""(resource type, key) -> resource id of 128 bits, not guessable without the installation's key."""

Kind = Literal["person", "merge", "stay", "appointment", "document", "referral", "care", "contact", "claim", "consent", "decision"]
"""What a statement is about. `care` is a CarePlan, CareTeam, ServiceRequest or Goal that somebody else owns; `claim` an agency's word on a Task;
`decision` a named user's."""

StayEffect = Literal[
    "admit",  # A01: inpatient stay starts
    "register",  # A04: outpatient or emergency visit starts
    "pre-admit",  # A05, A14
    "cancel-pre-admit",  # A27, A38
    "cancel-admit",  # A11
    "transfer",  # A02
    "cancel-transfer",  # A12
    "to-inpatient",  # A06
    "to-outpatient",  # A07
    "pending-discharge",  # A16
    "cancel-pending-discharge",  # A25
    "discharge",  # A03
    "cancel-discharge",  # A13
    "leave",  # A21, A53
    "return",  # A22, A52
    "delete",  # A23
    "update",  # A08 and every other event that carries a visit
    "none",  # the visit is only named, nothing is said of its state
]


class DiagnosisFact(TypedDict, total=False):
    """One diagnosis of a stay (DG1, Condition, Encounter.reasonCode)."""

    system: str  # FHIR code system URI, "" if text alone
    code: str
    text: str
    principal: bool  # DG1-15 = 1, or first of its list, or a principal type
    kind: str  # "admitting" | "working" | "final" | "reason"


class DispositionFact(TypedDict, total=False):
    """How a stay ended (PV1-36, Encounter.hospitalization.dischargeDisposition)."""

    source: str  # as sent: "01", "AMA", free text
    code: str  # our normal form: the NUBC FL17 code, two digits ("01", "07", "20"); "" when unknown
    text: str


class StayFacts(TypedDict, total=False):
    """What one statement says of a stay, beside its Encounter. An absent key says nothing; None deletes (`""`)."""

    effect: StayEffect
    snapshot: bool  # FHIR: the effect states in what state the stay is, whatever was said before (in-progress after finished reopens it)
    event_at: str | None  # EVN-6: when it occurred
    visit_class: str | None  # v3-ActCode: IMP EMER AMB PRENC OBSENC; absent when the sender did not say
    admitted: str | None  # PV1-44 (or PV1-37/41 where a sender puts it there)
    discharged: str | None  # PV1-45, unless it is an expectation
    expected_discharge: str | None  # PV2-9, or a PV1-45 ahead of the recorded time outside A03
    facility: str  # key of the hospital: feed profile's name, else MSH-4
    hospital: str  # the hospital's name for people
    unit: str | None  # PV1-3.1
    unit_kind: str | None  # "psychiatric" | "other" | None by the feed profile
    service: str | None  # PV1-10
    service_kind: str | None  # likewise
    part2: bool  # the unit or facility is a 42 CFR Part 2 program by the feed profile
    sud_attested: bool  # the source attests that its substance-use content is not Part 2
    disposition: DispositionFact | None
    diagnoses: list[DiagnosisFact]  # DG1, in order: a snapshot
    reason: DiagnosisFact | None  # PV2-3
    confidentiality: str | None  # PV2-22 / Encounter.meta.security, v3-Confidentiality code
    zone: str  # IANA name of the facility's time zone
    test: bool  # MSH-11 not taken as real
    transfer_to: str | None  # PV1-37: discharged to location, as text
    vacated: list[str]  # the seats (`attendance.seat`) that `""` in PV1-7, 8, 9, 17 or 52 empties


class AppointmentFacts(TypedDict, total=False):
    """What one statement says of an appointment, beside its resource (whose status, start and end are read from the resource itself)."""

    service: list[DiagnosisFact]  # SCH-7/8, AIS-3, Appointment.serviceType/serviceCategory/reasonCode
    place: str  # AIL-3, location participant
    place_kind: str  # "psychiatric" | "other" | "" by the feed profile
    practitioner: list[str]  # names and specialties as text
    specialty: list[DiagnosisFact]
    mental_health: bool | None  # by the feed profile's map of services, places or practitioners; None: not said
    booked_by: str  # agency id when an agency's system wrote it
    zone: str
    default_end: bool  # the end was taken from policy
    walk: str  # "in-person" | "telehealth" | "telephone" | ""
    part2: bool  # told of by, or held in, a 42 CFR Part 2 program by the feed profile


class Fragment(NamedTuple):
    """A resource said within a subject: no id, no subject, no encounter; those follow from the fold.

    `local` identifies it within its subject and type ("http://hl7.org/fhir/sid/icd-10-cm|F20.0#1"); `action` is an HL7 action code (table 0206/0287:
    A D U X C) where the segment has one, else "". `link` is what the subject says of it beside the resource: use and rank of a stay's diagnosis.
    A CareTeam fragment is one member of the subject's team. References within the subject are `records.placing`'s.
    """

    resource: Json
    local: str
    action: str = ""
    link: Json | None = None


class Shared(NamedTuple):
    """A Practitioner, PractitionerRole, Organization or Location: known to many people's records, the newest word on it stands."""

    key: str
    resource: Json  # with its id, which is identify(resourceType, key)


class Report(NamedTuple):
    """Something that a sender should know, none of it a refusal: `code` is HL7 table 0357, `severity` I, W or E."""

    location: str  # "PID-7", "PV1-44[2].1", "Patient.birthDate"
    code: str
    severity: str
    text: str  # plain words, no values


@dataclass(frozen=True, slots=True)
class Statement:
    """What one input says of one subject."""

    kind: Kind
    keys: tuple[str, ...]  # the subject's identifiers, strongest first; may be empty (a stay without a number)
    person: tuple[str, ...]  # the identifiers of the person it belongs to, strongest first
    own: Json | None = None  # the subject's own resource (Patient, Encounter, Appointment …) in part: top-level elements it states
    deletes: tuple[str, ...] = ()  # top-level elements of `own` that `""` deletes
    whole: bool = False  # True for FHIR: `own` replaces all that this sender said of the subject before
    parts: Mapping[str, list[Fragment]] = field(default_factory=dict)  # by segment: a group replaces the same sender's earlier group
    facts: Mapping[str, Any] = field(default_factory=dict)  # StayFacts, AppointmentFacts, or the kind's own as its translator documents
    retires: tuple[str, ...] = ()  # merge: the keys that give way (MRG-1) to `keys`
    recorded: int = 0  # microseconds UTC, where a FHIR copy's own meta.lastUpdated differs from its input's heading; 0: the heading's


@dataclass(frozen=True, slots=True)
class Heading:
    """Who said it and when: one an input, shared by its statements."""

    sender: str  # the feed's name, "agency/river-cmhc", "user/ann"
    facility: str  # sending facility key
    event: str  # "ADT^A03", "POST Appointment", "notification-discharge"
    control_id: str
    recorded: int  # microseconds UTC
    recorded_from: str  # "EVN-2" | "MSH-7" | "meta.lastUpdated" | "Bundle.timestamp" | "receipt" | "commit"
    message_time: int = 0  # MSH-7, for ties
    sequence: int = 0  # MSH-13, for ties
    occurred: str = ""  # EVN-6
    test: bool = False  # MSH-11 not taken as real: stored, answered, and never more


@dataclass(frozen=True, slots=True)
class Translation:
    """Everything that one input says."""

    heading: Heading
    statements: tuple[Statement, ...]
    shared: tuple[Shared, ...] = ()
    reports: tuple[Report, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()  # (path, value as sent) that no resource has a place for
    provenance: Json | None = None  # the message's own, without id and targets: for the Bundle of `convert`
