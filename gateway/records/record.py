"""Records: what a fold yields of one person. Pure values, made by `records.reconcile`, read by privacy, care mappings and assessment.

Every resource here is complete R4 JSON with its id, subject and encounter set, labelled (`meta.security`), without versionId or lastUpdated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.records.statements import Json, StayFacts


@dataclass(frozen=True, slots=True)
class Source:
    """An inbox message that a record rests on."""

    input: int
    event: str
    control_id: str
    sender: str
    recorded: int  # microseconds UTC
    name: str = ""  # by which people find it, whatever the order of arrival: its control ID, else the start of its digest
    taken: str = ""  # how it was taken for its stay where no visit or account number leads there ("by its admission time"); "" where one does


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a client was from `since` (microseconds UTC) on."""

    since: int
    unit: str = ""
    unit_kind: str = ""
    service: str = ""
    service_kind: str = ""
    visit_class: str = ""


class TakenBack(NamedTuple):
    """A discharge, or the expectation of one: when it was told, and taken back; and the day of an expectation by its date alone."""

    what: str  # "discharge" | "expectation"
    made: int
    at: int
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a stay went, as its statements tell it in recorded order. Microseconds UTC; None: not so, or not said."""

    state: str  # see transitions.model.Stay.state
    first_seen: int
    admitted: int | None = None
    discharged: int | None = None
    discharge_recorded: int | None = None
    discharge_cancelled: int | None = None
    error_recorded: int | None = None
    expected_discharge: int | None = None
    expectation_recorded: int | None = None
    expectation_withdrawn: int | None = None  # an A25 withdrew a standing expectation, and no newer one stands
    taken_back: tuple[TakenBack, ...] = ()  # every discharge and expectation that was told and did not stand
    pending_since: int | None = None
    ever_inpatient: bool = True
    ended_as_outpatient: bool = False
    whereabouts: tuple[Whereabouts, ...] = ()
    discharge_sources: tuple[Source, ...] = ()
    expectation_sources: tuple[Source, ...] = ()
    uncertain: str = ""  # why it is uncertain that all of this is one stay; "" when it is not
    uncertain_since: int | None = None
    tie: bool = False  # a discharge and its cancellation could not be ordered
    disposition_recorded: int | None = None  # a correction after the discharge said another disposition


@dataclass(frozen=True, slots=True)
class StayRecord:
    """One stay: its Encounter and what was said within it."""

    id: str  # Encounter id
    transition: str  # transition id
    key: str
    encounter: Json
    parts: tuple[Json, ...] = ()  # Condition, Procedure, Observation, Coverage, AllergyIntolerance … of this stay
    facts: StayFacts = field(default_factory=lambda: StayFacts())
    sources: tuple[Source, ...] = ()
    part2: bool = False  # told by, or spent in, a 42 CFR Part 2 program
    course: Course = field(default_factory=lambda: Course(state="in-hospital", first_seen=0))


@dataclass(frozen=True, slots=True)
class Owned:
    """A resource with the sources that told of it: an Appointment, DocumentReference, Communication, Consent, or somebody else's CarePlan …"""

    resource: Json
    sources: tuple[Source, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    stay: str | None = None  # Encounter id, where it belongs to one
    part2: bool = False


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person, whole."""

    id: str  # Patient id
    patient: Json
    retired: tuple[Json, ...] = ()  # Patients that were merged into this one: inactive, with a link
    related: tuple[Json, ...] = ()  # RelatedPerson and other person-level resources (Coverage, AllergyIntolerance said without a stay)
    stays: tuple[StayRecord, ...] = ()
    appointments: tuple[Owned, ...] = ()
    documents: tuple[Owned, ...] = ()
    referrals: tuple[Owned, ...] = ()
    care: tuple[Owned, ...] = ()  # CarePlan, CareTeam, ServiceRequest, Goal that others own
    contacts: tuple[Owned, ...] = ()
    consents: tuple[Owned, ...] = ()
    observations: tuple[Owned, ...] = ()
    claims: tuple[Owned, ...] = ()  # Task changes by agencies: resource is the part of the Task that was written
    decisions: tuple[Owned, ...] = ()
    sources: tuple[Source, ...] = ()
    death_sources: tuple[Source, ...] = ()
    uncertain: str = ""  # why it is uncertain that all of this is one person; "" when it is not
    uncertain_since: int | None = None
    uncertain_sources: tuple[Source, ...] = ()
    shared: Mapping[str, Json] = field(
        default_factory=dict
    )  # "Practitioner/…" -> resource that the above refer to, as this record's senders last said it
